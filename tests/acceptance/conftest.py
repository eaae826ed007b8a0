"""One laboratory for each module; after each test no process of SIPp and no lease is left."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))  # importlib mode: `lab` is a neighbour, no package
sys.path.append(str(Path(__file__).resolve().parents[1] / "integration"))  # certificates and the name server

from lab import Lab, laboratory


@pytest.fixture(scope="module")
def module_lab(tmp_path_factory):
    with laboratory(tmp_path_factory.mktemp("lab"), options=("--drain-s", "1")) as lab:
        yield lab


@pytest.fixture
def lab(module_lab) -> Lab:
    """The laboratory of the module, clean before and after each test."""
    yield module_lab
    module_lab.end_runs()
    module_lab.assert_nothing_escaped()
