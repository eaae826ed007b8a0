"""Which nodes have been silent too long. Pure: time is passed in.

A node is gone when its heartbeats have been missing for `takeover_s`. What keeps this node from its own (a store that
fails over, a network that was cut, a host that slept) keeps the others from theirs, and they may come back a little
later: so whoever has missed beats gives everybody the whole time again before it judges.
"""

from collections.abc import Mapping

BEAT_S = 1.0
MISSED = 2.5
"""Beats: a longer pause between two of ours is no chance of the scheduler."""


class Silence:
    """As one node hears it."""

    __slots__ = ("_listening_since", "_pause_s", "_takeover_s", "beaten_at")

    def __init__(self, takeover_s: float, now: float) -> None:
        self._takeover_s = takeover_s
        self._pause_s = min(MISSED * BEAT_S, takeover_s - 1.5 * BEAT_S)
        self.beaten_at = self._listening_since = now
        """When our last heartbeat reached the store."""

    def beaten(self, now: float) -> None:
        """Our own heartbeat has reached the store."""
        before, self.beaten_at = self.beaten_at, now
        if now - before > self._pause_s:
            self._listening_since = now

    def live(self, ages_ms: Mapping[str, int]) -> frozenset[str]:
        """Those of these nodes that are not gone. `ages_ms`: since the last beat of each, by the store's clock."""
        if self.beaten_at - self._listening_since < self._takeover_s:
            return frozenset(ages_ms)
        return frozenset(name for name, age in ages_ms.items() if age < self._takeover_s * 1_000)
