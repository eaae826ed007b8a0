"""The facts of one call attempt become one line of JSON.

Pure: the caller gives the sequence number, and the instants are made from the facts' own monotonic seconds, so that a
duration is never negative whatever happens to the wall clock. Imports the standard library, orjson, the facts and the
record. Every string may come from a hostile caller: a line is always one line, always valid UTF-8, and bounded.
"""

from datetime import datetime
from typing import Final

import orjson

from edge.cdr.instants import Instants
from edge.cdr.marks import DEFAULT, MarkThresholds, marks
from edge.cdr.record import SCHEMA_VERSION, CallOutcome
from edge.cdr.short_road import Json, Pair, ShortRoad, Times
from edge.proxy.facts import CallFacts
from edge.proxy.shed import Sender, Shed
from limits import rates
from limits.rates import Price

MAX_LINE_BYTES: Final = 4_096
"""Longest line the ordinary road lets through; a longer one has its texts cut."""
MAX_TEXT_CHARS: Final = 200
"""What is left of each text of an over-long record: some 25 of them, escaped at most six bytes a character."""
MAX_SHED_LINES: Final = 20_000
"""Senders whose refusals at the door are kept half rendered."""
MAX_CANDIDATES: Final = 64
"""Trunks listed in an over-long record."""

_OPTIONS: Final = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z
_SHED_COLUMNS: Final = (
    "seq", "uid", "source", "call_id", "from_tag", "cli_original", "cli_presented", "withheld", "called_original",
    "called", "received_at", "decided_at", "released_at",
)  # fmt: skip
"""In the order of the columns."""
_GAVE_UP: Final = frozenset({"cancelled", "abandoned"})

_NO_PRICE: Final = Price(0, 0, 0, 0, 0)


def outcome_of(facts: CallFacts) -> CallOutcome:
    """The one word for how it ended, from what happened and not from what anybody claims."""
    if facts.answered_at is not None:
        return CallOutcome.ANSWERED
    if facts.status == 487 or facts.reason in _GAVE_UP:
        return CallOutcome.ABANDONED if facts.sent_at is None else CallOutcome.CANCELLED
    # What a node that died had admitted was no refusal, whether it had been sent on or not.
    return CallOutcome.REFUSED if facts.sent_at is None and not facts.lost else CallOutcome.FAILED


def duration_ms(facts: CallFacts) -> int:
    """Answer to release in milliseconds, rounded down; 0 when not answered or not released yet."""
    return facts.duration_ms


class CdrBuilder:
    """Builds the lines of one process run.

    `wall0` (UTC seconds) and `mono0` (monotonic seconds) are one instant, read together when the process starts.
    """

    __slots__ = ("_instants", "_node", "_shed_lines", "_short", "_thresholds")

    def __init__(self, node: str, *, wall0: float, mono0: float, thresholds: MarkThresholds = DEFAULT) -> None:
        self._node = _safe(node)
        self._thresholds = thresholds
        self._instants = Instants(wall0 - mono0)
        self._short = ShortRoad(self._node, self._instants, thresholds, self._columns)
        self._shed_lines: dict[Sender, bytes] = {}

    def line(self, facts: CallFacts, seq: int) -> bytes:
        """One record with its newline. Never raises on what a caller sent."""
        try:
            line = self._short.line(facts, seq).encode()
        except (ValueError, TypeError, OverflowError):  # lone surrogates, or a number that 64 bits do not hold
            line = b""
        return line if line and len(line) <= MAX_LINE_BYTES else self.complete(facts, seq)

    def complete(self, facts: CallFacts, seq: int) -> bytes:
        """The same by the long road, which says what it is: every column by its name, whatever its values."""
        values = self._columns(facts, seq)
        try:
            line = orjson.dumps(values, option=_OPTIONS)
        except (orjson.JSONEncodeError, UnicodeError):  # lone surrogates, or a number that 64 bits do not hold
            line = b""
        if line and len(line) <= MAX_LINE_BYTES:
            return line
        return orjson.dumps({name: _bounded(value) for name, value in values.items()}, option=_OPTIONS)

    def shed_line(self, shed: Shed, seq: int) -> bytes:
        """As `line`, of an attempt that was refused at the door, by a short way: what all attempts of its sender share
        is rendered once (a test compares with the long way)."""
        pattern = self._shed_lines.get(shed.sender) or self._shed_pattern(shed)
        at = self._instants.text(shed.at).encode()
        texts = [shed.uid, shed.source, shed.call_id, shed.from_tag, shed.cli_original, shed.cli_presented,
                 shed.called_original, shed.called]  # fmt: skip
        try:
            # A list, not `map`: unpacking an iterator that raises, the compiled form says that it was too short.
            uid, source, call_id, from_tag, original, presented, dialled, called = [orjson.dumps(t) for t in texts]
        except (orjson.JSONEncodeError, UnicodeError):
            return self.line(shed.facts(), seq)
        withheld = b"true" if shed.withheld else b"false"
        line = pattern % (
            seq, uid, source, call_id, from_tag, original, presented, withheld, dialled, called, at, at, at
        )  # fmt: skip
        return line if len(line) <= MAX_LINE_BYTES else self.line(shed.facts(), seq)

    def _shed_pattern(self, shed: Shed) -> bytes:
        """A line of this sender with places for the columns that differ, in their order."""
        facts = shed._replace(at=0.0).facts()
        values = self._columns(facts)
        marks = {name: f"\1{name}\1" for name in _SHED_COLUMNS}
        line = orjson.dumps(values | marks, option=_OPTIONS).replace(b"%", b"%%")
        for name, mark in marks.items():
            place = b"%d" if name == "seq" else b"%b"
            line = line.replace(orjson.dumps(mark), place)
        if len(self._shed_lines) >= MAX_SHED_LINES:
            self._shed_lines.clear()
        self._shed_lines[shed.sender] = line
        return line

    def _columns(self, facts: CallFacts, seq: int = 0) -> dict[str, Json]:
        return self._values(facts, seq) | self._more(facts)

    def _values(self, facts: CallFacts, seq: int) -> dict[str, Json]:
        """The first columns in the order of `record.COLUMNS` (a test compares). Written out: this is the hot road."""
        instant = self._instants.moment
        received = facts.received_at
        decided = facts.decided_at
        sent = facts.sent_at
        ringing = facts.ringing_at
        answered = facts.answered_at
        released = facts.released_at
        is_billed = facts.is_billed
        price = facts.price or _NO_PRICE
        return {
            "v": SCHEMA_VERSION,
            "seq": seq,
            "node": self._node,
            "uid": facts.uid,
            "outcome": outcome_of(facts)._value_,
            "reason": facts.reason,
            "status": facts.status,
            "q850": facts.q850,
            "release_side": facts.release_side,
            "account": facts.account,
            "source": facts.source,
            "ingress_trunk": facts.ingress_trunk,
            "ingress_class": facts.ingress_class,
            "egress_trunk": facts.egress_trunk,
            "candidates": facts.candidates,
            "call_id": facts.call_id,
            "from_tag": facts.from_tag,
            "to_tag": facts.to_tag,
            "cli_original": facts.cli_original,
            "cli_presented": facts.cli_presented,
            "cli_network": facts.cli_network,
            "withheld": facts.withheld,
            "called_original": facts.called_original,
            "called": facts.called,
            "emergency": facts.emergency,
            "rule": facts.rule,
            "limit": facts.limit,
            "ceiling": facts.ceiling,
            "in_use": facts.in_use,
            "degraded": facts.degraded,
            "policy_generation": facts.policy_generation,
            "received_at": instant(received),
            "decided_at": None if decided is None else instant(decided),
            "sent_at": None if sent is None else instant(sent),
            "ringing_at": None if ringing is None else instant(ringing),
            "answered_at": None if answered is None else instant(answered),
            "released_at": None if released is None else instant(released),
            "decision_us": None if decided is None else max(0, round((decided - received) * 1_000_000)),
            "pdd_ms": None if ringing is None else max(0, int((ringing - received) * 1_000 + 1e-6)),
            "duration_ms": (duration := facts.duration_ms),
            "group": facts.group,
            "zone": facts.zone,
            "rate_prefix": facts.rate_prefix,
            "connect_micros": price.connect_micros,
            "rate_micros": price.rate_micros,
            "first_s": price.first_s,
            "next_s": price.next_s,
            "minimum_s": price.minimum_s,
            "currency": facts.currency,
            "billed_s": rates.billed_s(price, duration) if is_billed else 0,
            "cost_micros": rates.cost(price, duration) if is_billed else 0,
            "shadowed": facts.shadowed,
            "lost": facts.lost,
            "adopted_from": facts.adopted_from,
        }

    def _more(self, facts: CallFacts) -> dict[str, Json]:
        """The rest of them."""
        in_force = facts.in_force
        price, paid_s = facts.price, facts.paid_s
        flags, candidates = marks(facts, self._thresholds)
        return {
            "external_id": facts.external_id,
            "tags": facts.tags,
            "account_kind": facts.account_kind,
            "automated": facts.automated,
            "purpose": facts.purpose,
            "listener": facts.listener,
            "route": facts.route,
            "cli_rewritten": facts.cli_rewritten,
            "called_rewritten": facts.called_rewritten,
            "attestation": facts.attestation,
            "ruleset": facts.ruleset,
            "cli_shadowed": facts.cli_shadowed,
            "account_generation": in_force.generation,
            "caps_in_force": in_force.caps,
            "calls_in_force": in_force.calls,
            "caps_lots": in_force.caps_lots,
            "call_lots": in_force.call_lots,
            "limit_holder": facts.limit_holder,
            "limit_in_use": facts.limit_in_use,
            "decided_by": facts.decided_by,
            "tries": [self._try(sent, ended) for sent, ended in facts.tries],
            "release_reason": facts.release_reason,
            "hold_micros": facts.hold_micros,
            "holds": facts.holds,
            "paid_s": paid_s,
            "held_micros": rates.cost(price, paid_s * 1_000) if price is not None and paid_s else 0,
            "quality_flags": flags,
            "penalty_candidates": candidates,
            "attempts": facts.attempts,
            "headers": facts.headers,
            "candidate_causes": facts.candidate_causes,
            "attestation_source": facts.attestation_source,
            "identified_by": facts.identified_by,
        }

    def _try(self, sent: float | None, ended: float | None) -> Times:
        return (
            None if sent is None else self._instants.moment(sent),
            None if ended is None else self._instants.moment(ended),
        )


def _safe(text: str) -> str:
    """The text with what UTF-8 cannot carry replaced by a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _bounded(value: Json) -> Json:
    """One value of an over-long or unspeakable record, cut to what a line may hold."""
    if isinstance(value, str):
        return _safe(value[:MAX_TEXT_CHARS])
    if isinstance(value, list):
        return [_bounded_pair(pair) for pair in value[:MAX_CANDIDATES]]
    if isinstance(value, tuple):
        return tuple([_safe(word[:MAX_TEXT_CHARS]) for word in value[:MAX_CANDIDATES]])
    if value is None or isinstance(value, bool | datetime):
        return value
    return _small(value)


def _bounded_pair(pair: Pair | int) -> Pair | int:
    if isinstance(pair, int):
        return pair
    first, second = pair
    if not isinstance(first, str):
        return pair
    if isinstance(second, str):
        return (_safe(first[:MAX_TEXT_CHARS]), _safe(second[:MAX_TEXT_CHARS]))
    return (_safe(first[:MAX_TEXT_CHARS]), _small(second)) if type(second) is int else pair


def _small(number: int) -> int:
    """The number inside what JSON readers of the field hold exactly (53 bits)."""
    return min(max(number, -(2**53)), 2**53)
