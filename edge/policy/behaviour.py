"""Is the account calling at an hour, as often and whom it may? What time alone decides is decided here; what must be
counted, or is recorded of the person called, goes with the question to the limits. Pure.

Contract articles 9.1.12, 9.1.13 and 9.2.3; Code de la consommation D223-9, L223-1, L221-17; numbering plan 2.3.2 f. The
rules are data (`edge.config.telemarketing`), dated; the day and the hour are those of the callee.
"""

from datetime import datetime, tzinfo
from typing import Final

from edge.config.account_policy import AccountPolicy
from edge.config.conduct import ANY_CALLING, AccountCalling, Era, Law
from edge.config.hours import local_time, midnight_ms
from edge.config.refusals import Reason
from edge.config.snapshot import PolicySnapshot
from edge.config.telemarketing import PingCalls
from edge.policy.attempt import CallAttempt
from edge.policy.lawfulness import ruling_of
from edge.policy.marking import SMALL
from edge.policy.spelling import ABSENT
from edge.policy.verdicts import CALLED_NUMBER, PING, SMALL_SYSTEM, TELEMARKETING, Refuse
from limits.frequency import COUNT, ENFORCE, SHADOW, Contact, Counts, Frequency

DAY_MS: Final = 86_400_000
OWN_HOURS: Final = "calling.hours"
"""Name of the account's own hours, where they refuse."""


def behave(attempt: CallAttempt, snapshot: PolicySnapshot) -> Refuse | None:
    """Refuse what the hour forbids, and put together what the limits are to be asked."""
    account = attempt.account
    if attempt.emergency or account is None:
        return None
    calling, conduct = account.calling, snapshot.conduct
    if conduct.ping.mode == "refuse" and attempt.cli_presented:
        mode = _mode(account, Reason.PING_CALLS)
        attempt.frequencies.append(ping_frequency(conduct.ping, attempt.cli_presented, mode))
    if calling is not ANY_CALLING:
        _count(attempt, account, calling, snapshot)
        if calling.week is not None and not calling.week.holds(local_time(attempt.wall, calling.timezone)):
            attempt.rule = OWN_HOURS
            return Refuse(Reason.CALLING_HOURS)
    if attempt.purpose == "none" or conduct.law is None:
        return None
    zone = conduct.law.zone_of(attempt.called)
    return None if zone is None else _solicit(attempt, account, conduct.law, zone)


def ping_frequency(ping: PingCalls, cli: str, mode: str = ENFORCE) -> Frequency:
    """Calls from one number that were over before anybody could talk: counted when they end."""
    return Frequency(PING, cli, ping.most, ping.window_s * 1_000, Counts.MARKS, "-", mode)


def _count(attempt: CallAttempt, account: AccountPolicy, calling: AccountCalling, snapshot: PolicySnapshot) -> None:
    """What is counted of the account's calls, whatever they are for."""
    ceiling = calling.number_ceiling
    if ceiling is not None:
        mode = _mode(account, Reason.CALLED_TOO_OFTEN)
        attempt.frequencies.append(
            Frequency(CALLED_NUMBER, attempt.called, ceiling.calls, ceiling.window_s * 1_000, mode=mode)
        )
    small = snapshot.book.thresholds.get(SMALL)
    if calling.is_small_system and attempt.automated and small is not None:
        # Few numbers, or few calls placed against those received: any one is enough. Who leans on it and cannot be
        # counted, as the store is away, is no small system.
        is_leaning = leans_on_exception(attempt)
        attempt.needs_store = is_leaning
        attempt.frequencies.append(
            Frequency(
                SMALL_SYSTEM,
                "all",
                small.distinct_called_max,
                small.window_days * DAY_MS,
                Counts.DISTINCT,
                attempt.called,
                ENFORCE if is_leaning else COUNT,
                small.outbound_to_inbound_percent_max,
            )
        )


def leans_on_exception(attempt: CallAttempt) -> bool:
    """Does it show a number that only a small automated system may show?"""
    era = attempt.era
    if era is None or not attempt.exceptions:
        return False
    readings = (attempt.sender or ABSENT, *attempt.network)
    return any([ruling_of(reading, attempt, era).unless in attempt.exceptions for reading in readings])


def _solicit(attempt: CallAttempt, account: AccountPolicy, law: Law, zone: tzinfo) -> Refuse | None:
    """A consumer is called to sell."""
    era, calling = law.era(attempt.wall), account.calling
    local = local_time(attempt.wall, zone)
    if era.masked is not None and (attempt.withheld or not attempt.cli_presented):
        return _refuse(attempt, law, Reason.CLI_WITHHELD, era.masked.id)
    needs_hours = bool(untimely(law, era, attempt.called, local)) and calling.hours_waiver != "attested"
    attempt.contact = _contact(attempt, account, law, local, needs_hours=needs_hours)
    attempts = era.attempts
    if attempts is not None:
        # Today and the days of the calendar before it, and never less than as many times 24 hours.
        since_ms = midnight_ms(local, attempts.window_days - 1)
        window_ms = max(attempts.window_days * DAY_MS, int(local.timestamp() * 1_000) - since_ms)
        mode = SHADOW if law.is_shadow else _mode(account, Reason.CONTACT_ATTEMPTS)
        attempt.frequencies.append(Frequency(TELEMARKETING, attempt.called, attempts.most, window_ms, mode=mode))
    attempt.needs_store = attempt.needs_store or not law.is_shadow
    if needs_hours and calling.hours_waiver == "none" and era.hours is not None:
        return _refuse(attempt, law, Reason.CALLING_HOURS, era.hours.id)
    return None


def untimely(law: Law, era: Era, called: str, local: datetime) -> str:
    """Why a consumer is not to be called at this local time; empty: may be."""
    if era.hours is None or era.week is None:
        return ""
    if not era.hours.holidays:
        holiday = law.holiday(called, local.date())
        if holiday:
            return f"a public holiday ({holiday})"
    return "" if era.week.holds(local) else "outside the permitted hours"


def _contact(
    attempt: CallAttempt, account: AccountPolicy, law: Law, local: datetime, *, needs_hours: bool
) -> Contact | None:
    """What must be recorded of the consumer. A refusal of day D forbids all of the days D to D + `days`."""
    era, calling = law.era(attempt.wall), account.calling
    refusals, consents = era.refusals, era.consents
    refused_since = midnight_ms(local, refusals.days) if refusals is not None else 2**52
    max_age_days = consents.max_age_days if consents is not None and consents.max_age_days else 365
    consent_since = 0
    if consents is not None and consents.model == "opt-in" and calling.consent == "list":
        consent_since = midnight_ms(local, max_age_days)
    is_shadow = law.is_shadow or account.shadow >= {Reason.CONTACT_REFUSED, Reason.CONSENT_MISSING}
    return Contact(
        attempt.called,
        refused_since,
        consent_since,
        consents is None or consents.contract_in_progress,
        midnight_ms(local, max_age_days) if needs_hours and calling.hours_waiver == "list" else 0,
        SHADOW if is_shadow else ENFORCE,
    )


def _mode(account: AccountPolicy, reason: Reason) -> str:
    return SHADOW if reason in account.shadow else ENFORCE


def _refuse(attempt: CallAttempt, law: Law, reason: Reason, rule: str) -> Refuse | None:
    if law.is_shadow:
        attempt.shadowed.append(reason.value)
        return None
    attempt.rule = rule
    return Refuse(reason)
