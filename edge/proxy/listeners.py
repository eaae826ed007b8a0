"""Our own addresses: which listeners there are, what they call themselves, and which URIs name us.

Pure. RFC 3261 §16.4, §16.6 items 4 and 8, RFC 5658.
"""

from dataclasses import dataclass

from edge.sip.uri import OtherUri, SipUri, TelUri

DEFAULT_PORT = 5060
"""RFC 3261 §19.1.2."""


@dataclass(frozen=True, slots=True)
class Listener:
    """One address the edge listens on."""

    name: str
    """As configured: `udp:127.0.0.1:5060`."""
    transport: bytes
    """`UDP`, as Via prints it."""
    host: str
    """Numeric address bound."""
    port: int
    advertised_host: str
    """What others are told to use: in Via and Record-Route."""
    advertised_port: int

    @property
    def sent_by(self) -> bytes:
        """host:port as printed in Via and Record-Route; an IPv6 host in brackets."""
        host = f"[{self.advertised_host}]" if ":" in self.advertised_host else self.advertised_host
        return f"{host}:{self.advertised_port}".encode()

    @property
    def is_ipv6(self) -> bool:
        """Address family of the socket."""
        return ":" in self.host


class Listeners:
    """All listeners of the process, in configured order; a `Flow` names one by its index."""

    __slots__ = ("_names", "all", "record_routes", "sent_bys", "via_prefixes")

    def __init__(self, listeners: list[Listener]) -> None:
        self.all = tuple(listeners)
        self.sent_bys = tuple(listener.sent_by for listener in listeners)
        self.via_prefixes = tuple(
            b"SIP/2.0/" + listener.transport + b" " + listener.sent_by + b";branch=" for listener in listeners
        )
        self.record_routes = tuple(b"@" + listener.sent_by + b";lr>" for listener in listeners)
        names: set[tuple[bytes, int]] = set()
        for listener in listeners:
            for host, port in (
                (listener.host, listener.port),
                (listener.advertised_host, listener.advertised_port),
            ):
                names.add((host.lower().encode(), port))
        self._names = frozenset(names)

    def is_us(self, host: bytes, port: int | None) -> bool:
        """Does this host and port name one of our listeners?"""
        return (host.lower(), port or DEFAULT_PORT) in self._names

    def is_our_uri(self, uri: SipUri | TelUri | OtherUri) -> bool:
        """Does this URI lead to us?"""
        return isinstance(uri, SipUri) and self.is_us(uri.host, uri.port)

    def for_family(self, *, preferred: int, ipv6: bool) -> int | None:
        """The listener to send from: the preferred one where its address family fits, else the first that does."""
        if self.all[preferred].is_ipv6 == ipv6:
            return preferred
        for index, listener in enumerate(self.all):
            if listener.is_ipv6 == ipv6:
                return index
        return None
