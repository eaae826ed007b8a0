"""The rooms of this folder import each other by name."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))  # importlib mode: neighbours, no package

from several import Site, site_at


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """A store, a caller and a callee; the test starts the nodes."""
    async with site_at(tmp_path) as site:
        yield site
