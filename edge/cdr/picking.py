"""Which records of a log are meant: by instant, account, outcome, reason, trunk. Pure.

An instant is that of the end of the attempt (`released_at`): in this order records stand in the log.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

Json = str | int | float | bool | None | Sequence["Json"] | Mapping[str, "Json"]

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
        """Can a segment of this UTC day (YYYYMMDD) hold any of them? A day of margin either side, for clocks."""
        if self.since is not None and day < (self.since.astimezone(UTC) - timedelta(days=2)).strftime("%Y%m%d"):
            return False
        return self.until is None or day <= (self.until.astimezone(UTC) + timedelta(days=1)).strftime("%Y%m%d")


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
        return now - timedelta(**{_UNITS[span[2]]: int(span[1])})
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
