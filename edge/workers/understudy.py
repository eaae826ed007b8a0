"""Who reads for a worker that rests, or has ended before the others (I/O): its messages go to those that are up.

Only datagrams: a listening TCP socket is everybody's. Nothing is judged here; a call that the resting worker held goes
on with whoever has adopted it, as after the loss of a host, and one that begins now stays with whoever begins it
(`custody`).
"""

import asyncio
import socket
from collections.abc import Sequence

from edge.sip.flow import Flow
from edge.transport.held import Held
from edge.workers.frames import Kind, pack
from edge.workers.handover import DRAIN
from edge.workers.ownership import Up, owner_of, slot_in

MAX_DATAGRAM = 65_535


class Understudy:
    """One for all workers, in the supervisor."""

    def __init__(
        self,
        held: Sequence[Held],
        outboxes: Sequence[socket.socket],
        up: Up,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._held = held
        self._outboxes = outboxes
        self._up = up
        self._loop = loop
        self._reading: set[int] = set()
        self.lost = 0
        """Messages that nobody took."""

    def steps_in(self, worker: int) -> None:
        """Read what comes to this worker."""
        if worker in self._reading:
            return
        self._reading.add(worker)
        for listener, sock in self._of(worker):
            self._loop.add_reader(sock.fileno(), self._readable, sock, listener, worker)

    def steps_back(self, worker: int) -> None:
        """It reads again itself."""
        if worker in self._reading:
            self._reading.discard(worker)
            for _, sock in self._of(worker):
                self._loop.remove_reader(sock.fileno())

    def _of(self, worker: int) -> list[tuple[int, socket.socket]]:
        return [
            (listener, sock)
            for listener, held in enumerate(self._held)
            if held.strangers
            for sock in (held.known[worker], held.strangers[worker])
        ]

    def _readable(self, sock: socket.socket, listener: int, worker: int) -> None:
        for _ in range(DRAIN):
            try:
                data, address = sock.recvfrom(MAX_DATAGRAM)
            except OSError:
                return
            slot = slot_in(data, len(self._outboxes))
            owner = owner_of(worker if slot is None else slot, self._up)
            try:
                self._outboxes[owner].send(pack(Kind.RECEIVED, Flow(listener, address[:2]), data))
            except OSError:
                self.lost += 1
