"""All TCP and TLS connections of the process (I/O): found by peer, opened when needed, bounded, closed when idle.

RFC 3261 §18, RFC 5923 (reuse). A message names its flow; the flow leads to the connection it came by, to one that is
already up to that address, or to a new one.
"""

import asyncio
import secrets
import ssl
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Protocol

from edge.sip.errors import ParseError
from edge.sip.flow import Flow
from edge.sip.framing import FramingFault
from edge.sip.message import Request, parse
from edge.sip.transaction.layer import Transaction
from edge.sip.transaction.machine import State
from edge.transport.certificates import Certificates, proven_names
from edge.transport.connection import Connection
from edge.transport.handshakes import Handshakes
from edge.transport.stream_bounds import StreamBounds, StreamCounters, count

SWEEP_S = 1.0
"""How often idle and slow connections are looked for."""
_DEFAULT_ALIAS_PORT = 5061

Key = tuple[int, tuple[str, int], str]
"""(listener, peer's address, name it has proved; empty without TLS)."""


class StreamUser(Protocol):
    """Who takes what the connections bring: the pump."""

    def received_on(self, messages: Sequence[bytes], flow: Flow) -> None:
        """Whole messages of one reading."""

    def unframed(self, fault: FramingFault, flow: Flow) -> None:
        """The last word of a connection."""

    def connected(self, number: int) -> None:
        """A neighbour's connection is up."""

    def disconnected(self, number: int) -> None:
        """It is gone."""

    def flows_failed(self, flows: Sequence[Flow]) -> None:
        """Requests went by these flows and will not be answered there."""

    def unsent(self, txn: object, flow: Flow, why: str) -> None:
        """A message of this transaction did not leave."""


@dataclass(frozen=True, slots=True)
class StreamPath:
    """What is needed to open a connection from one listener."""

    host: str
    """Numeric address that it is bound to."""
    is_tls: bool


class Connections:
    """The table."""

    __slots__ = (
        "_certificates", "_loop", "_next_number", "_now", "_step", "_tasks", "_user", "bounds", "by_key", "by_number",
        "counters", "handshakes", "paths", "silent",
    )  # fmt: skip

    _loop: asyncio.AbstractEventLoop
    _tasks: asyncio.TaskGroup

    def __init__(
        self,
        user: StreamUser,
        bounds: StreamBounds,
        certificates: Certificates | None,
        now: Callable[[], float],
        *,
        worker: int = 0,
        workers: int = 1,
    ) -> None:
        """`worker` of how many: the number of a connection says whose it is (`workers.frames.is_here`)."""
        self._user = user
        self._certificates = certificates
        self._now = now
        # A number in a token of ours must not mean another connection after a restart.
        self._next_number = secrets.randbits(31) * workers + worker
        self._step = workers
        self.bounds = bounds
        self.counters = StreamCounters()
        self.paths: dict[int, StreamPath] = {}
        """By index of the listener."""
        self.by_number: dict[int, Connection] = {}
        self.by_key: dict[Key, Connection] = {}
        self.handshakes = Handshakes()
        self.silent: dict[int, Connection] = {}
        """Neighbours' connections without a whole message so far, the oldest first."""

    def join(self, loop: asyncio.AbstractEventLoop, tasks: asyncio.TaskGroup) -> None:
        """Before the first connection."""
        self._loop = loop
        self._tasks = tasks

    # -- sending ---------------------------------------------------------------------------------------------------

    def send(self, data: bytes, flow: Flow, txn: object) -> None:
        """Send by the flow's connection, by another one to that address, or by a new one (§18.2.2). OSError: at once
        impossible; what fails later is told by `StreamUser.unsent`."""
        connection = self.by_number.get(flow.connection) if flow.connection else None
        if connection is None or connection.closing:
            if not flow.port:
                raise ConnectionError("the connection is gone")
            connection = self._known(flow) or self._open(flow)
        if isinstance(txn, Transaction) and not txn.is_server:
            connection.note_request(flow)
        connection.write(data, flow, txn)

    def _known(self, flow: Flow) -> Connection | None:
        address = (flow.address[0], flow.port)
        for name in flow.names if self.paths[flow.listener].is_tls else ("",):
            connection = self.by_key.get((flow.listener, address, name.lower()))
            if connection is not None and not connection.closing:
                return connection
        return None

    def _open(self, flow: Flow) -> Connection:
        if len(self.by_number) >= self.bounds.connections and not self._evict():
            raise ConnectionError("too many connections")
        address = (flow.address[0], flow.port)
        connection = self._make(flow.listener, address, is_outgoing=True)
        # Known at once: what is sent meanwhile waits for it.
        names = flow.names if self.paths[flow.listener].is_tls else ("",)
        self._add(connection, [(flow.listener, address, name.lower()) for name in names])
        self._tasks.create_task(self._establish(connection, flow))
        return connection

    async def _establish(self, connection: Connection, flow: Flow) -> None:
        path = self.paths[flow.listener]
        host, port = connection.address
        local = None if ip_address(path.host).is_unspecified else (path.host, 0)
        why = "network error"
        try:
            async with asyncio.timeout(self.bounds.connect_s):
                if not path.is_tls:
                    await self._loop.create_connection(lambda: connection, host, port, local_addr=local)
                else:
                    assert self._certificates is not None
                    await self._loop.create_connection(
                        lambda: connection,
                        host,
                        port,
                        local_addr=local,
                        ssl=self._certificates.client,
                        server_hostname=_server_name(flow.names),
                        ssl_handshake_timeout=self.bounds.connect_s,
                    )
            return
        except TimeoutError:
            why = "time-out"
        except ssl.SSLError as error:
            why = "TLS: " + (error.reason or "handshake").replace("_", " ").lower()
            count(self.counters.handshakes_failed, _tls_reason(error))
        except ConnectionRefusedError:
            why = "connection refused"
        except OSError as error:
            why = error.strerror or "network error"
        except Exception as error:  # whatever it is, one connection must not take the process with it
            why = f"fault: {type(error).__name__}"
        count(self.counters.failed, why)
        waiting = connection.take_waiting()
        if connection.transport is None:
            connection.closing = why
            self._remove(connection)
        for _, sent_by, txn in waiting:
            self._user.unsent(txn, sent_by, why)

    # -- accepting -------------------------------------------------------------------------------------------------

    def refusal(self, host: str, *, is_tls: bool) -> str:
        """Why a connection from this address is not taken now; empty: it is."""
        handshakes = self.handshakes
        if handshakes.per_host.get(host, 0) >= self.bounds.per_peer:
            return "peer"
        if is_tls and len(handshakes) >= self.bounds.handshakes:
            if not handshakes.displace(host):
                return "handshakes"
            count(self.counters.handshakes_failed, "displaced")
        if len(self.by_number) + len(handshakes) >= self.bounds.connections and not self._evict():
            return "full"
        return ""

    def accept(
        self,
        listener: int,
        address: tuple[str, int],
        establish: Callable[[Connection], Coroutine[None, None, None]],
    ) -> None:
        """A neighbour has connected and is welcome; `establish` makes the transport, the handshake included."""
        connection = self._make(listener, address, is_outgoing=False)
        task = self._tasks.create_task(self._shake_hands(connection, establish))
        self.handshakes.begin(connection.number, address[0], task)

    async def _shake_hands(
        self, connection: Connection, establish: Callable[[Connection], Coroutine[None, None, None]]
    ) -> None:
        try:
            await establish(connection)
        except Exception as error:  # whatever it is, one connection must not take the process with it
            if self.paths[connection.listener].is_tls:
                count(self.counters.handshakes_failed, _tls_reason(error))
        finally:
            self.handshakes.failed(connection.number)

    # -- what the connections tell ---------------------------------------------------------------------------------

    def is_up(self, connection: Connection) -> str:
        """Established: who is it?"""
        transport = connection.transport
        assert transport is not None
        is_tls = self.paths[connection.listener].is_tls
        if is_tls:
            connection.names = proven_names(transport.get_extra_info("peercert"))
            connection.flow = connection.flow._replace(names=connection.names)
        if connection.is_outgoing:
            if is_tls and not any(key[2] in connection.names for key in connection.keys):
                count(self.counters.handshakes_failed, "name")
                return "TLS: the certificate proves another name"
            self.counters.opened += 1
            return ""
        if not self.handshakes.is_up(connection.number, connection.address[0]):
            return "displaced"
        self.counters.accepted += 1
        names = connection.names if is_tls else ("",)
        self._add(connection, [(connection.listener, connection.address, name) for name in names])
        self.silent[connection.number] = connection
        self._user.connected(connection.number)
        return ""

    def received(self, connection: Connection, messages: list[bytes]) -> None:
        """Whole messages."""
        self.silent.pop(connection.number, None)
        if connection.names and not connection.is_outgoing and not connection.is_alias:
            self._learn_alias(connection, messages)
        self._user.received_on(messages, connection.flow)

    def unframed(self, connection: Connection, fault: FramingFault) -> None:
        """Answered by the core where it can be; the connection closes itself."""
        count(self.counters.framing, fault.reason)
        self._user.unframed(fault, connection.flow)

    def is_over(self, connection: Connection, why: str) -> None:
        """Gone: whoever waits is told, or sends again where the connection was dead before it was used."""
        count(self.counters.closed, why)
        self._remove(connection)
        if not connection.is_outgoing:
            self.handshakes.leave(connection.address[0])
            self._user.disconnected(connection.number)
        unanswered, connection.unanswered = connection.unanswered, []
        lost = set(connection.request_flows)
        for data, flow, txn in unanswered:
            if isinstance(txn, Transaction) and txn.state is State.TERMINATED:
                continue
            # The peer had gone, and we did not know: a repeat is what UDP would have sent (§17.1.1.2).
            lost.discard(flow)
            self.counters.resent += 1
            try:
                self.send(data, flow, txn)
            except OSError as error:
                self._user.unsent(txn, flow, str(error))
        if lost:
            self._user.flows_failed(tuple(lost))

    def unsent(self, txn: object, flow: Flow, why: str) -> None:
        """Passed on."""
        self._user.unsent(txn, flow, why)

    # -- bounds ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Close what is idle or slow, for ever."""
        while True:
            await asyncio.sleep(SWEEP_S)
            self.sweep()

    def sweep(self) -> None:
        """One look at every connection."""
        now, bounds = self._now(), self.bounds
        for connection in list(self.by_number.values()):
            if connection.transport is None or connection.closing:
                continue
            if connection.partial_since is not None and now - connection.partial_since >= bounds.message_s:
                connection.abort("slow")
            elif now - connection.active_at >= bounds.idle_s:
                connection.end("idle")

    def close(self) -> None:
        """The process ends."""
        for connection in list(self.by_number.values()):
            connection.end("stopped")

    def _evict(self) -> bool:
        """Make room: the connection that has been there longest without saying anything goes."""
        if not self.silent:
            return False
        connection = self.silent.pop(next(iter(self.silent)))
        connection.abort("evicted")
        self._remove(connection)
        return True

    # -- the table -------------------------------------------------------------------------------------------------

    def _make(self, listener: int, address: tuple[str, int], *, is_outgoing: bool) -> Connection:
        self._next_number += self._step
        return Connection(
            self,
            number=self._next_number,
            listener=listener,
            address=address,
            is_outgoing=is_outgoing,
            max_buffer=self.bounds.buffer,
            now=self._now,
        )

    def _add(self, connection: Connection, keys: list[Key]) -> None:
        self.by_number[connection.number] = connection
        self.counters.open = len(self.by_number)
        for key in keys:
            self._name(connection, key)

    def _name(self, connection: Connection, key: Key) -> None:
        connection.keys.append(key)
        self.by_key[key] = connection

    def _remove(self, connection: Connection) -> None:
        self.by_number.pop(connection.number, None)
        self.silent.pop(connection.number, None)
        self.counters.open = len(self.by_number)
        for key in connection.keys:
            if self.by_key.get(key) is connection:
                del self.by_key[key]

    def _learn_alias(self, connection: Connection, messages: list[bytes]) -> None:
        """RFC 5923 §5: a neighbour that has proved its name says `alias` in Via: requests to the address it names may
        come back by this connection. Nobody else's word is taken for it (§8.1)."""
        for message in messages:
            port = alias_port(message)
            if port:
                connection.is_alias = True
                for name in connection.names:
                    self._name(connection, (connection.listener, (connection.address[0], port), name))
                return


def alias_port(data: bytes) -> int:
    """The port that a request offers as an alias of its connection; 0: it offers none."""
    if b"alias" not in data:
        return 0
    try:
        message = parse(data)
    except ParseError:
        return 0
    if not isinstance(message, Request):
        return 0
    via = message.via()
    has_alias = any([piece.strip().lower() == b"alias" for piece in via.params.split(b";")])
    return (via.port or _DEFAULT_ALIAS_PORT) if has_alias else 0


def _server_name(names: tuple[str, ...]) -> str:
    """The name for SNI (RFC 6066 §3): a DNS name; an address is none."""
    for name in names:
        if name and not name.startswith("*") and not _is_numeric(name):
            return name
    return ""


def _is_numeric(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _tls_reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return "certificate"
    if isinstance(error, ssl.SSLError):
        return (error.reason or "protocol").lower()
    if isinstance(error, TimeoutError | ConnectionAbortedError):
        return "time-out"
    return "closed"
