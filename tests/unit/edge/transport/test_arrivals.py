"""edge.transport.arrivals"""

import asyncio
from collections.abc import AsyncIterator

import pytest

from edge.transport.arrivals import Arrivals

ONE, OTHER = "192.0.2.1", "192.0.2.2"


@pytest.fixture
async def handshakes() -> AsyncIterator[list[asyncio.Task[bool]]]:
    """Nobody ever answers them."""
    nobody = asyncio.Event()
    tasks = [asyncio.create_task(nobody.wait()) for _ in range(4)]
    yield tasks
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_an_address_counts_until_its_connection_is_gone(handshakes):
    """While it shakes hands, while it is up, and no longer."""
    arrivals = Arrivals()
    arrivals.begin(1, ONE, handshakes[0])
    arrivals.begin(2, ONE, handshakes[1])
    assert (len(arrivals), arrivals.per_host) == (2, {ONE: 2})
    assert arrivals.is_up(1, ONE)
    arrivals.failed(1)  # its task is over: it is up all the same
    arrivals.failed(2)
    assert (len(arrivals), arrivals.per_host) == (0, {ONE: 1})
    arrivals.leave(ONE)
    assert arrivals.per_host == {}


async def test_the_oldest_of_who_has_most_makes_room(handshakes):
    """For an address that has fewer; never for one that has as many."""
    arrivals = Arrivals()
    arrivals.begin(1, OTHER, handshakes[0])
    for number in (2, 3):
        arrivals.begin(number, ONE, handshakes[number - 1])
    assert not arrivals.displace(ONE)
    assert arrivals.displace("192.0.2.3")
    assert [task.cancelling() for task in handshakes] == [0, 1, 0, 0]
    assert (len(arrivals), arrivals.per_host) == (2, {ONE: 1, OTHER: 1})
    assert not arrivals.displace(OTHER)


async def test_one_that_is_up_in_the_moment_it_is_displaced_is_told_so(handshakes):
    """It counts once more, for whoever closes it lets it leave."""
    arrivals = Arrivals()
    arrivals.begin(1, ONE, handshakes[0])
    assert arrivals.displace(OTHER)
    assert not arrivals.is_up(1, ONE)
    assert arrivals.per_host == {ONE: 1}
    arrivals.failed(1)
    arrivals.leave(ONE)
    assert (len(arrivals), arrivals.per_host) == (0, {})
