"""edge.alerts.conditions: what is so, out of what nodes show and the store knows."""

from dataclasses import replace

import pytest

from edge.alerts import conditions
from edge.alerts.kinds import Kind, Level
from edge.alerts.standing import Condition, Standing, State
from edge.config.money import format_money
from edge.control.client import NodeState
from edge.control.snapshot import Alarm, Snapshot, TrunkUse
from limits.account import Account, AccountId, AccountStatus, Credit
from limits.model import Usage

SHOWN = Snapshot(
    v=1, node="n1", version="0", at_ms=0, uptime_s=0, listeners=(), draining="", is_overloaded=False, store_up=True,
    settles_queued=0, nodes_alive=1, policy_generation=1, policy_is_stale=False, calls=0, leases=0, transactions=0,
    attempts_per_s=0, admitted_per_s=0, refused_per_s=0, refused_by_reason={}, attempts_total=0, refused_total={},
    decision_p50_ms=0, decision_p99_ms=0, loop_lag_ms=0, cdr_backlog=0, cdr_is_failing=False, delivery_is_up=True,
    escaped=0, traces=0, accounts_active=0, accounts=(), trunks=(), alarms=(), history=(),
)  # fmt: skip
EURO = 1_000_000


def node(name: str, *, beat_ms: int = 100, **shown: object) -> NodeState:
    return NodeState(name, beat_ms, replace(SHOWN, node=name, **shown))


def usage(*, balance: int, held: int = 0, **values: object) -> Usage:
    account = Account(AccountId("acme"), **values)
    return Usage(account, 0, (), 0, (), balance_micros=balance, held_micros=held)


def standing(kind: Kind, subject: str, since_ms: int = 0) -> Standing:
    return Standing(State.RAISED, kind, subject, "", Level.CRITICAL, "", since_ms, since_ms, since_ms)


def test_limits_are_told_by_the_worst_word_of_all_nodes():
    """80 is a warning, 95 critical; money refused is critical; what is no limit of these is left out."""
    one = node("n1", alarms=(Alarm("acme", "calls", 80, 8, 10, 1), Alarm("group:g", "caps", 80, 80, 100, 1)))
    two = node(
        "n2",
        alarms=(
            Alarm("acme", "calls", 95, 10, 10, 1),
            Alarm("b", "credit", 100, 0, 0, 9),
            Alarm("b", "spend_cap", 100, 0, 0, 9),
            Alarm("b", "something", 100, 0, 0, 9),
        ),
    )
    found = {one.key: one for one in conditions.of_limits([one, two])}
    assert {key: one.level for key, one in found.items()} == {
        "calls:acme": Level.CRITICAL, "caps:group:g": Level.WARNING, "credit:b": Level.CRITICAL,
        "spend:b": Level.CRITICAL,
    }  # fmt: skip
    assert found["calls:acme"].text == "account acme holds 10 of its 10 calls"
    assert found["caps:group:g"].text == "group g uses 80 of its 100 call attempts per second"
    assert dict(found["calls:acme"].fields) == {"percent": 95, "in_use": 10, "ceiling": 10}


@pytest.mark.parametrize(
    ("left", "stands", "expected"),
    [
        (10 * EURO, False, None),
        (10 * EURO - 1, False, Level.WARNING),
        (10 * EURO, True, Level.WARNING),
        (11 * EURO - 1, True, Level.WARNING),
        (11 * EURO, True, None),
        (1, False, Level.WARNING),
        (0, False, Level.CRITICAL),
        (-1, True, Level.CRITICAL),
    ],
)
def test_credit_is_low_below_its_threshold_and_until_a_tenth_above(left: int, stands: bool, expected: Level | None):
    """What is held is gone; a prepaid account has its balance, a postpaid one the rest of its line."""
    for found in (
        usage(balance=left + 5, held=5),
        usage(balance=left - 50, credit=Credit.POSTPAID, floor_micros=-50),
    ):
        condition = conditions.of_credit(found, 10 * EURO, stands=stands)
        assert (None if condition is None else condition.level) == expected


def test_who_has_no_credit_has_none_that_is_low():
    """No credit kept, or closed."""
    assert conditions.of_credit(usage(balance=0, credit=Credit.NONE), EURO, stands=False) is None
    assert conditions.of_credit(usage(balance=0, status=AccountStatus.CLOSED), EURO, stands=True) is None
    condition = conditions.of_credit(usage(balance=2 * EURO), 5 * EURO, stands=False)
    assert condition is not None
    assert condition.text == f"account acme has {format_money(2 * EURO)} left, less than {format_money(5 * EURO)}"


def test_rules_that_are_broken():
    """One alert each; what is at rest is none."""
    found = conditions.of_quality("trunk:a", {"asr": "breached 5 0", "acd": "", "ner": "probing 5 9"})
    assert [(one.key, dict(one.fields)["state"]) for one in found] == [
        ("quality:trunk:a:asr", "breached"), ("quality:trunk:a:ner", "probing"),
    ]  # fmt: skip


def test_a_trunk_is_down_for_some_or_for_all():
    """On trial is down still; a node that is silent sees nothing."""
    one = node(
        "n1", trunks=(TrunkUse("a", "down", 0, 0, 0), TrunkUse("b", "trial", 0, 0, 0), TrunkUse("c", "up", 0, 0, 0))
    )
    two = node("n2", trunks=(TrunkUse("a", "up", 0, 0, 0), TrunkUse("b", "down", 0, 0, 0)))
    gone = node("n3", beat_ms=60_000, trunks=(TrunkUse("c", "down", 0, 0, 0),))
    found = conditions.of_trunks([one, two, gone])
    assert [(one.key, one.level, one.text) for one in found] == [
        ("trunk:a", Level.WARNING, "trunk a is down for n1"),
        ("trunk:b", Level.CRITICAL, "trunk b is down for every node"),
    ]


def subjects(found: conditions.Expected) -> list[str]:
    return [one.subject for one in found.gone]


def test_a_node_that_is_silent_is_gone_unless_it_has_stopped_in_order():
    """What is known of it is kept, so that it is missed also when the store lists it no more."""
    nodes = [
        node("up"), node("new"), NodeState("crashed", 6_000, None), node("leaving", draining="stopping"),
        node("left", beat_ms=6_000, draining="stopping"), NodeState("old", 80_000_000, None),
    ]  # fmt: skip
    known = {"up": "up", "crashed": "up", "leaving": "up", "left": "left", "forgotten": "up", "stopped": "left"}
    found = conditions.of_nodes(nodes, known, (), 0)
    assert subjects(found) == ["crashed", "forgotten"]
    assert dict(found.changes) == {"new": "up", "leaving": "left", "stopped": ""}


def test_a_node_that_is_gone_for_a_day_is_no_longer_expected():
    """Counted from when it was first missed."""
    known, missed = {"n1": "up"}, standing(Kind.NODE, "n1", since_ms=1_000)
    found = conditions.of_nodes([], known, [missed], 1_000 + conditions.GONE_MS - 1)
    assert (subjects(found), found.changes) == (["n1"], ())
    found = conditions.of_nodes([], known, [missed], 1_000 + conditions.GONE_MS)
    assert (subjects(found), found.changes) == ([], (("n1", ""),))


def test_a_node_that_comes_back_is_up():
    """Also one that had left in order."""
    found = conditions.of_nodes([node("n1")], {"n1": "left"}, (), 0)
    assert (found.gone, found.changes) == ((), (("n1", "up"),))


def test_where_nobody_shows_anything_nothing_is_over():
    """An alert of limits and trunks goes on standing; others are judged by the store."""
    blind, sighted = [NodeState("n1", 100, None), node("n2", beat_ms=60_000)], [node("n1")]
    judged = {kind: conditions.is_judged(standing(kind, "x"), blind) for kind in Kind}
    assert {kind for kind, is_judged in judged.items() if not is_judged} == {
        Kind.CALLS, Kind.CAPS, Kind.SPEND, Kind.TRUNK,
    }  # fmt: skip
    assert all(conditions.is_judged(standing(kind, "x"), sighted) for kind in Kind)


def test_a_condition_of_two_rules_has_two_keys():
    """Or one would clear the other."""
    keys = {Condition(Kind.QUALITY, "acme", Level.WARNING, "", part=part).key for part in ("asr", "acd")}
    assert len(keys) == 2
