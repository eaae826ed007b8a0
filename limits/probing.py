"""A store that keeps missing the deadline is not asked but probed, until it answers in time. Event loop only."""

import asyncio
from collections.abc import Callable

from limits.breaker import PROBE_S, Breaker, BreakerInput


class Prober:
    """Of one limiter: its breaker, and the probes while that is open."""

    __slots__ = ("_loop", "_on_open", "_send", "_timer", "breaker")

    def __init__(self, *, send: Callable[[], bool], on_open: Callable[[], None]) -> None:
        """`send` sends a probe; False: there is no connection, whose next greeting proves the store. `on_open`: nobody
        is to wait for this store any more."""
        self.breaker = Breaker()
        self._send = send
        self._on_open = on_open
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """The loop runs."""
        self._loop = loop

    def watch(self) -> None:
        """Open: probe the store a little later."""
        if self.breaker.is_open and self._timer is None and self._loop is not None:
            self._on_open()
            self._timer = self._loop.call_later(PROBE_S, self._probe)

    def answered(self, *, is_in_time: bool) -> None:
        """A probe has its reply."""
        self.breaker.tell(BreakerInput.PROBE_ANSWERED if is_in_time else BreakerInput.PROBE_MISSED)
        self.watch()

    def _probe(self) -> None:
        self._timer = None
        if self.breaker.is_open and self._send():
            self.breaker.tell(BreakerInput.PROBE_SENT)
