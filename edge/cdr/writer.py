"""The local write-ahead log of call detail records (R14): append, one write a wake-up, group fsync, rotation.

(I/O) Imports the standard library and this room. A record is written before its call is settled, so that a crash
between the two repeats a settlement and never loses a record. No error of the disk reaches the SIP road: the writer
says `is_failing`, keeps the lines in a bounded queue, tries again, and tells one fact when it starts and when it ends.
"""

import asyncio
import errno
import fcntl
import os
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final

from edge.cdr import chain, closing, segments, settled
from edge.cdr.group_sync import GroupSync
from edge.cdr.seal import sealed
from edge.proxy.facts import Fact

CAPACITY: Final = 10_000
"""Lines kept while the disk refuses. Beyond it `is_full`: new attempts should be refused."""
BILLABLE_CAPACITY: Final = 4 * CAPACITY
"""Lines of answered calls are kept beyond CAPACITY, up to this: they are money, refusals are not."""
SEGMENT_BYTES: Final = 64 << 20
SEGMENT_S: Final = 3_600.0
"""A segment ends after this time, and with its UTC day."""
RETRY_S: Final = 0.5
"""A failing disk is asked again this often."""
BATCH_LINES: Final = 1_000
"""Most lines in one write: what waited out a full disk must not stop the event loop."""
SYNC_S: Final = 0.01
"""Longest time between a write and its fsync, when `run()` is running. 0: each write waits for its own."""
REMIND_S: Final = 60.0
"""While the disk refuses, it is told again this often."""
ROOM_S: Final = 0.5
"""The room on the disk is looked at no more often than this."""
LOW_BYTES: Final = 1 << 30
"""Less room than this on the disk is told, once."""

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class CdrError(Exception):
    """The log cannot be opened at start. The text is a sentence for the operator."""


class CdrWriter:
    """Append-only segment files in one directory, owned by one process.

    `append` and `flush` never raise and never wait for fsync; the owner awaits `run()` in its task group for that.
    """

    __slots__ = (
        "_billable_capacity",
        "_capacity",
        "_closer",
        "_directory",
        "_ends_at",
        "_fd",
        "_group",
        "_is_chained",
        "_is_losing",
        "_is_low",
        "_is_name_due",
        "_last_line",
        "_lock",
        "_next_seq",
        "_queue",
        "_remind_at",
        "_retired",
        "_retry_at",
        "_room_at",
        "_segment",
        "_segment_bytes",
        "_segment_s",
        "_size",
        "_sync_error",
        "_sync_s",
        "_tell",
        "_wall_at_zero",
        "_written_before",
        "chain_fault",
        "errors",
        "free_bytes",
        "is_failing",
        "lost",
        "synced",
        "torn",
        "written",
    )

    def __init__(
        self,
        directory: Path,
        *,
        wall0: float,
        mono0: float,
        tell: Callable[[Fact], None],
        segment_bytes: int = SEGMENT_BYTES,
        capacity: int = CAPACITY,
        billable_capacity: int = BILLABLE_CAPACITY,
        segment_s: float = SEGMENT_S,
        sync_s: float = SYNC_S,
    ) -> None:
        """Opens the log and repairs a torn tail. `wall0` and `mono0` as for the builder. Raises CdrError."""
        self._directory = directory
        self._wall_at_zero = wall0 - mono0
        self._tell = tell
        self._segment_bytes = segment_bytes
        self._capacity = capacity
        self._billable_capacity = billable_capacity
        self._queue: deque[bytes] = deque()
        self._fd = -1
        self._size = 0
        self._ends_at = 0.0
        """The segment's day is over, or its time."""
        self._segment = ""
        """Name of the segment in use."""
        self._segment_s = segment_s
        self._sync_s = sync_s
        self._is_name_due = False
        """The name of the segment in use may not be on the disk yet."""
        self._last_line = b""
        """The last one written to the segment in use; empty: none was, or what it ends with is not known."""
        self._closer = closing.Closer(directory)
        self._written_before = -1
        """Lines that were written to all segments before the one in use; -1: that one has older ones too."""
        self._remind_at = 0.0
        self._is_low = False
        self._is_chained = True
        """Do the chain's links say all of the segments?"""
        self.chain_fault = ""
        """Why the chain could not be written, when it was last tried; empty: it is as it should be."""
        self._next_seq = 1
        self._retry_at = 0.0
        self._retired: deque[int] = deque()
        self._group = GroupSync(self.sync, wait_s=sync_s)
        self._room_at = 0.0
        self._is_losing = False
        self._sync_error: OSError | None = None
        self.is_failing = False
        """The last write or fsync failed; lines wait in the queue."""
        self.written = 0
        self.synced = 0
        """Group fsyncs done."""
        self.errors = 0
        self.free_bytes = -1
        """Room on the disk when it was last looked at; -1: not yet."""
        self.lost = 0
        """Lines dropped because the queue was full."""
        self.torn = 0
        """Bytes after the last whole record that a crash left, moved aside at start."""
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o750)
            self._lock = _locked(directory)
        except OSError as error:
            raise CdrError(f"cannot write CDRs to {directory}: {error.strerror}") from error
        try:
            self._begin(mono0)
        except OSError as error:
            os.close(self._lock)
            raise CdrError(f"cannot write CDRs to {directory}: {error.strerror}") from error

    @property
    def backlog(self) -> int:
        """Lines accepted and not yet written."""
        return len(self._queue)

    @property
    def is_full(self) -> bool:
        """New attempts should be refused: their records would have nowhere to go."""
        return len(self._queue) >= self._capacity

    @property
    def directory(self) -> Path:
        """Where the segments are."""
        return self._directory

    @property
    def last_seq(self) -> int:
        """The last sequence number given out; 0: none yet."""
        return self._next_seq - 1

    def take_seq(self) -> int:
        """The sequence number of the next line. Once taken it must be appended: a gap means a lost record."""
        seq = self._next_seq
        self._next_seq = seq + 1
        return seq

    def append(self, line: bytes, *, is_billable: bool = False) -> None:
        """Accept one line, newline included. Sealed with its sum here, written by the next `flush`."""
        if len(self._queue) >= (self._billable_capacity if is_billable else self._capacity):
            self.lost += 1
            if not self._is_losing:
                self._is_losing = True
                self._tell(Fact("cdr.lost", {"lost": self.lost, "backlog": len(self._queue)}))
            return
        self._queue.append(sealed(line))

    def flush(self, now: float) -> None:
        """Write what was appended, in one write; close a segment whose time is over, also where nothing comes. `now`:
        monotonic seconds."""
        if self._sync_error is not None:
            error, self._sync_error = self._sync_error, None
            self._failed(error, now)
        self._watch_room()
        queue = self._queue
        if not queue:
            self._put_away(now)
            return
        if self.is_failing and now < self._retry_at:
            return
        try:
            if self._fd < 0 or self._size >= self._segment_bytes or now >= self._ends_at:
                self._rotate(now)
            data = b"".join(queue if len(queue) <= BATCH_LINES else islice(queue, BATCH_LINES))
            count = os.write(self._fd, data)
        except OSError as error:
            self._failed(error, now)
            return
        self._account_for(count)
        # A short write: the disk is full or a limit is reached. The next try gets the error and its name.
        fault = self._sync_at_once() if count == len(data) else OSError(errno.ENOSPC, "short write")
        if fault is None:
            self._recovered()
        else:
            self._failed(fault, now)

    def _sync_at_once(self) -> OSError | None:
        """With a group fsync that is its business; without one, every write waits here. Returns why it failed."""
        if self._sync_s:
            return None
        try:
            os.fdatasync(self._fd)
        except OSError as error:
            return error
        self.synced += 1
        return None

    def sync(self) -> None:
        """Wait until everything written is on the disk. The owner's `run()` does it off the event loop. Duplicates and
        retired files are closed here and nowhere else, whatever is rotated meanwhile."""
        self._sync_files(self._to_sync())

    async def run(self) -> None:
        """Group fsync for as long as the owner lives: at most one at a time, `sync_s` after a write."""
        self._group.start()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self._group.stop()

    def close(self, now: float) -> int:
        """Last write, last fsync, files closed. Returns the lines that could not be written (told as `cdr.lost`)."""
        self._retry_at = 0.0
        self.flush(now)
        while self._queue and not self.is_failing:
            self.flush(now)
        self.sync()
        left = len(self._queue)
        if left:
            self.lost += left
            self._queue.clear()
            self._tell(Fact("cdr.lost", {"lost": self.lost, "backlog": 0}))
        if self._fd >= 0:
            with suppress(OSError):
                os.close(self._fd)
            self._fd = -1
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
        return left

    # -- files -----------------------------------------------------------------------------------------------------

    def _begin(self, now: float) -> None:
        """Take up the segment that was in use, or make the first one."""
        try:
            known, done = chain.load(self._directory), settled.read(self._directory)
        except OSError as error:
            known, done = chain.Chain((), (), chain.FIRST), None
            self.chain_fault = error.strerror or type(error).__name__
        # What is settled may have left the log: should it be gone from here, no other call gets its number.
        self._next_seq = max(known.last_seq(), 0 if done is None else done.seq) + 1
        for link in known.vanished({path.name for _, path in segments.listed(self._directory)}):
            # What it held is not known. Its first number is not given away again: it stays a gap.
            self._next_seq = max(self._next_seq, link.first_seq + 1)
            self._tell(Fact("cdr.missing", {"segment": link.segment, "first_seq": link.first_seq}))
        segment = segments.newest(self._directory)
        standing = None if segment is None else known.standings().get(segment.name)
        # A power failure may tear the segment before the newest too: its last fsync had not come yet.
        try:
            for torn in self._closer.settle("" if segment is None else segment.name):
                self._told_torn(torn)
        except OSError as error:  # a full disk: the chain is brought up later
            self._is_chained = False
            self.chain_fault = error.strerror or type(error).__name__
        if segment is None:
            self._rotate(now)
            return
        if standing is not None and standing.closed is not None:
            # All that came after it was taken away: its numbers are in the chain, or nowhere.
            self._next_seq = max(self._next_seq, segments.first_seq_of(segment.name))
            self._rotate(now)
            return
        tail = segments.repair(segment)
        if tail.torn:
            self._told_torn(segments.Torn(segment.name, len(tail.torn), tail.last_seq))
        self._next_seq = max(self._next_seq, tail.last_seq + 1)
        wall = self._wall_at_zero + now
        if segments.day_of(segment) != _day(wall) or tail.size >= self._segment_bytes:
            if tail.size:
                self._closer.retired(segment.name, closing.Whole(tail.last_seq, None))
            self._rotate(now)
            return
        self._fd = os.open(segment, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._segment = segment.name
        self._size = tail.size
        self._ends_at = now + min(86_400 - wall % 86_400, self._segment_s)

    def _told_torn(self, torn: segments.Torn) -> None:
        self.torn += torn.size
        fields: dict[str, str | int | float] = {"segment": torn.segment, "bytes": torn.size, "last_seq": torn.last_seq}
        self._tell(Fact("cdr.torn", fields))

    def _rotate(self, now: float) -> None:
        """Retire the segment in use and open the next one, named by the first line that will be in it."""
        wall = self._wall_at_zero + now
        first_seq = segments.seq_of(self._queue[0]) if self._queue else None
        path = self._directory / segments.name_of(_day(wall), self._next_seq if first_seq is None else first_seq)
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            size = os.fstat(fd).st_size
            if size:  # the same first line was tried here before, and may have left a part of itself
                size = segments.repair(path).size
            if not self._sync_s:
                segments.sync_directory(self._directory)
        except OSError:
            os.close(fd)
            raise
        if self._fd >= 0:
            self._retire()
        elif self._segment not in ("", path.name):
            self._closer.retired(self._segment, None)  # a disk's fault: it ends with whatever came through
        # Before the other thread can see the file, whose data it forces out next. Never here: a new name waits for all
        # that the file system has written since its last commit, a whole segment of it.
        self._is_name_due = bool(self._sync_s)
        self._last_line = b""
        self._written_before = -1 if size else self.written
        self._fd = fd
        self._size = size
        self._ends_at = now + min(86_400 - wall % 86_400, self._segment_s)
        self._segment = path.name
        self._is_chained = False
        self._group.due()

    def _retire(self) -> None:
        """The segment in use is to be closed behind its last line. Known here, it is not looked for: the thread that
        closes segments shares the interpreter with the event loop."""
        last_seq = segments.seq_of(self._last_line) if self._last_line else None
        records = None if self._written_before < 0 else self.written - self._written_before
        self._closer.retired(self._segment, None if last_seq is None else closing.Whole(last_seq, records))
        self._retired.append(self._fd)

    def _put_away(self, now: float) -> None:
        """Close the segment in use where its time is over and nothing comes: else its records would outlive their
        retention at a node without calls. The next line opens the next one."""
        if self._fd < 0 or not self._size or now < self._ends_at:
            return
        self._retire()
        self._fd, self._size = -1, 0
        self._segment = segments.name_of(_day(self._wall_at_zero + now), self._next_seq)  # all before it is closed
        self._is_chained = False
        self._group.due()

    def _account_for(self, count: int) -> None:
        """Drop the lines of the `count` bytes that were written.

        A line written in part is cut off the file again and stays in the queue, so that the file ends with a whole
        line however long the disk refuses.
        """
        queue = self._queue
        self._group.due()
        while queue and count >= len(queue[0]):
            line = queue.popleft()
            count -= len(line)
            self._size += len(line)
            self.written += 1
            self._last_line = line
        if count:
            try:
                os.ftruncate(self._fd, self._size)
            except OSError:
                # The part stays behind as a torn last line; the whole line goes to a new segment.
                self._retired.append(self._fd)
                self._fd = -1

    def _to_sync(self) -> list[int]:
        """Descriptors for `_sync_files`, which closes them: the retired ones, and a duplicate of the one in use."""
        files: list[int] = []
        while self._retired:
            files.append(self._retired.popleft())
        fd = self._fd  # once: the other thread may open the next segment meanwhile, and retires this one then
        if fd >= 0 and self._sync_s:  # else each write has waited for its own
            try:
                files.append(os.dup(fd))
            except OSError as error:
                self._sync_error = error
        return files

    def _sync_files(self, files: list[int]) -> None:
        """fsync and close each. Runs in a thread and never raises: the next `flush` tells of the failure."""
        if self._is_name_due:
            self._is_name_due = False
            try:
                segments.sync_directory(self._directory)
            except OSError as error:
                self._is_name_due = True
                self._sync_error = error
        for fd in files:
            try:
                os.fdatasync(fd)
            except OSError as error:
                self._sync_error = error
            finally:
                with suppress(OSError):
                    os.close(fd)
        self.synced += bool(files)
        try:
            now = time.monotonic()
            if now >= self._room_at:
                self._room_at = now + ROOM_S
                room = os.statvfs(self._directory)
                self.free_bytes = room.f_bavail * room.f_frsize
            if not self._is_chained:
                self._is_chained = True
                self._closer.settle(self._segment)
                self.chain_fault = ""
        except OSError as error:
            self._is_chained = False
            self.chain_fault = error.strerror or type(error).__name__

    # -- trouble ---------------------------------------------------------------------------------------------------

    def _failed(self, error: OSError, now: float) -> None:
        self.errors += 1
        self._retry_at = now + RETRY_S
        if error.errno not in _NO_ROOM and self._fd >= 0:
            # Not for want of room: this very file may be the trouble (size limit, bad sector). Try another.
            self._retired.append(self._fd)
            self._fd = -1
            self._group.due()
        if not self.is_failing or now >= self._remind_at:
            self.is_failing = True
            self._remind_at = now + REMIND_S
            name = errno.errorcode.get(error.errno or 0, "unknown")
            self._tell(Fact("cdr.failing", {"error": name, "why": error.strerror or "", "backlog": len(self._queue)}))

    def _watch_room(self) -> None:
        """Tell once that the disk fills, before it is full."""
        if self._is_low != (0 <= self.free_bytes < LOW_BYTES):
            self._is_low = not self._is_low
            if self._is_low:
                self._tell(Fact("cdr.disk_low", {"free_bytes": self.free_bytes, "directory": str(self._directory)}))

    def _recovered(self) -> None:
        if self.is_failing:
            self.is_failing = False
            self._is_losing = False
            self._tell(Fact("cdr.recovered", {"lost": self.lost, "written": self.written}))


def _day(wall: float) -> str:
    """UTC day as segments are named."""
    return datetime.fromtimestamp(wall, UTC).strftime("%Y%m%d")


def _locked(directory: Path) -> int:
    """An exclusive lock on the directory: two writers would tear each other's sequence numbers. Raises CdrError."""
    fd = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(fd)
        raise CdrError(f"cannot write CDRs to {directory}: another edge is writing there") from error
    return fd
