"""One thread for one consumer: what blocks in it holds up nobody else (I/O).

Not the event loop's own pool: a disk or a database that hangs would fill that one and stop every other consumer.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Worker:
    """Calls functions one after another, in a thread of its own."""

    __slots__ = ("_threads",)

    def __init__(self, name: str) -> None:
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def do(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The call's result, or what it raises. A cancelled caller leaves the call running; the next one waits."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: call(*args, **kwargs))

    def close(self) -> None:
        """Take no more calls; one that hangs is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
