"""Nodes, calls and the journal as a terminal shows them. Pure: lines of text; instants and clocks are passed in."""

from collections.abc import Iterable, Sequence

from edge.accounts.values import show_instant, show_span
from edge.control.client import SHORT_UID, Journal, NodeState
from edge.control.overview import wrongs
from edge.control.questions import Bans, Done
from edge.control.rows import CallDetail, CallRow, Calls
from edge.terminal import aligned, cut

NAME = 16
"""Characters of a name in a table."""


def node_lines(nodes: Sequence[NodeState]) -> list[str]:
    """A table: who is alive, what it carries, and whatever is wrong with it."""
    if not nodes:
        return ["no node has been on this store in the last day"]
    rows = [("NODE", "STATE", "UP", "CALLS", "ATT/S", "REF/S", "POLICY", "VERSION", "")]
    for node in nodes:
        shown = node.snapshot
        if shown is None:
            heard = f"last heard {show_span(node.beat_ms)} ago" if node.state == "silent" else "shows nothing yet"
            rows.append((cut(node.name, NAME), node.state, "-", "-", "-", "-", "-", "-", heard))
            continue
        numbers = (str(shown.calls), f"{shown.attempts_per_s:g}", f"{shown.refused_per_s:g}")
        up = show_span(shown.uptime_s * 1_000)
        version = (str(shown.policy_generation), cut(shown.version, 10))
        rows.append((cut(node.name, NAME), node.state, up, *numbers, *version, ", ".join(wrongs(node))))
    return aligned(rows, right=range(2, 7))


def ban_lines(found: Bans) -> list[str]:
    """A table: who is not heard, where, why, how long yet."""
    if not found.bans:
        return ["every source is heard"]
    rows = [("SOURCE", "NODE", "WHY", "LEFT", "TIMES")]
    rows += [
        (cut(one.source, 48), cut(one.node, NAME), one.why, show_span(one.left_s * 1_000), str(one.times))
        for one in found.bans
    ]
    return aligned(rows, right=(3, 4))


def lifted_line(source: str, nodes: Sequence[str]) -> str:
    """What came of it."""
    return f"{source}: heard again on {', '.join(nodes)}" if nodes else f"{source}: no node had banned it"


def call_lines(found: Calls, now_ms: int, *, limit: int) -> list[str]:
    """A table, the newest first, and what is missing in it."""
    lines = ["no such call runs"] if not found.calls else aligned(_call_rows(found.calls, now_ms), right=(0,))
    if found.more:
        lines.append(f"more than {limit} calls match: ask for fewer, or set --limit")
    return lines


def silent_line(found: Calls) -> str:
    """Whose calls are missing; empty: nobody's."""
    return f"no answer from {', '.join(found.silent)}: calls of it are missing here" if found.silent else ""


def _call_rows(calls: Iterable[CallRow], now_ms: int) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("FOR", "CALL", "STATE", "ACCOUNT", "FROM", "TO", "TRUNK", "NODE")]
    for call in calls:
        age = show_span(now_ms - (call.answered_ms or call.received_ms))
        state = "EMERGENCY" if call.emergency else call.state
        names = [cut(name or "-", NAME) for name in (call.account, call.cli, call.called, call.egress_trunk, call.node)]
        rows.append((age, call.uid[:SHORT_UID], state, *names))
    return rows


def detail_lines(detail: CallDetail, now_ms: int) -> list[str]:
    """Everything there is to know of one call: what it is, what it holds, what has happened."""
    row = detail.row
    price = "no price"
    if detail.rate_micros is not None:
        price = f"{detail.rate_micros / 1e6:g} {detail.currency} a minute, zone {detail.zone or '-'}"
    said = [
        ("call", f"{row.uid} on node {row.node}, {row.state}"),
        ("account", ", ".join([row.account or "none", *detail.tags, *([detail.purpose] if detail.purpose else [])])),
        ("from", f"{row.cli}{' (withheld)' if detail.withheld else ''}{_rewritten(detail)}"),
        ("to", f"{row.called}{_dialled(detail)}"),
        ("way", f"{row.source} by {row.ingress_trunk or '-'} over {detail.listener} to {row.egress_trunk or '-'}"),
        ("Call-ID", row.call_id),
        ("decided by", f"{detail.decided_by or 'policy'} (policy {detail.policy_generation}), route {detail.route}"),
        ("ceilings", f"CAPS {detail.caps_in_force}, calls {detail.calls_in_force}" if detail.calls_in_force else "-"),
        ("holds", ", ".join(detail.holders) or "no lease"),
        ("price", price),
    ]  # fmt: skip
    if detail.paid_s:
        left = "" if detail.paid_until_ms is None else f", {show_span(detail.paid_until_ms - now_ms)} left"
        said.append(("talk held", f"{detail.paid_s} s{left}"))
    if detail.adopted_from:
        said.append(("taken over", f"from node {detail.adopted_from}"))
    if detail.hang_up_cause:
        said.append(("ending", detail.hang_up_cause))
    lines = [f"{label:<12}{cut(text, 500)}" for label, text in said]
    lines += [f"{'dialog' if not index else '':<12}{text}" for index, text in enumerate(_dialogs(detail, now_ms))]
    return [*lines, "", *_timeline(detail, now_ms)]


def _rewritten(detail: CallDetail) -> str:
    return f", sent on as {detail.cli_rewritten}" if detail.cli_rewritten else ""


def _dialled(detail: CallDetail) -> str:
    dialled = detail.called_original
    return f" (dialled {dialled})" if dialled not in ("", detail.row.called) else ""


def _dialogs(detail: CallDetail, now_ms: int) -> list[str]:
    lines = []
    for dialog in detail.dialogs:
        states = [
            "answered" if dialog.is_confirmed else "early",
            *(["not acknowledged"] if dialog.is_confirmed and not dialog.is_acked else []),
            *(["being left"] if dialog.is_leaving else []),
            *(["ended"] if dialog.is_ended else []),
            *([f"{dialog.probes_missed} probes unanswered"] if dialog.probes_missed else []),
        ]
        session = f", session of {dialog.session_s} s" if dialog.session_s else ""
        ends = f" ends in {show_span(dialog.expires_ms - now_ms)}" if dialog.expires_ms is not None else ""
        lines.append(f"{cut(dialog.to_tag, 32)}: {', '.join(states)}{session}{ends}")
    return lines


def _timeline(detail: CallDetail, now_ms: int) -> list[str]:
    row = detail.row
    happened = [(row.received_ms, "INVITE arrived"), (detail.decided_ms, "decided")]
    for one in detail.tries:
        happened.append((one.sent_ms, f"sent to {one.trunk}"))
        if one.status:
            happened.append((one.ended_ms, f"{one.trunk}: {one.status}"))
    happened += [(detail.ringing_ms, "rings"), (row.answered_ms, "answered")]
    known = sorted([(at, what) for at, what in happened if at is not None], key=lambda event: event[0])
    lines = [f"{show_instant(at)}  {(at - row.received_ms) / 1_000:+10.3f} s  {cut(what, 60)}" for at, what in known]
    return [*lines, f"{show_instant(now_ms)}  {(now_ms - row.received_ms) / 1_000:+10.3f} s  now"]


def hung_up_line(uid: str, done: Done) -> str:
    """What came of it."""
    return f"{uid}: hung up{f', of account {done.account}' if done.account else ''}"


def drained_line(node: str, done: Done, *, drains: bool) -> str:
    """What came of it."""
    if drains:
        again = "takes no new attempts" if done.changed else "took no new attempts already"
        return f"{node}: {again}; {done.calls} calls go on"
    return f"{node}: {'takes new attempts again' if done.changed else 'took new attempts already'}; {done.calls} calls"


def journal_lines(entries: Sequence[Journal]) -> list[str]:
    """The newest first."""
    lines = []
    for at_ms, entry in entries:
        of = " ".join([part for part in (entry.call_uid, entry.account and f"of {entry.account}") if part])
        fault = f" (not done: {entry.fault})" if entry.fault else ""
        why = f": {entry.why}" if entry.why else ""
        verb = entry.verb.replace("_", " ")
        lines.append(
            cut(
                f"{show_instant(at_ms)}  {entry.node}  {entry.by or '-'}  {verb}{f' {of}' if of else ''}{why}{fault}",
                300,
            )
        )
    return lines or ["nothing yet"]
