"""`edge demo`: the whole thing on loopback in a few seconds (I/O).

Starts a real edge with an embedded store in a directory of its own, two egress trunks and callers at several loopback
addresses (the address names the ingress trunk), plays one act after the other, and compares every answer and every CDR
with what the show expects. Everything it started is stopped at the end, whatever happened.
"""

import asyncio
import ctypes
import json
import os
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.live import Live
from rich.table import Table

from edge.agents import Address, Caller, Ended, Trunk

START_S = 15.0
CDR_S = 5.0
"""Longest waits: for the edge to listen, for the last CDR to be written."""
STOP_S = 10.0
PR_SET_PDEATHSIG = 1
"""prctl(2)."""
NOT_A_TERMINAL = 120
"""Characters in a line of a table that goes to a file."""

POLICY = """
[[accounts]]
id = "acme"
caps_base = 50
calls_base = 20

[[accounts]]
id = "bursty"
caps_base = 2
caps_burst = 2
calls_base = 20

[[accounts]]
id = "small"
caps_base = 50
calls_base = 2

[[accounts]]
id = "transit"
caps_base = 50
calls_base = 20

[[accounts]]
id = "robot"
kind = "automated"
caps_base = 50
calls_base = 20

[[ingress]]
id = "acme-pbx"
sources = ["127.0.0.2"]
account = "acme"

[[ingress]]
id = "bursty-pbx"
sources = ["127.0.0.3"]
account = "bursty"

[[ingress]]
id = "small-pbx"
sources = ["127.0.0.4"]
account = "small"

[[ingress]]
id = "transit-carrier"
sources = ["127.0.0.5"]
account = "transit"
class = "international"

[[ingress]]
id = "call-robot"
sources = ["127.0.0.6"]
account = "robot"

[[egress]]
id = "trunk-a"
uri = "sip:127.0.0.1:{trunk_a};transport=udp"

[[egress]]
id = "trunk-b"
uri = "sip:127.0.0.1:{trunk_b};transport=udp"

[[routes]]
id = "everything"
prefixes = [""]
trunks = ["trunk-b"]

[[routes]]
id = "over-a-failing-trunk"
prefixes = ["+338"]
trunks = ["trunk-a", "trunk-b"]
"""

FIXED = "0123456789"
VERIFIED = "0162123456"
MOBILE = "0612345678"
CALLED = "0612345699"

PASSED = (200, 487)
"""Final answers that the edge relayed: the trunk's own words, not its."""

Outcome = Counter[tuple[int, str]]
"""How many calls ended with this status and this token of the edge."""


Play = Callable[[Caller], Awaitable[list[Ended]]]
"""What a caller does in an act."""


class Act(NamedTuple):
    """One thing to show."""

    what: str
    source: str
    play: Play
    expected: Mapping[tuple[int, str], int]
    """(status, token): how many."""


def several(
    count: int, cli: str = FIXED, called: str = CALLED, *, talk_s: float = 0.2
) -> "Callable[[Caller], Awaitable[list[Ended]]]":
    """So many calls at once."""

    async def play(caller: Caller) -> list[Ended]:
        return list(await asyncio.gather(*(caller.call(cli, called, talk_s=talk_s) for _ in range(count))))

    return play


async def _asserted(caller: Caller) -> list[Ended]:
    headers = {"P-Asserted-Identity": "<tel:+33-4-12-34-56-78>"}
    return [await caller.call("+442071838750", CALLED, headers=headers)]


async def _spelled(caller: Caller) -> list[Ended]:
    return [await caller.call(cli, CALLED) for cli in ("+33123456789", "0033223456789", "33923456789", "0523456789")]


async def _cancelled(caller: Caller) -> list[Ended]:
    return [await caller.call(FIXED, CALLED, cancel_on_ringing=True)]


ACTS = (
    Act("three calls of a customer", "127.0.0.2", several(3), {(200, ""): 3}),
    Act("five at once over 2 calls a second", "127.0.0.3", several(5), {(200, ""): 2, (503, "caps"): 3}),
    Act("four at once over 2 concurrent", "127.0.0.4", several(4, talk_s=0.5), {(200, ""): 2, (503, "calls"): 2}),
    Act("from an address nobody knows", "127.0.0.9", several(1), {(403, "unknown_source"): 1}),
    Act("from abroad, with a foreign number", "127.0.0.5", several(1, "+442071838750"), {(200, ""): 1}),
    Act("from abroad, as a French fixed line", "127.0.0.5", _spelled, {(403, "cli_refused"): 4}),
    Act("the same, only asserted (PAI)", "127.0.0.5", _asserted, {(403, "cli_refused"): 1}),
    Act("a robot with a number made for robots", "127.0.0.6", several(1, VERIFIED), {(200, ""): 1}),
    Act("a robot with a fixed number", "127.0.0.6", several(1), {(403, "cli_refused"): 1}),
    Act("a robot with a mobile number", "127.0.0.6", several(1, MOBILE), {(403, "cli_refused"): 1}),
    Act("the caller hangs up while it rings", "127.0.0.2", _cancelled, {(487, ""): 1}),
    Act("the first trunk says 503: the next", "127.0.0.2", several(1, called="0800123456"), {(200, ""): 1}),
)


def run() -> int:
    """Play the show. 0: everything went as expected."""
    console = Console() if sys.stdout.isatty() else Console(width=NOT_A_TERMINAL)
    try:
        return asyncio.run(_show(console))
    except DemoError as error:
        Console(stderr=True, markup=False, highlight=False).print(f"edge: demo: {error}")
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 1


class DemoError(Exception):
    """The show cannot be played; the text says why."""


async def _show(console: Console) -> int:
    playing = asyncio.current_task()
    assert playing is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, playing.cancel)
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edge-demo-")))
        try:
            trunk_a = await Trunk.at("127.0.0.1", failure=(503, b"Service Unavailable"))
            stack.callback(trunk_a.close)
            trunk_b = await Trunk.at("127.0.0.1", ring_s=0.2)
            stack.callback(trunk_b.close)
            policy = directory / "policy.toml"
            policy.write_text(POLICY.format(trunk_a=trunk_a.port, trunk_b=trunk_b.port))
            edge = await _start(directory, stack)
            console.print(f"an edge on udp:{edge[0]}:{edge[1]}, two trunks, and callers at 127.0.0.2 to 127.0.0.9\n")
            callers = {}
            for source in sorted({act.source for act in ACTS}):
                callers[source] = await Caller.at(source, edge)
                stack.callback(callers[source].close)
        except OSError as error:
            raise DemoError(f"this machine does not let it: {error.strerror}") from error
        is_right, statuses = await _play(console, callers)
        count = statuses.total()
        records = await _records(directory / "state" / "cdr", count)
    console.print()
    console.print(_record_table(records))
    told = Counter(str(record["outcome"]) for record in records)
    console.print(f"{len(records)} attempts, {len(records)} CDRs: " + ", ".join(f"{n} {o}" for o, n in told.items()))
    if not is_right or Counter(record["status"] for record in records) != statuses:
        raise DemoError(f"not everything went as expected ({count} attempts, {len(records)} CDRs)")
    return 0


async def _start(directory: Path, stack: AsyncExitStack) -> Address:
    """A real edge in a process of its own, stopped with the stack. Returns where it listens."""
    log = stack.enter_context((directory / "log").open("wb"))
    state = directory / "state"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "edge", "run", "--policy", str(directory / "policy.toml")),
        *("--listen", "udp:127.0.0.1:0", "--redis", "embedded", "--state", str(state), "--log", "json"),
        *("--node", "demo", "--drain-s", "1"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=log,
        env={name: value for name, value in os.environ.items() if not name.startswith("EDGE_")},
        start_new_session=True,
        preexec_fn=_die_with_parent(),
    )
    stack.push_async_callback(_stop, process)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_S):
            while line := await process.stdout.readline():
                words = line.decode().split()
                if words[:1] == ["listening"]:
                    host, _, port = words[1].removeprefix("udp:").rpartition(":")
                    return host, int(port)
    except TimeoutError:
        raise DemoError(f"the edge does not listen after {START_S:.0f} s") from None
    raise DemoError("the edge did not start: " + (directory / "log").read_text(errors="replace").strip()[-500:])


def _die_with_parent() -> Callable[[], None] | None:
    """What the edge's process does before it begins: ask the kernel for SIGTERM if the show is killed. Linux only.

    The C function is looked up before the fork; the child makes one system call."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def in_child() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)

    return in_child


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _play(console: Console, callers: Mapping[str, Caller]) -> tuple[bool, Counter[int]]:
    """Every act in order; the table grows as they go. Returns whether all was right, and how many had which status."""
    is_right = True
    statuses: Counter[int] = Counter()
    table = Table("act", "from", "admitted", "refused", "why", "", title="what the edge decides")
    with Live(table, console=console, refresh_per_second=10):
        for act in ACTS:
            ended = await act.play(callers[act.source])
            got: Outcome = Counter((call.status, "" if call.status in PASSED else call.token) for call in ended)
            as_expected = got == Counter(act.expected)
            is_right = is_right and as_expected
            statuses.update(call.status for call in ended)
            admitted = sum(number for (status, _), number in got.items() if status in PASSED)
            why = ", ".join(f"{status} {token}".strip() for status, token in sorted(got) if status != 200)
            table.add_row(
                act.what,
                act.source,
                str(admitted or ""),
                str(len(ended) - admitted or ""),
                why,
                "[green]as it should[/]" if as_expected else f"[red]expected {_told(act.expected)}[/]",
            )
    return is_right, statuses


def _told(expected: Mapping[tuple[int, str], int]) -> str:
    return ", ".join(f"{number}x {status} {token}".strip() for (status, token), number in expected.items())


async def _records(directory: Path, count: int) -> list[dict[str, object]]:
    """The CDRs, once there are as many as attempts, or when waiting longer is no use."""
    deadline = asyncio.get_running_loop().time() + CDR_S
    while True:
        records = _read(directory)
        if len(records) >= count or asyncio.get_running_loop().time() >= deadline:
            return records
        await asyncio.sleep(0.05)


def _read(directory: Path) -> list[dict[str, object]]:
    lines = [line for path in sorted(directory.glob("cdr-*.jsonl")) for line in path.read_bytes().splitlines()]
    return [json.loads(line) for line in lines]


SHOWN = {
    "seq": "seq",
    "account": "account",
    "CLI": "cli_presented",
    "called": "called",
    "outcome": "outcome",
    "reason": "reason",
    "status": "status",
    "trunk": "egress_trunk",
    "ms": "duration_ms",
}
"""Columns of the last table, and of the record."""


def _record_table(records: list[dict[str, object]]) -> Table:
    table = Table(*SHOWN, title="the CDRs")
    for record in records:
        table.add_row(*(str(record[name]) for name in SHOWN.values()))
    return table
