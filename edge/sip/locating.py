"""Locating SIP servers: from the host of a URI to transports, addresses and ports (RFC 3263, RFC 2782).

Standard library only; nothing is asked here. `locate` is a dialogue: it yields the questions it has for the DNS, is
sent the records of each, and returns the addresses in the order in which they are to be tried.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from ipaddress import ip_address
from typing import Final, NamedTuple

MAX_ADDRESSES: Final = 8
"""Addresses tried for one request at most: a name must not keep a caller waiting for ever."""
MAX_RECORDS: Final = 32
"""Records of one answer that are looked at."""
MAX_SERVERS: Final = 8
"""Servers of an SRV set whose addresses are asked for."""

NAPTR: Final = "NAPTR"
SRV: Final = "SRV"
A: Final = "A"
AAAA: Final = "AAAA"

_SERVICES: Final = {"SIP+D2U": "udp", "SIP+D2T": "tcp", "SIPS+D2T": "tls"}
"""RFC 3263 §4.1; NAPTR services have no case (RFC 3403 §6.1 leaves that to the application)."""
_SRV_NAMES: Final = {"udp": "_sip._udp.", "tcp": "_sip._tcp.", "tls": "_sips._tcp."}
_PORTS: Final = {"udp": 5060, "tcp": 5060, "tls": 5061}


class Target(NamedTuple):
    """What a URI says of where to go (RFC 3263 §4)."""

    host: str
    """A name or a numeric address, an IPv6 one without brackets."""
    port: int | None = None
    transport: str = ""
    """`udp`, `tcp`, `tls`; empty: not said."""
    secure: bool = False
    """A SIPS URI."""
    prefer_ipv6: bool = False
    """Which family is tried first."""


class Address(NamedTuple):
    """One place to try."""

    transport: str
    host: str
    port: int


class Question(NamedTuple):
    """What is asked of the DNS."""

    name: str
    kind: str


class Naptr(NamedTuple):
    """RFC 3403."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


class Srv(NamedTuple):
    """RFC 2782."""

    priority: int
    weight: int
    port: int
    target: str
    """Without its final dot; empty: the service is decidedly not offered there."""


Records = Sequence[Naptr | Srv | str]
"""Of one kind each; addresses are texts."""
Dialogue = Generator[Question, Records, tuple[Address, ...]]
Paths = frozenset[tuple[str, bool]]
"""(transport, is it IPv6) of our listeners: what we can speak at all."""


def locate(target: Target, paths: Paths, draw: Callable[[], float]) -> Dialogue:
    """§4.1 and §4.2. `draw` gives numbers in [0, 1) for the weights of RFC 2782."""
    transport = target.transport
    spoken = _spoken(target, paths)
    if (target.secure and transport not in ("", "tls")) or not (transport in spoken if transport else spoken):
        return ()
    if _is_numeric(target.host) or target.port is not None:
        transport = transport or ("tls" if target.secure else "udp")
        port = _PORTS.get(transport, 0) if target.port is None else target.port
        return tuple((yield from _addresses(target, [(transport, target.host, port)], paths)))
    servers: list[tuple[str, str, int]] | None
    if transport:
        servers = yield from _servers([(transport, _SRV_NAMES.get(transport, "") + target.host)], draw)
    else:
        services = _services((yield Question(target.host, NAPTR)), target, paths)
        services = services or [(kind, _SRV_NAMES[kind] + target.host) for kind in spoken]
        servers = yield from _servers(services, draw)
    if servers is None:
        transport = transport or ("tls" if target.secure else "udp")
        servers = [(transport, target.host, _PORTS.get(transport, 0))]
    return tuple((yield from _addresses(target, servers, paths)))


def order_servers(records: Sequence[Srv], draw: Callable[[], float]) -> list[Srv]:
    """RFC 2782: the lowest priority first; among equals by weight, those without weight with a very small chance."""
    ordered: list[Srv] = []
    for priority in sorted({record.priority for record in records}):
        left = sorted([record for record in records if record.priority == priority], key=lambda one: one.weight != 0)
        while left:
            mark = int(draw() * (sum([record.weight for record in left]) + 1))
            running = 0
            for at, record in enumerate(left):
                running += record.weight
                if running >= mark:
                    ordered.append(left.pop(at))
                    break
    return ordered


def _services(records: Records, target: Target, paths: Paths) -> list[tuple[str, str]]:
    """(transport, SRV name) of the NAPTR records that we can use, in their order (§4.1)."""
    naptrs = [one for one in records[:MAX_RECORDS] if isinstance(one, Naptr) and one.flags.lower() == "s"]
    spoken = _spoken(target, paths)
    found = []
    for record in sorted(naptrs, key=lambda one: (one.order, one.preference)):
        transport = _SERVICES.get(record.service.upper())
        if transport in spoken and record.replacement:
            found.append((transport, record.replacement))
    return found


def _spoken(target: Target, paths: Paths) -> list[str]:
    """The transports that may be used for this target, in our order of preference."""
    speaks = {transport for transport, _ in paths}
    return [transport for transport in (("tls",) if target.secure else _PORTS) if transport in speaks]


def _servers(
    services: Sequence[tuple[str, str]], draw: Callable[[], float]
) -> Generator[Question, Records, list[tuple[str, str, int]] | None]:
    """(transport, host, port) of the first service that has SRV records; None where no service has."""
    for transport, name in services:
        records = [one for one in (yield Question(name, SRV))[:MAX_RECORDS] if isinstance(one, Srv)]
        if records:
            usable = [one for one in records if one.target and 0 < one.port < 65536]
            return [(transport, one.target, one.port) for one in order_servers(usable, draw)[:MAX_SERVERS]]
    return None


def _addresses(
    target: Target, servers: Sequence[tuple[str, str, int]], paths: Paths
) -> Generator[Question, Records, Iterator[Address]]:
    """Every address of each server, of the families in which we speak its transport."""
    found: dict[Address, None] = {}
    for transport, host, port in servers:
        families = (target.prefer_ipv6, not target.prefer_ipv6)
        for is_ipv6 in [family for family in families if (transport, family) in paths]:
            if len(found) >= MAX_ADDRESSES:
                break
            if _is_numeric(host):
                hosts: Records = [host] if (":" in host) == is_ipv6 else []
            else:
                hosts = yield Question(host, AAAA if is_ipv6 else A)
            for one in hosts[:MAX_RECORDS]:
                if isinstance(one, str):
                    found[Address(transport, one, port)] = None
    return iter(list(found)[:MAX_ADDRESSES])


def _is_numeric(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
