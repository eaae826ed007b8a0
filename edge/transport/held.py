"""Sockets that outlive whoever reads them (I/O): bound by the supervisor, inherited by its workers.

So what a worker that dies has not read yet is not lost, and no other process can take its place on the port. Over UDP
each worker has sockets of its own on the one port (SO_REUSEPORT): one for known sources, one for strangers. The
order in which they were bound is the order in which the kernel counts them: those for known sources first. A listening
TCP socket is one for all: whoever is up takes the next connection.
"""

import socket
from collections.abc import Sequence
from typing import NamedTuple

from edge.config.addresses import Listen
from edge.transport.endpoints import BindError
from edge.transport.spreading import Share
from edge.transport.streams import listening
from edge.transport.udp import RECEIVE_BUFFER, STRANGERS_BUFFER, open_udp


class Held(NamedTuple):
    """One listener, for all workers."""

    known: tuple[socket.socket, ...]
    """UDP: by worker. TCP and TLS: the one that listens."""
    strangers: tuple[socket.socket, ...]
    """UDP: by worker. TCP and TLS: none."""

    def share_of(self, worker: int, workers: int) -> Share:
        """What this worker takes with it."""
        if not self.strangers:
            return Share(worker, workers, self.known[0].fileno())
        return Share(worker, workers, self.known[worker].fileno(), self.strangers[worker].fileno())

    def close(self) -> None:
        """Give the port back."""
        for sock in (*self.known, *self.strangers):
            sock.close()


def hold(listens: Sequence[Listen], workers: int) -> list[Held]:
    """Bind every listener, or none. Raises BindError."""
    held: list[Held] = []
    for listen in listens:
        try:
            if listen.transport == "udp":
                held.append(_hold_udp(listen.host, listen.port, workers))
            else:
                held.append(Held((listening(listen.host, listen.port),), ()))
        except OSError as error:
            for one in held:
                one.close()
            raise BindError(f"cannot listen on {listen.name}: {error.strerror}") from error
    return held


def _hold_udp(host: str, port: int, workers: int) -> Held:
    sockets: list[socket.socket] = []
    try:
        for index in range(2 * workers):
            sock = open_udp(RECEIVE_BUFFER if index < workers else STRANGERS_BUFFER, is_ipv6=":" in host)
            sockets.append(sock)
            if index:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind((host, port))
            if not index:
                # Bound without the flag, so that two edges cannot share a port by mistake.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                port = sock.getsockname()[1]
    except OSError:
        for sock in sockets:
            sock.close()
        raise
    return Held(tuple(sockets[:workers]), tuple(sockets[workers:]))
