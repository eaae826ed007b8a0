"""limits.rates: what a call costs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limits.rates import MAX_PAID_S, Price, affordable_s, billed_s, cost, interval_s

PRICES = st.builds(
    Price,
    connect_micros=st.integers(0, 10**9),
    rate_micros=st.integers(0, 10**9),
    first_s=st.integers(1, 3_600),
    next_s=st.integers(1, 3_600),
    minimum_s=st.integers(0, 3_600),
)


@pytest.mark.parametrize(
    ("price", "duration_ms", "billed", "amount"),
    [
        (Price(0, 60, 1, 1, 0), 0, 1, 1),
        (Price(0, 60, 1, 1, 0), 1_000, 1, 1),
        (Price(0, 60, 1, 1, 0), 1_001, 2, 2),
        (Price(0, 60, 30, 6, 0), 29_999, 30, 30),
        (Price(0, 60, 30, 6, 0), 30_001, 36, 36),
        (Price(0, 60, 60, 60, 0), 61_000, 120, 120),
        (Price(0, 60, 1, 1, 30), 5_000, 30, 30),
        (Price(0, 60, 1, 6, 30), 5_000, 31, 31),
        (Price(7, 1, 1, 1, 0), 1_000, 1, 8),
        (Price(7, 0, 1, 1, 0), 500_000, 500, 7),
    ],
)
def test_an_answered_call_is_billed_on_the_grid_and_rounded_up(price, duration_ms, billed, amount):
    """Never under the minimum; the fraction of a micro-unit goes to the carrier."""
    assert (billed_s(price, duration_ms), cost(price, duration_ms)) == (billed, amount)


@given(PRICES, st.integers(0, 10**8))
def test_what_is_billed_is_on_the_grid_and_covers_the_talk(price, duration_ms):
    """And by less than one increment too much."""
    billed = billed_s(price, duration_ms)

    assert (billed - price.first_s) % price.next_s == 0
    assert billed * 1_000 >= max(duration_ms, price.minimum_s * 1_000)
    assert billed == price.first_s or (billed - price.next_s) * 1_000 < max(duration_ms, price.minimum_s * 1_000)


@given(PRICES, st.integers(0, 10**14))
def test_what_can_be_afforded_is_the_longest_talk_the_money_pays(price, money):
    """One increment more would cost too much, unless a week is reached."""
    seconds = affordable_s(price, money)

    if not seconds:
        assert cost(price, 0) > money
    else:
        assert cost(price, seconds * 1_000) <= money
        longer = seconds + price.next_s
        assert longer > MAX_PAID_S or cost(price, longer * 1_000) > money


@given(PRICES, st.integers(0, MAX_PAID_S), st.integers(1, 600))
def test_an_interval_is_a_quantum_more_or_a_week(price, paid_s, quantum_s):
    """Never less than before."""
    found = interval_s(price, paid_s, quantum_s)

    assert found >= paid_s
    assert found >= min(paid_s + quantum_s, MAX_PAID_S)
