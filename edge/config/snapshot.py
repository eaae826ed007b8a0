"""`PolicySnapshot`: a policy document turned into look-ups, built once and then only read. Pure.

Every attempt pins one snapshot (R9); a change of policy is a new one with the next generation. What it caches is
bounded, since the keys come from outside.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from edge.config.accounts import NO_LIST, AccountCli
from edge.config.addresses import DEFAULT_PORT, DEFAULT_TLS_PORT, address_number, parse_source, parse_trunk_uri
from edge.config.basis import HOUSE, Basis, parse_basis
from edge.config.conduct import ANY_CALLING, AccountCalling, Conduct, calling_of
from edge.config.credentials import secrets_of
from edge.config.deck import RateDeck
from edge.config.holders import holders_of, is_limited
from edge.config.listing import listed
from edge.config.ownership import Ownership, OwnershipBuilder
from edge.config.plan import CACHE_LIMIT as CACHE_LIMIT
from edge.config.ranges import expand
from edge.config.refusals import BUILT_IN, OPTIONS, SILENT_TOKENS, Reason, RefusalProfile, RefusalRow
from edge.config.rulebook import RuleBook
from edge.config.ruleset_schema import RulesetDocument
from edge.config.rulesets import BUILT_IN_RULESETS, built_in_ruleset
from edge.config.schema import (
    EgressEntry,
    IngressEntry,
    PolicyDocument,
    RefusalProfileEntry,
    RouteEntry,
)
from limits.account import Account

_HOP_PARAMS = frozenset({b"transport", b"maddr", b"ttl", b"lr"})
"""URI parameters that say how to reach the old host (RFC 3261 §19.1.1)."""


@dataclass(frozen=True, slots=True)
class AccountPolicy:
    """What the policy says of an account; its commercial values live in the store (R9)."""

    id: str
    kind: str
    """`human` or `automated`."""
    refusal_profile: RefusalProfile | None
    """None: the ingress trunk's."""
    store_away: str
    """`refuse`, `admit` or `local` (R11)."""
    tags: tuple[str, ...] = ()
    external_id: str = ""
    """Its name in the operator's own books."""
    shadow: frozenset[Reason] = frozenset()
    """Refusals of policy that are noted and let the call pass."""
    purpose: str = "none"
    """What its calls are for: `none` or `telemarketing-b2c`."""
    cli: AccountCli = NO_LIST
    """Which numbers it may present."""
    calling: AccountCalling = ANY_CALLING


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
    tls_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Where it must send from besides proving its name; empty: anywhere."""
    nat: str = "auto"
    """`auto`, `always` or `off`."""

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
    holder: str = ""
    """`trunk:ID` where it has ceilings of its own; empty: it has none."""
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

    def request_uri(self, uri: bytes) -> bytes:
        """The Request-URI with this trunk's host and port: the user part and its parameters stay as they came, a
        `tel:` URI becomes a SIP one (RFC 3261 §19.1.6)."""
        scheme, _, rest = uri.partition(b":")
        if scheme.lower() == b"tel":
            return b"sip:%b@%b;user=phone" % (rest, self.host_port)
        user, at, address = rest.partition(b"@")
        if not at:
            user, address = b"", rest
        params = b"".join(
            b";" + param
            for param in address.partition(b"?")[0].split(b";")[1:]
            if param.partition(b"=")[0].lower() not in _HOP_PARAMS
        )
        return b"sip:" + user + at + self.host_port + params


@dataclass(frozen=True, slots=True)
class Route:
    """Which trunks may take a called number."""

    id: str
    accounts: frozenset[str]
    """Empty: all."""
    classes: frozenset[str]
    """Empty: all."""
    is_weighted: bool
    is_barred: bool
    is_shadow: bool
    """It only says that it would be barred."""
    is_emergency: bool
    """For emergency calls alone."""
    trunks: tuple[EgressTrunk, ...]


@dataclass(frozen=True, slots=True)
class CliRule:
    """One line of screening; an empty condition holds always."""

    id: str
    action: str
    """`allow`, `refuse`, `shadow-refuse`."""
    reason: Reason
    ingress_classes: frozenset[str]
    account_kinds: frozenset[str]
    which: str
    """`presented`, `network` or `either`."""
    categories: frozenset[str]
    prefixes: tuple[str, ...]
    except_prefixes: tuple[str, ...]
    basis: Basis = HOUSE
    """What it rests on."""


class PolicySnapshot:
    """The policy in force for the attempts that pinned it."""

    __slots__ = (
        "_document",
        "_egress_hosts",
        "_method_default",
        "_methods_forbidden",
        "_names",
        "_source_cache",
        "_sources",
        "accounts",
        "bare_international",
        "book",
        "conduct",
        "deck",
        "default_profile",
        "digest",
        "do_not_originate",
        "emergency_route_lengths",
        "emergency_routes",
        "generation",
        "ingress",
        "normalise",
        "ownership",
        "plan",
        "profiles",
        "route_lengths",
        "routes",
        "rules",
        "rules_mode",
        "secrets",
        "silent",
        "trunks",
        "undeclared",
    )

    def __init__(
        self,
        document: PolicyDocument,
        *,
        generation: int = 1,
        deck: RateDeck | None = None,
        ruleset: RulesetDocument | None = None,
        ownership: Ownership | None = None,
    ) -> None:
        """`ruleset`: where it is a file. `ownership`: every list of numbers, where some are in a file."""
        self.generation = generation
        self.profiles = _profiles(document.refusal_profiles)
        self.accounts: Mapping[str, AccountPolicy] = _accounts(document, self.profiles)
        self.ingress = tuple(_ingress(entry, self.accounts, self.profiles) for entry in document.ingress)
        self.trunks = {entry.id: _egress(entry) for entry in document.egress}
        self.routes: Mapping[str, tuple[Route, ...]] = _routes(document.routes, self.trunks, emergency=False)
        """Routes by prefix of the called number, in document order."""
        self.route_lengths = _lengths(self.routes)
        """The lengths of those prefixes, longest first."""
        self.emergency_routes = _routes(document.routes, self.trunks, emergency=True)
        """The same for emergency calls alone."""
        self.emergency_route_lengths = _lengths(self.emergency_routes)
        self.rules = _rules(document)
        """The house's own CLI rules."""
        numbers = document.numbers
        self.book = RuleBook(
            built_in_ruleset(BUILT_IN_RULESETS[0]) if ruleset is None else ruleset,
            switches=numbers.switches,
            categories={entry.id: entry.prefixes for entry in document.categories},
        )
        """The law."""
        self.rules_mode = numbers.rules
        """`enforce`, `shadow` or `off`."""
        self.plan = self.book.plan.with_emergency(numbers.emergency, numbers.emergency_prefixes)
        self.ownership = listed(document, self.book.plan).build() if ownership is None else ownership
        """Which numbers each account may present."""
        self.undeclared = self.book.choice("undeclared", "allow")
        """What of an account for which no list is kept: `allow`, `tag` or `deny`."""
        self.do_not_originate = _do_not_originate(document, self.book)
        self.conduct = Conduct(
            document.telemarketing, document.ping_calls, document.destinations, document.barring, document.guards
        )
        self.normalise = document.numbers.normalise
        self.bare_international = document.numbers.bare_international
        self._names = _name_index(document.ingress, self.ingress)
        self._sources = _source_index(document.ingress, self.ingress)
        self._source_cache: dict[tuple[str, str], IngressTrunk | None] = {}
        self._methods_forbidden = frozenset(name.encode() for name in document.methods.forbidden)
        self._method_default = Reason(document.methods.default)
        self.default_profile: RefusalProfile = self.profiles[document.strangers.refusal_profile]
        """For a stranger, and before any trunk is known."""
        self.silent = _silent(document.strangers.silent)
        """Tokens a stranger gets no answer for."""
        self.digest = document.digest
        self.secrets = secrets_of(document.credentials)
        """What is known of each user name."""
        self._egress_hosts = frozenset(trunk.host for trunk in self.trunks.values())
        self._document = document
        self.deck = deck
        """What calls cost; None: they have no price."""

    def ingress_of(self, host: str, listener: str, names: tuple[str, ...] = ()) -> IngressTrunk | None:
        """The trunk this source and listener belong to: by a name the peer's certificate has proved, else by the
        longest network; of equals the one bound to the listener."""
        for name in names:
            for trunk in self._names.get(name, ()):
                if (not trunk.listener or trunk.listener == listener) and _sends_from(trunk, host):
                    return trunk
        key = (host, listener)
        try:
            return self._source_cache[key]
        except KeyError:
            found = self._find_ingress(host, listener)
            if len(self._source_cache) >= CACHE_LIMIT:
                self._source_cache.clear()
            self._source_cache[key] = found
            return found

    def address_of(self, trunk: str) -> tuple[str, str] | None:
        """An address and a listener by which this ingress trunk is found; None: other trunks have all of them."""
        for entry in self._document.ingress:
            for source in entry.sources if entry.id == trunk else ():
                network = parse_source(source)
                ends = network.network_address, network.broadcast_address
                for address in (ends[0] + 1, *ends) if network.num_addresses > 2 else ends:
                    found = self.ingress_of(str(address), entry.listener)
                    if found is not None and found.id == trunk:
                        return str(address), entry.listener
        return None

    def is_stranger(self, host: str, listener: str, names: tuple[str, ...] = ()) -> bool:
        """No trunk names this address, ingress or egress, nor what its certificate has proved."""
        return self.ingress_of(host, listener, names) is None and host not in self._egress_hosts

    def category_of(self, e164: str) -> str:
        """The category of a number in E.164, by the rules that are in force last."""
        return self.book.eras[-1].category_of(e164)

    def outside_dialog(self, method: bytes) -> Reason:
        """How a request outside a dialog is refused whose method the edge does not relay."""
        return Reason.METHOD_FORBIDDEN if method in self._methods_forbidden else self._method_default

    @property
    def document(self) -> PolicyDocument:
        """What it was built from."""
        return self._document

    def commercial_values(self) -> Iterator[Account]:
        """What the document says of each account, group and trunk with ceilings, for provisioning the store."""
        return holders_of(self._document)

    @property
    def counts_people(self) -> bool:
        """Are people or numbers counted, so that all nodes must digest them alike?"""
        accounts = self._document.accounts
        if any(entry.purpose_header is not None for entry in self._document.ingress):
            return self.conduct.law is not None
        return self.conduct.ping.mode == "refuse" or any(
            entry.purpose != "none" or entry.calling.number_ceiling is not None or entry.calling.small_system
            for entry in accounts
        )

    def opening_balances(self) -> dict[str, int]:
        """Micro-units to credit to an account when it is first brought into a store."""
        entries = [entry for entry in self._document.accounts if entry.opening_balance]
        return {name: entry.opening_balance for entry in entries for name in expand(entry.id)}

    def _find_ingress(self, host: str, listener: str) -> IngressTrunk | None:
        number = address_number(host)
        if number is None:
            return None
        version, address = number
        for shift, networks in self._sources[version]:
            for trunk in networks.get(address >> shift, ()):
                if not trunk.listener or trunk.listener == listener:
                    return trunk
        return None


def _sends_from(trunk: IngressTrunk, host: str) -> bool:
    number = address_number(host)
    return not trunk.tls_networks or (
        number is not None
        and any(net.version == number[0] and number[1] >> _free_bits(net) == _prefix(net) for net in trunk.tls_networks)
    )


def _free_bits(network: IPv4Network | IPv6Network) -> int:
    return network.max_prefixlen - network.prefixlen


def _prefix(network: IPv4Network | IPv6Network) -> int:
    return int(network.network_address) >> _free_bits(network)


def _name_index(entries: Sequence[IngressEntry], trunks: Sequence[IngressTrunk]) -> dict[str, list[IngressTrunk]]:
    """Trunks by the names their certificates may prove; those bound to a listener first."""
    index: dict[str, list[IngressTrunk]] = {}
    for entry, trunk in zip(entries, trunks, strict=True):
        for name in entry.tls_names:
            index.setdefault(name.lower(), []).append(trunk)
    for shared in index.values():
        shared.sort(key=lambda trunk: trunk.listener == "")
    return index


_Sources = list[tuple[int, dict[int, list[IngressTrunk]]]]
"""Per prefix length, longest first: bits to drop from an address, and the trunks by what is left."""


def _source_index(entries: Sequence[IngressEntry], trunks: Sequence[IngressTrunk]) -> dict[int, _Sources]:
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


def _profiles(entries: Mapping[str, RefusalProfileEntry]) -> dict[str, RefusalProfile]:
    profiles = dict(BUILT_IN)
    for name, entry in entries.items():
        rows = dict(BUILT_IN[entry.base].rows)
        for reason, answer in entry.answers.items():
            old = rows[reason]
            rows[reason] = RefusalRow(
                old.status if answer.status is None else answer.status,
                old.phrase if answer.phrase is None else answer.phrase.encode("ascii"),
                old.q850 if answer.q850 is None else answer.q850,
                old.retry_after if answer.retry_after is None else answer.retry_after,
                old.retry_least_s if answer.retry_after_s is None else answer.retry_after_s,
            )
        profiles[name] = RefusalProfile(name, rows, entry.retry_spread_s)
    return profiles


def _silent(tokens: Sequence[str]) -> frozenset[str]:
    return frozenset([*SILENT_TOKENS, OPTIONS] if "all" in tokens else tokens)


def _accounts(document: PolicyDocument, profiles: Mapping[str, RefusalProfile]) -> dict[str, AccountPolicy]:
    accounts = {}
    for entry in document.accounts:
        shadow = frozenset([*document.shadow_refusals, *entry.shadow_refusals])
        profile = None if entry.refusal_profile is None else profiles[entry.refusal_profile]
        away = entry.store_away or ("refuse" if entry.credit == "prepaid" else "local")
        calling = calling_of(entry.calling)
        for name in expand(entry.id):
            accounts[name] = AccountPolicy(
                name,
                entry.kind,
                profile,
                away,
                entry.tags,
                entry.external_id,
                shadow,
                entry.purpose,
                entry.cli,
                calling,
            )
    return accounts


def _ingress(
    entry: IngressEntry, accounts: Mapping[str, AccountPolicy], profiles: Mapping[str, RefusalProfile]
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
        tls_networks=tuple(parse_source(source) for source in entry.sources) if entry.tls_names else (),
        nat=entry.nat,
    )


def _header(name: str | None) -> bytes | None:
    return None if name is None else name.lower().encode()


def _egress(entry: EgressEntry) -> EgressTrunk:
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
        holder=f"trunk:{entry.id}" if is_limited(entry) else "",
        is_trusted=entry.trusted,
        pacing_s=entry.pacing_ms / 1_000,
        conceal=frozenset(entry.conceal),
        session_timer=entry.session_timer,
        down_after=entry.down_after,
        retry_s=entry.retry_s,
        up_after=entry.up_after,
        probe_s=entry.probe_s,
        maintenance=entry.maintenance,
        tls_names=tuple(name.lower() for name in entry.tls_names),
        large_by_tcp=entry.large_requests == "tcp",
    )


def _lengths(routes: Mapping[str, tuple[Route, ...]]) -> tuple[int, ...]:
    return tuple(sorted({len(prefix) for prefix in routes}, reverse=True))


def _routes(
    entries: Sequence[RouteEntry], trunks: Mapping[str, EgressTrunk], *, emergency: bool
) -> dict[str, tuple[Route, ...]]:
    routes: dict[str, tuple[Route, ...]] = {}
    for entry in entries:
        if entry.emergency != emergency:
            continue
        route = Route(
            id=entry.id,
            accounts=frozenset(entry.accounts),
            classes=frozenset(entry.classes),
            is_weighted=entry.mode == "weighted",
            is_barred=entry.mode in ("barred", "shadow-barred"),
            is_shadow=entry.mode == "shadow-barred",
            is_emergency=entry.emergency,
            trunks=tuple(trunks[name] for name in entry.trunks),
        )
        for prefix in dict.fromkeys(entry.prefixes):
            routes[prefix] = (*routes.get(prefix, ()), route)
    return routes


def _rules(document: PolicyDocument) -> tuple[CliRule, ...]:
    if not document.numbers.normalise:
        return ()
    return tuple(
        CliRule(
            id=entry.id,
            action=entry.action,
            reason=Reason(entry.reason),
            ingress_classes=frozenset(entry.when.ingress_class),
            account_kinds=frozenset(entry.when.account_kind),
            which=entry.when.which,
            categories=frozenset(entry.when.categories),
            prefixes=entry.when.prefixes,
            except_prefixes=entry.when.except_prefixes,
            basis=parse_basis(entry.basis),
        )
        for entry in document.cli_rules
    )


def _do_not_originate(document: PolicyDocument, book: RuleBook) -> Ownership:
    builder = OwnershipBuilder()
    for text in document.numbers.do_not_originate:
        builder.add_text("", text, book.plan)
    return builder.build()
