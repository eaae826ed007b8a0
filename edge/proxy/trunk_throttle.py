"""Fewer attempts for an egress trunk that answers 503, and step by step more again. Pure.

Additive increase, multiplicative decrease: what TCP does, so that several nodes that share a trunk come to share what
it can take. A trunk that never answers 503 has no limit; one that does gets a share of the rate it was sent at.
"""

from collections.abc import Mapping
from typing import Final

from edge.config.restraint import Throttle
from edge.config.trunks import EgressTrunk
from edge.proxy.actions import Outbox
from edge.proxy.facts import Fact

HOLD_S: Final = 1.0
"""One decrease in so long: the 503s of one moment speak of one overload."""
SPAN_S: Final = 1.0
"""The rate is measured over so long."""
EASED: Final = 2.0
"""Where the limit is so many times the rate at which it was first refused, it has ended."""
BURST_S: Final = 0.5
"""Attempts of so long may go at once."""


class Pace:
    """One trunk: at which rate it is sent to, and at which it may be."""

    __slots__ = ("_at", "_counted", "_decreased_at", "_peak", "_rate", "_span_at", "_tokens", "limit")

    def __init__(self) -> None:
        self.limit = 0.0
        """Attempts per second; 0: none."""
        self._rate = 0.0
        self._peak = 0.0
        self._counted = 0
        self._span_at = 0.0
        self._at = 0.0
        self._tokens = 0.0
        self._decreased_at = -HOLD_S

    def may(self, terms: Throttle, now: float) -> bool:
        """May one more go now?"""
        self._pass_time(terms, now)
        return not self.limit or self._tokens >= 1

    def sent(self, terms: Throttle, now: float) -> None:
        """One has gone, whether it might or not."""
        self._pass_time(terms, now)
        self._counted += 1
        if self.limit:
            self._tokens = max(self._tokens - 1, -self._depth())

    def refused(self, terms: Throttle, now: float) -> bool:
        """A 503. True: the limit is lower now."""
        self._pass_time(terms, now)
        if now - self._decreased_at < HOLD_S:
            return False
        self._decreased_at = now
        if not self.limit:
            self._peak = self.limit = max(terms.floor, self._rate, self._counted / SPAN_S)
            self._tokens = 0.0
        self.limit = max(terms.floor, self.limit * terms.decrease)
        self._tokens = min(self._tokens, self._depth())
        return True

    def _depth(self) -> float:
        return max(1.0, self.limit * BURST_S)

    def _pass_time(self, terms: Throttle, now: float) -> None:
        elapsed = now - self._at
        self._at = now
        if now - self._span_at >= SPAN_S:
            self._rate = self._counted / max(now - self._span_at, SPAN_S)
            self._counted, self._span_at = 0, now
        if not self.limit or elapsed <= 0:
            return
        self.limit += terms.increase * elapsed
        self._tokens = min(self._tokens + self.limit * elapsed, self._depth())
        if self.limit > EASED * self._peak:
            self.limit = 0.0


class TrunkThrottle:
    """Of every trunk that has one, as this node sees it."""

    __slots__ = ("_outbox", "_paces")

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._paces: dict[str, Pace] = {}

    def adopt(self, trunks: Mapping[str, EgressTrunk]) -> None:
        """The trunks of a new policy: those it keeps go on."""
        kept = {name: self._paces.get(name) for name, trunk in trunks.items() if trunk.throttle is not None}
        self._paces = {name: pace for name, pace in kept.items() if pace is not None}

    def may(self, trunk: EgressTrunk, now: float) -> bool:
        """May one more attempt go there now?"""
        pace = self._paces.get(trunk.id)
        if trunk.throttle is None or pace is None:
            return True
        was_limited = pace.limit > 0
        may = pace.may(trunk.throttle, now)
        if was_limited and not pace.limit:
            self._tell(trunk, 0.0)
        return may

    def sent(self, trunk: EgressTrunk, now: float) -> None:
        """One goes."""
        if trunk.throttle is not None:
            self._pace(trunk).sent(trunk.throttle, now)

    def refused(self, trunk: EgressTrunk, now: float) -> None:
        """It answered 503."""
        if trunk.throttle is not None and self._pace(trunk).refused(trunk.throttle, now):
            self._tell(trunk, self._pace(trunk).limit)

    def limits(self) -> dict[str, int]:
        """Attempts per second that each throttled trunk may be sent now."""
        return {name: max(1, round(pace.limit)) for name, pace in self._paces.items() if pace.limit}

    def _pace(self, trunk: EgressTrunk) -> Pace:
        found = self._paces.get(trunk.id)
        if found is None:
            found = self._paces[trunk.id] = Pace()
        return found

    def _tell(self, trunk: EgressTrunk, limit: float) -> None:
        fields: dict[str, str | int | float] = {"trunk": trunk.id, "attempts_per_s": round(limit, 2)}
        self._outbox.facts.append(Fact("trunk.throttled" if limit else "trunk.unthrottled", fields))
