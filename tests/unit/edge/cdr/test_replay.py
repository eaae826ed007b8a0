"""From a record to the settlements that ended with it."""

import json

import pytest

from edge.cdr.builder import CdrBuilder
from edge.cdr.replay import UNASKED, settlements_of
from edge.config.refusals import Reason
from edge.proxy.facts import CallFacts
from limits.journal import DOUBTFUL_S
from limits.model import REFUSED, Settle
from limits.rates import Price

PRICE = Price(0, 600_000, 60, 1, 0)


def record(**fields: object) -> dict:
    facts = CallFacts("u", 1.0)
    facts.account = "acme"
    for name, value in fields.items():
        setattr(facts, name, value)
    return json.loads(CdrBuilder("n", wall0=1.7e9, mono0=0.0).line(facts, 1))


WALL = 1.7e9 + 62.5 + DOUBTFUL_S
"""The last instant at which the tombstone of what is released at 62.5 is sure to be there."""

ANSWERED = {"sent_at": 1.0, "answered_at": 2.0, "released_at": 62.5, "egress_trunk": "out", "price": PRICE}


def test_every_holder_of_a_call_is_settled():
    """Account, group and trunk; what it cost is asked of the account and the group only."""
    since = WALL - DOUBTFUL_S
    assert settlements_of(record(**ANSWERED, group="g"), WALL) == [
        Settle("acme", "u", "answered", 60_500, PRICE, maybe_since=since),
        Settle("group:g", "u", "answered", 60_500, PRICE, maybe_since=since),
        Settle("trunk:out", "u", "answered", 60_500, None, maybe_since=since),
    ]


@pytest.mark.parametrize("released_at", ["2020-01-01T00:00:00Z", None, "soon", 7])
def test_what_was_released_longer_ago_than_a_tombstone_lives_is_doubtful(released_at):
    """Or nobody knows when: the store cannot tell whether it was charged."""
    found = settlements_of({**record(**ANSWERED), "released_at": released_at}, WALL)
    assert [settle.doubtful for settle in found] == [True, True]
    assert all(0 < settle.maybe_since < WALL - DOUBTFUL_S for settle in found)


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
    (settle,) = settlements_of(record(released_at=62.5, **fields), WALL)
    assert settle == Settle("acme", "u", outcome, 0, None, maybe_since=WALL - DOUBTFUL_S)


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
    assert settlements_of(found, WALL) == []


@pytest.mark.parametrize("reason", [*Reason])
def test_only_what_was_refused_without_asking_is_asked_about_again(reason):
    """The store may know of its call at another node; what the store or the policy refused, no node has."""
    refused = record(released_at=62.5, status=503, reason=reason.value)
    is_unasked = reason in (Reason.OVERLOADED, Reason.DRAINING)
    assert settlements_of(refused, WALL) == ([Settle("acme", "u", REFUSED, 0)] if is_unasked else [])
    assert (reason.value in UNASKED) == is_unasked
