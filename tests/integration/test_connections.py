"""The table of TCP connections on loopback: reuse, bounds, and what is told when a connection is lost."""

import asyncio
import socket
import struct

import pytest
import uvloop
from streams import Bench, accepted, bench, connected, is_closed, message, neighbour, read

from edge.sip.flow import Flow
from edge.transport.connections import alias_port
from edge.transport.stream_bounds import StreamBounds


@pytest.fixture(scope="module")
def event_loop_policy() -> uvloop.EventLoopPolicy:
    """The loop of the edge: its transports are its own."""
    return uvloop.EventLoopPolicy()


def to(sock: socket.socket, **more) -> Flow:
    host, port = sock.getsockname()[:2]
    return Flow(0, (host, port), 0, port, **more)


def flood(edge: Bench, flow: Flow) -> None:
    for _ in range(2_000):
        edge.connections.send(b"x" * 60_000, flow, None)


def reset(sock: socket.socket) -> None:
    """Close with RST, as a host does whose process died."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_message_arrives_and_its_answer_goes_back_by_its_connection(host) -> None:
    """Cut anywhere by the network; the flow names the connection; IPv4 and IPv6."""
    async with bench(host=host) as edge:
        with await connected(edge.address) as sock:
            sock.send(message(1)[:40])
            await edge.tap.until(lambda: edge.connections.by_number)
            sock.send(message(1)[40:] + message(2))
            await edge.tap.until(lambda: len(edge.tap.messages) == 2)
            (first, flow), (second, other) = edge.tap.messages
            assert (first, second, flow) == (message(1), message(2), other)
            assert (flow.listener, flow.address, flow.names) == (0, sock.getsockname()[:2], ())
            assert edge.tap.up == {flow.connection}
            edge.connections.send(b"answer", flow, None)
            assert await read(sock, 6) == b"answer"
        await edge.tap.until(lambda: not edge.tap.up)
        assert (edge.counters.accepted, edge.counters.open, edge.counters.closed) == (1, 0, {"closed by the peer": 1})


async def test_keep_alives_are_answered() -> None:
    """RFC 5626 §4.4.1: a double CRLF gets a single one; a single one gets nothing."""
    async with bench() as edge:
        with await connected(edge.address) as sock:
            sock.send(b"\r\n")
            sock.send(b"\r\n")
            assert await read(sock, 2) == b"\r\n"
            sock.send(message() + b"\r\n\r\n")
            assert await read(sock, 2) == b"\r\n"
            assert [data for data, _ in edge.tap.messages] == [message()]


async def test_connections_we_open_are_reused() -> None:
    """What is sent while it opens waits; later messages share it; so do answers that come back by it."""
    async with bench() as edge:
        with neighbour() as listening:
            flow = to(listening)
            edge.connections.send(b"one,", flow, None)
            edge.connections.send(b"two,", flow, None)
            with await accepted(listening) as sock:
                assert await read(sock, 8) == b"one,two,"
                edge.connections.send(b"three", flow, None)
                assert await read(sock, 5) == b"three"
                sock.send(message())
                await edge.tap.until(lambda: edge.tap.messages)
                assert (edge.counters.opened, edge.counters.open, edge.tap.up) == (1, 1, set())
                assert sock.getpeername()[0] == "127.0.0.1"


async def test_a_response_whose_connection_is_gone_opens_another() -> None:
    """§18.2.2: to the address it came from and the port of its Via; nowhere where the flow names no port."""
    async with bench() as edge:
        with neighbour() as listening:
            with await connected(edge.address) as sock:
                sock.send(message())
                await edge.tap.until(lambda: edge.tap.messages)
            await edge.tap.until(lambda: not edge.tap.up)
            _, flow = edge.tap.messages[0]
            with pytest.raises(ConnectionError):
                edge.connections.send(b"answer", flow, None)
            edge.connections.send(b"answer", flow._replace(port=listening.getsockname()[1]), None)
            with await accepted(listening) as again:
                assert await read(again, 6) == b"answer"


async def test_a_refused_connection_is_told_for_each_message() -> None:
    """Everything that waited for it."""
    with neighbour() as listening:
        flow = to(listening)
    async with bench() as edge:
        edge.connections.send(b"one", flow, "txn 1")
        edge.connections.send(b"two", flow, "txn 2")
        await edge.tap.until(lambda: len(edge.tap.lost) == 2)
        assert edge.tap.lost == [("txn 1", "connection refused"), ("txn 2", "connection refused")]
        assert (edge.counters.failed, edge.counters.open) == ({"connection refused": 1}, 0)


async def test_a_neighbour_that_does_not_answer_the_connect() -> None:
    """Its queue is full: the time is bounded, then the message is told lost."""
    async with bench(StreamBounds(connect_s=0.1)) as edge:
        with neighbour(backlog=0) as listening:
            held = [socket.socket() for _ in range(8)]
            for sock in held:
                sock.setblocking(False)
                sock.connect_ex(listening.getsockname())
            edge.connections.send(b"one", to(listening), "txn")
            await edge.tap.until(lambda: edge.tap.lost)
            assert edge.tap.lost == [("txn", "time-out")]
            for sock in held:
                sock.close()


async def test_a_neighbour_that_reads_nothing_is_cut_off() -> None:
    """Back-pressure has a bound: beyond it the connection goes, and the sender hears of it at once."""
    async with bench(StreamBounds(buffer=200_000)) as edge:
        with neighbour() as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            flow = to(listening)
            edge.connections.send(b"x", flow, None)
            with await accepted(listening) as sock:
                await read(sock, 1)
                with pytest.raises(OSError, match="takes nothing"):
                    flood(edge, flow)
                await edge.tap.until(lambda: edge.counters.closed)
                assert edge.counters.closed == {"the peer takes nothing": 1}


async def test_what_waits_for_a_connection_is_bounded_too() -> None:
    """While it opens."""
    async with bench(StreamBounds(buffer=1_000)) as edge:
        with neighbour() as listening:
            flow = to(listening)
            edge.connections.send(b"x" * 900, flow, None)
            with pytest.raises(OSError, match="too much waits"):
                edge.connections.send(b"x" * 200, flow, None)
            (await accepted(listening)).close()


async def test_a_dead_connection_is_noticed_by_its_reset_and_the_message_sent_again() -> None:
    """The neighbour was restarted: the reused connection is dead, a new one carries the same message, nobody fails."""
    async with bench() as edge:
        with neighbour() as listening:
            flow = to(listening)
            edge.connections.send(b"one", flow, None)
            with await accepted(listening) as sock:
                await read(sock, 3)
                sock.send(message())
                await edge.tap.until(lambda: edge.tap.messages)
                edge.connections.send(b"two", flow, None)
                reset(sock)
            with await accepted(listening) as again:
                assert await read(again, 3) == b"two"
            assert (edge.tap.lost, edge.counters.resent, edge.counters.opened) == ([], 1, 2)


async def test_a_slow_message_ends_its_connection() -> None:
    """Slow loris: a byte now and then keeps it active, but a begun message must end."""
    async with bench(StreamBounds(message_s=10, idle_s=60)) as edge:
        with await connected(edge.address) as sock:
            sock.send(message()[:20])
            await edge.tap.until(lambda: any(c.partial_since for c in edge.connections.by_number.values()))
            edge.shift_s = 9
            edge.connections.sweep()
            sock.send(message()[20:21])
            await edge.tap.until(lambda: any(c.framer._searched == 21 for c in edge.connections.by_number.values()))
            assert edge.counters.closed == {}
            edge.shift_s = 10.5
            edge.connections.sweep()
            assert await is_closed(sock)
            assert edge.counters.closed == {"slow": 1}


async def test_an_idle_connection_is_closed_and_a_ping_keeps_it() -> None:
    """A keep-alive is activity."""
    async with bench(StreamBounds(idle_s=60)) as edge:
        with await connected(edge.address) as sock:
            await edge.tap.until(lambda: edge.tap.up)
            edge.shift_s = 50
            sock.send(b"\r\n\r\n")
            await read(sock, 2)
            edge.shift_s = 100
            edge.connections.sweep()
            assert edge.counters.closed == {}
            edge.shift_s = 111
            edge.connections.sweep()
            assert await is_closed(sock)
            assert edge.counters.closed == {"idle": 1}


async def test_connections_of_one_peer_are_bounded() -> None:
    """The next one is closed at once; a place that becomes free is free."""
    async with bench(StreamBounds(per_peer=2)) as edge:
        first, second = [await connected(edge.address) for _ in range(2)]
        await edge.tap.until(lambda: len(edge.tap.up) == 2)
        with await connected(edge.address) as third:
            assert await is_closed(third)
        first.close()
        await edge.tap.until(lambda: len(edge.tap.up) == 1)
        with await connected(edge.address) as fourth:
            fourth.send(message())
            await edge.tap.until(lambda: edge.tap.messages)
        second.close()
        await edge.tap.until(lambda: not edge.tap.up)
        assert (edge.counters.refused, edge.connections.handshakes.per_host, edge.connections.by_key) == (
            {"peer": 1},
            {},
            {},
        )


async def test_at_the_ceiling_a_silent_connection_makes_room_and_a_speaking_one_does_not() -> None:
    """Idle connections in any number keep nobody out; those that carry calls are not pushed out by strangers."""
    async with bench(StreamBounds(connections=3)) as edge:
        talker = await connected(edge.address)
        talker.send(message())
        await edge.tap.until(lambda: edge.tap.messages)
        silent = [await connected(edge.address) for _ in range(2)]
        await edge.tap.until(lambda: len(edge.tap.up) == 3)
        late = await connected(edge.address)
        assert await is_closed(silent[0])
        late.send(message(2))
        await edge.tap.until(lambda: len(edge.tap.messages) == 2)
        silent[1].send(message(3))
        await edge.tap.until(lambda: len(edge.tap.messages) == 3)
        with await connected(edge.address) as refused:
            assert await is_closed(refused)
        assert edge.counters.refused == {"full": 1}
        talker.send(message(4))
        await edge.tap.until(lambda: len(edge.tap.messages) == 4)
        for sock in (talker, late, *silent):
            sock.close()
        await edge.tap.until(lambda: not edge.tap.up)
        assert edge.counters.closed == {"evicted": 1, "closed by the peer": 3}


async def test_ten_thousand_idle_connections() -> None:
    """Bounded by the ceiling however many come: memory and descriptors with it; and a neighbour still gets through."""
    async with bench(StreamBounds(connections=100, per_peer=200)) as edge:
        socks: list[socket.socket] = []
        for _ in range(10_000):
            socks.append(await connected(edge.address))
            if len(socks) > 150:
                socks.pop(0).close()
            assert len(edge.connections.by_number) <= 100
        with await connected(edge.address) as sock:
            sock.send(message())
            await edge.tap.until(lambda: edge.tap.messages)
        for sock in socks:
            sock.close()
        await edge.tap.until(lambda: not edge.connections.by_number and not edge.connections.handshakes.per_host)
        assert edge.tap.up == set()


async def test_a_stream_that_cannot_be_framed_is_closed_after_the_last_word() -> None:
    """The core is told first; what it answers leaves before the connection does."""
    async with bench() as edge:
        with await connected(edge.address) as sock:
            said = edge.tap.unframed

            def answer(fault, flow) -> None:
                said(fault, flow)
                edge.connections.send(b"400", flow, None)

            edge.tap.unframed = answer
            sock.send(message(1) + b"GET / HTTP/1.1\r\n\r\n" + message(2))
            assert await read(sock, 99) == b"400"
            assert ([data for data, _ in edge.tap.messages], len(edge.tap.faults)) == ([message(1)], 1)
            assert edge.counters.framing == {"no Content-Length header": 1}


async def test_the_loss_of_a_connection_is_told_for_the_requests_that_went_by_it() -> None:
    """Once for each flow, so that the core need not know connections."""
    async with bench() as edge:
        with neighbour() as listening:
            flow = to(listening)
            edge.connections.send(b"one", flow, None)
            next(iter(edge.connections.by_number.values())).note_request(flow)
            with await accepted(listening) as sock:
                await read(sock, 3)
            await edge.tap.until(lambda: edge.tap.failed)
            assert edge.tap.failed == [flow]


ALIASES = [
    (message(via="SIP/2.0/TLS h:5071;branch=z9hG4bK1;alias"), 5071),
    (message(via="SIP/2.0/TLS h;alias;branch=z9hG4bK1"), 5061),
    (message(via="SIP/2.0/TLS h:5071;branch=z9hG4bKalias"), 0),
    (message(via="SIP/2.0/TLS h:5071;branch=z9hG4bK1, SIP/2.0/TLS g;alias;branch=z9hG4bK2"), 0),
    (b"alias", 0),
    (b"SIP/2.0 200 OK\r\n" + message(via="SIP/2.0/TLS h;alias;branch=z9hG4bK1").partition(b"\r\n")[2], 0),
]


@pytest.mark.parametrize(("data", "port"), ALIASES, ids=range(len(ALIASES)))
def test_an_alias_is_offered_by_the_top_via_of_a_request(data, port) -> None:
    """RFC 5923 §5."""
    assert port == alias_port(data)


async def test_an_alias_without_a_proven_name_means_nothing() -> None:
    """RFC 5923 §8.1: over TCP anybody could claim any port."""
    async with bench() as edge:
        with await connected(edge.address) as sock:
            sock.send(message(via="SIP/2.0/TCP 127.0.0.1:5070;branch=z9hG4bK1;alias"))
            await edge.tap.until(lambda: edge.tap.messages)
            assert [key[1] for key in edge.connections.by_key] == [sock.getsockname()[:2]]


async def test_the_table_ends_in_order() -> None:
    """Every connection is closed."""
    async with bench() as edge:
        with await connected(edge.address) as sock:
            await edge.tap.until(lambda: edge.tap.up)
            edge.connections.close()
            assert await is_closed(sock)
    await asyncio.sleep(0)
