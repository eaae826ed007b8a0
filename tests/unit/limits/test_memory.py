"""limits.memory: what the contract suite cannot say, as it needs a clock that goes where it likes."""

import asyncio

import pytest

from limits import Account, Admit, Admitted, Limit, MemoryLimiter, Outcome, Settle, Settled, Verb
from limits.model import DEFAULT_LEASE_MS, TOMBSTONE_MS


class Desk:
    """A limiter, its clock and what it answered."""

    def __init__(self, *accounts: Account) -> None:
        self.now = 1_000_000
        self.answers: list[Outcome] = []
        self.limiter = MemoryLimiter(self._deliver, lambda: self.now)
        self.limiter.provision(accounts)

    def _deliver(self, verb: Verb, outcome: Outcome) -> None:
        self.answers.append(outcome)

    def ask(self, *verbs: Verb) -> list[Outcome]:
        self.answers.clear()
        for verb in verbs:
            self.limiter.submit(verb)
        self.limiter.flush()
        return self.answers


def test_a_lease_runs_out_at_its_instant():
    """Held in the millisecond before, free at the instant itself."""
    desk = Desk(Account("a", caps_base=10, calls_base=1))
    desk.ask(Admit("a", "u1", "n"))

    desk.now += DEFAULT_LEASE_MS - 1
    assert [one[:4] for one in desk.ask(Admit("a", "u2", "n"))] == [(Limit.CALLS, 1, 1, 0)]
    desk.now += 1
    assert desk.ask(Admit("a", "u2", "n"))[0][:3] == (desk.now + DEFAULT_LEASE_MS, 1, 1)


def test_a_tombstone_stands_until_its_instant():
    """The last millisecond included."""
    desk = Desk(Account("a", caps_base=10))
    desk.ask(Admit("a", "u1", "n"), Settle("a", "u1", "answered", 1))

    desk.now += TOMBSTONE_MS
    assert desk.ask(Settle("a", "u1", "answered", 1)) == [Settled(already=True)]
    assert [one[:4] for one in desk.ask(Admit("a", "u1", "n"))] == [(Limit.DUPLICATE, 0, 0, 0)]
    desk.now += 1
    assert type(desk.ask(Admit("a", "u1", "n"))[0]) is Admitted


def test_a_clock_that_goes_back_neither_fills_nor_empties_a_bucket():
    """It may happen to a store; it must not open or shut an account."""
    desk = Desk(Account("a", caps_base=1, caps_burst=2))

    desk.ask(Admit("a", "u1", "n"))
    desk.now -= 500_000

    assert type(desk.ask(Admit("a", "u2", "n"))[0]) is Admitted
    assert [one[:4] for one in desk.ask(Admit("a", "u3", "n"))] == [(Limit.CAPS, 1, 2, 1_000)]


def test_what_an_answer_makes_the_caller_submit_is_answered_in_the_same_flush():
    """And a flush inside a flush is not a second one: the order stays."""
    seen: list[str] = []

    def deliver(verb: Verb, outcome: Outcome) -> None:
        assert isinstance(verb, Admit | Settle)
        seen.append(f"{type(verb).__name__} {verb.uid}")
        if isinstance(outcome, Admitted):
            limiter.submit(Settle("a", verb.uid, "answered", 1))
            limiter.flush()

    limiter = MemoryLimiter(deliver, lambda: 0)
    limiter.provision([Account("a", caps_base=10)])
    limiter.submit(Admit("a", "u1", "n"))
    limiter.submit(Admit("a", "u2", "n"))
    limiter.flush()

    assert seen == ["Admit u1", "Admit u2", "Settle u1", "Settle u2"]


def test_a_deliver_that_raises_does_not_jam_the_limiter():
    """The fault is the caller's; the next flush goes on behind it."""
    desk = Desk(Account("a", caps_base=10))
    answers = desk.answers

    def faulty(verb: Verb, outcome: Outcome) -> None:
        answers.append(outcome)
        if len(answers) == 1:
            raise RuntimeError("caller")

    limiter = MemoryLimiter(faulty, lambda: 0)
    limiter.submit(Admit("a", "u1", "n"))
    limiter.submit(Admit("a", "u2", "n"))
    with pytest.raises(RuntimeError):
        limiter.flush()
    limiter.flush()

    assert len(answers) == 2


def test_memory_is_always_up():
    """And tells nothing of an account it does not hold."""
    desk = Desk()

    assert desk.limiter.is_up
    assert asyncio.run(desk.limiter.peek("a")) is None
