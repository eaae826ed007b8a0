"""One call detail record becomes counts: of its account, of that account by trunk, of each trunk it tried. Pure.

What counts as an attempt is data (`Definition`, section `quality` of the policy document). The default: what was sent
to an egress trunk, so ASR is answered ÷ sent. What the edge itself refused never reached anybody's network; emergency
calls are free of every rule (R16); calls of a node that died are nobody's fault and have no true duration.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from edge.quality.counts import INDEX, SIZE, pdd_bucket

CLI_REASONS = frozenset({"cli_refused", "cli_invalid", "cli_not_owned", "cli_mismatch", "cli_do_not_originate"})
"""Refusals that are a finding on the caller's number (contract article 27); a withheld number is none."""
_GAVE_UP_EARLY = "abandoned"

# Places in a sum, looked up once: a record is counted in microseconds.
_TOLD, _ATTEMPTS, _ANSWERED, _SHORT, _EFFECTIVE = (
    INDEX[name] for name in ("told", "attempts", "answered", "short", "effective")
)
_ANSWERED_MS, _RANG, _PDD_MS = INDEX["answered_ms"], INDEX["rang"], INDEX["pdd_ms"]
_CLI, _BILLED_S, _COST_MICROS = INDEX["cli"], INDEX["billed_s"], INDEX["cost_micros"]
_OF_KIND = {
    "lost": INDEX["lost"],
    "emergency": INDEX["emergency"],
    "refused": INDEX["refused"],
    _GAVE_UP_EARLY: INDEX["refused"],
    "cancelled": INDEX["cancelled"],
}
_NOTHING: tuple[str, ...] = ()
_FAILED_CALL, _ANSWERED_CALL, _SHORT_CALL = ("failed",), ("answered",), ("answered", "short")


class Definition(NamedTuple):
    """What counts, and how."""

    zone: ZoneInfo
    counted_at: str = "released"
    """Column of the instant that places a call in its hour: `released` or `received`."""
    uncounted: frozenset[str] = frozenset({"refused", "abandoned", "emergency", "lost"})
    """Kinds of attempts that are no attempts for ASR, NER, ACD, short calls and PDD; `cancelled` may be one too."""
    short_ms: int = 8_000
    effective_statuses: frozenset[int] = frozenset({480, 486, 600, 603})
    effective_causes: frozenset[int] = frozenset({17, 18, 19, 20})


class Told(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What quality needs of one record: columns of `cdr.record`, by name; all others are passed over unread.

    In the order of the record: the reader looks for each name first behind the one before."""

    seq: int
    uid: str
    outcome: str
    reason: str
    status: int
    q850: int
    account: str
    egress_trunk: str
    candidates: tuple[tuple[str, int], ...]
    called: str = ""
    emergency: bool
    received_at: str
    released_at: str | None
    """Instants of UTC, in the 27 characters in which we write them (`_sound`)."""
    pdd_ms: int | None
    duration_ms: int
    zone: str = ""
    billed_s: int
    cost_micros: int
    lost: bool
    penalty_candidates: tuple[str, ...] = ()

    @property
    def tried(self) -> tuple[tuple[str, int], ...]:
        """(egress trunk, final status) in order."""
        if self.candidates or not self.egress_trunk:
            return self.candidates
        return ((self.egress_trunk, self.status),)

    @property
    def is_cli(self) -> bool:
        """A finding on the caller's number: refused for it, or let pass by a rule that is only in shadow."""
        return self.reason in CLI_REASONS or "cli" in self.penalty_candidates

    @property
    def ended_s(self) -> int:
        """The minute in which the attempt ended: its first second, UTC."""
        return minute_of_text((self.released_at or self.received_at)[:16])

    def minute_text(self, definition: Definition) -> str:
        """The minute it is counted in: `2026-07-01T12:00`, UTC."""
        released = self.released_at
        return (self.received_at if released is None or definition.counted_at == "received" else released)[:16]

    def minute(self, definition: Definition) -> int:
        """Its first second."""
        return minute_of_text(self.minute_text(definition))


_DECODER = msgspec.json.Decoder(Told)
_NONE = "not a record of ours"


def read_line(line: bytes) -> Told:
    """From a line of the log. Raises ValueError where a column is missing or is something else."""
    try:
        return _sound(_DECODER.decode(line))
    except (msgspec.MsgspecError, ValueError) as error:
        raise ValueError(f"{_NONE}: {error}") from error


def read_record(record: Mapping[str, object]) -> Told:
    """The same of a record that was read already."""
    try:
        return _sound(msgspec.convert(record, Told))
    except (msgspec.MsgspecError, ValueError) as error:
        raise ValueError(f"{_NONE}: {error}") from error


def _sound(told: Told) -> Told:
    """With its instants as we write them, so that whoever wants their minute need not read more than its digits."""
    received, released = told.received_at, told.released_at
    as_received = _as_ours(received)
    as_released = None if released is None else _as_ours(released)
    if as_received is received and as_released is released:
        return told
    return msgspec.structs.replace(told, received_at=as_received, released_at=as_released)


def _as_ours(text: str) -> str:
    """An instant as `2026-07-01T12:00:00.000001Z`. Raises ValueError where it is none, or has no zone."""
    if len(text) == 27 and text[16] == ":" and text[19] == "." and text[26] == "Z":
        minute_of_text(text[:16])
        return text
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("an instant without its zone")
    try:
        return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    except OverflowError as error:
        raise ValueError("an instant of no calendar") from error


def kind_of(told: Told) -> str:
    """`lost`, `emergency`, `refused`, `abandoned`, `cancelled`, or `carried` for everything else."""
    if told.lost:
        return "lost"
    if told.emergency:
        return "emergency"
    return told.outcome if told.outcome in _OF_KIND else "carried"


def count(told: Told, definition: Definition, numbers: list[int]) -> tuple[str, ...]:
    """Adds what this record counts for to `numbers` (SIZE of them). Returns what it is an example of: `failed`,
    `short`, `answered`, `cli`."""
    kind = kind_of(told)
    numbers[_TOLD] += 1
    numbers[_BILLED_S] += told.billed_s
    numbers[_COST_MICROS] += told.cost_micros
    if kind != "carried":
        numbers[_OF_KIND[kind]] += 1
    examples = _NOTHING if kind in definition.uncounted else _count_attempt(told, definition, numbers)
    if (told.reason in CLI_REASONS or told.penalty_candidates) and told.is_cli and kind != "emergency":
        numbers[_CLI] += 1
        return (*examples, "cli")
    return examples


def _count_attempt(told: Told, definition: Definition, numbers: list[int]) -> tuple[str, ...]:
    numbers[_ATTEMPTS] += 1
    pdd_ms = told.pdd_ms
    if pdd_ms is not None:
        numbers[_RANG] += 1
        numbers[_PDD_MS] += pdd_ms
        numbers[pdd_bucket(pdd_ms)] += 1
    if told.outcome == "answered":
        numbers[_EFFECTIVE] += 1
        numbers[_ANSWERED] += 1
        numbers[_ANSWERED_MS] += told.duration_ms
        if told.duration_ms < definition.short_ms:
            numbers[_SHORT] += 1
            return _SHORT_CALL
        return _ANSWERED_CALL
    if pdd_ms is not None or told.status in definition.effective_statuses or told.q850 in definition.effective_causes:
        numbers[_EFFECTIVE] += 1
    return _FAILED_CALL


def failed_before(told: Told, definition: Definition) -> Sequence[tuple[str, tuple[int, ...]]]:
    """(egress trunk, numbers) of those that were tried before the last one: an attempt that failed. The last one has
    the whole call."""
    found = []
    counts = kind_of(told) not in definition.uncounted
    for trunk, status in told.tried[:-1]:
        numbers = [0] * SIZE
        numbers[_TOLD] = 1
        if counts:
            numbers[_ATTEMPTS] = 1
            numbers[_EFFECTIVE] = int(status in definition.effective_statuses)
        found.append((trunk, tuple(numbers)))
    return found


@lru_cache(maxsize=4_096)
def minute_of_text(text: str) -> int:
    """First second, UTC, of `2026-07-01T12:00`. Raises ValueError."""
    return int(datetime.fromisoformat(text + "Z").timestamp())
