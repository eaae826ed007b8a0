"""The lettered timers against RFC 3261 Table 4, RFC 6026 §8.11 and RFC 4320; the wheel: never early, nothing lost."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.sip.timers import Durations, TimerWheel


class Bell:
    """A timer owner that keeps a list of what it heard."""

    def __init__(self, heard=None, then=None):
        self.heard = [] if heard is None else heard
        self.then = then

    def fire(self, letter, now):
        self.heard.append((letter, now))
        if self.then is not None:
            self.then(letter, now)


TABLE_4 = [
    # letter, default in seconds, with T1 doubled
    ("t1", 0.5, 1.0),
    ("t2", 4.0, 4.0),
    ("t4", 5.0, 5.0),
    ("trying", 0.2, 0.2),
    ("timer_b", 32.0, 64.0),
    ("timer_c", 180.0, 180.0),
    ("timer_d", 32.0, 32.0),
    ("timer_f", 32.0, 64.0),
    ("timer_h", 32.0, 64.0),
    ("timer_i", 5.0, 5.0),
    ("timer_j", 32.0, 64.0),
    ("timer_k", 5.0, 5.0),
    ("timer_l", 32.0, 64.0),
    ("timer_m", 32.0, 64.0),
    ("late_trying", 3.5, 3.0),
    ("unanswered", 37.0, 69.0),
]


@pytest.mark.parametrize(("name", "usual", "doubled"), TABLE_4)
def test_a_timer_has_the_length_of_the_table(name, usual, doubled):
    """RFC 3261 Table 4, RFC 6026 §8.11; what follows from T1 follows it."""
    assert (usual, doubled) == (getattr(Durations(), name), getattr(Durations(t1=1.0), name))


@pytest.mark.parametrize(
    ("t1", "t2", "expected"), [(0.5, 4.0, 3.5), (0.5, 0.5, 0.5), (0.5, 1.0, 0.5), (0.5, 3.0, 3.5), (1.0, 8.0, 7.0)]
)
def test_the_late_100_waits_until_timer_e_is_reset_to_t2(t1, t2, expected):
    """RFC 4320 §4.1: E fires at 0.5, 1.5 and 3.5 s, and is T2 from then on."""
    assert expected == Durations(t1=t1, t2=t2).late_trying


@pytest.mark.parametrize(("t1", "t2"), [(0.0, 4.0), (-1.0, 4.0), (5.0, 4.0), (math.nan, 4.0)])
def test_senseless_durations_are_refused(t1, t2):
    """A T1 of nothing would resend without end; one over T2 has no cap to double to."""
    with pytest.raises(ValueError, match="T1"):
        Durations(t1=t1, t2=t2)


def test_a_tick_takes_time():
    """A wheel without a tick cannot turn."""
    with pytest.raises(ValueError, match="tick"):
        TimerWheel(0.0, 0.0)


def test_an_empty_wheel_wants_nothing():
    """No timer: no next instant, nothing to fire."""
    wheel = TimerWheel(0.0)
    assert (wheel.next_timer(), wheel.expire(1000.0), len(wheel)) == (None, 0, 0)


def test_timers_fire_in_the_order_of_their_buckets():
    """Set in any order, heard in time order; within a bucket in the order of setting."""
    wheel, bell = TimerWheel(0.0), Bell()
    for at, letter in ((0.30, "c"), (0.10, "a"), (0.20, "b"), (0.10, "A")):
        wheel.schedule(at, bell, letter)
    assert len(wheel) == 4
    assert wheel.expire(1.0) == 4
    assert [letter for letter, _ in bell.heard] == ["a", "A", "b", "c"]
    assert (len(wheel), wheel.next_timer()) == (0, None)


def test_expire_fires_only_what_is_due():
    """The others wait."""
    wheel, bell = TimerWheel(0.0), Bell()
    wheel.schedule(0.5, bell, "A")
    wheel.schedule(0.51, bell, "B")
    assert wheel.expire(0.5) == 1
    assert bell.heard == [("A", 0.5)]
    assert len(wheel) == 1


def test_a_timer_for_an_instant_already_past_is_due_at_once():
    """Late is not lost."""
    wheel, bell = TimerWheel(100.0), Bell()
    wheel.schedule(3.0, bell, "A")
    assert wheel.expire(100.0) == 1


def test_a_timer_set_while_expiring_waits_for_the_next_call():
    """An owner that sets itself again for now does not stop the world."""
    wheel = TimerWheel(0.0)
    bell = Bell()
    bell.then = lambda letter, now: wheel.schedule(now, bell, "again")
    wheel.schedule(1.0, bell, "first")
    assert [wheel.expire(1.0), wheel.expire(1.0), wheel.expire(1.01)] == [1, 0, 1]


def test_a_fire_that_raises_loses_nobody_elses_timer():
    """The rest of its bucket and the buckets behind it stay due; the one that raised is not repeated."""

    def burst(letter, now):
        raise RuntimeError(letter)

    heard = []
    wheel, quiet, loud = TimerWheel(0.0), Bell(heard), Bell(heard, burst)
    for at, owner, letter in ((1.0, quiet, "1"), (1.0, loud, "2"), (1.0, quiet, "3"), (1.5, quiet, "4")):
        wheel.schedule(at, owner, letter)
    with pytest.raises(RuntimeError, match="2"):
        wheel.expire(2.0)
    assert len(wheel) == 2
    assert wheel.expire(2.0) == 2
    assert [letter for letter, _ in heard] == ["1", "2", "3", "4"]


def test_after_a_fire_that_raised_a_new_timer_still_fires_in_time():
    """The guard against endless expiring is lifted even then."""

    def burst(letter, now):
        raise RuntimeError

    wheel, bell = TimerWheel(0.0), Bell()
    wheel.schedule(1.0, Bell(then=burst), "x")
    with pytest.raises(RuntimeError):
        wheel.expire(5.0)
    wheel.schedule(2.0, bell, "A")
    assert wheel.expire(5.0) == 1


instants = st.floats(min_value=0, max_value=1e7, allow_nan=False)
ticks = st.sampled_from([0.01, 0.05, 0.001, 0.3, 1.0])


@given(instants, ticks)
def test_never_early_and_at_most_a_tick_late(at, tick_s):
    """`next_timer` is at or after the instant asked for and within a tick of it; expire agrees with it to the ulp."""
    wheel, bell = TimerWheel(0.0, tick_s), Bell()
    wheel.schedule(at, bell, "A")
    due = wheel.next_timer()
    assert at <= due < at + tick_s * (1 + 1e-6) + 1e-9
    assert wheel.expire(math.nextafter(due, -math.inf)) == 0
    assert wheel.expire(due) == 1


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 1)), max_size=40))
def test_every_timer_fires_exactly_once(programme):
    """Whatever is set, and however the time is cut up: once each, never early, in any order of setting."""
    wheel, heard, now = TimerWheel(0.0), [], 0.0
    wanted = {}
    for number, (delay, step) in enumerate(programme):
        wanted[str(number)] = now + delay
        wheel.schedule(now + delay, Bell(heard), str(number))
        now += step
        wheel.expire(now)
    assert len(wanted) == len(heard) + len(wheel)
    wheel.expire(now + 11)
    assert sorted(wanted) == sorted(letter for letter, _ in heard)
    assert [letter for letter, at in heard if at < wanted[letter]] == []
