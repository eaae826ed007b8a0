"""Attempts that pass without a lease: while they last they stand in a file of their own (I/O).

The store tells the next process of every call that has a lease. Of those that it was not asked about (emergency calls),
or that it was too late or too far away to decide on, nobody could: their attempts would have no record when the process
dies. So a line is written before such an attempt is sent on, another one when it is answered, a third when it has its
record; a file without anything open is emptied. Errors of the disk hold up no call; they are told once.
"""

import asyncio
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import orjson

from edge.proxy.actions import Opened
from edge.proxy.facts import Fact

FILE: Final = "unleased.jsonl"
SYNC_S: Final = 0.01
"""Longest time between a write and its fsync, while `run()` is running."""
SPARE_LINES: Final = 4_096
"""The file is written anew when it has so many lines more than four times what is open."""


class Unleased:
    """The file of one node, owned by one process."""

    __slots__ = ("_dirty", "_fd", "_is_failing", "_lines", "_open", "_path", "_tell")

    def __init__(self, directory: Path, tell: Callable[[Fact], None]) -> None:
        """`directory`: of the state. Raises OSError."""
        self._path = directory / FILE
        self._tell = tell
        self._open: dict[str, bytes] = {}
        self._lines = 0
        self._is_failing = False
        self._dirty = asyncio.Event()
        self._fd = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with self._path.open("rb") as file:
            for line in file:
                self._take(line)
        self._rewrite()

    def _take(self, line: bytes) -> None:
        """A line of the process before; a torn one is none."""
        try:
            entry = orjson.loads(line)
            uid = entry["uid"]
            if not isinstance(uid, str) or not isinstance(entry.get("account", ""), str):
                return
            if "record" in entry:
                self._open[uid] = line
            else:
                self._open.pop(uid, None)
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            return

    def left(self) -> list[Opened]:
        """What is open: right after the start, what the process before has left."""
        entries = [orjson.loads(line) for line in self._open.values()]
        return [Opened(entry["uid"], entry["account"], orjson.dumps(entry["record"])) for entry in entries]

    def opened(self, attempts: Iterable[Opened]) -> None:
        """These pass, or one of them is answered: on return the process may die."""
        lines = [
            b'{"uid":%b,"account":%b,"record":%b}\n' % (orjson.dumps(one.uid), orjson.dumps(one.account), one.record)
            for one in attempts
            if one.record
        ]
        for one, line in zip((one for one in attempts if one.record), lines, strict=True):
            self._open[one.uid] = line
        self._write(lines)

    def over(self, uids: Iterable[str]) -> None:
        """These have their records."""
        lines = [b'{"uid":%b}\n' % orjson.dumps(uid) for uid in uids if self._open.pop(uid, None) is not None]
        if lines:
            self._write(lines)

    def _write(self, lines: list[bytes]) -> None:
        try:
            if not self._open or self._lines > SPARE_LINES + 4 * len(self._open):
                self._rewrite()
                return
            data = b"".join(lines)
            if os.write(self._fd, data) != len(data):
                # The disk is full: what is there of the last line must not spoil the next one.
                os.write(self._fd, b"\n")
            self._lines += len(lines)
        except OSError as error:
            if not self._is_failing:
                self._is_failing = True
                self._tell(Fact("unleased.failing", {"why": error.strerror or "", "open": len(self._open)}))
            return
        self._is_failing = False
        self._dirty.set()

    def _rewrite(self) -> None:
        """Only what is open. Raises OSError."""
        if not self._open:
            os.ftruncate(self._fd, 0)
            self._lines = 0
            return
        beside = self._path.with_name(FILE + ".new")
        fd = os.open(beside, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            data = b"".join(self._open.values())
            while data:
                data = data[os.write(fd, data) :]
            beside.replace(self._path)
        except OSError:
            os.close(fd)
            raise
        os.close(self._fd)
        self._fd, self._lines = fd, len(self._open)
        self._dirty.set()

    async def run(self) -> None:
        """Group fsync, off the event loop, until cancelled."""
        while True:
            await self._dirty.wait()
            await asyncio.sleep(SYNC_S)
            self._dirty.clear()
            with suppress(OSError):
                fd = os.dup(self._fd)
                await asyncio.shield(asyncio.to_thread(_sync, fd))

    def close(self) -> None:
        """Give the file back."""
        with suppress(OSError):
            os.close(self._fd)


def _sync(fd: int) -> None:
    try:
        with suppress(OSError):
            os.fdatasync(fd)
    finally:
        os.close(fd)
