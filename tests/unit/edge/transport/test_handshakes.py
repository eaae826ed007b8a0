"""edge.transport.handshakes"""

import asyncio
from collections.abc import AsyncIterator

import pytest

from edge.transport.handshakes import Handshakes

ONE, OTHER = "192.0.2.1", "192.0.2.2"


@pytest.fixture
async def waiting() -> AsyncIterator[list[asyncio.Task[bool]]]:
    """Nobody ever answers them."""
    nobody = asyncio.Event()
    tasks = [asyncio.create_task(nobody.wait()) for _ in range(4)]
    yield tasks
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_an_address_counts_until_its_connection_is_gone(waiting):
    """While it shakes hands, while it is up, and no longer."""
    handshakes = Handshakes()
    handshakes.begin(1, ONE, waiting[0])
    handshakes.begin(2, ONE, waiting[1])
    assert (len(handshakes), handshakes.per_host) == (2, {ONE: 2})
    assert handshakes.is_up(1, ONE)
    handshakes.failed(1)  # its task is over: it is up all the same
    handshakes.failed(2)
    assert (len(handshakes), handshakes.per_host) == (0, {ONE: 1})
    handshakes.leave(ONE)
    assert handshakes.per_host == {}


async def test_the_oldest_of_who_has_most_makes_room(waiting):
    """For an address that has fewer; never for one that has as many."""
    handshakes = Handshakes()
    handshakes.begin(1, OTHER, waiting[0])
    for number in (2, 3):
        handshakes.begin(number, ONE, waiting[number - 1])
    assert not handshakes.displace(ONE)
    assert handshakes.displace("192.0.2.3")
    assert [task.cancelling() for task in waiting] == [0, 1, 0, 0]
    assert (len(handshakes), handshakes.per_host) == (2, {ONE: 1, OTHER: 1})
    assert not handshakes.displace(OTHER)


async def test_one_that_is_up_in_the_moment_it_is_displaced_is_told_so(waiting):
    """It counts once more, for whoever closes it lets it leave."""
    handshakes = Handshakes()
    handshakes.begin(1, ONE, waiting[0])
    assert handshakes.displace(OTHER)
    assert not handshakes.is_up(1, ONE)
    assert handshakes.per_host == {ONE: 1}
    handshakes.failed(1)
    handshakes.leave(ONE)
    assert (len(handshakes), handshakes.per_host) == (0, {})
