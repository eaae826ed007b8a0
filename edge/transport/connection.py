"""One TCP or TLS connection (I/O): bytes into messages, messages into bytes, and the bounds on both. RFC 3261 §18."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Protocol, cast

from edge.sip.flow import Flow
from edge.sip.framing import PONG, Framer, FramingFault

USER_TIMEOUT_MS = 5_000
"""A neighbour that acknowledges nothing for so long is gone: the connection fails (RFC 9293 §3.8.3, RFC 5482)."""
KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, KEEPALIVE_PROBES = 30, 5, 3
"""An idle one is asked now and then, so that a neighbour that vanished is known before a call needs it."""
MAX_REQUEST_FLOWS = 16
"""Names under which requests went by one connection."""


MAX_UNANSWERED = 64
"""Messages remembered, to be sent again should the connection turn out to have been gone."""


class ConnectionOwner(Protocol):
    """The table that a connection reports to."""

    def is_up(self, connection: "Connection") -> str:
        """Established, the handshake over. A reason: it is not welcome."""

    def received(self, connection: "Connection", messages: list[bytes]) -> None:
        """Whole messages, in order."""

    def unframed(self, connection: "Connection", fault: FramingFault) -> None:
        """Nothing more can be read from it."""

    def is_over(self, connection: "Connection", why: str) -> None:
        """It is gone."""

    def unsent(self, txn: object, flow: Flow, why: str) -> None:
        """A message of this transaction did not leave."""


class Connection(asyncio.Protocol):
    """A connection in either direction; made before it is established when we open it."""

    __slots__ = (
        "_now", "_owner", "_waiting", "active_at", "address", "closing", "flow", "framer", "has_spoken", "is_alias",
        "is_outgoing", "keys", "listener", "max_buffer", "names", "number", "partial_since", "request_flows",
        "transport", "unanswered",
    )  # fmt: skip

    def __init__(
        self,
        owner: ConnectionOwner,
        *,
        number: int,
        listener: int,
        address: tuple[str, int],
        is_outgoing: bool,
        max_buffer: int,
        now: Callable[[], float],
    ) -> None:
        self._owner = owner
        self._now = now
        self._waiting: list[tuple[bytes, Flow, object]] | None = []
        """What is to be sent as soon as it is established; None: it is."""
        self.number = number
        self.listener = listener
        self.address = address
        self.is_outgoing = is_outgoing
        self.max_buffer = max_buffer
        """Bytes that may wait for the neighbour to take them."""
        self.transport: asyncio.Transport | None = None
        self.framer = Framer()
        self.names: tuple[str, ...] = ()
        """What the peer's certificate proved."""
        self.flow = Flow(listener, address, number)
        """Of everything that comes by it."""
        self.keys: list[tuple[int, tuple[str, int], str]] = []
        """Under which the table finds it."""
        self.is_alias = False
        """Does the table know it by the peer's own alias (RFC 5923)?"""
        self.active_at = now()
        self.partial_since: float | None = None
        """Since when the beginning of a message waits for its end."""
        self.has_spoken = False
        """Has a whole message come?"""
        self.request_flows: set[Flow] = set()
        """The flows of our requests that went by it."""
        self.unanswered: list[tuple[bytes, Flow, object]] = []
        """What was sent since the peer was heard last, once it had been heard: it may have been gone already."""
        self.closing = ""
        """Why we have closed it."""

    # -- asyncio.Protocol ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Established; with TLS, the handshake is over."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are not of that class
        self.active_at = self._now()
        sock = self.transport.get_extra_info("socket")
        if sock is not None:
            with contextlib.suppress(OSError):
                _set_options(sock)
        refusal = self._owner.is_up(self)
        waiting, self._waiting = self._waiting or [], None
        if refusal:
            self.end(refusal)
            for _, flow, txn in waiting:
                self._owner.unsent(txn, flow, refusal)
            return
        for data, flow, txn in waiting:
            self.write(data, flow, txn)

    def data_received(self, data: bytes) -> None:
        """Some bytes of the stream."""
        if self.closing:
            return
        now = self.active_at = self._now()
        framer = self.framer
        pings = framer.pings
        messages = framer.feed(data)
        self.unanswered.clear()
        if framer.pings != pings and self.transport is not None:
            self._write(PONG)  # one for all that came together
        if not framer.is_partial:
            self.partial_since = None
        elif messages or self.partial_since is None:
            self.partial_since = now
        if messages:
            self.has_spoken = True
            self._owner.received(self, messages)
        if framer.fault is not None:
            self._owner.unframed(self, framer.fault)
            self.end("framing")

    def eof_received(self) -> bool:
        """The peer sends no more: we close too (half-open connections are of no use to SIP)."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Gone, whoever closed it."""
        why = self.closing or ("closed by the peer" if exc is None else _reason(exc))
        self.closing = why
        self._owner.is_over(self, why)

    # -- sending ---------------------------------------------------------------------------------------------------

    def write(self, data: bytes, flow: Flow, txn: object) -> None:
        """Send, or keep until it is established. OSError: it cannot take any more."""
        if self.closing:
            raise ConnectionError(self.closing)
        if self._waiting is not None:
            if sum([len(waiting[0]) for waiting in self._waiting]) + len(data) > self.max_buffer:
                raise BlockingIOError("too much waits for the connection")
            self._waiting.append((data, flow, txn))
            return
        if not self._write(data):
            raise BlockingIOError(self.closing)
        if self.has_spoken and self.is_outgoing:
            self.unanswered.append((data, flow, txn))
            del self.unanswered[:-MAX_UNANSWERED]

    def _write(self, data: bytes) -> bool:
        transport = self.transport
        assert transport is not None
        if transport.get_write_buffer_size() + len(data) > self.max_buffer:
            self.abort("the peer takes nothing")
            return False
        transport.write(data)
        return True

    def note_request(self, flow: Flow) -> None:
        """A request of ours goes by it: who sent it wants to hear if it is lost."""
        if len(self.request_flows) < MAX_REQUEST_FLOWS:
            self.request_flows.add(flow)

    def take_waiting(self) -> list[tuple[bytes, Flow, object]]:
        """What was to be sent by a connection that was never established."""
        waiting, self._waiting = self._waiting or [], []
        return waiting

    # -- ends ------------------------------------------------------------------------------------------------------

    def end(self, why: str) -> None:
        """Close when everything written has left."""
        if not self.closing:
            self.closing = why
            if self.transport is not None:
                self.transport.close()

    def abort(self, why: str) -> None:
        """Close at once; what was written and has not left is lost."""
        if not self.closing:
            self.closing = why
        if self.transport is not None:
            self.transport.abort()


def _set_options(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_PROBES)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)


def _reason(error: Exception) -> str:
    """A short, bounded phrase: it is a counter's label."""
    if isinstance(error, ConnectionResetError):
        return "reset by the peer"
    if isinstance(error, BrokenPipeError):
        return "closed by the peer"
    if isinstance(error, TimeoutError):
        return "no acknowledgement"
    return "network error"
