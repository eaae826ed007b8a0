"""One worker's way to the others (I/O): what is not its own goes to the owner, what is comes in as if it had been heard
here.

Datagrams over pairs of Unix sockets, which outlive the workers: what was handed to one that has just died waits for the
next. A pair holds so much and no more; what finds no room is lost and counted, as it would be in the kernel's queue of
the port itself. What is with another worker than its owner is in its `custody`. A connection lives in one worker. What
came by it can be owned by another, which is told of the connection and answers through the worker that has it.
"""

import asyncio
import json
import secrets
import socket
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from edge.sip.flow import Flow
from edge.sip.framing import FramingFault
from edge.sip.transaction.layer import Transaction
from edge.transport.connections import Connections, StreamUser
from edge.workers.custody import Custody
from edge.workers.frames import Kind, about, is_here, pack, unpack
from edge.workers.ownership import SHARE, Up, owner_of, share_in, slot_of

DRAIN = 32
"""Frames read in one wake-up."""
MAX_FRAME = 80_000
"""The largest message, and what is said about it."""
BUFFER = 8 * 1024 * 1024
"""Asked of the kernel for one pair; it grants up to net.core.wmem_max."""
CALLS_A_FRAME = 1_000
"""Named at once."""
MOST_UNSAID = 1_000
"""Frames that wait for room."""
AGAIN_S = 0.01
"""Between two tries to say what must be heard, while it finds no room."""
LOOK_S = 10.0
"""How often the live calls are gone through for those in custody: there may be many."""
INTRODUCTION_S = 1.0
"""How long a worker that starts waits for the others' word at most: one of them may be starting too."""


class Receiver(StreamUser, Protocol):
    """Who takes what is our own: the pump."""

    def received(self, listener: int, data: bytes, address: tuple[str, int]) -> None:
        """A datagram."""

    def turn(self) -> None:
        """All is read for now."""

    def registered_elsewhere(self, states: Mapping[str, int]) -> None:
        """Where this edge is registered, as the worker says that registers it."""

    def call_ids(self) -> Iterable[bytes]:
        """Of all live calls."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What a worker is given to work with others."""

    worker: int
    """From 0."""
    workers: int
    inbox: socket.socket
    outboxes: tuple[socket.socket, ...]
    """By worker; our own too."""
    up: Up
    """1 for each worker that is up; the supervisor changes it."""


def pair() -> tuple[socket.socket, socket.socket]:
    """(outbox, inbox) of one worker."""
    outbox, inbox = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    for end in (outbox, inbox):
        end.setblocking(False)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
    return outbox, inbox


class Handover:
    """Between the sockets of one worker and its pump. It stands for the pump where the sockets bring something, and for
    the connections where something is to be sent by one."""

    def __init__(self, desk: Desk, pump: Receiver, now: Callable[[], float]) -> None:
        self._desk = desk
        self._pump = pump
        self._now = now
        self._loop: asyncio.AbstractEventLoop
        self._connections: Connections
        self._custody = Custody()
        self._look_at = 0.0
        self._unsaid: deque[tuple[int, bytes]] = deque()
        """Frames about custody that found no room yet."""
        self._saying: asyncio.TimerHandle | None = None
        self._unheard = {worker for worker in range(desk.workers) if worker != desk.worker}
        """Who has not said yet what it has of ours."""
        self._is_introduced = asyncio.Event()
        self._start = secrets.token_bytes(8)
        """Names this start: what was answered to an earlier one may still wait in the inbox."""
        self._elsewhere: set[int] = set()
        """Neighbours' connections that are up in other workers."""
        self._here: set[int] = set()
        self._requests: dict[int, set[Flow]] = {}
        """The flows of our requests that went by connections of other workers."""
        self._sent = self._received = self._lost = 0

    def join(self, connections: Connections, loop: asyncio.AbstractEventLoop) -> None:
        """From now on the others are heard, and hear of us."""
        self._loop, self._connections = loop, connections
        loop.add_reader(self._desk.inbox.fileno(), self._readable)
        self._tell_all(about(Kind.STARTED, self._desk.worker, self._start))
        for worker in self._unheard:
            self._tell_kept(worker)

    async def introduced(self) -> None:
        """Until every worker that is up has said which calls of ours it has; before that none of ours may be read."""
        self._look_introduced()
        with suppress(TimeoutError):
            async with asyncio.timeout(INTRODUCTION_S):
                await self._is_introduced.wait()

    def look(self) -> None:
        """From time to time: calls of others that have ended here are given back."""
        now = self._now()
        if len(self._custody) and now >= self._look_at:
            self._look_at = now + LOOK_S
            live = [call_id[:SHARE] for call_id in self._pump.call_ids()]
            for worker, calls in self._custody.over(live, now).items():
                self._say(worker, Kind.RELEASED, calls)

    def counts(self) -> dict[str, int]:
        """For the metrics page."""
        return {"sent": self._sent, "received": self._received, "lost": self._lost}

    def leave(self, loop: asyncio.AbstractEventLoop) -> None:
        """They are not heard any more."""
        if self._saying is not None:
            self._saying.cancel()
        loop.remove_reader(self._desk.inbox.fileno())

    # -- what the sockets bring ------------------------------------------------------------------------------------

    def received(self, listener: int, data: bytes, address: tuple[str, int]) -> None:
        """A datagram, whosever it is."""
        owner = self._owner(data)
        if owner == self._desk.worker:
            self._pump.received(listener, data, address)
        else:
            self._hand(owner, pack(Kind.RECEIVED, Flow(listener, address), data))

    def received_on(self, messages: Sequence[bytes], flow: Flow) -> None:
        """Whole messages of a connection, in their order."""
        own = []
        for data in messages:
            owner = self._owner(data)
            if owner == self._desk.worker:
                own.append(data)
            else:
                self._hand(owner, pack(Kind.RECEIVED, flow, data))
        if own:
            self._pump.received_on(own, flow)

    def unframed(self, fault: FramingFault, flow: Flow) -> None:
        """Answered here: nobody knows whose it is."""
        self._pump.unframed(fault, flow)

    def connected(self, number: int) -> None:
        """A neighbour's connection is up, which the others may be answered by."""
        self._here.add(number)
        self._pump.connected(number)
        self._tell_all(about(Kind.CONNECTED, number))

    def disconnected(self, number: int) -> None:
        """It is gone."""
        self._here.discard(number)
        self._pump.disconnected(number)
        self._tell_all(about(Kind.DISCONNECTED, number))

    def flows_failed(self, flows: Sequence[Flow]) -> None:
        """Passed on: requests of ours."""
        self._pump.flows_failed(flows)

    def unsent(self, txn: object, flow: Flow, why: str) -> None:
        """Passed on: a message of ours."""
        self._pump.unsent(txn, flow, why)

    # -- what is to be sent ----------------------------------------------------------------------------------------

    def send(self, data: bytes, flow: Flow, txn: object) -> None:
        """By the worker that has the connection; OSError: at once impossible."""
        number = flow.connection
        if number not in self._elsewhere:
            self._connections.send(data, flow, txn)
            return
        if isinstance(txn, Transaction) and not txn.is_server:
            self._requests.setdefault(number, set()).add(flow)
        if not self._hand(number % self._desk.workers, pack(Kind.TRANSMIT, flow, data)):
            raise BlockingIOError("the worker that has the connection takes nothing")

    def tell_registered(self, states: Mapping[str, int]) -> None:
        """The others hear where this worker has registered the edge."""
        self._tell_all(about(Kind.REGISTERED, self._desk.worker, json.dumps(dict(states)).encode()))

    def _owner(self, data: bytes, *, is_handed: bool = False) -> int:
        """Who is to read it: he whose it is, he who has it in custody, or he who stands in. `is_handed`: we are, where
        it is not ours."""
        desk = self._desk
        call = share_in(data)
        if call is None:
            return desk.worker
        slot = slot_of(call, desk.workers)
        if slot == desk.worker:
            keeper = self._custody.keeper(call, desk.up)
            return slot if keeper is None else keeper
        owner = desk.worker if is_handed else owner_of(slot, desk.up)
        if owner == desk.worker and self._custody.took(call, slot, self._now()):
            self._say(slot, Kind.KEPT, [call])
        return owner

    def _hand(self, worker: int, frame: bytes) -> bool:
        is_sent = self._fits(worker, frame)
        self._lost += not is_sent
        return is_sent

    def _tell_all(self, frame: bytes) -> None:
        for worker in range(self._desk.workers):
            if worker != self._desk.worker:
                self._hand(worker, frame)

    # -- custody ---------------------------------------------------------------------------------------------------

    def _look_introduced(self) -> None:
        if not any(self._desk.up[worker] for worker in self._unheard):
            self._is_introduced.set()

    def _tell_kept(self, worker: int) -> None:
        """Which calls of that worker are here; those too that were adopted, and of which nothing has come since."""
        custody, now, workers = self._custody, self._now(), self._desk.workers
        for call_id in self._pump.call_ids():
            if slot_of(call_id, workers) == worker:
                custody.took(call_id[:SHARE], worker, now)
        self._unsaid = deque([one for one in self._unsaid if one[0] != worker])
        self._say(worker, Kind.KEPT, custody.of(worker))

    def _say(self, worker: int, kind: Kind, calls: Sequence[bytes]) -> None:
        for at in range(0, len(calls), CALLS_A_FRAME):
            self._say_surely(worker, about(kind, self._desk.worker, b"\n".join(calls[at : at + CALLS_A_FRAME])))

    def _say_surely(self, worker: int, frame: bytes) -> None:
        """In its turn, when there is room; not where too much waits already: whoever starts is told all of it again."""
        if len(self._unsaid) < MOST_UNSAID:
            self._unsaid.append((worker, frame))
            if self._saying is None:
                self._say_unsaid()

    def _say_unsaid(self) -> None:
        """One that takes nothing for now keeps nobody else from hearing."""
        self._saying = None
        blocked: deque[tuple[int, bytes]] = deque()
        deaf: set[int] = set()
        for worker, frame in self._unsaid:
            if worker in deaf or not self._fits(worker, frame):
                deaf.add(worker)
                blocked.append((worker, frame))
        self._unsaid = blocked
        if blocked:
            self._saying = self._loop.call_later(AGAIN_S, self._say_unsaid)

    def _fits(self, worker: int, frame: bytes) -> bool:
        try:
            self._desk.outboxes[worker].send(frame)
        except OSError:
            return False
        self._sent += 1
        return True

    # -- what the others say ---------------------------------------------------------------------------------------

    def _readable(self) -> None:
        for _ in range(DRAIN):
            try:
                frame = self._desk.inbox.recv(MAX_FRAME)
            except OSError:
                break
            self._received += 1
            self._heard(frame)
        self._pump.turn()

    def _heard(self, frame: bytes) -> None:
        kind, flow, data = unpack(frame)
        number = flow.connection
        if kind is Kind.RECEIVED:
            owner = self._owner(data, is_handed=True)
            if owner != self._desk.worker:
                self._hand(owner, frame)
            elif number:
                self._pump.received_on((data,), flow)
            else:
                self._pump.received(flow.listener, data, flow.address)
        elif kind is Kind.TRANSMIT:
            self._transmit(data, flow)
        elif kind is Kind.CONNECTED:
            self._elsewhere.add(number)
            self._pump.connected(number)
        elif kind is Kind.DISCONNECTED:
            self._gone(number)
        elif kind is Kind.STARTED:
            for lost in [one for one in self._elsewhere if is_here(one, number, self._desk.workers)]:
                self._gone(lost)
            for one in self._here:
                self._hand(number, about(Kind.CONNECTED, one))
            self._custody.lost(number)
            self._tell_kept(number)
            self._say_surely(number, about(Kind.INTRODUCED, self._desk.worker, data))
        elif kind is Kind.KEPT:
            self._custody.gave(data.split(b"\n"), number)
        elif kind is Kind.RELEASED:
            self._custody.got_back(data.split(b"\n"), number)
        elif kind is Kind.INTRODUCED:
            if data == self._start:
                self._unheard.discard(number)
                self._look_introduced()
        else:
            self._pump.registered_elsewhere(json.loads(data))

    def _transmit(self, data: bytes, flow: Flow) -> None:
        """Where that fails, the connection is going, and the other one will hear of it."""
        try:
            self._connections.send(data, flow, None)
        except OSError:
            self._lost += 1

    def _gone(self, number: int) -> None:
        self._elsewhere.discard(number)
        self._pump.disconnected(number)
        flows = self._requests.pop(number, None)
        if flows:
            self._pump.flows_failed(tuple(flows))
