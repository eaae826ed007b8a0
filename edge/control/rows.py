"""A running call as an operator sees it, in a list and alone; which calls a filter means. Pure.

Instants are UTC milliseconds; None: it has not happened.
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from edge.control.questions import CallFilter
from edge.proxy.call import Call
from edge.proxy.dialogs import Dialog
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


def row_of(call: Call, node: str, wall_offset: float) -> CallRow:
    """`wall_offset`: UTC seconds less monotonic seconds."""
    facts = call.facts
    return CallRow(
        call.uid,
        node,
        call.state.value,
        facts.account,
        facts.ingress_trunk,
        facts.egress_trunk,
        facts.cli_presented or facts.cli_original,
        facts.called or facts.called_original,
        facts.source,
        _ms(facts.received_at, wall_offset) or 0,
        _ms(facts.answered_at, wall_offset),
        facts.emergency,
        facts.degraded,
        facts.call_id,
    )


def detail_of(call: Call, node: str, wall_offset: float) -> CallDetail:
    """The same call alone."""
    facts = call.facts
    paid_until = None
    if facts.answered_at is not None and facts.paid_s:
        paid_until = _ms(facts.answered_at + facts.paid_s, wall_offset)
    return CallDetail(
        row=row_of(call, node, wall_offset),
        from_tag=facts.from_tag,
        listener=facts.listener,
        route=facts.route,
        rule=facts.rule,
        ruleset=facts.ruleset,
        group=facts.group,
        zone=facts.zone,
        rate_micros=None if facts.price is None else facts.price.rate_micros,
        currency=facts.currency,
        tags=facts.tags,
        purpose=facts.purpose,
        cli_rewritten=facts.cli_rewritten,
        called_original=facts.called_original,
        withheld=facts.withheld,
        holders=call.holders,
        decided_by=facts.decided_by,
        caps_in_force=facts.in_force.caps,
        calls_in_force=facts.in_force.calls,
        policy_generation=facts.policy_generation,
        adopted_from=facts.adopted_from,
        decided_ms=_ms(facts.decided_at, wall_offset),
        sent_ms=_ms(facts.sent_at, wall_offset),
        ringing_ms=_ms(facts.ringing_at, wall_offset),
        paid_s=facts.paid_s,
        paid_until_ms=paid_until,
        hold_micros=facts.hold_micros,
        tries=_tries(facts, wall_offset),
        dialogs=tuple([_dialog(tag, dialog, wall_offset) for tag, dialog in call.dialogs.items()]),
        hang_up_cause=call.hang_up_cause,
    )


def matches(call: Call, wanted: CallFilter) -> bool:
    """Is it one of those?"""
    facts = call.facts
    return (
        call.uid.startswith(wanted.uid)
        and (not wanted.account or facts.account == wanted.account)
        and (not wanted.state or call.state.value == wanted.state)
        and (not wanted.trunk or wanted.trunk in (facts.ingress_trunk, facts.egress_trunk))
        and (not wanted.call_id or facts.call_id == wanted.call_id)
        and (not wanted.source or wanted.source in (facts.source, facts.source.rpartition(":")[0]))
        and (not wanted.number or has_number(facts, wanted.number))
    )


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


def _ms(at: float | None, wall_offset: float) -> int | None:
    return None if at is None else int((at + wall_offset) * 1_000)


def _tries(facts: CallFacts, wall_offset: float) -> tuple[Try, ...]:
    # An adopted call has had tries that nobody here has the instants of.
    times = [*facts.tries, *[(None, None)] * (len(facts.candidates) - len(facts.tries))]
    return tuple(
        [
            Try(trunk, status, _ms(sent, wall_offset), _ms(ended, wall_offset))
            for (trunk, status), (sent, ended) in zip(facts.candidates, times, strict=False)
        ]
    )


def _dialog(tag: bytes, dialog: Dialog, wall_offset: float) -> DialogRow:
    return DialogRow(
        tag.decode("utf-8", "replace"),
        dialog.is_confirmed,
        dialog.acked,
        dialog.ended,
        dialog.leaving > 0,
        dialog.session_s,
        _ms(dialog.expires_at, wall_offset),
        max(dialog.missed.values()),
    )
