"""A month of an account for billing: lots and when they were in force, calls, penalties, the monthly minimum. Pure.

Contract articles 24.4 and 28. Lots come from the account's history, in which every change stands with its instant;
what the guard withholds for a time stays sold. Money is integer micro-units; a month is that of the policy's time zone.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from edge.quality.counts import Counts
from edge.quality.guard import AUTHOR
from edge.quality.hours import days_of

if TYPE_CHECKING:
    from limits.accounts import AuditEntry

REVERTED = "until"
"""Author of the entry with which a value that was changed for a time returns (scripts/part_reverts.lua)."""


class Span(NamedTuple):
    """A value and when it was in force: from, and up to but not including (UTC seconds)."""

    begin_s: int
    end_s: int
    value: str


class History(NamedTuple):
    """One value over a stretch of time."""

    spans: tuple[Span, ...]
    is_complete: bool
    """False: the history no longer reaches back to its beginning; the value before its first entry is that entry's
    word."""


def history_of(field: str, current: str, entries: Sequence["AuditEntry"], begin_s: int, end_s: int) -> History:
    """A value in [begin, end). `entries`: the account's history, the oldest first. `current`: what is in force after
    it."""
    value, changes = _changes(field, entries, current)
    is_from_start = bool(entries) and entries[0].generation == 1
    born_s = entries[0].at_ms // 1_000 if is_from_start else 0
    spans: list[Span] = []
    at_s = born_s
    for changed_s, after in changes:
        spans.append(Span(at_s, changed_s, value))
        at_s, value = changed_s, after
    spans.append(Span(at_s, end_s, value))
    inside = [Span(max(span.begin_s, begin_s), min(span.end_s, end_s), span.value) for span in spans]
    is_complete = is_from_start or (bool(entries) and entries[0].at_ms // 1_000 <= begin_s)
    return History(tuple([span for span in inside if span.begin_s < span.end_s]), is_complete)


def _changes(field: str, entries: Sequence["AuditEntry"], current: str) -> tuple[str, list[tuple[int, str]]]:
    """(the value it began with, (instant, value from then on) of each change), without what the guard did: what it
    withholds is no change, nor is its return, nor is it what was in force where nothing else is known."""
    begun: str | None = None
    value = current
    found: list[tuple[int, str]] = []
    due_ms: int | None = None
    for entry in entries:
        for name, before, after in entry.values:
            if name != field:
                continue
            is_first = entry.generation == 1 and not before
            if begun is None:
                begun = value = after if is_first else before
            if entry.by == AUTHOR or is_first:
                continue
            at_ms = entry.at_ms
            if entry.by == REVERTED and due_ms is not None:
                at_ms = min(at_ms, due_ms)  # it was due then; the entry was made when somebody next asked
            due_ms = entry.until_ms
            if after != value:
                found.append((at_ms // 1_000, after))
                value = after
    return current if begun is None else begun, found


class LotUse(NamedTuple):
    """Lots of one kind in a month."""

    most: int
    """The most that were in force at once."""
    days: tuple[int, ...]
    """Of the first, second … lot: calendar days on which it was in force."""
    spans: tuple[Span, ...]
    amount_micros: int


def lots_of(history: History, zone: ZoneInfo, *, price_micros: int, by: str, days_in_month: int) -> LotUse:
    """What lots cost this month: `by` month, the most at once; by day, each lot for its days (rounded down)."""
    spans = [span for span in history.spans if int(span.value or "0")]
    most = max([int(span.value) for span in spans], default=0)
    days = tuple([_days([span for span in spans if int(span.value) >= lot], zone) for lot in range(1, most + 1)])
    by_day = sum(price_micros * number // days_in_month for number in days)
    return LotUse(most, days, tuple(spans), most * price_micros if by == "month" else by_day)


def _days(spans: Sequence[Span], zone: ZoneInfo) -> int:
    """Days touched by any of these, each once; spans are in order."""
    total, counted_to = 0, 0
    for span in spans:
        number = days_of(span.begin_s, span.end_s, zone)
        if counted_to and days_of(counted_to - 1, span.begin_s + 1, zone) == 1:
            number -= 1  # the day on which the span before ended
        total += number
        counted_to = span.end_s
    return total


class Bill(NamedTuple):
    """What a month of an account comes to. Amounts in micro-units."""

    account: str
    month: str
    currency: str
    attempts: int
    answered: int
    answered_ms: int
    billed_s: int
    consumption_micros: int
    """Sum of the costs of its calls."""
    caps_lots: int
    caps_lot_days: int
    caps_lots_micros: int
    call_lots: int
    call_lot_days: int
    call_lots_micros: int
    penalties_micros: int
    minimum_due_micros: int
    """What is missing to the monthly minimum: consumption and lots count towards it, penalties do not."""
    is_complete: bool
    """False: the account's history no longer reaches back to the beginning of the month, so its lots are not
    certain."""
    caps_lots_in_force: tuple[Span, ...]
    call_lots_in_force: tuple[Span, ...]


def bill(
    account: str, month: str, *, currency: str, counts: Counts, caps: LotUse, calls: LotUse, penalties_micros: int,
    minimum_micros: int, is_complete: bool,
) -> Bill:  # fmt: skip
    """Everything of one month. `minimum_micros` 0: none is due (the account was closed all month)."""
    consumption = counts["cost_micros"]
    return Bill(
        account=account,
        month=month,
        currency=currency,
        attempts=counts["attempts"],
        answered=counts["answered"],
        answered_ms=counts["answered_ms"],
        billed_s=counts["billed_s"],
        consumption_micros=consumption,
        caps_lots=caps.most,
        caps_lot_days=sum(caps.days),
        caps_lots_micros=caps.amount_micros,
        call_lots=calls.most,
        call_lot_days=sum(calls.days),
        call_lots_micros=calls.amount_micros,
        penalties_micros=penalties_micros,
        minimum_due_micros=max(0, minimum_micros - consumption - caps.amount_micros - calls.amount_micros),
        is_complete=is_complete,
        caps_lots_in_force=caps.spans,
        call_lots_in_force=calls.spans,
    )
