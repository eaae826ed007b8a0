"""`edge cdr tail`: the newest records, and those that come, a line each (I/O, read only)."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path

from edge.cdr.backwards import newest_first
from edge.cdr.delivery.consumer import Entry
from edge.cdr.delivery.log_reader import LogReader
from edge.cdr.picking import Json, Picked
from edge.cdr.settled import Gate

LOOK_S = 0.2
"""How often a log that is followed is looked at."""
BATCH_BYTES = 1 << 20

_CELLS = (
    ("ENDED", 19), ("OUTCOME", 9), ("STATUS", -6), ("REASON", 16), ("ACCOUNT", 12), ("CLI", 14), ("CALLED", 14),
    ("TALK", -6), ("COST", -8), ("TRUNK", 16),
)  # fmt: skip
"""Title and width; negative: to the right."""


def last(directory: Path, picked: Picked, count: int) -> list[Entry]:
    """The newest of those that are meant, oldest first; settled or not, but no void ones. Raises OSError."""
    gate = Gate(directory)
    gate.look()
    meant = (e for e in newest_first(directory) if picked.has(e.record) and not gate.is_void(e.seq))
    found = islice(meant, count)
    return list(reversed(list(found)))


def following(
    directory: Path, picked: Picked, after: int, *, wait: Callable[[float], None] = time.sleep
) -> Iterator[Entry]:
    """Those that come after this number, as they come; for ever. Raises OSError."""
    reader = LogReader(directory)
    try:
        reader.seek(after)
        while True:
            reading = reader.read(records=500, size=BATCH_BYTES)
            pending = deque(reading.entries)
            while pending:
                entry = pending.popleft()
                if picked.has(entry.record):
                    yield entry
            if not reading.entries:
                wait(LOOK_S)
    finally:
        reader.close()


def last_seq(directory: Path) -> int:
    """The newest number there is."""
    reader = LogReader(directory)
    try:
        return reader.last_seq()
    finally:
        reader.close()


def row(record: Mapping[str, Json]) -> str:
    """One line for a terminal; nothing that a caller wrote can do anything there."""
    talk_ms = record.get("duration_ms")
    seconds = (talk_ms if isinstance(talk_ms, int) else 0) // 1000
    micros = record.get("cost_micros")
    return _line(
        _text(record.get("released_at") or record.get("received_at"), 19).replace("T", " "),
        record.get("outcome"),
        record.get("status"),
        record.get("reason"),
        record.get("account"),
        record.get("cli_presented") or record.get("cli_original"),
        record.get("called") or record.get("called_original"),
        f"{seconds // 60}:{seconds % 60:02d}" if record.get("answered_at") else "",
        f"{micros / 1_000_000:.4f}" if isinstance(micros, int) and micros else "",
        record.get("egress_trunk"),
    )


def head() -> str:
    """The line above them."""
    return _line(*[title for title, _ in _CELLS])


def _line(*cells: Json) -> str:
    texts = [(_text(cell, abs(width)), width) for cell, (_, width) in zip(cells, _CELLS, strict=True)]
    return "  ".join([text.ljust(width) if width > 0 else text.rjust(-width) for text, width in texts]).rstrip()


def _text(value: Json, width: int) -> str:
    text = "" if value is None else str(value)
    return "".join([char if char.isprintable() else "?" for char in text[:width]])
