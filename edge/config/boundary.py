"""What may cross between the edge and a trunk: header rules, what is said of causes. Schema and compiled form. Pure.

RFC 3325 §5 and §7 (a trust domain and its edge), RFC 3323 (Privacy), RFC 7315 §5 (P- headers of a network are taken off
where it ends), RFC 3398 (causes). Imports pydantic, this room's fields and SIP's grammar.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StrictBool, StringConstraints

from edge.config.fields import PROTECTED_HEADERS, HeaderName, Identifier, Section, Status
from edge.sip.grammar import canonical

FACTS = ("account", "call_uid", "ingress_trunk", "egress_trunk", "called", "node")
"""What the value of an added header may name in braces."""

_PATTERN = r"^(\*|[A-Za-z0-9.!%_+`'~-]{1,64}\*?)$"
_VALUE = r"^[!-~]([ -~]{0,254}[!-~])?$"
_WHERE = r"^([A-Z]{1,32}|requests|responses)$"

_NEVER = PROTECTED_HEADERS | {
    "content-encoding", "e", "www-authenticate", "proxy-authenticate", "authentication-info", "session-expires", "x",
    "min-se", "reason", "event", "o", "subscription-state", "refer-to", "r", "replaces", "expires", "min-expires",
    "retry-after", "unsupported", "allow", "max-breadth", "target-dialog", "timestamp", "join",
}  # fmt: skip
"""What no pattern takes: without them calls do not work."""


def _pattern(text: str) -> str:
    if text.lower() in _NEVER:
        raise ValueError("expected a header that is not one of the protocol's own")
    return text


def _value(text: str) -> str:
    rest = text
    for fact in FACTS:
        rest = rest.replace("{" + fact + "}", "")
    if "{" in rest or "}" in rest:
        raise ValueError("expected only " + ", ".join("{" + fact + "}" for fact in FACTS) + " in braces")
    return text


HeaderPattern = Annotated[str, StringConstraints(pattern=_PATTERN), AfterValidator(_pattern)]
AddedValue = Annotated[str, StringConstraints(pattern=_VALUE), AfterValidator(_value)]
Where = Annotated[str, StringConstraints(pattern=_WHERE)]

BOUNDARY = "boundary"
OPEN = "open"
BUILT_IN_RULES = (BOUNDARY, OPEN)


class AddedHeader(Section):
    """A header of ours; what came of that name goes."""

    name: HeaderName = Field(description="Its name.", examples=["X-Account"])
    value: AddedValue = Field(
        description="Its value, printable ASCII; `{account}`, `{call_uid}`, `{ingress_trunk}`, `{egress_trunk}`, "
        "`{called}` and `{node}` are filled in. Where one of them is not known the header is left out.",
        examples=["{account}"],
    )
    into: tuple[Where, ...] = Field(
        default=("INVITE",),
        min_length=1,
        max_length=16,
        description="In which messages: methods, `requests`, `responses`.",
        examples=[["requests", "responses"]],
    )


class HeaderRulesEntry(Section):
    """What is done to the headers of everything that crosses: requests and responses, inside and outside dialogs."""

    base: Literal["boundary", "open"] | None = Field(
        default=None,
        description="What goes besides: `boundary`, the headers that mean something within a trust domain alone "
        "(RFC 3325, RFC 7315); `open`, nothing. Left out: `open` at a trusted trunk, `boundary` at any other.",
        examples=["boundary"],
    )
    strip: tuple[HeaderPattern, ...] = Field(
        default=(),
        max_length=256,
        description="Headers taken off; a star at the end stands for any ending, alone for all that the protocol "
        "can do without. `Privacy: none` stays (RFC 3323 §4.2).",
        examples=[["X-*", "User-Agent", "Server", "Diversion", "History-Info", "Remote-Party-ID"]],
    )
    keep: tuple[HeaderPattern, ...] = Field(
        default=(),
        max_length=256,
        description="Headers that stay, whatever `strip` and `base` say.",
        examples=[["X-Order"]],
    )
    add: tuple[AddedHeader, ...] = Field(default=(), max_length=32, description="Headers of ours.", examples=[])


class Boundary(Section):
    """What crosses between the edge and this trunk."""

    headers_from: Identifier | None = Field(
        default=None,
        description="Header rules for what it sends: the name of one of `header_rules`, `boundary` or `open`. Left "
        "out: `open` for a trusted trunk, else `boundary`.",
        examples=["from-carrier"],
    )
    headers_to: Identifier | None = Field(
        default=None,
        description="Header rules for what is sent to it; the same names and the same default.",
        examples=["to-carrier"],
    )
    reason: Literal["pass", "q850", "strip"] = Field(
        default="pass",
        description="What it is told of causes (RFC 3326): what comes (`pass`), a Q.850 cause in every failure, BYE "
        "and CANCEL that has none, by the table of RFC 3398 §8.2.6.1 (`q850`), or nothing of what others say "
        "(`strip`).",
        examples=["q850"],
    )
    status_from_cause: tuple[Status, ...] = Field(
        default=(),
        max_length=32,
        description="Statuses of its failures that say too little: with a Q.850 cause beside them they become the "
        "status of the table of RFC 3398 §7.2.4.1, for failover and for the caller.",
        examples=[[500, 503]],
    )
    hide_topology: StrictBool = Field(
        default=False,
        description="Is nothing told it of who stands behind the edge? Vias, Record-Routes, Contacts and hosts in "
        "Call-IDs "
        "of the other side are hidden, numeric addresses in all other headers become ours (RFC 3323 §5.1). Bodies "
        "stay.",
        examples=[True],
    )


@dataclass(frozen=True, slots=True)
class Added:
    """One header of ours."""

    name: bytes
    """As printed."""
    canonical: bytes
    value: str
    """With the names of facts in braces."""
    into: frozenset[bytes]
    """Methods, `requests`, `responses`."""


@dataclass(frozen=True, slots=True)
class HeaderRules:
    """A set of rules, for one trunk and one direction."""

    names: frozenset[bytes] = frozenset()
    beginnings: tuple[bytes, ...] = ()
    kept: frozenset[bytes] = frozenset()
    kept_beginnings: tuple[bytes, ...] = ()
    is_boundary: bool = False
    """Is the other side outside our trust domain? Its P-Asserted-Identity means nothing; ours goes there only where
    Privacy does not ask for `id` (RFC 3325 §5, §7)."""
    added: tuple[Added, ...] = ()

    def takes(self, name: bytes) -> bool:
        """Is a header of this canonical name taken off?"""
        if name in self.kept or (self.kept_beginnings and name.startswith(self.kept_beginnings)):
            return False
        if name in self.names:
            return True
        return bool(self.beginnings) and name.startswith(self.beginnings) and name not in _NEVER_TAKEN

    def keeps(self, name: bytes) -> bool:
        """Is it expressly kept?"""
        return name in self.kept or (bool(self.kept_beginnings) and name.startswith(self.kept_beginnings))


_NEVER_TAKEN = frozenset(canonical(name.encode()) for name in _NEVER)
_OF_A_DOMAIN = frozenset(
    (
        b"p-preferred-identity", b"p-preferred-service", b"p-asserted-service", b"p-charging-vector",
        b"p-charging-function-addresses", b"p-access-network-info", b"p-visited-network-id", b"p-served-user",
        b"p-user-database", b"p-profile-key", b"p-private-network-indication",
    )
)  # fmt: skip
"""Headers that mean something inside a trust domain alone (RFC 3325 §9.2, RFC 6050, RFC 7315 §5, RFC 7316)."""

_BUILT_IN = {BOUNDARY: HeaderRules(names=_OF_A_DOMAIN, is_boundary=True), OPEN: HeaderRules()}


@dataclass(frozen=True, slots=True)
class TrunkBoundary:
    """A trunk's boundary as calls need it."""

    rules_from: HeaderRules = _BUILT_IN[BOUNDARY]
    rules_to: HeaderRules = _BUILT_IN[BOUNDARY]
    reason: str = "pass"
    status_from_cause: frozenset[int] = frozenset()
    hides: bool = False
    """Is it told nothing of who stands on the other side?"""


OUTSIDE = TrunkBoundary()
"""Of a trunk that is not trusted and of which nothing else is said."""


def boundary_of(entry: Boundary, rules: Mapping[str, HeaderRulesEntry], *, trusted: bool) -> TrunkBoundary:
    """Of one trunk; every name is defined (`references`)."""
    return TrunkBoundary(
        rules_from=_rules(entry.headers_from, rules, trusted),
        rules_to=_rules(entry.headers_to, rules, trusted),
        reason=entry.reason,
        status_from_cause=frozenset(entry.status_from_cause),
        hides=entry.hide_topology,
    )


def _rules(name: str | None, entries: Mapping[str, HeaderRulesEntry], trusted: bool) -> HeaderRules:
    usual = OPEN if trusted else BOUNDARY
    if name is None or name in BUILT_IN_RULES:
        return _BUILT_IN[name or usual]
    entry = entries[name]
    base = _BUILT_IN[entry.base or usual]
    names, beginnings = _split(entry.strip)
    kept, kept_beginnings = _split(entry.keep)
    added = tuple(
        Added(one.name.encode(), canonical(one.name.encode()), one.value, frozenset(map(str.encode, one.into)))
        for one in entry.add
    )
    return HeaderRules(base.names | names, beginnings, kept, kept_beginnings, base.is_boundary, added)


def _split(patterns: tuple[str, ...]) -> tuple[frozenset[bytes], tuple[bytes, ...]]:
    """Whole names, and beginnings."""
    whole = frozenset(canonical(text.encode()) for text in patterns if not text.endswith("*"))
    return whole, tuple(text[:-1].lower().encode() for text in patterns if text.endswith("*"))
