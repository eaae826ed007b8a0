"""What several nodes show, put together into one picture."""

from edge.admin.overview import account_now, overview_of, standing
from edge.alerts.kinds import Kind, Level
from edge.alerts.standing import Standing, State
from edge.control.client import NodeState
from edge.control.snapshot import VERSION, AccountUse, Second, Snapshot, TrunkUse
from limits.account import Account, AccountId
from limits.model import Usage

AT_MS = 1_764_000_000_000


def snapshot(node: str, **more: object) -> Snapshot:
    """A node at rest, but for what is told."""
    values: dict[str, object] = {
        "v": VERSION, "node": node, "version": "0", "at_ms": AT_MS, "uptime_s": 5, "listeners": ("udp:127.0.0.1:5060",),
        "draining": "", "is_overloaded": False, "store_up": True, "settles_queued": 0, "nodes_alive": 2,
        "policy_generation": 3, "policy_is_stale": False, "calls": 0, "leases": 0, "transactions": 0,
        "attempts_per_s": 0.0, "admitted_per_s": 0.0, "refused_per_s": 0.0, "refused_by_reason": {},
        "attempts_total": 0, "refused_total": {}, "decision_p50_ms": 1.0, "decision_p99_ms": 2.0, "loop_lag_ms": 0.1,
        "cdr_backlog": 0, "cdr_is_failing": False, "delivery_is_up": True, "escaped": 0, "traces": 0,
        "accounts_active": 0, "accounts": (), "trunks": (), "alarms": (), "history": (),
    }  # fmt: skip
    return Snapshot(**{**values, **more})


def node(name: str, *, beat_ms: int = 100, **more: object) -> NodeState:
    return NodeState(name, beat_ms, snapshot(name, **more))


def test_rates_and_calls_are_sums():
    """Of every node that shows itself."""
    one = node("a", calls=3, attempts_per_s=1.1, admitted_per_s=1.0, refused_per_s=0.1, refused_by_reason={"caps": 0.1})
    two = node("b", calls=4, attempts_per_s=2.2, admitted_per_s=2.0, refused_per_s=0.2, refused_by_reason={"caps": 0.2})
    found = overview_of([one, two, NodeState("c", 100, None)], AT_MS)
    assert (7, 3.3, 3.0, 0.3) == (found.calls, found.attempts_per_s, found.admitted_per_s, found.refused_per_s)
    assert {"caps": 0.3} == found.refused_by_reason
    assert ["up", "up", "starting"] == [row.state for row in found.nodes]


def test_a_node_that_is_silent_counts_for_nothing():
    """Its last snapshot is of calls that another node has by now."""
    found = overview_of([node("a", calls=3), node("b", beat_ms=60_000, calls=4)], AT_MS)
    assert 3 == found.calls
    assert ["up", "silent"] == [row.state for row in found.nodes]


def test_an_account_on_two_nodes_is_one_row():
    """Its use is the sum, its ceiling is one."""
    one = node("a", accounts=(AccountUse("acme", 2.0, 1.0, 3, 10, 60), AccountUse("beta", 9.0, 0.0, 1, 20, 40)))
    two = node("b", accounts=(AccountUse("acme", 1.5, 0.5, 2, 0, 0),))
    rows = overview_of([one, two], AT_MS).accounts
    assert ["beta", "acme"] == [row.account for row in rows]
    assert (3.5, 1.5, 5, 10, 60) == tuple(rows[1].model_dump().values())[1:]


def test_a_trunk_is_as_bad_as_the_worst_node_says():
    """And its calls and attempts are sums."""
    one = node("a", trunks=(TrunkUse("out", "up", 2, 10, 8),))
    two = node("b", trunks=(TrunkUse("out", "down", 1, 5, 0),))
    (row,) = overview_of([one, two], AT_MS).trunks
    assert ("down", 3, 15, 8, {"a": "up", "b": "down"}) == (
        row.health,
        row.calls,
        row.attempts,
        row.answered,
        row.nodes,
    )


def test_history_ends_now():
    """The last second is this one; a node that began later has fewer."""
    one = node("a", history=(Second(1, 0, 1), Second(2, 1, 2), Second(3, 0, 3)))
    two = node("b", history=(Second(10, 5, 10),))
    rows = overview_of([one, two], AT_MS).history
    last = AT_MS // 1_000
    assert [(last - 2, 1, 0, 1), (last - 1, 2, 1, 2), (last, 13, 5, 13)] == [
        tuple(row.model_dump().values()) for row in rows
    ]


def test_an_account_now_is_the_store_and_the_nodes():
    """Money and leases from the store, rates from whoever shows them."""
    account = Account(AccountId("acme"), caps_base=10)
    usage = Usage(account, 5, (), 4, (), balance_micros=7, held_micros=2, now_ms=AT_MS)
    found = account_now(usage, [node("a", accounts=(AccountUse("acme", 2.0, 0.5, 3, 10, 60),)), node("b")])
    assert (2.0, 0.5, 1.5, 4, 10, 7, 2) == (
        found.attempts_per_s, found.refused_per_s, found.admitted_per_s, found.in_use, found.caps,
        found.balance_micros, found.held_micros,
    )  # fmt: skip


def alert(kind: Kind, subject: str, level: Level, since_ms: int) -> str:
    return Standing(State.RAISED, kind, subject, "", level, f"about {subject}", since_ms, since_ms).to_text()


def test_of_the_alerts_that_stand_the_most_urgent_comes_first():
    """Then the oldest; what somebody put there by hand is left out."""
    kept = {
        "credit:acme": alert(Kind.CREDIT, "acme", Level.WARNING, 1),
        "node:n2": alert(Kind.NODE, "n2", Level.CRITICAL, 9),
        "trunk:out": alert(Kind.TRUNK, "out", Level.WARNING, 5),
        "spoilt": "{}",
    }
    assert ["node:n2", "credit:acme", "trunk:out"] == [row.alert for row in standing(kept)]
    assert ["n2", "acme", "out"] == [row.subject for row in overview_of([], AT_MS, kept).alerts]
    assert [] == overview_of([], AT_MS).alerts
