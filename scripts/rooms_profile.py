"""Where the microseconds of a call go: the edge under load, sampled by py-spy, by room and by function.

Read by scripts/bench --profile. py-spy has an environment of its own (build/profile); it must be allowed to look into
another process: root, or kernel.yama.ptrace_scope = 0.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter, defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from load_lab import OVERTIME_S, ROOT, EdgeLab, Kind, Process

PY_SPY = "py-spy==0.4.3"
SAMPLES_PER_S = 100
Costs = dict[str, float]
Loop = tuple[int, bool]
"""A process, and whether its first thread or its other ones."""
PACKAGES = ("edge", "limits")
FUNCTIONS = 30
"""So many are listed."""
PROCESS = re.compile(r'(?:^|;)process (\d+):"')
FRAME = re.compile(r"(?P<function>.*) \((?P<path>.*?)(?::\d+)?\)")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Profile:
    """What a call cost, in microseconds of processor time. Libraries and the interpreter have rows of their own."""

    load: dict[str, object]
    kernel_share: float
    samples: int
    processes: Costs
    rooms: Costs
    """In the room's own code."""
    with_libraries: Costs
    """In its own code and in what is not ours and was called from it."""
    functions: Costs
    """In the function itself."""
    inclusive: Costs
    """In the function and in all that it calls."""

    def tables(self) -> str:
        """Markdown."""
        processes = ", ".join(f"{name} {cost:,.0f}" for name, cost in dearest(self.processes))
        everything = sum(self.processes.values())
        lines = [
            f"{self.load['calls']} calls in {self.samples:,} samples, {self.load['calls_failed']} failed; "
            f"{everything:,.0f} µs of processor a call, {self.kernel_share:.0%} of it in the kernel (which counts "
            f"where it was called from). By process: {processes}.",
            "",
            "| Room | Self, µs a call | Share | With libraries called from it |",
            "|---|---|---|---|",
        ]
        for room, cost in dearest(self.rooms):
            wide = f"{self.with_libraries[room]:.1f}" if room in self.with_libraries else ""
            lines.append(f"| {room} | {cost:.1f} | {cost / everything:.1%} | {wide} |")
        lines += ["", "| Function | Self, µs a call | With what it calls |", "|---|---|---|"]
        for function, cost in dearest(self.functions)[:FUNCTIONS]:
            lines.append(f"| {function} | {cost:.1f} | {self.inclusive[function]:.1f} |")
        return "\n".join(lines)

    def report(self) -> dict[str, object]:
        """The same for machines."""
        tables = {name: getattr(self, name) for name in ("processes", "rooms", "with_libraries")}
        functions = dearest(self.functions)[:FUNCTIONS]
        return {
            "load": self.load,
            "samples": self.samples,
            "kernel_share": round(self.kernel_share, 3),
            **{f"{name}_us": {key: round(cost, 1) for key, cost in table.items()} for name, table in tables.items()},
            "functions_us": {name: [round(cost, 1), round(self.inclusive[name], 1)] for name, cost in functions},
        }


def dearest(costs: Costs) -> list[tuple[str, float]]:
    """The dearest first."""
    return sorted(costs.items(), key=lambda item: -item[1])


def py_spy() -> str:
    """The profiler, installed at the first use."""
    words = '. scripts/environment.sh && make_environment build/profile py-spy "$1"'
    made = subprocess.run(["bash", "-c", words, "bash", PY_SPY], cwd=ROOT, stdout=sys.stderr, check=False)
    if made.returncode:
        sys.exit(f"bench: no profiler; pip must be able to install {PY_SPY}")
    return str(ROOT / "build" / "profile" / "bin" / "py-spy")


def profile(edge: list[str], rate: int, seconds: int, kind: Kind) -> Profile:
    """Load for so long, sampled from its second second to its end."""
    spy = py_spy()
    with tempfile.TemporaryDirectory(prefix="edge-profile-") as text, ExitStack() as stack:
        folder = Path(text)
        lab = EdgeLab(folder, stack, edge, seconds + OVERTIME_S + 30)
        lab.load(100, 100, 0.0, kind)
        stacks = folder / "stacks.txt"
        command = [spy, "record", "--pid", str(lab.proxy.popen.pid), "--subprocesses", "--full-filenames", "--function"]
        command += ["--rate", str(SAMPLES_PER_S), "--format", "raw", "--output", str(stacks)]
        sampler: list[Process] = []
        later = threading.Timer(1.0, lambda: sampler.append(lab.start(stack, command, "py-spy")))
        before, ticks = _cpu_s(lab.proxy), _ticks(lab.proxy)
        later.start()
        load = lab.load(rate, rate * seconds, 0.0, kind)
        user, kernel = (now - then for now, then in zip(_ticks(lab.proxy), ticks, strict=True))
        cpu_s = {loop: now - before.get(loop, 0.0) for loop, now in _cpu_s(lab.proxy).items()}
        names = {pid: _name(pid) for pid, _ in cpu_s}
        later.join()
        # It counts samples, not seconds: on a busy machine a duration would last for longer than the calls.
        sampler[0].popen.send_signal(signal.SIGINT)
        if sampler[0].popen.wait(30) or not stacks.exists():
            sys.exit(f"bench: py-spy failed:\n{sampler[0].log.read_text(errors='replace')}")
        us_per_s = float(str(load["edge_cpu_us_per_call"])) / sum(cpu_s.values())
        costs = {loop: spent * us_per_s for loop, spent in cpu_s.items()}
        return _read(stacks.read_text(), load, kernel / max(user + kernel, 1), costs, names)


def _cpu_s(process: Process) -> dict[Loop, float]:
    """Run time so far of the first thread of each process, and of its other threads together."""
    found: dict[Loop, float] = {}
    for pid in process.pids():
        everything = process.cpu_s_of(pid)
        first = int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e9
        found |= {(pid, True): first, (pid, False): everything - first}
    return found


def _name(pid: int) -> str:
    """The module that a process runs, or its command."""
    words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return words[words.index("-m") + 1] if "-m" in words else " ".join(Path(word).name for word in words[1:3])


def _ticks(process: Process) -> tuple[int, int]:
    """Clock ticks in user and in kernel mode so far."""
    user = kernel = 0
    for pid in process.pids():
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        user, kernel = user + int(fields[11]), kernel + int(fields[12])
    return user, kernel


def _read(
    stacks: str, load: dict[str, object], kernel_share: float, costs: dict[Loop, float], names: dict[int, str]
) -> Profile:
    """Samples weighed by what their thread cost: one that waits to run is sampled like one that runs."""
    rooms, wide, functions, inclusive = (defaultdict[str, float](float) for _ in range(4))
    lines = [line.rpartition(" ") for line in stacks.splitlines()]
    counted: Counter[Loop] = Counter()
    for frames, _, count in lines:
        counted[_loop(frames)] += int(count)
    for frames, _, count in lines:
        loop = _loop(frames)
        cost = costs.get(loop, 0.0) * int(count) / counted[loop]
        named = [_place(frame) for frame in frames.split(";") if not frame.startswith("process ")]
        room, function = named[-1]
        rooms[room] += cost
        functions[function] += cost
        ours = [room for room, _ in named if room.startswith(PACKAGES)]
        if ours:
            wide[ours[-1]] += cost
        for function in {function for _, function in named}:
            inclusive[function] += cost
    processes = defaultdict[str, float](float)
    for (pid, is_first), cost in costs.items():
        processes[names[pid]] += cost
        if not counted[pid, is_first]:
            rooms["not sampled"] += cost
    return Profile(load, kernel_share, counted.total(), processes, rooms, wide, functions, inclusive)


def _loop(frames: str) -> Loop:
    """Whose stack it is: the last process it begins with; a thread that was started begins in threading."""
    return int(PROCESS.findall(frames)[-1]), "_bootstrap (" not in frames


def _place(frame: str) -> tuple[str, str]:
    """The room of a frame, and the function with its module."""
    matched = FRAME.fullmatch(frame)
    if matched is None:
        return "interpreter", frame
    function, path = matched["function"], Path(matched["path"])
    parts = path.parts
    if "site-packages" in parts:
        parts = parts[parts.index("site-packages") + 1 :]
    elif not path.is_relative_to(ROOT):
        return "standard library, event loop", f"{path.name} `{function}`"
    else:
        parts = path.relative_to(ROOT).parts
    if parts[0] not in PACKAGES:
        return f"library {parts[0]}", f"{parts[0]} `{function}`"
    # edge/sip/message.py is of edge/sip, edge/pump.py a room by itself, and limits is one.
    room = "limits" if parts[0] == "limits" else "/".join(parts[:-1] if len(parts) > 2 else parts)
    return room, f"{'/'.join(parts)} `{function}`"
