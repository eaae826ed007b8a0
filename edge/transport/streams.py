"""TCP and TLS listeners (I/O): who connects is taken in, or not, before anything else is done for him. RFC 3261 §18."""

import asyncio
import contextlib
import errno
import socket
from functools import partial

from edge.transport.certificates import Certificates
from edge.transport.connection import Connection
from edge.transport.connections import Connections, StreamPath
from edge.transport.spreading import Share
from edge.transport.stream_bounds import count

BACKLOG = 1024
ACCEPTS = 64
"""Connections taken in one wake-up, before what is already there gets its turn."""
BREATH_S = 1.0
"""How long nothing is accepted when the system is out of descriptors."""
SHUTDOWN_S = 3.0
"""How long a neighbour may take to end TLS in order."""


def listening(host: str, port: int) -> socket.socket:
    """A TCP socket that takes connections. Raises OSError where the address is taken or not ours."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if ":" in host:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


class StreamSocket:
    """One bound TCP socket."""

    __slots__ = ("_certificates", "_connections", "_index", "_loop", "_socket", "address", "host_is_ipv6")

    _loop: asyncio.AbstractEventLoop

    def __init__(
        self,
        index: int,
        host: str,
        port: int,
        connections: Connections,
        certificates: Certificates | None,
        *,
        share: Share | None = None,
    ) -> None:
        """Binds at once; raises OSError where the address is taken or not ours. `certificates`: it speaks TLS.
        `share`: nothing is bound, the socket that all workers accept from is taken."""
        self.host_is_ipv6 = ":" in host
        sock = listening(host, port) if share is None else socket.socket(fileno=share.known)
        self._index = index
        self._socket = sock
        self._connections = connections
        self._certificates = certificates
        self.address: tuple[str, int] = sock.getsockname()[:2]
        connections.paths[index] = StreamPath(host, certificates is not None)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to accept."""
        self._loop = loop
        loop.add_reader(self._socket.fileno(), self._acceptable)

    def close(self, loop: asyncio.AbstractEventLoop) -> None:
        """Accept no more and give the port back."""
        loop.remove_reader(self._socket.fileno())
        self.give_back()

    def give_back(self) -> None:
        """Give the port back; nothing is being read."""
        self._socket.close()

    def _acceptable(self) -> None:
        connections = self._connections
        is_tls = self._certificates is not None
        for _ in range(ACCEPTS):
            try:
                sock, address = self._socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    count(connections.counters.refused, "descriptors")
                    self._breathe()
                    return
                continue  # it has gone again before we took it
            refusal = connections.refusal(address[0], is_tls=is_tls)
            if refusal:
                count(connections.counters.refused, refusal)
                sock.close()
                continue
            sock.setblocking(False)
            connections.accept(self._index, address[:2], partial(self._establish, sock))

    def _breathe(self) -> None:
        """The waiting connection stays readable: without a pause the loop would turn on it for ever."""
        descriptor = self._socket.fileno()
        self._loop.remove_reader(descriptor)
        self._loop.call_later(BREATH_S, self._resume, descriptor)

    def _resume(self, descriptor: int) -> None:
        if self._socket.fileno() == descriptor:
            self._loop.add_reader(descriptor, self._acceptable)

    async def _establish(self, sock: socket.socket, connection: Connection) -> None:
        """Make the transport; TLS shakes hands first, for a bounded time."""
        try:
            if self._certificates is None:
                await self._loop.connect_accepted_socket(lambda: connection, sock)
            else:
                await self._loop.connect_accepted_socket(
                    lambda: connection,
                    sock,
                    ssl=self._certificates.server,
                    ssl_handshake_timeout=self._connections.bounds.handshake_s,
                    ssl_shutdown_timeout=SHUTDOWN_S,
                )
        except BaseException:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)  # the loop may hold it on, and only an end makes it let go
            with contextlib.suppress(OSError):
                sock.close()
            raise
