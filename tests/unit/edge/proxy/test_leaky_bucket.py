"""The leaky bucket against the algorithm that RFC 7415 prints."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.proxy.leaky_bucket import LeakyBucket


class Reference:
    """§3.5.2, "Priority case", line by line (TAU1 < TAU2)."""

    def __init__(self, rate: float, tau0: float, now: float) -> None:
        self.t, self.x, self.lct = 1 / rate, tau0, now

    def transmits(self, ta: float, tau1: float, tau2: float, is_priority: bool) -> bool:
        xp = self.x - (ta - self.lct)
        if xp <= tau1 or (is_priority and tau1 < xp <= tau2):
            self.x = max(0, xp) + self.t
            self.lct = ta
            return True
        return False


arrivals = st.lists(st.tuples(st.floats(0, 0.5), st.booleans()), max_size=150)


@given(st.floats(0.5, 500), arrivals)
def test_it_is_the_algorithm_of_section_3_5_2(rate, steps):
    """With the values the RFC calls reasonable: TAU0 = 0, TAU1 = TAU2 / 2, TAU2 = 10 T."""
    now = 100.0
    bucket, reference = LeakyBucket(rate, now), Reference(rate, 0.0, now)
    tau2 = 10 / rate
    for pause, is_priority in steps:
        now += pause
        expected = reference.transmits(now, tau2 / 2, tau2, is_priority)
        assert bucket.passes(now, tau2 if is_priority else tau2 / 2) == expected


@given(st.floats(1, 100), arrivals)
def test_no_more_than_the_rate_in_the_long_run(rate, steps):
    """§3.5.1: bursts are bounded by TAU, whatever the pattern."""
    now, passed = 0.0, 0
    bucket = LeakyBucket(rate, now)
    for pause, _ in steps:
        now += pause
        passed += bucket.passes(now, 4 / rate)
    assert passed <= rate * now + 4 + 1 + 1e-6


def test_the_first_category_starves_before_the_second():
    """§3.5.2: while ordinary requests keep the content at TAU1, important ones still find room up to TAU2."""
    bucket = LeakyBucket(10, 0.0)
    ordinary = [bucket.passes(0.0, 0.5) for _ in range(20)]
    important = [bucket.passes(0.0, 1.0) for _ in range(20)]

    assert (sum(ordinary), sum(important)) == (6, 5)


@pytest.mark.parametrize(("content", "first"), [(0.0, True), (0.5, False)])
def test_the_content_it_begins_with(content, first):
    """TAU0."""
    assert LeakyBucket(10, 0.0, content_s=content).passes(0.0, 0.4) is first


def test_what_passes_by_force_counts_up_to_a_bound():
    """Others make room for it, but a flood of it does not shut them out for ever."""
    bucket = LeakyBucket(10, 0.0)
    for _ in range(100):
        bucket.force(0.0, 0.3)

    assert not bucket.passes(0.0, 0.3)
    assert bucket.passes(0.2, 0.3)


def test_another_rate_holds_from_the_next_request_on():
    """§5.4 of RFC 7339: an update replaces the rate; what has been sent stays counted."""
    bucket = LeakyBucket(1, 0.0)
    assert bucket.passes(0.0, 0.0)
    bucket.pace(1000)
    assert not bucket.passes(0.5, 0.0)
    assert [bucket.passes(at, 0.0) for at in (1.0, 1.0005, 1.0011)] == [True, False, True]
