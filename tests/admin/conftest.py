"""The admin API over a real store: a Valkey of this session, emptied for each test; clients of each role."""

import select
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import redis

sys.path.insert(0, str(Path(__file__).resolve().parent))  # importlib mode: neighbours, no package

from desk import AdminDesk, open_desk

from limits.embedded import find_binary


@pytest.fixture(scope="session")
def store_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server on a unix socket."""
    home = tmp_path_factory.mktemp("store")
    path = home / "s"
    words = ["--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(home)]
    process = subprocess.Popen([str(find_binary()), *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    client = redis.Redis.from_url(f"unix://{path}")
    deadline = time.monotonic() + 15
    while True:
        try:
            client.ping()
            break
        except redis.exceptions.ConnectionError:
            assert time.monotonic() < deadline, "the store did not start"
            select.select([], [], [], 0.01)
    yield f"unix://{path}"
    process.terminate()
    process.wait(timeout=15)


@pytest.fixture
def store(store_url: str) -> Iterator["redis.Redis"]:
    """A plain client of it, for looking and for damage."""
    client = redis.Redis.from_url(store_url, decode_responses=True)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
async def desk(store: "redis.Redis", store_url: str, tmp_path: Path) -> AsyncIterator[AdminDesk]:
    """Everything that a test of the API needs."""
    async with open_desk(store_url, tmp_path / "state") as desk:
        yield desk


@pytest.fixture
async def admin(desk: AdminDesk) -> httpx.AsyncClient:
    """Whoever may do everything."""
    return await desk.client("admin")


@pytest.fixture
async def viewer(desk: AdminDesk) -> httpx.AsyncClient:
    """Whoever may look."""
    return await desk.client("viewer")
