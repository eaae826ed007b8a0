"""Where a message came from and where the answer to it leaves: one of our listeners and a remote address.

Standard library only; a value, no socket.
"""

from typing import Final, NamedTuple

KEPT: Final = 4_096
"""Sources whose flow is kept; when full, all are forgotten and made again (cheaper than an order of use)."""


class Flow(NamedTuple):
    """A path between one of our listeners and a remote host (RFC 5626 uses the same word).

    Over TCP and TLS the first two items alone mean: any connection to that address, opened where there is none."""

    listener: int
    """Index of the listener in the process's list of listeners."""
    address: tuple[str, int]
    """Remote host (numeric) and port, as the socket wants it."""
    connection: int = 0
    """TCP, TLS: number of the connection a message came by, never used twice in a process; 0: no certain one."""
    port: int = 0
    """TCP, TLS: where to open another one should that connection be gone (RFC 3261 §18.2.2); 0: nowhere."""
    names: tuple[str, ...] = ()
    """TLS. Of what came: the names that the peer's certificate proved (RFC 5922 §7.1). Of what leaves: the names of
    which the peer's certificate must prove one."""


Send = tuple[bytes, Flow, object]
"""One message to put on the wire: bytes, where to, and the transaction that wants to hear of a failure (or None)."""


class Flows:
    """Of datagrams. A source is heard again and again, mostly by one listener: its flow is made once."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], Flow] = {}

    def of(self, listener: int, address: tuple[str, int]) -> Flow:
        """The flow of what came to this listener from there."""
        flow = self._known.get(address)
        if flow is None or flow.listener != listener:
            if len(self._known) >= KEPT:
                self._known.clear()
            flow = self._known[address] = Flow(listener, address)
        return flow
