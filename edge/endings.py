"""How background tasks and the last calls come to their end (I/O: the event loop)."""

import asyncio
from collections.abc import Iterable

from edge.pump import Pump

AGAIN_S = 0.1
"""A task that has not ended is cancelled again so often."""


async def end_all(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel them until each has ended.

    Once is not enough: `asyncio.wait_for` of Python 3.11 (the Redis client calls it for every command) swallows a
    cancellation that comes in the moment in which it has what it waited for, and the task goes on for ever."""
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=AGAIN_S)


async def until_idle(pump: Pump, timeout_s: float, hurry: asyncio.Event | None) -> None:
    """Wait until there is nothing to be done any more, at most so long, or until somebody is in a hurry."""
    waits = [asyncio.ensure_future(pump.idle.wait())]
    if hurry is not None:
        waits.append(asyncio.ensure_future(hurry.wait()))
    pump.idle.clear()
    pump.turn()
    await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
