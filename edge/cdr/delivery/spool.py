"""Files for somebody else to take away: whole when their name appears, each record in one of them (I/O).

`DIRECTORY/cdr-NODE-FIRST-LAST.SUFFIX`, named by the first and the last sequence number in it: a hole between two names
is a hole in the records. Until a file is whole it is `.NAME.FIRST.part`; beside it `.NAME.FIRST.marks` says after each
batch how many bytes belong to which record, so that after a crash the file is cut back to what the checkpoint says and
no record stands in it twice. A file gets its name only when the checkpoint is past everything in it.
"""

import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from edge.cdr.delivery.consumer import DeliveryFailed, Entry
from edge.cdr.delivery.layout import Layout
from edge.cdr.delivery.worker import Worker
from edge.cdr.segments import sync_directory

PIECE_BYTES = 1 << 16
"""Written at a time. Where a kernel is not preempted in its own work (PREEMPT_NONE, as servers have it), nobody else
gets that processor until a write is over, a call least of all: of four megabytes that takes milliseconds, however much
the writer gives way."""

_MARK = re.compile(rb"([0-9]{1,18}) ([0-9]{1,18}) ([0-9]{1,18})\n")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


class Rotation(NamedTuple):
    """When a file is finished: by the age of its first record here, its size, its records."""

    age_s: float
    size: int
    records: int


class Mark(NamedTuple):
    """The file up to here."""

    last_seq: int
    size: int
    records: int


class Spool:
    """The consumer of one directory."""

    def __init__(self, name: str, directory: Path, *, node: str, layout: Layout, rotation: Rotation) -> None:
        self.name = name
        self._directory = directory
        self._node = _UNSAFE.sub("_", node)
        self._layout = layout
        self._rotation = rotation
        self._worker = Worker(f"spool-{name}")
        self._first = 0
        """First sequence number of the file that is being filled; 0: there is none."""
        self._fd = -1
        self._marks_fd = -1
        self._mark = Mark(0, 0, 0)
        self._begun_at = 0.0
        self._is_passed = False
        """The checkpoint is past everything in the file."""

    async def start(self, cursor: int) -> int:
        """Cut the unfinished file back to the last mark the checkpoint has passed, and go on from there."""
        return await self._worker.do(self._take_up, cursor)

    async def deliver(self, entries: Sequence[Entry]) -> None:
        """Append; on the disk when this returns."""
        self._is_passed = False
        await self._worker.do(self._append, entries)

    async def tend(self) -> None:
        """Finish the file when it is time."""
        self._is_passed = True
        if self._is_due():
            await self._worker.do(self._finish)

    async def close(self) -> None:
        """Finish the file where that is safe; else it stays as it is for the next start."""
        if self._is_passed and self._first:
            with suppress(DeliveryFailed):
                await self._worker.do(self._finish)
        self._close_files()
        self._worker.close()

    # -- in the thread ---------------------------------------------------------------------------------------------

    def _take_up(self, cursor: int) -> int:
        with self._telling():
            self._close_files()
            self._first = 0
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o750)
            parts = sorted(self._unfinished("part"), reverse=True)
            for first, path in parts[1:]:
                self._discard(first, path)  # cannot be: a new one is begun when the last one has its name
            for first, path in self._unfinished("marks"):
                if not parts or first != parts[0][0]:
                    path.unlink()
            return self._cut_back(*parts[0], cursor) if parts else cursor

    def _cut_back(self, first: int, part: Path, cursor: int) -> int:
        marks = [mark for mark in self._read_marks(first) if mark.size <= part.stat().st_size]
        passed = [mark for mark in marks if mark.last_seq <= cursor]
        if not passed:
            if cursor >= first:
                return first - 1  # the checkpoint goes back first: without the file it would be believed
            self._discard(first, part)
            return cursor
        mark = max(passed)
        is_ours = part.read_bytes()[: len(self._layout.header)] == self._layout.header
        self._open(first, mark)
        os.ftruncate(self._fd, mark.size)
        os.fsync(self._fd)
        self._begun_at = time.monotonic() - max(0.0, time.time() - part.stat().st_mtime)
        if not is_ours:
            self._finish()  # begun with other columns
        return mark.last_seq

    def _append(self, entries: Sequence[Entry]) -> None:
        with self._telling():
            if self._is_due():
                self._finish()
            rows = self._layout.rows(entries)
            if not self._first:
                self._open(entries[0].seq, Mark(0, 0, 0))
                os.ftruncate(self._fd, 0)
                os.ftruncate(self._marks_fd, 0)
                self._begun_at = time.monotonic()
                rows = self._layout.header + rows
            _write(self._fd, rows)
            os.fsync(self._fd)
            mark = self._mark
            self._write_mark(Mark(entries[-1].seq, mark.size + len(rows), mark.records + len(entries)))

    def _finish(self) -> None:
        """Give the file its name. Everything in it is in the checkpoint."""
        with self._telling():
            first, last = self._first, self._mark.last_seq
            self._close_files()
            self._first = 0
            name = f"cdr-{self._node}-{first:012d}-{last:012d}.{self._layout.suffix}"
            self._path(first, "part").rename(self._directory / name)
            self._path(first, "marks").unlink()
            sync_directory(self._directory)

    def _open(self, first: int, mark: Mark) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._fd = os.open(self._path(first, "part"), flags, 0o640)
        self._marks_fd = os.open(self._path(first, "marks"), flags, 0o640)
        sync_directory(self._directory)
        self._first, self._mark = first, mark

    def _write_mark(self, mark: Mark) -> None:
        _write(self._marks_fd, b"%d %d %d\n" % mark)
        os.fsync(self._marks_fd)
        self._mark = mark

    def _read_marks(self, first: int) -> list[Mark]:
        try:
            data = self._path(first, "marks").read_bytes()
        except FileNotFoundError:
            return []
        return [Mark(int(found[1]), int(found[2]), int(found[3])) for found in _MARK.finditer(data)]

    def _discard(self, first: int, part: Path) -> None:
        part.unlink()
        self._path(first, "marks").unlink(missing_ok=True)
        sync_directory(self._directory)

    # -- names -----------------------------------------------------------------------------------------------------

    def _path(self, first: int, kind: str) -> Path:
        return self._directory / f".{self.name}.{first:012d}.{kind}"

    def _unfinished(self, kind: str) -> list[tuple[int, Path]]:
        shape = re.compile(rf"\.{re.escape(self.name)}\.([0-9]{{12,18}})\.{kind}")
        return [(int(found[1]), path) for path in self._directory.iterdir() if (found := shape.fullmatch(path.name))]

    def _is_due(self) -> bool:
        mark, rotation = self._mark, self._rotation
        if not self._first or not mark.records:
            return False
        is_old = time.monotonic() - self._begun_at >= rotation.age_s
        return is_old or mark.size >= rotation.size or mark.records >= rotation.records

    def _close_files(self) -> None:
        for fd in (self._fd, self._marks_fd):
            if fd >= 0:
                os.close(fd)
        self._fd = self._marks_fd = -1

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DeliveryFailed(f"{error.strerror or error}: {error.filename or self._directory}") from error


def _write(fd: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left[:PIECE_BYTES]) :]
