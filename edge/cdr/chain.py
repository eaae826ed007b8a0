"""The chain beside the segments: what each of them held when it was closed, and what became of it since.

`chain.jsonl`, one link a line, each with the digest of the line before it: a segment that is missing, shorter, longer
or other than it was is provable, and one that was purged by rule leaves its link (contract article 6.7). (I/O: `append`
and `load` only.) Imports the standard library, orjson and this room.
"""

import errno
import fcntl
import os
from collections.abc import Sequence
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import orjson

from edge.cdr.seal import Soundness, sealed, soundness

FILE = "chain.jsonl"
FIRST = "0" * 64
"""What the first link has for the digest of the line before it."""
MAX_LINE = 1 << 16


class Kind(StrEnum):
    """What a link tells."""

    OPEN = "open"
    CLOSE = "close"
    REWRITE = "rewrite"
    """Its contents were replaced by rule, number by number: `was` is the digest before."""
    PURGE = "purge"
    VOID = "void"
    """One record, `first_seq`, of the call `was`: another record of that call stands, named in `rule`."""


class Link(NamedTuple):
    """One event in the life of a segment."""

    kind: Kind
    segment: str
    first_seq: int
    at: str
    """UTC, by the wall clock of the process that wrote it."""
    last_seq: int = 0
    records: int = 0
    size: int = 0
    sha256: str = ""
    was: str = ""
    rule: str = ""
    """By which rule it was rewritten or purged."""


class Standing(NamedTuple):
    """What the links say of one segment."""

    opened: Link
    closed: Link | None = None
    """The link with its digest as it must be now: its close, or its last rewrite."""
    purged: Link | None = None


class Chain(NamedTuple):
    """The links of one directory."""

    links: tuple[Link, ...]
    faults: tuple[str, ...]
    """Lines that are no link, or do not follow the one before."""
    last: str
    """Digest of the last line."""

    def standings(self) -> dict[str, Standing]:
        """segment -> where it stands, in the order of the links."""
        found: dict[str, Standing] = {}
        for link in self.links:
            if link.kind is Kind.VOID:
                continue
            before = found.get(link.segment, Standing(link))
            if link.kind is Kind.PURGE:
                found[link.segment] = before._replace(purged=link)
            elif link.kind is Kind.OPEN:
                found[link.segment] = before
            else:
                found[link.segment] = before._replace(closed=link)
        return found

    def vanished(self, there: set[str]) -> tuple[Link, ...]:
        """Open links of segments that were in use, are not `there`, and were not purged."""
        standings = self.standings()
        return tuple(
            [
                standing.opened
                for name, standing in standings.items()
                if standing.closed is None and standing.purged is None and name not in there
            ]
        )

    def void(self) -> frozenset[int]:
        """Numbers of the records that do not stand."""
        return frozenset([link.first_seq for link in self.links if link.kind is Kind.VOID])

    def last_seq(self) -> int:
        """The highest number that any segment is known to have had."""
        seqs = [max(link.last_seq, link.first_seq - (link.kind is not Kind.VOID)) for link in self.links]
        return max(seqs, default=0)


def parse(data: bytes) -> Chain:
    """The links of a chain file, with what is wrong in it."""
    links: list[Link] = []
    faults: list[str] = []
    previous = FIRST
    whole = data[: data.rfind(b"\n") + 1]  # what follows is being written, or was torn off
    for number, line in enumerate(whole.splitlines(keepends=True), 1):
        link = _link(line)
        if link is None:
            faults.append(f"line {number}: no link, or damaged")
        else:
            if link[1] != previous:
                faults.append(f"line {number}: does not follow the line before it")
            links.append(link[0])
        previous = sha256(line).hexdigest()
    return Chain(tuple(links), tuple(faults), previous)


def load(directory: Path) -> Chain:
    """The chain of this directory; empty where there is none. Raises OSError."""
    try:
        return parse((directory / FILE).read_bytes())
    except FileNotFoundError:
        return Chain((), (), FIRST)


def append(directory: Path, links: Sequence[Link]) -> None:
    """Add these and wait until they are on the disk. What a crash tore off the last line is cut off first; other
    processes wait. Raises OSError."""
    fd = os.open(directory / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        end, previous = _end(fd)
        lines = []
        for link in links:
            line = _line(link, previous)
            previous = sha256(line).hexdigest()
            lines.append(line)
        os.ftruncate(fd, end)
        data = b"".join(lines)
        if os.pwrite(fd, data, end) != len(data):
            os.ftruncate(fd, end)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(directory / FILE))
        os.fsync(fd)
    finally:
        os.close(fd)


def _end(fd: int) -> tuple[int, str]:
    """(offset behind the last whole line, its digest)."""
    size = os.fstat(fd).st_size
    start = max(0, size - MAX_LINE)
    data = os.pread(fd, size - start, start)
    end = data.rfind(b"\n") + 1
    if not end:
        return 0, FIRST
    begin = data.rfind(b"\n", 0, end - 1) + 1
    return start + end, sha256(data[begin:end]).hexdigest()


def _line(link: Link, previous: str) -> bytes:
    fields = {name: value for name, value in link._asdict().items() if value not in ("", 0) or name == "first_seq"}
    return sealed(orjson.dumps({"v": 1, **fields, "previous": previous}) + b"\n")


def _link(line: bytes) -> tuple[Link, str] | None:
    """(the link, digest it names); None where it is none."""
    if soundness(line) is not Soundness.SOUND:
        return None
    try:
        fields = orjson.loads(line)
        segment, at, digest, was, rule = (
            str(fields.get(name, "")) for name in ("segment", "at", "sha256", "was", "rule")
        )
        first, last, records, size = (int(fields.get(name, 0)) for name in ("first_seq", "last_seq", "records", "size"))
        kind = Kind(fields["kind"])
        link = Link(
            kind, segment, first, at, last_seq=last, records=records, size=size, sha256=digest, was=was, rule=rule
        )
        return link, str(fields["previous"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
