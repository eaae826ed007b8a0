"""The listeners of the process, bound (I/O): one socket each, whatever its transport."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, Protocol

from edge.config.addresses import Listen
from edge.config.static import StaticConfig
from edge.proxy.listeners import Listener, Listeners
from edge.sip.flow import Flow
from edge.transport.certificates import Certificates, TlsFiles
from edge.transport.connections import Connections
from edge.transport.spreading import Share
from edge.transport.stream_bounds import StreamBounds
from edge.transport.streams import StreamSocket
from edge.transport.udp import UdpSocket


class BindError(Exception):
    """A listener cannot be had; the message is for the operator."""


class Endpoint(Protocol):
    """What sends for one listener."""

    def send(self, data: bytes, flow: Flow, txn: object) -> None:
        """Send one message; raises OSError where that is impossible at once."""


class Bound(NamedTuple):
    """All listeners."""

    listeners: Listeners
    sockets: tuple[UdpSocket | StreamSocket, ...]
    endpoints: tuple[Endpoint, ...]

    @property
    def udp(self) -> list[tuple[int, UdpSocket]]:
        """Those that datagrams come by, each with the index of its listener."""
        return [(index, sock) for index, sock in enumerate(self.sockets) if isinstance(sock, UdpSocket)]

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to read and to accept; strangers' datagrams in a lane of their own, where the kernel sorts."""
        for _, udp in self.udp:
            udp.part()
        for sock in self.sockets:
            sock.start(loop)

    def close(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give every port back."""
        for sock in self.sockets:
            sock.close(loop)


def certificates_of(static: StaticConfig) -> Certificates | None:
    """What TLS needs; None: this process has no TLS listener, and opens no TLS connection either. Raises TlsError."""
    if not any(listen.transport == "tls" for listen in static.listen):
        return None
    return Certificates(TlsFiles(static.tls_certificates, static.tls_ca, static.tls_clients, static.tls_minimum))


def bounds_of(static: StaticConfig) -> StreamBounds:
    """What connections may cost this process."""
    return StreamBounds(
        connections=static.max_connections,
        per_peer=static.max_connections_per_peer,
        idle_s=static.connection_idle_s,
        connect_s=static.connect_timeout_s,
    )


def bind(
    listens: Sequence[Listen],
    on_datagram: Callable[[int, bytes, tuple[str, int]], None],
    drained: Callable[[], None],
    connections: Connections,
    certificates: Certificates | None,
    waited: Callable[[int, float], None] | None = None,
    shares: Sequence[Share] = (),
    streams: Endpoint | None = None,
) -> Bound:
    """Bind every listener, or none. The port in a listener's name is the one the system gave. `waited`: as for
    `UdpSocket`, after the index of the listener. `shares`: nothing is bound, these are taken, one for each listener.
    `streams`: what sends over TCP and TLS, where that is not `connections`."""
    sockets: list[UdpSocket | StreamSocket] = []
    endpoints: list[Endpoint] = []
    listeners = []
    for index, listen in enumerate(listens):
        share = shares[index] if shares else None
        try:
            if listen.transport == "udp":
                hears = None if waited is None else partial(waited, index)
                udp = UdpSocket(listen.host, listen.port, partial(on_datagram, index), drained, hears, share=share)
                sockets.append(udp)
                endpoints.append(udp)
            else:
                shown = certificates if listen.transport == "tls" else None
                sockets.append(StreamSocket(index, listen.host, listen.port, connections, shown, share=share))
                endpoints.append(streams or connections)
        except OSError as error:
            for sock in sockets:
                sock.give_back()
            raise BindError(f"cannot listen on {listen.name}: {error.strerror}") from error
        port = sockets[-1].address[1]
        listeners.append(
            Listener(
                listen.name if listen.port else f"{listen.name.rpartition(':')[0]}:{port}",
                listen.transport.upper().encode(),
                listen.host,
                port,
                listen.advertised_host,
                listen.advertised_port or port,
            )
        )
    return Bound(Listeners(listeners), tuple(sockets), tuple(endpoints))
