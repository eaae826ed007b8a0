"""Our own addresses: which listeners there are, what they call themselves, and which URIs name us.

Pure. RFC 3261 §16.4, §16.6 items 4 and 8, §26.2; RFC 5658.
"""

from dataclasses import dataclass
from typing import Final

from edge.sip.grammar import ipv6_text
from edge.sip.uri import SipUri, Uri

DEFAULT_PORT: Final = 5060
"""RFC 3261 §19.1.2."""
DEFAULT_TLS_PORT: Final = 5061
_TRANSPORTS: Final = (b"udp", b"tcp", b"tls")
"""In the order in which a URI without a transport is taken to name a listener."""


def default_port(transport: bytes) -> int:
    """The port of a URI or Via that names none (§18.2.2, §19.1.2); `transport` in lower case."""
    return DEFAULT_TLS_PORT if transport == b"tls" else DEFAULT_PORT


@dataclass(frozen=True, slots=True)
class Listener:
    """One address the edge listens on."""

    name: str
    """As configured: `udp:127.0.0.1:5060`."""
    transport: bytes
    """`UDP`, `TCP` or `TLS`, as Via prints it."""
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

    @property
    def is_reliable(self) -> bool:
        """Does the transport retransmit by itself (§17)?"""
        return self.transport != b"UDP"


class Listeners:
    """All listeners of the process, in configured order; a `Flow` names one by its index."""

    __slots__ = (
        "_by_name",
        "_names",
        "all",
        "has_tls",
        "paths",
        "record_routes",
        "reliable",
        "sent_bys",
        "transports",
        "via_prefixes",
    )

    def __init__(self, listeners: list[Listener]) -> None:
        self.all = tuple(listeners)
        self.reliable = tuple(listener.is_reliable for listener in listeners)
        """By index."""
        self.transports = tuple(listener.transport.lower() for listener in listeners)
        """By index, as URIs write them."""
        self.has_tls = b"tls" in self.transports
        self.sent_bys = tuple(listener.sent_by for listener in listeners)
        self.via_prefixes = tuple(
            b"SIP/2.0/" + listener.transport + b" " + listener.sent_by + b";branch=" for listener in listeners
        )
        # RFC 5658 §4: a value that stands for a listener says its transport; UDP is what a URI means that says nothing.
        self.record_routes = tuple(
            b"@" + listener.sent_by + (b";transport=" + transport if listener.is_reliable else b"") + b";lr>"
            for listener, transport in zip(listeners, self.transports, strict=True)
        )
        self._by_name: dict[tuple[bytes, int, bytes], int] = {}
        pairs = list(zip(listeners, self.transports, strict=True))
        for index, (listener, transport) in enumerate(pairs):
            # What is told to others comes first: behind a translator two listeners may share a bound address.
            host = _spelling(listener.advertised_host.encode())
            self._by_name.setdefault((host, listener.advertised_port, transport), index)
        for index, (listener, transport) in enumerate(pairs):
            self._by_name.setdefault((_spelling(listener.host.encode()), listener.port, transport), index)
        self.paths = frozenset(
            (transport.decode(), listener.is_ipv6)
            for listener, transport in zip(listeners, self.transports, strict=True)
        )
        """(transport, is it IPv6) of what we speak."""
        self._names = frozenset((host, port) for host, port, _ in self._by_name)

    def index_of(self, uri: SipUri) -> int | None:
        """The listener that this URI names, by host, port and transport; None where it names somebody else.

        A transport that we do not speak there names the listener of the address all the same: it is still us."""
        host, port = _spelling(uri.host), uri.port
        wanted = b"tls" if uri.scheme == b"sips" else uri.transport
        for transport in (wanted, *_TRANSPORTS) if wanted is not None else _TRANSPORTS:
            found = self._by_name.get((host, port or default_port(transport), transport))
            if found is not None:
                return found
        return None

    def is_us(self, host: bytes, port: int | None) -> bool:
        """Do this host and port name one of our listeners, of whatever transport?"""
        if (host, port) in self._names:
            return True
        spelt = _spelling(host)
        if port is not None:
            return (spelt, port) in self._names
        return (spelt, DEFAULT_PORT) in self._names or (spelt, DEFAULT_TLS_PORT) in self._names

    def may_be_in(self, via: bytes) -> bool:
        """Does one of our sent-bys stand in this line, as we print it?"""
        # `in` would first fail to read a number, for twice the price (`edge.sip.grammar.COMMA`).
        return any(via.find(sent_by) >= 0 for sent_by in self.sent_bys)

    def is_our_uri(self, uri: Uri) -> bool:
        """Does this URI lead to us?"""
        return isinstance(uri, SipUri) and self.is_us(uri.host, uri.port)

    def for_hop(self, *, preferred: int, ipv6: bool, transport: bytes) -> int | None:
        """The listener to send from: the preferred one where address family and transport fit, else one on the same
        host, else the first that does. None: we do not speak that there."""
        host = self.all[preferred].host
        if self.transports[preferred] == transport and (":" in host) == ipv6:
            return preferred
        first: int | None = None
        for index, listener in enumerate(self.all):
            if listener.is_ipv6 == ipv6 and self.transports[index] == transport:
                if listener.host == host:
                    return index
                if first is None:
                    first = index
        return first

    def toward(self, name: str, otherwise: int) -> int:
        """The listener of this name; where there is none here, the other one."""
        if name:
            for index, listener in enumerate(self.all):
                if listener.name == name:
                    return index
        return otherwise

    def record_route(self, index: int, token: bytes, *, secure: bool) -> bytes:
        """The Record-Route value of this listener (§16.6 item 4); `secure`: the request goes by a SIPS URI there."""
        if secure and self.transports[index] == b"tls":
            return b"<sips:" + token + b"@" + self.sent_bys[index] + b";lr>"
        return b"<sip:" + token + self.record_routes[index]


def _spelling(host: bytes) -> bytes:
    """Hosts that are the same compare equal: names without case (§19.1.4), IPv6 in one spelling (RFC 5118 §4.10)."""
    if b":" not in host:
        return host.lower()
    address = ipv6_text(host)
    return host.lower() if address is None else address.encode()
