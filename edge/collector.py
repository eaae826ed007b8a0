"""When Python looks for cycles among what has stayed (I/O: `gc`). Hot path rule 9.

Calls free themselves by counting: the collector finds next to nothing, and stops the event loop for as long as it goes
through all that is there, 0.75 s with the transactions of 64,000 calls. Left to itself it does so each time enough has
come, which is under load. Here it does when a stop of that size has become worth it: small ones often, large ones
after hours, so that the night of a busy edge has it and not its noon.
"""

import asyncio
import gc
from collections.abc import Callable
from typing import Final

YOUNG: Final = 1_000
"""How many more objects there are when the young ones are looked at, of which next to all are gone by then. Those are
few at a time, and still in the caches: 50,000 of them stop the loop for 40 to 60 ms, 1,000 for less than one."""
NEVER: Final = 1 << 30
"""Older ones by themselves."""
LOOK_S: Final = 10.0
REST_S: Final = 60.0
"""Two looks for cycles are at least so far apart."""
TIMERS_PER_S: Final = 7
"""Each second since the last one pays for the objects of so many timers: an edge at rest is gone through each minute,
one with 2,000 timers (some 8 ms) every five, one with 200,000 every eight hours."""


def is_worth(timers: int, age_s: float) -> bool:
    """May all that has stayed be gone through now? `timers`: of this process; `age_s`: since it was done last."""
    return age_s >= REST_S and timers <= TIMERS_PER_S * age_s


class Collector:
    """Of one process. The owner calls `start` when all is loaded, and runs `run` beside the event loop's other
    tasks."""

    __slots__ = ("_collect", "_done_at", "_now", "_timers")

    def __init__(
        self, timers: Callable[[], int], now: Callable[[], float], collect: Callable[[], object] = gc.collect
    ) -> None:
        self._timers = timers
        self._now = now
        self._collect = collect
        self._done_at = now()

    def start(self) -> None:
        """What is here stays, and is never gone through again."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(YOUNG, NEVER, NEVER)
        self._done_at = self._now()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.look()

    def look(self) -> None:
        """Once."""
        now = self._now()
        if is_worth(self._timers(), now - self._done_at):
            self._collect()
            self._done_at = self._now()
