"""Attempts that have their record: the same INVITE, when it comes again, is told the same again and gets no second one.
Pure.

A transaction remembers its final response only as long as RFC 3261 §17.2.1 asks, and no longer than its process lives;
a caller that has heard nothing repeats its INVITE for 64·T1. The uid is a digest of the INVITE, so it is the same call.
"""

from collections import deque
from typing import Final

KEPT_S: Final = 40.0
"""64·T1, and the time a process takes to come back."""
MOST: Final = 200_000


class Ended:
    """Of one node; what the process before it wrote is told to it at the start."""

    __slots__ = ("_order", "_statuses")

    def __init__(self) -> None:
        self._statuses: dict[str, int] = {}
        self._order: deque[tuple[float, str]] = deque()

    def note(self, uid: str, status: int, at: float) -> None:
        """This attempt ended at `at` (monotonic seconds, rising) with this status; 0: nobody was told any."""
        order = self._order
        if uid not in self._statuses:
            order.append((at, uid))
        self._statuses[uid] = status
        while order and (order[0][0] < at - KEPT_S or len(order) > MOST):
            self._statuses.pop(order.popleft()[1], None)

    def is_elsewhere(self, uid: str) -> None:
        """The record of this attempt is another one than ours, which is void."""
        self._statuses.pop(uid, None)

    def status_of(self, uid: str) -> int | None:
        """The status its record has; None: it has none that we know of."""
        return self._statuses.get(uid)

    def __len__(self) -> int:
        return len(self._statuses)
