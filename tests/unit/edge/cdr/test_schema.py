"""The JSON Schema that ships: what it lets through and what not."""

import json
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from edge.cdr.builder import CdrBuilder
from edge.cdr.record import COLUMNS
from edge.cdr.schema import json_schema
from edge.proxy.facts import CallFacts
from limits.model import InForce
from limits.rates import Price

SHIPPED = Draft202012Validator(json.loads((files("edge.cdr") / "cdr.schema.json").read_text()))


def line(**fields: object) -> dict:
    facts = CallFacts("u", 5.0)
    for name, value in fields.items():
        setattr(facts, name, value)
    return json.loads(CdrBuilder("n", wall0=1.7e9, mono0=0.0).line(facts, 1))


FULL = line(
    sent_at=5.1, answered_at=6.0, released_at=66.0, price=Price(0, 10_000, 60, 60, 0), paid_s=60, tags=("a", "b"),
    candidates=[("a", 503), ("b", 200)], tries=[(None, 5.1), (5.1, 6.0)], in_force=InForce(1, 2, 3, 4, 5),
    account_kind="human", decided_by="limits", attestation="A", shadowed=("caps",), release_side="egress",
)  # fmt: skip


def test_what_ships_is_what_the_columns_say():
    """Generated, and a valid schema itself."""
    Draft202012Validator.check_schema(SHIPPED.schema)
    assert json_schema() == SHIPPED.schema
    assert [column.name for column in COLUMNS] == SHIPPED.schema["required"]


@given(st.builds(lambda **fields: line(**fields), call_id=st.text(), tags=st.lists(st.text(), max_size=3).map(tuple)))
def test_every_line_is_valid(record):
    """Whatever a caller wrote."""
    SHIPPED.validate(record)


def anything_like(name: str, value: object) -> st.SearchStrategy:
    """Values of the kind that this fact has, whatever a caller, a trunk or an operator has written."""
    text = st.text(max_size=20)
    pairs = {
        "candidates": st.tuples(text, st.sampled_from([0, 200, 408, 503])),
        "headers": st.tuples(text, text),
        "tries": st.tuples(st.none() | INSTANTS, st.none() | INSTANTS),
        "candidate_causes": st.integers(0, 127),
    }
    if name in pairs:
        return st.lists(pairs[name], max_size=3)
    if name.endswith("_at"):
        return st.none() | INSTANTS
    kinds = {bool: st.booleans(), int: st.integers(-(2**63), 2**64), str: text, tuple: st.lists(text).map(tuple)}
    return kinds.get(type(value), st.just(value))


INSTANTS = st.floats(5.0, 500.0)
KNOWN_WORDS = {
    name: st.sampled_from(shape["enum"])
    for name, shape in SHIPPED.schema["properties"].items()
    if "enum" in shape and name != "outcome"
}
COUNTS, STEPS = st.integers(0, 10**9), st.integers(1, 60)
READ_ONLY = ("is_billed", "duration_ms")
NAMES = [name for name in dir(CallFacts) if name[0] != "_" and not callable(getattr(CallFacts, name))]
FACTS = st.fixed_dictionaries(
    {
        name: KNOWN_WORDS.get(name, anything_like(name, getattr(CallFacts("u", 5.0), name)))
        for name in NAMES
        if name not in ("received_at", "in_force", "price", *READ_ONLY)
    }
    | {"price": st.none() | st.builds(Price, COUNTS, COUNTS, STEPS, STEPS, STEPS)}
)


@pytest.mark.parametrize(
    ("outcome", "known"),
    [
        ("answered", {"answered_at": 6.0}),
        ("cancelled", {"answered_at": None, "status": 487, "sent_at": 5.5}),
        ("abandoned", {"answered_at": None, "status": 487, "sent_at": None}),
        ("refused", {"answered_at": None, "status": 503, "reason": "caps", "sent_at": None, "lost": False}),
        ("failed", {"answered_at": None, "status": 503, "reason": "unavailable", "sent_at": 5.5}),
    ],
)
@settings(max_examples=80, deadline=None)
@given(facts=FACTS)
def test_every_line_of_each_outcome_is_valid(outcome, known, facts):
    """Any facts, in any combination."""
    record = line(**facts | known)
    assert record["outcome"] == outcome
    SHIPPED.validate(record)


def test_a_full_line_is_valid():
    """Lists, instants and words that most attempts do not have; and the sum that a line on disk ends with."""
    SHIPPED.validate(FULL)
    SHIPPED.validate({**FULL, "crc": "0123abcd", "of_a_later_edge": 1})


@pytest.mark.parametrize("name", [column.name for column in COLUMNS])
def test_a_missing_or_wrong_column_is_invalid(name):
    """No column is optional, none takes just anything."""
    assert not SHIPPED.is_valid({key: value for key, value in FULL.items() if key != name})
    assert not SHIPPED.is_valid({**FULL, name: {"no": "such"}})


@pytest.mark.parametrize(
    "wrong", [{"outcome": "lost"}, {"received_at": "2026-07-01"}, {"candidates": [["a"]]}, {"v": 2}]
)
def test_a_wrong_value_is_invalid(wrong):
    """The words, the form of an instant, the shape of a pair, the version."""
    assert not SHIPPED.is_valid({**FULL, **wrong})
