"""Looking after the calls that run: leases renewed, talk paid for, ends that nobody else brings about (R4, R8). Pure.

A call is looked at every `renew_s`, and where it has a price again shortly before the talk that is paid for ends. The
talk is counted from the answer by this node's clock alone: no two clocks are compared.
"""

from typing import TYPE_CHECKING, Final

from edge.proxy.call import Call, CallState
from edge.proxy.calls import RENEW_TOGETHER
from limits.model import Answer, Outcome, Renew, Renewed
from limits.rates import Price

if TYPE_CHECKING:
    from edge.proxy.calls import CallTracker

LAST_LOOKS_S: Final = (3.0, 0.6)
"""Before the paid talk ends: another try to have it extended, should money have come meanwhile."""

HELD_UP_S: Final = 1.0
"""A look that comes so late: this process stood still. Others may have its calls by now: it asks before it ends one."""
ASK_FIRST_S: Final = 0.5
"""How long it waits for the answer then."""

_SPEND: Final = frozenset({"spend_hour", "spend_day", "guard"})


class Renewals:
    """Of one tracker."""

    __slots__ = ("_due", "_tracker", "_turns")

    def __init__(self, tracker: "CallTracker") -> None:
        self._tracker = tracker
        self._due: dict[str, list[str]] = {}
        """holder -> uids to renew at the end of this wake-up."""
        self._turns: dict[str, tuple[float, int]] = {}
        """account -> the instant at which the next of its calls are renewed together, and how many those are."""

    # -- looks -----------------------------------------------------------------------------------------------------

    def schedule(self, call: Call, now: float) -> None:
        """Look at the call again when something of it is due."""
        settings = self._tracker.node.settings
        at = self._turn(call, now, settings.renew_s)
        facts = call.facts
        answered_at = facts.answered_at
        if answered_at is not None:
            deadlines = [answered_at + settings.max_duration_s]
            if not call.is_acked:
                deadlines.append(answered_at + 64 * settings.durations.t1)
            expires_at = call.session_expires_at
            if expires_at is not None:
                deadlines.append(expires_at)
            if settings.probe_s:
                deadlines += [dialog.probed_at + settings.probe_s for dialog in call.dialogs.values()]
            if facts.price is not None and facts.paid_s:
                end = answered_at + facts.paid_s
                deadlines += (end, end - LAST_LOOKS_S[0], end - LAST_LOOKS_S[1])
            for deadline in deadlines:
                if now < deadline < at:
                    at = deadline
        self._look_at(call, at)

    def _turn(self, call: Call, now: float, renew_s: float) -> float:
        """When the call is renewed next: with others of its account, so that one verb serves them all. No later than it
        would be alone, and not before half of that time; no more at one instant than one verb takes, so that the calls
        of a large account stay spread over the interval."""
        if not call.holders:
            return now + renew_s
        account = call.holders[0]
        at, together = self._turns.get(account, (0.0, 0))
        if together >= RENEW_TOGETHER or at < now + renew_s / 2:
            at, together = now + renew_s, 0
        self._turns[account] = (at, together + 1)
        return at

    def forget(self, holder: str) -> None:
        """It has no call any more."""
        self._turns.pop(holder, None)

    def _look_at(self, call: Call, at: float) -> None:
        look = call.look = Look(self, call.uid, at)
        self._tracker.node.timers.schedule(at, look, "R")

    def look(self, look: "Look", uid: str, now: float) -> None:
        """Note leases to renew; end what nobody ends."""
        call = self._tracker.get(uid)
        if call is None or call.look is not look:
            return  # it has ended, or another look was set since
        self._note(call)
        if now - look.at > HELD_UP_S:
            self._look_at(call, now + ASK_FIRST_S)
            return
        settings = self._tracker.node.settings
        answered_at = call.facts.answered_at
        if answered_at is not None and call.state is CallState.ANSWERED:
            if now >= answered_at + settings.max_duration_s:
                self._tracker.end(call, "max_duration", now)
            elif (call.session_expires_at or now + 1) <= now:
                self._tracker.end(call, "session_expired", now)
            elif now >= answered_at + 64 * settings.durations.t1 and not call.is_acked:
                self._tracker.end(call, "no_ack", now)  # the caller has vanished: §13.3.1.4
            elif self._is_unpaid(call, now):
                self._cut(call, now)
            elif settings.probe_s:
                self._tracker.probes.look(call, now)
        if call.state is not CallState.ENDED:
            self.schedule(call, now)

    @staticmethod
    def _is_unpaid(call: Call, now: float) -> bool:
        """Has the paid talk ended?"""
        facts = call.facts
        if facts.price is None or facts.answered_at is None or call.is_unlimited:
            return False
        return now >= facts.answered_at + facts.paid_s

    def _cut(self, call: Call, now: float) -> None:
        """No more talk is paid for. Only a store that is away may be the account's own risk."""
        if not call.dry and call.store_away != "refuse":
            call.is_unlimited = True
            call.facts.degraded = True
            return
        cause = "store_away" if not call.dry else "spend_cap" if call.dry in _SPEND else "credit"
        self._tracker.end(call, cause, now)

    def changed(self, holder: str, now: float) -> None:
        """The values of this holder were changed, or money has come: its calls are renewed at once. Empty: everybody's
        may have been."""
        for call in self._tracker.live():
            if not holder or holder in call.holders:
                self._note(call)
        self.collect(now)

    def _note(self, call: Call) -> None:
        for holder in call.holders:
            self._due.setdefault(holder, []).append(call.uid)

    def collect(self, now: float) -> None:
        """One renew for each holder, for the calls that fell due in this wake-up and still live."""
        if not self._due:
            return
        tracker = self._tracker
        settings = tracker.node.settings
        due, self._due = self._due, {}
        for holder, uids in due.items():
            live = [call for uid in dict.fromkeys(uids) if (call := tracker.get(uid)) is not None]
            for start in range(0, len(live), RENEW_TOGETHER):
                chunk = live[start : start + RENEW_TOGETHER]
                uids_now = tuple([call.uid for call in chunk])
                talk = tuple([_talk_ms(call, now) for call in chunk])
                paid, prices = _terms(holder, chunk)
                tracker.node.outbox.asks.append(
                    Renew(holder, uids_now, settings.node, settings.lease_ms, talk, paid, prices, settings.quantum_s)
                )

    # -- answers ---------------------------------------------------------------------------------------------------

    def answered(self, verb: Renew, outcome: Outcome, now: float) -> None:
        """The limiter's answer. Unavailable: the next look asks again."""
        if not isinstance(outcome, Renewed):
            return
        tracker = self._tracker
        for uid in outcome.reasserted:
            tracker.node.counters.leases_reasserted += 1
            call = tracker.get(uid)
            if call is not None:
                tracker.tell("lease.reasserted", call)
                call.is_record_owed = True
        for uid in verb.uids:
            call = tracker.get(uid)
            if call is not None and call.is_record_owed and call.facts.answered_at is not None:
                self._tell_record(call, verb.account)
        for uid in outcome.ended:
            call = tracker.get(uid)
            if call is not None:
                tracker.tell("lease.ended_elsewhere", call)
                if call.holders and call.holders[0] == verb.account:
                    # Another node has taken it over and closed it: it is on nobody's account any more. BYEs to a call
                    # that is over harm nobody; one that still runs must not run on for nothing.
                    call.is_adopted = True
                    tracker.end(call, "adopted", now)
        for uid in outcome.adopted:
            call = tracker.get(uid)
            if call is not None and call.holders and call.holders[0] == verb.account:
                tracker.let_go(call, now)
        for uid, paid_s in zip(verb.uids, outcome.paid_s, strict=False):
            call = tracker.get(uid)
            if call is not None and paid_s:
                self._paid(call, verb.account, paid_s, outcome.dry, now)
        if outcome.dry:
            self._dry(verb.account, outcome.dry, now)
        if outcome.is_cut:
            for call in tracker.live():
                if verb.account in call.holders:
                    tracker.end(call, "suspended", now)

    def unheard(self, verb: Answer) -> None:
        """The store did not hear of an answer, or of a remote target that moved."""
        call = self._tracker.get(verb.uid)
        if call is not None:
            call.is_record_owed = True

    def _tell_record(self, call: Call, holder: str) -> None:
        """It is kept with the lease of the account."""
        if call.holders and call.holders[0] == holder:
            call.is_record_owed = False
            self._tracker.node.outbox.asks.append(Answer(holder, call.uid, self._tracker.record_of(call)))

    def _paid(self, call: Call, holder: str, paid_s: int, dry: str, now: float) -> None:
        """So much talk is held for it with this holder; the shortest of all holders counts."""
        call.paid[holder] = paid_s
        before = call.facts.paid_s
        call.facts.paid_s = min(call.paid.values())
        call.dry = dry
        if call.facts.paid_s == before or call.state is not CallState.ANSWERED:
            return
        if call.facts.paid_s > before:
            call.facts.holds += 1
        if self._is_unpaid(call, now):
            # This process stood still, and there was money for a part of that talk only.
            call.dry = dry or "credit"
            self._look_at(call, now + ASK_FIRST_S)
        else:
            self.schedule(call, now)

    def _dry(self, holder: str, limit: str, now: float) -> None:
        """A running call could not be extended: those that still ring give back what is held for them."""
        cause = "spend_cap" if limit in _SPEND else "credit"
        for call in self._tracker.live():
            if holder in call.holders and call.state is CallState.SETUP and call.facts.price is not None:
                self._tracker.end(call, cause, now)


class Look:
    """Wakes a call; holds the uid only, so that a call that has ended is freed at once."""

    __slots__ = ("_renewals", "_uid", "at")

    def __init__(self, renewals: Renewals, uid: str, at: float) -> None:
        self._renewals = renewals
        self._uid = uid
        self.at = at
        """When it is due."""

    def fire(self, letter: str, now: float) -> None:
        """It is time to look."""
        self._renewals.look(self, self._uid, now)


def _talk_ms(call: Call, now: float) -> int:
    answered_at = call.facts.answered_at
    return -1 if answered_at is None else max(0, int((now - answered_at) * 1_000))


def _terms(holder: str, calls: list[Call]) -> tuple[tuple[int, ...], tuple[Price | None, ...]]:
    """Talk held and price of each call with this holder; nothing where none of them has a price there."""
    if not any(holder in call.paid for call in calls):
        return (), ()
    paid = tuple([call.paid.get(holder, 0) for call in calls])
    return paid, tuple([call.facts.price if holder in call.paid else None for call in calls])
