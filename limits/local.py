"""A node's share of a holder's ceilings, for the time the store is away (R11: `local`). Pure; the clock is passed in.

The share is the ceiling divided by the nodes that were alive when the store was last heard, rounded down, but never
less than one where there is any: the sum over the nodes exceeds the ceiling by less than one for each node.
"""

from typing import Final, NamedTuple

from limits import rate

CAPACITY: Final = 100_000
"""Holders remembered; when full, all are forgotten and the values of the policy file are used."""


class Ceilings(NamedTuple):
    """Of one holder, as the store last told them."""

    caps: int
    burst: int
    calls: int


class LocalShare:
    """What this node may admit by itself."""

    __slots__ = ("_buckets", "_known")

    def __init__(self) -> None:
        self._known: dict[str, Ceilings] = {}
        self._buckets: dict[str, tuple[int, int]] = {}
        """holder -> (micro-tokens, instant of that content in ms)."""

    def note(self, holder: str, ceilings: tuple[int, int, int]) -> None:
        """The store has told the ceilings in force (`Ceilings`): nearly always what it told before."""
        if self._known.get(holder) != ceilings:
            if len(self._known) >= CAPACITY:
                self._known.clear()
            self._known[holder] = Ceilings(*ceilings)
        if self._buckets:
            self._buckets.clear()  # the store is back: the next outage begins with a full share

    def known(self, holder: str) -> Ceilings | None:
        """What the store last told; None: nothing yet."""
        return self._known.get(holder)

    def admit(self, holder: str, *, in_use: int, nodes: int, now_ms: int) -> bool:
        """May this node admit one more attempt? Takes a token if so. `in_use`: calls of the holder on this node.

        A holder the store has never told of may not: nothing is known of it."""
        known = self._known.get(holder)
        if known is None:
            return False
        caps, burst, calls = (_share(ceiling, nodes) for ceiling in known)
        tokens, at = self._buckets.get(holder, (burst * rate.MICRO, now_ms))
        tokens = rate.refilled(tokens, elapsed_ms=now_ms - at, caps=caps, burst=burst)
        if in_use >= calls or tokens < rate.MICRO or not caps:
            return False
        if len(self._buckets) >= CAPACITY:
            self._buckets.clear()
        self._buckets[holder] = (tokens - rate.MICRO, now_ms)
        return True


def _share(ceiling: int, nodes: int) -> int:
    return max(1, ceiling // max(1, nodes)) if ceiling else 0
