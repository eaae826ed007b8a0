"""The addresses an operator writes: listeners, trunk URIs, source networks, host:port pairs.

Pure; imports the standard library only. Every function raises ValueError with a sentence that says what was expected.
"""

import re
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple

DEFAULT_PORT = 5060
"""RFC 3261 §19.1.2, for a numeric host."""
DEFAULT_TLS_PORT = 5061
TRANSPORTS = ("udp", "tcp", "tls")
LISTEN_FORM = (
    "udp:HOST:PORT, tcp:HOST:PORT or tls:HOST:PORT (an IPv6 HOST in brackets), optionally followed by "
    "/advertise=HOST:PORT"
)
TRUNK_FORM = "sip:HOST:PORT;transport=udp|tcp|tls (an IPv6 HOST in brackets; PORT and transport may be left out)"

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)*{_LABEL}\.?")
_HOST_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([^\[\]:/@;]{1,253})):([0-9]{1,5})")
_TRUNK_URI = re.compile(
    r"sip:(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9.-]{1,253}))(?::([0-9]{1,5}))?(?:;transport=(udp|tcp|tls))?",
    re.IGNORECASE,
)


class Listen(NamedTuple):
    """One address to listen on."""

    name: str
    """As it was written, without the advertised address: how a policy document names this listener."""
    transport: str
    host: str
    """Numeric, without brackets."""
    port: int
    """0: the system picks one (for tests)."""
    advertised_host: str
    """What Via and Record-Route say; the bound host where nothing else was asked for."""
    advertised_port: int


class TrunkAddress(NamedTuple):
    """Where an egress trunk is."""

    host: str
    """Numeric without brackets, or a name."""
    port: int | None
    """None: not written; what that means depends on the host (RFC 3263 §4.2)."""
    transport: str
    """Lower case; empty: not written."""


def parse_host_port(text: str) -> tuple[str, int]:
    """`HOST:PORT`; the host numeric or a name, IPv6 in brackets and returned without them."""
    match = _HOST_PORT.fullmatch(text)
    if match is None:
        raise ValueError("expected HOST:PORT (an IPv6 HOST in brackets)")
    bracketed, host, port = match.groups()
    return _host(bracketed, host), _port(port, 0)


def parse_listen(text: str) -> Listen:
    """`udp|tcp|tls:HOST:PORT[/advertise=HOST:PORT]`."""
    name, slash, extra = text.partition("/")
    transport, _, address = name.partition(":")
    if transport not in TRANSPORTS or not address or (slash and not extra.startswith("advertise=")):
        raise ValueError(f"expected {LISTEN_FORM}")
    try:
        host, port = parse_host_port(address)
        advertised = parse_host_port(extra.removeprefix("advertise=")) if slash else (host, port)
    except ValueError as error:
        raise ValueError(f"expected {LISTEN_FORM}: {str(error).removeprefix('expected ')}") from error
    if not _is_numeric(host):
        raise ValueError(f"expected {LISTEN_FORM}: HOST of a listener is a numeric address")
    if not slash and ip_address(host).is_unspecified:
        # Via and Record-Route would name an address nobody can answer to.
        raise ValueError("a listener on all addresses needs /advertise=HOST:PORT: what Via and Record-Route shall say")
    return Listen(name, transport, host, port, *advertised)


def parse_name_server(text: str) -> tuple[str, int]:
    """`HOST` or `HOST:PORT`, numeric; port 53 where none is written."""
    host, port = (text, 53) if _is_numeric(text) else parse_host_port(text)
    if not _is_numeric(host):
        raise ValueError("expected a numeric HOST or HOST:PORT (an IPv6 HOST with a port in brackets)")
    return host, port


def parse_trunk_uri(text: str) -> TrunkAddress:
    """`sip:HOST[:PORT][;transport=udp|tcp|tls]`."""
    match = _TRUNK_URI.fullmatch(text)
    if match is None:
        raise ValueError(f"expected {TRUNK_FORM}")
    bracketed, host, port, transport = match.groups()
    return TrunkAddress(
        _host(bracketed, host), None if port is None else _port(port, 1), "" if transport is None else transport.lower()
    )


def parse_source(text: str) -> IPv4Network | IPv6Network:
    """A CIDR or a single address. An IPv4-mapped IPv6 address is the IPv4 address it maps."""
    try:
        network = ip_network(text)
    except ValueError as error:
        try:
            wider = ip_network(text, strict=False)
        except ValueError:
            raise ValueError("expected an address or a network, such as 192.0.2.0/24 or 2001:db8::/32") from error
        raise ValueError(f"expected a network without host bits: {wider}") from error
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped is not None and network.prefixlen >= 96:
        return IPv4Network((network.network_address.ipv4_mapped, network.prefixlen - 96))
    return network


def address_number(host: str) -> tuple[int, int] | None:
    """(IP version, address as an integer) of a numeric host as a socket names it; None if it is not numeric."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.version, int(address)


def _is_numeric(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _host(bracketed: str | None, host: str | None) -> str:
    if bracketed is not None:
        try:
            return str(IPv6Address(bracketed))
        except ValueError as error:
            raise ValueError(f"expected an IPv6 address in the brackets, not {bracketed!r}") from error
    assert host is not None
    # A name whose last label is all digits is a mistyped address (RFC 1123 §2.1).
    if not _is_numeric(host) and (_HOST_NAME.fullmatch(host) is None or host.rstrip(".").rpartition(".")[2].isdigit()):
        raise ValueError(f"expected a numeric address or a host name, not {host!r}")
    return host


def _port(text: str, least: int) -> int:
    port = int(text)
    if not least <= port <= 65535:
        raise ValueError(f"expected a port from {least} to 65535, not {port}")
    return port
