"""A clone with the edge installed as the first tutorial says, and a terminal in it."""

import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))  # importlib mode: neighbours, no package

from newcomer import Terminal, blocks, fresh_clone


@pytest.fixture(scope="session")
def clone(tmp_path_factory) -> Path:
    """Made once, whoever of several processes comes first: the first block of the first page is the installation, which
    needs the network. Each page works in a folder of its own there."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder, installed = shared / "trunkgate", shared / "installed"
    with (shared / "installing").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not installed.exists():
            terminal = Terminal(fresh_clone(folder), tmp_path_factory.mktemp("installer"), apart=False)
            terminal.copy(blocks("first-call")[0])
            terminal.close()
            installed.touch()
    return folder


@pytest.fixture
def terminal(clone, tmp_path) -> Iterator[Callable[[str], str]]:
    """Copies a block into a shell at the top of the clone."""
    shell = Terminal(clone, tmp_path, apart=True)
    yield shell.copy
    shell.close()
