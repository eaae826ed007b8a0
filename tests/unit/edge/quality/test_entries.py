"""edge.quality.entries: what the ledger says"""

import pytest
from records import at

from edge.quality.counts import Counts
from edge.quality.entries import (
    CORRECTION,
    Entry,
    case_reference,
    correction_reference,
    finding_entry,
    finding_reference,
    in_month,
    net_micros,
    totals,
)
from edge.quality.penalties import Finding
from edge.quality.terms import Terms

HOUR = at("2026-11-26T10:00+01:00")
FINDING = Finding(
    "asr",
    40,
    20_000,
    False,
    Counts.of(told=40, attempts=40, answered=10),
    HOUR,
    HOUR + 3_600,
    "failed",
    "clock",
    60,
    20,
)


def entry(seq: int, amount: int, *, kind: str = "asr", corrects: int = 0, for_s: int = HOUR, calls: int = 0) -> Entry:
    return Entry(seq, "acme", HOUR * 1_000, for_s, kind, f"r{seq}", amount, "EUR", corrects=corrects, calls=calls)


def test_a_finding_enters_with_its_evidence():
    """Counts, window, examples, and how to find the records."""
    found = finding_entry(FINDING, "acme", HOUR, ["u1", "u2"], Terms())
    assert (found.amount_micros, found.calls, found.each_micros, found.by) == (800_000, 40, 20_000, "edge")
    assert found.reference == "asr:hour:2026-11-26T09:00:00Z"
    assert found.evidence == {
        "hour": "2026-11-26 10h +0100",
        "window": "clock",
        "from": "2026-11-26T09:00:00Z",
        "to": "2026-11-26T10:00:00Z",
        "told": 40,
        "attempts": 40,
        "answered": 10,
        "threshold": 60,
        "minimum": 20,
        "examples": ["u1", "u2"],
        "records": "account=acme released_at>=2026-11-26T09:00:00Z",
    }


def test_an_entry_is_one_text():
    """The same entry has the same text, and the text the same entry."""
    found = finding_entry(FINDING, "acmé", HOUR, ["u1"], Terms())
    assert Entry.from_text(found.to_text()).to_text() == found.to_text()
    assert found.to_text().isascii()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"seq": 1}', "null"])
def test_what_is_no_entry_is_refused(text):
    """Damage by hand is told."""
    with pytest.raises(ValueError, match="not an entry of ours"):
        Entry.from_text(text)


def test_references_of_findings_cases_and_corrections_never_meet():
    """Whatever an operator types."""
    assert finding_reference("cli", HOUR) != case_reference("cli", f"hour:{HOUR}")
    assert case_reference("cli", "1:1") != correction_reference(1, 1)


def test_an_entry_comes_to_its_amount_and_its_corrections():
    """2.00, corrected to 0.50 and then to 0."""
    ledger = [entry(1, 2_000_000), entry(2, 7), entry(3, -1_500_000, kind=CORRECTION, corrects=1)]
    assert (net_micros(ledger, 1), net_micros(ledger, 2)) == (500_000, 7)
    ledger.append(entry(4, -500_000, kind=CORRECTION, corrects=1))
    assert net_micros(ledger, 1) == 0


def test_totals_are_the_sum_of_the_entries():
    """By kind."""
    ledger = [entry(1, 2_000_000, calls=100), entry(2, 80_000, kind="short_calls", calls=4), entry(3, 20_000, calls=1)]
    assert [tuple(total) for total in totals(ledger)] == [("asr", 2, 101, 2_020_000), ("short_calls", 1, 4, 80_000)]


def test_an_entry_is_billed_in_the_month_it_is_for():
    """The month of the policy's zone: 30 November 23:30 UTC is December in Paris."""
    ledger = [entry(1, 1), entry(2, 1, for_s=at("2026-11-30T23:30"))]
    assert [e.seq for e in in_month(ledger, "2026-11", Terms())] == [1]
    assert [e.seq for e in in_month(ledger, "2026-12", Terms())] == [2]
    assert len(in_month(ledger, "", Terms())) == 2
