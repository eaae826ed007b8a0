"""What an operator orders of trunks: drained, in maintenance, back; and calls that find none."""

import pytest
from network import CALLER, NOTHING, TRUNK_A, TRUNK_B, Caller, Established, Wire, hang_up, policy

from edge.config.trunk_orders import Ordered, TrunkOrder


def order(wire, **orders):
    wire.core.trunks_ordered({name: TrunkOrder(Ordered(word), "op", "work", 1) for name, word in orders.items()})
    wire.pump()


def tried(wire, **caller):
    """Where the INVITE of a new call goes; nowhere: the reason."""
    Caller(wire, **caller).start()
    found = [name for name, at in (("a", TRUNK_A), ("b", TRUNK_B)) if wire.requests_to(at, b"INVITE")]
    return found or wire.ended[-1].reason


@pytest.mark.parametrize(
    ("orders", "expected"),
    [
        ({}, ["a"]),
        ({"a": "drain"}, ["b"]),
        ({"a": "maintenance"}, ["b"]),
        ({"a": "drain", "b": "maintenance"}, ["b"]),
        ({"a": "maintenance", "b": "maintenance"}, ["a"]),
        ({"a": "drain", "b": "drain"}, "trunks_drained"),
        ({"c": "drain"}, ["a"]),
    ],
)
def test_where_a_call_goes(orders, expected):
    """Drained: never; in maintenance: where nothing else is left."""
    wire = Wire()
    order(wire, **orders)
    assert tried(wire) == expected


def test_where_all_are_drained_the_caller_may_come_back():
    """503 with Retry-After; nothing stays held."""
    wire = Wire()
    order(wire, a="drain", b="drain")
    Caller(wire).start()
    final = wire.responses_to(CALLER)[-1]
    assert (final.status, final.value(b"retry-after") is not None) == (503, True)
    assert wire.in_use() == 0
    wire.advance(300)
    assert wire.held == NOTHING


def test_an_emergency_call_goes_to_a_drained_trunk():
    """R16: where nothing else is left."""
    wire = Wire()
    order(wire, a="drain")
    assert tried(wire, called="112") == ["b"]
    order(wire, a="drain", b="drain")
    assert tried(wire, called="112") == ["a"]


def test_running_calls_end_as_they_will():
    """A drain touches no call that is up."""
    wire = Wire()
    call = Established(wire)
    order(wire, a="drain", b="drain")
    hang_up(call)
    assert wire.ended[0].reason == "answered"


def test_every_change_is_told_once():
    wire = Wire()
    order(wire, a="drain")
    order(wire, a="drain")
    order(wire, a="maintenance")
    order(wire)
    told = [(fact["trunk"], fact["to"], fact["by"], fact["why"]) for fact in wire.told("trunk.ordered")]
    assert told == [
        ("a", "drain", "op", "work"),
        ("a", "maintenance", "op", "work"),
        ("a", "in use", "", "resumed"),
    ]
    assert tried(wire) == ["a"]


def test_a_trunk_that_rests_is_not_probed():
    """Its answers are no news while it is worked on; afterwards they are again."""
    wire = Wire(policy(probe_s=60))
    wire.pump()
    wire.advance(35)
    assert wire.requests_to(TRUNK_A, b"OPTIONS")
    order(wire, a="maintenance")
    wire.advance(60)
    assert wire.requests_to(TRUNK_A, b"OPTIONS") == []
    order(wire)
    wire.advance(60)
    assert wire.requests_to(TRUNK_A, b"OPTIONS")


def test_a_new_policy_changes_no_order():
    wire = Wire()
    order(wire, a="drain")
    wire.core.policy_changed(wire.snapshot, wire.now)
    assert tried(wire) == ["b"]


RANKED = (
    policy()
    .replace('trunks = ["a", "b"]', 'mode = "weighted"\ntrunks = ["b", "a"]')
    .replace('id = "b"\n', 'id = "b"\npriority = 10\nweight = 10000\n')
)


def test_a_lower_trunk_takes_a_call_only_when_the_higher_one_cannot():
    """`priority`: not for its weight, nor for where it stands, but when the other is drained, full, down or fails."""
    wire = Wire(RANKED)
    assert tried(wire) == ["a"]
    order(wire, a="drain")
    assert tried(wire) == ["b"]
    order(wire)
    assert tried(wire) == ["a"]

    full = Wire(RANKED.replace('id = "a"\n', 'id = "a"\ncalls = 1\n'))
    Established(full)
    assert tried(full) == ["b"]
