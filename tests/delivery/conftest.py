"""Real servers to deliver to; the rooms of this folder import each other by name."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))  # importlib mode: neighbours, no package

from peers import Postgres, RedisServer


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """PostgreSQL; started by whoever asks for `postgres`."""
    made = Postgres()
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture
def postgres(server: Postgres) -> Postgres:
    """With nothing in it."""
    server.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return server


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """Redis, appending to disk at each write."""
    folder = tmp_path / "redis"
    folder.mkdir()
    made = RedisServer(folder, "--appendonly", "yes", "--appendfsync", "always")
    try:
        made.start()
        yield made
    finally:
        made.close()
