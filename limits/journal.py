"""Settlements that wait for the store: a bounded queue, and a file under it that survives the process.

I/O (one append-only file, JSON lines). A line is a settlement, or `{"sent": n}`: the first n of those that wait have
been handed to the store. The file is emptied when nothing waits. A disk that refuses is counted and told in `fault`;
the queue goes on in memory.
"""

import asyncio
import json
import os
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from limits.frequency import Counts, Frequency
from limits.model import Settle
from limits.rates import Price

CAPACITY = 100_000
"""Settlements kept; beyond, the oldest is dropped and counted (its lease will run out, charged to its last renewal)."""

DOUBTFUL_S = 60.0
"""A settlement that may have been applied is doubtful after this time: its tombstone lives 64 s."""


class SettlementJournal:
    """First in, first out. `keep` takes one in, `take` hands the next over, `empty` forgets what was handed over."""

    def __init__(self, directory: Path | None = None, *, name: str = "settlements.jsonl") -> None:
        """Without a directory: in memory only. With one: takes up what an earlier process left there."""
        self._waiting: deque[tuple[Settle, bool, float]] = deque()
        """(settlement, it may have been applied, UTC seconds when it was kept)."""
        self._fd = -1
        self._is_syncing = False
        self._is_written = False
        self.dropped = 0
        self.torn = 0
        """Lines of the file that could not be read at the start."""
        self.errors = 0
        self.fault = ""
        if directory is None:
            return
        path = directory / name
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o750)
            self._fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
            with open(path, "rb") as file:
                data = file.read()
            self._is_written = bool(data)
            self._load(data)
        except OSError as error:
            self._failed(error)

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_written(self) -> bool:
        """Is there anything in the file to be emptied?"""
        return self._is_written

    def keep(self, settle: Settle, *, is_maybe_applied: bool) -> Settle | None:
        """It could not be delivered: the store is away, or its answer never came (`is_maybe_applied`). Returns the
        oldest one where that had to make place."""
        dropped = None
        if len(self._waiting) >= CAPACITY:
            dropped = self._waiting.popleft()[0]
            self.dropped += 1
        at = settle.maybe_since or time.time()
        is_maybe_applied = is_maybe_applied or settle.maybe_since > 0
        self._waiting.append((settle, is_maybe_applied, at))
        self._write(_line(settle, is_maybe_applied, at))
        return dropped

    def take(self, most: int) -> list[Settle]:
        """The next to be sent, at most so many; doubtful ones are marked."""
        count = min(most, len(self._waiting))
        if not count:
            return []
        now = time.time()
        batch = [self._waiting.popleft() for _ in range(count)]
        self._write(b'{"sent":%d}\n' % count)
        return [
            settle._replace(doubtful=settle.doubtful or now - at > DOUBTFUL_S, maybe_since=at) if maybe else settle
            for settle, maybe, at in batch
        ]

    def empty(self) -> None:
        """Nothing waits and nothing is under way."""
        if self._fd < 0 or self._waiting:
            return
        self._is_written = False
        try:
            os.ftruncate(self._fd, 0)
        except OSError as error:
            self._failed(error)

    def close(self) -> None:
        """Last fsync; what waits stays in the file."""
        if self._fd >= 0:
            with suppress(OSError):
                os.fdatasync(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _write(self, line: bytes) -> None:
        if self._fd < 0:
            return
        self._is_written = True
        try:
            os.write(self._fd, line)
        except OSError as error:
            self._failed(error)
            return
        # Off the event loop, one at a time: the next one covers whatever was written meanwhile.
        if not self._is_syncing:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                return
            self._is_syncing = True
            loop.run_in_executor(None, self._sync, os.dup(self._fd)).add_done_callback(self._synced)

    def _synced(self, _: object) -> None:
        self._is_syncing = False

    def _sync(self, fd: int) -> None:
        try:
            os.fdatasync(fd)
        except OSError as error:
            self._failed(error)
        finally:
            os.close(fd)

    def _failed(self, error: OSError) -> None:
        self.errors += 1
        self.fault = f"settlements cannot be kept on disk: {error.strerror}"

    def _load(self, data: bytes) -> None:
        for line in data.splitlines():
            try:
                entry = json.loads(line)
                if "sent" in entry:
                    for _ in range(min(int(entry["sent"]), len(self._waiting))):
                        self._waiting.popleft()
                    continue
                price = entry["price"]
                settle = Settle(
                    str(entry["account"]),
                    str(entry["uid"]),
                    str(entry["outcome"]),
                    int(entry["duration_ms"]),
                    None if price is None else Price(*(int(part) for part in price)),
                    marks=_frequencies(entry.get("marks", ())),
                    returned=_frequencies(entry.get("returned", ())),
                    by=str(entry.get("by", "")),
                    charged=entry.get("charged"),
                )
                self._waiting.append((settle, bool(entry["maybe"]), float(entry["at"])))
            except (ValueError, TypeError, KeyError):
                self.torn += 1


def _frequencies(found: Iterable[Iterable[str | int]]) -> tuple[Frequency, ...]:
    made = []
    for name, key, most, window_ms, counts, item, mode, *more in found:
        words = (str(name), str(key), int(most), int(window_ms), Counts(str(counts)), str(item), str(mode))
        made.append(Frequency(*words, *map(int, more)))
    return tuple(made)


def _line(settle: Settle, is_maybe_applied: bool, at: float) -> bytes:
    entry = {
        "account": settle.account,
        "uid": settle.uid,
        "outcome": settle.outcome,
        "duration_ms": settle.duration_ms,
        "price": settle.price,
        "maybe": is_maybe_applied or settle.doubtful,
        "at": at,
    }
    if settle.marks or settle.returned:
        entry |= {"marks": settle.marks, "returned": settle.returned}
    if settle.by:
        entry["by"] = settle.by
    if settle.charged is not None:
        entry["charged"] = settle.charged
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"
