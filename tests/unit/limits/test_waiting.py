"""Who waits for a limiter is woken, all of them, and not for ever."""

import asyncio

from limits.waiting import Waiting


async def test_all_who_wait_for_the_end_are_woken_by_it():
    """Two may wait at one time."""
    is_idle = False
    waiting = Waiting(lambda: is_idle)
    both = asyncio.gather(waiting.drained(5), waiting.drained(5))
    await asyncio.sleep(0)
    waiting.look()
    await asyncio.sleep(0)
    assert not both.done()

    is_idle = True
    waiting.look()

    async with asyncio.timeout(1):
        assert await both == [True, True]


async def test_the_wait_is_bounded():
    """For an end, and for a connection."""
    waiting = Waiting(lambda: False)
    async with asyncio.timeout(1):
        assert await asyncio.gather(waiting.drained(0.01), waiting.connected(0.01)) == [False, False]


async def test_what_is_so_already_is_not_waited_for():
    """Idle; connected."""
    waiting = Waiting(lambda: True)
    waiting.up.set()
    assert await waiting.drained(0)
    assert await waiting.connected(1)
