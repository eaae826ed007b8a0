"""One call detail record becomes counts: of its account, of that account by trunk, of each trunk it tried. Pure.

What counts as an attempt is data (`Definition`, section `quality` of the policy document). The default: what was sent
to an egress trunk, so ASR is answered ÷ sent. What the edge itself refused never reached anybody's network; emergency
calls are free of every rule (R16); calls of a node that died are nobody's fault and have no true duration.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from edge.quality.counts import INDEX, SIZE, pdd_bucket
from edge.quality.hours import hour_of

CLI_REASONS = frozenset({"cli_refused", "cli_invalid", "cli_not_owned", "cli_mismatch", "cli_do_not_originate"})
"""Refusals that are a finding on the caller's number (contract article 27); a withheld number is none."""
_GAVE_UP_EARLY = "abandoned"


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


class Told(NamedTuple):
    """What quality needs of one record."""

    seq: int
    node: str
    uid: str
    account: str
    outcome: str
    reason: str
    status: int
    q850: int
    tried: tuple[tuple[str, int], ...]
    """(egress trunk, final status) in order."""
    emergency: bool
    lost: bool
    is_cli: bool
    """A finding on the caller's number: refused for it, or let pass by a rule that is only in shadow."""
    pdd_ms: int | None
    duration_ms: int
    billed_s: int
    cost_micros: int
    received_s: int
    released_s: int


class Sample(NamedTuple):
    """What one record adds."""

    told: Told
    hour: int
    at_s: int
    numbers: tuple[int, ...]
    by_trunk: tuple[tuple[str, tuple[int, ...]], ...]
    """(egress trunk, numbers): the last one has the whole call, those before it an attempt that failed."""
    flags: tuple[str, ...]
    """`failed`, `short`, `answered`, `cli`: what the call is an example of."""


def read_record(record: Mapping[str, object]) -> Told:
    """From the columns of `cdr.record`, by name. Raises ValueError where one is missing or is something else."""
    try:
        candidates = record["candidates"]
        if not isinstance(candidates, list):
            raise TypeError
        tried = tuple([(str(trunk), int(status)) for trunk, status in candidates])
        received = _seconds(record["received_at"])
        released = record["released_at"]
        pdd = record["pdd_ms"]
        last = str(record["egress_trunk"])
        status = _int(record["status"])
        return Told(
            seq=_int(record["seq"]),
            node=str(record["node"]),
            uid=str(record["uid"]),
            account=str(record["account"]),
            outcome=str(record["outcome"]),
            reason=str(record["reason"]),
            status=status,
            q850=_int(record["q850"]),
            tried=tried if tried or not last else ((last, status),),
            emergency=record["emergency"] is True,
            lost=record["lost"] is True,
            is_cli=record["reason"] in CLI_REASONS or "cli" in _words(record.get("penalty_candidates")),
            pdd_ms=None if pdd is None else _int(pdd),
            duration_ms=_int(record["duration_ms"]),
            billed_s=_int(record["billed_s"]),
            cost_micros=_int(record["cost_micros"]),
            received_s=received,
            released_s=received if released is None else _seconds(released),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"not a record of ours: {type(error).__name__}: {error}") from error


def kind_of(told: Told) -> str:
    """`lost`, `emergency`, `refused`, `abandoned`, `cancelled`, or `carried` for everything else."""
    if told.lost:
        return "lost"
    if told.emergency:
        return "emergency"
    return told.outcome if told.outcome in ("refused", "abandoned", "cancelled") else "carried"


def sample_of(told: Told, definition: Definition) -> Sample:
    """What this record adds, and to which hour."""
    at_s = told.received_s if definition.counted_at == "received" else told.released_s
    kind = kind_of(told)
    numbers = [0] * SIZE
    numbers[INDEX["told"]] = 1
    numbers[INDEX["billed_s"]] = told.billed_s
    numbers[INDEX["cost_micros"]] = told.cost_micros
    if kind != "carried":
        numbers[INDEX["refused" if kind == _GAVE_UP_EARLY else kind]] = 1
    is_cli = told.is_cli and kind != "emergency"
    numbers[INDEX["cli"]] = int(is_cli)
    counts = kind not in definition.uncounted
    flags = []
    if counts:
        flags = _count(told, definition, numbers)
    if is_cli:
        flags.append("cli")
    by_trunk = tuple([*_failed_before(told, definition, counts), *_last_trunk(told, tuple(numbers))])
    return Sample(told, hour_of(at_s, definition.zone), at_s, tuple(numbers), by_trunk, tuple(flags))


def _count(told: Told, definition: Definition, numbers: list[int]) -> list[str]:
    """The part of what counts; returns what the call is an example of."""
    numbers[INDEX["attempts"]] = 1
    answered = told.outcome == "answered"
    numbers[INDEX["effective"]] = int(
        answered
        or told.pdd_ms is not None
        or told.status in definition.effective_statuses
        or told.q850 in definition.effective_causes
    )
    if told.pdd_ms is not None:
        numbers[INDEX["rang"]] = 1
        numbers[INDEX["pdd_ms"]] = told.pdd_ms
        numbers[pdd_bucket(told.pdd_ms)] += 1
    if not answered:
        return ["failed"]
    numbers[INDEX["answered"]] = 1
    numbers[INDEX["answered_ms"]] = told.duration_ms
    if told.duration_ms < definition.short_ms:
        numbers[INDEX["short"]] = 1
        return ["answered", "short"]
    return ["answered"]


def _failed_before(told: Told, definition: Definition, counts: bool) -> Sequence[tuple[str, tuple[int, ...]]]:
    found = []
    for trunk, status in told.tried[:-1]:
        numbers = [0] * SIZE
        numbers[INDEX["told"]] = 1
        if counts:
            numbers[INDEX["attempts"]] = 1
            numbers[INDEX["effective"]] = int(status in definition.effective_statuses)
        found.append((trunk, tuple(numbers)))
    return found


def _last_trunk(told: Told, numbers: tuple[int, ...]) -> Sequence[tuple[str, tuple[int, ...]]]:
    return [(told.tried[-1][0], numbers)] if told.tried else []


def _int(value: object) -> int:
    if type(value) is not int:
        raise TypeError(f"expected a whole number, got {value!r:.40}")
    return value


def _words(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()


def _seconds(value: object) -> int:
    if not isinstance(value, str):
        raise TypeError(f"expected an instant, got {value!r:.40}")
    at = datetime.fromisoformat(value)
    if at.tzinfo is None:
        raise ValueError("an instant without its zone")
    return int(at.timestamp() // 1)
