"""A laboratory on loopback: one edge, its store, SIPp callers and callees, and what they leave behind.

Each source address 127.0.0.x is another ingress trunk (see `policy.toml` beside this file). Every process is started
here, has a bound on its life, and is stopped by its pid. Waiting is always for a thing, never for a time.
"""

import contextlib
import csv
import itertools
import json
import os
import random
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

import redis

from limits.embedded import socket_path
from limits.keys import account_keys

HERE = Path(__file__).resolve().parent
SCENARIOS = HERE.parents[1] / "sipp_scenarios"
BOUND_S = 15.0
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_OURS = range(10_000 + 4 * _WORKER, 32_000, 4 * _WORKERS)
PORTS = itertools.cycle(random.sample(_OURS, len(_OURS)))
"""Below those that the system gives away by itself, so that nobody gets one of them by chance; none twice in a run, and
none that another process of the same run may take: a port is chosen long before it is held."""

RETAIL, STRANGER, INTERNATIONAL, ROBOT, ONE_CALL, FIVE_CAPS, SUSPENDED, UPSTREAM, ROAMING, GUESSING = (
    f"127.0.0.{host}" for host in (10, 11, 12, 13, 14, 15, 16, 17, 20, 21)
)
"""Source addresses: which ingress trunk, and so which account, a caller comes in by."""

OUT_OF_HOURS, SELLER, NO_CONSENT, MARKING = (f"127.0.0.{host}" for host in (31, 32, 33, 34))
"""Who sells to consumers, and a neighbour that marks calls of robots."""

PARIS = ZoneInfo("Europe/Paris")

PROBE = "127.0.0.9"
"""Where the laboratory itself asks from; no trunk and no edge is there."""

T = TypeVar("T")


def until(thing: Callable[[], T], *, what: str, bound_s: float = BOUND_S) -> T:
    """The first true value of `thing`; AssertionError with `what` when the bound has passed."""
    deadline = time.monotonic() + bound_s
    turn = threading.Event()
    while not (value := thing()):
        assert time.monotonic() < deadline, f"waited {bound_s} s in vain for {what}"
        turn.wait(0.02)
    return value


def hour_away(now: datetime) -> str:
    """An hour of the day that is not this one, nor will be while the tests run."""
    hour = (now.hour + 6) % 24
    return f"{hour:02}:00-{hour + 1:02}:00"


def free_port(host: str = "127.0.0.1") -> int:
    """A UDP port nobody holds just now, nor the three after it (SIPp's media takes two of them)."""
    while True:
        first = next(PORTS)
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + 4):
                probe = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                probe.bind((host, port))
            return first


def udp_port_is_held(port: int) -> bool:
    """Has somebody bound this port? (A callee is ready as soon as that is so.)"""
    suffix = f":{port:04X}"
    lines = Path("/proc/net/udp").read_text().splitlines()[1:]
    return any(line.split()[1].endswith(suffix) for line in lines)


def stop(process: subprocess.Popen[bytes], *, by: int = signal.SIGTERM, bound_s: float = BOUND_S) -> int:
    """Ends a process that we started; SIGKILL when the bound has passed. Returns its exit status."""
    if process.poll() is None:
        process.send_signal(by)
        try:
            process.wait(bound_s)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait(bound_s)


class StoreView:
    """A look into a store through its unix socket; nothing is taken."""

    def __init__(self, path: Path) -> None:
        self.client = redis.Redis(unix_socket_path=str(path))

    def answers(self) -> bool:
        with contextlib.suppress(redis.RedisError):
            return bool(self.client.ping())
        return False

    def leases(self, account: str) -> int:
        """Concurrent calls that the store holds a lease for, run out or not."""
        return self.client.zcard(account_keys(account).leases)

    def live_leases(self, account: str) -> int:
        """Leases of an account that have not run out by the store's own clock."""
        seconds, micros = self.client.time()
        return self.client.zcount(account_keys(account).leases, seconds * 1000 + micros // 1000, "+inf")

    def all_leases(self) -> int:
        return sum(self.client.zcard(key) for key in self.client.scan_iter(match="*:leases", count=1000))

    def counter(self, account: str, name: str) -> int:
        return int(self.client.hget(account_keys(account).account, name) or 0)


class Store(StoreView):
    """A Redis server of our own on a unix socket."""

    def __init__(self, folder: Path) -> None:
        path = folder / "redis.sock"
        super().__init__(path)
        self.url = f"unix://{path}"
        options = ["--port", "0", "--unixsocket", str(path), "--save", "", "--appendonly", "no", "--dir", str(folder)]
        with (folder / "redis.log").open("wb") as log:
            self.process = subprocess.Popen(
                ["redis-server", *options], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        until(self.answers, what="redis-server")

    def stop(self) -> None:
        self.client.close()
        stop(self.process)


class Edge:
    """The edge as an operator starts it: `edge run`, in a process of its own."""

    def __init__(
        self, policy: Path, state: Path, *, store_url: str, port: int | None = None, options: tuple[str, ...] = ()
    ) -> None:
        self.policy, self.state, self.port = policy, state, port or free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.log = state.with_suffix(".log")
        command = [sys.executable, "-m", "edge", "run", "--policy", str(policy), "--listen", f"udp:{self.address}"]
        command += ["--redis", store_url, "--state", str(state), *options]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self.log.open("ab"), stderr=subprocess.STDOUT, cwd=state.parent
        )
        try:
            until(self._answers, what="the edge to answer OPTIONS")
        except BaseException:
            self.stop(by=signal.SIGKILL)
            raise

    def _answers(self) -> bool:
        assert self.process.poll() is None, f"the edge ended:\n{self.log.read_text()}"
        return options_status(self.port, bound_s=0.2) == 200

    def cdrs(self, call: str = "") -> list[dict]:
        """CDRs in the order written, of the calls whose Call-ID begins with `call`; complete lines only,
        without those that chain the files."""
        records = []
        for path in sorted((self.state / "cdr").glob("cdr-*.jsonl")):
            whole = path.read_bytes().rpartition(b"\n")[0]
            records += [json.loads(line) for line in whole.splitlines()]
        return [record for record in records if "call_id" in record and record["call_id"].startswith(call)]

    def wait_cdrs(self, call: str, count: int, *, bound_s: float = BOUND_S) -> list[dict]:
        """The CDRs of a scenario, once there are as many as there were attempts."""
        until(
            lambda: len(self.cdrs(call)) >= count,
            what=f"{count} CDRs of {call}, there are {len(self.cdrs(call))}",
            bound_s=bound_s,
        )
        return self.cdrs(call)

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self, *, by: int = signal.SIGTERM) -> int:
        return stop(self.process, by=by)


def options_status(port: int, *, host: str = "127.0.0.1", bound_s: float = 2.0) -> int:
    """Status of the answer to an OPTIONS, 0 when there was none.

    Asked from an address nobody else has: where nothing listens, a probe at the asked address could be given the asked
    port for its own, and would read its own question."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((PROBE, 0))
        here = f"{PROBE}:{sock.getsockname()[1]}"
        branch = f"z9hG4bK{os.urandom(8).hex()}"
        request = (
            f"OPTIONS sip:{host}:{port} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch={branch};rport\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:lab@{here}>;tag=lab\r\nTo: <sip:{host}:{port}>\r\n"
            f"Call-ID: lab-{branch}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        )
        try:
            sock.connect((host, port))
            sock.send(request.encode())
            if not select.select([sock], [], [], bound_s)[0]:
                return 0
            status_line = re.match(rb"SIP/2\.0 ([1-6][0-9]{2}) ", sock.recv(65535))
            assert status_line is not None, "an OPTIONS was answered with what is no SIP response"
            return int(status_line[1])
        except ConnectionRefusedError:
            return 0


class Sipp:
    """One SIPp process playing one scenario."""

    _numbers = itertools.count(1)

    def __init__(
        self,
        scenario: str,
        folder: Path,
        arguments: list[str],
        *,
        keys: dict[str, str],
        bound_s: float,
        trace: bool = True,
    ) -> None:
        self.scenario, self.bound_s = scenario, bound_s
        self.call = f"{scenario}-{next(self._numbers)}-"
        """Call-IDs of this caller begin so."""
        self.folder = folder / self.call.rstrip("-")
        self.folder.mkdir(parents=True)
        command = ["sipp", "-sf", str(SCENARIOS / f"{scenario}.xml"), "-nostdin", "-cid_str", f"{self.call}%u@lab"]
        command += ["-trace_err", "-error_file", "errors"]
        command += (
            ["-trace_msg", "-message_file", "messages"] if trace else ["-trace_stat", "-stf", "statistics", "-fd", "1"]
        )
        command += ["-timeout", str(int(bound_s)), "-timeout_error", "-mp", str(free_port()), *arguments]
        for key, value in keys.items():
            command += ["-key", key, value]
        self._screen = (self.folder / "screen").open("wb")
        self.process = subprocess.Popen(
            command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=self._screen, stderr=subprocess.STDOUT
        )

    def finish(self) -> None:
        """Waits for the end of the scenario; fails with SIPp's own words when the wire was not as written."""
        try:
            status = self.process.wait(self.bound_s + 5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait(BOUND_S)
        assert status == 0, f"{self.scenario}: SIPp ended with {status}\n{self.said()}"

    def end_in_order(self) -> None:
        """No new calls; those that are up come to their ends. Some may have failed."""
        self.process.send_signal(signal.SIGUSR1)
        assert self.process.wait(self.bound_s) in (0, 1), self.said()

    def said(self) -> str:
        errors = self.folder / "errors"
        screen = (self.folder / "screen").read_text(errors="replace")
        return (errors.read_text(errors="replace") if errors.exists() else screen)[-4000:]

    def received(self, start_line: str) -> int:
        """Datagrams received that begin so, repeats included (a scenario does not see those)."""
        return len(re.findall(r"message received \[\d+\] bytes :\s+" + re.escape(start_line), self._trace()))

    def seen(self, text: str) -> bool:
        """Did this text cross the wire at this SIPp?"""
        return text in self._trace()

    def _trace(self) -> str:
        trace = self.folder / "messages"
        return trace.read_text(errors="replace") if trace.exists() else ""

    def statistic(self, name: str) -> int:
        """A cumulated figure of its statistics file."""
        with (self.folder / "statistics").open() as file:
            return int(float(list(csv.DictReader(file, delimiter=";"))[-1][name]))

    def stop(self) -> None:
        stop(self.process, by=signal.SIGKILL)
        self._screen.close()


class Lab:
    """One edge with two egress trunks, and SIPp on both sides of it."""

    def __init__(self, folder: Path, *, options: tuple[str, ...] = (), store_url: str | None = None) -> None:
        self.folder = folder
        self.trunks = {"first": free_port(), "second": free_port()}
        self.edge_port = free_port()
        self.policy = folder / "policy.toml"
        self._options, self._runs = options, list[Sipp]()
        self.write_policy()
        self._server = Store(folder) if store_url is None else None
        self._store_url = self._server.url if self._server else store_url
        try:
            self.edge = self.start_edge()
        except BaseException:
            if self._server:
                self._server.stop()
            raise
        self.store = self._server or StoreView(socket_path(self.edge.state / "store"))

    def write_policy(self) -> None:
        text = (HERE / "policy.toml").read_text()
        ports = {"FIRST": self.trunks["first"], "SECOND": self.trunks["second"], "EDGE": self.edge_port}
        for name, port in ports.items():
            text = text.replace(f"@{name}@", str(port))
        text = text.replace("@AWAY@", hour_away(datetime.now(PARIS)))
        self.policy.write_text(text)

    def start_edge(self) -> Edge:
        return Edge(
            self.policy, self.folder / "state", store_url=self._store_url, port=self.edge_port, options=self._options
        )

    def uas(
        self, scenario: str, *, trunk: str = "first", calls: int = 1, bound_s: float = BOUND_S, trace: bool = True
    ) -> Sipp:
        """A callee on an egress trunk, ready when this returns."""
        port = self.trunks[trunk]
        until(lambda: not udp_port_is_held(port), what=f"port {port} of trunk {trunk} to be free")
        arguments = ["-i", "127.0.0.1", "-p", str(port), "-m", str(calls)]
        run = Sipp(scenario, self.folder, arguments, keys={}, bound_s=bound_s, trace=trace)
        self._runs.append(run)
        until(lambda: udp_port_is_held(port) or run.process.poll() is not None, what=f"{scenario} to listen")
        assert run.process.poll() is None, run.said()
        return run

    def uac(
        self,
        scenario: str,
        *,
        source: str = RETAIL,
        called: str = "+33145000009",
        cli: str = "+33612345678",
        calls: int = 1,
        rate: int = 20,
        hold_ms: int = 0,
        table: str = "",
        target: str = "",
        bound_s: float = BOUND_S,
        patience_ms: int = 0,
        trace: bool = True,
    ) -> Sipp:
        """A caller on an ingress trunk; `table` names a file of csv/ whose lines it takes in turn. `patience_ms`: a
        call that waits so long for a message is given up; 0: it waits until `bound_s` ends all."""
        arguments = [target or self.edge.address, "-i", source, "-p", str(free_port(source))]
        arguments += ["-m", str(calls), "-r", str(rate), "-d", str(hold_ms)]
        if table:
            arguments += ["-inf", str(SCENARIOS / "csv" / f"{table}.csv")]
        if patience_ms:
            arguments += ["-recv_timeout", str(patience_ms)]
        keys = {"called": called, "cli": cli, "fold": "   folded, and kept"}
        run = Sipp(scenario, self.folder, arguments, keys=keys, bound_s=bound_s, trace=trace)
        self._runs.append(run)
        return run

    def cdrs(self, run: Sipp, count: int = 1) -> list[dict]:
        """The CDRs that a caller left: exactly as many as it made attempts."""
        records = self.edge.wait_cdrs(run.call, count)
        assert len(records) == count
        return records

    def cdr(self, run: Sipp) -> dict:
        return self.cdrs(run)[0]

    def wait_leases(self, account: str, count: int) -> None:
        """Until the account holds so many leases."""
        until(lambda: self.store.leases(account) == count, what=f"{count} leases of {account}")

    def assert_no_lease_is_left(self) -> None:
        """The record is written before the lease is settled, so the lease may outlive the record by a moment."""
        until(lambda: self.store.all_leases() == 0, what="every lease to be given back")

    def assert_nothing_escaped(self) -> None:
        """No exception came out of the core: whatever a neighbour sends, that would be a fault of ours."""
        escaped = [line for line in self.edge.log.read_text().splitlines() if "core.escaped" in line]
        assert escaped == []

    def end_runs(self) -> None:
        """Stops what a failed test left running."""
        for run in self._runs:
            run.stop()
        self._runs.clear()

    def stop(self) -> None:
        self.end_runs()
        self.edge.stop()
        if self._server:
            self._server.stop()


@contextlib.contextmanager
def laboratory(folder: Path, *, options: tuple[str, ...] = (), store_url: str | None = None) -> Iterator[Lab]:
    """A laboratory that is gone, with all its processes, when the block ends."""
    lab = Lab(folder, options=options, store_url=store_url)
    try:
        yield lab
    finally:
        lab.stop()


def rows(table: str) -> int:
    """Callers in a file of csv/."""
    lines = (SCENARIOS / "csv" / f"{table}.csv").read_text().splitlines()[1:]
    return sum(1 for line in lines if line and not line.startswith("#"))
