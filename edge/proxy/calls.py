"""The calls: one table of states, one lease per call, one CDR per attempt. Pure.

The table is checked by eye against the architecture's "Call (ours; one lease)"; relaying is not its business, only what
the call holds: lease, renewals, the instants of the record.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from edge.policy.attempt import CallAttempt
from edge.proxy.dialogs import MAX_DIALOGS, Dialog
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
    """The last dialog that nobody was leaving yet is being left."""
    BYE_REFUSED = "bye_refused"
    """The only BYE of a dialog was challenged (401, 407): the dialog lives on until it is sent again."""
    HANG_UP = "hang_up"
    LET_GO = "let_go"
    """The edge stops watching a call that it may not end (an emergency call, R16)."""
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


RENEW_TOGETHER = 128
"""Leases renewed by one verb: its work in the store is bounded."""


class Call:
    """One call attempt and what it becomes."""

    __slots__ = (
        "attempt",
        "call_id",
        "context",
        "cseq",
        "dialogs",
        "facts",
        "from_tag",
        "hang_up_cause",
        "inbound",
        "invite",
        "is_leased",
        "loop",
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
        self.dialogs: dict[bytes, Dialog] = {}
        self.context: ResponseContext | None = None
        """Until it is answered or has ended."""
        self.hang_up_cause = ""
        """Why the edge wants it ended while it is being set up."""

    @property
    def has_live_dialog(self) -> bool:
        """Is a confirmed dialog not yet over?"""
        return any(dialog.is_confirmed and not dialog.ended for dialog in self.dialogs.values())

    @property
    def is_being_left(self) -> bool:
        """Has every confirmed dialog a BYE on its way, or behind it?"""
        return all(not d.is_confirmed or d.leaving or d.ended for d in self.dialogs.values())

    @property
    def is_acked(self) -> bool:
        """Has the caller acknowledged an answer?"""
        return any(dialog.acked for dialog in self.dialogs.values())

    def is_own_route(self, uri: bytes) -> bool:
        """Is this Record-Route ours, from this pass of the call?"""
        return self.token in uri

    def open_dialog(self, tag: bytes) -> Dialog | None:
        """The dialog with this To tag, a new one where there is none yet; None where there are too many."""
        dialog = self.dialogs.get(tag)
        if dialog is None and len(self.dialogs) < MAX_DIALOGS:
            dialog = self.dialogs[tag] = Dialog(self.cseq)
        return dialog

    def forget_an_early_dialog(self) -> None:
        """Make room for an answer: where all places are taken, the first early dialog goes."""
        if len(self.dialogs) >= MAX_DIALOGS:
            early = [tag for tag, dialog in self.dialogs.items() if not dialog.is_confirmed]
            if early:
                del self.dialogs[early[0]]


class Row(NamedTuple):
    """What to do, and where that leads."""

    effect: "Callable[[CallTracker, Call, float], None]"
    next: CallState


def _nothing(tracker: "CallTracker", call: Call, now: float) -> None:
    pass


def _watch(tracker: "CallTracker", call: Call, now: float) -> None:
    tracker.schedule_look(call, now)


def _answered(tracker: "CallTracker", call: Call, now: float) -> None:
    call.facts.answered_at = now


def _released(tracker: "CallTracker", call: Call, now: float) -> None:
    call.facts.released_at = now


def _not_released(tracker: "CallTracker", call: Call, now: float) -> None:
    call.facts.released_at = None
    call.facts.release_side = ""


def _close(tracker: "CallTracker", call: Call, now: float) -> None:
    tracker.close(call, now)


S, I = CallState, CallInput  # noqa: E741 - two letters keep the table readable as a table

CALL_TABLE: dict[CallState, dict[CallInput, Row]] = {
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

    __slots__ = ("_by_caller", "_by_uid", "_due", "_hang_up", "absorbed", "node")

    def __init__(self, node: Node, hang_up: Callable[[Call, str, float], None]) -> None:
        """`hang_up(call, cause, now)`: ends a call nobody ends (R4)."""
        self.node = node
        self._hang_up = hang_up
        self._by_uid: dict[str, Call] = {}
        self._by_caller: dict[tuple[bytes, bytes], Call] = {}
        """By Call-ID and the caller's tag; of a call that spirals through us, its latest pass."""
        self._due: dict[str, list[str]] = {}
        self.absorbed = 0
        """Inputs that had no row in the call's state."""

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

    def lease(self, call: Call) -> None:
        """The call holds a lease, or is to have one when the store is back."""
        call.is_leased = True
        self.node.counters.leases_live += 1

    def move(self, call: Call, what: CallInput, now: float) -> bool:
        """Walk the table. False where the state has no row for this input: absorbed and counted."""
        row = CALL_TABLE[call.state].get(what)
        if row is None:
            self.absorbed += 1
            return False
        call.state = row.next
        row.effect(self, call, now)
        return True

    def left(self, call: Call, side: str, q850: int, now: float) -> None:
        """A dialog is being left: the call is released when that was the last one that nobody was leaving yet."""
        if call.state is CallState.ANSWERED and call.is_being_left:
            self.move(call, CallInput.BYE, now)
            call.facts.release_side = side
            call.facts.q850 = q850

    def close(self, call: Call, now: float) -> None:
        """The attempt is over: its record goes out, then its lease goes back (R14)."""
        facts = call.facts
        if facts.released_at is None:
            facts.released_at = now
        del self._by_uid[call.uid]
        if self._by_caller.get((call.call_id, call.from_tag)) is call:
            del self._by_caller[call.call_id, call.from_tag]
        self.node.counters.calls_live -= 1
        outbox = self.node.outbox
        outbox.ended.append(facts)
        if call.is_leased:
            call.is_leased = False
            self.node.counters.leases_live -= 1
            answered_at = facts.answered_at
            duration_ms = 0 if answered_at is None else max(0, round((facts.released_at - answered_at) * 1000))
            outbox.asks.append(Settle(facts.account, call.uid, _outcome_of(facts), duration_ms))
        # References go, so that counting alone frees the call (hot path rule 9).
        call.context = None
        call.attempt = None

    # -- looking after calls ---------------------------------------------------------------------------------------

    def schedule_look(self, call: Call, now: float) -> None:
        """Look at the call again when its lease wants renewing, or when it has lasted too long."""
        settings = self.node.settings
        at = now + settings.renew_s
        answered_at = call.facts.answered_at
        if answered_at is not None:
            for deadline in (answered_at + settings.max_duration_s, answered_at + 64 * settings.durations.t1):
                if now < deadline < at:
                    at = deadline
        self.node.timers.schedule(at, Look(self, call.uid), "R")

    def look(self, uid: str, now: float) -> None:
        """Note a lease to renew; `collect_renewals` asks once per account for all that fell due together. End what
        nobody ends."""
        call = self._by_uid.get(uid)
        if call is None:
            return
        if call.is_leased:
            self._due.setdefault(call.facts.account, []).append(uid)
        settings = self.node.settings
        answered_at = call.facts.answered_at
        if answered_at is not None and call.state is CallState.ANSWERED:
            if now >= answered_at + settings.max_duration_s:
                self.end(call, "max_duration", now)
            elif now >= answered_at + 64 * settings.durations.t1 and not call.is_acked:
                self.end(call, "no_ack", now)  # the caller has vanished: §13.3.1.4
        if call.state is not CallState.ENDED:
            self.schedule_look(call, now)

    def end(self, call: Call, cause: str, now: float) -> None:
        """Hang up; but an emergency call that has been answered is never cut, it is only let go (R16)."""
        if call.facts.emergency and call.state is CallState.ANSWERED:
            if cause != "no_ack":
                call.facts.end(call.facts.status, "lost", 0, "edge")
                self.tell("call.lost", call, cause=cause)
                self.move(call, CallInput.LET_GO, now)
            return
        self._hang_up(call, cause, now)

    def collect_renewals(self) -> None:
        """One renew per account for the calls that fell due in this wake-up and still live."""
        if not self._due:
            return
        settings = self.node.settings
        due, self._due = self._due, {}
        for account, uids in due.items():
            live = tuple([uid for uid in uids if uid in self._by_uid])
            for start in range(0, len(live), RENEW_TOGETHER):
                chunk = live[start : start + RENEW_TOGETHER]
                self.node.outbox.asks.append(Renew(account, chunk, settings.node, settings.lease_ms))

    def tell(self, name: str, call: Call, **fields: str | int | float) -> None:
        """A fact about this call."""
        self.node.outbox.facts.append(Fact(name, {"call_uid": call.uid, "account": call.facts.account, **fields}))


class Look:
    """Wakes a call; holds the uid only, so that a call that has ended is freed at once."""

    __slots__ = ("_tracker", "_uid")

    def __init__(self, tracker: CallTracker, uid: str) -> None:
        self._tracker = tracker
        self._uid = uid

    def fire(self, letter: str, now: float) -> None:
        """It is time to look."""
        self._tracker.look(self._uid, now)


def _outcome_of(facts: CallFacts) -> str:
    """What the limiter counts the call as (`limits.model.OUTCOMES`)."""
    if facts.answered_at is not None:
        return "answered"
    if facts.reason != "cancelled":
        return "failed"
    return "abandoned" if facts.sent_at is None else "cancelled"
