"""From the facts of one attempt to one line."""

import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.cdr.builder import MAX_LINE_BYTES, CdrBuilder, duration_ms, outcome_of
from edge.cdr.record import COLUMNS, CallOutcome
from edge.proxy.facts import CallFacts

WALL0 = datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC).timestamp()
MONO0 = 5_000.0
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
FRESH = CallFacts("u", 0.0)
TEXTS = [name for name in dir(FRESH) if name[0] != "_" and name != "uid" and isinstance(getattr(FRESH, name), str)]


def facts_of(**fields: object) -> CallFacts:
    facts = CallFacts("n1-1", MONO0)
    for name, value in fields.items():
        setattr(facts, name, value)
    return facts


def record_of(facts: CallFacts, *, seq: int = 1, wall0: float = WALL0) -> dict:
    line = CdrBuilder("n1", wall0=wall0, mono0=MONO0).line(facts, seq)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    return json.loads(line)


ANSWERED = {
    "decided_at": MONO0 + 0.001,
    "sent_at": MONO0 + 0.0015,
    "ringing_at": MONO0 + 1.25,
    "answered_at": MONO0 + 5.0,
    "released_at": MONO0 + 65.5,
    "status": 200,
    "reason": "answered",
}


def test_the_keys_are_the_columns_in_their_order():
    """record.COLUMNS is the whole truth about a line."""
    assert [column.name for column in COLUMNS] == list(record_of(facts_of()))


def test_an_answered_call_in_full():
    """Every value of an answered call, to the microsecond."""
    facts = facts_of(
        **ANSWERED,
        account="acc0001",
        source="192.0.2.1:5060",
        candidates=[("a", 503), ("b", 200)],
        q850=16,
        emergency=True,
    )
    record = record_of(facts, seq=7)

    expected = {
        "v": 1,
        "seq": 7,
        "node": "n1",
        "uid": "n1-1",
        "outcome": "answered",
        "reason": "answered",
        "status": 200,
        "q850": 16,
        "account": "acc0001",
        "source": "192.0.2.1:5060",
        "candidates": [["a", 503], ["b", 200]],
        "emergency": True,
        "received_at": "2026-07-01T12:00:00.000001Z",
        "decided_at": "2026-07-01T12:00:00.001000Z",
        "sent_at": "2026-07-01T12:00:00.001500Z",
        "ringing_at": "2026-07-01T12:00:01.250000Z",
        "answered_at": "2026-07-01T12:00:05.000001Z",
        "released_at": "2026-07-01T12:01:05.500000Z",
        "decision_us": 1000,
        "pdd_ms": 1250,
        "duration_ms": 60500,
    }
    assert expected == {name: record[name] for name in expected}


def test_what_did_not_happen_is_null():
    """A refused attempt has neither ringing nor answer, and lasted no time."""
    record = record_of(facts_of(decided_at=MONO0, released_at=MONO0, status=403, reason="cli_refused"))

    assert tuple(record[n] for n in ("sent_at", "ringing_at", "answered_at", "pdd_ms")) == (None, None, None, None)
    assert (record["duration_ms"], record["decision_us"]) == (0, 0)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (ANSWERED, CallOutcome.ANSWERED),
        (ANSWERED | {"status": 487, "reason": "cancelled"}, CallOutcome.ANSWERED),
        ({"status": 503, "reason": "caps"}, CallOutcome.REFUSED),
        ({"status": 0, "reason": "caps"}, CallOutcome.REFUSED),
        ({"status": 486, "reason": "busy", "sent_at": MONO0}, CallOutcome.FAILED),
        ({"status": 408, "reason": "no_answer", "sent_at": MONO0}, CallOutcome.FAILED),
        ({"status": 487, "reason": "cancelled", "sent_at": MONO0}, CallOutcome.CANCELLED),
        ({"status": 487, "reason": "", "sent_at": MONO0}, CallOutcome.CANCELLED),
        ({"status": 487, "reason": "cancelled"}, CallOutcome.ABANDONED),
        ({"status": 0, "reason": "abandoned"}, CallOutcome.ABANDONED),
    ],
)
def test_the_outcome_follows_from_what_happened(fields, expected):
    """One word from the instants and the final status."""
    assert expected == outcome_of(facts_of(**fields))


@pytest.mark.parametrize(
    ("answered_at", "released_at", "expected"),
    [(None, 9.0, 0), (1.0, None, 0), (1.0, 1.0, 0), (1.0, 2.0, 1000), (0.1, 0.3, 200), (1.0, 1.0009, 0), (2.0, 1.0, 0)],
)
def test_the_duration_is_rounded_down_and_never_negative(answered_at, released_at, expected):
    """Whole milliseconds from answer to release."""
    assert expected == duration_ms(facts_of(answered_at=answered_at, released_at=released_at))


@given(st.floats(0, 4e9), st.floats(0, 1e7))
def test_every_instant_has_the_same_form(wall0, after):
    """Six decimals and a Z, on whole seconds too, at any wall clock."""
    record = record_of(facts_of(answered_at=MONO0 + after), wall0=wall0)

    assert INSTANT.fullmatch(record["received_at"])
    assert INSTANT.fullmatch(record["answered_at"])


@given(st.lists(st.floats(0, 1e6), min_size=5, max_size=5))
def test_no_time_is_negative(instants):
    """Whatever order the instants have: decision, post-dial delay and duration are never under zero."""
    names = ("decided_at", "sent_at", "ringing_at", "answered_at", "released_at")
    record = record_of(facts_of(**dict(zip(names, instants, strict=True))))

    assert all(record[name] >= 0 for name in ("decision_us", "pdd_ms", "duration_ms"))


ANY_TEXT = st.text(st.characters(), max_size=400) | st.text(st.characters(categories=["Cs", "Cc"]), max_size=3_000)


@given(st.dictionaries(st.sampled_from(TEXTS), ANY_TEXT), st.integers())
def test_no_text_of_a_caller_breaks_the_line(texts, status):
    """Controls, lone surrogates and endless texts: still one line of JSON, bounded, with every column."""
    line = CdrBuilder("n1", wall0=WALL0, mono0=MONO0).line(
        facts_of(**texts, status=status, candidates=[("t", status)]), 1
    )

    assert len(line) <= 8 * MAX_LINE_BYTES
    assert line.index(b"\n") == len(line) - 1
    assert [column.name for column in COLUMNS] == list(json.loads(line))


@given(st.dictionaries(st.sampled_from(TEXTS), st.text(max_size=40)))
def test_an_ordinary_text_is_told_as_it_came(texts):
    """Nothing is cut or replaced in a record of ordinary size."""
    record = record_of(facts_of(**texts))

    assert texts == {name: record[name] for name in texts}


def test_an_overlong_text_is_cut():
    """8 KiB of Call-ID leave 200 characters, and the sequence number stands."""
    record = record_of(facts_of(call_id="x" * 8_192), seq=12)

    assert (record["call_id"], record["seq"]) == ("x" * 200, 12)
