"""The record of a call that the store keeps beside its lease: what another node needs to close it, or to go on. Pure.

Two kinds: at admission, what the CDR needs; at the answer, that and the dialogs. Instants are UTC seconds, since
another node has another monotonic clock; listeners are kept by name. The store is ours, but what it holds may be old or
spoilt: a record that cannot be read is None.
"""

from typing import TYPE_CHECKING, Any

import orjson

from edge.proxy.dialogs import Dialog
from edge.proxy.facts import CallFacts
from limits.rates import Price

if TYPE_CHECKING:
    from edge.proxy.call import Call
    from edge.proxy.node import Node

VERSION = 1
MAX_RECORD_BYTES = 8_192
"""A longer one is not kept: its call is only closed by another node, not gone on with."""

Record = dict[str, Any]

_TEXTS = (
    "call_id", "from_tag", "to_tag", "source", "account", "ingress_trunk", "ingress_class", "egress_trunk",
    "cli_original", "cli_presented", "cli_network", "called_original", "called", "rule", "group", "zone", "rate_prefix",
    "currency",
)  # fmt: skip
_NUMBERS = ("status", "in_use", "policy_generation", "paid_s")
_FLAGS = ("withheld", "degraded")
_INSTANTS = ("received_at", "decided_at", "sent_at", "ringing_at", "answered_at")


def of_attempt(facts: CallFacts, node: "Node") -> bytes:
    """At admission: what its CDR needs."""
    return _bytes(_facts_record(facts, node.wall_offset))


def of_call(call: "Call", node: "Node") -> bytes:
    """At the answer, and whenever a remote target has moved: the dialogs too."""
    record = _facts_record(call.facts, node.wall_offset)
    listeners = node.listeners.all
    record["invite"] = _head(call.invite)
    record["inbound"] = listeners[call.inbound].name
    record["cseq"] = call.cseq
    record["holders"] = call.holders
    record["paid"] = call.paid
    record["store_away"] = call.store_away
    record["dialogs"] = [
        (
            tag.decode("latin-1"),
            _head(dialog.answer),
            dialog.cseq_ingress,
            dialog.cseq_egress,
            listeners[dialog.outbound].name,
            _text(dialog.target_ingress),
            _text(dialog.target_egress),
        )
        for tag, dialog in call.dialogs.items()
        if dialog.is_confirmed and not dialog.ended
    ]
    data = _bytes(record)
    return data if len(data) <= MAX_RECORD_BYTES else of_attempt(call.facts, node)


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


def facts_of(uid: str, record: Record, wall_offset: float) -> CallFacts:
    """The facts as far as the record has them. Raises KeyError, TypeError, ValueError where it is spoilt."""
    facts = CallFacts(uid, float(record["received_at"]) - wall_offset)
    for name in (*_TEXTS, *_NUMBERS, *_FLAGS):
        setattr(facts, name, record[name])
    for name in _INSTANTS[1:]:
        instant = record[name]
        setattr(facts, name, None if instant is None else float(instant) - wall_offset)
    facts.shadowed = tuple([str(word) for word in record["shadowed"]])
    facts.candidates = [(str(trunk), int(status)) for trunk, status in record["candidates"]]
    price = record["price"]
    facts.price = None if price is None else Price(*[int(number) for number in price])
    return facts


def dialogs_of(record: Record, outbound: dict[str, int], now: float) -> dict[bytes, Dialog]:
    """The confirmed dialogs, by To tag. CSeq numbers go on well above those kept, since the other node may have counted
    further: a gap is allowed (RFC 3261 §12.2.1.1). Raises KeyError, TypeError, ValueError."""
    dialogs = {}
    for tag, answer, ingress, egress, listener, target_ingress, target_egress in record["dialogs"]:
        dialog = Dialog(int(ingress) + CSEQ_GAP)
        dialog.confirm(answer.encode("latin-1"), outbound[listener], now)
        dialog.cseq_egress = int(egress) + CSEQ_GAP
        dialog.acked = True
        dialog.target_ingress = target_ingress.encode("latin-1") or None
        dialog.target_egress = target_egress.encode("latin-1") or None
        dialogs[tag.encode("latin-1")] = dialog
    return dialogs


CSEQ_GAP = 1_000


def _facts_record(facts: CallFacts, wall_offset: float) -> Record:
    record: Record = {name: getattr(facts, name) for name in (*_TEXTS, *_NUMBERS, *_FLAGS)}
    for name in _INSTANTS:
        instant = getattr(facts, name)
        record[name] = None if instant is None else instant + wall_offset
    record["v"] = VERSION
    record["shadowed"] = facts.shadowed
    record["candidates"] = facts.candidates
    record["price"] = facts.price
    return record


def _bytes(record: Record) -> bytes:
    try:
        return orjson.dumps(record)
    except (orjson.JSONEncodeError, UnicodeError):
        texts = {name: value for name, value in record.items() if name in _TEXTS}
        return orjson.dumps(
            {**record, **{name: value.encode("ascii", "replace").decode() for name, value in texts.items()}}
        )


def _head(message: bytes) -> str:
    """The message without its body, which nobody needs any more."""
    head, gap, _ = message.partition(b"\r\n\r\n")
    return (head + gap).decode("latin-1")


def _text(target: bytes | None) -> str:
    return "" if target is None else target.decode("latin-1")
