"""What workers say to each other, as datagrams. Pure; standard library only.

All of it comes from processes of one edge, of one version; a frame that cannot be read is a fault of ours.
"""

from enum import IntEnum
from struct import Struct
from struct import error as StructError
from typing import NamedTuple

from edge.sip.flow import Flow

_HEAD = Struct("=BBHHQHH")
"""Kind, listener, remote port, port to open, number of the connection, bytes of the host, bytes of the names."""


class Kind(IntEnum):
    """What a frame is about."""

    RECEIVED = 1
    """A message of yours has come to me, by this flow."""
    TRANSMIT = 2
    """Send this by a connection of mine."""
    CONNECTED = 3
    """A neighbour's connection is up here."""
    DISCONNECTED = 4
    """It is gone."""
    STARTED = 5
    """I have just started, and have none; say which you have. The number is the worker's, the data names the start."""
    REGISTERED = 6
    """Where this edge is registered, from the worker that registers."""
    KEPT = 7
    """I have these calls of yours (`ownership.share_in`, one a line). The number is the worker's, here and below."""
    RELEASED = 8
    """I have them no more."""
    INTRODUCED = 9
    """To the `STARTED` of this name: I have said it all."""


class Frame(NamedTuple):
    """One of them."""

    kind: Kind
    flow: Flow
    data: bytes


NOWHERE = Flow(0, ("", 0))


def pack(kind: Kind, flow: Flow, data: bytes) -> bytes:
    """As one datagram."""
    host, names = flow.address[0].encode(), "\n".join(flow.names).encode()
    head = _HEAD.pack(kind, flow.listener, flow.address[1], flow.port, flow.connection, len(host), len(names))
    return head + host + names + data


def about(kind: Kind, number: int, data: bytes = b"") -> bytes:
    """A frame about a connection, or a worker, of this number."""
    return pack(kind, NOWHERE._replace(connection=number), data)


def unpack(frame: bytes) -> Frame:
    """The other way. Raises ValueError."""
    try:
        kind, listener, port, open_port, connection, host_size, names_size = _HEAD.unpack_from(frame)
    except StructError as error:
        raise ValueError("too short for a frame") from error
    names_at = _HEAD.size + host_size
    data_at = names_at + names_size
    if len(frame) < data_at:
        raise ValueError("a frame that ends too early")
    host = frame[_HEAD.size : names_at].decode()
    names = tuple(frame[names_at:data_at].decode().split("\n")) if names_size else ()
    return Frame(Kind(kind), Flow(listener, (host, port), connection, open_port, names), frame[data_at:])


def is_here(number: int, worker: int, workers: int) -> bool:
    """Is the connection of this number one of that worker?"""
    return number % workers == worker
