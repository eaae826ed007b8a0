"""Segment files on disk: their names, the one in use, and the repair of a torn tail after a crash.

(I/O) Imports the standard library, orjson and the seal. A segment is named `cdr-<UTC day>-<first seq>.jsonl`; the one
with the highest first sequence number is in use, all others are closed for good and may be taken away.
"""

import os
import re
from pathlib import Path
from typing import BinaryIO, NamedTuple

import orjson

from edge.cdr.seal import Soundness, soundness

NAME = re.compile(r"cdr-([0-9]{8})-([0-9]{12})\.jsonl")


class Segment(NamedTuple):
    """A file of the log."""

    first_seq: int
    """By its name: the sequence number of the first record that is or will be in it."""
    path: Path


class Tail(NamedTuple):
    """What a look at the end of a segment found, the file being whole again."""

    last_seq: int
    """Sequence number of the last whole record; one below the file's first when there is none."""
    size: int
    torn: bytes
    """What came after the last whole record: moved to the `.torn` file beside."""


class Torn(NamedTuple):
    """A torn end that was moved aside."""

    segment: str
    size: int
    last_seq: int
    """Number of the last whole record before it."""


def name_of(day: str, first_seq: int) -> str:
    """File name of the segment that begins with this record. `day` is YYYYMMDD, UTC."""
    return f"cdr-{day}-{first_seq:012d}.jsonl"


def listed(directory: Path) -> list[Segment]:
    """The segments that are there, in the order of their numbers, whatever the clock did; none where there is no
    directory."""
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    return sorted([Segment(int(match[2]), directory / name) for name in names if (match := NAME.fullmatch(name))])


def newest(directory: Path) -> Path | None:
    """The segment in use: the one with the highest first sequence number."""
    found = listed(directory)
    return found[-1].path if found else None


def day_of(path: Path) -> str:
    """UTC day in a segment's name."""
    match = NAME.fullmatch(path.name)
    return match[1] if match else ""


def first_seq_of(name: str) -> int:
    """First sequence number in a segment's file name; 0 where the file is none."""
    match = NAME.fullmatch(name)
    return int(match[2]) if match else 0


def repair(path: Path) -> Tail:
    """Make the segment end with a whole record. What follows the last one goes to `<name>.torn` before it is cut off.

    A crash tears at most the last write; a power failure may leave a run of NUL bytes too. Both are a tail that is no
    record. Raises OSError.
    """
    before_first = max(0, first_seq_of(path.name) - 1)
    with path.open("rb+") as segment:
        end, last_seq = _last_record(segment)
        size = segment.seek(0, os.SEEK_END)
        if last_seq is None:
            last_seq = before_first
        if end == size:
            return Tail(last_seq, size, b"")
        torn = os.pread(segment.fileno(), size - end, end)
        with path.with_name(path.name + ".torn").open("ab") as beside:
            beside.write(torn)
            beside.flush()
            os.fsync(beside.fileno())
        segment.truncate(end)
        os.fsync(segment.fileno())
    return Tail(last_seq, end, torn)


def sync_directory(directory: Path) -> None:
    """Make a new file's name survive a power failure."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _last_record(file: BinaryIO) -> tuple[int, int | None]:
    """(offset behind the last whole record, its sequence number); (0, None) where the file holds none.

    Read from the beginning: a block that was allocated and never written may hold lines of an older file, whole but
    with numbers that have been before."""
    offset = end = 0
    last_seq: int | None = None
    for line in file:
        offset += len(line)
        seq = seq_of(line) if line.endswith(b"\n") else None
        if seq is not None and (last_seq is None or seq > last_seq):
            end, last_seq = offset, seq
    return end, last_seq


def seq_of(line: bytes) -> int | None:
    """The sequence number of a whole record, None where the line is none."""
    if soundness(line) is Soundness.DAMAGED:
        return None
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    seq = record.get("seq") if isinstance(record, dict) else None
    return seq if isinstance(seq, int) else None
