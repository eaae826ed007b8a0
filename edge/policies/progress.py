"""How far a long reading has come, on a terminal's stderr; nothing where nobody looks (I/O)."""

import sys
import time
from collections.abc import Iterable, Iterator

from edge.policies.records import Record, Records

EVERY_S = 0.5
EVERY_RECORDS = 256
_CLEAR = "\r\x1b[K"


def watched(records: Records) -> Iterable[Record]:
    """The same records, with a line that says how many have been read."""
    return _told(records) if sys.stderr.isatty() else records


def _told(records: Records) -> Iterator[Record]:
    due = time.monotonic() + EVERY_S
    for count, record in enumerate(records, 1):
        yield record
        if count % EVERY_RECORDS == 0 and time.monotonic() >= due:
            due = time.monotonic() + EVERY_S
            part = f" ({100 * records.read // records.size} %)" if records.size else ""
            sys.stderr.write(f"\r{count:,} records{part} ")
            sys.stderr.flush()
    sys.stderr.write(_CLEAR)
    sys.stderr.flush()
