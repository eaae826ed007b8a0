"""Quality as it runs beside an edge: the consumer of the node's log, and the watch. I/O.

Runs in the delivery process, not in the one that carries calls. Its numbers go into a file beside the consumer's
checkpoint, from which the metrics page reads them.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from edge.cdr.delivery.consumer import DeliveryFailed, Entry, Json, entry_of
from edge.cdr.seal import Soundness, soundness
from edge.proxy.facts import Fact
from edge.quality.numbers import NAME, Numbers, read_numbers, write_numbers
from edge.quality.sampling import Told, read_line
from edge.quality.tally import Tally
from edge.quality.watch import QualityWatch
from limits.errors import SpoiltKey, StoreUnavailable
from limits.tallies import TallyStore

MARK_S = 10.0
"""A node tells at least so often how far it is."""
TERMS_S = 10.0
"""What is in force is looked up so often."""
WRITE_S = 2.0
RESTART_S = 10.0
"""Until the watch begins again after a fault of ours."""


class ToldEntry(Entry):
    """A record of the log of which only what quality needs of it is kept."""

    __slots__ = ("told",)

    def __init__(self, told: Told | None, seq: int, uid: str, size: int, segment: str, end: int) -> None:
        self.seq, self.uid, self.line, self.size = seq, uid, b"", size
        self.segment, self.end, self._record = segment, end, None
        self.told = told
        """None: it makes no sense."""

    @property
    def record(self) -> Mapping[str, Json]:
        """The columns that were kept."""
        return {} if self.told is None else msgspec.structs.asdict(self.told)


def told_entry(line: bytes, segment: str = "", end: int = 0) -> Entry | None:
    """As `entry_of`: the consumer takes it as well, and a large batch of it fits into memory."""
    told = _told(line) if soundness(line) is Soundness.SOUND else None
    if told is not None:
        return ToldEntry(told, told.seq, told.uid, len(line), segment, end)
    entry = entry_of(line, segment, end)
    return None if entry is None else ToldEntry(_told(line), entry.seq, entry.uid, len(line), segment, end)


class QualityConsumer:
    """Counts the records of one node (`edge.cdr.delivery.consumer.Consumer`)."""

    def __init__(self, url: str, *, node: str) -> None:
        """Raises ValueError where the URL is no store's."""
        self._store = TallyStore(url)
        self._tally = Tally(self._store, node)
        self._marked_at = self._refreshed_at = float("-inf")

    @property
    def name(self) -> str:
        """Names its checkpoint."""
        return NAME

    @property
    def counted(self) -> int:
        """Records counted by this process."""
        return self._tally.counted

    @property
    def unreadable(self) -> int:
        """Records that made no sense to it."""
        return self._tally.unreadable

    async def start(self, cursor: int) -> int:
        """Where to go on: where the store has it."""
        with _as_failure():
            return await self._tally.start(cursor)

    async def deliver(self, entries: Sequence[Entry]) -> None:
        """Count them."""
        now, wall = time.monotonic(), int(time.time())
        records = [entry.told if isinstance(entry, ToldEntry) else _told(entry.line) for entry in entries]
        with _as_failure():
            if now - self._refreshed_at >= TERMS_S:
                await self._tally.refresh()
                self._refreshed_at = now
            await self._tally.add(records, now_s=wall)
            # Where calls never cease, the end of the log is never come to: what ended before the last of these is
            # counted all the same, and its hour need not wait.
            if (last := records[-1]) is not None and now - self._marked_at >= MARK_S:
                await self._tally.mark(min(wall, last.ended_s))
                self._marked_at = now

    async def tend(self) -> None:
        """The log is counted to its end."""
        now = time.monotonic()
        if now - self._marked_at < MARK_S:
            return
        with _as_failure():
            await self._tally.mark(int(time.time()))
        self._marked_at = now

    async def close(self) -> None:
        """The node goes; its last records are counted, or wait for its return, which others do not."""
        try:
            await self._tally.unmark()
            await self._store.__aexit__()
        except (StoreUnavailable, OSError):
            return


class QualityService:
    """Consumer and watch of one process. `consumer` is for a runner; `run` for a task."""

    def __init__(self, url: str, *, node: str, home: Path, tell: Callable[[Fact], None]) -> None:
        """`home`: STATE/delivery/quality. Raises ValueError where the URL is no store's."""
        self.consumer = QualityConsumer(url, node=node)
        self._watch = QualityWatch(url, node=node, tell=tell)
        self._home = home
        self._tell = tell
        self._before = read_numbers(home)

    async def run(self) -> None:
        """Until cancelled. A fault of ours is told, and the watch begins again: hours must be closed all the same."""
        while True:
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._watch.run())
                    tasks.create_task(self._write())
            except* Exception as faults:
                why = "; ".join(f"{type(fault).__name__}: {fault}" for fault in faults.exceptions)
                self._tell(Fact("quality.died", {"why": why, "restart_s": RESTART_S}))
            await asyncio.sleep(RESTART_S)

    async def _write(self) -> None:
        last = self._before
        while True:
            await asyncio.sleep(WRITE_S)
            now = self.numbers()
            if now != last:
                await asyncio.to_thread(write_numbers, self._home, now)
                last = now

    def numbers(self) -> Numbers:
        """Of this process and those before it."""
        before, watch = self._before, self._watch
        return Numbers(
            before.counted + self.consumer.counted,
            before.unreadable + self.consumer.unreadable,
            before.hours_closed + watch.hours_closed,
            _added(before.breaches, watch.breaches),
            _added(before.penalties, watch.penalties),
        )


@contextmanager
def _as_failure() -> Iterator[None]:
    """What the store cannot do is no fault of the records, nor is a key of all nodes that was spoilt by hand: they
    wait, and it is told."""
    try:
        yield
    except (StoreUnavailable, SpoiltKey) as error:
        raise DeliveryFailed(str(error)) from error


def _told(line: bytes) -> Told | None:
    try:
        return read_line(line)
    except ValueError:
        return None


def _added(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}
