"""`network` is a neighbour of the tests of this room, no package: importlib mode needs telling."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from network import Wire


@pytest.fixture
def wire() -> Wire:
    """A core with account `acme` (3 calls), trunks a then b."""
    return Wire()
