"""Which records of a log are meant: by instant, account, outcome, reason, trunk. Pure.

An instant is that of the end of the attempt (`released_at`): in this order records stand in the log.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

Json = str | int | float | bool | None | Sequence["Json"] | Mapping[str, "Json"]

LATE_DAYS = 35
"""A call may be closed so long after its end: as long as the store knows that a node which was away had it
(`limits.model.CLAIM_MS`)."""
_SPAN = re.compile(r"([0-9]{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Picked(NamedTuple):
    """Conditions; an empty one holds always."""

    since: datetime | None = None
    until: datetime | None = None
    """Before it."""
    accounts: frozenset[str] = frozenset()
    outcomes: frozenset[str] = frozenset()
    reasons: frozenset[str] = frozenset()

    def has(self, record: Mapping[str, Json]) -> bool:
        """Is this one meant?"""
        if self.accounts and record.get("account") not in self.accounts:
            return False
        if self.outcomes and record.get("outcome") not in self.outcomes:
            return False
        if self.reasons and record.get("reason") not in self.reasons:
            return False
        if self.since is None and self.until is None:
            return True
        ended = ended_of(record)
        if ended is None:
            return False
        return (self.since is None or ended >= self.since) and (self.until is None or ended < self.until)

    def may_be_of(self, day: str) -> bool:
        """Can a segment of this UTC day (YYYYMMDD) hold any of them? Clocks may be a day off. A record is not written
        before its call has ended, but perhaps long after: of a node that was down, when it comes back."""
        if self.since is not None and day < _day(self.since, -2):
            return False
        return self.until is None or day <= _day(self.until, LATE_DAYS)


def _day(at: datetime, days: int) -> str:
    """The UTC day so many days from then, as segments are named."""
    try:
        return (at.astimezone(UTC) + timedelta(days=days)).strftime("%Y%m%d")
    except OverflowError:  # the ends of the calendar
        return "00010101" if at.year == 1 else "99991231"


def ended_of(record: Mapping[str, Json]) -> datetime | None:
    """When the attempt ended; None where the record does not say."""
    for column in ("released_at", "received_at"):
        text = record.get(column)
        if isinstance(text, str):
            try:
                return datetime.fromisoformat(text)
            except ValueError:
                continue
    return None


def instant_of(option: str, text: str, now: datetime) -> datetime:
    """`90m`, `2h`, `3d` ago, a UTC day, or ISO 8601 with its zone. Raises ValueError."""
    span = _SPAN.fullmatch(text)
    if span is not None:
        try:
            return now - timedelta(**{_UNITS[span[2]]: int(span[1])})
        except OverflowError:
            raise ValueError(f"{option} {text}: expected a time after the year 1") from None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{option} {text!r}: expected a time ago (90m, 2h, 3d), a UTC day (2026-07-01), or 2026-07-01T08:00Z"
        ) from None
    if instant.tzinfo is None:
        if len(text) > len("2026-07-01"):
            raise ValueError(f"{option} {text}: in which zone? Expected {text}Z or {text}+02:00")
        return instant.replace(tzinfo=UTC)
    return instant
