"""The deadlines of requests under way, in their order, one timer for all of them (R11). Event loop only, no I/O."""

import asyncio
from collections import deque
from collections.abc import Callable

from limits.asked import Asked


class Deadlines:
    """Of one limiter. All requests are given the same time, so that the first one asked is the first one due."""

    __slots__ = ("_deadline_s", "_loop", "_on_missed", "_on_round", "_timed", "_timer")

    def __init__(
        self, deadline_s: float, *, on_missed: Callable[[Asked], None], on_round: Callable[[float], bool]
    ) -> None:
        """`on_missed` is told of each that had no reply in time; then `on_round(now)` says whether to look again."""
        self._deadline_s = deadline_s
        self._on_missed = on_missed
        self._on_round = on_round
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timed: deque[Asked] = deque()
        self._timer: asyncio.Handle | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """The loop runs."""
        self._loop = loop

    def add(self, asked: Asked) -> None:
        """The last one asked."""
        self._timed.append(asked)

    def watch(self, now: float) -> None:
        """Something is under way."""
        if self._timer is None and self._loop is not None:
            self._timer = self._loop.call_at(now + self._deadline_s, self._due)

    def clear(self) -> None:
        """Nothing is under way any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timed.clear()

    def _due(self) -> None:
        """A loop that was held up runs its timers before it reads. Replies that are here already get their turn first:
        two rounds of the loop, since what is called soon still comes before the reading of this round."""
        assert self._loop is not None
        soon, now = self._loop.call_soon, self._loop.time()
        self._timer = soon(lambda: soon(self._end_overdue, now))

    def _end_overdue(self, now: float) -> None:
        """Everything that was overdue at `now`, and has had no reply since."""
        self._timer = None
        timed = self._timed
        over = now - self._deadline_s
        while timed and (timed[0].done or timed[0].at <= over):
            asked = timed.popleft()
            if not asked.done:
                self._on_missed(asked)
        # Telling may have led to new requests, and those may have set the timer; `watch` asks.
        if self._on_round(now) or timed:
            self.watch(timed[0].at if timed else now)
