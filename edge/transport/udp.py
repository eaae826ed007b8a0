"""UDP sockets (I/O): datagrams in, datagrams out. RFC 3261 §18.

One non-blocking socket a lane, read by `add_reader` and drained in a bounded loop; no asyncio transport between.

**Two lanes** (Linux): datagrams of known sources and those of strangers wait in two kernel queues, so that whoever
floods the edge fills his own. The kernel sorts them by a small program (`packet_filter`) given to two sockets
on one port (SO_REUSEPORT); another one drops what banned sources send. Both are a matter of speed alone: where the
kernel takes no program there is one lane, and whoever reads the datagrams judges each of them all the same.
"""

import asyncio
import socket
import struct
import time
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from edge.sip.flow import Flow
from edge.transport.packet_filter import (
    MAX_RANGES,
    SO_ATTACH_FILTER,
    SO_ATTACH_REUSEPORT_CBPF,
    TAKE,
    Network,
    attach,
    program,
    ranges_of,
)
from edge.transport.spreading import MAX_SPREAD_RANGES, Share, spreading

MAX_DATAGRAM: Final = 65_535
DRAIN: Final = 32
"""Datagrams read in one wake-up before timers and the store get their turn."""
BUSY_S: Final = 50e-6
"""Woken again so soon after the last time, there is probably more than one datagram: worth reading until none is left.
Otherwise one is read, since asking for a second that is not there costs as much as reading it."""
RECEIVE_BUFFER: Final = 4 * 1024 * 1024
"""Asked of the kernel; it grants up to net.core.rmem_max. Rides out a burst or a pause of the process."""
STRANGERS_BUFFER: Final = 256 * 1024
"""The same for the lane of strangers: what waits there for long is worth nothing any more."""
SAMPLE_S: Final = 1e-3
"""How long a datagram has waited is asked of the kernel at most so often: the question costs a microsecond."""
STANDING_S: Final = 1e-3
"""One that has waited so long does not wait alone."""

_SO_TIMESTAMPNS: Final = 35
_SO_MEMINFO: Final = 55
_MEMINFO: Final = struct.Struct("=9I")
_TIMESPEC: Final = struct.Struct("@qq")
_ANCILLARY: Final = socket.CMSG_SPACE(_TIMESPEC.size)


class Queue(NamedTuple):
    """One lane since it was looked at last."""

    wait_s: float
    """Shortest time that any sampled datagram had waited in it: more than zero only where the queue never ran dry."""
    fill: float
    """Share of its buffer in use, 0 to 1."""
    dropped: int
    """Datagrams the kernel has not handed over, since the socket exists: no room, or a banned source."""


class _Lane:
    """One socket and what is known of its queue."""

    __slots__ = ("idle_since", "least_wait", "sampled_at", "since", "socket", "times", "wall")

    def __init__(self, sock: socket.socket, wall: Callable[[], float]) -> None:
        self.socket = sock
        self.wall = wall
        self.idle_since = 0.0
        self.since = 0.0
        """Read since this instant of the wall clock. What came before waited for a start, which is no overload."""
        self.sampled_at = 0.0
        self.least_wait: float | None = None
        try:
            sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            self.times = True
        except OSError:
            self.times = False

    def receive_timed(self) -> tuple[bytes, tuple[str, int], float]:
        """One datagram, its source, and how long it has waited."""
        data, ancillary, _, address = self.socket.recvmsg(MAX_DATAGRAM, _ANCILLARY)
        wait = 0.0
        for _, kind, value in ancillary:
            if kind == _SO_TIMESTAMPNS and len(value) == _TIMESPEC.size:
                seconds, nanoseconds = _TIMESPEC.unpack(value)
                # Both of the wall clock; where that is set back the wait is none.
                wait = max(0.0, self.wall() - max(seconds + nanoseconds * 1e-9, self.since))
        if self.least_wait is None or wait < self.least_wait:
            self.least_wait = wait
        return data, address[:2], wait  # of IPv6 there are four items

    def look(self) -> Queue:
        wait, self.least_wait = self.least_wait or 0.0, None
        try:
            used, size, *_, dropped = _MEMINFO.unpack(
                self.socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
            )
        except (OSError, struct.error):
            return Queue(wait, 0.0, 0)
        return Queue(wait, used / max(size, 1), dropped)


def open_udp(buffer: int, *, is_ipv6: bool) -> socket.socket:
    """A socket that is bound nowhere yet."""
    sock = socket.socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        if is_ipv6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    except OSError:
        sock.close()
        raise
    return sock


class UdpSocket:
    """One bound UDP address."""

    __slots__ = (
        "_drained",
        "_known",
        "_on_datagram",
        "_share",
        "_socket",
        "_strangers",
        "_waited",
        "_wall",
        "address",
        "dropped",
        "host_is_ipv6",
    )

    def __init__(
        self,
        host: str,
        port: int,
        on_datagram: Callable[[bytes, tuple[str, int]], None],
        drained: Callable[[], None],
        waited: Callable[[float], None] | None = None,
        *,
        wall: Callable[[], float] = time.time,
        share: Share | None = None,
    ) -> None:
        """Binds at once; raises OSError where the address is taken or not ours. `waited` hears how many seconds a
        datagram of a known source has waited, before it is handed over; not of every one (`SAMPLE_S`). `wall`: the
        clock that the kernel stamps datagrams by. `share`: nothing is bound, the sockets of this worker are taken."""
        self.host_is_ipv6 = ":" in host
        self._share = share
        self._strangers: _Lane | None = None
        if share is None:
            self._socket = open_udp(RECEIVE_BUFFER, is_ipv6=self.host_is_ipv6)
            try:
                self._socket.bind((host, port))
            except OSError:
                self._socket.close()
                raise
        else:
            self._socket = socket.socket(fileno=share.known)
            self._strangers = _Lane(socket.socket(fileno=share.strangers), wall)
        self._known = _Lane(self._socket, wall)
        self._wall = wall
        self._on_datagram = on_datagram
        self._drained = drained
        self._waited = waited
        self.address: tuple[str, int] = self._socket.getsockname()[:2]
        self.dropped = 0
        """Datagrams the kernel would not take because its buffer was full; retransmission covers them."""

    @property
    def lanes(self) -> int:
        """2, or 1 where the kernel does not sort."""
        return 1 if self._strangers is None else 2

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to read."""
        self._known.since = self._known.wall()
        loop.add_reader(self._socket.fileno(), self._read, self._known)
        if self._strangers is not None:
            self._strangers.since = self._known.since
            loop.add_reader(self._strangers.socket.fileno(), self._read, self._strangers)

    def close(self, loop: asyncio.AbstractEventLoop) -> None:
        """Stop reading and give the port back."""
        loop.remove_reader(self._socket.fileno())
        if self._strangers is not None:
            loop.remove_reader(self._strangers.socket.fileno())
        self.give_back()

    def give_back(self) -> None:
        """Give the port back; nothing is being read."""
        self._socket.close()
        if self._strangers is not None:
            self._strangers.socket.close()

    def send(self, data: bytes, flow: Flow, txn: object) -> None:
        """Send one datagram; raises OSError where the kernel refuses this destination or size."""
        try:
            self._socket.sendto(data, flow.address)
        except BlockingIOError:
            self.dropped += 1

    # -- lanes -----------------------------------------------------------------------------------------------------

    def part(self) -> bool:
        """A lane of their own for strangers, before `start`; False where the kernel has none to give.

        The port was bound without SO_REUSEPORT, so that two edges cannot share one by mistake; the flag is set
        afterwards for the second socket alone."""
        if self._share is not None:
            return self._is_steered()
        try:
            second = open_udp(STRANGERS_BUFFER, is_ipv6=self.host_is_ipv6)
        except OSError:
            return False
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            second.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            second.bind(self.address)
            self._strangers = _Lane(second, self._wall)
            self.steer(())
        except (OSError, AttributeError):
            second.close()
            self._strangers = None
            return False
        return True

    def _is_steered(self) -> bool:
        try:
            self.steer(())
        except (OSError, AttributeError):
            return False
        return True

    def steer(self, known: Iterable[Network]) -> int:
        """Datagrams of these networks go by the first lane, all others by the second; how many ranges of addresses
        found no place in the program. Raises OSError where the kernel takes none.

        One program serves the sockets of all workers: the first of them says who is known."""
        if self._strangers is None or (self._share is not None and self._share.worker):
            return 0
        version = 6 if self.host_is_ipv6 else 4
        ranges = ranges_of(known, version)
        if self._share is None:
            kept = ranges[: MAX_RANGES[version]]
            code = program(kept, version=version, inside=0, outside=1)
        else:
            kept = ranges[: MAX_SPREAD_RANGES[version]]
            code = spreading(kept, version=version, workers=self._share.workers)
        attach(self._socket, SO_ATTACH_REUSEPORT_CBPF, code)
        return len(ranges) - len(kept)

    def shut_out(self, banned: Iterable[Network]) -> None:
        """What these networks send is dropped by the kernel, as far as the program takes them; the first lane is never
        touched. Raises OSError where the kernel takes none."""
        if self._strangers is None:
            return
        version = 6 if self.host_is_ipv6 else 4
        ranges = ranges_of(banned, version)[: MAX_RANGES[version]]
        attach(self._strangers.socket, SO_ATTACH_FILTER, program(ranges, version=version, inside=0, outside=TAKE))

    def queues(self) -> tuple[Queue, ...]:
        """The lane of known sources, then that of strangers where there is one; a new sampling begins."""
        lanes = (self._known,) if self._strangers is None else (self._known, self._strangers)
        return tuple([lane.look() for lane in lanes])

    # -- reading ---------------------------------------------------------------------------------------------------

    def _read(self, lane: _Lane) -> None:
        receive, handle, is_ipv6 = lane.socket.recvfrom, self._on_datagram, self.host_is_ipv6
        now = time.monotonic()
        most = DRAIN if now - lane.idle_since < BUSY_S else 1
        if lane.times and now - lane.sampled_at >= SAMPLE_S:
            lane.sampled_at = now
            try:
                data, address, wait = lane.receive_timed()
            except OSError:
                pass  # nothing there, or an ICMP error of an earlier datagram; the transaction's timers know better
            else:
                most = DRAIN if wait > STANDING_S else most
                if self._waited is not None and lane is self._known:
                    self._waited(wait)
                handle(data, address)
                most -= 1
        for _ in range(most):
            try:
                data, source = receive(MAX_DATAGRAM)
            except BlockingIOError:
                break
            except OSError:
                continue
            handle(data, source[:2] if is_ipv6 else source)
        self._drained()
        lane.idle_since = time.monotonic()
