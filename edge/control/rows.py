"""A running call as an operator sees it, in a list and alone; how numbers are compared. Pure.

Instants are UTC milliseconds; None: it has not happened.
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from edge.proxy.facts import CallFacts

Text = Annotated[str, Field(max_length=2_000)]
MIN_DIGITS = 5
"""A number that has no more digits is compared whole: a short code is no end of another number."""


@dataclass(frozen=True, slots=True)
class CallRow:
    """One call in a list."""

    uid: Text
    node: Text
    state: Text
    account: Text
    ingress_trunk: Text
    egress_trunk: Text
    cli: Text
    """The number presented; `anonymous` … as it came where it could not be read."""
    called: Text
    source: Text
    received_ms: int
    answered_ms: int | None
    emergency: bool
    degraded: bool
    call_id: Text


@dataclass(frozen=True, slots=True)
class Calls:
    """What one node, or all of them, have found."""

    calls: tuple[CallRow, ...]
    """The newest first."""
    more: bool
    """There are more that match than were asked for."""
    held: int
    """All calls held."""
    silent: tuple[Text, ...] = ()
    """Nodes that live and did not answer: their calls are missing here."""


@dataclass(frozen=True, slots=True)
class Try:
    """One egress trunk that was tried."""

    trunk: Text
    status: int
    """Its final status; 0: none yet."""
    sent_ms: int | None
    ended_ms: int | None


@dataclass(frozen=True, slots=True)
class DialogRow:
    """One dialog of a call: a callee that forks makes several."""

    to_tag: Text
    is_confirmed: bool
    is_acked: bool
    is_ended: bool
    is_leaving: bool
    session_s: int
    """Session interval (RFC 4028); 0: none."""
    expires_ms: int | None
    """When the session ends by itself."""
    probes_missed: int


@dataclass(frozen=True, slots=True)
class CallDetail:
    """All there is to know of one call."""

    row: CallRow
    from_tag: Text
    listener: Text
    route: Text
    rule: Text
    ruleset: Text
    group: Text
    zone: Text
    rate_micros: int | None
    """Per minute, of the price frozen at the decision; None: it has none."""
    currency: Text
    tags: tuple[Text, ...]
    purpose: Text
    cli_rewritten: Text
    called_original: Text
    withheld: bool
    holders: tuple[Text, ...]
    """Whose leases it has: account, `group:ID`, `trunk:ID`."""
    decided_by: Text
    caps_in_force: int
    calls_in_force: int
    policy_generation: int
    adopted_from: Text
    decided_ms: int | None
    sent_ms: int | None
    ringing_ms: int | None
    paid_s: int
    """Talk that was held, in all; with a price only."""
    paid_until_ms: int | None
    hold_micros: int
    tries: tuple[Try, ...]
    dialogs: tuple[DialogRow, ...]
    hang_up_cause: Text
    """Why the edge wants it ended while it is being set up."""


def has_number(facts: CallFacts, number: str) -> bool:
    """Is it this call's calling or called number, in whatever spelling?"""
    digits = significant(number)
    numbers = (facts.cli_presented, facts.cli_original, facts.cli_network, facts.called, facts.called_original)
    return any(is_same_number(digits, number) for number in numbers if number)


def significant(number: str) -> str:
    """The digits of a number without what only spells its reach: `+33 6 12 34 56 78` and `0612345678` end alike."""
    digits = "".join([char for char in number if char in "0123456789"])
    if number.strip().startswith("+"):
        return digits
    return digits.lstrip("0") if len(digits) > MIN_DIGITS else digits


def is_same_number(digits: str, other: str) -> bool:
    """Does the other number end in these digits, or these in it?"""
    theirs = significant(other)
    if min(len(digits), len(theirs)) <= MIN_DIGITS:
        return digits == theirs
    return theirs.endswith(digits) or digits.endswith(theirs)
