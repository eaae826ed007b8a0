"""Quality, penalties and bills as an operator reads them: lines of a terminal, data for a machine, CSV. Pure."""

import csv
import io
from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

from edge.accounts.values import show_instant, show_text
from edge.config.money import format_money
from edge.quality.billing import Bill, Span
from edge.quality.counts import Figures, figures
from edge.quality.entries import Entry, totals
from edge.quality.hours import HOUR_S, show_hour, utc_text
from edge.quality.idle import Idle
from edge.quality.report import Breach, HourReport, Report
from edge.quality.rules import Metric, badness
from edge.quality.terms import Terms
from edge.terminal import aligned

Data = dict[str, object]

_UNIT = {Metric.ACD: " s", Metric.PDD: " ms"}
_EXAMPLES = {"attempts": "failed", "answered": "answered", "short": "short"}


# -- quality -------------------------------------------------------------------------------------------------------


def report_lines(report: Report, terms: Terms) -> list[str]:
    """Hours, breaches, the calls under them, the rolling hour."""
    of = report.holder + (f", egress trunk {report.trunk}" if report.trunk else "")
    lines = [f"{of}: clock hours of {terms.quality.time_zone}, by the instant calls were {terms.quality.counted_at}"]
    if report.hours:
        rows = [("HOUR", "ATTEMPTS", "ANSWERED", "ASR", "NER", "ACD", "SHORT", "PDD p50/p95", "COST", "BREACH")]
        lines += aligned([*rows, *[_row(hour, terms.zone) for hour in report.hours]], right=range(1, 9))
    else:
        lines.append("no call in these hours")
    for hour in report.hours:
        for breach in hour.breaches:
            lines.append(f"{show_hour(hour.hour, terms.zone)}: {_breach_text(breach)}")
            lines += _examples(hour, breach)
        if hour.late:
            lines.append(
                f"{show_hour(hour.hour, terms.zone)}: {hour.late} records came after it was closed, in no figure"
            )
    found = figures(report.rolling.counts)
    lines.append(
        f"rolling hour to {utc_text(report.now_s)}: {report.rolling.counts['attempts']} attempts, ASR "
        f"{_ratio(found.asr)}, "
        f"ACD {_seconds(found.acd_ms)}, short {_ratio(found.short_share)}"
    )
    for name, standing in report.standing.items():
        until = f", until {utc_text(standing.until_s)}" if standing.until_s else ""
        lines.append(f"rule {name}: {standing.state} since {utc_text(standing.since_s)}{until}")
    return lines


def _row(hour: HourReport, zone: ZoneInfo) -> tuple[str, ...]:
    counts, found = hour.counts, figures(hour.counts)
    return (
        show_hour(hour.hour, zone) + ("" if hour.is_closed else " *"),
        str(counts["attempts"]),
        str(counts["answered"]),
        _ratio(found.asr),
        _ratio(found.ner),
        _seconds(found.acd_ms),
        _ratio(found.short_share),
        f"{_delay(found.pdd_p50_ms, counts['rang'])}/{_delay(found.pdd_p95_ms, counts['rang'])}",
        format_money(counts["cost_micros"]),
        ",".join(breach.rule.id for breach in hour.breaches) or "-",
    )


def _breach_text(breach: Breach) -> str:
    rule, counts = breach.rule, breach.window.counts
    value, amount = badness(rule, counts)
    if rule.metric is Metric.ACD:
        figure = _seconds(value // amount)
    elif rule.metric is Metric.PDD:
        figure = f"{value // amount} ms"
    else:
        figure = _ratio(value * 100 // amount)
    is_floor = rule.metric in (Metric.ASR, Metric.NER, Metric.ACD)
    wanted = f"{'above' if is_floor else 'under'} {rule.threshold}{_UNIT.get(rule.metric, ' %')}"
    window = breach.window
    at = "" if rule.window == "clock" else f" from {utc_text(window.begin_s)} to {utc_text(window.end_s)}"
    return f"{rule.id} {figure} of {amount}{at}, expected {wanted}"


def _examples(hour: HourReport, breach: Breach) -> list[str]:
    number = hour.counts[breach.rule.per]
    if breach.rule.per == "attempts":
        number -= hour.counts["answered"]
    flag = _EXAMPLES[breach.rule.per]
    uids = hour.examples.get(flag, [])
    if not uids:
        return []
    return [f"    {flag}, the first {len(uids)} of {number}: {' '.join(uids)}"]


def report_data(report: Report, terms: Terms) -> Data:
    """The same for a machine: counts, ratios in hundredths of a percent, ms, instants in UTC seconds."""
    return {
        "account": report.holder,
        "trunk": report.trunk,
        "time_zone": terms.quality.time_zone,
        "hours": [_hour_data(hour, terms) for hour in report.hours],
        "rolling": {
            "from_s": report.rolling.begin_s,
            "to_s": report.rolling.end_s,
            "counts": report.rolling.counts.named(),
            **_figures_data(figures(report.rolling.counts)),
        },
        "rules": {name: one._asdict() for name, one in report.standing.items()},
        "thresholds": [
            {"rule": rule.id, "metric": str(rule.metric), "threshold": rule.threshold, "minimum": rule.minimum}
            for rule in terms.rules
            if rule.applies_to(report.holder)
        ],
    }


def _hour_data(hour: HourReport, terms: Terms) -> Data:
    return {
        "hour": show_hour(hour.hour, terms.zone),
        "from_s": hour.hour,
        "to_s": hour.hour + HOUR_S,
        "is_closed": hour.is_closed,
        "late": hour.late,
        "counts": hour.counts.named(),
        **_figures_data(figures(hour.counts)),
        "breaches": [_breach_data(breach) for breach in hour.breaches],
        "examples": hour.examples,
    }


def _breach_data(breach: Breach) -> Data:
    rule, window = breach.rule, breach.window
    return {
        "rule": rule.id,
        "metric": str(rule.metric),
        "threshold": rule.threshold,
        "minimum": rule.minimum,
        "from_s": window.begin_s,
        "to_s": window.end_s,
        "counts": window.counts.named(),
    }


def _figures_data(found: Figures) -> Data:
    return {"figures": found._asdict()}


# -- penalties -----------------------------------------------------------------------------------------------------

_ENTRY_COLUMNS = (
    "account", "seq", "entered_at", "for", "month", "kind", "reference", "amount_micros", "currency",
    "surcharge_micros", "is_candidate", "calls", "each_micros", "corrects", "by", "why", "digest",
)  # fmt: skip


def entry_lines(entries: Sequence[Entry]) -> list[str]:
    """The ledger, the oldest first, with its totals."""
    if not entries:
        return ["no entries"]
    rows = [("SEQ", "FOR", "KIND", "CALLS", "AMOUNT", "REFERENCE", "WHAT")]
    for entry in entries:
        what = f"corrects {entry.corrects}" if entry.corrects else "candidate" if entry.is_candidate else ""
        why = show_text(entry.why)
        rows.append(
            (
                str(entry.seq),
                show_instant(entry.for_s * 1_000),
                entry.kind,
                str(entry.calls or "-"),
                format_money(entry.amount_micros),
                show_text(entry.reference),
                f"{what}: {why}" if what and why else what or why or "-",
            )
        )
    lines = aligned(rows, right=range(3, 5))
    for total in totals(entries):
        lines.append(f"{total.kind}: {total.entries} entries, {format_money(total.amount_micros)}")
    lines.append(f"in all {format_money(sum(entry.amount_micros for entry in entries))} {entries[0].currency}")
    return lines


def entry_data(entry: Entry, digest: str, terms: Terms) -> Data:
    """One entry for a machine."""
    return {**entry.data(), "month": entry.month(terms), "digest": digest}


def entries_csv(rows: Iterable[tuple[Entry, str]], terms: Terms) -> str:
    """Every entry as a row; the totals are the sum of `amount_micros`."""
    return _csv(
        _ENTRY_COLUMNS,
        [
            (
                entry.account, entry.seq, utc_text(entry.at_ms // 1_000), utc_text(entry.for_s), entry.month(terms),
                entry.kind, entry.reference, entry.amount_micros, entry.currency, entry.surcharge_micros,
                int(entry.is_candidate), entry.calls, entry.each_micros, entry.corrects or "", entry.by, entry.why,
                digest,
            )
            for entry, digest in rows
        ],
    )  # fmt: skip


def export_data(rows: Sequence[tuple[Entry, str]], month: str, terms: Terms) -> Data:
    """Entries, totals by account and kind, and the last digest of each account's part."""
    accounts = dict.fromkeys(entry.account for entry, _ in rows)
    found = []
    for account in accounts:
        own = [entry for entry, _ in rows if entry.account == account]
        found.append(
            {
                "account": account,
                "amount_micros": sum(entry.amount_micros for entry in own),
                "kinds": [total._asdict() for total in totals(own)],
            }
        )
    return {
        "month": month,
        "currency": terms.currency,
        "amount_micros": sum(entry.amount_micros for entry, _ in rows),
        "accounts": found,
        "entries": [entry_data(entry, digest, terms) for entry, digest in rows],
    }


# -- bills ---------------------------------------------------------------------------------------------------------


def bills_csv(bills: Sequence[Bill]) -> str:
    """A row for each account; the spans as `from/to=lots` in UTC."""
    return _csv(Bill._fields, [tuple([_cell(value) for value in one]) for one in bills])


def bills_data(bills: Sequence[Bill]) -> list[Data]:
    """The same for a machine."""
    return [
        {
            **one._asdict(),
            "caps_lots_in_force": [_span_data(span) for span in one.caps_lots_in_force],
            "call_lots_in_force": [_span_data(span) for span in one.call_lots_in_force],
        }
        for one in bills
    ]


def _span_data(span: Span) -> Data:
    return {"from": utc_text(span.begin_s), "to": utc_text(span.end_s), "lots": int(span.value)}


def _cell(value: object) -> object:
    if isinstance(value, tuple):
        return " ".join(f"{utc_text(span.begin_s)}/{utc_text(span.end_s)}={span.value}" for span in value)
    return int(value) if isinstance(value, bool) else value


# -- idle accounts -------------------------------------------------------------------------------------------------


def idle_lines(found: Sequence[Idle], closed: Sequence[str], months: int) -> list[str]:
    """Who has had no call."""
    if not found:
        return [f"every account has had a call in the last {months} months, or is younger, or closed"]
    rows = [("ACCOUNT", "STATUS", "BALANCE", "LAST CALL", "")]
    for one in found:
        never = f"none since {show_instant(one.created_ms)}" if one.created_ms else "none, of unknown age"
        rows.append(
            (
                one.account,
                one.status,
                format_money(one.balance_micros),
                show_instant(one.last_call_ms) if one.last_call_ms else never,
                "closed" if one.account in closed else "",
            )
        )
    return aligned(rows, right=range(2, 3))


# -- parts ---------------------------------------------------------------------------------------------------------


def _csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([[_tame(cell) for cell in row] for row in rows])
    return text.getvalue()


def _tame(cell: object) -> object:
    """A text that a spreadsheet would run as a formula is shown as text."""
    return "'" + cell if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t") else cell


def _ratio(hundredths: int | None) -> str:
    return "-" if hundredths is None else f"{hundredths // 100}.{hundredths % 100:02} %"


def _seconds(ms: int | None) -> str:
    return "-" if ms is None else f"{ms // 1_000}.{ms % 1_000 // 100} s"


def _delay(ms: int | None, amount: int) -> str:
    if not amount:
        return "-"
    return "long" if ms is None else f"{ms} ms"
