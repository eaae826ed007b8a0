"""Times of the week: `10:00-13:00` on some days, in a time zone. Pure; the zone's own table is read once, at the load.

A window holds from its first minute until, not including, its last. One that ends before it begins goes over midnight:
`22:00-06:00` on a Friday is Friday's evening and Friday's early morning.
"""

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WINDOW = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])")
_DAY_S = 86_400
_LAST = 253_402_214_400.0
"""Noon of 30 December 9999, UTC."""


def parse_window(text: str) -> tuple[int, int]:
    """(first, last) second of the day, last not inside. Raises ValueError."""
    found = _WINDOW.fullmatch(text)
    if found is not None:
        hour, minute, to_hour, to_minute = map(int, found.groups())
        begin, end = hour * 3600 + minute * 60, to_hour * 3600 + to_minute * 60
        if begin != end and end <= _DAY_S:
            return begin, end
    raise ValueError(f"expected a window of the day such as 10:00-13:00 (until 24:00), got {text!r}")


def parse_zone(name: str) -> ZoneInfo:
    """The time zone of this name. Raises ValueError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"expected a time zone such as Europe/Paris, got {name!r}") from error


class Week:
    """Windows on some days of the week."""

    __slots__ = ("_days", "_windows")

    def __init__(self, days: tuple[str, ...], windows: tuple[str, ...]) -> None:
        self._days = frozenset(DAYS.index(day) for day in days) if days else frozenset(range(7))
        self._windows = tuple(parse_window(window) for window in windows)

    def holds(self, local: datetime) -> bool:
        """Is this local time inside one of the windows (any time of the day where there are none)?"""
        if local.weekday() not in self._days:
            return False
        if not self._windows:
            return True
        second = local.hour * 3600 + local.minute * 60 + local.second
        return any(
            [begin <= second < end if begin < end else second >= begin or second < end for begin, end in self._windows]
        )


def local_time(wall: float, zone: tzinfo) -> datetime:
    """UTC seconds as the clock on the wall there; an instant without end is the last that can be told."""
    return datetime.fromtimestamp(min(wall, _LAST), UTC).astimezone(zone)


def midnight_ms(local: datetime, days_before: int) -> int:
    """UTC milliseconds of the midnight that began the day so many days before this local one."""
    return _midnight_ms(local.date(), local.tzinfo, days_before)


@lru_cache(maxsize=1_024)
def _midnight_ms(day: date, zone: tzinfo | None, days_before: int) -> int:
    before = day - timedelta(days=days_before)
    return int(datetime(before.year, before.month, before.day, tzinfo=zone).timestamp() * 1_000)
