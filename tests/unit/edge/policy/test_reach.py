"""edge.policy.reach: abroad, barring lists, guards"""

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from edge.config.deck import parse_deck
from edge.config.errors import PolicyError
from edge.config.parsing import parse_policy
from edge.config.snapshot import PolicySnapshot
from edge.policy.attempt import CallAttempt
from edge.policy.pipeline import judge
from edge.policy.verdicts import Reason
from limits.frequency import SHADOW, Frequency, SpendGuard

Documents = Callable[[str, str, str], PolicySnapshot]
Attempts = Callable[..., CallAttempt]
DECK = parse_deck(
    "prefix,zone,connect,rate,first,next,minimum\n,World,0,0.1,1,1,0\n+3389,Premium,0,2,60,60,0\n+53,Cuba,0,1,1,1,0\n",
    currency="EUR",
)
ZONES = """
[[destinations]]
zone = "premium"
prefixes = ["+3389", "3201"]
[[destinations]]
zone = "satellite"
prefixes = ["+881", "+882", "+8835"]
"""


def reached(
    snapshot: PolicySnapshot, attempt_of: Attempts, called: str, when: str = "2026-11-26T12:00:00", **of: object
) -> tuple[Reason | None, CallAttempt]:
    """The verdict at this time in Paris."""
    attempt = attempt_of(called=f"sip:{called}@h", **of)
    attempt.wall = datetime.fromisoformat(when).replace(tzinfo=ZoneInfo("Europe/Paris")).timestamp()
    refusal = judge(attempt, snapshot)
    return None if refusal is None else refusal.reason, attempt


@pytest.mark.parametrize(
    ("choice", "called", "passes"),
    [
        ('"all"', "+15005550006", True),
        ('"national"', "+33199001234", True),
        ('"national"', "0262123456", True),
        ('"national"', "+508410001", True),
        ('"national"', "3000", True),
        ('"national"', "+442079460000", False),
        ('"national"', "+68940000000", False),
        ('"national"', "00492079460000", False),
        ('"eu"', "+4930123456", True),
        ('"eu"', "+358401234567", True),
        ('"eu"', "+596596123456", True),
        ('"eu"', "+442079460000", False),
        ('"eu"', "+41441234567", False),
        ('"eu"', "+3851234567", True),
        ('"eu"', "+38351234567", False),
        ('"eu", countries = ["+41"]', "+41441234567", True),
        ('"listed", countries = ["+41"]', "+41441234567", True),
        ('"listed", countries = ["+41"]', "+4930123456", False),
        ('"listed", countries = ["+41"]', "+33199001234", True),
    ],
)
def test_international_simple(
    document_with: Documents, attempt_of: Attempts, choice: str, called: str, passes: bool
) -> None:
    """One switch an account: anywhere, the Union, home, a list."""
    snapshot = document_with("", f"calling = {{ international = {choice} }}\n", "")
    found, attempt = reached(snapshot, attempt_of, called)
    assert (None if passes else Reason.INTERNATIONAL_BARRED) == found
    assert attempt.rule == ("" if passes else "calling.international")


@pytest.mark.parametrize("choice", ["all", "national"])
def test_a_list_that_changes_nothing_is_a_fault(choice: str) -> None:
    """Somebody meant something by it."""
    text = f'[[accounts]]\nid = "a"\ncalling = {{ international = "{choice}", countries = ["+41"] }}\n'
    with pytest.raises(PolicyError, match='expected international = "eu" or "listed" beside it'):
        parse_policy(text)


def test_emergency_passes_every_list(document_with: Documents, attempt_of: Attempts) -> None:
    """R16."""
    barred = '[[barring]]\nid = "all"\n'
    snapshot = document_with("", 'calling = { international = "national" }\n', barred)
    assert reached(snapshot, attempt_of, "112")[0] is None
    assert reached(snapshot, attempt_of, "+33199001234")[0] == Reason.DESTINATION_BARRED


BARRED = (
    ZONES
    + """
[[barring]]
id = "no-satellite"
zones = ["satellite"]

[[barring]]
id = "night-premium"
accounts = ["acme"]
zones = ["premium"]
except_prefixes = ["+338910"]
hours = ["22:00-06:00"]

[[barring]]
id = "weekend"
zones = ["premium"]
accounts = ["robot"]
days = ["sat", "sun"]

[[barring]]
id = "island-night"
prefixes = ["+262"]
hours = ["22:00-06:00"]
timezone = "Indian/Reunion"

[[barring]]
id = "watched"
prefixes = ["+53"]
mode = "shadow"
"""
)


@pytest.mark.parametrize(
    ("called", "when", "source", "rule"),
    [
        ("+881612345678", "2026-11-26T12:00:00", "192.0.2.1", "no-satellite"),
        ("+88351234567", "2026-11-26T12:00:00", "192.0.2.200", "no-satellite"),
        ("+88341234567", "2026-11-26T12:00:00", "192.0.2.1", ""),
        ("+33891234567", "2026-11-26T21:59:59", "192.0.2.1", ""),
        ("+33891234567", "2026-11-26T22:00:00", "192.0.2.1", "night-premium"),
        ("3201", "2026-11-26T23:00:00", "192.0.2.1", "night-premium"),
        ("+33891234567", "2026-11-27T05:59:59", "192.0.2.1", "night-premium"),
        ("+33891234567", "2026-11-27T06:00:00", "192.0.2.1", ""),
        ("+33891034567", "2026-11-26T23:00:00", "192.0.2.1", ""),
        ("+33891234567", "2026-11-26T23:00:00", "192.0.2.200", ""),
        ("+5371234567", "2026-11-26T12:00:00", "192.0.2.1", ""),
        # Days of the week, of one account: Friday, Saturday, Sunday, Monday.
        ("+33891234567", "2026-11-27T23:59:59", "192.0.2.200", ""),
        ("+33891234567", "2026-11-28T00:00:00", "192.0.2.200", "weekend"),
        ("+33891234567", "2026-11-29T23:59:59", "192.0.2.200", "weekend"),
        ("+33891234567", "2026-11-30T00:00:00", "192.0.2.200", ""),
        ("+33891234567", "2026-11-28T12:00:00", "192.0.2.1", ""),
        # Hours of another place: in winter Réunion is three hours before Paris.
        ("+262262001234", "2026-11-26T18:59:59", "192.0.2.1", ""),
        ("+262262001234", "2026-11-26T19:00:00", "192.0.2.1", "island-night"),
        ("+262262001234", "2026-11-27T03:00:00", "192.0.2.1", ""),
    ],
)
def test_barring_lists_9_1_17(
    snapshot_with: Callable[..., PolicySnapshot],
    attempt_of: Attempts,
    called: str,
    when: str,
    source: str,
    rule: str,
) -> None:
    """By zone, prefix, account and time of day; the shadow takes a note."""
    found, attempt = reached(snapshot_with(BARRED), attempt_of, called, when, source=source, cli="sip:+33162123456@h")
    assert (Reason.DESTINATION_BARRED if rule else None, rule) == (found, attempt.rule)
    assert attempt.shadowed == (["destination_barred"] if called.startswith("+53") else [])


GUARDED = (
    'rate_deck = "rates.csv"\n',
    ZONES
    + """
[[guards]]
id = "premium"
zones = ["premium"]
calls = 20
spend = "50.00"

[[guards]]
id = "cuba"
zones = ["Cuba"]
calls = 5
window_s = 600
mode = "shadow"

[[guards]]
id = "one-account"
accounts = ["robot"]
prefixes = ["+44"]
calls = 3

[[guards]]
id = "prefix"
prefixes = ["+4420"]
calls = 7
spend = "9.50"

[[guards]]
id = "rest"
except_prefixes = ["+33"]
spend = "100"
""",
)


@pytest.mark.parametrize(
    ("called", "lists"),
    [
        ("+33899001234", {"premium"}),
        ("+33820001234", {"premium"}),
        ("118712", {"premium"}),
        ("3250", {"premium"}),
        ("+881612345678", {"satellite"}),
        ("+979123456789", {"satellite"}),
        ("+5371234567", {"irsf"}),
        ("+252612345678", {"irsf"}),
        ("+18761234567", {"irsf"}),
        ("+447012345678", {"irsf"}),
        ("+33199001234", set()),
        ("+33800001234", set()),
        ("3000", set()),
        ("+442079460000", set()),
        ("+12025550100", set()),
        ("+390612345678", set()),
    ],
)
def test_contract_9_1_17_built_in_lists_of_dear_destinations(
    document_with: Documents, attempt_of: Attempts, called: str, lists: set[str]
) -> None:
    """Contract 9.1.17, 9.2.3: with one word a guard counts them; `dear` is all of the lists, without it none counts."""
    for name in ("premium", "satellite", "irsf", "dear"):
        snapshot = document_with("", "", f'[[guards]]\nid = "g"\nlists = ["{name}"]\ncalls = 9\n')
        found, attempt = reached(snapshot, attempt_of, called)
        counted = [Frequency("guard.g", "all", 9, 3_600_000)] if name in lists or (name == "dear" and lists) else []
        assert (found, attempt.frequencies) == (None, counted)
    bare = document_with("", "", '[[guards]]\nid = "g"\nprefixes = ["+999"]\ncalls = 9\n')
    assert reached(bare, attempt_of, called)[1].frequencies == []


def test_a_list_and_prefixes_of_ones_own(document_with: Documents, attempt_of: Attempts) -> None:
    """Added to each other; exceptions hold for both; a barring list takes them too."""
    guard = '[[guards]]\nid = "g"\nlists = ["satellite"]\nprefixes = ["+44"]\nexcept_prefixes = ["+8816"]\ncalls = 9\n'
    snapshot = document_with("", "", guard)
    counted = [
        bool(reached(snapshot, attempt_of, called)[1].frequencies) for called in ("+442079460000", "+8817123456")
    ]
    assert counted == [True, True]
    assert reached(snapshot, attempt_of, "+881612345678")[1].frequencies == []
    barred = document_with("", "", '[[barring]]\nid = "b"\nlists = ["satellite"]\n')
    assert reached(barred, attempt_of, "+881612345678")[0] == Reason.DESTINATION_BARRED


@pytest.mark.parametrize(
    ("called", "frequencies", "guard"),
    [
        ("+33891234567", [Frequency("guard.premium", "all", 20, 3_600_000)], SpendGuard("premium", 50_000_000)),
        ("+5371234567", [Frequency("guard.cuba", "all", 5, 600_000, mode=SHADOW)], None),
        (
            "+442079460000",
            [Frequency("guard.prefix", "all", 7, 3_600_000)],
            SpendGuard("prefix", 9_500_000),
        ),
        ("+441632960000", [], SpendGuard("rest", 100_000_000)),
        ("+33199001234", [], None),
    ],
)
def test_contract_9_1_7_and_24_2_2_guards_of_a_sudden_rise(
    document_with: Documents,
    attempt_of: Attempts,
    called: str,
    frequencies: list[Frequency],
    guard: SpendGuard | None,
) -> None:
    """Contract 9.1.17, 9.2.3, 24.2.2: calls and money for each kind of destination; the first guard that matches
    counts; a zone is the document's, else the deck's."""
    head, more = GUARDED
    base = document_with(head, "", more)
    snapshot = PolicySnapshot(base._document, deck=DECK)
    found, attempt = reached(snapshot, attempt_of, called)
    assert (None, frequencies, guard) == (found, attempt.frequencies, attempt.guard)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[guards]]\nid = "g"\n', r"guards\[0\]: expected calls or spend: nothing is guarded"),
        ('[[guards]]\nid = "g"\nspend = "1"\n', r"guards\[0\]\.spend: calls have no price: expected a rate_deck"),
        ('[[barring]]\nid = "b"\nzones = ["x"]\n', r"barring\[0\]\.zones\[0\]: no zone named 'x'; known: none"),
        ('[[barring]]\nid = "b"\naccounts = ["x"]\n', r"barring\[0\]\.accounts\[0\]: no account named 'x'"),
        ('[[barring]]\nid = "b"\n[[barring]]\nid = "b"\n', r"barring\[1\]\.id: 'b' is defined twice"),
        (
            '[[destinations]]\nzone = "a"\nprefixes = ["+1"]\n[[destinations]]\nzone = "b"\nprefixes = ["+1"]\n',
            r"destinations\[1\]\.prefixes\[0\]: '\+1' already belongs to zone 'a'",
        ),
        ('[[barring]]\nid = "b"\nhours = ["9-10"]\n', r"barring\[0\]\.hours\[0\]: expected a window of the day"),
        ('[[barring]]\nid = "b"\ndays = ["monday"]\n', r"barring\[0\]\.days\[0\]: expected 'mon', 'tue'"),
        (
            "[telemarketing]\nhours = [{ id = 'x', from = 2026-01-02, until = 2026-01-02 }]\n",
            r"telemarketing\.hours\[0\]\.until: expected a day after 2026-01-02",
        ),
        (
            "[telemarketing]\nconsents = [{ id = 'x', model = 'opt-in', proof_years = 4 }]\n",
            r"telemarketing\.consents\[0\]\.proof_years: expected at most 3, got 4",
        ),
        ("[telemarketing]\nmax = 1\n", r"telemarketing\.max: unknown key; known: rules, mode"),
    ],
)
def test_faults_have_their_place(text: str, message: str) -> None:
    """What is wrong in these sections is told as everywhere."""
    with pytest.raises(PolicyError, match=message):
        parse_policy(text)
