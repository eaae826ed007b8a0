"""The line by the short road is the line by the long one, to the byte."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.cdr import short_road
from edge.cdr.builder import CdrBuilder
from edge.cdr.instants import Instants
from edge.cdr.marks import MarkThresholds
from edge.proxy.facts import CallFacts
from limits.model import InForce
from limits.rates import Price

THRESHOLDS = MarkThresholds(short_ms=1_000, acd_ms=2_000)
BUILDER = CdrBuilder("n1", wall0=1.7e9, mono0=0.0, thresholds=THRESHOLDS)
"""One for all: what one record has left behind is what the next one finds."""
LONG_WAY = ("uid", "source", "call_id", "from_tag", "to_tag", "cli_original", "cli_presented", "cli_network",
            "called_original", "called", "cli_rewritten", "called_rewritten")  # fmt: skip
NAMES = [name for name in dir(CallFacts) if name[0] != "_" and not callable(getattr(CallFacts, name))]
WORDS = st.sampled_from(["", "a", 'é"\\%{}', "\x7f\n"])
FEW = st.sampled_from([0, 1, 255])
AT = st.sampled_from([5.0, 5.25, 6.1234565, 7.5, 8.9999996])
SHAPES = {
    "candidates": st.lists(st.tuples(WORDS, FEW), max_size=2),
    "headers": st.lists(st.tuples(WORDS, WORDS), max_size=2),
    "tries": st.lists(st.tuples(st.none() | AT, st.none() | AT), max_size=2),
    "candidate_causes": st.lists(FEW, max_size=2),
    "in_force": st.builds(InForce, FEW, FEW, FEW, FEW, FEW),
    "price": st.none() | st.builds(Price, FEW, FEW, st.just(1), st.just(1), FEW),
    "reason": st.sampled_from(["answered", "cancelled", "abandoned", "caps"]),
    "status": st.sampled_from([0, 200, 487, 503]),
    "received_at": AT,
}


def values_of(name: str) -> st.SearchStrategy:
    if name in SHAPES:
        return SHAPES[name]
    if name.endswith("_at"):
        return st.none() | AT
    if name in LONG_WAY:
        return st.sampled_from(["", "a", "+33612345678"])
    kinds = {bool: st.booleans(), int: FEW, str: WORDS, tuple: st.lists(WORDS, max_size=2).map(tuple)}
    return kinds[type(getattr(CallFacts("u", 5.0), name))]


ORDINARY = st.fixed_dictionaries({name: values_of(name) for name in NAMES if name not in ("is_billed", "duration_ms")})
"""Few values for each fact: so most of what a record needs is there already, from others."""


def facts_of(**fields: object) -> CallFacts:
    facts = CallFacts("u-1", 5.0)
    for name, value in fields.items():
        setattr(facts, name, value)
    return facts


def short(facts: CallFacts, seq: int = 7) -> str:
    return BUILDER._short.line(facts, seq)


@settings(max_examples=400)
@given(ORDINARY, st.integers(1, 2**53 - 1))
def test_both_roads_lead_to_the_same_line(fields, seq):
    """Whatever is found of records before; and the short one is taken."""
    facts = facts_of(**fields)
    assert short(facts, seq).encode() == BUILDER.complete(facts, seq) == BUILDER.line(facts, seq)


@pytest.mark.parametrize("name", NAMES)
def test_no_fact_is_forgotten(name):
    """One record, then another one that differs in this fact alone: the second has nothing of the first."""
    if name in ("is_billed", "duration_ms"):
        return
    common = {"sent_at": 5.5, "answered_at": 6.0, "released_at": 6.5, "price": Price(1, 60, 1, 1, 0), "paid_s": 60}
    before = facts_of(**common)
    BUILDER.line(before, 7)
    now = getattr(before, name)
    others = {"in_force": InForce(7, 6, 5, 4, 3), "price": Price(2, 120, 2, 2, 2), "candidates": [("a", 1)],
              "headers": [("a", "b")], "tries": [(5.5, 6.0)], "candidate_causes": [16]}  # fmt: skip
    kinds = {bool: not now, int: 255, str: "other", tuple: ("other",), float: 5.75, type(None): 5.75}
    facts = facts_of(**common | {name: others.get(name) or kinds[type(now)]})
    assert short(facts).encode() == BUILDER.complete(facts, 7)


@pytest.mark.parametrize("name", LONG_WAY)
@pytest.mark.parametrize("text", ['a"b', "back\\slash", "é", "\n", "\0", "\ud800", "x" * 5_000])
def test_what_must_be_escaped_or_cut_takes_the_long_road(name, text):
    """Of every text that differs from call to call."""
    facts = facts_of(**{name: text})
    line = BUILDER.line(facts, 7)
    assert line == BUILDER.complete(facts, 7)
    assert json.loads(line)[name] == text.encode("utf-8", "replace").decode()[:200]


@pytest.mark.parametrize("name", ["in_use", "limit_in_use", "hold_micros", "holds", "paid_s", "status", "ceiling"])
@pytest.mark.parametrize("number", [-1, 2**53, 2**64, -(2**63) - 1])
def test_a_number_beyond_all_counts_takes_the_long_road(name, number):
    """Which says what becomes of it."""
    facts = facts_of(**{name: number}, price=Price(0, 1, 1, 1, 0))
    assert BUILDER.line(facts, 7) == BUILDER.complete(facts, 7)


@pytest.mark.parametrize("milliseconds", [0, 999, 1_000, 1_999, 2_000, 60_000])
def test_the_marks_go_by_the_duration_of_this_call(milliseconds):
    """Calls that are alike but for their length."""
    facts = facts_of(sent_at=5.0, answered_at=6.0, released_at=6.0 + milliseconds / 1_000)
    assert short(facts).encode() == BUILDER.complete(facts, 7)


def test_what_is_kept_has_a_bound():
    """However many accounts come, and each line is right when all before it have been forgotten."""
    builder = CdrBuilder("n1", wall0=1.7e9, mono0=0.0)
    for number in range(short_road.MAX_KEPT + 3):
        facts = facts_of(account=f"acc{number}")
        line = builder.line(facts, 1)
    assert len(builder._short._account.kept) == 3
    assert line == builder.complete(facts, 1)


@given(st.floats(0, 4e9), st.floats(0, 1e7) | st.integers(0, 10**7).map(float))
def test_an_instant_is_rounded_as_datetime_does(wall_at_zero, at):
    """To the microsecond, and never a whole second."""
    instants = Instants(wall_at_zero)
    text = instants.moment(at).isoformat(timespec="microseconds").replace("+00:00", "Z")
    assert f'"{text}"' == instants.text(at)


@pytest.mark.parametrize("micros", [0, 1, 999_998, 999_999, 999_999.4, 999_999.5, 999_999.6, 0.4, 0.5, 1.5, 2.5])
def test_the_ends_of_a_second(micros):
    """What rounds up to the next second, or down to a whole one."""
    instants = Instants(0.0)
    text = instants.moment(1_700 + micros / 1e6).isoformat(timespec="microseconds").replace("+00:00", "Z")
    assert f'"{text}"' == instants.text(1_700 + micros / 1e6)


def test_the_seconds_that_are_kept_have_a_bound():
    """However long it runs."""
    instants = Instants(0.0)
    for second in range(5_000):
        instants.text(second + 0.5)
    assert len(instants._seconds) <= 4_096
