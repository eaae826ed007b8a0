"""edge.contacts.entries: what an operator writes of a person called"""

import json
from datetime import UTC, datetime

import pytest

from edge.config.rulesets import BUILT_IN_RULESETS, built_in_ruleset, plan_of
from edge.config.telemarketing import built_in
from edge.contacts.entries import CONSENT_KEPT_MS, EntriesError, Entry, entry_of, note_of, read_csv
from limits.frequency import Contacted

PLAN = plan_of(built_in_ruleset(BUILT_IN_RULESETS[0]))
NOW = int(datetime(2026, 11, 26, 9, tzinfo=UTC).timestamp() * 1_000)
NOON = int(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp() * 1_000)
DAY_MS = 86_400_000
COLUMNS = "line 1: expected the columns number, what and optionally at, until, proof"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({"number": "06 39 98 00 01", "what": "refusal"}, Entry("+33639980001", "refusal", NOW)),
        ({"number": "0262123456", "what": "Refusal ", "at": "2026-11-20"}, Entry("+262262123456", "refusal", NOON)),
        (
            {"number": "+33639980001", "what": "consent", "at": "2026-11-20T13:00+01:00", "proof": " form 7 "},
            Entry("+33639980001", "consent", NOON, proof="form 7"),
        ),
        (
            {"number": "+33639980001", "what": "contract", "until": "2027-01-01"},
            Entry("+33639980001", "contract", NOW, int(datetime(2027, 1, 1, 12, tzinfo=UTC).timestamp() * 1_000)),
        ),
    ],
)
def test_entry(words: dict[str, str], expected: Entry) -> None:
    """Any spelling of a number; a day is its noon in UTC, the same day in every territory."""
    assert expected == entry_of(words, PLAN, NOW)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"number": "anonymous", "what": "refusal"}, "number: expected one such as"),
        ({"number": "", "what": "refusal"}, "number: expected one such as"),
        ({"number": "+33639980001", "what": "maybe"}, "what: expected refusal, consent"),
        ({"number": "+33639980001", "what": "refusal", "at": "yesterday"}, "at: expected 2026-08-11 or"),
        ({"number": "+33639980001", "what": "refusal", "at": "2026-11-20T10:00"}, "is in which zone"),
        ({"number": "+33639980001", "what": "refusal", "at": "2026-12-20"}, "is still to come"),
        ({"number": "+33639980001", "what": "consent"}, "a consent without proof is none"),
        ({"number": "+33639980001", "what": "consent", "proof": "a\x1bb"}, "printable characters"),
        ({"number": "+33639980001", "what": "contract", "until": "2026-11-20"}, "until: expected a day to come"),
    ],
)
def test_what_is_none(words: dict[str, str], message: str) -> None:
    """Each with what was expected."""
    with pytest.raises(ValueError, match=message):
        entry_of(words, PLAN, NOW)


def test_file() -> None:
    """In any order of columns, empty lines left out."""
    lines = ["what,number,proof", "refusal,0639980001,", "", 'consent,0639980002,"mail, 3 May"']
    assert [(entry.what, entry.number, entry.proof) for entry in read_csv(lines, PLAN, NOW)] == [
        ("refusal", "+33639980001", ""),
        ("consent", "+33639980002", "mail, 3 May"),
    ]


@pytest.mark.parametrize(
    ("lines", "problems"),
    [
        ([], [f"{COLUMNS}; found nothing"]),
        (["number;what"], [f"{COLUMNS}; found number;what"]),
        (
            ["number,what", "x,refusal", "0639980001,refusal,3", "0639980001,refusal"],
            ["line 2: number: expected one such as +33199001234, got 'x'", "line 3: expected 2 columns, found 3"],
        ),
    ],
)
def test_every_fault_has_its_line(lines: list[str], problems: list[str]) -> None:
    """And nothing is taken of such a file."""
    with pytest.raises(EntriesError) as caught:
        read_csv(lines, PLAN, NOW)
    assert problems == caught.value.problems


@pytest.mark.parametrize(
    ("entry", "happened", "days"),
    [
        (Entry("+331", "refusal", 5), Contacted(refused_ms=5), 400),
        (Entry("+331", "consent", 5, proof="p"), Contacted(consent_ms=5), 365 + 3 * 366),
        (Entry("+331", "hours-consent", 5, proof="p"), Contacted(consent_ms=5, hours_ms=5), 365 + 3 * 366),
        (Entry("+331", "withdrawal", 5), Contacted(withdrawn_ms=5), 365 + 3 * 366),
        (Entry("+331", "contract", 5, NOW + DAY_MS), Contacted(contract_ms=NOW + DAY_MS), 401),
    ],
)
def test_note(entry: Entry, happened: Contacted, days: int) -> None:
    """A digest instead of the number; kept as long as the law wants (consent one year, its proof three more)."""
    note = note_of(entry, lambda number: f"<{number}>", NOW, by="me")
    assert (note.key, note.happened, note.keep_ms) == ("<+331>", happened, days * DAY_MS)
    assert json.loads(note.text)["by"] == "me"
    assert "+331" not in note.text


def test_section_10_a_proof_is_kept_as_long_as_the_law_says() -> None:
    """4.2.8: a year for which it counts and three more, which the ruleset says and the records must outlive."""
    (opt_in,) = [one for one in built_in("fr-telemarketing").consents if one.model == "opt-in"]
    assert (opt_in.max_age_days, opt_in.proof_years) == (365, 3)
    assert CONSENT_KEPT_MS >= (opt_in.max_age_days + opt_in.proof_years * 366) * DAY_MS
