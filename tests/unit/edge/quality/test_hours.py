"""edge.quality.hours: clock hours, minutes and months"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import PARIS, at

from edge.quality import hours

INSTANTS = st.integers(at("2020-01-01T00:00"), at("2035-01-01T00:00"))
ZONES = ("Europe/Paris", "UTC", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe")


@pytest.mark.parametrize(
    ("instant", "begin"),
    [
        ("2026-11-26T00:59:59", "2026-11-26T00:00"),
        ("2026-11-26T01:00:00", "2026-11-26T01:00"),
        # 25 October 2026: at 03:00 summer time the clock is set back to 02:00; 02h comes twice.
        ("2026-10-25T00:30:00", "2026-10-25T00:00"),  # 02:30 +0200
        ("2026-10-25T01:30:00", "2026-10-25T01:00"),  # 02:30 +0100
    ],
)
def test_an_hour_is_named_by_its_first_second(instant, begin):
    """Also where the clock shows the same hour twice."""
    assert hours.hour_of(at(instant), PARIS) == at(begin)


def test_an_hour_of_a_half_hour_zone_begins_at_half_past_in_utc():
    """What counts is the clock of the zone, not that of UTC."""
    assert hours.hour_of(at("2026-11-26T00:29:59"), ZoneInfo("Asia/Kolkata")) == at("2026-11-25T23:30")


@pytest.mark.parametrize(("day", "number"), [("2026-10-25", 25), ("2026-03-29", 23), ("2026-11-26", 24)])
def test_a_day_has_the_hours_its_clock_shows(day, number):
    """25 in autumn, 23 in spring (article 26 asks for clock hours)."""
    begin = datetime.fromisoformat(day).replace(tzinfo=PARIS)
    first, last = int(begin.timestamp()), int((begin + timedelta(days=1)).timestamp())
    found = {hours.hour_of(second, PARIS) for second in range(first, last, 60)}
    assert (len(found), min(found)) == (number, first)


@given(instant=INSTANTS, zone=st.sampled_from(ZONES))
def test_an_instant_lies_in_its_hour(instant, zone):
    """No hour is longer than 60 minutes, and it begins where the clock shows a full hour."""
    begin = hours.hour_of(instant, ZoneInfo(zone))
    shown = datetime.fromtimestamp(instant, ZoneInfo(zone))
    offset = shown.utcoffset() or timedelta()
    assert 0 <= instant - begin < hours.HOUR_S
    assert (datetime.fromtimestamp(begin, UTC) + offset).minute == 0


def test_the_last_hours_are_without_gap_over_a_change_of_the_clock():
    """Those of 25 October, the running one last."""
    found = list(hours.hours_until(at("2026-10-25T02:10"), 4, PARIS))
    assert [hours.show_hour(hour, PARIS) for hour in found] == [
        "2026-10-25 01h +0200",
        "2026-10-25 02h +0200",
        "2026-10-25 02h +0100",
        "2026-10-25 03h +0100",
    ]


@pytest.mark.parametrize(
    ("month", "begin", "end"),
    [
        ("2026-10", "2026-09-30T22:00", "2026-10-31T23:00"),
        ("2026-12", "2026-11-30T23:00", "2026-12-31T23:00"),
    ],
)
def test_a_month_is_that_of_the_zone(month, begin, end):
    """October has an hour more than 31 days of 24."""
    assert hours.month_bounds(month, PARIS) == (at(begin), at(end))
    assert hours.month_of(at(begin), PARIS) == hours.month_of(at(end) - 1, PARIS) == month


@pytest.mark.parametrize("text", ["2026-13", "2026", "x", "2026-1", "0001-01"])
def test_what_is_no_month_is_refused(text):
    """YYYY-MM, nothing else."""
    with pytest.raises(ValueError, match="YYYY-MM"):
        hours.month_bounds(text, PARIS)


@pytest.mark.parametrize(
    ("begin", "end", "number"),
    [
        ("2026-11-01T09:00+01:00", "2026-11-01T11:00+01:00", 1),
        ("2026-11-01T23:00+01:00", "2026-11-02T01:00+01:00", 2),
        ("2026-11-01T23:00+01:00", "2026-11-02T00:00+01:00", 1),
        ("2026-11-01T00:00+01:00", "2026-12-01T00:00+01:00", 30),
        ("2026-11-01T00:00+01:00", "2026-11-01T00:00+01:00", 0),
    ],
)
def test_a_day_counts_where_an_instant_of_it_does(begin, end, number):
    """The end is not of it."""
    assert hours.days_of(at(begin), at(end), PARIS) == number


@pytest.mark.parametrize(
    ("instant", "months", "earlier"),
    [
        ("2026-08-31T12:00+02:00", 6, "2026-02-28T12:00+01:00"),
        ("2026-11-26T08:00+01:00", 6, "2026-05-26T08:00+02:00"),
        ("2026-01-15T08:00+01:00", 1, "2025-12-15T08:00+01:00"),
        ("2026-12-15T08:00+01:00", 12, "2025-12-15T08:00+01:00"),
    ],
)
def test_months_back_keep_the_day_where_it_exists(instant, months, earlier):
    """Six calendar months (article 17.3), by the zone's clock."""
    assert hours.months_before(at(instant), months, PARIS) == at(earlier)
