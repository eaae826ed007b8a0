"""Deliveries that fail: how long to pause, since when they do, and when to say so. Pure.

Monotonic seconds passed in. One fact when it begins, an alarm when it lasts, one when it is over after an alarm: who
reads the log is told of a receiver that is away, not of each try.
"""

from collections.abc import Callable

from edge.cdr.delivery.consumer import REMIND_S, Bounds, pause_s
from edge.proxy.facts import Fact


class Trouble:
    """Of one consumer."""

    __slots__ = ("_alarm_at", "_bounds", "_draw", "_is_alarmed", "_name", "_since", "_tell", "in_a_row", "retry_at")

    def __init__(self, name: str, bounds: Bounds, *, tell: Callable[[Fact], None], draw: Callable[[], float]) -> None:
        """`name`: the consumer's. `draw`: chance in [0, 1)."""
        self._name = name
        self._bounds = bounds
        self._tell = tell
        self._draw = draw
        self.in_a_row = 0
        """Failures since the last delivery that worked."""
        self.retry_at = 0.0
        """Nothing is tried before."""
        self._since = 0.0
        self._alarm_at = 0.0
        self._is_alarmed = False

    def failed(self, why: str, now: float, *, asked_s: float = 0.0) -> float:
        """Count it, tell it where it is time to; returns the pause in seconds. `asked_s`: the other side's own wish."""
        self.in_a_row += 1
        if self.in_a_row == 1:
            self._since, self._alarm_at = now, now + self._bounds.alarm_s
            self._tell(Fact("delivery.failed", {"sink": self._name, "why": why}))
        pause = pause_s(self._bounds, self.in_a_row, self._draw(), asked_s=asked_s)
        self.retry_at = now + pause
        if now >= self._alarm_at:
            self._is_alarmed, self._alarm_at = True, now + REMIND_S
            self._tell(Fact("delivery.stuck", {"sink": self._name, "for_s": round(now - self._since), "why": why}))
        return pause

    def is_over(self, now: float) -> bool:
        """A delivery worked; true where the one before it had failed."""
        if not self.in_a_row:
            return False
        self.try_at_once()
        if self._is_alarmed:
            self._is_alarmed = False
            self._tell(Fact("delivery.recovered", {"sink": self._name, "for_s": round(now - self._since)}))
        return True

    def try_at_once(self) -> None:
        """The pause is over, and what has failed is not counted on."""
        self.in_a_row = 0
        self.retry_at = 0.0
