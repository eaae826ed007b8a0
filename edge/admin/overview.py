"""What the nodes of a store show, put together into one picture. Pure."""

from collections.abc import Iterable

from edge.admin.shapes.overview import AccountNow, AccountRow, AlarmRow, NodeRow, Overview, SecondRow, TrunkRow
from edge.control.client import NodeState
from edge.control.snapshot import HISTORY, AccountUse, Alarm, Snapshot, TrunkUse
from limits.model import Usage

ROWS = 60
"""Accounts and alarms shown at most."""
_WORSE = ("", "up", "trial", "degraded", "down")
"""Health of a trunk; what stands later is worse."""


def overview_of(nodes: Iterable[NodeState], at_ms: int) -> Overview:
    """All nodes at one glance; those that show nothing count in the list of nodes only."""
    nodes = tuple(nodes)
    shown = [node.snapshot for node in nodes if node.snapshot is not None and node.state != "silent"]
    accounts = _accounts(shown)
    return Overview(
        at_ms=at_ms,
        calls=sum(one.calls for one in shown),
        attempts_per_s=_sum(one.attempts_per_s for one in shown),
        admitted_per_s=_sum(one.admitted_per_s for one in shown),
        refused_per_s=_sum(one.refused_per_s for one in shown),
        refused_by_reason=_reasons(shown),
        accounts_active=max(len(accounts), max((one.accounts_active for one in shown), default=0)),
        nodes=[_node(one) for one in nodes],
        accounts=accounts[:ROWS],
        trunks=_trunks(shown),
        alarms=_alarms(shown),
        history=_history(shown),
    )


def account_now(usage: Usage, nodes: Iterable[NodeState]) -> AccountNow:
    """What the store knows of an account, with its rates over the nodes."""
    account = usage.account
    uses = [
        use
        for node in nodes
        if node.snapshot is not None and node.state != "silent"
        for use in node.snapshot.accounts
        if use.account == account.id
    ]
    attempts, refused = _sum(use.attempts_per_s for use in uses), _sum(use.refused_per_s for use in uses)
    return AccountNow(
        at_ms=usage.now_ms,
        attempts_per_s=attempts,
        refused_per_s=refused,
        admitted_per_s=round(max(0.0, attempts - refused), 1),
        in_use=usage.in_use,
        calls=account.calls,
        caps=account.caps,
        tokens_micro=usage.tokens_micro,
        balance_micros=usage.balance_micros,
        held_micros=usage.held_micros,
        status=account.status,
        generation=account.generation,
    )


def _sum(numbers: Iterable[float]) -> float:
    return round(sum(numbers), 1)


def _node(node: NodeState) -> NodeRow:
    one = node.snapshot
    if one is None:
        return NodeRow(node=node.name, state=node.state, beat_ms=node.beat_ms)
    return NodeRow(
        node=node.name,
        state=node.state,
        beat_ms=node.beat_ms,
        version=one.version,
        uptime_s=one.uptime_s,
        listeners=list(one.listeners),
        calls=one.calls,
        attempts_per_s=one.attempts_per_s,
        refused_per_s=one.refused_per_s,
        policy_generation=one.policy_generation,
        policy_is_stale=one.policy_is_stale,
        store_up=one.store_up,
        is_overloaded=one.is_overloaded,
        loop_lag_ms=one.loop_lag_ms,
        decision_p50_ms=one.decision_p50_ms,
        decision_p99_ms=one.decision_p99_ms,
        settles_queued=one.settles_queued,
        cdr_backlog=one.cdr_backlog,
        cdr_is_failing=one.cdr_is_failing,
        delivery_is_up=one.delivery_is_up,
        escaped=one.escaped,
    )


def _reasons(shown: list[Snapshot]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for one in shown:
        for reason, rate in one.refused_by_reason.items():
            sums[reason] = round(sums.get(reason, 0.0) + rate, 1)
    return dict(sorted(sums.items(), key=lambda item: (-item[1], item[0])))


def _accounts(shown: list[Snapshot]) -> list[AccountRow]:
    """The busiest first."""
    uses: dict[str, list[AccountUse]] = {}
    for one in shown:
        for use in one.accounts:
            uses.setdefault(use.account, []).append(use)
    rows = [
        AccountRow(
            account=account,
            attempts_per_s=_sum(use.attempts_per_s for use in found),
            refused_per_s=_sum(use.refused_per_s for use in found),
            calls=sum(use.calls for use in found),
            caps=max(use.caps for use in found),
            calls_ceiling=max(use.calls_ceiling for use in found),
        )
        for account, found in uses.items()
    ]
    return sorted(rows, key=lambda row: (-row.attempts_per_s, -row.calls, row.account))


def _trunks(shown: list[Snapshot]) -> list[TrunkRow]:
    uses: dict[str, list[tuple[str, TrunkUse]]] = {}
    for one in shown:
        for use in one.trunks:
            uses.setdefault(use.trunk, []).append((one.node, use))
    return [
        TrunkRow(
            trunk=trunk,
            health=max((use.health for _, use in found), key=_badness),
            calls=sum(use.calls for _, use in found),
            attempts=sum(use.attempts for _, use in found),
            answered=sum(use.answered for _, use in found),
            nodes={node: use.health for node, use in found},
        )
        for trunk, found in sorted(uses.items())
    ]


def _badness(health: str) -> int:
    return _WORSE.index(health) if health in _WORSE else len(_WORSE)


def _alarms(shown: list[Snapshot]) -> list[AlarmRow]:
    """One for each holder and limit: the latest that a node has heard. The worst first."""
    latest: dict[tuple[str, str], Alarm] = {}
    for one in shown:
        for alarm in one.alarms:
            key = alarm.holder, alarm.limit
            if key not in latest or alarm.age_s < latest[key].age_s:
                latest[key] = alarm
    rows = sorted(latest.values(), key=lambda alarm: (-alarm.percent, alarm.age_s, alarm.holder, alarm.limit))
    return [
        AlarmRow(
            holder=alarm.holder,
            limit=alarm.limit,
            percent=alarm.percent,
            in_use=alarm.in_use,
            ceiling=alarm.ceiling,
            age_s=alarm.age_s,
        )
        for alarm in rows[:ROWS]
    ]


def _history(shown: list[Snapshot]) -> list[SecondRow]:
    """Second by second, by each node's own clock; the oldest first."""
    sums: dict[int, list[int]] = {}
    newest = max((one.at_ms // 1_000 for one in shown), default=0)
    for one in shown:
        last = one.at_ms // 1_000
        for back, second in enumerate(reversed(one.history)):
            row = sums.setdefault(last - back, [0, 0, 0])
            row[0] += second.attempts
            row[1] += second.refused
            row[2] += second.calls
    return [
        SecondRow(at_s=at, attempts=row[0], refused=row[1], calls=row[2])
        for at, row in sorted(sums.items())
        if newest - HISTORY < at <= newest
    ]
