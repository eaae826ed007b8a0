"""The edge and Kamailio in turns: what the same calls cost either, and the ratios. Read by scripts/bench --compare.

The peer is scripts/peer: what it does and does not do is told in docs/performance.md.
"""

import hashlib
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from load_lab import ADMITTED, HOST, OVERTIME_S, PEER, REFUSED, EdgeLab, Kind, Lab, Process

EDGE, KAMAILIO = "edge", "kamailio"
SERVERS = (EDGE, KAMAILIO)
PACKAGES = "on Debian: apt-get install kamailio kamailio-redis-modules"
COSTS = ("cpu_us_per_call", "cpu_us_per_call_less_idle")
START_S = 7
"""About what starting and stopping everything of one run takes."""
HOLD_RATE = 200
WARM_CALLS = 100
"""At as many a second, before a run, and not counted."""
LADDER = tuple(round(100 * 1.15**step) for step in range(31))
"""The rates tried for the highest, 100 to 6,600 calls a second: it is found to 15 %."""
TRIES = 2
"""A rate is clean if it was once; a shared machine has bad moments."""
MAKE = Callable[[Path, ExitStack, int], Lab]


class PeerLab(Lab):
    """Kamailio with scripts/peer, its memory from its fast allocator: its stock one costs it more."""

    name = KAMAILIO

    def __init__(self, folder: Path, stack: ExitStack, seconds: int, *, workers: int, is_as_edge: bool) -> None:
        self._workers, self._is_as_edge = workers, is_as_edge
        super().__init__(folder, stack, seconds)

    def start_proxy(self) -> Process:
        digests = self._fill_store()
        words = {"REDIS": str(self.redis_socket), "CALLEE": f"{HOST}:{self.trunk_port}", **digests}
        words["RECORD_REFUSED"] = "1" if self._is_as_edge else "0"
        command = [kamailio(), "-f", str(PEER / "kamailio.cfg"), "-DD", "-n", str(self._workers)]
        command += ["-l", f"udp:{HOST}:{self.port}", "-m", "1024", "-M", "32", "-x", "fm", "-X", "fm"]
        command += ["-Y", str(self.folder), "-w", str(self.folder)]
        command += ["-A", "REFUSE_AS_EDGE"] if self._is_as_edge else []
        for word, value in words.items():
            command += ["--substdef", f"!{word}!{value}!g"]
        return self.start(self.stack, command, KAMAILIO)

    def _fill_store(self) -> dict[str, str]:
        """The accounts of bench-policy.toml and the two scripts into Redis; the scripts' digests."""
        commands: list[Sequence[str]] = []
        for account in ADMITTED.accounts + REFUSED.accounts:
            status = "suspended" if account.startswith("blk") else "active"
            caps = "0" if account.startswith("cap") else "100"
            calls = "0" if account.startswith("brk") else "1000"
            limits = ("status", status, "caps", caps, "burst", caps, "calls", calls, "lease_ms", "14400000")
            commands.append(("HSET", f"account:{account}", *limits))
        digests = {}
        for name in ("admit", "release"):
            script = (PEER / f"{name}.lua").read_text()
            commands.append(("SCRIPT", "LOAD", script))
            digests[name.upper()] = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
        said = subprocess.run(
            ["redis-cli", "-s", str(self.redis_socket), "--pipe"],
            input=b"".join(map(_resp, commands)),
            capture_output=True,
            check=False,
        )
        if said.returncode or b"errors: 0" not in said.stdout:
            sys.exit(f"bench: the peer's store was not filled: {(said.stdout + said.stderr).decode(errors='replace')}")
        return digests


def _resp(words: Sequence[str]) -> bytes:
    parts = [word.encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def kamailio() -> str:
    """Where it is; ends with what to install where it is not."""
    found = shutil.which("kamailio") or shutil.which("kamailio", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        sys.exit(f"bench: kamailio is missing; {PACKAGES}")
    return found


def check_peer() -> None:
    """Ends with what is missing where Kamailio cannot read its configuration: before anything is measured."""
    read = subprocess.run([kamailio(), "-c", "-f", str(PEER / "kamailio.cfg")], capture_output=True, check=False)
    if read.returncode:
        log = (read.stdout + read.stderr).decode(errors="replace")
        missing = sorted(set(re.findall(r"could not find module <([^>]*)>", log)))
        modules = f"kamailio has no {', '.join(missing)}; {PACKAGES}" if missing else f"kamailio cannot start:\n{log}"
        sys.exit(f"bench: {modules}")


@dataclass(frozen=True)
class Plan:
    """What is compared, and how long at most."""

    edge: list[str]
    rates: tuple[int, ...]
    rounds: int
    seconds: int
    settle_s: float
    hold: int
    is_highest: bool
    peer_workers: int
    is_refusing_as_edge: bool
    minutes: int

    def makers(self) -> dict[str, MAKE]:
        """How either server is started."""
        return {
            EDGE: lambda folder, stack, seconds: EdgeLab(folder, stack, self.edge, seconds),
            KAMAILIO: lambda folder, stack, seconds: PeerLab(
                folder, stack, seconds, workers=self.peer_workers, is_as_edge=self.is_refusing_as_edge
            ),
        }

    def expected_minutes(self) -> float:
        """About how long all of it takes."""
        run_s = self.seconds + self.settle_s + START_S + 2
        total = self.rounds * len(self.rates) * 2 * len(SERVERS) * run_s
        if self.hold:
            total += self.rounds * len(SERVERS) * (self.hold / HOLD_RATE + START_S + 3)
        if self.is_highest:
            total += len(LADDER).bit_length() * TRIES * len(SERVERS) * (self.seconds + START_S + OVERTIME_S)
        return total / 60


class Comparison:
    """Runs in turns, and what they gave so far: when time is up, the tables have what there is."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.runs: list[dict[str, object]] = []
        self.held: dict[str, list[float]] = {server: [] for server in SERVERS}
        self.highest: dict[str, int] = {}
        self.is_cut_short = False
        self._makers = plan.makers()
        self._deadline = time.monotonic() + plan.minutes * 60

    def run(self) -> None:
        """All of it, or as much as its minutes allow."""
        try:
            for number in range(self.plan.rounds):
                # First the one, then the other: what drifts meets both alike.
                order = SERVERS if number % 2 == 0 else SERVERS[::-1]
                for rate in self.plan.rates:
                    for kind in (ADMITTED, REFUSED):
                        for server in order:
                            self._measure(server, rate, kind, number)
                for server in order if self.plan.hold else ():
                    self.held[server].append(self._hold(server))
            if self.plan.is_highest:
                self._find_highest()
        except TimeoutError:
            self.is_cut_short = True
            _tell(f"stopped after {self.plan.minutes} minutes (--minutes): what was measured follows")
        except KeyboardInterrupt:
            self.is_cut_short = True
            _tell("interrupted: what was measured follows")

    def _lab(self, server: str, folder: str, stack: ExitStack) -> Lab:
        if time.monotonic() > self._deadline:
            raise TimeoutError
        return self._makers[server](Path(folder), stack, self.plan.seconds + 4 * OVERTIME_S + 30)

    def _measure(self, server: str, rate: int, kind: Kind, number: int) -> None:
        with tempfile.TemporaryDirectory(prefix="edge-compare-") as folder, ExitStack() as stack:
            lab = self._lab(server, folder, stack)
            lab.load(WARM_CALLS, WARM_CALLS, 0.0, kind)
            result = lab.load(rate, rate * self.plan.seconds, self.plan.settle_s, kind)
        result["idle_cpu_ms_per_s"] = round(lab.idle_cpu_s_per_s * 1e3, 2)
        for figure in COSTS:
            result[figure] = result.pop(f"{server}_{figure}")
        self.runs.append({"server": server, "kind": kind.name, "rate": rate, "round": number, **result})
        _tell(
            f"round {number + 1} of {self.plan.rounds}, {rate}/s {kind.name}: {server} "
            f"{result['cpu_us_per_call']} µs a call, {result['calls_failed']} of {result['calls']} failed"
        )

    def _hold(self, server: str) -> float:
        with tempfile.TemporaryDirectory(prefix="edge-compare-") as folder, ExitStack() as stack:
            held = self._lab(server, folder, stack).hold(HOLD_RATE, self.plan.hold)
        _tell(f"{server}: {held:.0f} bytes for each of {self.plan.hold} held calls")
        return held

    def _find_highest(self) -> None:
        """The highest rung of the ladder without failures, by halving, for either in turns."""
        bounds = {server: (-1, len(LADDER)) for server in SERVERS}
        while any(high - low > 1 for low, high in bounds.values()):
            for server, (low, high) in bounds.items():
                if high - low > 1:
                    rung = (low + high) // 2
                    is_clean = any(self._is_clean(server, LADDER[rung]) for _ in range(TRIES))
                    bounds[server] = (rung, high) if is_clean else (low, rung)
        self.highest = {server: LADDER[low] if low >= 0 else 0 for server, (low, _) in bounds.items()}

    def _is_clean(self, server: str, rate: int) -> bool:
        """No call failed, not one message in a thousand was sent again, and all were placed in time."""
        calls = rate * self.plan.seconds
        with tempfile.TemporaryDirectory(prefix="edge-compare-") as folder, ExitStack() as stack:
            result = self._lab(server, folder, stack).load(rate, calls, 0.0)
        is_in_time = float(str(result["cps"])) >= calls / (calls / rate * 1.03 + 1.5)
        again = int(str(result["retransmissions"]))
        is_clean = result["calls_failed"] == 0 and again <= calls // 1000 and is_in_time
        _tell(
            f"highest: {server} at {rate}/s is {'clean' if is_clean else 'not clean'}: "
            f"{result['calls_failed']} failed, {again} retransmissions, {result['cps']}/s"
        )
        return is_clean

    # -- what it says --------------------------------------------------------------------------------------------------

    def report(self) -> dict[str, object]:
        """Everything measured, and the conditions."""
        return {
            "conditions": conditions(self.plan),
            "is_cut_short": self.is_cut_short,
            "runs": self.runs,
            "bytes_per_held_call": self.held,
            "highest_clean_rate": self.highest,
        }

    def tables(self) -> str:
        """Markdown: costs, one row for each rate and kind; latency; memory; the highest rates."""
        lines = [*(f"- {what}: {value}" for what, value in conditions(self.plan).items()), ""]
        if self.is_cut_short:
            lines += ["Cut short: not every round is whole.", ""]
        lines += [
            f"Each figure: edge / Kamailio = ratio (least to most of {self.plan.rounds} rounds); medians.",
            "",
            "| Calls/s, kind | Processor, µs a call | less idle | Redis, µs | To final, ms p50 | p95 | p99 | Failed |",
            "|---|---|---|---|---|---|---|---|",
        ]
        rows = [(rate, kind) for rate in self.plan.rates for kind in (ADMITTED, REFUSED)]
        for rate, kind in rows:
            final = f"invite_{kind.answers[-1]}"
            cells = [self._pair(rate, kind, figure) for figure in (*COSTS, "redis_cpu_us_per_call")]
            cells += [self._pair(rate, kind, final, p) for p in ("p50", "p95", "p99")]
            lines.append(f"| {rate:,} {kind.name} | {' | '.join(cells)} | {self._failed(rate, kind)} |")
        lines += ["", "| Calls/s, until | ms p50 | ms p95 | ms p99 |", "|---|---|---|---|"]
        for rate, kind in rows:
            for answer in kind.answers[:-1]:
                cells = [self._pair(rate, kind, f"invite_{answer}", p) for p in ("p50", "p95", "p99")]
                lines.append(f"| {rate:,} {kind.name}, {answer} | {' | '.join(cells)} |")
        lines.append("")
        idle = [self._idle(server) for server in SERVERS]
        if all(idle):
            lines.append(f"Processor without calls, ms a second (contained in the above): {_compared(*idle)}")
        pairs = [held for held in self.held.values() if held]
        if len(pairs) == len(SERVERS):
            lines.append(f"Memory, bytes a held call ({self.plan.hold:,} held): {_compared(*pairs)}")
        for server, rate in self.highest.items():
            found = f"{rate:,}/s (steps of 15 %)" if rate else f"none of {LADDER[0]}/s and more"
            lines.append(f"Highest rate without failures, {server}: {found}")
        return "\n".join(lines)

    def _values(self, server: str, rate: int, kind: Kind, *path: str) -> dict[int, float]:
        """By round."""
        found = {}
        for run in self.runs:
            if (run["server"], run["rate"], run["kind"]) != (server, rate, kind.name):
                continue
            value: object = run["latency_ms"] if len(path) > 1 else run
            for step in path:
                value = value.get(step) if isinstance(value, dict) else None
            if isinstance(value, int | float):
                found[int(str(run["round"]))] = float(value)
        return found

    def _idle(self, server: str) -> list[float]:
        return [float(str(run["idle_cpu_ms_per_s"])) for run in self.runs if run["server"] == server]

    def _pair(self, rate: int, kind: Kind, *path: str) -> str:
        edge, peer = (self._values(server, rate, kind, *path) for server in SERVERS)
        both = sorted(edge.keys() & peer.keys())
        return _compared([edge[number] for number in both], [peer[number] for number in both])

    def _failed(self, rate: int, kind: Kind) -> str:
        failed, calls = (
            [round(sum(self._values(server, rate, kind, what).values())) for server in SERVERS]
            for what in ("calls_failed", "calls")
        )
        return f"{failed[0]:,} / {failed[1]:,} of {calls[0]:,}"


def _compared(edge: list[float], peer: list[float]) -> str:
    """Medians and the ratios of the rounds."""
    ratios = [ours / theirs for ours, theirs in zip(edge, peer, strict=False) if theirs]
    if not ratios:
        return "-"
    ours, theirs = (
        f"{value:,.0f}" if value >= 100 else f"{value:.3g}" for value in map(statistics.median, (edge, peer))
    )
    spread = f" ({min(ratios):.2f} to {max(ratios):.2f})" if len(ratios) > 1 else ""
    return f"{ours} / {theirs} = {statistics.median(ratios):.2f}{spread}"


def conditions(plan: Plan) -> dict[str, str]:
    """What the figures depend on."""
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    refusing = "in a transaction, with a record" if plan.is_refusing_as_edge else "stateless, without a record"
    return {
        "when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "machine": f"{os.cpu_count()} x {model}, load average {os.getloadavg()[0]:.1f} at the end",
        "edge": _first_line([*plan.edge, "--version"]),
        "peer": f"{_first_line([kamailio(), '-v'])}; {plan.peer_workers} worker(s), allocator fm, refusals {refusing}",
        "redis": _first_line(["redis-server", "--version"]),
        "runs": f"{plan.rounds} rounds in turns, {plan.seconds} s of calls, {plan.settle_s:g} s after them counted",
    }


def _first_line(command: list[str]) -> str:
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    return (said.stdout or said.stderr).strip().split("\n")[0]


def _tell(line: str) -> None:
    print(f"bench: {line}", file=sys.stderr, flush=True)
