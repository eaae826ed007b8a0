"""Both ends of a connection on loopback: the edge's table of connections, and a neighbour's socket."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence

from edge.sip.flow import Flow
from edge.sip.framing import FramingFault
from edge.transport.certificates import Certificates
from edge.transport.connections import Connections
from edge.transport.stream_bounds import StreamBounds
from edge.transport.streams import StreamSocket

BOUND_S = 5.0


def message(number: int = 0, *, via: str = "SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK1", body: str = "") -> bytes:
    """A sound request."""
    return (
        f"OPTIONS sip:a@b SIP/2.0\r\nVia: {via}\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: c{number}\r\n"
        f"CSeq: 1 OPTIONS\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


class Tap:
    """Takes what the connections bring, as the pump does."""

    def __init__(self) -> None:
        self.messages: list[tuple[bytes, Flow]] = []
        self.faults: list[FramingFault] = []
        self.up: set[int] = set()
        self.failed: list[Flow] = []
        self.lost: list[tuple[object, str]] = []

    def received_on(self, messages: Sequence[bytes], flow: Flow) -> None:
        self.messages += [(data, flow) for data in messages]

    def unframed(self, fault: FramingFault, flow: Flow) -> None:
        self.faults.append(fault)

    def connected(self, number: int) -> None:
        self.up.add(number)

    def disconnected(self, number: int) -> None:
        self.up.discard(number)

    def flows_failed(self, flows: Sequence[Flow]) -> None:
        self.failed += flows

    def unsent(self, txn: object, flow: Flow, why: str) -> None:
        self.lost.append((txn, why))

    async def until(self, thing: Callable[[], object]) -> None:
        """Wait for it; what nothing tells of is looked for at each turn of the loop."""
        async with asyncio.timeout(BOUND_S):
            while not thing():
                await _turn()


async def _turn() -> None:
    """Let the loop turn once."""
    await asyncio.sleep(0)


class Bench:
    """One listener and its table."""

    def __init__(self, bounds: StreamBounds, certificates: Certificates | None, host: str) -> None:
        self.tap = Tap()
        self.shift_s = 0.0
        """How far the table's clock has been put forward."""
        self.connections = Connections(self.tap, bounds, certificates, lambda: time.monotonic() + self.shift_s)
        self.socket = StreamSocket(0, host, 0, self.connections, certificates)
        self.address = self.socket.address
        self.counters = self.connections.counters


@contextlib.asynccontextmanager
async def bench(
    bounds: StreamBounds | None = None, certificates: Certificates | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Bench]:
    """A listening table that is gone, with its connections, when the block ends."""
    made = Bench(bounds or StreamBounds(), certificates, host)
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as tasks:
        made.connections.join(loop, tasks)
        made.socket.start(loop)
        try:
            yield made
        finally:
            made.socket.close(loop)
            for connection in list(made.connections.by_number.values()):
                connection.abort("stopped")


@contextlib.contextmanager
def neighbour(host: str = "127.0.0.1", *, backlog: int = 16):
    """A listening socket of a neighbour."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, 0))
        sock.listen(backlog)
        sock.setblocking(False)
        yield sock


async def accepted(listening: socket.socket) -> socket.socket:
    """The next connection to it."""
    async with asyncio.timeout(BOUND_S):
        sock, _ = await asyncio.get_running_loop().sock_accept(listening)
    return sock


async def connected(address: tuple[str, int], source: str = "") -> socket.socket:
    """A neighbour's connection to the edge, from this address of its own."""
    sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    if source:
        sock.bind((source, 0))
    async with asyncio.timeout(BOUND_S):
        await asyncio.get_running_loop().sock_connect(sock, address)
    return sock


async def read(sock: socket.socket, least: int = 1) -> bytes:
    """At least so many bytes; fewer where the other end has closed."""
    data = b""
    async with asyncio.timeout(BOUND_S):
        while len(data) < least:
            piece = await asyncio.get_running_loop().sock_recv(sock, 65536)
            if not piece:
                break
            data += piece
    return data


async def is_closed(sock: socket.socket) -> bool:
    """Does the other end close, whatever it still says?"""
    try:
        while await read(sock):
            pass
    except ConnectionError:
        pass
    return True
