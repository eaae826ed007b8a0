"""What connections may cost, and what became of them, in plain numbers. Pure."""

from dataclasses import dataclass, field

_LABELS = 32
"""Different reasons told apart in a counter."""


@dataclass(frozen=True, slots=True)
class StreamBounds:
    """What connections may cost."""

    connections: int = 10_000
    per_peer: int = 256
    """Connections from one address."""
    handshakes: int = 256
    """TLS handshakes going on at once."""
    idle_s: float = 600.0
    """A connection without any byte for so long is closed."""
    message_s: float = 10.0
    """A message that has begun must be complete within this time."""
    connect_s: float = 3.0
    """TCP connection and TLS handshake, ours."""
    handshake_s: float = 5.0
    """TLS handshake of a neighbour."""
    buffer: int = 1_048_576
    """Bytes that may wait for one neighbour to take them."""


@dataclass(slots=True)
class StreamCounters:
    """Plain numbers, read by the metrics page from another thread."""

    open: int = 0
    accepted: int = 0
    opened: int = 0
    resent: int = 0
    """Messages sent again because the connection they went by was gone already."""
    refused: dict[str, int] = field(default_factory=dict)
    closed: dict[str, int] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    """Connections that could not be opened."""
    handshakes_failed: dict[str, int] = field(default_factory=dict)
    framing: dict[str, int] = field(default_factory=dict)


def count(counter: dict[str, int], reason: str) -> None:
    """One more of this reason; the number of reasons is bounded, since some are words of the system."""
    key = reason if reason in counter or len(counter) < _LABELS else "other"
    counter[key] = counter.get(key, 0) + 1
