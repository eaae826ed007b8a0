"""Settlements go to the store with what hurries, in their order, and alone when nothing comes."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pumps import outlets_in, pump_of

from edge.pump import Pump
from limits.account import Account
from limits.memory import MemoryLimiter
from limits.model import Admit, Answer, Outcome, Renew, Settle, Verb

BOUND_S = 20.0
ADMIT = Admit("acme", "u1", "n1", 30_000)
ANSWER = Answer("acme", "u1")
SETTLE, OTHER = Settle("acme", "u1", "answered", 1_000), Settle("acme", "u2", "failed", 0)
RENEW = Renew("acme", (), "n1", 30_000)


class Site:
    """A pump, and what its limiter, one in memory, has answered."""

    def __init__(self) -> None:
        self.answered: list[Verb] = []
        self.news = asyncio.Event()
        self.limiter = MemoryLimiter(self._deliver, lambda: 1_000)
        self.limiter.provision([Account("acme")])
        self.pump: Pump

    def _deliver(self, verb: Verb, outcome: Outcome) -> None:
        self.answered.append(verb)
        self.news.set()

    def ask(self, *verbs: Verb) -> list[Verb]:
        """One turn in which the core asks for these; all that has been answered when it is over."""
        self.pump._core.outbox.asks += verbs
        self.pump.turn()
        return self.answered


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    made = Site()
    with outlets_in(tmp_path, made.limiter) as outlets:
        async with asyncio.TaskGroup() as tasks:
            made.pump = pump_of(outlets, tasks)
            yield made


async def test_a_settlement_goes_alone_when_nothing_else_comes(site: Site) -> None:
    """Not in the turn that asks for it, but soon, and without another turn."""
    assert site.ask(SETTLE) == []
    async with asyncio.timeout(BOUND_S):
        await site.news.wait()
    assert site.answered == [SETTLE]


@pytest.mark.parametrize("hurried", [ADMIT, ANSWER, RENEW])
async def test_what_hurries_takes_along_those_that_wait_in_their_order(site: Site, hurried: Verb) -> None:
    """So a place that is given back is free for the next call of the same edge."""
    assert site.ask(SETTLE) == []
    assert site.ask(OTHER) == []
    assert site.ask(hurried) == [SETTLE, OTHER, hurried]


async def test_what_comes_with_something_that_hurries_does_not_wait(site: Site) -> None:
    """Whichever of them is asked for first."""
    assert site.ask(SETTLE, ADMIT) == [SETTLE, ADMIT]
    assert site.ask(ANSWER, OTHER) == [SETTLE, ADMIT, ANSWER, OTHER]


async def test_after_company_was_found_the_next_one_waits_anew(site: Site) -> None:
    """And is not forgotten: its time begins with it."""
    site.ask(SETTLE)
    site.ask(ADMIT)
    site.news.clear()
    assert site.ask(OTHER) == [SETTLE, ADMIT]
    async with asyncio.timeout(BOUND_S):
        await site.news.wait()
    assert site.answered == [SETTLE, ADMIT, OTHER]
