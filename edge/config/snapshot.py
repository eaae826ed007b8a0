"""`PolicySnapshot`: a policy document turned into look-ups, built once and then only read. Pure.

Every attempt pins one snapshot (R9); a change of policy is a new one with the next generation. What it caches is
bounded, since the keys come from outside.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from edge.config.account_policy import AccountPolicy, accounts_of
from edge.config.addresses import address_number, parse_source
from edge.config.basis import HOUSE, Basis, parse_basis
from edge.config.conduct import Conduct
from edge.config.credentials import secrets_of
from edge.config.deck import RateDeck
from edge.config.holders import holders_of
from edge.config.listing import listed
from edge.config.ownership import Ownership, OwnershipBuilder
from edge.config.plan import CACHE_LIMIT as CACHE_LIMIT
from edge.config.ranges import expand
from edge.config.receiving import Receivers
from edge.config.refusals import BUILT_IN, OPTIONS, SILENT_TOKENS, Reason, RefusalProfile, RefusalRow
from edge.config.routes import Route, lengths_of, routes_of
from edge.config.rulebook import RuleBook
from edge.config.ruleset_schema import RulesetDocument
from edge.config.rulesets import BUILT_IN_RULESETS, built_in_ruleset
from edge.config.schema import (
    PolicyDocument,
    RefusalProfileEntry,
)
from edge.config.strangers import KNOWN_PACKETS_PER_S, KNOWN_REQUESTS_PER_S
from edge.config.trunks import IngressTrunk, egress_trunk_of, ingress_trunk_of, name_index, sends_from, source_index
from limits.account import Account


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


_ANYWHERE: Final = ("192.0.2.0/24",)
"""For a trunk that is known by a name alone: addresses that are nobody's (RFC 5737)."""


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
        "ingress_by_id",
        "normalise",
        "ownership",
        "plan",
        "profiles",
        "receivers",
        "route_lengths",
        "routes",
        "routes_by_id",
        "rules",
        "rules_mode",
        "secrets",
        "silent",
        "strangers",
        "trunk_decks",
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
        trunk_decks: Mapping[str, RateDeck] | None = None,
    ) -> None:
        """`ruleset`: where it is a file. `ownership`: every list of numbers, where some are in a file."""
        self.generation = generation
        self.profiles = _profiles(document.refusal_profiles)
        self.accounts: Mapping[str, AccountPolicy] = accounts_of(document, self.profiles)
        rules = document.header_rules
        self.ingress = tuple(ingress_trunk_of(entry, self.accounts, self.profiles, rules) for entry in document.ingress)
        self.trunks = {entry.id: egress_trunk_of(entry, rules) for entry in document.egress}
        self.routes: Mapping[str, tuple[Route, ...]] = routes_of(document.routes, self.trunks, emergency=False)
        """Routes by prefix of the called number, in document order."""
        self.route_lengths = lengths_of(self.routes)
        """The lengths of those prefixes, longest first."""
        self.emergency_routes = routes_of(document.routes, self.trunks, emergency=True)
        """The same for emergency calls alone."""
        self.emergency_route_lengths = lengths_of(self.emergency_routes)
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
        small = [name for name, account in self.accounts.items() if account.calling.is_small_system]
        self.receivers = Receivers(small, self.ownership)
        """Whose received calls are counted."""
        self.undeclared = self.book.choice("undeclared", "allow")
        """What of an account for which no list is kept: `allow`, `tag` or `deny`."""
        self.do_not_originate = _do_not_originate(document, self.book)
        self.conduct = Conduct(
            document.telemarketing, document.ping_calls, document.destinations, document.barring, document.guards
        )
        self.normalise = document.numbers.normalise
        self.bare_international = document.numbers.bare_international
        self._names = name_index(document.ingress, self.ingress)
        self._sources = source_index(document.ingress, self.ingress)
        self._source_cache: dict[tuple[str, str], IngressTrunk | None] = {}
        self._methods_forbidden = frozenset(name.encode() for name in document.methods.forbidden)
        self._method_default = Reason(document.methods.default)
        self.default_profile: RefusalProfile = self.profiles[document.strangers.refusal_profile]
        """For a stranger, and before any trunk is known."""
        self.silent = _silent(document.strangers.silent)
        """Tokens a stranger gets no answer for."""
        self.strangers = document.strangers
        """Their budgets."""
        self.digest = document.digest
        self.secrets = secrets_of(document.credentials)
        """What is known of each user name."""
        self._egress_hosts = frozenset(trunk.host for trunk in self.trunks.values())
        self._document = document
        self.deck = deck
        """What calls cost; None: they have no price."""
        self.trunk_decks: Mapping[str, RateDeck] = trunk_decks or {}
        """What they cost us, by egress trunk."""
        self.routes_by_id = {one.id: one for found in self.routes.values() for one in found}
        self.ingress_by_id = {one.id: one for one in self.ingress}

    def ingress_of(self, host: str, listener: str, names: tuple[str, ...] = ()) -> IngressTrunk | None:
        """The trunk this source and listener belong to: by a name the peer's certificate has proved, else by the
        longest network; of equals the one bound to the listener."""
        for name in names:
            for trunk in self._names.get(name, ()):
                if (not trunk.listener or trunk.listener == listener) and sends_from(trunk, host):
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

    def address_of(self, trunk: str) -> tuple[str, str, tuple[str, ...]] | None:
        """An address, a listener and the name to prove by which this ingress trunk is found; None: other trunks have
        all of them."""
        for entry in self._document.ingress:
            names = entry.tls_names[:1]
            for source in (entry.sources or _ANYWHERE) if entry.id == trunk else ():
                network = parse_source(source)
                ends = network.network_address, network.broadcast_address
                for address in (ends[0] + 1, *ends) if network.num_addresses > 2 else ends:
                    found = self.ingress_of(str(address), entry.listener, names)
                    if found is not None and found.id == trunk:
                        return str(address), entry.listener, names
        return None

    def proof_of(self, trunk: str, account: str) -> tuple[tuple[str, ...], str]:
        """A name of a certificate and a user name that would bring this account's call by this ingress trunk; empty
        where it asks for none."""
        entry = next((entry for entry in self._document.ingress if entry.id == trunk), None)
        if entry is None:
            return (), ""
        users = [user.decode() for user, known in self.secrets.items() if known.account == account]
        return entry.tls_names[:1], users[0] if entry.digest and users else ""

    def is_stranger(self, host: str, listener: str, names: tuple[str, ...] = ()) -> bool:
        """No trunk names this address, ingress or egress, nor what its certificate has proved."""
        return self.ingress_of(host, listener, names) is None and host not in self._egress_hosts

    def known(self, host: str, listener: str) -> tuple[int, int] | None:
        """Budgets of a source that a trunk names and that needs no password: (packets a second, requests a second)."""
        trunk = self.ingress_of(host, listener)
        if trunk is not None and not trunk.needs_digest:
            return trunk.packets_per_s, trunk.requests_per_s
        return (KNOWN_PACKETS_PER_S, KNOWN_REQUESTS_PER_S) if host in self._egress_hosts else None

    def networks(self, listener: str) -> list[IPv4Network | IPv6Network]:
        """The same sources as networks, for a listener; trunks known by a certificate alone are in none."""
        found = [
            parse_source(source)
            for entry in self._document.ingress
            if not entry.tls_names and not entry.digest and entry.listener in ("", listener)
            for source in entry.sources
        ]
        return found + [parse_source(host) for host in self._egress_hosts if address_number(host) is not None]

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
