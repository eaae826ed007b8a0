"""Who waits for a limiter: for its connection, or for the moment when nothing is under way. Event loop only."""

import asyncio
import contextlib
from collections.abc import Callable


class Waiting:
    """Of one limiter."""

    __slots__ = ("_idle", "_is_idle", "up")

    def __init__(self, is_idle: Callable[[], bool]) -> None:
        self._is_idle = is_idle
        self.up = asyncio.Event()
        """Connected."""
        self._idle: asyncio.Event | None = None

    def look(self) -> None:
        """Something has come to its end."""
        if self._idle is not None and self._is_idle():
            self._idle.set()
            self._idle = None

    async def connected(self, timeout_s: float) -> bool:
        """Waits for a connection, at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self.up.wait()
        return self.up.is_set()

    async def drained(self, timeout_s: float) -> bool:
        """Waits until nothing is under way, at most so long; several may."""
        if not self._is_idle():
            idle = self._idle = self._idle or asyncio.Event()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await idle.wait()
        return self._is_idle()
