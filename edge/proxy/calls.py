"""The calls: one table of states, one lease per call, one CDR per attempt. Pure.

The table is checked by eye against the architecture's "Call (ours; one lease)"; relaying is not its business, only what
the call holds: lease, renewals, the instants of the record.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from edge.policy.demand import hidden
from edge.proxy.actions import Opened
from edge.proxy.call import Call, CallState
from edge.proxy.facts import CallFacts, Fact
from edge.proxy.node import Node
from edge.proxy.record import of_attempt, of_call
from limits.frequency import Frequency
from limits.model import PROFESSIONAL, TRUNK, Settle

if TYPE_CHECKING:
    from edge.proxy.probes import Probes
    from edge.proxy.renewals import Renewals


class CallInput(StrEnum):
    """What may happen to a call."""

    ADMITTED = "admitted"
    """With a lease, or without one where the store is away and the account may go on, or for an emergency call."""
    DENIED = "denied"
    CANCEL = "cancel"
    ANSWER = "answer"
    FAIL = "fail"
    BYE = "bye"
    """The last dialog that nobody was leaving yet is being left."""
    BYE_REFUSED = "bye_refused"
    """The only BYE of a dialog was challenged (401, 407): the dialog lives on until it is sent again."""
    HANG_UP = "hang_up"
    LET_GO = "let_go"
    """The edge stops watching a call that it may not end (an emergency call, R16)."""
    OVER = "over"
    """No dialog is left: every BYE has its final response or its time-out."""


UNPAID: Final = (TRUNK, PROFESSIONAL)
"""Holders of whom a call asks for no money."""
RENEW_TOGETHER: Final = 128
"""Leases renewed by one verb: its work in the store is bounded."""


class Row(NamedTuple):
    """What to do, and where that leads."""

    effect: "Callable[[CallTracker, Call, float], None]"
    next: CallState


def _nothing(tracker: "CallTracker", call: Call, now: float) -> None:
    pass


def _watch(tracker: "CallTracker", call: Call, now: float) -> None:
    tracker.renewals.schedule(call, now)


def _answered(tracker: "CallTracker", call: Call, now: float) -> None:
    call.facts.answered_at = now
    if call.is_unlimited or call.facts.emergency:
        tracker.write_down(call)
    if call.paid:
        tracker.renewals.schedule(call, now)


def _released(tracker: "CallTracker", call: Call, now: float) -> None:
    call.facts.released_at = now


def _not_released(tracker: "CallTracker", call: Call, now: float) -> None:
    call.facts.released_at = None
    call.facts.release_side = ""


def _close(tracker: "CallTracker", call: Call, now: float) -> None:
    tracker.close(call, now)


S, I = CallState, CallInput  # noqa: E741 - two letters keep the table readable as a table

CALL_TABLE: Final[dict[CallState, dict[CallInput, Row]]] = {
    S.ADMITTING: {
        I.ADMITTED: Row(_watch, S.SETUP),
        I.DENIED: Row(_close, S.ENDED),
        I.CANCEL: Row(_nothing, S.ABANDONED),
    },
    S.ABANDONED: {
        I.ADMITTED: Row(_close, S.ENDED),
        I.DENIED: Row(_close, S.ENDED),
    },
    S.SETUP: {
        I.ANSWER: Row(_answered, S.ANSWERED),
        I.FAIL: Row(_close, S.ENDED),
        I.CANCEL: Row(_nothing, S.CANCELLING),
    },
    S.CANCELLING: {
        I.ANSWER: Row(_answered, S.ANSWERED),  # the answer won
        I.FAIL: Row(_close, S.ENDED),
    },
    S.ANSWERED: {
        I.ANSWER: Row(_nothing, S.ANSWERED),  # of another fork
        I.BYE: Row(_released, S.ENDING),
        I.BYE_REFUSED: Row(_nothing, S.ANSWERED),  # one dialog of several
        I.HANG_UP: Row(_released, S.TEARING_DOWN),
        I.LET_GO: Row(_close, S.ENDED),
    },
    S.ENDING: {
        I.ANSWER: Row(_not_released, S.ANSWERED),  # a late fork: somebody is still talking
        I.BYE_REFUSED: Row(_not_released, S.ANSWERED),
        I.OVER: Row(_close, S.ENDED),
    },
    S.TEARING_DOWN: {
        I.OVER: Row(_close, S.ENDED),
    },
    S.ENDED: {},
}


class CallTracker:
    """Every call this node holds, by uid."""

    __slots__ = (
        "_by_caller",
        "_by_uid",
        "_hang_up",
        "_in_use",
        "_noted",
        "absorbed",
        "fresh_holders",
        "node",
        "probes",
        "renewals",
    )

    def __init__(self, node: Node, hang_up: Callable[[Call, str, float], None]) -> None:
        """`hang_up(call, cause, now)`: ends a call nobody ends (R4)."""
        self.node = node
        self._hang_up = hang_up
        self._by_uid: dict[str, Call] = {}
        self._by_caller: dict[tuple[bytes, bytes], Call] = {}
        """By Call-ID and the caller's tag; of a call that spirals through us, its latest pass."""
        self._in_use: dict[str, int] = {}
        """Calls of each holder on this node."""
        self._noted: set[str] = set()
        self.fresh_holders: list[str] = []
        """Holders this node has had its first call of, not yet noted in the store."""
        self.absorbed = 0
        """Inputs that had no row in the call's state."""

        self.renewals: Renewals
        self.probes: Probes
        """Set by the core: they know each other."""

    def __len__(self) -> int:
        return len(self._by_uid)

    def get(self, uid: str) -> Call | None:
        """The live call of this uid."""
        return self._by_uid.get(uid)

    def of_dialog(self, call_id: bytes, tag: bytes, other_tag: bytes) -> Call | None:
        """The live call that has one of these tags as its caller's."""
        by_caller = self._by_caller
        return by_caller.get((call_id, tag)) or by_caller.get((call_id, other_tag))

    def live(self) -> tuple[Call, ...]:
        """All calls not yet ended."""
        return tuple(self._by_uid.values())

    def add(self, call: Call) -> None:
        """A new attempt."""
        self._by_uid[call.uid] = call
        self._by_caller[call.call_id, call.from_tag] = call
        self.node.counters.calls_live += 1

    def lease(self, call: Call, holder: str, paid_s: int = 0) -> None:
        """The call holds a lease, or is to have one when the store is back; and so much talk is held for it."""
        if not call.holders:
            self.node.counters.leases_live += 1
        call.holders += (holder,)
        if holder not in self._noted:
            self._noted.add(holder)
            self.fresh_holders.append(holder)
        self._in_use[holder] = self._in_use.get(holder, 0) + 1
        if call.facts.price is not None and not holder.startswith(UNPAID):
            call.paid = {**call.paid, holder: paid_s}
            call.facts.paid_s = min(call.paid.values())

    def forget_noted(self) -> None:
        """Every holder of a live call is to be noted again."""
        self._noted = {holder for call in self._by_uid.values() for holder in call.holders}
        self.fresh_holders = list(self._noted)

    def release(
        self,
        call: Call,
        holder: str,
        outcome: str = "failed",
        duration_ms: int = 0,
        *,
        marks: tuple[Frequency, ...] = (),
        returned: tuple[Frequency, ...] = (),
    ) -> None:
        """The lease goes back, with what the call leaves to be counted, and what it counted for nothing."""
        call.holders = tuple([other for other in call.holders if other != holder])
        if not call.holders:
            self.node.counters.leases_live -= 1
        left = self._in_use[holder] - 1
        if left:
            self._in_use[holder] = left
        else:
            del self._in_use[holder]
            self.renewals.forget(holder)
        if not call.is_adopted:
            price = None if holder.startswith(UNPAID) else call.facts.price
            # Not through its own constructor, which costs six times as much.
            settle: Settle = tuple.__new__(
                Settle, (holder, call.uid, outcome, duration_ms, price, False, marks, returned, "", None, 0.0)
            )
            self.node.outbox.asks.append(settle)

    def in_use(self, holder: str) -> int:
        """Calls of this holder on this node."""
        return self._in_use.get(holder, 0)

    @property
    def all_in_use(self) -> Mapping[str, int]:
        """The same of every holder that has any."""
        return self._in_use

    def holders(self) -> tuple[str, ...]:
        """Everybody this node has a call of."""
        return tuple(self._in_use)

    def record_of(self, call: Call) -> bytes:
        """What another node needs to go on with this call; empty where none is to be kept."""
        return of_call(call, self.node) if self.node.settings.keeps_records else b""

    def write_down(self, call: Call) -> None:
        """It has no lease: should this process die, the next one must find it on the disk."""
        self.node.outbox.opened.append(Opened(call.uid, call.facts.account, of_attempt(call.facts, self.node)))

    def move(self, call: Call, what: CallInput, now: float) -> bool:
        """Walk the table. False where the state has no row for this input: absorbed and counted."""
        row = CALL_TABLE[call.state].get(what)
        if row is None:
            self.absorbed += 1
            return False
        effect, call.state = row
        effect(self, call, now)
        return True

    def left(self, call: Call, side: str, q850: int, now: float, reason: bytes | None = None) -> None:
        """A dialog is being left: the call is released when that was the last one that nobody was leaving yet."""
        if call.state is CallState.ANSWERED and call.is_being_left:
            self.move(call, CallInput.BYE, now)
            call.facts.release_side = side
            call.facts.q850 = q850
            call.facts.told(reason)

    def close(self, call: Call, now: float) -> None:
        """The attempt is over: its record goes out, then its lease goes back (R14)."""
        facts = call.facts
        if facts.released_at is None:
            facts.released_at = now
        del self._by_uid[call.uid]
        if self._by_caller.get((call.call_id, call.from_tag)) is call:
            del self._by_caller[call.call_id, call.from_tag]
        self.node.counters.calls_live -= 1
        answered_at = facts.answered_at
        if answered_at is not None and facts.price is not None and facts.paid_s and not call.is_unlimited:
            # No call is charged for talk that was not paid for, whatever the delay of a timer.
            facts.released_at = min(facts.released_at, answered_at + facts.paid_s)
        digest = self.node.identifiers.number_digest
        marks = self.node.pings.marks_of(facts, self.node.snapshot.conduct.ping, digest)
        self.node.counters.ping_calls += bool(marks)
        if not call.is_adopted:
            self.node.record(facts, now)
        attempt = call.attempt
        unsent: tuple[Frequency, ...] = ()
        if facts.sent_at is None and attempt is not None and attempt.frequencies:
            unsent = tuple([hidden(one, digest) for one in attempt.frequencies])
        for holder in call.holders:
            is_own = holder == facts.account
            self.release(
                call,
                holder,
                _outcome_of(facts),
                facts.duration_ms,
                marks=marks if is_own else (),
                returned=unsent if is_own or holder.startswith(PROFESSIONAL) else (),
            )
        # References go, so that counting alone frees the call (hot path rule 9).
        call.context = None
        call.attempt = None

    def end(self, call: Call, cause: str, now: float) -> None:
        """Hang up; but an emergency call that has been answered is never cut, it is only let go (R16)."""
        if call.facts.emergency and call.state is CallState.ANSWERED:
            if cause != "no_ack":
                call.facts.end(call.facts.status, "lost", 0, "edge")
                self.tell("call.lost", call, cause=cause)
                self.move(call, CallInput.LET_GO, now)
            return
        self._hang_up(call, cause, now)

    def let_go(self, call: Call, now: float) -> None:
        """Another node has taken it over (this one was thought to be gone): no record, no settlement, no BYE."""
        call.is_adopted = True
        self.tell("call.adopted_elsewhere", call)
        if call.state is CallState.ANSWERED:
            self.move(call, CallInput.LET_GO, now)
        else:
            self._hang_up(call, "adopted", now)

    def tell(self, name: str, call: Call, **fields: str | int | float) -> None:
        """A fact about this call."""
        self.node.outbox.facts.append(Fact(name, {"call_uid": call.uid, "account": call.facts.account, **fields}))


def _outcome_of(facts: CallFacts) -> str:
    """What the limiter counts the call as (`limits.model.OUTCOMES`)."""
    if facts.answered_at is not None:
        return "answered"
    if facts.reason != "cancelled":
        return "failed"
    return "abandoned" if facts.sent_at is None else "cancelled"
