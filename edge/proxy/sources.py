"""Budgets of each source address: known neighbours, strangers, and those who are not heard. Pure.

The first question about every datagram, before anything of it is read: one look-up by address for a known neighbour or
a banned source, some microseconds for a stranger. A known neighbour is one that a trunk names, or that has proved that
it gets what we send: by an answer to a request of ours, by a token that only our Record-Route carries, by a password.
Known ones are never banned, since anybody can write their address into a datagram; what is over their budget is
dropped, so that a forged flood costs little.
"""

import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final

from edge.config.snapshot import PolicySnapshot
from edge.config.strangers import KNOWN_PACKETS_PER_S, KNOWN_REQUESTS_PER_S
from edge.proxy.actions import Outbox
from edge.proxy.bans import Bans
from edge.proxy.facts import Counters, Fact
from edge.proxy.listeners import Listeners

Network = IPv4Network | IPv6Network

MAX_SOURCES: Final = 10_000
"""Of each kind that are told apart; beyond it the one heard first is forgotten."""
MAX_PROVED: Final = 512
"""Addresses that have proved themselves; beyond it the one that did so first is a stranger again."""
MAX_STRANGERS_BYTES: Final = 8_192
"""A stranger's datagram longer than this is not looked at."""
WINDOW_S: Final = 10.0
"""In which `ban_after` datagrams over the budget are counted."""
MARKS: Final = 3
"""So many datagrams with the mark of a scanner in that time."""
LOOKED_AT: Final = 2_048
"""Bytes in which that mark is looked for."""
TIGHT: Final = 10
"""While the edge is overloaded strangers have a tenth of their common budget."""
BURST_S: Final = 1.0
"""A budget may be used at once for so many seconds."""


class _Budget:
    """A virtual schedule (ITU-T I.371, as RFC 7415 §3.5.1): one number a rate, no token counted in between."""

    __slots__ = ("at", "most_s", "step_s")

    def __init__(self, per_s: float) -> None:
        self.at = 0.0
        """When what has been spent so far is paid off."""
        self.pace(per_s)

    def pace(self, per_s: float) -> None:
        """So many a second from now on."""
        self.step_s = 1.0 / per_s
        self.most_s = max(BURST_S - self.step_s, 0.0) + 1e-6

    def spend(self, now: float) -> bool:
        """One more; False: it is used up, and nothing was spent."""
        at = self.at
        if at - now > self.most_s:
            return False
        self.at = (at if at > now else now) + self.step_s
        return True


class _Known:
    __slots__ = ("packets", "requests", "told_at")

    def __init__(self, packets_per_s: int, requests_per_s: int) -> None:
        self.packets = _Budget(packets_per_s)
        self.requests = _Budget(requests_per_s)
        self.told_at = 0.0


class _Stranger:
    __slots__ = ("marks", "over", "packets", "requests", "since")

    def __init__(self, packets_per_s: int, requests_per_s: int, now: float) -> None:
        self.packets = _Budget(packets_per_s)
        self.requests = _Budget(requests_per_s)
        self.over = 0
        self.marks = 0
        self.since = now


class SourceBudgets:
    """Of one process."""

    __slots__ = (
        "_counters",
        "_known",
        "_known_changed",
        "_listeners",
        "_mark",
        "_outbox",
        "_proved",
        "_snapshot",
        "_strangers",
        "_total",
        "_unknown",
        "bans",
    )

    def __init__(self, counters: Counters, listeners: Listeners, outbox: Outbox, snapshot: PolicySnapshot) -> None:
        self._counters = counters
        self._listeners = listeners
        self._outbox = outbox
        self.bans = Bans()
        self._proved: dict[str, None] = {}
        self.adopt(snapshot)

    def adopt(self, snapshot: PolicySnapshot) -> None:
        """Everybody is judged anew by this policy."""
        self._snapshot = snapshot
        terms = snapshot.strangers
        self._known: list[dict[str, _Known]] = [{} for _ in self._listeners.all]
        self._unknown: list[set[str]] = [set() for _ in self._listeners.all]
        self._strangers: dict[str, _Stranger] = {}
        self._total = _Budget(terms.total_per_s)
        self._mark = _pattern(terms.scanners)
        self.bans.lift_all()
        self._known_changed = True

    def tighten(self, is_overloaded: bool) -> None:
        """Strangers get less of the edge while it has too much to do."""
        per_s = self._snapshot.strangers.total_per_s
        self._total.pace(per_s / TIGHT if is_overloaded else per_s)

    # -- datagrams -------------------------------------------------------------------------------------------------

    def passes(self, listener: int, host: str, data: bytes, now: float) -> bool:
        """May this datagram be read? Else it has been counted, and nobody hears of it."""
        known = self._known[listener].get(host)
        if known is None:
            if host not in self._unknown[listener]:
                known = self._recognise(listener, host)
            if known is None:
                source = source_of(host)
                if self.bans.holds(source, now):
                    self._drop("banned")
                    return False
                return self._stranger(source, data, now)
        budget = known.packets
        at = budget.at
        if at - now > budget.most_s:
            self._over(known, host, "packets", now)
            self._drop("neighbour_budget")
            return False
        budget.at = (at if at > now else now) + budget.step_s
        return True

    def may_ask(self, listener: int, host: str, now: float) -> bool:
        """Has this source a new call left in its budget? Strangers were judged by `passes`."""
        known = self._known[listener].get(host)
        if known is None or known.requests.spend(now):
            return True
        self._over(known, host, "requests", now)
        return False

    def is_known(self, listener: int, host: str) -> bool:
        """Is this source more than a stranger? Asked of one that `passes` has just let pass."""
        return host in self._known[listener]

    def prove(self, host: str) -> None:
        """It gets what we send: from now on it is known, whoever it is."""
        if host in self._proved or any(self._recognise(index, host) for index in range(len(self._known))):
            return
        if len(self._proved) >= MAX_PROVED:
            oldest = next(iter(self._proved))
            del self._proved[oldest]
            for known in self._known:
                known.pop(oldest, None)
        self._proved[host] = None
        for unknown in self._unknown:
            unknown.discard(host)
        self._known_changed = True
        source = source_of(host)
        self.bans.lift(source)
        self._strangers.pop(source, None)

    @property
    def proved(self) -> tuple[str, ...]:
        """Addresses known by proof alone."""
        return tuple(self._proved)

    def take_known_changed(self) -> bool:
        """Has anybody become known, or a stranger again, since this was asked last?"""
        changed, self._known_changed = self._known_changed, False
        return changed

    def networks(self, listener: int) -> list[Network]:
        """Who is known at this listener, for what sorts datagrams before they get here."""
        return self._snapshot.networks(self._listeners.all[listener].name) + [ip_network(host) for host in self._proved]

    def banned_networks(self) -> list[Network]:
        """Who is not heard."""
        return [ip_network(ban.source) for ban in self.bans.all()]

    def hear_again(self, named: str) -> bool:
        """An operator's word: the ban of this source, or of the one that this address belongs to, is over. False: there
        was none."""
        try:
            source = source_of(named.removesuffix("/64"))
        except ValueError:
            return False
        if all(ban.source != source for ban in self.bans.all()):
            return False
        self.bans.lift(source)
        self._outbox.facts.append(Fact("source.heard_again", {"source": source}))
        return True

    def end_bans(self, now: float) -> None:
        """Bans whose time is over end, and are told."""
        for source in self.bans.end_due(now):
            self._outbox.facts.append(Fact("source.heard_again", {"source": source}))

    # -- within ----------------------------------------------------------------------------------------------------

    def _recognise(self, listener: int, host: str) -> _Known | None:
        budgets = self._snapshot.known(host, self._listeners.all[listener].name)
        if budgets is None:
            if host not in self._proved:
                unknown = self._unknown[listener]
                if len(unknown) >= MAX_SOURCES:
                    unknown.clear()
                unknown.add(host)
                return None
            budgets = KNOWN_PACKETS_PER_S, KNOWN_REQUESTS_PER_S
        known = self._known[listener]
        if len(known) >= MAX_SOURCES:
            del known[next(iter(known))]
        found = known[host] = _Known(*budgets)
        return found

    def _stranger(self, source: str, data: bytes, now: float) -> bool:
        terms = self._snapshot.strangers
        stranger = self._strangers.get(source)
        if stranger is None:
            if len(self._strangers) >= MAX_SOURCES:
                del self._strangers[next(iter(self._strangers))]
            stranger = self._strangers[source] = _Stranger(terms.packets_per_s, terms.requests_per_s, now)
        elif now - stranger.since > WINDOW_S:
            stranger.since, stranger.over, stranger.marks = now, 0, 0
        is_request = data[:4] != b"SIP/"
        if not stranger.packets.spend(now) or (is_request and not stranger.requests.spend(now)):
            stranger.over += 1
            self._drop("stranger_budget")
            if terms.ban_after and stranger.over >= terms.ban_after:
                self._ban(source, "packets", now)
            return False
        if not self._total.spend(now):
            self._drop("strangers_budget")
            return False
        if len(data) > MAX_STRANGERS_BYTES:
            self._drop("oversize")
            return False
        if self._mark is not None and self._mark.search(data, 0, LOOKED_AT) is not None:
            stranger.marks += 1
            self._drop("scanner")
            if terms.ban_after and stranger.marks >= MARKS:
                self._ban(source, "scanner", now)
            return False
        return True

    def _ban(self, source: str, why: str, now: float) -> None:
        terms = self._snapshot.strangers
        self._strangers.pop(source, None)
        ban = self.bans.begin(source, why, now, first_s=terms.ban_s, most_s=terms.ban_most_s)
        words: dict[str, str | int | float] = {
            "source": source, "why": why, "seconds": round(ban.until - now, 1), "times": ban.times,
        }  # fmt: skip
        self._outbox.facts.append(Fact("source.banned", words))

    def _over(self, known: _Known, host: str, what: str, now: float) -> None:
        """A known neighbour is over its budget: told once a second."""
        if now - known.told_at >= 1.0:
            known.told_at = now
            self._outbox.facts.append(Fact("source.over_budget", {"source": host, "what": what}))

    def _drop(self, reason: str) -> None:
        drops = self._counters.drops
        drops[reason] = drops.get(reason, 0) + 1


def source_of(host: str) -> str:
    """Whom a budget belongs to: an IPv4 address, or the /64 of an IPv6 one, of which one customer has all addresses."""
    if ":" not in host:
        return host
    found = _networks_seen.get(host)
    if found is None:
        address = IPv6Address(host.partition("%")[0])
        mapped = address.ipv4_mapped
        found = str(mapped) if mapped is not None else f"{IPv6Address(int(address) >> 64 << 64)}/64"
        if len(_networks_seen) >= MAX_SOURCES:
            _networks_seen.clear()
        _networks_seen[host] = found
    return found


_networks_seen: Final[dict[str, str]] = {}


def _pattern(signatures: Sequence[str]) -> re.Pattern[bytes] | None:
    """Where tools name themselves: somewhere in User-Agent, or as the display name in From."""
    if not signatures:
        return None
    words = b"|".join([re.escape(signature.encode()) for signature in signatures])
    return re.compile(
        rb"\n(?:user-agent[ \t]*:[^\r\n]*?(?:%b)|(?:from|f)[ \t]*:[ \t]*\"(?:%b)\")" % (words, words), re.IGNORECASE
    )
