"""edge.quality.sampling: what one record counts for"""

import msgspec
import orjson
import pytest
from records import PARIS, at, record

from edge.cdr.seal import sealed
from edge.quality.counts import SIZE, Counts
from edge.quality.sampling import Definition, count, failed_before, kind_of, read_line, read_record

NOON = at("2026-11-26T12:00+01:00")
DEFAULT = Definition(PARIS)


def counts_of(definition: Definition = DEFAULT, **values) -> Counts:
    numbers = [0] * SIZE
    count(read_record(record(1, released=NOON, **values)), definition, numbers)
    return Counts(tuple(numbers))


@pytest.mark.parametrize(
    ("values", "attempts", "answered", "effective"),
    [
        ({"outcome": "answered", "talk_s": 20}, 1, 1, 1),
        ({"outcome": "failed", "status": 486, "q850": 17}, 1, 0, 1),  # busy: the network did its part
        ({"outcome": "failed", "status": 480, "q850": 18}, 1, 0, 1),
        ({"outcome": "failed", "status": 603, "q850": 21}, 1, 0, 1),
        ({"outcome": "failed", "status": 403, "q850": 21}, 1, 0, 0),  # 403 has cause 21 too, and is no callee's word
        ({"outcome": "failed", "status": 500, "q850": 19}, 1, 0, 1),  # the cause says no answer
        ({"outcome": "failed", "status": 503, "q850": 41}, 1, 0, 0),
        ({"outcome": "failed", "status": 503, "q850": 41, "pdd_ms": 900}, 1, 0, 1),  # it rang
        ({"outcome": "cancelled", "status": 487}, 1, 0, 0),
        ({"outcome": "cancelled", "status": 487, "pdd_ms": 900}, 1, 0, 1),
        ({"outcome": "abandoned", "status": 487}, 0, 0, 0),
        ({"outcome": "refused", "status": 503, "reason": "caps"}, 0, 0, 0),
        ({"outcome": "answered", "talk_s": 20, "emergency": True}, 0, 0, 0),
        ({"outcome": "answered", "talk_s": 20, "lost": True}, 0, 0, 0),
    ],
)
def test_what_counts_by_default(values, attempts, answered, effective):
    """ASR = answered ÷ sent to a trunk; NER by response, cause or ringing."""
    found = counts_of(**values)
    assert (found["told"], found["attempts"], found["answered"], found["effective"]) == (
        1,
        attempts,
        answered,
        effective,
    )


@pytest.mark.parametrize(
    ("uncounted", "values", "attempts"),
    [
        (frozenset(), {"outcome": "refused", "status": 503}, 1),
        (frozenset(), {"outcome": "answered", "emergency": True}, 1),
        (frozenset({"cancelled"}), {"outcome": "cancelled", "status": 487}, 0),
    ],
)
def test_what_counts_is_data(uncounted, values, attempts):
    """The policy may count refusals, and may leave out what the caller gave up."""
    assert counts_of(DEFAULT._replace(uncounted=uncounted), **values)["attempts"] == attempts


@pytest.mark.parametrize(("talk_s", "short"), [(7.999, 1), (8.0, 0), (0.0, 1), (60, 0)])
def test_a_call_is_short_under_eight_seconds(talk_s, short):
    """Article 26: answered and shorter than 8 s."""
    found = counts_of(talk_s=talk_s)
    assert (found["short"], found["answered_ms"]) == (short, int(talk_s * 1_000))


def test_an_unanswered_call_is_never_short():
    """Short calls are answered ones."""
    assert counts_of(outcome="failed", status=486)["short"] == 0


@pytest.mark.parametrize(
    ("values", "cli"),
    [
        ({"outcome": "refused", "reason": "cli_refused"}, 1),
        ({"outcome": "refused", "reason": "cli_invalid"}, 1),
        ({"outcome": "refused", "reason": "cli_not_owned"}, 1),
        ({"outcome": "refused", "reason": "cli_withheld"}, 0),
        ({"outcome": "refused", "reason": "caps"}, 0),
        ({"outcome": "answered", "candidates": ("cli",)}, 1),  # a rule in shadow let it pass
        ({"outcome": "answered", "candidates": ("cli",), "emergency": True}, 0),
    ],
)
def test_a_finding_on_the_caller_s_number(values, cli):
    """Article 27, first case row."""
    assert counts_of(**values)["cli"] == cli


def test_money_counts_whatever_the_kind():
    """The month's consumption is that of the CDRs."""
    found = counts_of(talk_s=20, lost=True, cost=70_000, billed_s=24)
    assert (found["cost_micros"], found["billed_s"], found["lost"]) == (70_000, 24, 1)


def test_each_trunk_that_was_tried_has_its_part():
    """Those before the last one had an attempt that failed; the last one has the call."""
    told = read_record(record(1, released=NOON, talk_s=20, tried=(("a", 503), ("b", 486), ("c", 200))))
    found = {trunk: Counts(numbers) for trunk, numbers in failed_before(told, DEFAULT)}
    assert {t: (c["attempts"], c["answered"], c["effective"]) for t, c in found.items()} == {
        "a": (1, 0, 0),
        "b": (1, 0, 1),
    }
    assert told.tried[-1] == ("c", 200)


def test_a_call_is_of_the_hour_in_which_it_ended_or_came():
    """By the policy's choice; it ended at 12:00:00 and came 61 s before."""
    told = read_record(record(1, released=NOON, talk_s=60))
    assert told.minute(DEFAULT) == NOON
    assert told.minute(DEFAULT._replace(counted_at="received")) == NOON - 120


def test_kinds_have_an_order():
    """A call of a dead node is lost before it is anything else."""
    told = read_record(record(1, released=NOON, emergency=True, lost=True))
    assert (kind_of(told), kind_of(msgspec.structs.replace(told, lost=False))) == ("lost", "emergency")


@pytest.mark.parametrize(
    "damage",
    [
        {"seq": "1"}, {"seq": True}, {"duration_ms": 1.5}, {"received_at": "yesterday"}, {"received_at": None},
        {"received_at": "2026-11-26T12:00:00"}, {"candidates": "out"}, {"candidates": [["out"]]}, {"pdd_ms": "1"},
    ],
)  # fmt: skip
def test_what_is_no_record_is_told_apart(damage):
    """ValueError, never a wrong count."""
    spoilt = {**record(1, released=NOON), **damage}
    with pytest.raises(ValueError, match="not a record of ours"):
        read_record(spoilt)
    with pytest.raises(ValueError, match="not a record of ours"):
        read_line(orjson.dumps(spoilt))


@pytest.mark.parametrize("line", [b"", b"{", b"[]\n", b"\xff\n", b'{"seq":1}\n'])
def test_a_line_that_is_no_record_is_told_apart(line):
    """Whatever is in the file."""
    with pytest.raises(ValueError, match="not a record of ours"):
        read_line(line)


def test_a_line_and_its_record_say_the_same():
    """With its sum, and the columns nobody asks for here."""
    made = record(1, released=NOON, talk_s=20, tried=(("a", 503), ("c", 200)), candidates=("acd",))
    line = sealed(orjson.dumps({**made, "another": [1]}) + b"\n")
    assert read_line(line) == read_record(made)


def test_a_column_that_is_missing_is_named():
    """So that a log of another version explains itself."""
    found = record(1, released=NOON)
    del found["billed_s"]
    with pytest.raises(ValueError, match="billed_s"):
        read_record(found)


@pytest.mark.parametrize(
    ("text", "minute"),
    [
        ("2026-11-26T12:00:59.999999Z", "2026-11-26T12:00"),
        ("2026-11-26T12:00:59Z", "2026-11-26T12:00"),
        ("2026-11-26T00:30:00.000001+01:00", "2026-11-25T23:30"),
        ("2026-11-26T12:00:00.000001-05:30", "2026-11-26T17:30"),
    ],
)
def test_an_instant_is_that_of_utc_however_it_is_written(text, minute):
    """Records of ours have 27 characters and a Z; the day of a destination goes by the same text."""
    told = read_record({**record(1, released=NOON), "received_at": text, "released_at": text})
    assert (told.minute_text(DEFAULT), told.minute(DEFAULT), told.ended_s) == (minute, at(minute), at(minute))
    assert told.received_at[:16] == minute
