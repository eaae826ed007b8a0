"""The neighbours: ingress and egress trunks as attempts need them, and by what an ingress trunk is known. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from edge.config.account_policy import AccountPolicy
from edge.config.addresses import DEFAULT_PORT, DEFAULT_TLS_PORT, address_number, parse_source, parse_trunk_uri
from edge.config.boundary import OUTSIDE, HeaderRulesEntry, TrunkBoundary, boundary_of
from edge.config.dialling import NO_PREFIXES, PrefixTable, rewrites, rewritten, tech_prefixes
from edge.config.holders import is_limited
from edge.config.login import Login, Registered, login_of, registered_of
from edge.config.plan import CACHE_LIMIT as CACHE_LIMIT
from edge.config.refusals import RefusalProfile
from edge.config.restraint import AsrGuard, Throttle, guard_of, throttle_of
from edge.config.schema import (
    EgressEntry,
    IngressEntry,
)
from edge.config.strangers import KNOWN_PACKETS_PER_S, KNOWN_REQUESTS_PER_S

_SEMICOLON: Final = 0x3B
_QUESTION: Final = 0x3F
"""As numbers: see `edge.sip.grammar.COMMA`."""
_HOP_PARAMS: Final = frozenset({b"transport", b"maddr", b"ttl", b"lr"})
"""URI parameters that say how to reach the old host (RFC 3261 §19.1.1)."""


CHALLENGES: Final = frozenset((401, 407))
"""RFC 3261 §22."""


@dataclass(frozen=True, slots=True)
class IngressTrunk:
    """A neighbour that brings calls."""

    id: str
    listener: str
    """Name of the one listener it may use; empty: any."""
    account: AccountPolicy | None
    ingress_class: str
    trusted: bool
    account_header: bytes | None
    """Canonical (lower case) name. It is the edge's alone and never leaves by a trunk."""
    refusal_profile: RefusalProfile
    """For refusals where the account has none of its own, or is not known."""
    automated: bool = False
    """Are all its calls placed by an automated system?"""
    automated_header: bytes | None = None
    purpose_header: bytes | None = None
    """Headers in which it marks single calls; like the account's they never leave by a trunk."""
    needs_digest: bool = False
    """Must its callers authenticate? Then their user name says whose calls they are."""
    tls_names: frozenset[str] = frozenset()
    """Names that its certificate may prove, in lower case; none: it is known by its address."""
    tls_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Where it must send from besides proving its name; empty: anywhere."""
    nat: str = "auto"
    """`auto`, `always` or `off`."""
    tech_prefixes: PrefixTable = NO_PREFIXES
    """Accounts by the digits before the called number."""
    boundary: TrunkBoundary = OUTSIDE
    priority: str = "normal"
    """`low`, `normal` or `high` while the edge is overloaded."""
    packets_per_s: int = KNOWN_PACKETS_PER_S
    requests_per_s: int = KNOWN_REQUESTS_PER_S
    """Budgets of each of its addresses."""

    @property
    def own_headers(self) -> tuple[bytes, ...]:
        """Header fields that are between it and the edge alone."""
        names = (self.account_header, self.automated_header, self.purpose_header)
        return tuple([name for name in names if name is not None])


@dataclass(frozen=True, slots=True)
class EgressTrunk:
    """A neighbour that takes calls."""

    id: str
    host: str
    """Numeric without brackets, or a name."""
    port: int | None
    """None: not said (RFC 3263 §4.2)."""
    uri: bytes
    """As configured."""
    host_port: bytes
    """As a URI prints it; an IPv6 host in brackets."""
    rewrite_uri: bool
    """Does the Request-URI get this trunk's host and port?"""
    silence_s: float
    setup_s: float
    failover_on: frozenset[int]
    weight: int
    priority: int = 0
    """On a weighted route: the lowest first."""
    holder: str = ""
    """`trunk:ID` where it has ceilings of its own; empty: it has none."""
    oc_algorithms: bytes = b""
    """Overload control that is announced to it and obeyed (RFC 7339), by preference; empty: none."""
    is_trusted: bool = False
    """Does it belong to our trust domain (RFC 3325)?"""
    pacing_s: float = 0.0
    """How long an attempt over its CAPS waits for its turn."""
    conceal: frozenset[int] = frozenset()
    """Its responses that are not the caller's affair."""
    session_timer: bool = True
    """Are session timers asked of its calls (RFC 4028)?"""
    down_after: int = 5
    """Failures in a row."""
    retry_s: float = 10.0
    up_after: int = 5
    """Answers in a row."""
    probe_s: float = 0.0
    """How often it is sent OPTIONS; 0: never."""
    maintenance: bool = False
    transport: bytes = b""
    """`udp`, `tcp`, `tls`; empty: not said."""
    tls_names: tuple[str, ...] = ()
    """Names of which its certificate must prove one; none: its host's."""
    large_by_tcp: bool = False
    """Do requests over 1,300 bytes go by TCP where it takes them (RFC 3261 §18.1.1)?"""
    listener: str = ""
    """Name of the listener its calls leave by; empty: any."""
    account: str = ""
    """Whose it is: calls it takes are calls that account receives; empty: nobody's in particular."""
    called: PrefixTable = NO_PREFIXES
    """How it wants called numbers written."""
    login: Login | None = None
    registration: Registered | None = None
    boundary: TrunkBoundary = OUTSIDE
    guard: AsrGuard | None = None
    throttle: Throttle | None = None

    def as_sent(self, called: str) -> str:
        """The called number (E.164, or as dialled) as it is sent to this trunk; empty: as the caller wrote it."""
        return rewritten(called, self.called)

    def request_uri(self, uri: bytes) -> bytes:
        """The Request-URI with this trunk's host and port: the user part and its parameters stay as they came, a
        `tel:` URI becomes a SIP one (RFC 3261 §19.1.6)."""
        scheme, _, rest = uri.partition(b":")
        if scheme.lower() == b"tel":
            return b"sip:%b@%b;user=phone" % (rest, self.host_port)
        user, at, address = rest.partition(b"@")
        if not at:
            user, address = b"", rest
        if _SEMICOLON not in address and _QUESTION not in address:
            return b"sip:" + user + at + self.host_port
        params = b"".join(
            b";" + param
            for param in address.partition(b"?")[0].split(b";")[1:]
            if param.partition(b"=")[0].lower() not in _HOP_PARAMS
        )
        return b"sip:" + user + at + self.host_port + params


def sends_from(trunk: IngressTrunk, host: str) -> bool:
    number = address_number(host)
    return not trunk.tls_networks or (
        number is not None
        and any(net.version == number[0] and number[1] >> _free_bits(net) == _prefix(net) for net in trunk.tls_networks)
    )


def _free_bits(network: IPv4Network | IPv6Network) -> int:
    return network.max_prefixlen - network.prefixlen


def _prefix(network: IPv4Network | IPv6Network) -> int:
    return int(network.network_address) >> _free_bits(network)


def name_index(entries: Sequence[IngressEntry], trunks: Sequence[IngressTrunk]) -> dict[str, list[IngressTrunk]]:
    """Trunks by the names their certificates may prove; those bound to a listener first."""
    index: dict[str, list[IngressTrunk]] = {}
    for entry, trunk in zip(entries, trunks, strict=True):
        for name in entry.tls_names:
            index.setdefault(name.lower(), []).append(trunk)
    for shared in index.values():
        shared.sort(key=lambda trunk: trunk.listener == "")
    return index


Sources = list[tuple[int, dict[int, list[IngressTrunk]]]]
"""Per prefix length, longest first: bits to drop from an address, and the trunks by what is left."""


def source_index(entries: Sequence[IngressEntry], trunks: Sequence[IngressTrunk]) -> dict[int, Sources]:
    index: dict[int, dict[int, dict[int, list[IngressTrunk]]]] = {4: {}, 6: {}}
    for entry, trunk in zip(entries, trunks, strict=True):
        for source in entry.sources if not entry.tls_names else ():
            network = parse_source(source)
            shift = network.max_prefixlen - network.prefixlen
            networks = index[network.version].setdefault(shift, {})
            networks.setdefault(int(network.network_address) >> shift, []).append(trunk)
    for by_shift in index.values():
        for networks in by_shift.values():
            for shared in networks.values():
                shared.sort(key=lambda trunk: trunk.listener == "")
    return {version: sorted(by_shift.items()) for version, by_shift in index.items()}


def ingress_trunk_of(
    entry: IngressEntry,
    accounts: Mapping[str, AccountPolicy],
    profiles: Mapping[str, RefusalProfile],
    rules: Mapping[str, HeaderRulesEntry],
) -> IngressTrunk:
    return IngressTrunk(
        id=entry.id,
        listener=entry.listener,
        account=None if entry.account is None else accounts[entry.account],
        ingress_class=entry.ingress_class,
        trusted=entry.trusted,
        account_header=_header(entry.account_header),
        refusal_profile=profiles[entry.refusal_profile],
        automated=entry.automated,
        automated_header=_header(entry.automated_header),
        purpose_header=_header(entry.purpose_header),
        needs_digest=entry.digest,
        tls_names=frozenset(name.lower() for name in entry.tls_names),
        tls_networks=tuple(parse_source(source) for source in entry.sources) if entry.tls_names else (),
        nat=entry.nat,
        tech_prefixes=tech_prefixes(entry.tech_prefixes),
        boundary=boundary_of(entry.boundary, rules, trusted=entry.trusted),
        priority=entry.priority,
        packets_per_s=entry.packets_per_s,
        requests_per_s=entry.requests_per_s,
    )


def _header(name: str | None) -> bytes | None:
    return None if name is None else name.lower().encode()


def egress_trunk_of(entry: EgressEntry, rules: Mapping[str, HeaderRulesEntry]) -> EgressTrunk:
    host, port, transport = parse_trunk_uri(entry.uri)
    shown = f"[{host}]" if ":" in host else host
    if port is None and address_number(host) is not None:
        port = DEFAULT_TLS_PORT if transport == "tls" else DEFAULT_PORT
    return EgressTrunk(
        id=entry.id,
        host=host,
        port=port,
        transport=transport.encode(),
        uri=entry.uri.encode(),
        host_port=(shown if port is None else f"{shown}:{port}").encode(),
        rewrite_uri=entry.request_uri == "trunk",
        silence_s=entry.silence_s,
        setup_s=entry.setup_s,
        failover_on=frozenset(entry.failover_on),
        weight=entry.weight,
        priority=entry.priority,
        account=entry.account or "",
        holder=f"trunk:{entry.id}" if is_limited(entry) else "",
        is_trusted=entry.trusted,
        oc_algorithms={"off": b"", "loss": b"loss", "rate": b"rate,loss"}[entry.overload_control],
        pacing_s=entry.pacing_ms / 1_000,
        # A challenge of a trunk where we have a user name is never the caller's affair.
        conceal=frozenset(entry.conceal) | (CHALLENGES if entry.login is not None else frozenset()),
        session_timer=entry.session_timer,
        down_after=entry.down_after,
        retry_s=entry.retry_s,
        up_after=entry.up_after,
        probe_s=entry.probe_s,
        maintenance=entry.maintenance,
        tls_names=tuple(name.lower() for name in entry.tls_names),
        large_by_tcp=entry.large_requests == "tcp",
        listener=entry.listener,
        called=rewrites(entry.called),
        login=login_of(entry.login),
        registration=registered_of(entry.registration),
        boundary=boundary_of(entry.boundary, rules, trusted=entry.trusted),
        guard=guard_of(entry.guard),
        throttle=throttle_of(entry.throttle),
    )
