"""How background tasks are ended (I/O: the event loop)."""

import asyncio
from collections.abc import Iterable

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
