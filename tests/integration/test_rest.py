"""An edge that nobody calls rests; what rests is awake with the first thing that happens."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pumps import LISTENERS, outlets_in, pump_of

from edge.load_watch import LoadWatch
from edge.pump import Pump
from edge.transport.endpoints import Bound

BOUND_S = 20.0


@pytest.fixture
async def pump(tmp_path: Path) -> AsyncIterator[Pump]:
    """With a core that has nothing to do: what it asks for would go nowhere."""
    with outlets_in(tmp_path) as outlets:
        async with asyncio.TaskGroup() as tasks:
            yield pump_of(outlets, tasks)


async def test_whoever_waits_is_awake_after_a_turn(pump):
    """All of them, and only once."""
    waiting = [asyncio.ensure_future(pump.stirred(BOUND_S)) for _ in range(2)]
    await asyncio.sleep(0)
    pump.turn()
    assert await asyncio.gather(*waiting) == [True, True]

    again = asyncio.ensure_future(pump.stirred(BOUND_S))
    await asyncio.sleep(0)
    assert not again.done()
    again.cancel()


async def test_whoever_waits_for_something_sleeps_through_the_rest(pump):
    """A turn that brings nothing of it wakes those who wait for anything."""
    news: list[str] = []
    waiting = asyncio.ensure_future(pump.stirred(BOUND_S, lambda: bool(news)))
    other = asyncio.ensure_future(pump.stirred(BOUND_S))
    await asyncio.sleep(0)
    pump.turn()
    assert await other is True
    assert not waiting.done()

    news.append("acme")
    pump.turn()
    assert await waiting is True


async def test_where_nothing_happens_the_wait_ends_in_its_time(pump):
    """And leaves nothing behind; nor does one that is given up."""
    assert await pump.stirred(0.01) is False
    given_up = asyncio.ensure_future(pump.stirred(BOUND_S))
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.wait([given_up])
    pump.turn()

    assert await pump.stirred(0.01) is False


class Looks:
    """When the watch over the load has looked, and for how long a time: its core does not decide anything."""

    def __init__(self, pump: Pump) -> None:
        self.core = pump._core
        self.counted = asyncio.Event()
        self.elapsed: list[float] = []
        measured = self.core.measured

        def count(measures, elapsed_s, now):
            self.elapsed.append(elapsed_s)
            self.counted.set()
            measured(measures, elapsed_s, now)

        self.measured = count

    def __getattr__(self, name):
        return getattr(self.core, name)


async def test_the_load_is_looked_at_after_what_happens_and_hardly_where_nothing_does(pump):
    """The quiet is a look of its own, so that what comes after it is not spread over it."""
    looks, stirred = Looks(pump), asyncio.Event()

    async def rest(timeout_s: float) -> bool:
        await stirred.wait()
        stirred.clear()
        return True

    clock = [100.0]
    watch = LoadWatch(looks, Bound(LISTENERS, (), ()), lambda: clock[0], lambda: None, rest, lambda fact: None)
    task = asyncio.ensure_future(watch.run())
    await asyncio.sleep(0)
    assert looks.elapsed == []

    clock[0] += 7.0
    stirred.set()
    async with asyncio.timeout(BOUND_S):
        while len(looks.elapsed) < 2:
            looks.counted.clear()
            await looks.counted.wait()
    task.cancel()
    assert looks.elapsed == [7.0, 0.0]
