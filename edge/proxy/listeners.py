"""Our own addresses: which listeners there are, what they call themselves, and which URIs name us.

Pure. RFC 3261 §16.4, §16.6 items 4 and 8, RFC 5658.
"""

from dataclasses import dataclass

from edge.sip.grammar import ipv6_text
from edge.sip.uri import SipUri, Uri

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

    __slots__ = ("_by_name", "all", "record_routes", "sent_bys", "via_prefixes")

    def __init__(self, listeners: list[Listener]) -> None:
        self.all = tuple(listeners)
        self.sent_bys = tuple(listener.sent_by for listener in listeners)
        self.via_prefixes = tuple(
            b"SIP/2.0/" + listener.transport + b" " + listener.sent_by + b";branch=" for listener in listeners
        )
        self.record_routes = tuple(b"@" + listener.sent_by + b";lr>" for listener in listeners)
        self._by_name: dict[tuple[bytes, int], int] = {}
        for index, listener in enumerate(listeners):
            # What is told to others comes first: behind a translator two listeners may share a bound address.
            self._by_name.setdefault((_spelling(listener.advertised_host.encode()), listener.advertised_port), index)
        for index, listener in enumerate(listeners):
            self._by_name.setdefault((_spelling(listener.host.encode()), listener.port), index)

    def index_of(self, host: bytes, port: int | None) -> int | None:
        """The listener that this host and port name, None where they name somebody else."""
        return self._by_name.get((_spelling(host), port or DEFAULT_PORT))

    def is_us(self, host: bytes, port: int | None) -> bool:
        """Does this host and port name one of our listeners?"""
        return (_spelling(host), port or DEFAULT_PORT) in self._by_name

    def is_our_uri(self, uri: Uri) -> bool:
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


def _spelling(host: bytes) -> bytes:
    """Hosts that are the same compare equal: names without case (§19.1.4), IPv6 in one spelling (RFC 5118 §4.10)."""
    if b":" not in host:
        return host.lower()
    address = ipv6_text(host)
    return host.lower() if address is None else address.encode()
