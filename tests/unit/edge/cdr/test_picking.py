"""Which records are meant."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.cdr.picking import Picked, ended_of, instant_of

NOW = datetime(2026, 7, 10, 12, tzinfo=UTC)
RECORD = {
    "account": "acme",
    "outcome": "refused",
    "reason": "caps",
    "released_at": "2026-07-01T12:00:00.000001Z",
}
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("picked", "expected"),
    [
        (Picked(), True),
        (Picked(accounts=frozenset({"acme", "x"})), True),
        (Picked(accounts=frozenset({"x"})), False),
        (Picked(outcomes=frozenset({"answered"})), False),
        (Picked(outcomes=frozenset({"refused"}), reasons=frozenset({"caps"})), True),
        (Picked(reasons=frozenset({"credit"})), False),
        (Picked(since=NOON), True),
        (Picked(since=NOON + timedelta(microseconds=2)), False),
        (Picked(until=NOON), False),
        (Picked(until=NOON + timedelta(seconds=1)), True),
    ],
)
def test_all_conditions_must_hold(picked, expected):
    """From `since` on, before `until`; by the end of the attempt."""
    assert picked.has(RECORD) is expected


def test_a_record_without_an_instant_is_of_no_time():
    """But it is of an account."""
    assert ended_of({"released_at": "soon"}) is None
    assert not Picked(since=NOON).has({"account": "acme"})
    assert Picked(accounts=frozenset({"acme"})).has({"account": "acme"})


@given(
    ended=st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)),
    since=st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)),
    hours=st.integers(0, 400),
    late_s=st.integers(-86_400, 34 * 86_400),
)
def test_no_segment_that_holds_one_is_passed_by(ended, since, hours, late_s):
    """The day in a segment's name is that of its beginning, by a clock that may be somewhat off; and a call of a node
    that was down is closed when it is back."""
    picked = Picked(since=since, until=since + timedelta(hours=hours))
    if picked.has({"released_at": ended.isoformat()}):
        assert picked.may_be_of((ended + timedelta(seconds=late_s)).strftime("%Y%m%d"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90m", NOW - timedelta(minutes=90)),
        ("3d", NOW - timedelta(days=3)),
        ("2026-07-01", datetime(2026, 7, 1, tzinfo=UTC)),
        ("2026-07-01T08:00Z", datetime(2026, 7, 1, 8, tzinfo=UTC)),
        ("2026-07-01T10:00+02:00", datetime(2026, 7, 1, 8, tzinfo=UTC)),
    ],
)
def test_an_instant_has_several_forms(text, expected):
    """Ago, a day, or exact."""
    assert instant_of("--since", text, NOW) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("yesterday", "--since 'yesterday': expected a time ago (90m, 2h, 3d), a UTC day"),
        ("2026-07-01T08:00", "--since 2026-07-01T08:00: in which zone? Expected 2026-07-01T08:00Z or"),
    ],
)
def test_what_is_no_instant_is_told(text, message):
    """With what was expected."""
    with pytest.raises(ValueError, match=r"expected|zone") as told:
        instant_of("--since", text, NOW)
    assert str(told.value).startswith(message)


@pytest.mark.parametrize("at", ["0001-01-01", "9999-12-31", "9999-12-31T23:59-10:00", "0001-01-01T00:00+10:00"])
def test_the_ends_of_the_calendar_are_instants_like_others(at):
    """Whoever wants everything may say so."""
    instant = instant_of("--since", at, NOW)
    assert Picked(since=instant).may_be_of("20260701") is at.startswith("0001")
    assert Picked(until=instant).may_be_of("20260701") is at.startswith("9999")


def test_a_time_ago_before_all_time_is_refused():
    """In a sentence."""
    with pytest.raises(ValueError, match="--since 999999w: expected a time after the year 1"):
        instant_of("--since", "999999w", NOW)
