"""What is so just now, out of what the nodes show and the store knows. Pure.

A look judges only what it could see: where no node shows anything, nothing is said of limits and trunks, and an alert
that stands goes on standing.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from edge.alerts.kinds import Kind, Level
from edge.alerts.standing import Condition, Standing
from edge.config.money import format_money
from edge.control.client import NodeState
from edge.control.overview import overview
from limits.account import AccountStatus, Credit
from limits.model import Usage

_OF_LIMIT = {"calls": Kind.CALLS, "caps": Kind.CAPS, "spend_cap": Kind.SPEND, "credit": Kind.CREDIT}
_SENTENCE = {
    Kind.CALLS: "{who} holds {in_use} of its {ceiling} calls",
    Kind.CAPS: "{who} uses {in_use} of its {ceiling} call attempts per second",
    Kind.SPEND: "{who} is at its spend cap: calls are refused or cut",
    Kind.CREDIT: "{who} has no credit left: calls are refused or cut",
}
CRITICAL_PERCENT = 95
MARGIN_PERCENT = 110
"""Credit that was low is so until it is a tenth above its threshold."""
GONE_MS = 86_400_000
"""A node that is gone for so long is no longer expected."""


def of_limits(nodes: Sequence[NodeState]) -> list[Condition]:
    """Who is near a limit, or at one, as the nodes have told it lately."""
    found = []
    for alarm in overview(nodes).alarms:
        kind = _OF_LIMIT.get(alarm.limit)
        if kind is None:
            continue
        level = Level.CRITICAL if alarm.percent >= CRITICAL_PERCENT else Level.WARNING
        words = {"who": _named(alarm.holder), "in_use": alarm.in_use, "ceiling": alarm.ceiling}
        fields = (("percent", alarm.percent), ("in_use", alarm.in_use), ("ceiling", alarm.ceiling))
        found.append(Condition(kind, alarm.holder, level, _SENTENCE[kind].format(**words), fields))
    return found


def of_credit(usage: Usage, threshold_micros: int, *, stands: bool) -> Condition | None:
    """Is this account short of credit? `stands`: it was so at the last look."""
    account = usage.account
    if account.credit is Credit.NONE or account.status is AccountStatus.CLOSED:
        return None
    left = usage.balance_micros - usage.held_micros - account.floor_micros
    edge = threshold_micros * MARGIN_PERCENT // 100 if stands else threshold_micros
    if left >= edge and left > 0:
        return None
    level = Level.CRITICAL if left <= 0 else Level.WARNING
    text = f"account {account.id} has {format_money(left)} left, less than {format_money(threshold_micros)}"
    fields = (("left_micros", left), ("threshold_micros", threshold_micros), ("balance_micros", usage.balance_micros))
    return Condition(Kind.CREDIT, account.id, level, text, fields)


def of_quality(holder: str, states: Mapping[str, str]) -> list[Condition]:
    """Rules that this account or trunk breaks: `limits.tallies` has a word for each that is not at rest."""
    return [
        Condition(
            Kind.QUALITY,
            holder,
            Level.WARNING,
            f"{_named(holder)} breaks the quality rule {rule}",
            (("rule", rule), ("state", state.partition(" ")[0][:32])),
            rule,
        )
        for rule, state in sorted(states.items())
        if state
    ]


def of_trunks(nodes: Sequence[NodeState]) -> list[Condition]:
    """Egress trunks that are down, for some nodes or for all that know them."""
    sees: dict[str, list[tuple[str, bool]]] = {}
    for node in _shown(nodes):
        assert node.snapshot is not None
        for use in node.snapshot.trunks:
            sees.setdefault(use.trunk, []).append((node.name, use.health in ("down", "trial")))
    found = []
    for trunk, words in sorted(sees.items()):
        down = [node for node, is_down in words if is_down]
        if not down:
            continue
        everywhere = len(down) == len(words)
        text = f"trunk {trunk} is down for {'every node' if everywhere else ', '.join(down)}"
        fields = (("nodes_down", len(down)), ("nodes", len(words)))
        found.append(Condition(Kind.TRUNK, trunk, Level.CRITICAL if everywhere else Level.WARNING, text, fields))
    return found


class Expected(NamedTuple):
    """What is known of nodes after a look."""

    gone: tuple[Condition, ...]
    changes: tuple[tuple[str, str], ...]
    """(node, what is to be kept of it: `up`, `left` or nothing)."""


def of_nodes(
    nodes: Sequence[NodeState], known: Mapping[str, str], standings: Iterable[Standing], now_ms: int
) -> Expected:
    """Nodes that were there and are silent, though they have not stopped in order. `known`: what was kept of each."""
    gone: list[Condition] = []
    changes: list[tuple[str, str]] = []
    since = {one.subject: one.since_ms for one in standings if one.kind is Kind.NODE}
    listed = {node.name: node for node in nodes}
    for node in nodes:
        is_leaving = node.snapshot is not None and node.snapshot.draining == "stopping"
        if is_leaving:
            wanted = "left"
        elif node.state != "silent":
            wanted = "up"
        else:
            wanted = known.get(node.name, "")
        if wanted != known.get(node.name, ""):
            changes.append((node.name, wanted))
        if node.state == "silent" and wanted == "up":
            gone.append(_gone(node.name))
    for name, kept in sorted(known.items()):
        if name in listed:
            continue
        if kept == "left" or now_ms - since.get(name, now_ms) >= GONE_MS:
            changes.append((name, ""))
        else:
            gone.append(_gone(name))
    return Expected(tuple(gone), tuple(changes))


def is_judged(standing: Standing, nodes: Sequence[NodeState]) -> bool:
    """Could this look have seen it?"""
    if standing.kind in (Kind.CALLS, Kind.CAPS, Kind.SPEND, Kind.TRUNK):
        return any(True for _ in _shown(nodes))
    return True


def _shown(nodes: Iterable[NodeState]) -> Iterable[NodeState]:
    return (node for node in nodes if node.snapshot is not None and node.state != "silent")


def _gone(node: str) -> Condition:
    return Condition(
        Kind.NODE, node, Level.CRITICAL, f"node {node} is gone: no heartbeat, and it did not stop in order"
    )


def _named(holder: str) -> str:
    kind, colon, name = holder.partition(":")
    return f"{kind} {name}" if colon else f"account {holder}"
