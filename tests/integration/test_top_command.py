"""`edge top` on a terminal of 80 by 24: what is drawn, what keys do, how it leaves; and the same for machines."""

import asyncio
import fcntl
import json
import os
import signal
import struct
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pyte
import pytest
from several import BOUND_S, Site, until

from edge.terminal import USAGE

COLUMNS, LINES = 80, 24
START_S = 4 * BOUND_S
"""An interpreter starts and reads the product in: on a busy machine that takes its time."""


class Terminal:
    """A terminal with `edge top` on it."""

    def __init__(self, process: asyncio.subprocess.Process, master: int) -> None:
        self.process = process
        self._master = master
        self.screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        asyncio.get_running_loop().add_reader(master, self._readable)

    def _readable(self) -> None:
        try:
            data = os.read(self._master, 65_536)
        except OSError:  # nobody has the other end any more
            data = b""
        if data:
            self.raw += data
            self._stream.feed(data)
        else:
            asyncio.get_running_loop().remove_reader(self._master)

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def has(self, *words: str) -> bool:
        """Is all of this on the screen?"""
        shown = "\n".join(self.screen.display)
        return all(word in shown for word in words)

    async def shows(self, *words: str) -> None:
        """Until it does."""
        try:
            await until(lambda: self.has(*words), repr(words), START_S)
        except AssertionError as error:
            raise AssertionError(f"{error}; the screen:\n" + "\n".join(self.screen.display)) from None

    async def ended(self) -> int:
        async with asyncio.timeout(START_S):
            return await self.process.wait()


@asynccontextmanager
async def terminal(site: Site, *words: str, **environment: str) -> AsyncIterator[Terminal]:
    """It is left by force where it does not leave by itself."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    before = termios.tcgetattr(slave)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "edge", "top", *words, "--redis", site.store.url),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", **environment},
        start_new_session=True,
    )
    shown = Terminal(process, master)
    try:
        yield shown
        assert termios.tcgetattr(slave) == before, "the terminal is not as it was"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        asyncio.get_running_loop().remove_reader(master)
        os.close(master)
        os.close(slave)


@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1", "PYTHONIOENCODING": "ascii"}], ids=["colour", "plain"])
async def test_a_shift_in_front_of_it(site: Site, environment: dict[str, str]) -> None:
    """Two nodes, calls and a refusal appear by themselves; keys sort, filter and pause; q leaves the terminal as it
    was. Without colour and without Unicode it says the same."""
    one, two = [await site.start(name) for name in ("n1", "n2")]
    await site.see_each_other(one, two)
    async with terminal(site, **environment) as shown:
        await shown.shows("edge top  2 of 2 nodes up", "q quit  s sort: rate")
        for _ in range(3):
            await site.parties.dial("rich", one.address)
        await site.parties.dial("dry", two.address)
        await shown.shows("calls 4", "rich", "100%", "! rich at 95 % of calls 3 of 3")
        assert "q quit" in shown.screen.display[-1]
        assert shown.has("█") == (not environment)
        rows = [line.split() for line in shown.screen.display]
        assert [row[4:6] for row in rows if row and row[0] == "rich"] == [["3", "3"]]
        assert [row[1:3] for row in rows if row and row[0] == "out"] == [["up", "4"]]
        shown.press("s")
        await shown.shows("s sort: calls")
        shown.press("/dr")
        await shown.shows("filter: dr_")
        shown.press("\r")
        await shown.shows("filter: dr (Esc clears)")
        await until(
            lambda: not any(line.startswith("rich ") for line in shown.screen.display), "rich to be filtered out"
        )
        shown.press("\x1bp")
        await shown.shows("PAUSED", "p go on")
        assert (b"\x1b[31m" in shown.raw) == (not environment)
        shown.press("q")
        assert await shown.ended() == 0


async def test_a_store_that_goes_away_is_told_on_the_screen(site: Site) -> None:
    """What stands there is old, and says so; when the store is back it goes on. Ctrl-C is an end too."""
    node = await site.start("n1")
    async with terminal(site) as shown:
        await shown.shows("1 of 1 nodes up")
        await site.store.kill()
        await shown.shows("the store does not answer", "n1")
        await site.store.start()
        await node.fact("store.recounted")
        await until(lambda: not shown.has("the store does not answer"), "the store to be seen again")
        # What Ctrl-C is to a process in front of its terminal; this one has none of its own to hear it from.
        shown.process.send_signal(signal.SIGINT)
        assert await shown.ended() == 0


async def test_for_machines_and_for_a_file(site: Site) -> None:
    """One object, one picture; without a terminal there is nothing to draw on."""
    await site.start("n1")
    outs = []
    for words in (["--once", "--json"], ["--once"], []):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "edge", "top", *words, "--redis", site.store.url),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, said = await process.communicate()
        outs.append((process.returncode, out.decode(), said.decode()))
    assert [row["name"] for row in json.loads(outs[0][1])["nodes"]] == ["n1"]
    assert (outs[1][0], "\nNODE " in outs[1][1], "q quit" in outs[1][1]) == (0, True, False)
    assert (outs[2][0], "expected a terminal" in outs[2][2]) == (USAGE, True)
