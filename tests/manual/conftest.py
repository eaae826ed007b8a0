"""A clone with the edge installed as the first tutorial says, and a terminal in it."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))  # importlib mode: neighbours, no package

from newcomer import Terminal, blocks, fresh_clone


@pytest.fixture(scope="session")
def clone(tmp_path_factory) -> Path:
    """Made once: the first block of the first page is the installation, which needs the network."""
    folder = fresh_clone(tmp_path_factory.mktemp("manual") / "trunkgate")
    terminal = Terminal(folder, tmp_path_factory.mktemp("installer"), apart=False)
    terminal.copy(blocks("first-call")[0])
    terminal.close()
    return folder


@pytest.fixture
def terminal(clone, tmp_path) -> Iterator[Callable[[str], str]]:
    """Copies a block into a shell at the top of the clone."""
    shell = Terminal(clone, tmp_path, apart=True)
    yield shell.copy
    shell.close()
