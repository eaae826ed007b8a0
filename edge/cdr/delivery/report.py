"""What `edge cdr sinks` and `edge cdr redeliver` say and do (I/O: the files of a state directory, no process is asked).

Works beside a running edge and without one.
"""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from edge.cdr import segments
from edge.cdr.delivery import checkpoint as checkpoints
from edge.cdr.delivery import status
from edge.cdr.delivery.checkpoint import CheckpointError
from edge.cdr.delivery.log_reader import LogReader

TAKEN_S = 5.0
"""A running process takes a request in much less."""
LOOK_S = 0.05


class Refused(Exception):
    """It cannot be done; the text says what was expected."""


class SinkState(NamedTuple):
    """One sink, as it is told. Instants are UTC seconds; 0: never."""

    name: str
    kind: str
    """Empty: the settings do not name it (any more)."""
    cursor: int
    waiting: int
    lag_s: int
    delivered: int
    quarantined: int
    failing_since: float
    last_error: str
    last_error_at: float
    delivered_at: float
    asked_from: int
    """`redeliver` has asked for this record, and nobody has carried it out yet; 0: no."""


class Report(NamedTuple):
    """All sinks of one edge."""

    is_running: bool
    last_seq: int
    sinks: list[SinkState]


def report(state: Path, kinds: Mapping[str, str]) -> Report:
    """`kinds`: configured name → kind. Raises Refused."""
    delivery = state / "delivery"
    try:
        last = _last_seq(state)
        names = sorted({*kinds, *checkpoints.names(delivery)})
        sinks = [_sink(delivery / name, name, kinds.get(name, ""), last) for name in names]
        return Report(status.is_running(delivery), last, sinks)
    except OSError as error:
        raise Refused(f"cannot read {error.filename or state}: {error.strerror}") from error


def _sink(home: Path, name: str, kind: str, last_seq: int) -> SinkState:
    told = status.read(home) or status.Status()
    try:
        kept = checkpoints.load(home) or checkpoints.Checkpoint(0)
    except CheckpointError as error:
        kept = checkpoints.Checkpoint(0)
        told = told._replace(last_error=str(error), last_error_at=time.time())
    told = told._replace(cursor=kept.seq)
    return SinkState(
        name=name,
        kind=kind,
        cursor=kept.seq,
        waiting=max(0, last_seq - kept.seq),
        lag_s=round(status.lag_s(told, last_seq=last_seq, wall=time.time())),
        delivered=kept.delivered,
        quarantined=kept.quarantined,
        failing_since=told.failing_since,
        last_error=told.last_error,
        last_error_at=told.last_error_at,
        delivered_at=told.delivered_at,
        asked_from=checkpoints.requested(home) or 0,
    )


def lines(found: Report) -> list[str]:
    """A table for a terminal, and under it what is wrong."""
    if not found.sinks:
        return ["no CDR sinks: the log itself is all there is (docs/cdr.md)"]
    head = ("SINK", "KIND", "DELIVERED TO", "WAITING", "LAG", "RECORDS", "QUARANTINED", "STATE")
    rows = [
        (
            sink.name,
            sink.kind or "-",
            str(sink.cursor),
            str(sink.waiting),
            _span(sink.lag_s),
            str(sink.delivered),
            str(sink.quarantined),
            _state(sink, found),
        )
        for sink in found.sinks
    ]
    widths = [max(len(row[place]) for row in (head, *rows)) for place in range(len(head))]
    table = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (head, *rows)
    ]
    notes = [f"{sink.name}: {note}" for sink in found.sinks for note in _notes(sink)]
    if not found.is_running and any(sink.kind for sink in found.sinks):
        notes.append("no edge is delivering from this state directory; what waits is delivered when one runs again")
    return [*table, *notes]


def _state(sink: SinkState, found: Report) -> str:
    if not sink.kind:
        return "not configured"
    if not found.is_running:
        return "stopped"
    return "failing" if sink.failing_since else "good"


def _notes(sink: SinkState) -> list[str]:
    notes = []
    if sink.failing_since:
        notes.append(f"failing since {_instant(sink.failing_since)}: {sink.last_error}")
    elif sink.last_error:
        notes.append(f"last error {_instant(sink.last_error_at)}: {sink.last_error}")
    if sink.asked_from:
        notes.append(f"asked to deliver again from {sink.asked_from}")
    if not sink.kind:
        notes.append(
            "holds the log back from being purged; remove its directory under delivery/ if it is not to return"
        )
    return notes


def redeliver(state: Path, kinds: Mapping[str, str], *, sink: str, from_seq: int) -> list[str]:
    """Move a checkpoint back. Raises Refused."""
    found = report(state, kinds)
    names = [each.name for each in found.sinks]
    if sink not in names:
        raise Refused(f"--sink: no sink {sink!r}; there are: {', '.join(names) or 'none'}")
    cursor = next(each.cursor for each in found.sinks if each.name == sink)
    if cursor == 0:
        raise Refused(f"sink {sink!r} has had no record yet: nothing can be delivered again")
    oldest = _oldest_seq(state)
    if not oldest <= from_seq <= cursor:
        raise Refused(
            f"--from: expected {oldest} to {cursor}, got {from_seq}: the log begins with record {oldest}, "
            f"and {cursor} is the last one that sink {sink!r} has had"
        )
    home = state / "delivery" / sink
    try:
        checkpoints.request(home, from_seq)
    except OSError as error:
        raise Refused(f"cannot write {error.filename or home}: {error.strerror}") from error
    count = cursor - from_seq + 1
    told = f"{sink}: {count} records, {from_seq} to {cursor}, are delivered again"
    if not found.is_running:
        return [f"{told} when an edge runs here again"]
    until = time.monotonic() + TAKEN_S
    while checkpoints.requested(home) is not None:
        if time.monotonic() > until:
            return [f"{told} as soon as the sink answers; it is busy or stuck just now"]
        time.sleep(LOOK_S)
    return [told]


def _last_seq(state: Path) -> int:
    reader = LogReader(state / "cdr")
    try:
        return reader.last_seq()
    finally:
        reader.close()


def _oldest_seq(state: Path) -> int:
    firsts = [segments.first_seq_of(path.name) for path in (state / "cdr").glob("cdr-*.jsonl")]
    return min((first for first in firsts if first), default=1)


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _span(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
