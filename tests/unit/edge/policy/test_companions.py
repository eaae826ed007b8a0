"""edge.policy.companions"""

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from edge.config.deck import parse_deck
from edge.config.snapshot import PolicySnapshot
from edge.policy.companions import COMPANIONS
from edge.policy.explain import Step, explain, imagine
from edge.policy.pipeline import STAGES
from edge.policy.verdicts import Reason

Documents = Callable[[str, str, str], PolicySnapshot]
SELLER = 'purpose = "telemarketing-b2c"\n'
THURSDAY = "2026-11-26T11:00:00"
HOURS_OF_LAW = "law: Code de la consommation D223-9 (decree 2022-1313); contract article 9.1.12"


def test_every_stage_has_a_companion() -> None:
    """A stage nobody describes could refuse without a word."""
    assert tuple(COMPANIONS) == STAGES


def step_of(
    snapshot: PolicySnapshot, stage: str, *, called: str = "+33199001234", when: str = THURSDAY, cli: str = "0199001234"
) -> Step | None:
    """What `edge explain` tells of a stage, at this time in Paris; None: nothing."""
    wall = datetime.fromisoformat(when).replace(tzinfo=ZoneInfo("Europe/Paris")).timestamp()
    attempt = imagine(source="192.0.2.1", listener="", cli=cli, called=called, wall=wall)
    return next((step for step in explain(attempt, snapshot).steps if step.stage == stage), None)


def told(step: Step | None) -> tuple[str, str, str, Reason | None]:
    """Its words, the rule that decided, what that rests on, and the refusal."""
    assert step is not None
    return step.found, step.rule, str(step.basis or ""), step.refused


@pytest.mark.parametrize(
    ("when", "account", "words"),
    [
        (
            THURSDAY,
            SELLER,
            "telemarketing: Thursday 2026-11-26 11:00:00 where +33199001234 is, a permitted hour; opt-in, consent "
            "list; the store is asked for a refusal, a consent; telemarketing: at most 4 attempts in 30 days",
        ),
        (
            "2026-08-10T11:00:00",
            SELLER,
            "telemarketing: Monday 2026-08-10 11:00:00 where +33199001234 is, a permitted hour; opt-out, consent list; "
            "the store is asked for a refusal; telemarketing: at most 4 attempts in 30 days",
        ),
        (
            THURSDAY,
            SELLER + 'calling = { consent = "attested", number_ceiling = { calls = 3, window_s = 3600 } }\n',
            "telemarketing: Thursday 2026-11-26 11:00:00 where +33199001234 is, a permitted hour; opt-in, consent "
            "attested; the store is asked for a refusal; called-number: at most 3 attempts in 3600 s; "
            "telemarketing: at most 4 attempts in 30 days",
        ),
    ],
)
def test_telemarketing_that_the_limits_will_judge(
    document_with: Documents, when: str, account: str, words: str
) -> None:
    """The hour where the callee is, the regime of that day, and all that will be asked of the store."""
    found = told(step_of(document_with("", account, ""), "behave", when=when))
    assert found == (words, "d223-9-hours", HOURS_OF_LAW, None)


@pytest.mark.parametrize(
    ("when", "called", "cli", "said", "rule", "basis", "reason"),
    [
        (
            "2026-11-26T13:00:00",
            "+33199001234",
            "0199001234",
            "Thursday 2026-11-26 13:00:00 where +33199001234 is, outside the permitted hours",
            "d223-9-hours",
            HOURS_OF_LAW,
            Reason.CALLING_HOURS,
        ),
        (
            "2026-12-25T11:00:00",
            "+33199001234",
            "0199001234",
            "Friday 2026-12-25 11:00:00 where +33199001234 is, a public holiday (national)",
            "d223-9-hours",
            HOURS_OF_LAW,
            Reason.CALLING_HOURS,
        ),
        (
            THURSDAY,
            "+596596001234",
            "0199001234",
            "Thursday 2026-11-26 06:00:00 where +596596001234 is, outside the permitted hours",
            "d223-9-hours",
            HOURS_OF_LAW,
            Reason.CALLING_HOURS,
        ),
        (
            THURSDAY,
            "+33199001234",
            "anonymous",
            "Thursday 2026-11-26 11:00:00 where +33199001234 is, a permitted hour",
            "l221-17-masked",
            "law: Code de la consommation L221-17",
            Reason.CLI_WITHHELD,
        ),
    ],
)
def test_telemarketing_refused(
    document_with: Documents, when: str, called: str, cli: str, said: str, rule: str, basis: str, reason: Reason
) -> None:
    """Each refusal names its rule and the article."""
    step = step_of(document_with("", SELLER, ""), "behave", when=when, called=called, cli=cli)
    words, *rest = told(step)
    assert words.startswith(f"telemarketing: {said}; ")
    assert words.endswith(f"refused, {reason}")
    assert rest == [rule, basis, reason]


def test_who_is_no_consumer_is_told(document_with: Documents) -> None:
    """A seller calls abroad."""
    found = told(step_of(document_with("", SELLER, ""), "behave", called="+442079460000"))
    assert found == ("telemarketing-b2c, but no consumer under the law", "", "", None)


def test_the_accounts_own_hours_are_told(document_with: Documents) -> None:
    """They are nobody's law."""
    own = 'calling = { hours = ["09:00-10:00"] }\n'
    words, *rest = told(step_of(document_with("", own, ""), "behave"))
    assert words == "Thursday 11:00:00 is outside the account's own hours: refused, calling_hours"
    assert rest == ["calling.hours", "house", Reason.CALLING_HOURS]


DESTINATIONS = """
[[destinations]]
zone = "premium"
prefixes = ["+3389"]

[[barring]]
id = "no-premium-at-night"
zones = ["premium"]
hours = ["22:00-06:00"]

[[guards]]
id = "dear"
zones = ["premium"]
calls = 20
spend = "50.00"
"""


def test_destinations_are_told(document_with: Documents) -> None:
    """The zone, the barring list that refused, the guard that counts and its two ceilings."""
    deck = parse_deck("prefix,zone,connect,rate,first,next,minimum\n,World,0,0.1,1,1,0\n", currency="EUR")
    base = document_with('rate_deck = "rates.csv"\n', "", DESTINATIONS)
    snapshot = PolicySnapshot(base._document, deck=deck)
    by_day = told(step_of(snapshot, "reach", called="+33891234567"))
    counted = "guard.dear: at most 20 attempts in 3600 s; guard dear: at most 50.00 an hour"
    assert by_day == (f"zone premium; {counted}", "", "", None)
    words, *rest = told(step_of(snapshot, "reach", called="+33891234567", when="2026-11-26T22:00:00"))
    assert words == f"zone premium; barred by no-premium-at-night; {counted}: refused, destination_barred"
    assert rest == ["no-premium-at-night", "house", Reason.DESTINATION_BARRED]
    assert told(step_of(snapshot, "reach", called="+33199001234"))[0] == "zone World"


def test_a_country_that_is_not_allowed_is_told(document_with: Documents) -> None:
    """By the account's own switch."""
    snapshot = document_with("", 'calling = { international = "national" }\n', "")
    words, *rest = told(step_of(snapshot, "reach", called="+442079460000"))
    assert words == "+442079460000 is not among the countries the account may call: refused, international_barred"
    assert rest == ["calling.international", "house", Reason.INTERNATIONAL_BARRED]
    assert step_of(snapshot, "reach") is None
