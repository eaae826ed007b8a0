"""A proxy under load on loopback: the proxy, a Redis of its own, SIPp on both sides and timed calls beside them.

Read by scripts/bench and its siblings. Standard library only; every port is a free one, and whatever is started is
stopped by its pid when the stack that it was given closes.
"""

import csv
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SCENARIOS = ROOT / "sipp_scenarios"
PEER = ROOT / "scripts" / "peer"
POLICY = ROOT / "docs" / "examples" / "bench-policy.toml"
POLICY_TRUNK = "127.0.0.1:25080"
ACCOUNTS = 1000
PROBES_PER_S = 50
HOST = "127.0.0.1"
OVERTIME_S = 10
"""So long after its last call should have begun, a run is ended: what is still open has failed."""

STOP_S = 10
IDLE_S, IDLE_SHARE, IDLE_ALIKE = 1.0, 0.05, 0.002
"""A proxy has started that took less than this share of a core for so long, and as much in the time before: by what it
takes at rest the costs of all calls are cut, and 3 % of a core in the seconds of a run are 130 µs a call at 500/s."""


@dataclass(frozen=True)
class Kind:
    """What becomes of the calls of one run; the accounts are those of bench-policy.toml."""

    name: str
    scenario: Path
    accounts: tuple[str, ...]
    answers: tuple[str, ...]
    """The responses whose latency counts."""


ADMITTED = Kind(
    "admitted",
    SCENARIOS / "uac_load__200.xml",
    tuple(f"acc{number:04d}" for number in range(ACCOUNTS)),
    ("100", "180", "200"),
)
REFUSED = Kind(
    "refused",
    PEER / "refused.xml",
    # In equal parts suspended, without attempts per second, without concurrent calls.
    tuple(f"{why}{number:04d}" for number in range(100) for why in ("blk", "cap", "brk")),
    ("refused",),
)


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def wait_for(thing: Callable[[], bool], what: str, bound_s: float = 15.0) -> None:
    deadline = time.monotonic() + bound_s
    while not thing():
        if time.monotonic() > deadline:
            sys.exit(f"bench: waited {bound_s:.0f} s in vain for {what}")
        time.sleep(0.02)


def percentiles(values: Iterable[float]) -> dict[str, float]:
    ordered = sorted(values)
    if not ordered:
        return {}
    return {f"p{p}": round(ordered[min(len(ordered) - 1, len(ordered) * p // 100)], 2) for p in (50, 95, 99)}


class Process:
    """One process of ours: started, measured, stopped by its pid."""

    def __init__(self, command: list[str], folder: Path, name: str) -> None:
        self.log = folder / f"{name}.log"
        output = self.log.open("wb")
        self.popen = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        output.close()

    def pids(self) -> list[int]:
        """The process and its children (a supervisor's workers count)."""
        found, todo = [], [self.popen.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                todo += [int(child) for child in children.read_text().split()]
        return found

    def cpu_s_of(self, pid: int) -> float:
        """Run time of all threads of one of them so far."""
        tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
        return sum(int(path.read_text().split()[0]) for path in tasks) / 1e9

    def cpu_s(self) -> float:
        """Run time of all threads so far."""
        return sum(self.cpu_s_of(pid) for pid in self.pids())

    def memory_bytes(self) -> int:
        """What they hold, each page that several share counted once (PSS)."""
        return sum(self.memory_bytes_of(pid) for pid in self.pids())

    def memory_bytes_of(self, pid: int) -> int:
        """The same of one of them."""
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("Pss:")).split()[1]) * 1024

    def stop(self) -> None:
        """Ends it, and waits for its children too: they may still be writing into the folder of the run."""
        if self.popen.poll() is not None:
            return
        pids = self.pids()
        self.popen.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_S
        while self.popen.poll() is None or any(map(_is_running, pids)):
            if time.monotonic() > deadline:
                for pid in filter(_is_running, pids):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)


def process_name(pid: int) -> str:
    """`edge`, or the folder of the module that a child runs: `delivery`."""
    words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return words[words.index("-m") + 1].split(".")[-2] if "-m" in words else "edge"


def _is_running(pid: int) -> bool:
    """A child whose parent has ended may be left as a zombie, if nobody collects it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Caller:
    """Timed calls beside the load: from INVITE to each of the answers of their kind, in milliseconds."""

    SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8 0\r\n"

    def __init__(self, target: tuple[str, int], kind: Kind = ADMITTED, per_s: float = PROBES_PER_S) -> None:
        self.kind, self.per_s = kind, per_s
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((HOST, 0))
        self.target, self.here = target, f"{HOST}:{self.socket.getsockname()[1]}"
        self.latency: dict[str, list[float]] = {answer: [] for answer in kind.answers}
        self.failed = 0

    def _request(
        self, method: str, uri: str, number: int, branch: str, to: str, extra: Iterable[str] = (), body: str = ""
    ) -> bytes:
        head = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.here};branch=z9hG4bKb{number}-{branch}",
            *extra,
            "Max-Forwards: 70",
            f"From: <sip:bench@{self.here}>;tag=b{number}",
            f"To: {to}",
            f"Call-ID: bench-{number}@{self.here}",
            f"CSeq: {2 if method == 'BYE' else 1} {method}",
            f"Contact: <sip:bench@{self.here}>",
            f"X-Account: {self.kind.accounts[number % len(self.kind.accounts)]}",
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        return ("\r\n".join(head) + "\r\n\r\n" + body).encode()

    def _receive(self, call: str, bound_s: float) -> tuple[int, str, float] | None:
        deadline = time.perf_counter() + bound_s
        while (left := deadline - time.perf_counter()) > 0:
            if not select.select([self.socket], [], [], left)[0]:
                return None
            head = self.socket.recv(65535).decode("latin-1")
            arrived = time.perf_counter()
            if call in head:
                return int(head[8:11]), head, arrived
        return None

    def call(self, number: int) -> None:
        uri = f"sip:+3314{number:07d}@{self.target[0]}:{self.target[1]}"
        call, to = f"bench-{number}@", f"<{uri}>"
        started = time.perf_counter()
        self.socket.sendto(self._request("INVITE", uri, number, "invite", to, body=self.SDP), self.target)
        status, head = 0, ""
        while status < 200:
            answer = self._receive(call, 2.0)
            if answer is None:
                self.failed += 1
                return
            status, head, arrived = answer
            name = "refused" if status in (403, 503) else str(status)
            if name in self.latency:
                self.latency[name].append((arrived - started) * 1000)
        self.failed += name not in self.latency
        lines = head.split("\r\n")
        to = next(line for line in lines if line.lower().startswith("to:"))[3:].strip()
        if status != 200:
            # In the transaction of its INVITE (RFC 3261 §17.1.1.3), or the refusal would come again and again.
            self.socket.sendto(self._request("ACK", uri, number, "invite", to), self.target)
            return
        contact = next(line for line in lines if line.lower().startswith("contact:")).split("<")[1].split(">")[0]
        routes = [
            part.strip() for line in lines if line.lower().startswith("record-route:") for part in line[13:].split(",")
        ]
        route = [f"Route: {value}" for value in reversed(routes)]
        self.socket.sendto(self._request("ACK", contact, number, "ack", to, route), self.target)
        self.socket.sendto(self._request("BYE", contact, number, "bye", to, route), self.target)
        while (answer := self._receive(call, 2.0)) and " BYE" not in answer[1]:
            pass

    def run(self, seconds: float) -> None:
        """A call every so often; fewer where they take longer than that, since each waits for the one before."""
        begun = time.perf_counter()
        for number in range(int(seconds * self.per_s)):
            if time.perf_counter() - begun > seconds + OVERTIME_S / 2:
                break
            time.sleep(max(0.0, begun + number / self.per_s - time.perf_counter()))
            self.call(number)


class Lab:
    """A proxy, its Redis and a callee, and the runs of callers against them."""

    name: str

    def __init__(self, folder: Path, stack: ExitStack, seconds: int) -> None:
        self.folder, self.seconds, self.stack = folder, seconds, stack
        self.port, self.trunk_port = free_port(), free_port()
        self.redis_socket = folder / "redis.sock"
        self.store = f"unix://{self.redis_socket}"
        options = ["--port", "0", "--unixsocket", str(self.redis_socket), "--save", "", "--appendonly", "no"]
        self.redis = self.start(stack, ["redis-server", *options], "redis")
        wait_for(self.redis_socket.exists, "redis-server")
        self.proxy = self.start_proxy()
        wait_for(self._is_answering, self.name)
        arguments = ["-sf", str(SCENARIOS / "uas_answer_forever__200.xml"), "-i", HOST, "-p", str(self.trunk_port)]
        self.callee = self.start(stack, ["sipp", *arguments, *self.sipp_options("callee", seconds)], "callee")
        wait_for(lambda: f":{self.trunk_port:04X} " in Path("/proc/net/udp").read_text(), "the callee")
        self.idle_cpu_s_per_s = self._wait_until_started()

    def _wait_until_started(self) -> float:
        """Until what it does at first is done (processes beside the calls start after it answers); what it then costs.

        On a machine so busy that it is never seen idle, no longer than 15 s.
        """
        busy, least = 1.0, 1.0
        for _ in range(int(15 / IDLE_S)):
            last, before = busy, self.proxy.cpu_s()
            time.sleep(IDLE_S)
            busy = (self.proxy.cpu_s() - before) / IDLE_S
            least = min(least, busy)
            if busy < IDLE_SHARE and abs(busy - last) < IDLE_ALIKE:
                break
        return least

    def start_proxy(self) -> Process:
        """The proxy under load: listens on `port`, relays to `trunk_port`, has `redis_socket` as its store."""
        raise NotImplementedError

    def start(self, stack: ExitStack, command: list[str], name: str) -> Process:
        process = Process(command, self.folder, name)
        stack.callback(process.stop)
        return process

    def accounts_file(self, kind: Kind) -> Path:
        """The accounts of this kind of call, as SIPp reads them."""
        path = self.folder / f"{kind.name}.accounts.csv"
        path.write_text("SEQUENTIAL\n" + "".join(f"{account}\n" for account in kind.accounts))
        return path

    def _is_answering(self) -> bool:
        if self.proxy.popen.poll() is not None:
            sys.exit(f"bench: {self.name} ended:\n{self.proxy.log.read_text(errors='replace')}")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((HOST, 0))
            here = f"{HOST}:{sock.getsockname()[1]}"
            unique = time.monotonic_ns()
            request = (
                f"OPTIONS sip:{HOST}:{self.port} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{unique}\r\n"
                f"Max-Forwards: 70\r\nFrom: <sip:{here}>;tag=b\r\nTo: <sip:{HOST}>\r\nCall-ID: {unique}\r\n"
                "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
            )
            sock.sendto(request.encode(), (HOST, self.port))
            return bool(select.select([sock], [], [], 0.2)[0])

    def sipp_options(self, name: str, bound_s: int) -> list[str]:
        """Statistics and errors into files of this name, room for load, an end after so long."""
        options = "-nostdin -trace_stat -fd 1 -trace_err -buff_size 4000000 -watchdog_interval 0"
        options += f" -max_recv_loops 2000 -max_sched_loops 2000 -stf {name}.csv -error_file {name}.err"
        return [*options.split(), "-timeout", str(bound_s)]

    def start_caller(
        self, stack: ExitStack, name: str, calls: int, rate: int, hold_ms: int, kind: Kind = ADMITTED
    ) -> Process:
        command = ["sipp", f"{HOST}:{self.port}", "-sf", str(kind.scenario), "-i", HOST, "-p", str(free_port())]
        command += ["-inf", str(self.accounts_file(kind)), "-key", "called", "+33145000009"]
        command += f"-m {calls} -r {rate} -l {calls} -d {hold_ms}".split()
        bound_s = calls // rate + hold_ms // 1000 + 2 * OVERTIME_S
        return self.start(stack, [*command, *self.sipp_options(name, bound_s)], name)

    def statistics(self, name: str) -> dict[str, str]:
        """The last row that the SIPp of this name has written; empty before its first."""
        path = self.folder / f"{name}.csv"
        if not path.exists():
            return {}
        with path.open() as file:
            rows = list(csv.DictReader(file, delimiter=";"))
        return rows[-1] if rows else {}

    def count(self, name: str, column: str) -> int:
        """One column of what the SIPp of this name counted."""
        return int(float(self.statistics(name).get(column) or 0))

    def load(self, rate: int, calls: int, settle_s: float, kind: Kind = ADMITTED) -> dict[str, object]:
        """The main run: cost, failures, latency."""
        prober = Caller((HOST, self.port), kind)
        probing = threading.Thread(target=prober.run, args=(max(1.0, calls / rate - 0.5),))
        again = -self.count("callee", "Retransmissions(C)")
        cpu, redis_cpu = self.proxy.cpu_s(), self.redis.cpu_s()
        begun = time.monotonic()
        with ExitStack() as stack:
            caller = self.start_caller(stack, "load", calls, rate, 20, kind)
            probing.start()
            with suppress(subprocess.TimeoutExpired):  # its own -timeout lets it wait for open calls
                caller.popen.wait(calls / rate + OVERTIME_S)
            took = time.monotonic() - begun
            probing.join()
        time.sleep(settle_s)
        cpu, redis_cpu = self.proxy.cpu_s() - cpu, self.redis.cpu_s() - redis_cpu
        idle = self.idle_cpu_s_per_s * (time.monotonic() - begun)
        ok = self.count("load", "SuccessfulCall(C)")
        again += self.count("callee", "Retransmissions(C)") + self.count("load", "Retransmissions(C)")
        probed = len(prober.latency[kind.answers[-1]]) + prober.failed
        everyone = self.count("load", "TotalCallCreated") + probed
        return {
            "calls": calls,
            "calls_ok": ok,
            "calls_failed": calls - ok + prober.failed,
            "retransmissions": again,
            "cps": round(calls / took, 1),
            f"{self.name}_cpu_us_per_call": round(cpu * 1e6 / max(everyone, 1), 1),
            f"{self.name}_cpu_us_per_call_less_idle": round((cpu - idle) * 1e6 / max(everyone, 1), 1),
            "redis_cpu_us_per_call": round(redis_cpu * 1e6 / max(everyone, 1), 1),
            "latency_ms": {f"invite_{answer}": percentiles(values) for answer, values in prober.latency.items()},
        }

    def hold(self, rate: int, calls: int) -> float:
        """Memory of the proxy for each call that is up."""
        before = self.proxy.memory_bytes()
        ramp_s = calls / rate
        with ExitStack() as stack:
            self.start_caller(stack, "hold", calls, rate, int((ramp_s + 3) * 1000))
            time.sleep(ramp_s + 2)
            during = self.proxy.memory_bytes()
            held = self.count("hold", "CurrentCall")
        return round((during - before) / max(held, 1), 0)


class EdgeLab(Lab):
    """The edge, as `edge run` starts it."""

    name = "edge"

    def __init__(self, folder: Path, stack: ExitStack, edge: list[str], seconds: int, *options: str) -> None:
        """`options`: more of `edge run`."""
        self._edge, self._options = edge, options
        super().__init__(folder, stack, seconds)

    def start_proxy(self) -> Process:
        policy = self.folder / "policy.toml"
        text = POLICY.read_text()
        if POLICY_TRUNK not in text:
            sys.exit(f"bench: {POLICY} has no trunk at {POLICY_TRUNK}")
        policy.write_text(text.replace(POLICY_TRUNK, f"{HOST}:{self.trunk_port}"))
        command = [*self._edge, "run", "--policy", str(policy), "--listen", f"udp:{HOST}:{self.port}"]
        command += ["--redis", self.store, "--state", str(self.folder / "state"), "--drain-s", "0", *self._options]
        return self.start(self.stack, command, "edge")


def edge_command(given: str) -> list[str]:
    for candidate in (given, str(ROOT / ".venv" / "bin" / "edge"), shutil.which("edge") or ""):
        if candidate and Path(candidate).exists():
            return [str(Path(candidate).absolute())]
    sys.exit("bench: no edge to measure; start scripts/run once, or give --edge PATH")
