"""Days of the calendar that the law names: Easter and what hangs on it, fixed days. Pure; standard library only."""

from datetime import date, timedelta
from functools import lru_cache


@lru_cache(maxsize=64)
def easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar, by the anonymous algorithm (Meeus, Astronomical Algorithms, 8)."""
    golden = year % 19
    century, rest = divmod(year, 100)
    leaps, left = divmod(century, 4)
    correction = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - leaps - correction + 15) % 30
    quarter, last = divmod(rest, 4)
    weekday = (32 + 2 * left + 2 * quarter - epact - last) % 7
    months = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * months + 114, 31)
    return date(year, month, day + 1)


class HolidayCalendar:
    """Holidays of one place: the same days each year, and days counted from Easter Sunday."""

    __slots__ = ("_easter", "_fixed", "id")

    def __init__(self, name: str, fixed: frozenset[tuple[int, int]], from_easter: frozenset[int]) -> None:
        self.id = name
        self._fixed = fixed
        self._easter = from_easter

    def is_holiday(self, day: date) -> bool:
        """Is nobody to be called on this day?"""
        if (day.month, day.day) in self._fixed:
            return True
        return bool(self._easter) and (day - easter(day.year)).days in self._easter

    def holidays(self, year: int) -> list[date]:
        """All of a year, in order."""
        days = {date(year, month, day) for month, day in self._fixed}
        return sorted(days | {easter(year) + timedelta(days=number) for number in self._easter})
