"""edge.alerts.shape"""

import pytest

from edge.alerts.kinds import Kind, Level
from edge.alerts.shape import Day, days_looked_at, of_shape
from edge.config.alerts import AlertSettings

WEEK: list[Day] = [{"+33": 100}] * 6 + [{"+33": 90, "+44": 10}]


def told(today: Day, before: list[Day], **settings: int) -> list[tuple[str, str]]:
    found = of_shape("acme", today, before, AlertSettings(**settings))
    return [(one.kind.value, one.level.value) for one in found]


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [(299, []), (300, [("rise", "warning")]), (599, [("rise", "warning")]), (600, [("rise", "critical")])],
)
def test_three_times_the_busiest_day(attempts: int, expected: list[tuple[str, str]]) -> None:
    """Contract 24.2.2: at the factor it is told, at twice the factor it is critical."""
    assert told({"+33": attempts}, WEEK) == expected


def test_the_busiest_day_counts_and_not_the_mean() -> None:
    """One day of 400 in the week: 600 is no rise."""
    assert told({"+33": 600}, [*WEEK[:3], {"+33": 400}, *WEEK[4:]]) == []


def test_days_beyond_the_window_do_not_count() -> None:
    """What was eight days ago is forgotten for a rise, not for destinations."""
    assert told({"+33": 600}, [*WEEK, {"+33": 1_000}]) == [("rise", "critical")]
    assert told({"+33": 600}, [*WEEK, {"+33": 1_000}], rise_days=8) == []


def test_small_numbers_are_no_rise() -> None:
    """From three to a hundred is thirty times as much, and nothing."""
    assert told({"+33": 100}, [{"+33": 3}]) == []
    assert told({"+33": 100}, [{"+33": 3}], rise_least=50) == [("rise", "critical")]


def test_an_account_that_slept_is_told() -> None:
    """It had none at all: taken over, or new; not critical, and no destination of it is new."""
    assert told({"+33": 200}, [{}] * 30) == [("rise", "warning")]


@pytest.mark.parametrize(("attempts", "expected"), [(9, []), (10, [("place", "warning")])])
def test_a_destination_that_is_new(attempts: int, expected: list[tuple[str, str]]) -> None:
    """Not called for a month, and called often enough today."""
    assert told({"+33": 50, "+881": attempts}, WEEK) == expected


def test_a_destination_of_the_month_is_not_new() -> None:
    """Thirty days back it is known; thirty-one days back it is forgotten."""
    month: list[Day] = [{"+33": 100}] * 29
    assert told({"+33": 50, "+881": 20}, [*month, {"+881": 1}]) == []
    assert told({"+33": 50, "+881": 20}, [*month, {"+33": 1}, {"+881": 1}]) == [("place", "warning")]


def test_both_are_told_with_their_numbers() -> None:
    """Names of a few destinations, and how many there are."""
    today = {f"+{code}": 100 for code in range(210, 218)}
    rise, places = of_shape("acme", today, WEEK, AlertSettings())
    assert (rise.kind, rise.key, rise.fields) == (Kind.RISE, "rise:acme", (("attempts", 800), ("usual", 100)))
    assert (places.kind, places.level) == (Kind.PLACE, Level.WARNING)
    assert "+210, +211, +212, +213, +214 and 3 more" in places.text
    assert places.fields == (("destinations", 8), ("attempts", 800))


@pytest.mark.parametrize(
    ("settings", "days"),
    [({}, 30), ({"new_place_least": 0}, 7), ({"rise_factor": 0}, 30), ({"rise_factor": 0, "new_place_least": 0}, 0)],
)
def test_only_what_is_needed_is_read(settings: dict[str, int], days: int) -> None:
    """Where neither is wanted nothing is."""
    assert days_looked_at(AlertSettings(**settings)) == days
    today = {"+33": 5_000, "+881": 5_000}
    assert len(of_shape("acme", today, WEEK, AlertSettings(**settings))) == {30: 1, 7: 1, 0: 0}[days] + (not settings)
