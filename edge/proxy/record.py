"""The record of a call that the store keeps beside its lease: what another node needs to close it, or to go on. Pure.

Two kinds: at admission, what the CDR needs; at the answer, that and the dialogs. Instants are UTC seconds, since
another node has another monotonic clock; listeners are kept by name. The store is ours, but what it holds may be old or
spoilt: a record that cannot be read is None.
"""

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import orjson

from edge.config.plan import NumberPlan
from edge.proxy.dialogs import MAX_DIALOGS, Dialog
from edge.proxy.facts import CallFacts
from edge.proxy.identifiers import MAX_FLOW_TEXT, Identifiers
from edge.proxy.presentation import Naming, naming_of
from edge.sip.errors import FieldError, ParseError
from edge.sip.message import Request, parse
from limits.model import NOTHING_IN_FORCE, InForce
from limits.rates import Price

if TYPE_CHECKING:
    from edge.proxy.call import Call
    from edge.proxy.node import Node

VERSION: Final = 1
MAX_RECORD_BYTES: Final = 8_192
"""A longer one is not kept: its call is only closed by another node, not gone on with."""

CSEQ_GAP: Final = 1_000
_CONTENT_LENGTH: Final = re.compile(rb"\r\n(?:content-length|l)[ \t]*:[^\r]*(?:\r\n[ \t][^\r]*)*", re.IGNORECASE)

_BLANK: Final = b"\r\n"
_GAP: Final = b"\r\n\r\n"

Record = dict[str, Any]

_T = TypeVar("_T")
_SPOILT: Final = (KeyError, TypeError, ValueError, AttributeError, FieldError, ParseError)
"""What reading a record may come to where some of it is not what we wrote."""

_TEXTS: Final = (
    "call_id", "from_tag", "to_tag", "source", "account", "ingress_trunk", "ingress_class", "egress_trunk",
    "cli_original", "cli_presented", "cli_network", "called_original", "called", "rule", "group", "zone", "rate_prefix",
    "currency",
)  # fmt: skip
_NUMBERS: Final = ("status", "in_use", "policy_generation", "paid_s")
_FLAGS: Final = ("withheld", "degraded")
_INSTANTS: Final = ("received_at", "decided_at", "sent_at", "ringing_at", "answered_at")
_WHERE_SET: Final[dict[str, type[str] | type[int] | type[bool]]] = {
    "listener": str, "route": str, "purpose": str, "cli_rewritten": str, "called_rewritten": str, "attestation": str,
    "attestation_source": str, "identified_by": str,
    "ruleset": str, "decided_by": str, "hold_micros": int, "holds": int, "automated": bool,
    "emergency": bool,
}  # fmt: skip
"""Kept only where they say something; a record of an older edge has none of them."""


def at_admission(facts: CallFacts, node: "Node", opening: bytes) -> bytes:
    """What its CDR needs, as `of_attempt`; of most attempts nothing more can be told by then. `opening`: of them."""
    return of_attempt(facts, node, opening) if facts.shadowed else opening + _NOTHING_YET


def of_attempt(facts: CallFacts, node: "Node", opening: bytes = b"") -> bytes:
    """At any time before the answer: what its CDR needs. `opening`: of it, where that has been made."""
    return (opening or opening_of(facts, node)) + _bytes(_course_of(facts, node.wall_offset))[1:]


def of_call(call: "Call", node: "Node") -> bytes:
    """At the answer, and whenever a remote target has moved: the dialogs too."""
    record = _course_of(call.facts, node.wall_offset)
    listeners = node.listeners.all
    record["invite"] = call.invite.decode("latin-1")
    record["inbound"] = listeners[call.inbound].name
    record["flow"] = Identifiers.flow_of(call.token).decode("latin-1")
    record["cseq"] = call.cseq
    record["holders"] = call.holders
    record["paid"] = call.paid
    record["store_away"] = call.store_away
    record["dialogs"] = [
        (
            tag.decode("latin-1"),
            dialog.answer.decode("latin-1"),
            dialog.cseq_ingress,
            dialog.cseq_egress,
            listeners[dialog.outbound].name,
            _text(dialog.target_ingress),
            _text(dialog.target_egress),
            dialog.session_s,
            dialog.cseq_shift,
        )
        for tag, dialog in call.dialogs.items()
        if dialog.is_confirmed and not dialog.ended
    ]
    opening = call.opening or opening_of(call.facts, node)
    data = opening + _bytes(record)[1:]
    return data if len(data) <= MAX_RECORD_BYTES else of_attempt(call.facts, node, opening)


def read(data: bytes) -> Record | None:
    """The record; None where it is not one of ours."""
    try:
        record = orjson.loads(data)
        if type(record) is not dict or record.get("v") != VERSION:
            return None
        if not all([type(record[name]) is str for name in _TEXTS]):
            return None
        return record
    except (ValueError, KeyError):
        return None


def facts_of(uid: str, record: Record, wall_offset: float) -> CallFacts | None:
    """The facts as far as the record has them; None where it is spoilt."""
    try:
        facts = CallFacts(uid, float(record["received_at"]) - wall_offset)
        for names, kind in ((_TEXTS, str), (_NUMBERS, int), (_FLAGS, bool)):
            for name in names:
                setattr(facts, name, _of_type(record[name], kind))
        for name in _INSTANTS[1:]:
            instant = record[name]
            setattr(facts, name, None if instant is None else float(instant) - wall_offset)
        facts.shadowed = tuple([_of_type(word, str) for word in record["shadowed"]])
        facts.candidates = [(_of_type(trunk, str), _of_type(status, int)) for trunk, status in record["candidates"]]
        for name, sort in _WHERE_SET.items():
            if name in record:
                setattr(facts, name, _of_type(record[name], sort))
        facts.tags = tuple([_of_type(word, str) for word in record.get("tags", ())])
        facts.cli_shadowed = tuple([_of_type(word, str) for word in record.get("cli_shadowed", ())])
        facts.tries = [
            (_moved(sent, wall_offset), _moved(ended, wall_offset)) for sent, ended in record.get("tries", ())
        ]
        causes = [_of_type(cause, int) for cause in record.get("causes", ())]
        facts.candidate_causes = (causes + [0] * len(facts.candidates))[: len(facts.candidates)]
        in_force = record.get("in_force")
        if in_force is not None:
            facts.in_force = InForce._make([_of_type(number, int) for number in in_force])
        price = record["price"]
        facts.price = None if price is None else Price(*[_of_type(number, int) for number in price])
    except _SPOILT:
        return None
    return facts


class Kept(NamedTuple):
    """What it takes to go on with a call."""

    invite: Request
    cseq: int
    inbound: str
    """Name of the listener of the ingress side."""
    holders: tuple[str, ...]
    paid: dict[str, int]
    store_away: str
    flow: bytes
    """Where the caller really is; empty: at its Contact."""
    dialogs: dict[bytes, Dialog]
    """The confirmed ones, by To tag."""
    naming: Naming | None
    """Where the callee knows another From than the caller wrote."""


def call_of(record: Record, listeners: dict[str, int], plan: NumberPlan, now: float) -> Kept | None:
    """The call; None where the record has no dialog to go on with, or is spoilt. `listeners`: index by name."""
    try:
        invite = parse(_bytes_of(record["invite"]))
        dialogs = _dialogs(record["dialogs"], listeners, now)
        holders = tuple([_of_type(name, str) for name in record["holders"]])
        if not isinstance(invite, Request) or not dialogs or not holders:
            return None
        invite.call_id(), invite.from_()
        rewritten = record.get("cli_rewritten", "")
        return Kept(
            invite=invite,
            cseq=_of_type(record["cseq"], int),
            inbound=_of_type(record["inbound"], str),
            holders=holders,
            paid={name: _of_type(seconds, int) for name, seconds in record["paid"].items()},
            store_away=_of_type(record["store_away"], str),
            flow=_flow(record.get("flow", "")),
            dialogs=dialogs,
            # A From that differs only because hosts are hidden from the trunk is no other name.
            naming=naming_of(invite, parse(next(iter(dialogs.values())).answer), plan) if rewritten else None,
        )
    except _SPOILT:
        return None


def _flow(value: object) -> bytes:
    text = _bytes_of(value)
    if text and (not text.isalnum() or len(text) > MAX_FLOW_TEXT):
        raise ValueError("no flow")
    return text


def holders_of(record: Record) -> tuple[str, ...]:
    """Whose leases the call had; none where that cannot be read."""
    holders = record.get("holders")
    return tuple([name for name in holders if type(name) is str]) if type(holders) is list else ()


def _dialogs(rows: list[list[object]], listeners: dict[str, int], now: float) -> dict[bytes, Dialog]:
    """CSeq numbers go on well above those kept, since the other node may have counted further: a gap is allowed
    (RFC 3261 §12.2.1.1)."""
    dialogs = {}
    for tag, answer, ingress, egress, listener, target_ingress, target_egress, *later in rows[:MAX_DIALOGS]:
        dialog = Dialog(_of_type(ingress, int) + CSEQ_GAP)
        dialog.cseq_gap = CSEQ_GAP
        dialog.confirm(_bytes_of(answer), listeners.get(_of_type(listener, str), 0), now)
        dialog.cseq_egress = _of_type(egress, int) + CSEQ_GAP
        dialog.acked = True
        # When it was last refreshed nobody knows here: it has a whole interval from now.
        dialog.refreshed(_of_type(later[0], int) if later else 0, now)
        dialog.cseq_shift = _of_type(later[1], int) if len(later) > 1 else 0
        dialog.target_ingress = _bytes_of(target_ingress) or None
        dialog.target_egress = _bytes_of(target_egress) or None
        dialogs[_bytes_of(tag)] = dialog
    return dialogs


def _moved(instant: float | None, offset: float) -> float | None:
    return None if instant is None else float(instant) - offset


def _bytes_of(value: object) -> bytes:
    return _of_type(value, str).encode("latin-1")


def _of_type(value: object, kind: type[_T]) -> _T:
    if not isinstance(value, kind) or type(value) is not kind:  # True is no number
        raise TypeError(f"{value!r:.40}: expected {kind.__name__}")
    return value


def opening_of(facts: CallFacts, node: "Node") -> bytes:
    """What no later event changes of a judged attempt, ready for each record of it: an object that is still open."""
    # Written out: asking by name for what stands in the slots took three times as long.
    record: Record = {
        "call_id": facts.call_id,
        "from_tag": facts.from_tag,
        "source": facts.source,
        "account": facts.account,
        "ingress_trunk": facts.ingress_trunk,
        "ingress_class": facts.ingress_class,
        "cli_original": facts.cli_original,
        "cli_presented": facts.cli_presented,
        "cli_network": facts.cli_network,
        "called_original": facts.called_original,
        "called": facts.called,
        "rule": facts.rule,
        "zone": facts.zone,
        "rate_prefix": facts.rate_prefix,
        "currency": facts.currency,
        "policy_generation": facts.policy_generation,
        "withheld": facts.withheld,
        "received_at": facts.received_at + node.wall_offset,
        "v": VERSION,
        "price": None if facts.price is None else list(facts.price),
    }
    if facts.listener:
        record["listener"] = facts.listener
    if facts.route:
        record["route"] = facts.route
    if facts.identified_by:
        record["identified_by"] = facts.identified_by
    if facts.purpose:
        record["purpose"] = facts.purpose
    if facts.attestation:
        record["attestation"] = facts.attestation
    if facts.attestation_source:
        record["attestation_source"] = facts.attestation_source
    if facts.ruleset:
        record["ruleset"] = facts.ruleset
    if facts.automated:
        record["automated"] = True
    if facts.emergency:
        record["emergency"] = True
    if facts.cli_shadowed:
        record["cli_shadowed"] = facts.cli_shadowed
    if facts.cli_rewritten:
        record["cli_rewritten"] = facts.cli_rewritten
    if facts.tags:
        record["tags"] = facts.tags
    return _bytes(record)[:-1] + b","


def _course_of(facts: CallFacts, offset: float) -> Record:
    """The rest: what has become of it so far."""
    decided_at, sent_at, ringing_at, answered_at = (
        facts.decided_at, facts.sent_at, facts.ringing_at, facts.answered_at,
    )  # fmt: skip
    record: Record = {
        "to_tag": facts.to_tag,
        "egress_trunk": facts.egress_trunk,
        "group": facts.group,
        "status": facts.status,
        "in_use": facts.in_use,
        "paid_s": facts.paid_s,
        "degraded": facts.degraded,
        "decided_at": None if decided_at is None else decided_at + offset,
        "sent_at": None if sent_at is None else sent_at + offset,
        "ringing_at": None if ringing_at is None else ringing_at + offset,
        "answered_at": None if answered_at is None else answered_at + offset,
        "shadowed": facts.shadowed,
        "candidates": facts.candidates,
    }
    if facts.called_rewritten:
        record["called_rewritten"] = facts.called_rewritten
    if facts.decided_by:
        record["decided_by"] = facts.decided_by
    if facts.hold_micros:
        record["hold_micros"] = facts.hold_micros
    if facts.holds:
        record["holds"] = facts.holds
    if facts.tries:
        record["tries"] = [(_moved(sent, -offset), _moved(ended, -offset)) for sent, ended in facts.tries]
    if any(facts.candidate_causes):
        record["causes"] = facts.candidate_causes
    if facts.in_force is not NOTHING_IN_FORCE and facts.in_force.generation:
        record["in_force"] = list(facts.in_force)
    return record


def _bytes(record: Record) -> bytes:
    try:
        return orjson.dumps(record)
    except (orjson.JSONEncodeError, UnicodeError):
        texts = {name: value for name, value in record.items() if isinstance(value, str)}
        return orjson.dumps(
            {**record, **{name: value.encode("ascii", "replace").decode() for name, value in texts.items()}}
        )


_NOTHING_YET: Final = _bytes(_course_of(CallFacts("", 0.0), 0.0))[1:]


def head_of(message: bytes) -> bytes:
    """The message without its body, which nobody needs once the call is up, nor its length (§18.3: none means, to the
    end)."""
    head, gap, body = (message if message[0] not in _BLANK else message.lstrip(_BLANK)).partition(_GAP)
    if body:
        last = head.rfind(b"\r\n")
        # Most have it last; and none has two (`edge.sip.layout.SINGLE`).
        is_last = head[last + 2 :].startswith(b"Content-Length:")
        head = head[:last] if is_last else _CONTENT_LENGTH.sub(b"", head)
    return head + gap


def is_copy(kept: bytes, message: bytes) -> bool:
    """Is this, but for its body, the message that a record has kept?"""
    return head_of(message) == kept


def _text(target: bytes | None) -> str:
    return "" if target is None else target.decode("latin-1")
