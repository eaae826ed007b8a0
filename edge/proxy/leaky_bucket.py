"""The leaky bucket of RFC 7415 §3.5, with priorities (§3.5.2): no more than a rate, the important ones last to be
refused. Pure.

Its content is in seconds and leaks one second a second; each request that passes adds T = 1 / rate. A request passes
while the content is at or under the tolerance of its priority: the smaller tolerances are reached first.
"""


class LeakyBucket:
    """One bucket."""

    __slots__ = ("content_s", "increment_s", "since")

    def __init__(self, rate: float, now: float, *, content_s: float = 0.0) -> None:
        """`rate` a second, over 0. `content_s`: TAU0."""
        self.content_s = content_s
        """X of §3.5.1, as it was at `since` (LCT)."""
        self.since = now
        self.increment_s = 1.0 / rate

    def pace(self, rate: float) -> None:
        """Another rate from now on."""
        self.increment_s = 1.0 / rate

    def passes(self, now: float, tolerance_s: float) -> bool:
        """May one more pass? Then it has been counted."""
        left = self.content_s - (now - self.since)
        if left > tolerance_s:
            return False
        self._add(left, now)
        return True

    def force(self, now: float, most_s: float) -> None:
        """One that passes whatever the content is; it counts, up to `most_s`, so that the others make room for it."""
        self._add(min(self.content_s - (now - self.since), most_s), now)

    def _add(self, left: float, now: float) -> None:
        self.content_s = max(0.0, left) + self.increment_s
        self.since = now
