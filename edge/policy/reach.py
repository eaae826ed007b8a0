"""Where may this account call, at this hour, and how much? Abroad, barring lists, guards. Pure.

Contract articles 9.1.17, 9.2.3 and 24.2.2. What must be counted goes with the question to the limits.
"""

from typing import Final

from edge.config.account_policy import AccountPolicy
from edge.config.conduct import Guard
from edge.config.hours import local_time
from edge.config.refusals import Reason
from edge.config.snapshot import PolicySnapshot
from edge.policy.attempt import CallAttempt
from edge.policy.verdicts import Refuse
from limits.frequency import ENFORCE, SHADOW, Frequency, SpendGuard

ABROAD: Final = "calling.international"
"""Name of the account's own switch, where it refuses."""
CALLS_OF: Final = "guard."
"""Beginning of the name under which a guard counts calls."""


def reach(attempt: CallAttempt, snapshot: PolicySnapshot) -> Refuse | None:
    """Refuse what is barred; the first guard that matches counts the call."""
    account, conduct = attempt.account, snapshot.conduct
    if attempt.emergency or account is None:
        return None
    allowed = account.calling.allowed
    called = attempt.called
    if allowed is not None and called.startswith("+") and not called.startswith(allowed):
        attempt.rule = ABROAD
        return Refuse(Reason.INTERNATIONAL_BARRED)
    if not conduct.has_destinations:
        return None
    zone = zone_of(attempt, snapshot)
    for guard in conduct.guards:
        if guard.matches(account.id, called, zone):
            _watch(attempt, account, guard)
            break
    for one in conduct.barring:
        if not one.matches(account.id, called, zone):
            continue
        if one.week is not None and not one.week.holds(local_time(attempt.wall, one.timezone)):
            continue
        if one.is_shadow:
            attempt.shadowed.append(Reason.DESTINATION_BARRED.value)
            continue
        attempt.rule = one.id
        return Refuse(Reason.DESTINATION_BARRED)
    return None


def zone_of(attempt: CallAttempt, snapshot: PolicySnapshot) -> str:
    """The zone of the called number: the document's, else that of its rate; empty: none."""
    zone = snapshot.conduct.zone_of(attempt.called)
    return zone or ("" if attempt.rate is None else attempt.rate.zone)


def _watch(attempt: CallAttempt, account: AccountPolicy, guard: Guard) -> None:
    if guard.calls is not None:
        mode = SHADOW if guard.is_shadow or Reason.DESTINATION_CALLS in account.shadow else ENFORCE
        attempt.frequencies.append(Frequency(CALLS_OF + guard.id, "all", guard.calls, guard.window_ms, mode=mode))
    if guard.spend_micros is not None and attempt.rate is not None:
        mode = SHADOW if guard.is_shadow or Reason.DESTINATION_SPEND in account.shadow else ENFORCE
        attempt.guard = SpendGuard(guard.id, guard.spend_micros, mode)
