"""edge.quality.windows: rolling hours"""

from hypothesis import given
from hypothesis import strategies as st
from records import at

from edge.quality.counts import Counts, total
from edge.quality.rules import Judgement, judge
from edge.quality.terms import Terms
from edge.quality.windows import buckets_for, minutes_of, rolling, rolling_ahead, worst_rolling

SHORT = next(rule for rule in Terms().rules if rule.id == "short_calls")
TEN = at("2026-11-26T10:00")


def minutes(**by_minute: tuple[int, int]) -> dict[int, Counts]:
    """m<minute from 10:00>=(answered, short); m_5 is 9:55."""
    return {
        TEN + int(name[1:].replace("_", "-")) * 60: Counts.of(answered=answered, short=short)
        for name, (answered, short) in by_minute.items()
    }


def test_a_breach_across_the_hour_counts_for_the_hour_it_ends_in():
    """9:50-10:09 has 20 of 40 short; the clock hour 10 alone has only 10 answered calls, too few to be judged."""
    found = worst_rolling(SHORT, minutes(m_10=(30, 12), m8=(10, 8)), TEN)
    assert found is not None
    assert (found.begin_s, found.end_s) == (TEN - 51 * 60, TEN + 9 * 60)
    assert (found.counts["answered"], found.counts["short"]) == (40, 20)


def test_a_breach_that_had_ended_before_the_hour_is_not_of_it():
    """A window that ends at 10:00 is the clock hour 9."""
    assert worst_rolling(SHORT, minutes(m_60=(30, 30)), TEN) is None
    assert worst_rolling(SHORT, minutes(m_59=(30, 30)), TEN) is not None


def test_the_last_window_of_an_hour_is_the_clock_hour():
    """It ends with minute 60."""
    found = worst_rolling(SHORT, minutes(m59=(30, 30)), TEN)
    assert found is not None
    assert (found.begin_s, found.end_s) == (TEN, TEN + 3_600)


@given(
    st.dictionaries(
        st.integers(-60, 59), st.tuples(st.integers(0, 20), st.integers(0, 20)).map(lambda p: (max(p), min(p)))
    )
)
def test_the_worst_window_is_that_of_sixty_naive_sums(by_minute):
    """Against each window added up anew."""
    found = {TEN + m * 60: Counts.of(answered=a, short=s) for m, (a, s) in by_minute.items()}
    shares = []
    for end in range(TEN + 60, TEN + 3_601, 60):
        counts = total(one for at_, one in found.items() if end - 3_600 <= at_ < end)
        if judge(SHORT, counts) is Judgement.BAD:
            shares.append(counts["short"] / counts["answered"])
    worst = worst_rolling(SHORT, found, TEN)
    assert (worst is None) == (not shares)
    if worst is not None:
        assert worst.counts["short"] / worst.counts["answered"] == max(shares)


def test_the_rolling_hour_now_is_the_running_minute_and_59_before():
    """At 10:59:30 minute 10:00 is in, 9:59 is out; a probe counts only what came since it began."""
    counts = minutes(m_1=(1, 0), m0=(2, 0), m59=(4, 0))
    now = TEN + 59 * 60 + 30
    assert rolling(counts, now).counts["answered"] == 6
    assert rolling(counts, now, since_s=TEN + 60).counts["answered"] == 4


def test_minutes_come_from_the_buckets_of_the_store():
    """Fields of other trunks and of no sense are left out."""
    buckets = [(TEN, {"07 all": "1 1", "07 trunk:out": "9 9", "late": "3"}), (TEN + 3_600, {"00 all": "2 2"})]
    found = minutes_of(buckets, "all")
    assert {key: one["told"] for key, one in found.items()} == {TEN + 7 * 60: 1, TEN + 3_600: 2}


def test_the_buckets_that_cover_a_stretch():
    """Hours of UTC, also where the clock hour begins at half past."""
    assert list(buckets_for(TEN + 1_800, TEN + 3 * 1_800)) == [TEN, TEN + 3_600]


@given(
    st.dictionaries(st.integers(-70, 10), st.tuples(st.integers(0, 99), st.integers(0, 99)), max_size=80),
    st.integers(0, 59),
)
def test_what_is_ahead_is_the_rolling_hour_of_each_minute_to_come(sums, second):
    """With what is there already, as a node's clock may be ahead."""
    there = {TEN + 60 * at: Counts.of(answered=answered, short=short) for at, (answered, short) in sums.items()}
    now = TEN + second
    expected = [rolling(there, now if ahead == 0 else TEN + 60 * ahead).counts for ahead in range(6)]
    assert list(rolling_ahead(there, rolling(there, now), 5)) == expected
