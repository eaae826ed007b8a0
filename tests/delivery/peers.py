"""What records are delivered to in these tests: real servers that are killed, stopped and broken on purpose."""

import asyncio
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from pathlib import Path

import orjson
import psycopg
import redis

from edge.cdr.delivery.consumer import Bounds, Consumer, Entry, entry_of
from edge.cdr.delivery.runner import Runner
from edge.cdr.record import COLUMNS
from edge.cdr.seal import sealed
from edge.proxy.facts import Fact

BOUND_S = 30.0
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_VALUES = {
    "string": "text",
    "integer": 7,
    "boolean": False,
    "instant": "2026-07-01T12:00:00.000001Z",
    "list": ["word", "é"],
}
_LISTS = {
    "candidates": [["out", 503], ["other", 200]],
    "candidate_causes": [42, 16],
    "headers": [["privacy", "id"], ["p-asserted-identity", "<sip:+33170000001@é>"]],
    "tries": [["2026-07-01T12:00:00.000001Z", "2026-07-01T12:00:01.000001Z"], ["2026-07-01T12:00:01.000002Z", None]],
}


def record(seq: int, **values: object) -> dict[str, object]:
    """A record with every column of its type."""
    made = {c.name: _LISTS.get(c.name, _VALUES[c.type.removesuffix(" or null")]) for c in COLUMNS}
    return {**made, "v": 1, "seq": seq, "node": "n1", "uid": f"uid-{seq}", **values}


def line(seq: int, **values: object) -> bytes:
    return sealed(orjson.dumps(record(seq, **values)) + b"\n")


def entries(*seqs: int, **values: object) -> list[Entry]:
    found = [entry_of(line(seq, **values)) for seq in seqs]
    assert None not in found
    return found


def write_log(state: Path, seqs: Iterable[int], *, first: int = 1, **values: object) -> None:
    """Append to a segment of the log as an edge would."""
    (state / "cdr").mkdir(parents=True, exist_ok=True)
    with (state / "cdr" / f"cdr-20260701-{first:012d}.jsonl").open("ab") as file:
        file.writelines(line(seq, **values) for seq in seqs)


class Delivery:
    """One runner over a state directory, as the delivery process has it."""

    def __init__(self, state: Path, consumer: Consumer, **bounds: object) -> None:
        self.home = state / "delivery" / consumer.name
        self.facts: list[Fact] = []
        terms = {"records": 50, "age_s": 0.05, "timeout_s": 5.0, "retry_s": 0.05, "retry_most_s": 0.2, **bounds}
        self.runner = Runner(
            consumer, log=state / "cdr", home=self.home, tell=self.facts.append, bounds=Bounds(**terms)
        )
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Delivery":
        self._task = asyncio.ensure_future(self.runner.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.runner.close()

    def told(self, name: str) -> list[dict[str, object]]:
        return [fact.fields for fact in self.facts if fact.name == name]

    async def has_come_to(self, seq: int) -> None:
        await until(lambda: self.runner.position.seq >= seq, f"the checkpoint to come to {seq}")

    def quarantined(self) -> list[int]:
        lines = [text for path in sorted(self.home.glob("quarantine-*")) for text in path.read_bytes().splitlines()]
        return [orjson.loads(text)["seq"] for text in lines]


async def until(is_true: Callable[[], bool], what: str, bound_s: float = BOUND_S) -> None:
    """Wait for the thing itself, looking again whenever something can have happened."""
    looked = asyncio.Event()
    end = time.monotonic() + bound_s
    while not is_true():
        assert time.monotonic() < end, f"waited {bound_s:g} s for {what}"
        try:
            async with asyncio.timeout(0.01):
                await looked.wait()
        except TimeoutError:
            continue


def free_port() -> int:
    """A TCP port of loopback that was free a moment ago: below those that the system gives away by itself, so that
    nobody gets it while its server is down, and none that another process of the same run may take."""
    while True:
        port = random.randrange(10_000 + _WORKER, 32_000, _WORKERS)
        with suppress(OSError), socket.socket() as found:
            found.bind(("127.0.0.1", port))
            return port


class Postgres:
    """A server of its own in a directory of its own, on a unix socket. Not as root: it refuses that."""

    def __init__(self) -> None:
        places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
        self._bin = places[-1] if places else Path(shutil.which("postgres") or "").parent
        self.home = Path(tempfile.mkdtemp(prefix="pg-"))
        self._as: dict[str, object] = {}
        if os.geteuid() == 0:
            who = pwd.getpwnam("postgres")
            os.chown(self.home, who.pw_uid, who.pw_gid)
            self._as = {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}
        command = [self._bin / "initdb", "-D", self.home / "data", "-U", "edge", "-A", "trust", "-N"]
        subprocess.run(command, check=True, capture_output=True, cwd=self.home, timeout=60, **self._as)
        self._process: subprocess.Popen[bytes] | None = None
        self.dsn = f"host={self.home} user=edge dbname=postgres"

    def start(self) -> None:
        command = [self._bin / "postgres", "-D", "data", "-k", self.home, "-c", "listen_addresses="]
        with (self.home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self.home, stdout=log, stderr=log, start_new_session=True, **self._as
            )
        end = time.monotonic() + BOUND_S
        while subprocess.run([self._bin / "pg_isready", "-q", "-h", self.home], check=False, timeout=10).returncode:
            assert time.monotonic() < end, (self.home / "log").read_text()

    def signal(self, name: signal.Signals) -> None:
        """The postmaster and everything it started: what a dead or a hanging machine does."""
        assert self._process is not None
        children = self._children()
        os.kill(self._process.pid, name)
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, name)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        assert self._process is not None
        self._process.wait(timeout=BOUND_S)

    def _children(self) -> list[int]:
        assert self._process is not None
        return [
            int(pid) for pid in Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        ]

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()
        shutil.rmtree(self.home)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.dsn) as connection:
            return connection.execute(query).fetchall()

    def run(self, statement: str) -> None:
        with psycopg.connect(self.dsn) as connection:
            connection.execute(statement)


class RedisServer:
    """A server of its own on a port of its own."""

    def __init__(self, folder: Path, *words: str) -> None:
        self._folder = folder
        self._words = words
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = ["redis-server", "--port", str(self.port), "--dir", self._folder, "--save", "", *self._words]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
        end = time.monotonic() + BOUND_S
        while True:
            try:
                self.client().ping()
                return
            except redis.exceptions.ConnectionError:
                assert time.monotonic() < end, "redis-server does not start"

    def client(self) -> "redis.Redis":
        return redis.Redis.from_url(self.url, decode_responses=True)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(timeout=BOUND_S)

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()


async def cancelled_in(work: Awaitable[object], turns: int) -> None:
    """Start it, let the loop turn so often, and cut it off."""
    task = asyncio.ensure_future(work)
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
