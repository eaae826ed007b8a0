"""Headers at the boundary of two neighbours: what is taken off, what is added, on everything that crosses. Pure.

RFC 3325 §5 and §7, RFC 3323 §4.2. A message crosses from one trunk to another: what the first may send and what the
second may be sent are one question, answered once for each layout of header names (`edge.sip.layout`): which lines go.
A message of a known layout with nothing to take costs one look-up.
"""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Final, NamedTuple

from edge.config.boundary import FACTS, OUTSIDE, Added, HeaderRules
from edge.config.snapshot import PolicySnapshot
from edge.config.trunks import EgressTrunk, IngressTrunk
from edge.proxy.facts import CallFacts
from edge.sip.errors import LocalError
from edge.sip.grammar import LWS
from edge.sip.headers import Message
from edge.sip.layout import Layout

_PLANS_MAX: Final = 512
_CROSSINGS_MAX: Final = 4096
_MARK_HALF: Final = 8

_IDENTITY: Final = b"p-asserted-identity"
_PRIVACY: Final = b"privacy"

Words = Mapping[str, str]
"""Facts of the call, by the names that rules have for them (`FACTS`); empty where one is not known."""
NO_WORDS: Final[Words] = dict.fromkeys(FACTS, "")


class _Plan(NamedTuple):
    """What one layout loses. Positions, the last one first."""

    lines: tuple[int, ...] = ()
    unbelieved: tuple[int, ...] = ()
    """P-Asserted-Identity that nobody may believe, unless policy has judged it."""
    private: bool = False
    """Is there a P-Asserted-Identity that Privacy may forbid (RFC 3325 §7)?"""
    asks: tuple[int, ...] = ()
    """Lines of Privacy to be taken off, which is not done where they say `none`."""


_NOTHING: Final = _Plan()


class Way:
    """From one neighbour to the other."""

    __slots__ = ("_added", "_first", "_plans", "_second", "adds", "reason")

    def __init__(self, first: HeaderRules, second: HeaderRules, reason: str) -> None:
        """Of who sends, and of who is sent to; `reason`: what the latter is told of causes."""
        self._first, self._second = first, second
        self._plans: dict[Layout, _Plan] = {}
        self._added = (*first.added, *second.added)
        self.adds = bool(self._added)
        """Are there headers of ours?"""
        self.reason = reason

    @property
    def is_open(self) -> bool:
        """Does everything cross as it is?"""
        return self._first == self._second == HeaderRules() and self.reason == "pass"

    @property
    def is_usual(self) -> bool:
        """Are there but the built-in rules?"""
        built_in = (OUTSIDE.rules_from, HeaderRules())
        return self._first in built_in and self._second in built_in and self.reason == "pass"

    def lets_all(self, layout: Layout) -> bool:
        """Does every message of this layout cross as it is?"""
        plan = self._plans.get(layout)
        if plan is None:
            plan = self._remember(layout)
        return plan is _NOTHING and not self.adds and self.reason == "pass"

    def cross(self, message: Message, words: Words, *kinds: bytes, is_judged: bool = False) -> None:
        """Take off and add. `kinds`: method, `requests` or `responses`. `is_judged`: policy has judged the
        P-Asserted-Identity of this message, and left what may be told."""
        plan = self._plans.get(message.layout)
        if plan is None:
            plan = self._remember(message.layout)
        if plan is not _NOTHING:
            _take_off(message, plan, is_judged)
        for header in self._added:
            if not header.into.isdisjoint(kinds):
                _add(message, header, words)

    def _remember(self, layout: Layout) -> _Plan:
        plan = self._plan(layout)
        if layout.is_kept:
            if len(self._plans) >= _PLANS_MAX:
                self._plans.clear()
            self._plans[layout] = plan
        return plan

    def _plan(self, layout: Layout) -> _Plan:
        first, second = self._first, self._second
        lines: list[int] = []
        unbelieved: list[int] = []
        asks: list[int] = []
        has_identity = False
        for name, positions in layout.positions.items():
            if first.takes(name) or second.takes(name):
                (asks if name == _PRIVACY else lines).extend(positions)
            elif name == _IDENTITY:
                has_identity = True
                if first.is_boundary and not first.keeps(name):
                    unbelieved.extend(positions)
        private = second.is_boundary and has_identity and _PRIVACY in layout.positions
        plan = _Plan(_backwards(lines), _backwards(unbelieved), private, _backwards(asks))
        return _NOTHING if plan == _NOTHING else plan


class Crossing(NamedTuple):
    """Both ways between the two neighbours of a call."""

    down: Way
    """From the ingress trunk to the egress trunk."""
    up: Way
    from_egress: bool
    """Is what stands behind the edge hidden from the egress trunk?"""
    from_ingress: bool
    """And from the ingress trunk?"""
    spared: bytes
    """Host of the egress trunk: it may see itself."""
    mark: bytes
    """Both trunks in a word, for a token that shall say what is done to the call (`Crossings.marked`); empty: nothing
    but what is usual."""

    @property
    def adds(self) -> bool:
        """Are there headers of ours?"""
        return self.down.adds or self.up.adds


class Crossings:
    """Of one policy: each pair of trunks once; None for a pair between which everything crosses as it is."""

    __slots__ = ("_by_mark", "_known", "_snapshot")

    def __init__(self, snapshot: PolicySnapshot) -> None:
        self._snapshot = snapshot
        self._known: dict[tuple[str, str], Crossing | None] = {}
        self._by_mark: dict[bytes, IngressTrunk | EgressTrunk] | None = None

    def between(self, ingress: IngressTrunk | None, egress: EgressTrunk) -> Crossing | None:
        """`ingress`: None for an emergency call of a neighbour whose trunk is not known."""
        key = ("" if ingress is None else ingress.id, egress.id)
        try:
            return self._known[key]
        except KeyError:
            if len(self._known) >= _CROSSINGS_MAX:
                self._known.clear()
            found = self._known[key] = _crossing(ingress, egress)
            return found

    def marked(self, mark: bytes) -> tuple[Crossing, IngressTrunk | None] | None:
        """The crossing that a token of ours names, of a call that this node does not know, and its ingress trunk."""
        if self._by_mark is None:  # few calls are unknown
            trunks: list[IngressTrunk | EgressTrunk] = [*self._snapshot.ingress, *self._snapshot.trunks.values()]
            self._by_mark = {_word(trunk): trunk for trunk in trunks}
        ingress, egress = self._by_mark.get(mark[:_MARK_HALF]), self._by_mark.get(mark[_MARK_HALF:])
        if not isinstance(egress, EgressTrunk) or isinstance(ingress, EgressTrunk):
            return None
        crossing = self.between(ingress, egress)
        return None if crossing is None else (crossing, ingress)


def _word(trunk: IngressTrunk | EgressTrunk | None) -> bytes:
    if trunk is None:
        return b"0" * _MARK_HALF
    kind = b"e" if isinstance(trunk, EgressTrunk) else b"i"
    return blake2b(kind + trunk.id.encode(), digest_size=_MARK_HALF // 2).hexdigest().encode()


def _crossing(ingress: IngressTrunk | None, egress: EgressTrunk) -> Crossing | None:
    there = egress.boundary
    here = HeaderRules() if ingress is None else ingress.boundary.rules_from
    back = HeaderRules() if ingress is None else ingress.boundary.rules_to
    down = Way(here, there.rules_to, there.reason)
    up = Way(there.rules_from, back, "pass" if ingress is None else ingress.boundary.reason)
    from_ingress = ingress is not None and ingress.boundary.hides
    hides = there.hides or from_ingress
    if down.is_open and up.is_open and not hides:
        return None
    is_usual = down.is_usual and up.is_usual and not hides
    mark = b"" if is_usual else _word(ingress) + _word(egress)
    return Crossing(down, up, there.hides, from_ingress, egress.host.encode(), mark)


def words_of(facts: CallFacts, egress: str, node: str) -> Words:
    """What headers of ours may say of a call."""
    return {
        "account": facts.account,
        "call_uid": facts.uid,
        "ingress_trunk": facts.ingress_trunk,
        "egress_trunk": egress,
        "called": facts.called,
        "node": node,
    }


def _take_off(message: Message, plan: _Plan, is_judged: bool) -> None:
    """All of it in one pass, from below: a position stays true until its line has gone."""
    words = _asked(message) if plan.private or plan.asks else frozenset()
    lines = plan.lines
    if plan.asks and b"none" not in words:
        lines += plan.asks
    if is_judged:
        pass
    elif plan.unbelieved:
        lines += plan.unbelieved
    elif plan.private and b"id" in words:
        lines += tuple(message.layout.positions[_IDENTITY])
    if lines:
        message.drop_lines(_backwards(lines))


def _asked(message: Message) -> frozenset[bytes]:
    """The values of Privacy; commas are read as the semicolons that were meant."""
    return frozenset(
        word.strip(LWS).lower() for line in message.values(_PRIVACY) for word in line.replace(b",", b";").split(b";")
    )


def _add(message: Message, header: Added, words: Words) -> None:
    """What came of that name goes; a value that cannot stand on one line is left out. Read back at once: a slip of ours
    must not leave."""
    try:
        value = header.value.format_map(words).encode("ascii")
    except UnicodeEncodeError:
        value = b""
    message.remove(header.canonical)
    if not value or not all(words[fact] for fact in words if "{" + fact + "}" in header.value):
        return
    if any(byte < 0x20 or byte == 0x7F for byte in value):
        return
    message.append(header.name, value)
    if message.values(header.canonical) != [value.strip(LWS)]:
        raise LocalError(f"{header.name.decode()}: not the value that was written")


def _backwards(positions: "tuple[int, ...] | list[int]") -> tuple[int, ...]:
    return tuple(sorted(positions, reverse=True))
