"""Clock hours, minutes and months of a time zone, as instants of UTC seconds. Pure.

An hour is what the zone's clock shows: where the clock is set back, 02h comes twice and each is an hour of its own (a
day of 25), where it is set forward one is missing (23). Every hour is named by the UTC second at which it begins.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

HOUR_S = 3_600
MINUTE_S = 60


def hour_of(at_s: int, zone: ZoneInfo) -> int:
    """The clock hour in which this instant lies."""
    offset = _offset_s(at_s // MINUTE_S, zone)
    return (at_s + offset) // HOUR_S * HOUR_S - offset


def minute_of(at_s: int) -> int:
    """The minute in which this instant lies: minutes are the same in every zone that is in use."""
    return at_s // MINUTE_S * MINUTE_S


def month_of(at_s: int, zone: ZoneInfo) -> str:
    """`YYYY-MM` of the zone's calendar."""
    return datetime.fromtimestamp(at_s, zone).strftime("%Y-%m")


def month_bounds(month: str, zone: ZoneInfo) -> tuple[int, int]:
    """(first second, first second of the next month) of `YYYY-MM`. Raises ValueError."""
    if re.fullmatch("[0-9]{4}-(0[1-9]|1[0-2])", month) is None or month < "1971":
        raise ValueError(f"{month!r}: expected a month as YYYY-MM")
    begin = datetime.strptime(month, "%Y-%m").replace(tzinfo=zone)
    end = begin.replace(year=begin.year + begin.month // 12, month=begin.month % 12 + 1)
    return int(begin.timestamp()), int(end.timestamp())


def days_of(begin_s: int, end_s: int, zone: ZoneInfo) -> int:
    """Calendar days of the zone that have at least an instant of [begin, end)."""
    if end_s <= begin_s:
        return 0
    first = datetime.fromtimestamp(begin_s, zone).date()
    last = datetime.fromtimestamp(end_s - 1, zone).date()
    return (last - first).days + 1


def months_before(at_s: int, months: int, zone: ZoneInfo) -> int:
    """The instant so many calendar months earlier; the last day of a shorter month stands for those it has not."""
    at = datetime.fromtimestamp(at_s, zone)
    index = at.year * 12 + at.month - 1 - months
    year, month = divmod(index, 12)
    first_next = datetime(year + (month + 1) // 12, (month + 1) % 12 + 1, 1, tzinfo=UTC)
    last_day = (first_next - datetime(year, month + 1, 1, tzinfo=UTC)).days
    return int(at.replace(year=year, month=month + 1, day=min(at.day, last_day)).timestamp())


def hours_until(now_s: int, count: int, zone: ZoneInfo) -> Iterator[int]:
    """The last `count` clock hours, the running one last."""
    hours = [hour_of(now_s, zone)]
    while len(hours) < count:
        hours.append(hour_of(hours[-1] - 1, zone))
    return reversed(hours)


def show_hour(hour: int, zone: ZoneInfo) -> str:
    """`2026-10-25 02h +0200`: with its offset, so that the two of them are not taken for one."""
    return datetime.fromtimestamp(hour, zone).strftime("%Y-%m-%d %Hh %z")


def utc_text(at_s: int) -> str:
    """`2026-10-25T01:00:00Z`."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@lru_cache(maxsize=4_096)
def _offset_s(minute: int, zone: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(minute * MINUTE_S, zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())
