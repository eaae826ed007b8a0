"""Records of the log that somebody looks for, the newest first, a page at a time (I/O, read only).

A look is bounded in bytes: where nothing is found so far, the page says where to go on. Several numbers of a call are
compared as `edge.control.rows` does, whatever their spelling.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import orjson

from edge.cdr import segments
from edge.cdr.delivery.consumer import Entry, entry_of
from edge.cdr.picking import Picked
from edge.cdr.settled import Gate
from edge.config.access import may_see
from edge.control.rows import is_same_number, significant

MOST_BYTES = 256 << 20
"""Read for one page at most."""
NUMBERS = (
    "cli_presented",
    "cli_original",
    "cli_network",
    "cli_rewritten",
    "called",
    "called_original",
    "called_rewritten",
)


class Wanted(NamedTuple):
    """Conditions; an empty one holds always."""

    picked: Picked
    uid: str = ""
    call_id: str = ""
    number: str = ""
    """In any spelling."""
    trunk: str = ""
    scope: tuple[str, ...] = ()
    """Accounts of theirs who look (see `may_see`); none: all."""

    def has(self, entry: Entry) -> bool:
        """Is this record one of them?"""
        record = entry.record
        if self.scope and not may_see(self.scope, str(record.get("account") or "")):
            return False
        if self.uid and entry.uid != self.uid:
            return False
        if self.call_id and record.get("call_id") != self.call_id:
            return False
        if self.trunk and self.trunk not in (record.get("ingress_trunk"), record.get("egress_trunk")):
            return False
        if self.number:
            digits = significant(self.number)
            found = [record.get(name) for name in NUMBERS]
            if not any(isinstance(one, str) and one and is_same_number(digits, one) for one in found):
                return False
        return self.picked.has(record)


class Found(NamedTuple):
    """A page."""

    entries: tuple[Entry, ...]
    before: int | None
    """Where to go on: below this sequence number; None: the log has been looked through."""


def search(
    directory: Path, wanted: Wanted, *, limit: int, before: int | None = None, most_bytes: int = MOST_BYTES
) -> Found:
    """The newest of those that are meant, or of those below `before`; void ones are left out. Raises OSError."""
    gate = Gate(directory)
    gate.look()
    found: list[Entry] = []
    looked_from = 0
    for entry in _backwards(directory, wanted, before, most_bytes):
        if isinstance(entry, int):
            looked_from = entry
            continue
        if wanted.has(entry) and not gate.is_void(entry.seq):
            found.append(entry)
            if len(found) == limit:
                return Found(tuple(found), entry.seq if entry.seq > 1 else None)
    return Found(tuple(found), looked_from or None)


def _backwards(directory: Path, wanted: Wanted, before: int | None, most_bytes: int) -> Iterator[Entry | int]:
    """Records from the last on; at the end, where the bytes did not reach, the number it was looked from."""
    needle = orjson.dumps(wanted.uid or wanted.call_id)[1:-1]
    left = most_bytes
    for first_seq, path in reversed(segments.listed(directory)):
        if before is not None and first_seq >= before:
            continue
        if not wanted.picked.may_be_of(segments.day_of(path)):
            continue
        size = path.stat().st_size
        if size > left and left < most_bytes:
            yield _first_above(directory, first_seq)
            return
        left -= size
        with path.open("rb") as file:
            lines = file.read(size).split(b"\n")[:-1]
        for line in reversed(lines):
            if needle and needle not in line:
                continue
            entry = entry_of(line + b"\n", path.name)
            if entry is not None and (before is None or entry.seq < before):
                yield entry


def _first_above(directory: Path, seq: int) -> int:
    """The first number of the segment that follows: what is below it has not been looked at."""
    return next((one.first_seq for one in segments.listed(directory) if one.first_seq > seq), seq + 1)
