"""From a record to the settlements that ended with it."""

import json

import pytest

from edge.cdr.builder import CdrBuilder
from edge.cdr.replay import settlements_of
from edge.proxy.facts import CallFacts
from limits.model import Settle
from limits.rates import Price

PRICE = Price(0, 600_000, 60, 1, 0)


def record(**fields: object) -> dict:
    facts = CallFacts("u", 1.0)
    facts.account = "acme"
    for name, value in fields.items():
        setattr(facts, name, value)
    return json.loads(CdrBuilder("n", wall0=1.7e9, mono0=0.0).line(facts, 1))


ANSWERED = {"sent_at": 1.0, "answered_at": 2.0, "released_at": 62.5, "egress_trunk": "out", "price": PRICE}


def test_every_holder_of_a_call_is_settled():
    """Account, group and trunk; what it cost is asked of the account and the group only."""
    assert settlements_of(record(**ANSWERED, group="g")) == [
        Settle("acme", "u", "answered", 60_500, PRICE, doubtful=True),
        Settle("group:g", "u", "answered", 60_500, PRICE, doubtful=True),
        Settle("trunk:out", "u", "answered", 60_500, None, doubtful=True),
    ]


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"sent_at": 1.0, "status": 486}, "failed"),
        ({"sent_at": 1.0, "status": 487}, "cancelled"),
        ({"reason": "abandoned"}, "abandoned"),
    ],
)
def test_a_call_that_was_not_answered_gives_its_lease_back(fields, outcome):
    """Nothing is charged, the hold returns."""
    (settle,) = settlements_of(record(**fields))
    assert settle == Settle("acme", "u", outcome, 0, None, doubtful=True)


@pytest.mark.parametrize(
    "found",
    [
        record(account="", **ANSWERED),
        record(emergency=True, **ANSWERED),
        record(status=503, reason="caps"),
        {"uid": "u"},
        {"account": "a", "uid": 3, "outcome": "answered", "duration_ms": 1},
        {"account": "a", "uid": "u", "outcome": "answered", "duration_ms": "1"},
    ],
)
def test_what_held_nothing_is_not_settled(found):
    """Unknown accounts, emergency calls, refusals, what is no record of ours."""
    assert settlements_of(found) == []
