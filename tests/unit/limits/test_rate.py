"""limits.rate: the token bucket."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limits.rate import MICRO, refilled, wait_ms

CAPS = st.integers(1, 1_000)


@pytest.mark.parametrize(
    ("tokens", "elapsed_ms", "caps", "burst", "expected"),
    [
        (0, 0, 1, 1, 0),
        (0, 1, 1, 1, 1_000),
        (0, 999, 1, 1, 999_000),
        (0, 1_000, 1, 1, MICRO),
        (0, 10**12, 1_000_000, 1_000_000, 1_000_000 * MICRO),
        (5 * MICRO, 0, 1, 3, 3 * MICRO),
        (MICRO, -5_000, 1, 3, MICRO),
        (MICRO, 5_000, 0, 3, MICRO),
    ],
)
def test_a_bucket_fills_with_time_up_to_its_depth(tokens, elapsed_ms, caps, burst, expected):
    """A clock that goes back adds nothing."""
    assert expected == refilled(tokens, elapsed_ms=elapsed_ms, caps=caps, burst=burst)


@pytest.mark.parametrize(
    ("tokens", "caps", "expected"),
    [(0, 1, 1_000), (0, 3, 334), (999_999, 1, 1), (MICRO, 1, 0), (0, 0, 0), (0, 1_000_000, 1)],
)
def test_the_wait_is_until_one_whole_token(tokens, caps, expected):
    """Rounded up to a millisecond; 0 where waiting is no cure."""
    assert expected == wait_ms(tokens, caps=caps)


@given(tokens=st.integers(0, MICRO - 1), caps=CAPS)
def test_after_the_wait_there_is_a_token_and_a_millisecond_before_there_is_none(tokens, caps):
    """Retry-After neither lies nor wastes."""
    wait = wait_ms(tokens, caps=caps)

    assert refilled(tokens, elapsed_ms=wait, caps=caps, burst=1) == MICRO
    assert refilled(tokens, elapsed_ms=wait - 1, caps=caps, burst=1) < MICRO


@given(st.lists(st.integers(0, 2_000), max_size=60), CAPS, st.integers(1, 50))
def test_no_over_rate_in_any_window(steps, caps, burst):
    """Attempts passed between any two instants never exceed burst + CAPS x time (invariant 2)."""
    tokens, now, passed = burst * MICRO, 0, []
    for step in steps:
        now += step
        tokens = refilled(tokens, elapsed_ms=step, caps=caps, burst=burst)
        if tokens >= MICRO:
            tokens -= MICRO
            passed.append(now)

    for first, start in enumerate(passed):
        for last in range(first, len(passed)):
            assert (last - first + 1) * 1_000 <= burst * 1_000 + caps * (passed[last] - start)


@given(st.integers(0, 10**9), st.integers(0, 10**6), st.integers(0, 10**6), CAPS, st.integers(1, 50))
def test_time_cut_in_two_fills_the_same(tokens, first, second, caps, burst):
    """Nothing is lost to rounding, however often one looks."""
    whole = refilled(tokens, elapsed_ms=first + second, caps=caps, burst=burst)
    halves = refilled(
        refilled(tokens, elapsed_ms=first, caps=caps, burst=burst), elapsed_ms=second, caps=caps, burst=burst
    )

    assert whole == halves
