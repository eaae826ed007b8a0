"""UDP sockets on loopback: datagrams in bounded drains, refusals of the kernel told to the caller."""

import asyncio
import socket
import time
from collections.abc import Callable
from ipaddress import ip_network
from itertools import chain, pairwise, repeat

import pytest

from edge.sip.flow import Flow
from edge.transport.udp import DRAIN, STANDING_S, UdpSocket


@pytest.mark.parametrize(
    ("waited_s", "first"),
    [(0.0, 1), (STANDING_S * 2, DRAIN)],
    ids=["fresh: one, since a second is seldom there", "stood: as many as a wake-up may"],
)
async def test_datagrams_arrive_with_their_source_and_one_drain_a_wakeup(waited_s: float, first: int) -> None:
    """After the first wake-up they are woken again at once, and drain what a wake-up may. None is lost, and none waits
    for another to come."""
    loop = asyncio.get_running_loop()
    got: list[tuple[bytes, tuple[str, int]]] = []
    drains: list[int] = []
    done = asyncio.Event()
    clock = 0.0

    def drained() -> None:
        drains.append(len(got))
        if len(got) == 2 * DRAIN:
            done.set()

    edge = UdpSocket("127.0.0.1", 0, lambda data, address: got.append((data, address)), drained, wall=lambda: clock)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        before = time.time()
        for number in range(2 * DRAIN):
            peer.sendto(b"%d" % number, edge.address)
        clock = before
        edge.start(loop)
        clock = time.time() + waited_s if waited_s else before  # the kernel's stamps are between
        async with asyncio.timeout(5):
            await done.wait()
        source = peer.getsockname()
    edge.close(loop)

    assert [data for data, _ in got] == [b"%d" % number for number in range(2 * DRAIN)]
    assert {address for _, address in got} == {source}
    assert drains[0] == first
    assert max(after - before for before, after in pairwise([0, *drains])) <= DRAIN


async def test_ipv6_addresses_are_host_and_port_only() -> None:
    """Flow knows no scope."""
    loop = asyncio.get_running_loop()
    got: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
    edge = UdpSocket("::1", 0, lambda data, address: got.put_nowait(address), lambda: None)
    edge.start(loop)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as peer:
        peer.bind(("::1", 0))
        peer.sendto(b"x", edge.address)
        async with asyncio.timeout(5):
            address = await got.get()
        port = peer.getsockname()[1]
    edge.close(loop)

    assert address == ("::1", port)


def test_port_in_use_is_an_error_at_once() -> None:
    """Two edges on one port would each get half of the messages."""
    first = UdpSocket("127.0.0.1", 0, lambda data, address: None, lambda: None)

    with pytest.raises(OSError, match="in use"):
        UdpSocket("127.0.0.1", first.address[1], lambda data, address: None, lambda: None)

    first._socket.close()


def test_oversized_datagram_is_the_callers_to_hear() -> None:
    """65,508 bytes do not fit into a UDP datagram; the transaction is told (RFC 3261 §17.1.4)."""
    edge = UdpSocket("127.0.0.1", 0, lambda data, address: None, lambda: None)

    with pytest.raises(OSError, match="too long"):
        edge.send(b"x" * 65_508, Flow(0, ("127.0.0.1", 9)), None)

    edge._socket.close()


def sender(host: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    peer = socket.socket(family, socket.SOCK_DGRAM)
    peer.bind((host, 0))
    return peer


class Heard(list[bytes]):
    """What was read."""

    def __init__(self) -> None:
        super().__init__()
        self._more = asyncio.Event()

    def take(self, data: bytes, address: tuple[str, int]) -> None:
        self.append(data)
        self._more.set()

    async def read(self, edge: UdpSocket, is_done: Callable[[], bool]) -> None:
        """Let the edge read until that is so, then close it."""
        loop = asyncio.get_running_loop()
        edge.start(loop)
        async with asyncio.timeout(5):
            while not is_done():
                self._more.clear()
                await self._more.wait()
        self.queues = edge.queues() + edge.queues()
        edge.close(loop)


async def test_known_sources_and_strangers_wait_in_lanes_of_their_own() -> None:
    """A stranger's flood fills his own queue, and not one datagram of a known source is lost for it."""
    got = Heard()
    edge = UdpSocket("127.0.0.1", 0, got.take, lambda: None)
    assert edge.part()
    assert edge.steer([ip_network("127.0.0.5/32")]) == 0
    with sender("127.0.0.5") as known, sender("127.0.0.6") as stranger:
        for _ in range(5_000):
            stranger.sendto(b"junk" * 100, edge.address)
        for _ in range(200):
            known.sendto(b"known", edge.address)
        first, second = edge.queues()
        await got.read(edge, lambda: got.count(b"known") == 200)

    assert first.dropped == 0 < second.dropped
    assert first.fill < 0.5 < second.fill


@pytest.mark.parametrize(("began_s", "waited_s"), [(-5.0, 5.0), (3.0, 2.0)], ids=["read for long", "just started"])
async def test_how_long_a_known_source_has_waited_is_told_before_its_datagram(began_s: float, waited_s: float) -> None:
    """By the kernel's clock, and not for what could not be read yet; what strangers have waited says nothing of the
    calls."""
    got = Heard()
    now = time.time()
    clock = chain([now + began_s], repeat(now + 5))  # its start, then each datagram
    edge = UdpSocket(
        *("127.0.0.1", 0, got.take, lambda: None, lambda wait_s: got.append(wait_s)), wall=lambda: next(clock)
    )
    assert edge.part()
    assert edge.steer([ip_network("127.0.0.5/32")]) == 0
    with sender("127.0.0.5") as known, sender("127.0.0.6") as stranger:
        known.sendto(b"known", edge.address)
        stranger.sendto(b"stranger", edge.address)
        await got.read(edge, lambda: {b"known", b"stranger"} <= set(got))
    waits = [entry for entry in got if isinstance(entry, float)]

    assert waits[0] == pytest.approx(waited_s, abs=0.9)
    assert got[got.index(waits[0]) + 1] == b"known"
    assert len(waits) == 1


async def test_what_a_banned_source_sends_never_arrives() -> None:
    """The kernel drops it and counts it; others of the same lane, and known sources, are heard."""
    got = Heard()
    edge = UdpSocket("127.0.0.1", 0, got.take, lambda: None)
    assert edge.part()
    edge.steer([ip_network("127.0.0.5/32")])
    edge.shut_out([ip_network("127.0.0.7/32"), ip_network("127.0.0.5/32")])
    with sender("127.0.0.5") as known, sender("127.0.0.7") as banned, sender("127.0.0.8") as other:
        for peer, word in ((banned, b"banned"), (known, b"known"), (other, b"other")):
            peer.sendto(word, edge.address)
        await got.read(edge, lambda: len(got) == 2)

    assert sorted(got) == [b"known", b"other"]


async def test_a_ban_ends() -> None:
    """The program is replaced, not added to."""
    got = Heard()
    edge = UdpSocket("127.0.0.1", 0, got.take, lambda: None)
    assert edge.part()
    edge.shut_out([ip_network("127.0.0.7/32")])
    edge.shut_out([])
    with sender("127.0.0.7") as peer:
        peer.sendto(b"again", edge.address)
        await got.read(edge, lambda: len(got) == 1)

    assert got == [b"again"]


async def test_lanes_of_ipv6() -> None:
    """The same by four words; `::1` is all there is on loopback, so known once and then a stranger."""
    got = Heard()
    edge = UdpSocket("::1", 0, got.take, lambda: None)
    assert edge.part()
    with sender("::1") as peer:
        edge.steer([ip_network("::1/128"), ip_network("2001:db8::/32")])
        edge.shut_out([ip_network("::1/128")])
        peer.sendto(b"known", edge.address)
        edge.steer([ip_network("2001:db8::/32")])
        peer.sendto(b"banned", edge.address)
        edge.shut_out([ip_network("2001:db8::/32")])
        peer.sendto(b"stranger", edge.address)
        await got.read(edge, lambda: len(got) == 2)

    assert got == [b"known", b"stranger"]


def test_a_port_with_two_lanes_is_still_ours_alone() -> None:
    """SO_REUSEPORT is set after the port was bound: a second edge is told that it is taken."""
    first = UdpSocket("127.0.0.1", 0, lambda data, address: None, lambda: None)
    assert first.part()

    with pytest.raises(OSError, match="in use"):
        UdpSocket("127.0.0.1", first.address[1], lambda data, address: None, lambda: None)

    first.give_back()


async def test_how_long_a_datagram_has_waited_is_known() -> None:
    """Sampled once a wake-up: the queue that never ran dry shows its shortest wait; after a look it begins anew."""
    got = Heard()
    now = time.time()
    clock = chain([now - 1], repeat(now + 2))  # its start, then each datagram
    edge = UdpSocket("127.0.0.1", 0, got.take, lambda: None, wall=lambda: next(clock))
    with sender("127.0.0.1") as peer:
        peer.sendto(b"x", edge.address)
        peer.sendto(b"y", edge.address)
        await got.read(edge, lambda: len(got) == 2)
    queue, again = got.queues

    assert queue.wait_s == pytest.approx(2, abs=0.9)
    assert queue.fill == again.wait_s == 0
