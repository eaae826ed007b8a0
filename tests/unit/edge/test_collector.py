"""A stop of the loop comes when one of its size has become worth it."""

import gc

import pytest

from edge.collector import LOOK_S, REST_S, Collector, is_worth

HOUR_S = 3_600.0


@pytest.mark.parametrize(
    ("timers", "age_s", "expected"),
    [
        (0, REST_S - 1, False),
        (0, REST_S, True),
        (2_000, 4 * 60.0, False),
        (2_000, 5 * 60.0, True),
        (200_000, 7 * HOUR_S, False),
        (200_000, 8 * HOUR_S, True),
    ],
)
def test_small_ones_are_often_and_large_ones_rare(timers, age_s, expected):
    """By what there is to go through, and how long it was left."""
    assert is_worth(timers, age_s) is expected


class Day:
    """Looks as often as `run` does, over a day, and when the collector was let go."""

    def __init__(self, timers_at) -> None:
        self.now = 0.0
        self.done: list[float] = []
        collector = Collector(lambda: timers_at(self.now), lambda: self.now, self.collect)
        while self.now < 24 * HOUR_S:
            self.now += LOOK_S
            collector.look()

    def collect(self) -> None:
        self.done.append(self.now)


def test_the_night_has_it_and_not_the_noon():
    """200,000 timers by day, 5,000 from two to four."""
    done = Day(lambda at: 5_000 if 2 * HOUR_S <= at < 4 * HOUR_S else 200_000).done
    assert [at for at in done if 2 * HOUR_S <= at < 4 * HOUR_S]
    assert len([at for at in done if 4 * HOUR_S <= at]) == 2


def test_an_edge_that_never_rests_is_gone_through_all_the_same():
    """Bounded: cycles that background work leaves must not pile up for ever."""
    assert len(Day(lambda at: 200_000).done) == 3


def test_an_edge_at_rest_is_gone_through_each_minute():
    """It costs nothing there."""
    assert len(Day(lambda at: 0).done) == 24 * 60


def test_nothing_older_is_gone_through_by_itself():
    """However much has come; and what was there at the start never again."""
    before = gc.get_threshold()
    try:
        Collector(lambda: 0, lambda: 0.0).start()
        young, older, oldest = gc.get_threshold()
        assert young == 1_000
        assert min(older, oldest) > 1_000_000_000
        assert gc.get_freeze_count() > 0
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
