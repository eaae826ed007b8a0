"""UDP sockets on loopback: datagrams in bounded drains, refusals of the kernel told to the caller."""

import asyncio
import socket
from itertools import pairwise

import pytest

from edge.sip.flow import Flow
from edge.transport.udp import DRAIN, UdpSocket


async def test_datagrams_arrive_with_their_source_and_one_drain_a_wakeup() -> None:
    """One at first; woken again at once, as many as a drain takes. None is lost, and none waits for another to come."""
    loop = asyncio.get_running_loop()
    got: list[tuple[bytes, tuple[str, int]]] = []
    drains: list[int] = []
    done = asyncio.Event()

    def drained() -> None:
        drains.append(len(got))
        if len(got) == 2 * DRAIN:
            done.set()

    edge = UdpSocket("127.0.0.1", 0, lambda data, address: got.append((data, address)), drained)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        for number in range(2 * DRAIN):
            peer.sendto(b"%d" % number, edge.address)
        edge.start(loop)
        async with asyncio.timeout(5):
            await done.wait()
        source = peer.getsockname()
    edge.close(loop)

    assert [data for data, _ in got] == [b"%d" % number for number in range(2 * DRAIN)]
    assert {address for _, address in got} == {source}
    assert drains[0] == 1
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
