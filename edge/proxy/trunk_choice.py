"""Which of a call's candidates may be tried now, and in which order. Pure.

Each check is a question of its own, `may this trunk be tried now?`, that answers with the reason for no. Where every
candidate is passed over, all are tried in their order all the same: a wrong judgement must not stop calls that might
pass.
"""

from edge.config.trunks import EgressTrunk
from edge.proxy.call import Call
from edge.proxy.facts import Fact
from edge.proxy.node import Node

UNREGISTERED = "unregistered"


class TrunkChoice:
    """Of one core."""

    __slots__ = ("_node",)

    def __init__(self, node: Node) -> None:
        self._node = node

    def choose(self, call: Call, now: float) -> None:
        """The candidates of this call that are left, in the order to try them."""
        attempt = call.attempt
        if attempt is None:
            return
        wanted = attempt.candidates
        attempt.candidates = self._node.trunks.choose(wanted, now, self._why_not)
        if len(attempt.candidates) < len(wanted):
            self._tell(call, wanted, now)

    def _why_not(self, trunk: EgressTrunk, now: float) -> str:
        """What speaks against this trunk besides its own answers; empty: nothing."""
        if self._node.registrations.bars(trunk, now):
            return UNREGISTERED
        return ""

    def _tell(self, call: Call, wanted: list[EgressTrunk], now: float) -> None:
        assert call.attempt is not None
        skipped = self._node.counters.trunks_skipped
        for trunk in wanted:
            if trunk not in call.attempt.candidates:
                why = self._node.trunks.passed_over(trunk, now) or self._why_not(trunk, now)
                skipped[trunk.id] = skipped.get(trunk.id, 0) + 1
                words: dict[str, str | int | float] = {"call_uid": call.uid, "trunk": trunk.id, "why": why}
                self._node.outbox.facts.append(Fact("trunk.skipped", words))
