"""How many new calls pass: against a model of a process that can carry so many a second."""

from collections import Counter, deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.proxy.overload import ENTER_TICKS, LEAVE_TICKS, TICK_S, Load, Measures, Overload, Priority

CALM, TARGET_S = Measures(0.0, 0.0, 0.0), 0.03
STRAINED = Measures(0.1, 0.0, 0.0)


def ticks(overload: Overload, count: int, *, rate: float, measures: Measures = CALM, start: float = 0.0) -> float:
    """So many intervals in which new calls come at this rate."""
    now = start
    for _ in range(count):
        for number in range(round(rate * TICK_S)):
            overload.passes(Priority.NORMAL, 0, now + number / rate)
        now += TICK_S
        overload.measured(measures, TICK_S, now)
    return now


class Process:
    """Carries `capacity` calls a second; a refusal costs `share` of a call. What it cannot do at once waits unread in
    the kernel, so that a decision is made when a call's turn has come, not when it arrives."""

    def __init__(self, capacity: float, *, share: float = 0.1, is_sampled: bool = False) -> None:
        self.capacity, self.share, self.is_sampled = capacity, share, is_sampled
        self.overload = Overload(target_s=TARGET_S, floor=10)
        self.queue: deque[tuple[Priority, float]] = deque()
        self.now, self.refused, self.work, self.speed = 0.0, 0, 0.0, 1.0
        self.passed: Counter[Priority] = Counter()
        self.waits: list[float] = []
        """How long each call that passed had waited."""

    def run(self, seconds: float, offered: dict[Priority, float]) -> float:
        """Calls a second that passed."""
        self.passed.clear()
        self.waits.clear()
        begun, step, tick_at, least = self.now, 0.005, self.now + TICK_S, float("inf")
        owed = dict.fromkeys(offered, 0.0)
        while self.now < begun + seconds - 1e-9:
            for priority, rate in offered.items():
                owed[priority] += rate * step
                while owed[priority] >= 1:
                    owed[priority] -= 1
                    self.queue.append((priority, self.now))
            self.work = min(self.work, 0.0) + self.capacity * self.speed * step
            while self.queue and self.work > 0:
                priority, since = self.queue.popleft()
                least = min(least, self.now - since)
                if self.is_sampled:
                    self.overload.waited(0, self.now - since, self.now)
                if self.overload.passes(priority, 0, self.now):
                    self.work -= 1
                    self.passed[priority] += 1
                    self.waits.append(self.now - since)
                else:
                    self.work -= self.share
                    self.refused += 1
            self.now += step
            if self.now >= tick_at - 1e-9:
                self.overload.measured(Measures(0.0 if least == float("inf") else least, 0.0, 0.0), TICK_S, self.now)
                tick_at, least = self.now + TICK_S, float("inf")
        return self.passed.total() / seconds

    def pause(self, seconds: float, rate: float) -> None:
        """The machine does something else: calls come, nothing is read or measured; the next look is late."""
        for number in range(round(seconds * rate)):
            self.queue.append((Priority.NORMAL, self.now + number / rate))
        self.now += seconds
        self.overload.measured(Measures(0.0, seconds, 0.0), TICK_S + seconds, self.now)


@pytest.mark.parametrize("factor", [1.2, 2, 3, 6])
def test_no_collapse_whatever_is_offered(factor):
    """At a multiple of what it can carry, at least 80 % of what is left beside the refusals passes, and the queue stays
    short."""
    process = Process(500)
    process.run(5, {Priority.NORMAL: 500 * factor})
    passed = process.run(20, {Priority.NORMAL: 500 * factor})

    room = 500 - 0.1 * (500 * factor - passed)  # refusals cost too
    assert 0.8 * room <= passed <= 1.05 * room
    assert sorted(process.waits)[len(process.waits) * 99 // 100] < 0.2


@pytest.mark.parametrize("factor", [1.2, 2, 3, 6])
def test_where_waits_are_sampled_nothing_is_lost(factor):
    """Nearly all of what is left beside the refusals passes, and whoever is refused hears it at once."""
    process = Process(500, is_sampled=True)
    process.run(2, {Priority.NORMAL: 500 * factor})
    passed = process.run(20, {Priority.NORMAL: 500 * factor})

    room = 500 - 0.1 * (500 * factor - passed)
    assert 0.95 * room <= passed <= 1.02 * room
    assert max(process.waits) < TARGET_S + 0.01  # a step of the model
    assert process.overload.rate == pytest.approx(passed, rel=0.15)


def test_a_crowd_is_felt_at_once():
    """And told at the next measures: not only when two of them in a row were bad."""
    process = Process(500, is_sampled=True)
    process.run(2, {Priority.NORMAL: 400})
    process.run(0.2, {Priority.NORMAL: 2_000})
    assert process.overload.is_shedding
    process.run(1, {Priority.NORMAL: 2_000})
    process.run(5, {Priority.NORMAL: 2_000})

    assert max(process.waits) < TARGET_S + 0.01  # a step of the model


def test_a_burst_that_is_worked_off_refuses_nobody():
    """Less than a tenth of a second over the target."""
    process = Process(500, is_sampled=True)
    process.run(2, {Priority.NORMAL: 300})
    for _ in range(10):
        process.run(0.02, {Priority.NORMAL: 1_500})
        process.run(1, {Priority.NORMAL: 300})

    assert (process.refused, process.overload.state) == (0, Load.CALM)


@given(
    pauses=st.lists(st.tuples(st.floats(0.1, 2.0), st.floats(0.15, 1.5)), min_size=1, max_size=4),
    load=st.floats(0.2, 0.85),
    share=st.floats(0.05, 0.2),
)
def test_a_pause_is_forgotten_within_a_second(pauses, load, share):
    """Fewer calls than can be carried, while the machine stops now and then: a second after the last pause all of them
    pass, whatever was refused of what had waited through it."""
    process = Process(500, share=share, is_sampled=True)
    rate = 500 * load
    process.run(2, {Priority.NORMAL: rate})
    for before, pause in pauses:
        process.run(before, {Priority.NORMAL: rate})
        process.pause(pause, rate)
    process.run(1, {Priority.NORMAL: rate})
    refused = process.refused
    process.run(5, {Priority.NORMAL: rate})

    assert (process.refused, process.overload.is_shedding) == (refused, False)


@pytest.mark.parametrize("speed", [0.2, 0.5, 0.8])
def test_work_beside_is_forgotten_within_a_second(speed):
    """For two seconds another process takes a part of the machine; then all pass again, at once and not by and by."""
    process = Process(500, is_sampled=True)
    process.run(2, {Priority.NORMAL: 420})
    process.speed = speed
    process.run(2, {Priority.NORMAL: 420})
    process.speed = 1.0
    process.run(0.5, {Priority.NORMAL: 420})
    refused = process.refused
    passed = process.run(2, {Priority.NORMAL: 420})

    assert (process.refused, passed) == (refused, pytest.approx(420, rel=0.01))


def test_each_listener_is_judged_by_its_own_queue():
    """A crowd at one of them refuses nobody at another; a connection, which has no queue that tells, waits as long as
    the longest."""
    overload, now = Overload(target_s=TARGET_S, floor=10), 0.0
    for number in range(1_000):
        now = number / 1_000
        overload.passes(Priority.NORMAL, 0, now)
        overload.waited(0, 0.2, now)
        overload.waited(1, 0.001, now)
        if number % 100 == 0:
            overload.measured(CALM, TICK_S, now)
    assert overload.is_shedding
    judged = [overload.passes(Priority.NORMAL, listener, now + 0.01) for listener in (0, 1, 2) for _ in range(5)]

    assert [False, True, False] == [all(judged[first : first + 5]) for first in (0, 5, 10)]
    assert [overload.is_at_ease(listener, now + 0.01) for listener in (0, 1, 2)] == [False, True, False]


def shedding(wait_s: float) -> tuple[Overload, float]:
    """One that sheds, with a queue whose datagrams have waited so long now."""
    overload, now = Overload(target_s=TARGET_S, floor=10), 0.0
    for number in range(400):
        now = number / 1_000
        overload.passes(Priority.NORMAL, 0, now)
        overload.waited(0, 0.2, now)
        if number % 100 == 0:
            overload.measured(CALM, TICK_S, now)
    assert overload.is_shedding
    overload.waited(0, wait_s, now)
    return overload, now


@pytest.mark.parametrize(("share", "passing"), [(0.3, 3), (0.5, 2), (1.5, 1), (3.0, 0)])
def test_whose_calls_pass_at_which_wait(share, passing):
    """And while all of them do nobody need ask whose it is."""
    overload, now = shedding(share * TARGET_S)
    for _ in range(100):
        overload.force(now)  # what passes in any case is used up
    order = (Priority.HIGH, Priority.NORMAL, Priority.LOW)

    assert [n < passing for n in range(3)] == [overload.passes(priority, 0, now) for priority in order]
    assert overload.is_at_ease(0, now) is (passing == 3)


def test_where_waits_are_sampled_no_rate_bounds():
    """The event loop is late for a moment, the buffer fills: while datagrams are read soon every call passes."""
    overload, now = shedding(0.0)
    for _ in range(10):
        for number in range(100):
            overload.waited(0, 0.0, now + number / 1_000)
            assert overload.passes(Priority.NORMAL, 0, now + number / 1_000)
        now += TICK_S
        overload.measured(Measures(0.0, 1.0, 0.9), TICK_S, now)
    assert overload.is_shedding


def test_one_long_wait_or_an_old_one_begins_nothing():
    """What was read first after a pause has waited through it; what waited long a second ago says nothing of now."""
    overload = Overload(target_s=TARGET_S, floor=50)
    now = ticks(overload, 20, rate=400)
    overload.waited(0, 0.5, now + 0.9 * TICK_S)
    now = ticks(overload, 1, rate=400, start=now)
    assert not overload.is_shedding  # one sample
    now = ticks(overload, 1, rate=400, start=now)
    overload.waited(0, 0.5, now)
    ticks(overload, 1, rate=400, start=now + TICK_S)
    assert not overload.is_shedding  # two, but long ago


def test_where_few_datagrams_come_the_rate_decides():
    """A datagram now and then says nothing of the connections beside it."""
    overload = Overload(target_s=TARGET_S, floor=50)
    now = ticks(overload, 20, rate=400)
    for _ in range(5):
        overload.waited(0, 0.0, now)
        now = ticks(overload, 1, rate=400, measures=STRAINED, start=now)

    assert overload.is_shedding
    assert overload.rate < 400
    assert not overload.is_at_ease(1, now + 0.09)


@pytest.mark.parametrize("is_sampled", [False, True])
def test_everybody_passes_again_when_it_is_over(is_sampled):
    """No memory of the crowd remains."""
    process = Process(500, is_sampled=is_sampled)
    process.run(10, {Priority.NORMAL: 2_000})
    assert process.overload.state is Load.SHEDDING
    process.run(20, {Priority.NORMAL: 300})
    refused = process.refused
    assert process.run(10, {Priority.NORMAL: 300}) == pytest.approx(300, rel=0.01)

    assert (process.overload.state, process.overload.level, process.overload.rate) == (Load.CALM, 0, 0.0)
    assert process.refused == refused


@pytest.mark.parametrize("is_sampled", [False, True])
def test_important_calls_first_and_low_ones_last(is_sampled):
    """While ordinary calls fill what there is, all important ones pass and hardly any low one does."""
    process = Process(500, is_sampled=is_sampled)
    offered = {Priority.LOW: 500.0, Priority.NORMAL: 800.0, Priority.HIGH: 150.0}
    process.run(5, offered)
    process.run(20, offered)
    passed = {priority: process.passed[priority] / 20 for priority in offered}

    assert passed[Priority.HIGH] == pytest.approx(150, rel=0.02)
    assert passed[Priority.LOW] < 0.1 * passed[Priority.NORMAL]


@pytest.mark.parametrize(
    ("measures", "begins"),
    [
        (Measures(0.031, 0, 0), True),
        (Measures(0.029, 0, 0), False),
        (Measures(0, 0.151, 0), True),
        (Measures(0, 0.149, 0), False),
        (Measures(0, 0, 0.51), True),
        (Measures(0, 0, 0.49), False),
    ],
)
def test_what_begins_it(measures, begins):
    """Wait, lag, or a buffer half full; twice in a row."""
    overload = Overload(target_s=TARGET_S, floor=50)
    now = ticks(overload, 20, rate=100)
    ticks(overload, ENTER_TICKS, rate=100, measures=measures, start=now)

    assert overload.is_shedding is begins


def test_once_is_no_sign():
    """A pause of the machine."""
    overload = Overload(target_s=TARGET_S, floor=50)
    now = ticks(overload, 20, rate=100)
    for _ in range(5):
        now = ticks(overload, ENTER_TICKS - 1, rate=100, measures=STRAINED, start=now)
        now = ticks(overload, 1, rate=100, start=now)

    assert overload.state is Load.CALM


def test_few_calls_are_not_what_holds_it_up():
    """Under the floor nothing is refused, however long the queue; nor does the rate ever fall below it."""
    overload = Overload(target_s=TARGET_S, floor=50)
    now = ticks(overload, 50, rate=40, measures=STRAINED)
    assert overload.state is Load.CALM
    now = ticks(overload, 200, rate=200, measures=STRAINED, start=now)
    assert (overload.state, overload.rate) == (Load.SHEDDING, 50)


def test_target_0_never_sheds():
    """Switched off."""
    overload = Overload(target_s=0, floor=1)
    for number in range(20):
        overload.waited(0, 0.5, number / 10)
    ticks(overload, 50, rate=500, measures=Measures(9, 9, 1))

    assert overload.state is Load.CALM


def test_between_relief_and_target_the_rate_stays():
    """Hysteresis: no swinging around one threshold."""
    overload = Overload(target_s=TARGET_S, floor=50)
    now = ticks(overload, 20, rate=400)
    now = ticks(overload, 5, rate=400, measures=STRAINED, start=now)
    rate = overload.rate
    ticks(overload, 30, rate=400, measures=Measures(0.02, 0, 0), start=now)

    assert overload.rate == rate
    assert overload.is_shedding


def test_it_ends_after_a_while_without_refusals():
    """Not at the first good moment."""
    overload = Overload(target_s=TARGET_S, floor=50)
    now = ticks(overload, 20, rate=400)
    now = ticks(overload, 3, rate=400, measures=STRAINED, start=now)
    now = ticks(overload, LEAVE_TICKS - 1, rate=20, start=now)
    assert overload.is_shedding
    ticks(overload, 1, rate=20, start=now)
    assert not overload.is_shedding


def test_a_change_is_told_once():
    """The caller makes a fact of it."""
    overload = Overload(target_s=TARGET_S, floor=50)
    now = ticks(overload, 20, rate=400)
    changes = []
    for _ in range(4):
        for number in range(40):
            overload.passes(Priority.NORMAL, 0, now + number / 400)
        now += TICK_S
        changes.append(overload.measured(STRAINED, TICK_S, now))

    assert changes == [False, True, False, False]


def test_emergency_calls_pass_and_are_counted():
    """R16; what they take the others leave."""
    overload = Overload(target_s=TARGET_S, floor=50)
    now = ticks(overload, 20, rate=400)
    now = ticks(overload, 3, rate=400, measures=STRAINED, start=now)
    for _ in range(1_000):
        overload.force(now)
    assert not overload.passes(Priority.NORMAL, 0, now)
    assert overload.passes(Priority.HIGH, 0, now + 0.1)
