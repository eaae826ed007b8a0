"""Nonces: whose they are, how old, and each count once."""

from itertools import count
from math import inf

from hypothesis import given
from hypothesis import strategies as st

from edge.proxy.nonces import MAX_USED, WINDOW, Nonces


def nonces(now: float = 100.0, first: int = 1) -> Nonces:
    numbers = count(first)
    return Nonces(lambda: b"f%d" % next(numbers), now)


def worker(first: int, family: bytes = b"one edge") -> Nonces:
    numbers = count(first)
    return Nonces(lambda: b"f%d" % next(numbers), 100.0, family=family)


def test_a_nonce_of_another_worker_is_too_old_and_no_forgery():
    """Its caller is asked again with `stale=true`, without a password anew; its count is kept by one worker alone."""
    ours, theirs, strange = worker(1), worker(50), worker(90, b"another edge")
    nonce = ours.give("192.0.2.1", 107.0)
    assert ours.age(nonce, "192.0.2.1", 108.0) == 1.0
    assert theirs.age(nonce, "192.0.2.1", 108.0) == inf
    assert theirs.age(nonce, "192.0.2.2", 108.0) is None
    assert strange.age(nonce, "192.0.2.1", 108.0) is None


def test_a_nonce_is_known_again():
    """With its age, to the millisecond, at the address it was given to and nowhere else."""
    ours = nonces()
    nonce = ours.give("192.0.2.1", 107.25)
    assert ours.age(nonce, "192.0.2.1", 110.5) == 3.25
    assert ours.age(nonce, "192.0.2.2", 110.5) is None
    assert nonces(first=9).age(nonce, "192.0.2.1", 110.5) is None


@given(st.binary(max_size=120))
def test_nobody_else_makes_one(data):
    """Whatever is sent as a nonce: no age, no fault."""
    ours = nonces()
    nonce = ours.give("h", 100)
    for tried in (data, nonce + data, data + nonce, nonce[: len(data) % len(nonce)] + data):
        assert tried == nonce or ours.age(tried, "h", 100) is None


@given(st.lists(st.integers(0, 200), max_size=80))
def test_each_count_is_good_once(counts):
    """In any order; below the window it is not known any more and not good."""
    ours = nonces()
    nonce = ours.give("h", 100)
    seen: set[int] = set()
    for number in counts:
        is_new = number >= 1 and number not in seen and (not seen or number > max(seen) - WINDOW)
        assert ours.use(nonce, number) is is_new
        if is_new:
            seen.add(number)


def test_what_is_too_old_is_forgotten():
    """Memory follows the life of a nonce."""
    ours = nonces()
    for second in range(20):
        ours.use(ours.give("h", 100 + second), 1)
    for _ in range(10):
        ours.forget(15, 130)
    assert len(ours) == 5


def test_what_is_forgotten_for_want_of_room_is_never_good_again():
    """Else a flood of logins would let somebody play back another one's call."""
    ours = nonces()
    given_out = [ours.give("h", 100 + second) for second in range(MAX_USED + 2)]
    assert all(ours.use(nonce, 1) for nonce in given_out)
    assert len(ours) == MAX_USED
    ages = [ours.age(nonce, "h", 105) for nonce in given_out[:4]]
    assert ages == [inf, inf, 3, 2]
