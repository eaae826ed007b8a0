"""One timer for all deadlines: what is overdue is told once, what has had its reply never."""

from collections.abc import Callable

import pytest

from limits import Admit
from limits.asked import Asked
from limits.deadlines import Deadlines


class Handle:
    def __init__(self, loop: "Loop", at: float, call: Callable[[], None]) -> None:
        self.at, self.call = at, call
        self._loop = loop

    def cancel(self) -> None:
        self._loop.timers.remove(self)


class Loop:
    """The two queues of an event loop, walked by hand."""

    def __init__(self) -> None:
        self.now = 10.0
        self.timers: list[Handle] = []
        self.soon: list[Callable[[], None]] = []
        self.rounds = 0

    def time(self) -> float:
        return self.now

    def call_at(self, at: float, call: Callable[..., None]) -> Handle:
        handle = Handle(self, at, call)
        self.timers.append(handle)
        return handle

    def call_soon(self, call: Callable[..., None], *words: object) -> object:
        self.soon.append(lambda: call(*words))
        return object()

    def round(self) -> None:
        """What is called soon in a round runs in the next one."""
        soon, self.soon = self.soon, []
        for call in soon:
            call()

    def until(self, now: float) -> None:
        """Fire what is due, then two rounds."""
        self.now = now
        for handle in [handle for handle in self.timers if handle.at <= now]:
            self.timers.remove(handle)
            handle.call()
        self.round()
        self.round()


class Bench:
    def __init__(self) -> None:
        self.loop = Loop()
        self.missed: list[str] = []
        self.rounds: list[float] = []
        self.is_more = False
        self.deadlines = Deadlines(0.05, on_missed=self._on_missed, on_round=self._on_round)

    def _on_missed(self, asked: Asked) -> None:
        self.missed.append(asked.verb.uid)

    def _on_round(self, now: float) -> bool:
        self.rounds.append(now)
        return self.is_more

    def ask(self, uid: str, at: float) -> Asked:
        asked = Asked(Admit("acme", uid, "n"), at)
        self.deadlines.add(asked)
        self.deadlines.watch(at)
        return asked

    @property
    def due(self) -> list[float]:
        return [round(handle.at, 6) for handle in self.loop.timers]


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.deadlines.start(bench.loop)
    return bench


def test_before_the_loop_runs_nothing_is_timed():
    """Nothing can be under way."""
    bench = Bench()
    bench.ask("a", 10.0)
    assert bench.due == []


def test_what_had_no_reply_in_time_is_told_once(bench):
    """The first one asked is the first one due; the next look is at the next deadline."""
    bench.ask("a", 10.0), bench.ask("b", 10.02)
    assert bench.due == [10.05]
    bench.loop.until(10.05)
    assert (bench.missed, bench.rounds, bench.due) == (["a"], [10.05], [10.07])
    bench.loop.until(10.07)
    assert (bench.missed, bench.rounds, bench.due) == (["a", "b"], [10.05, 10.07], [])


def test_what_has_had_its_reply_is_not_told(bench):
    """Nor does it hold up those behind it."""
    first = bench.ask("a", 10.0)
    bench.ask("b", 10.0)
    first.done = True
    bench.loop.until(10.05)
    assert (bench.missed, bench.due) == (["b"], [])


def test_replies_that_are_here_already_get_their_turn_first(bench):
    """The loop was held up: its timers run before it reads. Two rounds: reading comes after what is called soon."""
    late = bench.ask("a", 10.0)
    bench.loop.now = 11.0
    (handle,) = bench.loop.timers
    bench.loop.timers.clear()
    handle.call()
    bench.loop.round()
    assert bench.missed == []
    late.done = True  # read in this round
    bench.loop.round()
    assert (bench.missed, bench.rounds) == ([], [11.0])


def test_what_is_asked_meanwhile_is_not_overdue(bench):
    """Judged by the instant of the look, not by that of its end."""
    bench.ask("a", 10.0)
    bench.loop.now = 10.05
    (handle,) = bench.loop.timers
    bench.loop.timers.clear()
    handle.call()
    bench.loop.round()
    bench.loop.now = 12.0
    bench.deadlines.add(Asked(Admit("acme", "b", "n"), 10.04))
    bench.loop.round()
    assert (bench.missed, bench.due) == (["a"], [10.09])


def test_while_something_waits_it_looks_again(bench):
    """A store that is silent altogether is found out by that."""
    bench.ask("a", 10.0)
    bench.is_more = True
    bench.loop.until(10.05)
    assert bench.due == [10.1]


def test_a_timer_that_was_set_meanwhile_is_enough(bench):
    """Telling may lead to new requests."""
    bench.is_more = True
    bench.deadlines._on_missed = lambda asked: bench.ask("again", 10.06)
    bench.ask("a", 10.0)
    bench.loop.until(10.05)
    assert bench.due == [10.11]


def test_one_timer_at_a_time(bench):
    """However many are asked."""
    for number in range(5):
        bench.ask(f"u{number}", 10.0 + number / 1_000)
    assert bench.due == [10.05]


def test_when_the_connection_is_gone_nothing_is_due(bench):
    """Whoever ended it tells them all; the next connection begins anew."""
    bench.ask("a", 10.0)
    bench.deadlines.clear()
    assert bench.due == []
    bench.deadlines.clear()
    bench.ask("b", 10.2)
    assert bench.due == [10.25]
    bench.loop.until(10.25)
    assert bench.missed == ["b"]
