"""edge.quality.counts: sums and figures"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.quality.counts import (
    COUNTERS,
    PDD_BOUNDS_MS,
    SIZE,
    Counts,
    figures,
    pdd_bucket,
    pdd_percentile,
    total,
)

VECTORS = st.lists(st.integers(0, 10**9), min_size=SIZE, max_size=SIZE).map(lambda flat: Counts(tuple(flat)))


def test_the_order_in_the_store_never_changes():
    """Sums of older versions are read by place."""
    assert COUNTERS[:15] == (
        "told", "attempts", "answered", "short", "effective", "answered_ms", "rang", "pdd_ms", "cancelled", "refused",
        "emergency", "lost", "cli", "billed_s", "cost_micros",
    )  # fmt: skip
    assert PDD_BOUNDS_MS == (250, 500, 1_000, 1_500, 2_000, 3_000, 4_000, 6_000, 8_000, 12_000, 20_000, 30_000)


@given(one=VECTORS, other=VECTORS)
def test_sums_are_by_number_and_survive_the_store(one, other):
    """What is written is read, and adding is what it says."""
    text = " ".join(map(str, one.numbers))
    assert Counts.from_text(text) == one
    assert total([one, other]).numbers == tuple(a + b for a, b in zip(one.numbers, other.numbers, strict=True))


def test_a_sum_of_an_older_version_has_fewer_numbers():
    """What is missing counts as 0, what is too much is of a newer one."""
    assert Counts.from_text("3 2") == Counts.of(told=3, attempts=2)
    assert Counts.from_text(" ".join(["1"] * (SIZE + 3))).numbers == (1,) * SIZE


def test_figures_of_a_sum():
    """7 of 12 answered for 61 s in all, 2 of them short, 10 effective, 9 rang after 4.5 s in all."""
    counts = Counts.of(attempts=12, answered=7, answered_ms=61_000, short=2, effective=10, rang=9, pdd_ms=4_500)
    found = figures(counts)
    assert (found.asr, found.ner, found.acd_ms, found.short_share, found.pdd_mean_ms) == (5833, 8333, 8714, 2857, 500)


def test_nothing_to_divide_by_is_no_figure():
    """Never 0 and never an error."""
    assert set(figures(Counts())) == {None}


@pytest.mark.parametrize(
    ("delay", "name"), [(0, "pdd_le_250"), (250, "pdd_le_250"), (251, "pdd_le_500"), (30_000, "pdd_le_30000"),
                        (30_001, "pdd_longer")]
)  # fmt: skip
def test_a_delay_goes_into_the_first_bucket_that_holds_it(delay, name):
    """Bounds belong to their bucket."""
    assert COUNTERS[pdd_bucket(delay)] == name


def test_percentiles_are_bounds_of_buckets():
    """Nearest rank: of 100 delays the 50th, 95th, 99th."""
    counts = Counts.of(pdd_le_250=50, pdd_le_500=44, pdd_le_2000=4, pdd_longer=2)
    assert [pdd_percentile(counts, percent) for percent in (50, 51, 94, 95, 98, 99)] == [
        250,
        500,
        500,
        2000,
        2000,
        None,
    ]


@given(delays=st.lists(st.integers(0, 40_000), min_size=1, max_size=50), percent=st.integers(1, 99))
def test_a_percentile_is_the_bound_above_the_true_one(delays, percent):
    """Against the sorted delays themselves."""
    flat = [0] * SIZE
    for delay in delays:
        flat[pdd_bucket(delay)] += 1
    true = sorted(delays)[-(-len(delays) * percent // 100) - 1]
    assert pdd_percentile(Counts(tuple(flat)), percent) == next((b for b in PDD_BOUNDS_MS if b >= true), None)
