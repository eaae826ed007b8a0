"""UDP sockets (I/O): datagrams in, datagrams out. RFC 3261 §18.

One non-blocking socket a listener, read by `add_reader` and drained in a bounded loop; no asyncio transport between.
"""

import asyncio
import socket
import time
from collections.abc import Callable

from edge.sip.flow import Flow

MAX_DATAGRAM = 65_535
DRAIN = 32
"""Datagrams read in one wake-up before timers and the store get their turn."""
BUSY_S = 50e-6
"""Woken again so soon after the last time, there is probably more than one datagram: worth reading until none is left.
Otherwise one is read, since asking for a second that is not there costs as much as reading it."""
RECEIVE_BUFFER = 4 * 1024 * 1024
"""Asked of the kernel; it grants up to net.core.rmem_max. Rides out a burst or a pause of the process."""


class UdpSocket:
    """One bound UDP socket."""

    __slots__ = ("_drained", "_idle_since", "_on_datagram", "_socket", "address", "dropped", "host_is_ipv6")

    def __init__(
        self,
        host: str,
        port: int,
        on_datagram: Callable[[bytes, tuple[str, int]], None],
        drained: Callable[[], None],
    ) -> None:
        """Binds at once; raises OSError where the address is taken or not ours."""
        self.host_is_ipv6 = ":" in host
        family = socket.AF_INET6 if self.host_is_ipv6 else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            if self.host_is_ipv6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            sock.bind((host, port))
        except OSError:
            sock.close()
            raise
        self._socket = sock
        self._on_datagram = on_datagram
        self._drained = drained
        self._idle_since = 0.0
        self.address: tuple[str, int] = sock.getsockname()[:2]
        self.dropped = 0
        """Datagrams the kernel would not take because its buffer was full; retransmission covers them."""

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to read."""
        loop.add_reader(self._socket.fileno(), self._readable)

    def close(self, loop: asyncio.AbstractEventLoop) -> None:
        """Stop reading and give the port back."""
        loop.remove_reader(self._socket.fileno())
        self.give_back()

    def give_back(self) -> None:
        """Give the port back; nothing is being read."""
        self._socket.close()

    def send(self, data: bytes, flow: Flow, txn: object) -> None:
        """Send one datagram; raises OSError where the kernel refuses this destination or size."""
        try:
            self._socket.sendto(data, flow.address)
        except BlockingIOError:
            self.dropped += 1

    def _readable(self) -> None:
        receive, handle = self._socket.recvfrom, self._on_datagram
        is_busy = time.monotonic() - self._idle_since < BUSY_S
        for _ in range(DRAIN if is_busy else 1):
            try:
                data, address = receive(MAX_DATAGRAM)
            except BlockingIOError:
                break
            except OSError:
                continue  # an ICMP error of an earlier datagram; the transaction's timers know better
            handle(data, address[:2] if self.host_is_ipv6 else address)
        self._drained()
        self._idle_since = time.monotonic()
