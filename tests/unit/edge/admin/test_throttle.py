"""edge/admin/throttle.py: pace and lock-out, with the time passed in."""

from hypothesis import given
from hypothesis import strategies as st

from edge.admin.throttle import LOCK_MOST_S, LOCK_S, WHO_AT_MOST, WRONG_TRIES, Lockouts, Pace, Throttle


def test_a_burst_passes_and_then_the_pace():
    """Three at once, then one a second."""
    throttle = Throttle(Pace(1.0, 3))
    assert [0.0, 0.0, 0.0, 1.0] == [throttle.wait_s("a", 10.0) for _ in range(4)]
    assert 0.0 == throttle.wait_s("a", 11.0)
    assert 0.0 == throttle.wait_s("b", 11.0)


@given(st.lists(st.floats(0, 5), max_size=200))
def test_never_more_than_burst_and_pace(pauses):
    """In any stretch of time, whatever the pauses."""
    throttle, now, passed = Throttle(Pace(2.0, 5)), 0.0, []
    for pause in pauses:
        now += pause
        if not throttle.wait_s("a", now):
            passed.append(now)
    for first, begun in enumerate(passed):
        for last in range(first, len(passed)):
            assert last - first + 1 <= 5 + 2.0 * (passed[last] - begun) + 1e-6


def test_what_is_remembered_is_bounded():
    """The one that was quiet longest is forgotten."""
    throttle, lockouts = Throttle(Pace(1.0, 1)), Lockouts()
    for number in range(WHO_AT_MOST + 10):
        throttle.wait_s(str(number), 0.0)
        lockouts.wrong(str(number), 0.0)
    assert 0.0 == throttle.wait_s("0", 0.0)
    assert 1.0 == throttle.wait_s(str(WHO_AT_MOST + 9), 0.0)
    assert len(lockouts._tries) <= WHO_AT_MOST


def test_each_lock_out_is_longer():
    """One minute, two, four … an hour at most; after a quiet hour one minute again."""
    lockouts, now, found = Lockouts(), 0.0, []
    for _ in range(9):
        locks = [lockouts.wrong("a", now) for _ in range(WRONG_TRIES)]
        assert [False] * (WRONG_TRIES - 1) + [True] == locks
        found.append(lockouts.left_s("a", now))
        now += found[-1]
        assert 0.0 == lockouts.left_s("a", now)
    assert [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600] == found
    now += 2 * LOCK_MOST_S
    for _ in range(WRONG_TRIES):
        lockouts.wrong("a", now)
    assert LOCK_S == lockouts.left_s("a", now)


def test_a_wrong_try_now_and_then_locks_nobody_out():
    """Nine in a minute, every minute."""
    lockouts = Lockouts()
    assert not any(lockouts.wrong("a", number * 7.0) for number in range(100))
