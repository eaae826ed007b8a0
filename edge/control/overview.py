"""All nodes as one: what their snapshots add up to, for `edge top` and a console. Pure.

Rates, calls and refusals are sums over the nodes; ceilings are of the account, whatever node told them; a trunk is as
well as the node that finds it worst.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edge.control.client import NodeState
from edge.control.snapshot import HISTORY, AccountUse, Alarm, Second, TrunkUse

_WORST_FIRST = ("down", "trial", "degraded", "up")


@dataclass(frozen=True, slots=True)
class NodeRow:
    """One node."""

    name: str
    state: str
    calls: int
    attempts_per_s: float
    refused_per_s: float
    decision_p99_ms: float
    loop_lag_ms: float
    policy_generation: int
    wrong: tuple[str, ...]
    """What is wrong with it, in a few words each."""


@dataclass(frozen=True, slots=True)
class Overview:
    """The edge, now."""

    nodes: tuple[NodeRow, ...]
    calls: int
    attempts_per_s: float
    admitted_per_s: float
    refused_per_s: float
    refused_by_reason: tuple[tuple[str, float], ...]
    """Token and refusals a second, the most frequent first."""
    decision_p50_ms: float
    decision_p99_ms: float
    """Of the slowest node."""
    accounts_active: int
    """At least: the sum is not known of accounts that are on several nodes, and too quiet to be told."""
    accounts: tuple[AccountUse, ...]
    trunks: tuple[TrunkUse, ...]
    alarms: tuple[Alarm, ...]
    """The worst first."""
    history: tuple[Second, ...]
    """The oldest first; the last second is the last item of each node."""


def overview(nodes: Sequence[NodeState]) -> Overview:
    """What these nodes come to. Nodes that show nothing have their row and add nothing."""
    shown = [node.snapshot for node in nodes if node.snapshot is not None and node.state != "silent"]
    reasons: dict[str, float] = {}
    for one in shown:
        for reason, rate in one.refused_by_reason.items():
            reasons[reason] = reasons.get(reason, 0.0) + rate
    accounts = _accounts(row for one in shown for row in one.accounts)
    return Overview(
        nodes=tuple([_row(node) for node in nodes]),
        calls=sum([one.calls for one in shown]),
        attempts_per_s=_sum([one.attempts_per_s for one in shown]),
        admitted_per_s=_sum([one.admitted_per_s for one in shown]),
        refused_per_s=_sum([one.refused_per_s for one in shown]),
        refused_by_reason=tuple(
            sorted(((r, round(n, 1)) for r, n in reasons.items()), key=lambda row: (-row[1], row[0]))
        ),
        decision_p50_ms=max([one.decision_p50_ms for one in shown], default=0.0),
        decision_p99_ms=max([one.decision_p99_ms for one in shown], default=0.0),
        accounts_active=max([one.accounts_active for one in shown] + [len(accounts)]),
        accounts=accounts,
        trunks=_trunks(row for one in shown for row in one.trunks),
        alarms=_alarms(alarm for one in shown for alarm in one.alarms),
        history=_history([one.history for one in shown]),
    )


def wrongs(node: NodeState) -> tuple[str, ...]:
    """What is wrong with this node, in a few words each."""
    shown = node.snapshot
    if shown is None:
        return ("shows nothing",)
    return (
        *(("store away",) if not shown.store_up else ()),
        *(("overloaded",) if shown.is_overloaded else ()),
        *(("policy stale",) if shown.policy_is_stale else ()),
        *(("CDRs failing",) if shown.cdr_is_failing else ()),
        *((f"{shown.escaped} faults",) if shown.escaped else ()),
        *((f"{shown.traces} traces",) if shown.traces else ()),
    )


def _row(node: NodeState) -> NodeRow:
    shown = node.snapshot
    if shown is None:
        return NodeRow(node.name, node.state, 0, 0.0, 0.0, 0.0, 0.0, 0, wrongs(node))
    return NodeRow(
        node.name,
        node.state,
        shown.calls,
        shown.attempts_per_s,
        shown.refused_per_s,
        shown.decision_p99_ms,
        shown.loop_lag_ms,
        shown.policy_generation,
        wrongs(node),
    )


def _accounts(rows: Iterable[AccountUse]) -> tuple[AccountUse, ...]:
    found: dict[str, AccountUse] = {}
    for row in rows:
        had = found.get(row.account, AccountUse(row.account, 0.0, 0.0, 0, 0, 0))
        found[row.account] = AccountUse(
            row.account,
            round(had.attempts_per_s + row.attempts_per_s, 1),
            round(had.refused_per_s + row.refused_per_s, 1),
            had.calls + row.calls,
            max(had.caps, row.caps),
            max(had.calls_ceiling, row.calls_ceiling),
        )
    return tuple(sorted(found.values(), key=lambda row: (-row.attempts_per_s, -row.calls, row.account)))


def _trunks(rows: Iterable[TrunkUse]) -> tuple[TrunkUse, ...]:
    found: dict[str, TrunkUse] = {}
    for row in rows:
        had = found.get(row.trunk, TrunkUse(row.trunk, "up", 0, 0, 0))
        health = min(had.health, row.health, key=rank_of)
        calls, attempts = had.calls + row.calls, had.attempts + row.attempts
        found[row.trunk] = TrunkUse(row.trunk, health, calls, attempts, had.answered + row.answered)
    return tuple(sorted(found.values(), key=lambda row: (-row.calls, row.trunk)))


def rank_of(health: str) -> int:
    """The worst is 0."""
    return _WORST_FIRST.index(health) if health in _WORST_FIRST else len(_WORST_FIRST)


def _alarms(alarms: Iterable[Alarm]) -> tuple[Alarm, ...]:
    """One of each holder and limit: the newest word of the worst."""
    found: dict[tuple[str, str], Alarm] = {}
    for alarm in alarms:
        had = found.get((alarm.holder, alarm.limit))
        if had is None or (alarm.percent, -alarm.age_s) > (had.percent, -had.age_s):
            found[alarm.holder, alarm.limit] = alarm
    return tuple(sorted(found.values(), key=lambda alarm: (-alarm.percent, alarm.age_s, alarm.holder)))


def _history(parts: Sequence[tuple[Second, ...]]) -> tuple[Second, ...]:
    seconds = []
    for back in range(min(HISTORY, max(map(len, parts), default=0)), 0, -1):
        then = [part[-back] for part in parts if len(part) >= back]
        seconds.append(
            Second(
                sum([one.attempts for one in then]),
                sum([one.refused for one in then]),
                sum([one.calls for one in then]),
            )
        )
    return tuple(seconds)


def _sum(rates: Sequence[float]) -> float:
    return round(sum(rates), 1)
