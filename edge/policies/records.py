"""Records out of segment files: one after the other, in the order of their numbers, from whatever is named (I/O).

A name is a file, a directory with segments, a state directory, or `-` for stdin; `.gz` is read as what it holds. What
is no record (a torn last line, a line of something else) is counted and passed by.
"""

import gzip
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, cast

import orjson

from edge.cdr.segments import listed

MAX_LINE = 1 << 20
"""Bytes of one line; a longer one is none of ours."""
Record = dict[str, object]


class NoRecords(Exception):
    """Nothing there can be read; the text says what was expected."""


class Records:
    """What is in some files. Iterate once."""

    def __init__(self, names: Iterable[str]) -> None:
        """Raises NoRecords where one of them is not there."""
        self.files = [file for name in names for file in _files(name)]
        self.size = sum(file.stat().st_size for file in self.files if str(file) != "-")
        """Bytes to read, packed ones as they are."""
        self.read = 0
        """Bytes read so far."""
        self.broken = 0
        """Lines that are no record."""

    def __iter__(self) -> Iterator[Record]:
        for file in self.files:
            for line in self._lines(file):
                try:
                    record = orjson.loads(line)
                except orjson.JSONDecodeError:
                    record = None
                if isinstance(record, dict):
                    yield record
                else:
                    self.broken += 1

    def search(self, uid: str) -> Record | None:
        """The record of one call; the latest files first."""
        wanted = orjson.dumps(uid)
        for file in reversed(self.files):
            for line in self._lines(file):
                if wanted in line:
                    try:
                        record = orjson.loads(line)
                    except orjson.JSONDecodeError:
                        continue
                    if isinstance(record, dict) and record.get("uid") == uid:
                        return record
        return None

    def _lines(self, file: Path) -> Iterator[bytes]:
        if str(file) == "-":
            yield from _each(sys.stdin.buffer)
            return
        try:
            with ExitStack() as opened:
                packed = opened.enter_context(file.open("rb"))
                done = self.read
                plain = opened.enter_context(gzip.open(packed)) if file.suffix == ".gz" else packed
                for line in _each(cast(BinaryIO, plain)):
                    self.read = done + packed.tell()
                    yield line
                self.read = done + file.stat().st_size
        except (OSError, EOFError) as error:
            raise NoRecords(f"{file}: cannot be read: {error}") from error


def _each(file: BinaryIO) -> Iterator[bytes]:
    while True:
        line = file.readline(MAX_LINE)
        if not line:
            return
        yield line


def _files(name: str) -> list[Path]:
    path = Path(name)
    if name == "-" or path.is_file():
        return [path]
    if not path.is_dir():
        raise NoRecords(f"{name}: no such file or directory; expected CDRs: a segment, a directory of them, or -")
    for directory in (path, path / "cdr"):
        packed = sorted(directory.glob("cdr-*.jsonl.gz"))
        found = [segment.path for segment in listed(directory)]
        if packed or found:
            return sorted([*packed, *found], key=lambda file: file.name.removesuffix(".gz"))
    raise NoRecords(f"{name}: expected CDRs in it (cdr-*.jsonl), found none")
