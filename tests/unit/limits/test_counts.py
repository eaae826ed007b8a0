"""limits.counts: any window is judged right by the newest instants alone."""

from hypothesis import given
from hypothesis import strategies as st

from limits.counts import FrequencyBook
from limits.frequency import Counts, Frequency


@given(
    most=st.integers(0, 4),
    steps=st.lists(st.tuples(st.integers(0, 7), st.integers(5, 20), st.booleans()), max_size=40),
)
def test_as_if_all_were_kept(most: int, steps: list[tuple[int, int, bool]]) -> None:
    """Attempts, some only counted, in windows of several lengths: the same answers as with everything remembered."""
    book, everything, now = FrequencyBook(), [], 0
    for number, (wait, window_ms, is_forced) in enumerate(steps):
        now += wait
        one = Frequency("n", "k", most, window_ms)
        used = sum(at > now - window_ms for at in everything)
        is_over, counted, wait_ms = book.judge(one, f"u{number}", now)
        assert is_over is (used >= most)
        if not is_over:
            assert counted == used
        elif most:
            later = now + wait_ms
            assert sum(at > later - window_ms for at in everything) < most
            assert sum(at > later - 1 - window_ms for at in everything) >= most
        if not is_over or is_forced:
            book.count(one, f"u{number}", now)
            everything.append(now)


@given(st.integers(1, 4), st.lists(st.tuples(st.integers(0, 7), st.sampled_from("abcdefg")), max_size=40))
def test_different_items(most: int, steps: list[tuple[int, str]]) -> None:
    """An item counts once, from its last time on."""
    book, last, now = FrequencyBook(), {}, 0
    for number, (wait, item) in enumerate(steps):
        now += wait
        one = Frequency("n", "-", most, 15, Counts.DISTINCT, item)
        known = {name for name, at in last.items() if at > now - 15}
        is_over, _, _ = book.judge(one, f"u{number}", now)
        assert is_over is (len(known | {item}) > most)
        if not is_over:
            book.count(one, f"u{number}", now)
            last[item] = now


def test_taken_back() -> None:
    """An attempt that was none leaves its place; an item stays."""
    book = FrequencyBook()
    one, item = Frequency("n", "k", 1, 10), Frequency("i", "k", 1, 10, Counts.DISTINCT, "x")
    book.count(one, "u", 0)
    book.count(item, "u", 0)
    book.take_back(one, "u")
    book.take_back(item, "u")
    assert book.judge(one, "v", 1) == (False, 0, 0)
    assert book.judge(item._replace(item="y"), "v", 1)[0]
    book.take_back(one._replace(key="unknown"), "u")
