"""The log from its end: the newest records first (I/O, read only)."""

from collections.abc import Iterator
from pathlib import Path

from edge.cdr import segments
from edge.cdr.delivery.consumer import Entry, entry_of

MOST_BYTES = 32 << 20
"""How far back at most."""


def newest_first(directory: Path, *, most_bytes: int = MOST_BYTES) -> Iterator[Entry]:
    """Whole, sound records from the last one on. Raises OSError."""
    left = most_bytes
    for _, path in reversed(segments.listed(directory)):
        size = path.stat().st_size
        start = max(0, size - left)
        with path.open("rb") as file:
            file.seek(start)
            lines = file.read(size - start).split(b"\n")
        for line in reversed(lines[1:-1] if start else lines[:-1]):
            entry = entry_of(line + b"\n", path.name)
            if entry is not None:
                yield entry
        left -= size - start
        if left <= 0:
            return
