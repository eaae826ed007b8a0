"""What the chaos is made on: a store, edges, SIPp callers; started here, ended here by their pids."""

import asyncio
import csv
import itertools
import json
import random
import shutil
import signal
import socket
import sys
import urllib.request
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

from patience import BOUND_S, until, until_found
from redis.asyncio import Redis
from redis.exceptions import RedisError

HERE = Path(__file__).resolve().parent
TAKEOVER_S = 3
PORTS = itertools.cycle(random.sample(range(10_000, 32_000, 4), 5_500))
"""Below those that the system gives away by itself, so that nobody gets one of them by chance; none twice in a run."""
SECRET = b"the key all nodes share, 32 byte"


def free_port(host: str = "127.0.0.1") -> int:
    """A UDP port nobody holds just now, nor the three after it (SIPp's media takes two of them)."""
    while True:
        first = next(PORTS)
        with ExitStack() as stack, suppress(OSError):
            for port in range(first, first + 4):
                probe = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                probe.bind((host, port))
            return first


class Process:
    """Something that runs; what it says goes to a file."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self._process: asyncio.subprocess.Process | None = None

    async def run(self, *words: str, cwd: Path) -> None:
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *words, cwd=cwd, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
            )

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def ended(self, bound_s: float = BOUND_S) -> int:
        assert self._process is not None
        async with asyncio.timeout(bound_s):
            return await self._process.wait()

    async def kill(self) -> None:
        if self.is_running:
            with suppress(ProcessLookupError):
                self.signal(signal.SIGCONT)
                self.signal(signal.SIGKILL)
            await self.ended()


class Store(Process):
    """A Redis server on a unix socket that appends to disk; what it has answered survives SIGKILL.

    That takes `appendfsync always`: with `everysec` a write may wait for an fsync, and die with the process."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory / "store.log")
        self._directory = directory
        self._path = directory / "store.sock"
        self.url = f"unix://{self._path}"
        self.client = Redis(unix_socket_path=str(self._path))

    async def start(self) -> None:
        binary = shutil.which("redis-server")
        assert binary is not None, "the chaos needs redis-server on PATH: apt-get install redis-server"
        words = ("--port", "0", "--unixsocket", str(self._path), "--save", "", "--appendonly", "yes")
        await self.run(binary, *words, "--appendfsync", "always", cwd=self._directory)
        await until_found(self._answers, "the store to answer")

    async def _answers(self) -> bool:
        try:
            return bool(await self.client.ping())
        except (RedisError, OSError):
            return False

    async def restart(self, *, with_data: bool) -> None:
        await self.kill()
        if not with_data:
            for path in self._directory.glob("appendonly*"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        await self.start()


class Edge(Process):
    """One `edge run`, always on the same port; under its name again after it was killed."""

    def __init__(self, directory: Path, name: str, store: Store) -> None:
        super().__init__(directory / f"{name}.log")
        self._directory = directory
        self._store = store
        self.name = name
        self.state = directory / name
        self.state.mkdir(mode=0o700)
        (self.state / "record-route.secret").write_bytes(SECRET)
        self.port = free_port()
        self.metrics = f"127.0.0.1:{free_port()}"

    async def start(self, *options: str) -> None:
        said = len(self.facts("edge.started"))
        await self.run(
            *(sys.executable, "-m", "edge", "run", "--policy", str(self._directory / "policy.toml")),
            *("--node", self.name, "--listen", f"udp:127.0.0.1:{self.port}", "--redis", self._store.url),
            *("--state", str(self.state), "--log", "json", "--drain-s", "5", "--metrics", self.metrics),
            *("--lease-s", "9", "--renew-s", "2", "--takeover-s", str(TAKEOVER_S), *options),
            cwd=self._directory,
        )
        await until(lambda: len(self.facts("edge.started")) > said or not self.is_running, f"{self.name} to start")
        assert self.is_running, self.log.read_text()

    async def broken(self) -> list[str]:
        """Lines of its metrics page that must read 0 and do not: invariants of the limits, exceptions of the core."""
        page = await asyncio.to_thread(self._page)
        names = (
            "edge_answers_broken_total",
            "edge_books_broken",
            "edge_escaped_total",
            "edge_records_unreadable_total",
        )
        found = [line for line in page.splitlines() if line.startswith(names)]
        assert len(found) > len(names), "the page does not tell of them"
        return [line for line in found if float(line.rpartition(" ")[2])]

    def _page(self) -> str:
        with urllib.request.urlopen(f"http://{self.metrics}/metrics", timeout=5) as page:
            return str(page.read().decode())

    def facts(self, event: str) -> list[dict[str, object]]:
        """Its log lines of this name."""
        found = []
        if self.log.exists():
            for line in self.log.read_text().splitlines():
                with suppress(ValueError):
                    fact = json.loads(line)
                    if isinstance(fact, dict) and fact.get("event") == event:
                        found.append(fact)
        return found

    def records(self) -> list[dict[str, object]]:
        """Its CDRs, in the order written."""
        paths = sorted((self.state / "cdr").glob("cdr-*.jsonl"))
        lines = [line for path in paths for line in path.read_text().splitlines(keepends=True)]
        return [json.loads(line) for line in lines if line.endswith("\n")]


class Callers(Process):
    """One SIPp: so many calls, so fast, each with the next line of its table."""

    def __init__(self, directory: Path, scenario: str, edge: Edge, table: list[tuple[str, ...]], rate: int) -> None:
        self.name = f"{scenario}-{edge.name}"
        super().__init__(directory / f"{self.name}.log")
        self._directory = directory
        self._scenario = HERE / f"{scenario}.xml"
        self._edge = edge
        self._rate = rate
        self.errors = directory / f"{self.name}.errors"
        self._table = directory / f"{self.name}.csv"
        self._table.write_text("SEQUENTIAL\n" + "".join(";".join(row) + "\n" for row in table))
        self.calls = len(table)
        self.call_ids = [f"{self.name}-{number}@chaos" for number in range(1, self.calls + 1)]

    async def start(self) -> None:
        binary = shutil.which("sipp")
        assert binary is not None, "the chaos needs sipp on PATH: apt-get install sip-tester"
        await self.run(
            *(binary, f"127.0.0.1:{self._edge.port}", "-sf", str(self._scenario), "-inf", str(self._table)),
            *("-i", "127.0.0.1", "-p", str(free_port()), "-mp", str(free_port()), "-nostdin"),
            *("-m", str(self.calls), "-r", str(self._rate), "-cid_str", f"{self.name}-%u@chaos"),
            # Who has heard a 180 of an edge that was killed then waits for its answer no longer.
            *(
                "-recv_timeout",
                "15000",
                "-l",
                "2000",
                "-trace_err",
                "-error_file",
                f"{self.name}.errors",
                "-timeout",
                "60",
            ),
            *("-trace_stat", "-stf", f"{self.name}.stat", "-fd", "1"),
            cwd=self._directory,
        )

    async def ended(self, bound_s: float = BOUND_S) -> int:
        """Its exit status; where it does not end, what it waits for."""
        try:
            return await super().ended(bound_s)
        except TimeoutError:
            raise AssertionError(f"{self.name} has not ended within {bound_s} s: {self.said()}") from None

    def said(self) -> str:
        """Its last words, and how its calls stand."""
        paths = [path for path in (self.log, self.errors) if path.exists()]
        names = ("CurrentCall", "TotalCallCreated", "SuccessfulCall(C)", "FailedCall(C)")
        counts = {name: self.statistic(name) for name in names}
        return "\n".join([str(counts), *[path.read_text(errors="replace")[-3_000:] for path in paths]])

    def statistic(self, name: str) -> int:
        """A cumulated figure of its statistics."""
        with (self._directory / f"{self.name}.stat").open() as file:
            return int(float(list(csv.DictReader(file, delimiter=";"))[-1][name]))


class Holder(NamedTuple):
    """An account of the chaos."""

    name: str
    calls: int
    extra: str


ACCOUNTS = (
    Holder("big", 60, 'caps_base = 100\nopening_balance = "1000"'),
    Holder("small", 5, 'caps_base = 100\nopening_balance = "1000"'),
    Holder("single", 1, 'caps_base = 100\nopening_balance = "1000"'),
    Holder("slow", 50, 'caps_base = 3\nopening_balance = "1000"'),
    Holder("poor", 50, 'caps_base = 100\nopening_balance = "1.50"'),
    Holder("dry", 50, 'caps_base = 100\nopening_balance = "0.02"'),
    Holder("member", 6, 'caps_base = 100\nopening_balance = "1000"\ngroup = "pool"'),
    Holder("guest", 6, 'caps_base = 100\nopening_balance = "1000"\ngroup = "pool"\ncalls_reserved = 2'),
    Holder("capped", 50, 'caps_base = 100\nopening_balance = "1000"\nspend_cap_hour = "4.00"'),
    Holder("zoned", 20, 'caps_base = 100\nopening_balance = "1000"\n'
           'prefix_ceilings = [{ prefix = "+3314509", calls = 3 }]'),
)  # fmt: skip
"""In the order of their numbers."""
TRUNK_CALLS = {"first": 25, "second": 1_000_000}
GROUP_CALLS = 8
DECK = """prefix,zone,connect,rate,first,next,minimum
+33,all,0,0.60,1,1,0
+3314501,dear,0.05,1.20,6,6,0
+3314502,odd,0.003,0.777,1,3,2
+3314505,dry,0,0.60,1,1,0
"""


def policy(first: int, second: int) -> str:
    """The document, with the ports of the two trunks."""
    accounts = "".join(
        f'[[accounts]]\nid = "{one.name}"\ncalls_base = {one.calls}\nstore_away = "refuse"\n{one.extra}\n\n'
        for one in ACCOUNTS
    )
    return f"""rate_deck = "rates.csv"

{accounts}
[[groups]]
id = "pool"
caps_base = 100
calls_base = {GROUP_CALLS}

[[ingress]]
id = "in"
sources = ["127.0.0.1/32"]
trusted = true
account_header = "X-Account"

[[egress]]
id = "first"
uri = "sip:127.0.0.1:{first}"
calls = {TRUNK_CALLS["first"]}

[[egress]]
id = "second"
uri = "sip:127.0.0.1:{second}"

[[routes]]
id = "all"
prefixes = ["+33"]
trunks = ["first", "second"]
"""


def talks(seed: int, count: int) -> list[tuple[str, ...]]:
    """Calls of every account: some hung up by the callee, some with two BYEs."""
    draw = random.Random(seed)
    rows = []
    for index in range(count):
        account = draw.randrange(len(ACCOUNTS))
        ring, own = draw.randrange(20), draw.choice((0, 0, 0, 0, 1, 2, 3))
        hold = draw.randrange(300, 3_500)
        number = f"+33145{account:02}{ring:02}{own}{index % 10}"
        rows.append((ACCOUNTS[account].name, number, str(hold), draw.choice(("once", "once", "twice"))))
    return rows


def cancels(seed: int, count: int) -> list[tuple[str, ...]]:
    """Calls that are answered about when their CANCEL comes."""
    draw = random.Random(seed)
    rows = []
    for index in range(count):
        account = draw.randrange(len(ACCOUNTS))
        rows.append((ACCOUNTS[account].name, f"+33145{account:02}{draw.choice((0, 0, 0, 1, 2, 4, 8)):02}9{index % 10}"))
    return rows
