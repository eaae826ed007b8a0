"""What the snapshots of several nodes come to."""

from dataclasses import replace

import pytest
from network import WALL_OFFSET

from edge.control.client import NodeState
from edge.control.meter import Identity, Meter
from edge.control.overview import overview
from edge.control.snapshot import AccountUse, Alarm, Second, TrunkUse


@pytest.fixture
def snapshot(wire, sources):
    identity = Identity("0.1", (), wire.now, WALL_OFFSET)
    return Meter(wire.now).snapshot(sources, wire.core, identity, {}, wire.now, draining="", traces=0)


def test_two_nodes_are_one_edge(snapshot):
    """Sums of rates and calls, ceilings once, a trunk as its worst node finds it, the worst alarm of each."""
    one = replace(
        snapshot,
        calls=3,
        attempts_per_s=1.5,
        admitted_per_s=1.0,
        refused_per_s=0.5,
        refused_by_reason={"calls": 0.5},
        decision_p99_ms=2.0,
        accounts=(AccountUse("acme", 1.5, 0.5, 3, 0, 0), AccountUse("b", 0.1, 0.0, 0, 9, 9)),
        trunks=(TrunkUse("a", "up", 2, 10, 5), TrunkUse("b", "up", 0, 0, 0)),
        alarms=(Alarm("acme", "calls", 80, 8, 10, 1), Alarm("b", "caps", 100, 0, 0, 50)),
        history=(Second(1, 0, 1), Second(2, 1, 3)),
    )
    two = replace(
        one,
        refused_by_reason={"calls": 1.0, "caps": 9.0},
        accounts=(AccountUse("acme", 2.0, 0.0, 4, 50, 10),),
        trunks=(TrunkUse("a", "down", 1, 10, 1), TrunkUse("b", "up", 3, 0, 0)),
        alarms=(Alarm("acme", "calls", 95, 10, 10, 7),),
        history=(Second(4, 2, 5),),
        store_up=False,
        escaped=1,
    )
    found = overview([NodeState("n1", 100, one), NodeState("n2", 100, two), NodeState("n3", 60_000, None)])
    assert (found.calls, found.attempts_per_s, found.admitted_per_s, found.refused_per_s) == (6, 3.0, 2.0, 1.0)
    assert found.refused_by_reason == (("caps", 9.0), ("calls", 1.5))
    assert found.accounts == (AccountUse("acme", 3.5, 0.5, 7, 50, 10), AccountUse("b", 0.1, 0.0, 0, 9, 9))
    assert found.trunks == (TrunkUse("a", "down", 3, 20, 6), TrunkUse("b", "up", 3, 0, 0))
    assert found.alarms == (Alarm("b", "caps", 100, 0, 0, 50), Alarm("acme", "calls", 95, 10, 10, 7))
    assert found.history == (Second(1, 0, 1), Second(6, 3, 8))
    assert [(row.name, row.state, row.wrong) for row in found.nodes] == [
        ("n1", "up", ()), ("n2", "up", ("store away", "1 faults")), ("n3", "silent", ("shows nothing",)),
    ]  # fmt: skip


def test_what_a_silent_node_showed_last_counts_no_more(snapshot):
    """Its calls are not known to run."""
    found = overview([NodeState("n1", 60_000, replace(snapshot, calls=9))])
    assert (found.calls, found.nodes[0].state) == (0, "silent")


def test_no_node_is_an_edge_at_rest():
    """Noughts."""
    found = overview([])
    assert (found.calls, found.history, found.accounts_active, found.decision_p99_ms) == (0, (), 0, 0.0)
