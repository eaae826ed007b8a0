"""edge.config.hours"""

from datetime import UTC, datetime, timedelta

import pytest

from edge.config.hours import Week, local_time, midnight_ms, parse_window, parse_zone

PARIS = parse_zone("Europe/Paris")
MONDAY = datetime(2026, 11, 23, tzinfo=PARIS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("10:00-13:00", (36_000, 46_800)), ("00:00-24:00", (0, 86_400)), ("22:00-06:00", (79_200, 21_600))],
)
def test_window(text: str, expected: tuple[int, int]) -> None:
    """Seconds of the day."""
    assert expected == parse_window(text)


@pytest.mark.parametrize(
    "text", ["", "10-13", "10:00-13:60", "24:00-01:00", "10:00-10:00", "00:00-24:01", "9:00-10:00", "10:00/13:00"]
)
def test_no_window(text: str) -> None:
    """Said with an example."""
    with pytest.raises(ValueError, match=r"expected a window of the day such as 10:00-13:00"):
        parse_window(text)


@pytest.mark.parametrize("name", ["", "Paris", "Europe/Nowhere", "../etc/passwd"])
def test_no_zone(name: str) -> None:
    """A name the system does not know."""
    with pytest.raises(ValueError, match="expected a time zone such as Europe/Paris"):
        parse_zone(name)


@pytest.mark.parametrize(
    ("clock", "expected"),
    [("21:59:59", False), ("22:00:00", True), ("23:59:59", True), ("00:00:00", True), ("05:59:59", True),
     ("06:00:00", False)],
)  # fmt: skip
def test_over_midnight(clock: str, expected: bool) -> None:
    """Evening and early morning of the day itself."""
    hour, minute, second = map(int, clock.split(":"))
    week = Week(("mon",), ("22:00-06:00",))
    assert expected is week.holds(MONDAY.replace(hour=hour, minute=minute, second=second))
    assert not week.holds(MONDAY.replace(hour=23) + timedelta(days=1))


def test_a_day_begins_where_it_begins() -> None:
    """23 and 25 hours: midnight is midnight."""
    spring = local_time(datetime(2026, 3, 29, 12, tzinfo=UTC).timestamp(), PARIS)
    autumn = local_time(datetime(2026, 10, 25, 12, tzinfo=UTC).timestamp(), PARIS)
    assert midnight_ms(spring, 0) == int(datetime(2026, 3, 28, 23, tzinfo=UTC).timestamp() * 1_000)
    assert midnight_ms(spring, -1) - midnight_ms(spring, 0) == 23 * 3_600_000
    assert midnight_ms(autumn, -1) - midnight_ms(autumn, 0) == 25 * 3_600_000


def test_without_end() -> None:
    """An instant that never comes can be told all the same."""
    assert local_time(float("inf"), PARIS).year == 9999
