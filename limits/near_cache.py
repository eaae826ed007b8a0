"""Holders known to be over their CAPS: their attempts are refused without asking the store (limits.md section 6). Pure.

Only a refusal that is certain is kept: until the bucket's own refill instant, and never longer than NEAR_MS, so that a
raise whose notice is lost is in force all the same. The other refusals spend a token or may end at any moment: the
store is asked.
"""

from typing import Final

from limits.model import Denied, Limit

NEAR_MS: Final = 100
CAPACITY: Final = 10_000
"""Holders kept; when full, all are forgotten (each lives 100 ms at most)."""


class NearCache:
    """Refusals that are still certain."""

    __slots__ = ("_refused", "hits")

    def __init__(self) -> None:
        self._refused: dict[str, tuple[float, Denied, float]] = {}
        """holder -> (until, the answer, instant of the answer), in seconds of the caller's clock."""
        self.hits = 0

    def note(self, holder: str, denied: Denied, now: float) -> None:
        """The store refused this holder just now."""
        if denied.limit is not Limit.CAPS or denied.retry_after_ms <= 0:
            return
        if len(self._refused) >= CAPACITY:
            self._refused.clear()
        # One millisecond less: the store's instant was somewhere inside its millisecond.
        self._refused[holder] = (now + (min(NEAR_MS, denied.retry_after_ms) - 1) / 1_000, denied, now)

    def find(self, holder: str, now: float) -> Denied | None:
        """The refusal that is still certain, with what is left of its wait."""
        found = self._refused.get(holder)
        if found is None:
            return None
        until, denied, at = found
        if now >= until:
            del self._refused[holder]
            return None
        self.hits += 1
        return denied._replace(retry_after_ms=max(1, denied.retry_after_ms - round((now - at) * 1_000)))

    def forget(self, holder: str) -> None:
        """Its values were changed; an empty name: anybody's may have been."""
        if holder:
            self._refused.pop(holder, None)
        else:
            self._refused.clear()
