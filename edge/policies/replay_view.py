"""How a replay is told: lines for a terminal, a mapping for `--json`. Pure."""

from edge.config.money import format_money
from edge.policies.replay import Replay

MAX_LINES = 20
"""Kinds of change, and accounts, told at most; the rest are counted."""

Json = dict[str, object]


def replay_lines(replay: Replay, *, under: str, broken: int) -> list[str]:
    """What would be otherwise, the most frequent first; then what a record cannot tell."""
    span = f", {replay.first} to {replay.last}" if replay.first else ""
    lines = [f"{replay.records:,} records of {replay.attempts:,} attempts{span}", f"judged under {under}:"]
    changed = sum(replay.changes.values())
    lines += [f"{replay.same:>10,}  as before"]
    for change, count in replay.changes.most_common(MAX_LINES):
        basis = f" ({replay.bases[change]})" if replay.bases.get(change) else ""
        lines.append(f"{count:>10,}  {change}{basis}")
        for example in replay.examples[change]:
            who = example.account or "nobody known"
            call = f"{example.cli or 'no number'} to {example.called or 'no number'}"
            lines.append(f"{'':>12}{example.received_at}  {who}  {call}  {example.uid}")
    lines += _more(len(replay.changes), "kinds of change")
    if replay.by_account:
        lines.append("by account:")
        ordered = sorted(replay.by_account.items(), key=lambda item: -sum(item[1].values()))
        for account, counts in ordered[:MAX_LINES]:
            what = "; ".join(f"{count:,} {change.before} -> {change.after}" for change, count in counts.most_common(3))
            lines.append(f"  {account or '(nobody known)'}: {what}")
        lines += _more(len(ordered), "accounts")
    lines += _passed(replay)
    lines += _counted(replay)
    lines += _untold(replay, broken)
    look = "; edge explain --call UID tells why" if changed else ""
    lines.append(f"{changed:,} would be decided otherwise{look}" if changed else "nothing would be decided otherwise")
    return lines


def _passed(replay: Replay) -> list[str]:
    """Of calls that pass then and now."""
    lines = []
    for title, pairs in (("routed otherwise", replay.rerouted), ("shown otherwise", replay.shown)):
        if pairs:
            lines.append(f"{title}, of those that pass then and now:")
            lines += [f"{count:>10,}  {then} -> {now}" for (then, now), count in pairs.most_common(MAX_LINES)]
            lines += _more(len(pairs), "kinds")
    if replay.priced and replay.cost_before != replay.cost_after:
        before, after = format_money(replay.cost_before), format_money(replay.cost_after)
        lines.append(f"price of {replay.priced:,} answered calls: {before} -> {after}")
    if replay.shadow:
        lines.append("in the shadow: " + ", ".join(f"{word} {count:,}" for word, count in replay.shadow.most_common()))
    return lines


def _counted(replay: Replay) -> list[str]:
    """Attempts that are one too many within these records, and what cannot be counted in them."""
    lines = []
    if replay.counts.beyond:
        lines.append("one too many, counted from the first of these records on (of those that policy lets pass):")
        lines += [
            f"{count:>10,}  {reason} of {account}"
            for (reason, account), count in replay.counts.beyond.most_common(MAX_LINES)
        ]
        lines += _more(len(replay.counts.beyond), "accounts")
    if replay.counts.uncounted:
        lines.append(f"not counted, as there are too many numbers: {replay.counts.uncounted:,}")
    lines.append(
        "not judged again: refusals and consents of people, ping calls, shares of calls received, money, ceilings"
    )
    return lines


def _untold(replay: Replay, broken: int) -> list[str]:
    lines = []
    if replay.by_limits:
        lines.append(
            f"not asked again: the limits; {replay.by_limits:,} attempts they refused count as passed by policy"
        )
    if replay.unjudged:
        total = sum(replay.unjudged.values())
        why = ", ".join(f"{word} {count:,}" for word, count in replay.unjudged.most_common(5))
        lines.append(f"not judged: {total:,} that policy never saw or that cannot be made again ({why})")
    lines += [f"not told by the record: {why}: {count:,}" for why, count in replay.lacking.most_common()]
    if broken:
        lines.append(f"lines that are no record: {broken:,}")
    return lines


def _more(count: int, what: str) -> list[str]:
    return [f"  … and {count - MAX_LINES:,} more {what}"] if count > MAX_LINES else []


def replay_data(replay: Replay, *, under: str, broken: int) -> Json:
    """The same for machines; money in micro-units."""
    return {
        "under": under,
        "records": replay.records,
        "attempts": replay.attempts,
        "first": replay.first,
        "last": replay.last,
        "same": replay.same,
        "changes": [
            {
                **change._asdict(),
                "count": count,
                "basis": replay.bases.get(change, ""),
                "examples": [example._asdict() for example in replay.examples[change]],
            }
            for change, count in replay.changes.most_common()
        ],
        "accounts": {
            account: [{**change._asdict(), "count": count} for change, count in counts.most_common()]
            for account, counts in replay.by_account.items()
        },
        "rerouted": [{"before": one, "after": two, "count": n} for (one, two), n in replay.rerouted.most_common()],
        "shown": [{"before": one, "after": two, "count": n} for (one, two), n in replay.shown.most_common()],
        "shadow": dict(replay.shadow),
        "priced": replay.priced,
        "cost_before_micros": replay.cost_before,
        "cost_after_micros": replay.cost_after,
        "refused_by_limits": replay.by_limits,
        "counted": [
            {"reason": reason, "account": account, "count": count}
            for (reason, account), count in replay.counts.beyond.most_common()
        ],
        "uncounted": replay.counts.uncounted,
        "unjudged": dict(replay.unjudged),
        "lacking": dict(replay.lacking),
        "broken_lines": broken,
    }
