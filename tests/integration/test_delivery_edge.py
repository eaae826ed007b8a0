"""A running edge with CDR sinks, good ones and bad ones: calls do not notice, records arrive, commands tell."""

import asyncio
import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from edges import CALLED, CLI, Edge, calling, policy, running

from edge.agents import Trunk

CALLS = 20
HUNG = "a receiver that takes the request and never answers"


@pytest.fixture
async def trunk() -> AsyncIterator[Trunk]:
    trunk = await Trunk.at("127.0.0.1", ring_s=0.01)
    yield trunk
    trunk.close()


@asynccontextmanager
async def hanging() -> AsyncIterator[int]:
    """Its port."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65_536):
            pass
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture
async def config(tmp_path: Path, trunk: Trunk) -> AsyncIterator[str]:
    """Files, and the receiver that hangs."""
    (tmp_path / "policy.toml").write_text(policy(trunk, calls=100))
    (tmp_path / "secret").write_text("0123456789abcdef\n")
    async with hanging() as port:
        (tmp_path / "edge.toml").write_text(
            f"""
[[cdr.sinks]]
name = "rating"
kind = "csv"
directory = "{tmp_path}/out"
columns = ["seq", "uid", "account", "duration_ms"]
batch_age_s = 0.05
rotate_s = 1
[[cdr.sinks]]
name = "hung"
kind = "webhook"
url = "http://127.0.0.1:{port}/"
secret_file = "{tmp_path}/secret"
timeout_s = 0.5
alarm_s = 1
"""
        )
        yield str(tmp_path / "edge.toml")


def edge_command(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "edge", *words], capture_output=True, text=True, timeout=30, check=False
    )


async def until(is_true: Callable[[], bool], what: str) -> None:
    looked = asyncio.Event()
    async with asyncio.timeout(20):
        while not is_true():
            try:
                async with asyncio.timeout(0.02):
                    await looked.wait()
            except TimeoutError:
                continue


def in_files(directory: Path) -> list[str]:
    found = []
    for path in sorted(directory.glob("cdr-*.csv")):
        with path.open(newline="") as file:
            found += [row["uid"] for row in csv.DictReader(file)]
    return found


def delivery_process(edge: Edge) -> int:
    """Its process id: the child that is the delivery process."""
    pid = edge._process.pid
    children = [int(word) for task in Path(f"/proc/{pid}/task").iterdir() for word in _read(task / "children").split()]
    (found,) = [
        child for child in children if b"edge.cdr.delivery.process" in _read_bytes(Path(f"/proc/{child}/cmdline"))
    ]
    return found


def _read(path: Path) -> str:
    return _read_bytes(path).decode()


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


async def test_a_receiver_that_hangs_is_told_and_costs_no_call_and_no_record(tmp_path: Path, config: str) -> None:
    """Calls are answered, files come, the alarm says who, the commands say how far each is."""
    async with running(tmp_path, "--config", config, "--metrics", "127.0.0.1:0") as edge, calling(edge) as caller:
        ended = await asyncio.gather(*(caller.call(CLI, CALLED, talk_s=0.05) for _ in range(CALLS)))
        assert [200] * CALLS == [each.status for each in ended]
        stuck = await edge.fact("delivery.stuck")
        assert ("hung", "no answer in 0.5 s") == (stuck["sink"], stuck["why"])
        await until(lambda: len(in_files(tmp_path / "out")) == CALLS, "the files")
        told = json.loads(
            (
                await asyncio.to_thread(
                    edge_command, "cdr", "sinks", "--config", config, "--state", str(tmp_path / "state"), "--json"
                )
            ).stdout
        )
        states = {sink["name"]: (sink["cursor"], sink["waiting"], sink["failing_since"] > 0) for sink in told["sinks"]}
        del states["quality"]
        assert {"rating": (CALLS, 0, False), "hung": (0, CALLS, True)} == states
        assert 1.0 == (await edge.metrics("edge_delivery_up"))["edge_delivery_up"]
    assert [record["uid"] for record in edge.records()] == in_files(tmp_path / "out")
    stopped = await edge.fact("delivery.stopped")
    assert 1 == stopped["unfinished"]


async def test_a_delivery_process_that_dies_is_started_again(tmp_path: Path, config: str) -> None:
    """Killed, it is missed by nobody but the log; what came meanwhile is delivered by the next one, once."""
    async with running(tmp_path, "--config", config) as edge, calling(edge) as caller:
        await caller.call(CLI, CALLED, talk_s=0.01)
        await until(lambda: len(in_files(tmp_path / "out")) == 1, "the first file")
        os.kill(delivery_process(edge), signal.SIGKILL)
        died = await edge.fact("delivery.died")
        assert "signal 9" == died["why"]
        assert 200 == (await caller.call(CLI, CALLED, talk_s=0.01)).status
        await until(lambda: len(in_files(tmp_path / "out")) == 2, "the second file")
    assert [record["uid"] for record in edge.records()] == in_files(tmp_path / "out")


async def test_records_are_delivered_again_when_somebody_asks(tmp_path: Path, config: str) -> None:
    """From the record asked for, in files of their own; nonsense is refused with what was expected."""
    where = ("--config", config, "--state", str(tmp_path / "state"))
    async with running(tmp_path, "--config", config) as edge, calling(edge) as caller:
        for _ in range(3):
            await caller.call(CLI, CALLED, talk_s=0.01)
        await until(lambda: len(in_files(tmp_path / "out")) == 3, "the files")
        done = await asyncio.to_thread(edge_command, "cdr", "redeliver", *where, "--sink", "rating", "--from", "2")
        assert (0, "rating: 2 records, 2 to 3, are delivered again\n") == (done.returncode, done.stdout)
        await until(lambda: len(in_files(tmp_path / "out")) == 5, "them")
        for words, expected in (
            (("--sink", "rating", "--from", "0"), "--from: expected 1 to 3, got 0"),
            (("--sink", "rating", "--from", "99"), "--from: expected 1 to 3, got 99"),
            (("--sink", "nobody", "--from", "1"), "--sink: no sink 'nobody'; there are: hung, quality, rating"),
            (("--sink", "hung", "--from", "1"), "sink 'hung' has had no record yet"),
        ):
            refused = await asyncio.to_thread(edge_command, "cdr", "redeliver", *where, *words)
            assert 1 == refused.returncode
            assert expected in refused.stderr
    uids = [str(record["uid"]) for record in edge.records()]
    assert sorted([*uids, *uids[1:]]) == sorted(in_files(tmp_path / "out"))


async def test_a_sink_that_cannot_be_set_up_stops_the_start(tmp_path: Path, config: str) -> None:
    """One sentence that names it, before anything listens."""
    (tmp_path / "secret").write_text("short")
    with pytest.raises(BaseExceptionGroup):
        async with running(tmp_path, "--config", config):
            raise AssertionError("it started")
    words = ["run", "--policy", str(tmp_path / "policy.toml"), "--config", config, "--state", str(tmp_path / "state")]
    done = await asyncio.to_thread(edge_command, *words, "--listen", "udp:127.0.0.1:0")
    assert 1 == done.returncode
    assert f"edge: sink 'hung': expected a secret of 16 characters at least in {tmp_path}/secret\n" == done.stderr
