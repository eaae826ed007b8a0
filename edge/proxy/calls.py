"""The calls: one table of states, one lease per call, one CDR per attempt. Pure.

The table is checked by eye against the architecture's "Call (ours; one lease)"; relaying is not its business, only what
the call holds: lease, renewals, the instants of the record.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple, Protocol

from edge.policy.attempt import CallAttempt
from edge.proxy.facts import CallFacts, Fact
from edge.proxy.node import Node
from edge.proxy.responses import ResponseContext
from limits.model import Renew, Settle


class CallInput(StrEnum):
    """What may happen to a call."""

    ADMITTED = "admitted"
    """With a lease, or without one where the store is away and the account may go on, or for an emergency call."""
    DENIED = "denied"
    CANCEL = "cancel"
    ANSWER = "answer"
    FAIL = "fail"
    BYE = "bye"
    BYE_REFUSED = "bye_refused"
    """The BYE was challenged (401, 407): the dialog lives on until it is sent again."""
    HANG_UP = "hang_up"
    OVER = "over"
    """No dialog is left: every BYE has its final response or its time-out."""


class CallState(StrEnum):
    """Where a call stands."""

    ADMITTING = "admitting"
    ABANDONED = "abandoned"
    SETUP = "setup"
    CANCELLING = "cancelling"
    ANSWERED = "answered"
    ENDING = "ending"
    TEARING_DOWN = "tearing_down"
    ENDED = "ended"


class AckWaiter(Protocol):
    """Something that must not be sent before the ACK."""

    def send_waiting(self, now: float) -> None:
        """The ACK has come."""


class Dialog:
    """One dialog of a call (a new To tag is a new dialog, RFC 3261 §12)."""

    __slots__ = (
        "acked",
        "answer",
        "cseq_egress",
        "cseq_ingress",
        "ended",
        "is_confirmed",
        "on_ack",
        "target_egress",
        "target_ingress",
    )

    def __init__(self, cseq_ingress: int) -> None:
        self.is_confirmed = False
        self.acked = False
        self.on_ack: AckWaiter | None = None
        """Who waits for the ACK before it may send (§15)."""
        self.ended = False
        self.cseq_ingress = cseq_ingress
        """Highest CSeq number seen from the caller."""
        self.cseq_egress = 0
        """Highest CSeq number seen from the callee; 0: none yet."""
        self.answer = b""
        """The 2xx as it came: what teardown needs to speak in one side's name."""
        self.target_ingress: bytes | None = None
        """Contact of the caller after a target refresh (§12.2.1.2); None: as in the INVITE."""
        self.target_egress: bytes | None = None


MAX_DIALOGS = 32
"""Dialogs kept for one call: a callee that forks further is not ours to follow."""


class Call:
    """One call attempt and what it becomes."""

    __slots__ = (
        "attempt",
        "call_id",
        "cause",
        "context",
        "cseq",
        "dialogs",
        "facts",
        "from_tag",
        "inbound",
        "invite",
        "is_leased",
        "loop",
        "outbound",
        "state",
        "token",
        "uid",
    )

    def __init__(self, uid: str, call_id: bytes, from_tag: bytes, cseq: int, facts: CallFacts, invite: bytes) -> None:
        self.uid = uid
        self.call_id = call_id
        self.from_tag = from_tag
        self.cseq = cseq
        self.facts = facts
        self.invite = invite
        """The INVITE as it came."""
        self.token = b""
        self.loop = b""
        """Loop part of our branches (RFC 5393)."""
        self.attempt: CallAttempt | None = None
        """What policy made of it, while a decision or a candidate is still open."""
        self.state = CallState.ADMITTING
        self.is_leased = False
        self.inbound = 0
        """Listener of the ingress side."""
        self.outbound = 0
        """Listener of the egress side."""
        self.dialogs: dict[bytes, Dialog] = {}
        self.context: ResponseContext | None = None
        self.cause = ""
        """How it ends: the reason of the record."""

    @property
    def has_live_dialog(self) -> bool:
        """Is a confirmed dialog not yet over?"""
        return any(dialog.is_confirmed and not dialog.ended for dialog in self.dialogs.values())

    @property
    def is_acked(self) -> bool:
        """Has the caller acknowledged an answer?"""
        return any(dialog.acked for dialog in self.dialogs.values())


class Row(NamedTuple):
    """What to do, and where that leads."""

    effect: "Callable[[CallTracker, Call, float], None]"
    next: CallState


def _nothing(tracker: "CallTracker", call: Call, now: float) -> None:
    pass


def _hold(tracker: "CallTracker", call: Call, now: float) -> None:
    tracker.schedule_renewal(call, now)


def _answered(tracker: "CallTracker", call: Call, now: float) -> None:
    if call.facts.answered_at is None:
        call.facts.answered_at = now
    call.facts.released_at = None
    call.facts.release_side = ""


def _released(tracker: "CallTracker", call: Call, now: float) -> None:
    if call.facts.released_at is None:
        call.facts.released_at = now


def _not_released(tracker: "CallTracker", call: Call, now: float) -> None:
    call.facts.released_at = None
    call.facts.release_side = ""


def _close(tracker: "CallTracker", call: Call, now: float) -> None:
    tracker.close(call, now)


S, I = CallState, CallInput  # noqa: E741 - two letters keep the table readable as a table

CALL_TABLE: dict[CallState, dict[CallInput, Row]] = {
    S.ADMITTING: {
        I.ADMITTED: Row(_hold, S.SETUP),
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
        I.ANSWER: Row(_nothing, S.ANSWERED),  # again, or another fork
        I.BYE: Row(_released, S.ENDING),
        I.HANG_UP: Row(_released, S.TEARING_DOWN),
    },
    S.ENDING: {
        I.ANSWER: Row(_answered, S.ANSWERED),  # a late fork: somebody is still talking
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

    __slots__ = ("_by_uid", "_due", "_hang_up", "absorbed", "node")

    def __init__(self, node: Node, hang_up: Callable[[Call, str, float], None]) -> None:
        """`hang_up(call, cause, now)`: ends a call nobody ends (R4)."""
        self.node = node
        self._hang_up = hang_up
        self._by_uid: dict[str, Call] = {}
        self._due: dict[str, list[str]] = {}
        self.absorbed = 0
        """Inputs that had no row in the call's state."""

    def __len__(self) -> int:
        return len(self._by_uid)

    def get(self, uid: str) -> Call | None:
        """The live call of this uid."""
        return self._by_uid.get(uid)

    def live(self) -> tuple[Call, ...]:
        """All calls not yet ended."""
        return tuple(self._by_uid.values())

    def add(self, call: Call) -> None:
        """A new attempt."""
        self._by_uid[call.uid] = call
        self.node.counters.calls_live += 1

    def move(self, call: Call, what: CallInput, now: float) -> bool:
        """Walk the table. False where the state has no row for this input: absorbed and counted."""
        row = CALL_TABLE[call.state].get(what)
        if row is None:
            self.absorbed += 1
            return False
        call.state = row.next
        row.effect(self, call, now)
        return True

    def close(self, call: Call, now: float) -> None:
        """The attempt is over: its record goes out, then its lease goes back (R14)."""
        facts = call.facts
        if facts.released_at is None:
            facts.released_at = now
        if not facts.reason:
            facts.reason = call.cause
        del self._by_uid[call.uid]
        self.node.counters.calls_live -= 1
        outbox = self.node.outbox
        outbox.ended.append(facts)
        if call.is_leased:
            call.is_leased = False
            self.node.counters.leases_live -= 1
            answered_at = facts.answered_at
            duration_ms = 0 if answered_at is None else max(0, round((facts.released_at - answered_at) * 1000))
            outcome = (
                "answered" if answered_at is not None else ("cancelled" if facts.reason == "cancelled" else "failed")
            )
            outbox.asks.append(Settle(facts.account, call.uid, outcome, duration_ms))
        # References go, so that counting alone frees the call (hot path rule 9).
        call.context = None
        call.attempt = None
        call.dialogs.clear()

    # -- renewals --------------------------------------------------------------------------------------------------

    def schedule_renewal(self, call: Call, now: float) -> None:
        """Look at the call again when its lease wants renewing, or when it has lasted too long."""
        if not call.is_leased:
            return
        settings = self.node.settings
        at = now + settings.renew_s
        if call.facts.answered_at is not None:
            at = min(at, call.facts.answered_at + settings.max_duration_s)
        self.node.timers.schedule(at, RenewalTick(self, call.uid), "R")

    def renewal_due(self, uid: str, now: float) -> None:
        """Collect the call; `collect_renewals` asks once per account for all that fell due together."""
        call = self._by_uid.get(uid)
        if call is None or not call.is_leased:
            return
        self._due.setdefault(call.facts.account, []).append(uid)
        settings = self.node.settings
        answered_at = call.facts.answered_at
        if answered_at is not None and call.state is CallState.ANSWERED:
            if now >= answered_at + settings.max_duration_s:
                self._hang_up(call, "max_duration", now)
            elif now >= answered_at + 64 * settings.durations.t1 and not call.is_acked:
                self._hang_up(call, "no_ack", now)  # the caller has vanished: §13.3.1.4
        if uid in self._by_uid:
            self.node.timers.schedule(now + settings.renew_s, RenewalTick(self, uid), "R")

    def collect_renewals(self) -> None:
        """One renew per account for the calls that fell due in this wake-up."""
        if not self._due:
            return
        settings = self.node.settings
        for account, uids in self._due.items():
            self.node.outbox.asks.append(Renew(account, tuple(uids), settings.node, settings.lease_ms))
        self._due.clear()

    def tell(self, name: str, call: Call, **fields: str | int | float) -> None:
        """A fact about this call."""
        self.node.outbox.facts.append(Fact(name, {"call_uid": call.uid, "account": call.facts.account, **fields}))


class RenewalTick:
    """Wakes a call for its renewal; holds the uid only, so that a call that has ended is freed at once."""

    __slots__ = ("_tracker", "_uid")

    def __init__(self, tracker: CallTracker, uid: str) -> None:
        self._tracker = tracker
        self._uid = uid

    def fire(self, letter: str, now: float) -> None:
        """The lease wants renewing."""
        self._tracker.renewal_due(self._uid, now)
