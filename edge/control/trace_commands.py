"""`edge trace`: SIP messages as they pass, as a ladder in the terminal, as JSON, and into a capture file.

Parses, calls the client, prints by `ladder`; what is heavy is imported when the command runs.
"""

import os
import shutil
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from edge.accounts.options import By
from edge.control.commands import Reason, run, who_of, why_of
from edge.terminal import Place, at_store, fail, say, usage

if TYPE_CHECKING:
    from edge.control.client import Control
    from edge.control.questions import TracedMessage, TraceEnd, TraceWanted

SLACK_S = 10.0
"""A node that has not said its last word so long after the time of the trace is waited for no more."""


@at_store
def trace(
    place: Place,
    account: Annotated[str, typer.Option(help="Calls of this account.", metavar="ACCOUNT")] = "",
    number: Annotated[str, typer.Option(help="Calls from or to this number, in any spelling.", metavar="NUMBER")] = "",
    call: Annotated[
        str, typer.Option(help="One call: its uid, the beginning of it, or its Call-ID.", metavar="UID")
    ] = "",
    source: Annotated[
        str, typer.Option(help="All that comes from or goes to this neighbour, and its calls.", metavar="IP[/BITS]")
    ] = "",
    seconds: Annotated[int, typer.Option("--for", help="So many seconds at most.", min=1, max=3_600)] = 300,
    messages: Annotated[int, typer.Option(help="So many messages of each node at most.", min=1, max=10_000)] = 1_000,
    pcap: Annotated[str, typer.Option(help="Into this file too, for tshark and the like.", metavar="FILE")] = "",
    full: Annotated[bool, typer.Option("--full", help="Each message whole.")] = False,
    reason: Reason = "",
    by: By = "",
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line; instants in UTC µs.")] = False,
) -> None:
    """SIP messages as they pass on every node, live; what is given must all be so. Ctrl-C ends it. Secrets are blotted
    out; who traces whom is kept in the journal."""
    from edge.control.questions import TraceWanted

    wanted = TraceWanted(account, number, call, source)
    if wanted == TraceWanted():
        usage("expected one of --account, --number, --call and --source")
    who, why = who_of(by), why_of(reason)
    with ExitStack() as opened:
        file = opened.enter_context(_opened(pcap)) if pcap else None
        printer = _Printer(as_json=as_json, full=full, file=file)

        async def work(control: "Control") -> bool:
            return await _follow(control, wanted, seconds, messages, who, why, printer)

        try:
            is_whole = run(place, work)
        except KeyboardInterrupt:
            is_whole = True
    if pcap:
        printer.note(f"{pcap}: {printer.count} messages")
    if not is_whole:
        raise typer.Exit(1)


async def _follow(
    control: "Control", wanted: "TraceWanted", seconds: int, messages: int, who: str, why: str, printer: "_Printer"
) -> bool:
    """Print what comes until every node has said its last word; False where one never did."""
    import asyncio

    from edge.control.questions import TraceEnd

    running = await control.trace_start(wanted, seconds=seconds, messages=messages, by=who, why=why)
    missing = f"; not on {', '.join(running.missing)}" if running.missing else ""
    printer.note(f"tracing on {', '.join(running.nodes)}{missing}, {seconds} s at most; Ctrl-C ends it")
    waiting = set(running.nodes)
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds + SLACK_S
    try:
        while waiting and loop.time() < until:
            for said in await control.trace_read(running.name):
                printer.show(said)
                if isinstance(said, TraceEnd):
                    waiting.discard(said.node)
    finally:
        if waiting:
            await control.trace_stop(running.name, by=who, why="the trace's reader went")
    if waiting:
        printer.note(f"no last word from {', '.join(sorted(waiting))}")
    return not waiting


class _Printer:
    """What the terminal and the file get."""

    def __init__(self, *, as_json: bool, full: bool, file: BinaryIO | None) -> None:
        from edge.control.ladder import Ladder

        self._as_json = as_json
        self._full = full
        self._file = file
        is_plain = not (sys.stdout.encoding or "").lower().startswith("utf")
        self._ladder: Ladder = Ladder(width=shutil.get_terminal_size((80, 24)).columns, plain=is_plain)
        self.count = 0

    def show(self, said: "TracedMessage | TraceEnd") -> None:
        """One message, or a node's last word."""
        from edge.control.ladder import end_line
        from edge.control.pcap import packet
        from edge.control.questions import TracedMessage, write

        if isinstance(said, TracedMessage):
            self.count += 1
            if self._file is not None:
                self._file.write(packet(said))
                self._file.flush()
        if self._as_json:
            say(write(said).decode())
        elif isinstance(said, TracedMessage):
            say(*self._ladder.lines(said))
            if self._full:
                say(*[f"    {line}" for line in _printable(said)], "")
        else:
            self.note(end_line(said))

    def note(self, text: str) -> None:
        """Beside what was asked for: on stderr."""
        typer.echo(f"edge: {text}", err=True)


def _printable(message: "TracedMessage") -> list[str]:
    lines = message.data.decode("utf-8", "replace").splitlines()
    return ["".join([char if char.isprintable() or char == "\t" else "?" for char in line]) for line in lines]


def _opened(path: str) -> BinaryIO:
    from edge.control.pcap import HEADER

    try:
        # Who traces may read the file; nobody else: there are numbers of people in it.
        file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
        file.write(HEADER)
        file.flush()
    except OSError as error:
        fail(f"cannot write {path}: {error.strerror}")
    return file
