"""edge.policy.behaviour: regulation of calls to consumers, row by row, on both sides of every change"""

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from edge.config.snapshot import PolicySnapshot
from edge.config.telemarketing import PingCalls
from edge.policy.attempt import CallAttempt
from edge.policy.behaviour import ping_frequency
from edge.policy.pipeline import judge
from edge.policy.verdicts import Reason, Refuse
from limits.frequency import COUNT, ENFORCE, SHADOW, Contact, Counts, Frequency

Documents = Callable[[str, str, str], PolicySnapshot]
Attempts = Callable[..., CallAttempt]
PARIS = "+33199001234"
SELLER = 'purpose = "telemarketing-b2c"\n'
ATTESTED = SELLER + 'calling = { consent = "attested" }\n'
DAY_MS = 86_400_000
OK = None
HOURS = Reason.CALLING_HOURS


def judged(
    document_with: Documents,
    attempt_of: Attempts,
    when: str,
    *,
    account: str = ATTESTED,
    called: str = PARIS,
    zone: str = "Europe/Paris",
    head: str = "",
    more: str = "",
    **of: object,
) -> tuple[Refuse | None, CallAttempt]:
    """The verdict on an attempt at this local time of the callee."""
    wall = datetime.fromisoformat(when).replace(tzinfo=ZoneInfo(zone)).timestamp()
    attempt = attempt_of(called=f"sip:{called}@h", **of)
    attempt.wall = wall
    return judge(attempt, document_with("", account, head + more)), attempt


def reason(found: tuple[Refuse | None, CallAttempt]) -> Reason | None:
    return None if found[0] is None else found[0].reason


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        # 2026-11-26 is a Thursday: windows to the second.
        ("2026-11-26T09:59:59", HOURS),
        ("2026-11-26T10:00:00", OK),
        ("2026-11-26T12:59:59", OK),
        ("2026-11-26T13:00:00", HOURS),
        ("2026-11-26T13:59:59", HOURS),
        ("2026-11-26T14:00:00", OK),
        ("2026-11-26T19:59:59", OK),
        ("2026-11-26T20:00:00", HOURS),
        # Days of the week.
        ("2026-11-23T11:00:00", OK),
        ("2026-11-27T11:00:00", OK),
        ("2026-11-28T11:00:00", HOURS),
        ("2026-11-29T11:00:00", HOURS),
        # Public holidays of L3133-1, all of them on working days of some year.
        ("2026-01-01T11:00:00", HOURS),
        ("2026-04-06T11:00:00", HOURS),
        ("2026-05-01T11:00:00", HOURS),
        ("2026-05-08T11:00:00", HOURS),
        ("2026-05-14T11:00:00", HOURS),
        ("2026-05-25T11:00:00", HOURS),
        ("2026-07-14T11:00:00", HOURS),
        ("2025-08-15T11:00:00", HOURS),
        ("2027-11-01T11:00:00", HOURS),
        ("2026-11-11T11:00:00", HOURS),
        ("2026-12-25T11:00:00", HOURS),
        ("2026-04-07T11:00:00", OK),
        ("2026-05-15T11:00:00", OK),
        # The days around a change of clocks: the hour is the one on the wall.
        ("2026-03-27T10:00:00", OK),
        ("2026-03-30T09:59:59", HOURS),
        ("2026-03-30T10:00:00", OK),
        ("2026-10-26T09:59:59", HOURS),
        ("2026-10-26T10:00:00", OK),
        ("2026-10-26T19:59:59", OK),
        # In force since 2023-03-01.
        ("2023-02-28T21:00:00", OK),
        ("2023-03-01T21:00:00", HOURS),
    ],
)
def test_days_and_hours_9_1_12(
    document_with: Documents, attempt_of: Attempts, when: str, expected: Reason | None
) -> None:
    """Contract 9.1.12, D223-9 (4.1.1 to 4.1.3, 4.1.11): Monday to Friday, 10 to 13 and 14 to 20, no public holiday."""
    found = judged(document_with, attempt_of, when)
    assert expected == reason(found)
    assert found[1].rule == ("" if expected is None else "d223-9-hours")


@pytest.mark.parametrize(
    ("called", "zone", "inside", "outside"),
    [
        ("+33639980001", "Europe/Paris", "2026-07-15T10:00:00", "2026-07-15T20:00:00"),
        ("+590590001234", "America/Guadeloupe", "2026-11-26T10:00:00", "2026-11-26T20:00:00"),
        ("+596596001234", "America/Martinique", "2026-11-26T19:59:59", "2026-11-26T09:59:59"),
        ("+594594001234", "America/Cayenne", "2026-11-26T12:59:59", "2026-11-26T13:00:00"),
        ("+508410001", "America/Miquelon", "2026-07-15T14:00:00", "2026-07-15T13:59:59"),
        ("+262262001234", "Indian/Reunion", "2026-11-26T10:00:00", "2026-11-26T20:00:00"),
        ("+262269001234", "Indian/Mayotte", "2026-11-26T10:00:00", "2026-11-26T20:00:00"),
        ("+262639001234", "Indian/Mayotte", "2026-11-26T19:59:59", "2026-11-26T20:00:00"),
    ],
)
def test_the_hour_is_the_callees_9_1_12(
    document_with: Documents, attempt_of: Attempts, called: str, zone: str, inside: str, outside: str
) -> None:
    """4.1.3 and 4.1.12: the consumer's time zone, by the beginning of the number."""
    assert reason(judged(document_with, attempt_of, inside, called=called, zone=zone)) is None
    assert reason(judged(document_with, attempt_of, outside, called=called, zone=zone)) == HOURS


@pytest.mark.parametrize(
    ("called", "zone", "day"),
    [
        ("+33388001234", "Europe/Paris", "2026-04-03"),
        ("+596596001234", "America/Martinique", "2026-05-22"),
        ("+594594001234", "America/Cayenne", "2026-06-10"),
        ("+262269001234", "Indian/Mayotte", "2026-04-27"),
    ],
)
def test_local_holidays_are_a_switch_4_1_10(
    document_with: Documents, attempt_of: Attempts, called: str, zone: str, day: str
) -> None:
    """Marked uncertain: kept by default, and left out where the document says so."""
    when = f"{day}T11:00:00"
    assert reason(judged(document_with, attempt_of, when, called=called, zone=zone)) == HOURS
    off = "[telemarketing]\nlocal_holidays = false\n"
    assert reason(judged(document_with, attempt_of, when, called=called, zone=zone, more=off)) is None


@pytest.mark.parametrize("called", ["+442079460000", "+68940000000", "3000", "118000"])
def test_nobody_whom_the_law_protects(document_with: Documents, attempt_of: Attempts, called: str) -> None:
    """4.1.7 and 4.1.8: no consumer of the plan, nothing is asked."""
    found = judged(document_with, attempt_of, "2026-11-29T03:00:00", called=called)
    assert reason(found) is None
    assert found[1].contact is None


def test_other_purposes_4_1_8(document_with: Documents, attempt_of: Attempts) -> None:
    """B2B, service calls, polls: the account's purpose says none, and the hour is free."""
    found = judged(document_with, attempt_of, "2026-11-29T03:00:00", account="")
    assert (reason(found), found[1].contact, found[1].frequencies, found[1].needs_store) == (None, None, [], False)


def test_emergency_is_not_asked(document_with: Documents, attempt_of: Attempts) -> None:
    """R16: at any hour."""
    found = judged(document_with, attempt_of, "2026-11-29T03:00:00", called="112")
    assert (reason(found), found[1].contact) == (None, None)


def test_hours_waiver_4_1_6(document_with: Documents, attempt_of: Attempts) -> None:
    """Express prior consent lifts days and hours, and not the four attempts: attested for all, or recorded of each."""
    night = "2026-11-29T03:00:00"
    lifted = SELLER + 'calling = { consent = "attested", hours_waiver = "attested" }\n'
    refusal, attempt = judged(document_with, attempt_of, night, account=lifted)
    assert refusal is None
    assert [one.most for one in attempt.frequencies] == [4]
    assert attempt.contact is not None
    assert attempt.contact.hours_since_ms == 0
    listed = SELLER + 'calling = { consent = "attested", hours_waiver = "list" }\n'
    refusal, attempt = judged(document_with, attempt_of, night, account=listed)
    assert refusal is None
    assert attempt.contact is not None
    assert attempt.contact.hours_since_ms == _ms("2025-11-29T00:00:00")
    day = judged(document_with, attempt_of, "2026-11-26T11:00:00", account=listed)[1]
    assert day.contact is not None
    assert day.contact.hours_since_ms == 0


def _ms(when: str, zone: str = "Europe/Paris") -> int:
    return int(datetime.fromisoformat(when).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1_000)


@pytest.mark.parametrize(
    ("when", "window_ms"),
    [
        ("2026-11-26T10:00:00", 30 * DAY_MS),
        ("2026-11-26T19:59:59", 30 * DAY_MS),
        # 25 October 2026 has 25 hours: the calendar's 30 days are an hour longer, at the end of their last day.
        ("2026-11-20T19:59:59", 30 * DAY_MS),
    ],
)
def test_four_attempts_in_thirty_days_9_1_12(
    document_with: Documents, attempt_of: Attempts, when: str, window_ms: int
) -> None:
    """4.1.4: four, for each professional and consumer; unanswered ones count, since every admitted attempt does."""
    refusal, attempt = judged(document_with, attempt_of, when)
    assert refusal is None
    assert attempt.frequencies == [Frequency("telemarketing", PARIS, 4, window_ms)]
    assert attempt.needs_store


def test_thirty_days_of_the_calendar_with_one_of_25_hours(document_with: Documents, attempt_of: Attempts) -> None:
    """At 23:30 of the last day an attempt at 00:05 of the first is 30 days and 25 minutes old, and it counts."""
    waived = SELLER + 'calling = { consent = "attested", hours_waiver = "attested" }\n'
    attempt = judged(document_with, attempt_of, "2026-11-20T23:30:00", account=waived)[1]
    window_ms = attempt.frequencies[0].window_ms
    assert _ms("2026-10-22T00:05:00") > _ms("2026-11-20T23:30:00") - window_ms
    assert window_ms == 30 * DAY_MS + 1_800_000
    assert _ms("2026-10-21T23:29:59") <= _ms("2026-11-20T23:30:00") - window_ms + 3_600_000


@pytest.mark.parametrize(
    ("when", "since"),
    [
        ("2026-11-26T10:00:00", "2026-09-27T00:00:00"),
        ("2026-11-26T19:59:59", "2026-09-27T00:00:00"),
        ("2026-05-12T11:00:00", "2026-03-13T00:00:00"),
    ],
)
def test_sixty_full_days_after_a_refusal_9_1_12(
    document_with: Documents, attempt_of: Attempts, when: str, since: str
) -> None:
    """4.1.5: refused on day D, called again on D + 61 at the soonest, whatever the clocks do in between."""
    attempt = judged(document_with, attempt_of, when)[1]
    assert attempt.contact is not None
    assert attempt.contact.refused_since_ms == _ms(since)


@pytest.mark.parametrize(
    ("when", "most", "refused_since_ms"),
    [("2023-02-28T23:59:59", [], 2**52), ("2023-03-01T00:00:00", [4], None)],
)
def test_attempts_and_refusals_from_2023_03_01_9_1_12(
    document_with: Documents, attempt_of: Attempts, when: str, most: list[int], refused_since_ms: int | None
) -> None:
    """4.1.1, decree 2022-1313: neither is counted nor asked before the day on which D223-9 comes into force."""
    waived = SELLER + 'calling = { consent = "attested", hours_waiver = "attested" }\n'
    refusal, attempt = judged(document_with, attempt_of, when, account=waived)
    assert refusal is None
    assert [one.most for one in attempt.frequencies] == most
    assert attempt.contact is not None
    assert attempt.contact.refused_since_ms == (refused_since_ms or _ms("2022-12-31T00:00:00"))


@pytest.mark.parametrize("when", ["2016-05-31T23:00:00", "2023-02-28T11:00:00", "2026-08-10T11:00:00"])
def test_masked_at_any_time_l221_17(document_with: Documents, attempt_of: Attempts, when: str) -> None:
    """Section 10 `masked_cli: deny` has no first day."""
    found = judged(document_with, attempt_of, when, cli="sip:anonymous@anonymous.invalid")
    assert (reason(found), found[1].rule) == (Reason.CLI_WITHHELD, "l221-17-masked")


@pytest.mark.parametrize(
    ("when", "account", "consent_since"),
    [
        ("2026-08-10T19:59:59", SELLER, None),
        ("2026-08-11T10:00:00", SELLER, "2025-08-11T00:00:00"),
        ("2026-11-26T10:00:00", SELLER, "2025-11-26T00:00:00"),
        ("2026-08-11T10:00:00", ATTESTED, None),
    ],
)
def test_opt_in_from_2026_08_11_9_1_13(
    document_with: Documents, attempt_of: Attempts, when: str, account: str, consent_since: str | None
) -> None:
    """4.2.1 and 4.2.8: a consent not older than 365 days, from 2026-08-11 on; before, and where attested, none."""
    refusal, attempt = judged(document_with, attempt_of, when, account=account)
    assert refusal is None
    since = 0 if consent_since is None else _ms(consent_since)
    assert attempt.contact is not None
    assert (attempt.contact.consent_since_ms, attempt.contact.is_contract_enough) == (since, True)


def test_the_law_changes_at_midnight_in_paris_9_1_13(document_with: Documents, attempt_of: Attempts) -> None:
    """Judged by hand of the clock: the last second of 10 August, the first of the 11th."""
    waived = SELLER + 'calling = { hours_waiver = "attested" }\n'
    before = judged(document_with, attempt_of, "2026-08-10T23:59:59", account=waived)[1].contact
    after = judged(document_with, attempt_of, "2026-08-11T00:00:00", account=waived)[1].contact
    assert before is not None
    assert after is not None
    assert (before.consent_since_ms == 0, after.consent_since_ms > 0) == (True, True)


@pytest.mark.parametrize(
    ("cli", "headers"),
    [("sip:anonymous@anonymous.invalid", []), ("sip:+33199001234@h", ["Privacy: id"]), ("sip:unavailable@h", [])],
)
def test_masked_l221_17(document_with: Documents, attempt_of: Attempts, cli: str, headers: list[str]) -> None:
    """1.1.5: who sells shows a number."""
    found = judged(document_with, attempt_of, "2026-11-26T11:00:00", cli=cli, headers=headers)
    assert (reason(found), found[1].rule) == (Reason.CLI_WITHHELD, "l221-17-masked")


def test_in_the_shadow(document_with: Documents, attempt_of: Attempts) -> None:
    """Noted and counted, and nobody is refused; the store may be away."""
    shadow = '[telemarketing]\nmode = "shadow"\n'
    refusal, attempt = judged(document_with, attempt_of, "2026-11-29T11:00:00", more=shadow)
    assert refusal is None
    assert attempt.shadowed == ["calling_hours"]
    assert [one.mode for one in attempt.frequencies] == [SHADOW]
    assert attempt.contact is not None
    assert (attempt.contact.mode, attempt.needs_store) == (SHADOW, False)


def test_rules_off(document_with: Documents, attempt_of: Attempts) -> None:
    """A document for another country."""
    off = '[telemarketing]\nrules = "off"\n'
    found = judged(document_with, attempt_of, "2026-11-29T11:00:00", more=off)
    assert (reason(found), found[1].contact) == (None, None)


def test_the_documents_own_rules(document_with: Documents, attempt_of: Attempts) -> None:
    """They stand in place of the ruleset's, dated like them."""
    own = """
[telemarketing]
hours = [
    { id = "old", until = 2026-11-26, windows = ["08:00-09:00"] },
    { id = "new", from = 2026-11-26, windows = ["21:00-22:00"], holidays = true },
]
attempts = [{ id = "two", most = 2, window_days = 7 }]
refusals = [{ id = "short", days = 3 }]
consents = [{ id = "all", model = "opt-in", max_age_days = 10, contract_in_progress = false }]
"""
    assert reason(judged(document_with, attempt_of, "2026-11-25T08:30:00", more=own)) is None
    assert reason(judged(document_with, attempt_of, "2026-11-25T21:30:00", more=own)) == HOURS
    assert reason(judged(document_with, attempt_of, "2026-11-26T08:30:00", more=own)) == HOURS
    refusal, attempt = judged(document_with, attempt_of, "2026-12-25T21:30:00", account=SELLER, more=own)
    assert refusal is None
    assert attempt.frequencies == [Frequency("telemarketing", PARIS, 2, 7 * DAY_MS)]
    since = _ms("2026-12-22T00:00:00"), _ms("2026-12-15T00:00:00")
    assert attempt.contact == Contact(PARIS, *since, is_contract_enough=False)


# What accounts say of themselves


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("2026-11-28T07:59:59", HOURS),
        ("2026-11-28T08:00:00", OK),
        ("2026-11-28T21:59:59", OK),
        ("2026-11-28T22:00:00", HOURS),
        ("2026-11-29T12:00:00", HOURS),
    ],
)
def test_own_hours(document_with: Documents, attempt_of: Attempts, when: str, expected: Reason | None) -> None:
    """Whatever the calls are for."""
    account = 'calling = { days = ["mon", "sat"], hours = ["08:00-22:00"] }\n'
    found = judged(document_with, attempt_of, when, account=account)
    assert (expected, "" if expected is None else "calling.hours") == (reason(found), found[1].rule)


def test_calls_per_called_number(document_with: Documents, attempt_of: Attempts) -> None:
    """Contract 9.2.3: how often an account may call one number."""
    account = "calling = { number_ceiling = { calls = 3, window_s = 60 } }\n"
    attempt = judged(document_with, attempt_of, "2026-11-26T11:00:00", account=account)[1]
    assert attempt.frequencies == [Frequency("called-number", PARIS, 3, 60_000)]
    assert not attempt.needs_store


@pytest.mark.parametrize(
    ("cli", "mode", "refused"),
    [
        ("sip:+33199001234@h", ENFORCE, None),
        ("sip:+33912345678@h", ENFORCE, None),
        ("sip:+33162123456@h", COUNT, None),
        ("sip:+33639980001@h", None, Reason.CLI_REFUSED),
    ],
)
def test_small_systems_1_2_3_9_2_4(
    document_with: Documents, attempt_of: Attempts, cli: str, mode: str | None, refused: Reason | None
) -> None:
    """At most 5 different numbers in 30 days, or calls that are at most 20 % of those received, spare a small system
    the ban on geographic numbers; all its calls are counted, those with a number made for automated calls too; a mobile
    number is never spared (1.2.4, 9.2.3)."""
    account = 'kind = "automated"\ncalling = { small_system = true }\n'
    found = judged(document_with, attempt_of, "2026-11-26T11:00:00", account=account, cli=cli)
    assert refused == reason(found)
    expected = Frequency("small-system", "all", 5, 30 * DAY_MS, Counts.DISTINCT, PARIS, mode or "", 20)
    assert found[1].frequencies == ([] if mode is None else [expected])
    # Who leans on the exception is not let pass uncounted.
    assert found[1].needs_store == (mode == ENFORCE)


def test_a_system_that_does_not_claim_to_be_small_1_2_1(document_with: Documents, attempt_of: Attempts) -> None:
    """The cautious default: no exception, nothing counted."""
    found = judged(document_with, attempt_of, "2026-11-26T11:00:00", account='kind = "automated"\n')
    assert (reason(found), found[1].frequencies) == (Reason.CLI_REFUSED, [])


@pytest.mark.parametrize(("mode", "expected"), [("off", 0), ("tag", 0), ("refuse", 1)])
def test_ping_calls_9_2_3(document_with: Documents, attempt_of: Attempts, mode: str, expected: int) -> None:
    """Asked at an attempt only where it would be refused: the ordinary road costs nothing."""
    more = f'[ping_calls]\nmode = "{mode}"\nmost = 7\nwindow_s = 60\n'
    attempt = judged(document_with, attempt_of, "2026-11-26T11:00:00", account="", more=more)[1]
    assert attempt.frequencies == [Frequency("ping", "+33199001234", 7, 60_000, Counts.MARKS)] * expected


@pytest.mark.parametrize("mode", [ENFORCE, SHADOW])
def test_a_ping_is_counted_in_the_mode_asked_for(mode: str) -> None:
    """An account in the shadow is counted and never refused for it."""
    found = ping_frequency(PingCalls(most=7, window_s=60), "+33199001234", mode)
    assert found == Frequency("ping", "+33199001234", 7, 60_000, Counts.MARKS, mode=mode)


def test_refusals_of_one_account_in_the_shadow(document_with: Documents, attempt_of: Attempts) -> None:
    """`shadow_refusals` holds for what the limits judge, too."""
    account = ATTESTED + 'shadow_refusals = ["contact_attempts", "contact_refused", "consent_missing"]\n'
    attempt = judged(document_with, attempt_of, "2026-11-26T11:00:00", account=account)[1]
    assert [one.mode for one in attempt.frequencies] == [SHADOW]
    assert attempt.contact is not None
    assert attempt.contact.mode == SHADOW
