"""Which of a call's candidates may be tried now, and in which order. Pure.

Each check is a question of its own, `may this trunk be tried now?`, that answers with the reason for no. Two kinds:

- A trunk that is drained, or throttled, is not tried (an emergency call tries it where nothing else is left, R16).
- Where every other one is passed over for what is thought of it (its health, its ASR, no registration, maintenance),
  all of them are tried in their order all the same: a wrong judgement must not stop calls that might pass.
"""

from typing import Final

from edge.config.trunk_orders import Ordered
from edge.config.trunks import EgressTrunk
from edge.policy.attempt import CallAttempt
from edge.policy.verdicts import Reason
from edge.proxy.call import Call
from edge.proxy.facts import Fact
from edge.proxy.node import Node
from edge.proxy.trunk_health import Health

DRAINED: Final = "drained"
THROTTLED: Final = "throttled"
MAINTENANCE: Final = "maintenance"
UNREGISTERED: Final = "unregistered"


class TrunkChoice:
    """Of one core."""

    __slots__ = ("_node",)

    def __init__(self, node: Node) -> None:
        self._node = node

    def choose(self, call: Call, now: float) -> Reason:
        """The candidates that are left, in the order to try them. Returns the reason for a refusal where none is."""
        attempt = call.attempt
        if attempt is None or not attempt.candidates:
            return Reason.NO_ROUTE
        wanted = attempt.candidates
        if len(wanted) == 1 and self._is_beyond_doubt(wanted[0]):
            return Reason.NO_ROUTE  # which nobody asks for: there is one, and it is the one to try
        return self.weigh(call, attempt, wanted, now)

    def weigh(self, call: Call, attempt: CallAttempt, wanted: list[EgressTrunk], now: float) -> Reason:
        """The same, whatever they are."""
        allowed = [trunk for trunk in wanted if not self._bars(trunk, now)]
        if not allowed:
            if not attempt.emergency:
                attempt.candidates = []
                self._tell(call, wanted, now)
                is_drained = all(self._bars(trunk, now) == DRAINED for trunk in wanted)
                return Reason.TRUNKS_DRAINED if is_drained else Reason.TRUNK_CEILINGS
            allowed = wanted
        attempt.candidates = self._node.trunks.choose(self._ordered(call, allowed, now), now, self._why_not)
        self._keep_degraded(call, allowed, now)
        if len(attempt.candidates) < len(wanted):
            self._tell(call, wanted, now)
        return Reason.NO_ROUTE

    def sent(self, trunk: EgressTrunk, now: float) -> None:
        """An attempt goes to this trunk."""
        if trunk.throttle is not None:
            self._node.throttle.sent(trunk, now)
        if trunk.guard is not None:
            self._node.quality.sent(trunk)

    def _is_beyond_doubt(self, trunk: EgressTrunk) -> bool:
        """Neither ordered, throttled, guarded nor thought ill of: alone, it is tried whatever else is found."""
        node = self._node
        return (
            trunk.throttle is None
            and trunk.guard is None
            and trunk.id not in node.orders
            and node.trunks.health(trunk) is Health.UP
        )

    def _ordered(self, call: Call, trunks: list[EgressTrunk], now: float) -> list[EgressTrunk]:
        """By quality, where the route says so; those that are equal as they stand."""
        attempt = call.attempt
        found = None if attempt is None else self._node.snapshot.routes_by_id.get(attempt.route)
        if found is None or not found.by_quality:
            return trunks
        return sorted(trunks, key=lambda trunk: self._node.quality.rank(trunk, now))

    def _keep_degraded(self, call: Call, allowed: list[EgressTrunk], now: float) -> None:
        """A trunk whose guard only degrades it is tried after all others."""
        attempt = call.attempt
        assert attempt is not None
        for trunk in allowed:
            guard = trunk.guard
            if guard is None or guard.skips or trunk in attempt.candidates:
                continue
            if not self._node.trunks.passed_over(trunk, now) and self._why_not(trunk, now) == "asr":
                attempt.candidates.append(trunk)

    def _bars(self, trunk: EgressTrunk, now: float) -> str:
        """What keeps a call from this trunk in any case; empty: nothing."""
        order = self._node.orders.get(trunk.id)
        if order is not None and order.ordered is Ordered.DRAIN:
            return DRAINED
        return "" if self._node.throttle.may(trunk, now) else THROTTLED

    def _why_not(self, trunk: EgressTrunk, now: float) -> str:
        """What is thought of this trunk besides its own answers; empty: nothing against it."""
        order = self._node.orders.get(trunk.id)
        if order is not None and order.ordered is Ordered.MAINTENANCE:
            return MAINTENANCE
        if self._node.registrations.bars(trunk, now):
            return UNREGISTERED
        return self._node.quality.why_not(trunk, now)

    def _tell(self, call: Call, wanted: list[EgressTrunk], now: float) -> None:
        assert call.attempt is not None
        node = self._node
        for trunk in wanted:
            if trunk not in call.attempt.candidates:
                why = self._bars(trunk, now) or node.trunks.passed_over(trunk, now) or self._why_not(trunk, now)
                skipped = node.counters.trunks_skipped
                skipped[trunk.id] = skipped.get(trunk.id, 0) + 1
                words: dict[str, str | int | float] = {"call_uid": call.uid, "trunk": trunk.id, "why": why}
                node.outbox.facts.append(Fact("trunk.skipped", words))
