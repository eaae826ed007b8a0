"""What the nodes of a store show, as the API tells it: the one picture that `edge top` shows too
(`edge.control.overview`), with each node's own word beside it. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict

from edge.admin.shapes.overview import (
    AccountNow,
    AccountRow,
    AlarmRow,
    AlertRow,
    NodeRow,
    Overview,
    SecondRow,
    TrunkRow,
)
from edge.alerts.kinds import Level
from edge.alerts.standing import Standing
from edge.control.client import NodeState
from edge.control.overview import overview
from limits.model import Usage

ROWS = 60
"""Accounts and alarms shown at most."""
_OF_NODE = frozenset(NodeRow.model_fields) - {"node", "state", "beat_ms"}


def overview_of(nodes: Iterable[NodeState], at_ms: int, alerts: Mapping[str, str] | None = None) -> Overview:
    """All nodes at one glance; those that show nothing count in the list of nodes only. `alerts`: those that stand, as
    the store keeps them."""
    nodes = tuple(nodes)
    all_ = overview(nodes)
    said: dict[str, dict[str, str]] = {}
    for node in nodes:
        if node.snapshot is not None and node.state != "silent":
            for use in node.snapshot.trunks:
                said.setdefault(use.trunk, {})[node.name] = use.health
    first_s = at_ms // 1_000 - len(all_.history) + 1
    return Overview(
        at_ms=at_ms,
        calls=all_.calls,
        attempts_per_s=all_.attempts_per_s,
        admitted_per_s=all_.admitted_per_s,
        refused_per_s=all_.refused_per_s,
        refused_by_reason=dict(all_.refused_by_reason),
        accounts_active=all_.accounts_active,
        nodes=[_node(node) for node in nodes],
        accounts=[AccountRow(**asdict(row)) for row in all_.accounts[:ROWS]],
        trunks=[TrunkRow(**asdict(row), nodes=said.get(row.trunk, {})) for row in all_.trunks],
        alarms=[AlarmRow(**asdict(row)) for row in all_.alarms[:ROWS]],
        alerts=standing(alerts or {})[:ROWS],
        history=[SecondRow(at_s=first_s + index, **asdict(row)) for index, row in enumerate(all_.history)],
    )


def standing(kept: Mapping[str, str]) -> list[AlertRow]:
    """Alerts that stand, the most urgent first and then the oldest; what cannot be read is left out."""
    found = [(key, one) for key, text in kept.items() if (one := Standing.from_text(text)) is not None]
    found.sort(key=lambda row: (row[1].level is not Level.CRITICAL, row[1].since_ms, row[0]))
    return [
        AlertRow(
            alert=key,
            kind=one.kind,
            subject=one.subject,
            level=one.level,
            state=one.state,
            since_ms=one.since_ms,
            text=one.text,
        )
        for key, one in found
    ]


def account_now(usage: Usage, nodes: Iterable[NodeState]) -> AccountNow:
    """What the store knows of an account, with its rates over the nodes."""
    account = usage.account
    rows = [row for row in overview(tuple(nodes)).accounts if row.account == account.id]
    attempts, refused = (rows[0].attempts_per_s, rows[0].refused_per_s) if rows else (0.0, 0.0)
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


def _node(node: NodeState) -> NodeRow:
    shown = node.snapshot
    words = {} if shown is None else {name: getattr(shown, name) for name in _OF_NODE}
    return NodeRow.model_validate({**words, "node": node.name, "state": node.state, "beat_ms": node.beat_ms})
