"""`edge top`: the edge, live in a terminal (I/O: keys in, lines out).

Reads what nodes show once a second and nothing else; what is heavy is imported when the command runs.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated

import typer

from edge.control.commands import run
from edge.terminal import Place, at_store, say, usage

if TYPE_CHECKING:
    import asyncio

    from rich.console import Console
    from rich.text import Text

    from edge.control.client import Control
    from edge.control.overview import Overview
    from edge.control.top import Wish

READ_S = 1.0


@at_store
def top(
    place: Place,
    once: Annotated[bool, typer.Option("--once", help="One picture, and end.")] = False,
    sort: Annotated[str, typer.Option(help="rate, calls, use, refused or name.", metavar="WHAT")] = "rate",
    only: Annotated[
        str, typer.Option("--filter", help="Accounts and trunks with this in their names.", metavar="TEXT")
    ] = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="The same for machines, an object a line each second.")
    ] = False,
) -> None:
    """Live: accounts by rate and use, trunks, refusals by reason, nodes. Keys: q s / p."""
    from edge.control.top import MAX_FILTER, Sort, Wish

    if sort not in list(Sort):
        usage(f"--sort: {sort!r}: expected {', '.join(Sort)}")
    wish = Wish(Sort(sort), only[:MAX_FILTER])
    is_live = not (once or as_json)
    if is_live and not (sys.stdin.isatty() and sys.stdout.isatty()):
        usage("expected a terminal; elsewhere: --once or --json")
    with suppress(KeyboardInterrupt):  # as good an end as `q`
        if is_live:
            run(place, lambda control: _live(control, wish))
        else:
            run(place, lambda control: _print(control, wish, once=once, as_json=as_json))


async def _print(control: "Control", wish: "Wish", *, once: bool, as_json: bool) -> None:
    import asyncio

    from edge.control.overview import overview
    from edge.control.questions import write
    from edge.control.top import screen

    while True:
        found = overview(await control.list_nodes())
        if as_json:
            say(write(found).decode())
        else:
            width, height = _size()
            lines = screen(found, wish, at_ms=_now_ms(), width=width, height=max(height, 40), plain=_is_plain())
            say(*[line.text for line in lines[:-1]])
        if once:
            return
        await asyncio.sleep(READ_S)


async def _live(control: "Control", wish: "Wish") -> None:
    """Until somebody has seen enough. A store that goes away is told on the screen, and waited for."""
    import asyncio

    from rich.console import Console
    from rich.live import Live

    from edge.control.overview import overview
    from limits.errors import StoreUnavailable

    console = Console(highlight=False)
    shown = overview(await control.list_nodes())
    note = ""
    at_ms = _now_ms()
    wish_now: Wish | None = wish
    keys: asyncio.Queue[str] = asyncio.Queue(maxsize=64)
    with _keys(keys), Live(console=console, screen=True, auto_refresh=False, vertical_overflow="crop") as live:
        due = 0.0
        while wish_now is not None:
            live.update(_drawn(console, shown, wish_now, at_ms, note), refresh=True)
            left = due - time.monotonic()
            if left > 0:
                try:
                    wish_now = wish_now.after(await asyncio.wait_for(keys.get(), left))
                except TimeoutError:
                    continue
                continue
            due = time.monotonic() + READ_S
            if wish_now.is_paused:
                continue
            try:
                shown, note = overview(await control.list_nodes()), ""
                at_ms = _now_ms()
            except StoreUnavailable as error:
                note = (
                    f"the store does not answer ({error}): what stands here is of {(_now_ms() - at_ms) // 1_000} s ago"
                )


def _drawn(console: "Console", found: "Overview", wish: "Wish", at_ms: int, note: str) -> "Text":
    from rich.text import Text

    from edge.control.top import Line, screen

    width, height = console.size
    # While rich draws, sys.stdout is its own and knows no encoding.
    plain = not console.encoding.lower().startswith("utf")
    *lines, keys = screen(found, wish, at_ms=at_ms, width=width, height=height, plain=plain, note=note)
    lines = [*lines, *[Line("")] * (height - len(lines) - 1), keys]
    return Text("\n", no_wrap=True).join([Text(line.text, style=line.style) for line in lines])


@contextmanager
def _keys(keys: "asyncio.Queue[str]") -> Iterator[None]:
    """Single keys as they are pressed; the terminal is as it was afterwards."""
    import asyncio
    import termios
    import tty

    stdin = sys.stdin.fileno()
    before = termios.tcgetattr(stdin)
    loop = asyncio.get_running_loop()

    def pressed() -> None:
        for key in os.read(stdin, 64).decode("utf-8", "ignore") or "q":  # the end of the input: nobody looks any more
            if not keys.full():
                keys.put_nowait(key)

    tty.setcbreak(stdin)
    loop.add_reader(stdin, pressed)
    try:
        yield
    finally:
        loop.remove_reader(stdin)
        termios.tcsetattr(stdin, termios.TCSADRAIN, before)


def _size() -> tuple[int, int]:
    import shutil

    return shutil.get_terminal_size((80, 24))


def _is_plain() -> bool:
    return not (sys.stdout.encoding or "").lower().startswith("utf")


def _now_ms() -> int:
    return int(time.time() * 1_000)
