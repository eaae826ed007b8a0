"""How many calls an account has placed against those it has received, by day of UTC. Pure; the specification of what
part_frequency.lua keeps and judges.

The days at the edges of a window lie in it only in part. What was placed on such a day counts whole and what was
received does not count, and nothing is allowed before every day of the window has been counted: whatever is unknown
speaks against the account.
"""

from collections.abc import Mapping
from typing import NamedTuple

DAY_MS = 86_400_000
KEPT_DAYS = 401
"""As long as the longest window of a frequency."""
PLACED = "p:"
RECEIVED = "r:"
SINCE = "since"
"""Fields: PLACED or RECEIVED and the number of the day (since 1970) -> calls; SINCE -> the first day counted."""


class Share(NamedTuple):
    """What lies in a window."""

    placed: int
    received: int
    is_whole: bool
    """Was every day of the window counted?"""

    def allows(self, percent: int) -> bool:
        """Is one more call placed still at most so many percent of those received?"""
        return self.is_whole and (self.placed + 1) * 100 <= percent * self.received


def share_of(fields: Mapping[str, str], *, window_ms: int, now_ms: int) -> Share:
    """As the store keeps it."""
    first = (now_ms - window_ms) // DAY_MS
    placed = received = 0
    for field, count in fields.items():
        if field.startswith(PLACED) and int(field[len(PLACED) :]) >= first:
            placed += int(count)
        elif field.startswith(RECEIVED) and int(field[len(RECEIVED) :]) > first:
            received += int(count)
    since = fields.get(SINCE)
    return Share(placed, received, since is not None and int(since) < first)


def count(fields: dict[str, str], kind: str, now_ms: int) -> None:
    """One more, today."""
    day = now_ms // DAY_MS
    field = f"{kind}{day}"
    if field not in fields:
        fields.setdefault(SINCE, str(day))
        for old in [name for name in fields if name != SINCE and int(name[2:]) < day - KEPT_DAYS]:
            del fields[old]
    fields[field] = str(int(fields.get(field, "0")) + 1)
