"""The log from a cursor on: whole records in order, over rotation, while it is being written (I/O).

What is handed out is on the disk: `sync` sees to it. A record that a power failure could still take away must not be
delivered, for its number would be given to another one.
"""

import os
import time
from pathlib import Path
from typing import NamedTuple

from edge.cdr import segments
from edge.cdr.delivery.consumer import Entry, Read, entry_of
from edge.cdr.settled import ALL, Gate

CHUNK_BYTES = 1 << 18
_LOOK_BACK_BYTES = 1 << 16
_SAME_TICK_NS = 1_000_000_000
"""A directory that changed so shortly before it was listed may have changed again with the same time stamp."""


class Reading(NamedTuple):
    """What one look at the log gave."""

    entries: list[Entry]
    damaged: list[tuple[int, bytes]]
    """Whole lines that are no records, each with the number of the record before it."""


class LogReader:
    """One place in the log of one node. Not for two threads at once."""

    __slots__ = ("_directory", "_fd", "_gate", "_known", "_listed_at", "_name", "_offset", "_read", "_seq")

    def __init__(self, directory: Path, gate: Gate | None = None, read: Read = entry_of) -> None:
        """`directory`: STATE/cdr. It may still be empty. `gate`: what may leave it; None: all of it. `read`: makes of a
        line what is handed out."""
        self._directory = directory
        self._gate = gate
        self._read = read
        self._fd = -1
        self._name = ""
        self._offset = 0
        """Of the first byte not handed out yet."""
        self._seq = 0
        self._known: list[tuple[int, str]] = []
        self._listed_at = (0, 0)

    def close(self) -> None:
        """Give the file back."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._name, self._offset = "", 0

    def seek(self, seq: int, *, uid: str = "", segment: str = "", end: int = 0) -> bool:
        """Stand behind the record `seq`. `uid`, `segment` and `end` as a checkpoint has them.

        False: the log is not the one in which that record had this number, and reading begins at its first record.
        Raises OSError."""
        self.close()
        self._seq = seq
        self._listed_at = (0, 0)
        known = self._segments()
        if seq == 0:
            return True
        if not known:
            self._seq = 0
            return False
        if segment in {name for _, name in known} and self._is_behind(segment, end, seq, uid):
            return True
        begin = [place for place, (first, _) in enumerate(known) if first <= seq]
        if not begin:
            return True  # everything up to there has been purged
        found = self._search(known[begin[-1]][1], seq)
        if found is not None and (found.seq > seq or not uid or found.uid == uid):
            return True
        if found is None and len(known) - 1 > begin[-1]:
            return True  # the record itself was lost, and others follow
        self.close()
        self._seq = 0
        return False

    def read(self, *, records: int, size: int) -> Reading:
        """The next whole records: at most so many, and no more than `size` bytes, but one at least where there is one.

        Lines that are no records are passed only when a record follows them: until then they may be what a crash left,
        and the writer's repair will cut them off and write records in their place. For the same reason nothing is kept
        in memory from one reading to the next. Behind the gate nothing is read. Raises OSError."""
        if self._gate is not None:
            self._gate.look()
        last = ALL if self._gate is None else self._gate.seq
        entry_of_line = self._read
        entries: list[Entry] = []
        damaged: list[tuple[int, bytes]] = []
        doubtful: list[bytes] = []
        data, at, place = b"", self._offset, 0  # `data` begins at this offset of the file, lines at `place` of it
        while len(entries) < records and len(damaged) + len(doubtful) < records:
            end = data.find(b"\n", place) + 1
            if not end:
                more = self._more(at + len(data))
                if more:
                    data, at, place = data[place:] + more, at + place, 0
                    continue
                following = self._following()
                if following is None:
                    break
                # The file was retired before the next one got its first byte: what it holds now is all it will hold.
                more = self._more(at + len(data))
                if more:
                    data, at, place = data[place:] + more, at + place, 0
                    continue
                damaged += [(self._seq, line) for line in doubtful]
                doubtful = []
                self.sync()
                self._open(following, 0)
                data, at, place = b"", 0, 0
                continue
            line, place = data[place:end], end
            entry = entry_of_line(line, self._name, at + end)
            if entry is None:
                doubtful.append(line)
                continue
            if entry.seq > last:
                break
            if doubtful and self._more(self._offset)[: len(doubtful[0])] != doubtful[0][:CHUNK_BYTES]:
                break  # repaired meanwhile: look again
            if entries and size < len(line):
                break
            damaged += [(self._seq, line) for line in doubtful]
            doubtful = []
            self._offset = at + end
            if entry.seq > self._seq:
                size -= len(line)
                entries.append(entry)
                self._seq = entry.seq
        return Reading(entries, damaged)

    def sync(self) -> None:
        """Wait until all that was read is on the disk, whoever wrote it. Raises OSError."""
        if self._fd >= 0:
            os.fdatasync(self._fd)

    def last_seq(self) -> int:
        """The last whole record of the log, now; 0 where there is none. Raises OSError."""
        known = self._segments()
        for first, name in reversed(known):
            try:
                last = _last_seq(self._directory / name)
            except FileNotFoundError:
                continue
            if last is not None:
                return last
            if first > 1:
                return first - 1
        return 0

    # -- files -----------------------------------------------------------------------------------------------------

    def _more(self, at: int) -> bytes:
        """Bytes of the open file from this offset on."""
        return os.pread(self._fd, CHUNK_BYTES, at) if self._fd >= 0 else b""

    def _following(self) -> str | None:
        """The segment after the one that is open; where none is open the one that has the next record."""
        known = self._segments()
        if self._fd >= 0:
            later = [name for first, name in known if (first, name) > (segments.first_seq_of(self._name), self._name)]
            return later[0] if later else None
        before = [name for first, name in known if first <= self._seq + 1]
        return before[-1] if before else known[0][1] if known else None

    def _open(self, name: str, offset: int) -> None:
        fd = os.open(self._directory / name, os.O_RDONLY | os.O_CLOEXEC)
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._name, self._offset = fd, name, offset

    def _segments(self) -> list[tuple[int, str]]:
        """(first sequence number, file name) in order; listed again only when the directory changed."""
        try:
            changed = os.stat(self._directory).st_mtime_ns
        except FileNotFoundError:
            return []
        mtime, listed = self._listed_at
        if mtime != changed or listed - changed < _SAME_TICK_NS:
            self._listed_at = (changed, time.time_ns())
            found = [(segments.first_seq_of(name), name) for name in os.listdir(self._directory)]
            self._known = sorted((first, name) for first, name in found if first)
        return self._known

    def _is_behind(self, segment: str, end: int, seq: int, uid: str) -> bool:
        """Whether the record `seq` ends there; if so that is where reading goes on."""
        self._open(segment, end)
        start = max(0, end - _LOOK_BACK_BYTES)
        data = os.pread(self._fd, end - start, start)
        if len(data) != end - start or not data.endswith(b"\n"):
            return False
        entry = entry_of(data[data.rfind(b"\n", 0, -1) + 1 :])
        return entry is not None and entry.seq == seq and (not uid or entry.uid == uid)

    def _search(self, name: str, seq: int) -> Entry | None:
        """Read this segment up to the record `seq`, or to the first behind it, which is not passed.

        None: the segment ends before."""
        self._open(name, 0)
        data = b""
        while True:
            end = data.find(b"\n") + 1
            if not end:
                more = self._more(self._offset + len(data))
                data += more
                if more:
                    continue
                return None
            entry = entry_of(data[:end])
            if entry is not None and entry.seq > seq:
                return entry
            self._offset, data = self._offset + end, data[end:]
            if entry is not None and entry.seq == seq:
                return entry


def _last_seq(path: Path) -> int | None:
    """Number of the last whole record of a segment; None where it holds none."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        window = _LOOK_BACK_BYTES
        while True:
            start = max(0, size - window)
            data = os.pread(file.fileno(), size - start, start)
            lines = data[: data.rfind(b"\n") + 1].splitlines(keepends=True)
            for line in reversed(lines if start == 0 else lines[1:]):
                entry = entry_of(line)
                if entry is not None:
                    return entry.seq
            if start == 0:
                return None
            window *= 4
