"""Where a message came from and where the answer to it leaves: one of our listeners and a remote address.

Standard library only; a value, no socket.
"""

from typing import NamedTuple


class Flow(NamedTuple):
    """A path between one of our listeners and a remote host (RFC 5626 uses the same word)."""

    listener: int
    """Index of the listener in the process's list of listeners."""
    address: tuple[str, int]
    """Remote host (numeric) and port, as the socket wants it."""


Send = tuple[bytes, Flow, object]
"""One message to put on the wire: bytes, where to, and the transaction that wants to hear of a failure (or None)."""
