"""edge.config.calendar, and the days the packaged ruleset makes of it"""

from datetime import date, timedelta

import holidays
import pytest

from edge.config.calendar import easter
from edge.config.conduct import Law
from edge.config.telemarketing import Telemarketing, built_in

YEARS = range(2023, 2101)
LAW = Law(built_in("fr-telemarketing"), Telemarketing())
METROPOLE = "+33199001234"


@pytest.mark.parametrize(
    ("year", "day"),
    [
        (1818, date(1818, 3, 22)),
        (1943, date(1943, 4, 25)),
        (2000, date(2000, 4, 23)),
        (2024, date(2024, 3, 31)),
        (2025, date(2025, 4, 20)),
        (2026, date(2026, 4, 5)),
        (2027, date(2027, 3, 28)),
        (2038, date(2038, 4, 25)),
        (2285, date(2285, 3, 22)),
    ],
)
def test_easter(year: int, day: date) -> None:
    """The earliest and the latest there can be, and those of these years."""
    assert day == easter(year)


def test_easter_is_a_sunday() -> None:
    """For ten centuries."""
    assert {easter(year).weekday() for year in range(1600, 2600)} == {6}


def _days(called: str, year: int, law: Law = LAW) -> set[date]:
    days = (date(year, 1, 1) + timedelta(days=number) for number in range(366))
    return {day for day in days if day.year == year and law.holiday(called, day)}


@pytest.mark.parametrize(
    ("called", "subdivision"),
    [
        (METROPOLE, None),
        ("+33388001234", "6AE"),
        ("+33387001234", "57"),
        ("+33639980001", None),
        ("+594594001234", "973"),
        ("+262262001234", "974"),
        ("+508410001", None),
    ],
)
def test_against_an_independent_calendar(called: str, subdivision: str | None) -> None:
    """L3133-1 for everybody, and what single territories add, over 78 years."""
    judge = holidays.country_holidays("FR", subdiv=subdivision, years=YEARS)
    for year in YEARS:
        assert {day for day in judge if day.year == year} == _days(called, year)


@pytest.mark.parametrize(
    ("called", "subdivisions"),
    [("+590590001234", ("971", "MF", "BL")), ("+596596001234", ("972",)), ("+262269001234", ("976", "974"))],
)
def test_abolition_days(called: str, subdivisions: tuple[str, ...]) -> None:
    """Where a number does not tell which territory it is in, the days of all are kept; days of custom, which no article
    of the Code du travail names (Mi-Carême, Schœlcher), are not."""
    custom = {"Mi-Carême", "Vendredi saint", "Fête de Victor Schoelcher"}
    for year in YEARS:
        expected = set()
        for name in subdivisions:
            judge = holidays.country_holidays("FR", subdiv=name, years=year, language="fr")
            expected |= {day for day, said in judge.items() if not set(said.split("; ")) <= custom}
        assert expected == _days(called, year)


def test_without_local_holidays() -> None:
    """D223-9 names L3133-1 alone: a document may keep to that."""
    strict = Law(built_in("fr-telemarketing"), Telemarketing(local_holidays=False))
    assert _days("+33388001234", 2026, strict) == _days(METROPOLE, 2026)
    assert len(_days(METROPOLE, 2026)) == 11
