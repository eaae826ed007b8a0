"""The ceilings of egress trunks: a place is asked for before the INVITE goes out. Pure.

Where the trunk's CAPS are used up, an attempt may wait its turn for a short, bounded time."""

from typing import Final, Protocol

from edge.config.trunks import EgressTrunk
from edge.policy import demand
from edge.proxy.call import Call, CallState
from edge.proxy.calls import CallTracker
from edge.proxy.node import Node
from limits.model import Admit, Admitted, Denied, Limit, Settle, Unavailable

MAX_PACED: Final = 256
"""Attempts that may wait for their turn on one trunk."""


class Candidates(Protocol):
    """Who tries the trunks."""

    def locate(self, call: Call, trunk: EgressTrunk, now: float) -> None:
        """There is a place on this trunk: send the INVITE."""

    def over_ceiling(self, call: Call, trunk: EgressTrunk, now: float) -> None:
        """There is none: the next one."""


class TrunkCeilings:
    """Asks for places, keeps the queue of those that wait."""

    __slots__ = ("_calls", "_candidates", "_node", "_pacing")

    def __init__(self, node: Node, calls: CallTracker, candidates: Candidates) -> None:
        self._node = node
        self._calls = calls
        self._candidates = candidates
        self._pacing: dict[str, int] = {}
        """trunk -> attempts that wait for their turn."""

    def ask(self, call: Call, trunk: EgressTrunk) -> bool:
        """Ask for a place on this trunk; False: it has no ceilings, or none that stand before this call (R16)."""
        if not trunk.holder:
            return False
        settings = self._node.settings
        question = demand.ask_trunk(trunk, uid=call.uid, node=settings.node, lease_ms=settings.lease_ms)
        if question is None or call.facts.emergency:
            return False
        call.trunk = trunk
        self._node.outbox.asks.append(question)
        return True

    def decided(self, call: Call | None, verb: Admit, outcome: Admitted | Denied | Unavailable, now: float) -> None:
        """The limiter's answer: go on, wait for its turn, or the next one."""
        trunk = None if call is None else call.trunk
        if call is None or trunk is None or trunk.holder != verb.account or call.state is not CallState.SETUP:
            if isinstance(outcome, Admitted):
                self._node.outbox.asks.append(Settle(verb.account, verb.uid, "failed", 0))
            return
        if isinstance(outcome, Denied):
            if not self._waits(call, trunk, outcome, now):
                call.trunk = None
                call.paced_at = None
                self._calls.tell("trunk.over_ceiling", call, trunk=trunk.id, limit=outcome.limit.value)
                self._candidates.over_ceiling(call, trunk, now)
            return
        call.trunk = None
        if isinstance(outcome, Unavailable):
            call.facts.degraded = True
        self._calls.lease(call, verb.account)
        self._candidates.locate(call, trunk, now)

    def _waits(self, call: Call, trunk: EgressTrunk, denied: Denied, now: float) -> bool:
        """Will a token be there in time? Then ask again at that instant."""
        waiting = self._pacing.get(trunk.id, 0)
        wait_s = denied.retry_after_ms / 1_000
        began = call.paced_at if call.paced_at is not None else now
        if (
            denied.limit is not Limit.CAPS
            or not wait_s
            or now + wait_s > began + trunk.pacing_s
            or waiting >= MAX_PACED
        ):
            return False
        call.paced_at = began
        self._pacing[trunk.id] = waiting + 1
        self._node.timers.schedule(now + wait_s, _Turn(self, call.uid, trunk), "P")
        return True

    def turn(self, uid: str, trunk: EgressTrunk) -> None:
        """Its turn has come: ask again, unless the call has ended meanwhile."""
        left = self._pacing[trunk.id] - 1
        if left:
            self._pacing[trunk.id] = left
        else:
            del self._pacing[trunk.id]
        call = self._calls.get(uid)
        if call is not None and call.trunk is trunk and call.state is CallState.SETUP:
            self.ask(call, trunk)


class _Turn:
    """An attempt that waits for its turn on a trunk."""

    __slots__ = ("_ceilings", "_trunk", "_uid")

    def __init__(self, ceilings: TrunkCeilings, uid: str, trunk: EgressTrunk) -> None:
        self._ceilings = ceilings
        self._uid = uid
        self._trunk = trunk

    def fire(self, letter: str, now: float) -> None:
        """The trunk's bucket holds a token again."""
        self._ceilings.turn(self._uid, self._trunk)
