"""A process of ours beside the calls: started, told its orders, started again when it dies, ended in order (I/O).

Imports asyncio and the standard library. The child reads one line of JSON, its orders, from standard input, and ends
when that closes: because the edge has stopped, or has died. Signals to the process group are not for it.
"""

import asyncio
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from edge.proxy.facts import Fact

RESTART_S = 1.0
RESTART_MOST_S = 60.0
_PR_SET_PDEATHSIG = 1
LOOK_S = 1.0
STARVED_S = 5.0
SETTLED_S = 60.0
"""A process that lived so long starts again without a growing pause."""


class Child:
    """One process, kept running."""

    def __init__(
        self,
        module: str,
        *,
        died: str,
        finish_s: float,
        tell: Callable[[Fact], None],
        speaks: bool = False,
        meant: int = 0,
    ) -> None:
        """`died`: the fact that tells its end. `finish_s`: time it has to end by itself. `speaks`: what it prints is
        for whoever reads the edge's own standard output. `meant`: an exit code other than 0 with which it makes room
        for the next one, having said why."""
        self._module = module
        self._died = died
        self._meant = exit_word(meant) if meant else ""
        self._finish_s = finish_s
        self._tell = tell
        self._stdout = None if speaks else asyncio.subprocess.DEVNULL
        self._process: asyncio.subprocess.Process | None = None
        self._starting: asyncio.Future[asyncio.subprocess.Process] | None = None
        self.restarts = 0
        """Times it had to be started again."""

    @property
    def is_up(self) -> bool:
        """It runs."""
        return self._process is not None and self._process.returncode is None

    async def run(self, orders: Callable[[str], str]) -> None:
        """Until cancelled: keep one running. `orders(why)`: one line for it; why the one before has ended, empty: it is
        the first."""
        pause = RESTART_S
        why = ""
        while True:
            begun = time.monotonic()
            why = await self._once(orders(why).encode() + b"\n")
            self.restarts += 1
            pause = RESTART_S if time.monotonic() - begun > SETTLED_S else min(pause * 2, RESTART_MOST_S)
            if why != self._meant:
                self._tell(Fact(self._died, {"why": why, "restart_s": pause}))
            await asyncio.sleep(pause)

    async def stop(self) -> None:
        """Let it end; what hangs is left behind, and ends by itself."""
        if self._starting is not None:
            try:
                self._process = await self._starting
            except OSError:
                return  # `run` says so, or the edge has ended before it could
        process = self._process
        if process is None or process.returncode is not None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(self._finish_s + 3):
                await process.wait()
        except TimeoutError:
            self._tell(Fact(self._died, {"why": "does not stop", "restart_s": 0}))

    async def _once(self, orders: bytes) -> str:
        # An edge that is stopped in this very moment must not wait for a child that nobody has told to end: the start
        # is never cancelled, `stop` takes it up.
        self._starting = asyncio.ensure_future(
            asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                self._module,
                stdin=asyncio.subprocess.PIPE,
                stdout=self._stdout,
                # Its own group: Ctrl-C in a terminal is for the edge. Not its own session, which the kernel would treat
                # as an equal of the edge's (sched_autogroup, sched(7)), however far back it stands inside.
                preexec_fn=os.setpgrp,
            )
        )
        try:
            process = await asyncio.shield(self._starting)
        except OSError as error:
            self._starting = None
            return f"cannot be started: {error.strerror}"
        self._process, self._starting = process, None
        assert process.stdin is not None
        try:
            process.stdin.write(orders)
            await process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            pass  # died at once: its exit code says so
        code = await process.wait()
        return exit_word(code)


def give_way() -> None:
    """Every thread of the process; those that they start do too."""
    for thread in Path("/proc/self/task").iterdir():
        with suppress(OSError):
            os.sched_setscheduler(int(thread.name), os.SCHED_IDLE, os.sched_param(0))


def exit_word(code: int) -> str:
    """How a process ended, as it is told."""
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def take_second_place(niceness: int, *, gives_way: bool = False) -> None:
    """In the child: calls come first where there is one processor for both, by so much (nice(2), 1 to 19).

    Nor does it take a processor from one that has just begun to work (SCHED_BATCH). `gives_way`: it has a processor
    only while nobody else wants it, and leaves it at once (SCHED_IDLE); see `starved`. All of it counts among the
    processes of one session or control group, so a child stays in the edge's. A sandbox may forbid each of these."""
    os.nice(niceness)
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    if gives_way:
        give_way()
        end_with_parent()


def end_with_parent() -> None:
    """In the child: SIGKILL as soon as the edge is dead (prctl(2)). Who gives way to everybody may have no processor to
    notice it by itself for as long as the machine is busy, and would keep its locks from the next one."""
    with suppress(OSError, AttributeError):  # no Linux
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


async def starved() -> None:
    """In the child: until it has waited for a processor more than it worked, for `STARVED_S`. There is no way back from
    SCHED_IDLE without a privilege, so whoever gives way must end, to be started with a better place."""
    since, waited = time.monotonic(), waited_s()
    while True:
        await asyncio.sleep(LOOK_S)
        now, waited_now = time.monotonic(), waited_s()
        if waited_now - waited < (now - since) / 2:
            since, waited = now, waited_now
        elif now - since >= STARVED_S:
            return


def waited_s() -> float:
    """Seconds that this thread was ready to run and had no processor; 0.0 where the kernel does not count them."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


async def end_of_input() -> None:
    """In the child: until nobody holds the other end of standard input."""
    loop = asyncio.get_running_loop()
    closed = loop.create_future()
    fd = sys.stdin.fileno()

    def look() -> None:
        try:
            is_over = not os.read(fd, 4096)
        except BlockingIOError:
            return
        except OSError:
            is_over = True
        if is_over and not closed.done():
            loop.remove_reader(fd)
            closed.set_result(None)

    os.set_blocking(fd, False)
    loop.add_reader(fd, look)
    await closed
