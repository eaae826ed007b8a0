"""Drives one consumer: read the log, fill a batch, hand it over, move the checkpoint; for ever, whatever fails (I/O).

Imports asyncio, the standard library and this room. One runner and one thread for each consumer, so that none holds up
another. The order of things is the whole point: records are on the disk before they are handed over, they are handed
over before the checkpoint moves, and what is refused for good is in the quarantine before the checkpoint moves.
"""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypeVar

from edge.cdr.delivery import checkpoint as checkpoints
from edge.cdr.delivery import quarantine, status
from edge.cdr.delivery.batch import Batch, gaps
from edge.cdr.delivery.checkpoint import Checkpoint, CheckpointError
from edge.cdr.delivery.consumer import BatchRefused, Bounds, Consumer, DeliveryFailed, Entry, Read, entry_of
from edge.cdr.delivery.log_reader import LogReader, Reading
from edge.cdr.delivery.status import Status
from edge.cdr.delivery.trouble import Trouble
from edge.cdr.delivery.worker import Worker
from edge.cdr.settled import Gate
from edge.proxy.facts import Fact

POLL_S = 0.2
"""How often a request to go back is looked for while deliveries fail."""
STATUS_S = 1.0
REFUSED_IN_A_ROW = 100
"""So many records refused with none taken between: then it is the consumer that is wrong, and nothing more is put aside
until it takes one again."""
UNEXPECTED_TRIES = 3
"""An exception that no consumer should raise counts as a failure so often, then as a refusal of the batch."""
MAX_WHY_CHARS = 300

T = TypeVar("T")


class Clock(Protocol):
    """Monotonic seconds, and the UTC seconds of one of them."""

    def now(self) -> float: ...
    def wall(self) -> float: ...


class SystemClock:
    """The machine's. Wall time is read anew each time: a delivery process runs for months."""

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def wall(self) -> float:
        """UTC seconds."""
        return time.time()


class Runner:
    """One consumer's way through the log of one node."""

    def __init__(
        self,
        consumer: Consumer,
        *,
        log: Path,
        home: Path,
        tell: Callable[[Fact], None],
        bounds: Bounds | None = None,
        read: Read = entry_of,
        clock: Clock | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """`log`: STATE/cdr. `home`: STATE/delivery/NAME, made where it is missing. `tell` gets the alarms. `read`: see
        `Ready`."""
        self._consumer = consumer
        self._home = home
        self._tell = tell
        self._bounds = bounds or Bounds()
        self._clock: Clock = clock or SystemClock()
        self._trouble = Trouble(consumer.name, self._bounds, tell=tell, draw=draw)
        self._gate = Gate(log)
        self._log = log
        self._reader = LogReader(log, self._gate, read)
        self._worker = Worker(f"delivery-{consumer.name}")
        self._position: Checkpoint | None = None
        """None: not loaded yet."""
        self._is_ready = False
        """The consumer has been started since the last failure."""
        self._batch = Batch()
        self._is_synced = True
        """All that was read is on the disk."""
        self._is_astray = False
        """The reader is past records that are not in the batch."""
        self._width = self._bounds.records
        """Records of the batch handed over at once: halved by a refusal, doubled by a success."""
        self._refused_in_a_row = 0
        self._surprises = 0
        self._status = Status()
        self._status_at = 0.0
        self._woken = asyncio.Event()
        self._is_finishing = False
        self._is_done = False

    @property
    def position(self) -> Checkpoint:
        """How far it has come."""
        return self._position or Checkpoint(0)

    @property
    def is_done(self) -> bool:
        """All that the log held when it was looked at after `finish` is delivered."""
        return self._is_done

    def finish(self) -> None:
        """The log gets no more records: deliver what is there without waiting for batches to fill, and be done."""
        self._is_finishing = True
        self._trouble.try_at_once()
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled. After `finish` until all is delivered, or until a delivery fails: who fails just now is not
        waited for. Nothing else ends it, whatever a consumer or a disk does."""
        while not self._is_done and not (self._is_finishing and self._trouble.in_a_row):
            await self._pause(await self.step())

    async def _pause(self, seconds: float) -> None:
        self._woken.clear()
        if seconds > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._woken.wait()

    async def close(self) -> None:
        """Give back what is open. What is not delivered stays in the log."""
        await self._consumer.close()
        self._reader.close()
        self._worker.close()

    async def step(self) -> float:
        """One round: at most one delivery. Returns the seconds until the next one is worth making."""
        try:
            pause = await self._round()
        except asyncio.CancelledError:
            self._is_ready = False
            raise
        except DeliveryFailed as failure:
            pause = self._failed(str(failure), asked_s=failure.retry_after_s)
        except OSError as error:
            # Our own disk: log, checkpoint or quarantine.
            pause = self._failed(f"{error.strerror or type(error).__name__}: {error.filename or 'state directory'}")
        await self._tell_status()
        return pause

    async def _round(self) -> float:
        now, bounds, trouble = self._clock.now(), self._bounds, self._trouble
        # Else it is asked with the look at the log.
        if not self._is_ready or self._batch.is_full(bounds) or now < trouble.retry_at:
            await self._go_back_if_asked()
            if now < trouble.retry_at:
                return min(trouble.retry_at - now, POLL_S)
            await self._make_ready()
        if not await self._fill():
            return 0.0
        if not self._batch:
            await self._within(self._consumer.tend())
            self._worked()
            self._is_done = self._is_finishing
            return bounds.poll_s
        wait = self._batch.due_in_s(bounds, self._clock.now())
        if wait > 0 and not self._is_finishing:
            return min(wait, bounds.poll_s)
        await self._hand_over()
        return 0.0

    # -- where it stands -------------------------------------------------------------------------------------------

    async def _make_ready(self) -> None:
        """Load the checkpoint once; start the consumer, again after each failure."""
        if self._position is None:
            await self._load()
        if self._is_astray:
            await self._seek(self.position)
        if self._is_ready:
            return
        position = self.position
        cursor = await self._within(self._consumer.start(position.seq))
        if cursor < position.seq:
            self._tell(
                Fact("delivery.rewound", {"sink": self._consumer.name, "from": cursor + 1, "cursor": position.seq})
            )
            await self._go_to(position._replace(seq=max(0, cursor), uid="", segment="", end=0))
        self._is_ready = True

    async def _load(self) -> None:
        await self._worker.do(self._home.mkdir, mode=0o750, parents=True, exist_ok=True)
        try:
            found = await self._worker.do(checkpoints.load, self._home)
        except CheckpointError as error:
            self._tell(Fact("delivery.checkpoint_lost", {"sink": self._consumer.name, "why": str(error)}))
            found = Checkpoint(0)
        if found is None:
            last = 0 if self._bounds.from_oldest else await self._worker.do(self._reader.last_seq)
            found = Checkpoint(last)
            await self._worker.do(checkpoints.save, self._home, found)
        earlier = await self._worker.do(status.read, self._home)
        if earlier is not None:
            self._status = earlier._replace(failures=0, failing_since=0.0)
        await self._seek(found)

    async def _seek(self, position: Checkpoint) -> None:
        """Stand behind this record with nothing read ahead."""
        self._batch, self._is_astray = Batch(), True
        is_same_log = await self._worker.do(
            self._reader.seek, position.seq, uid=position.uid, segment=position.segment, end=position.end
        )
        if not is_same_log:
            self._tell(Fact("delivery.log_restarted", {"sink": self._consumer.name, "cursor": position.seq}))
            position = position._replace(seq=0, uid="", segment="", end=0)
            await self._worker.do(checkpoints.save, self._home, position)
        self._position, self._is_astray = position, False

    async def _go_to(self, position: Checkpoint) -> None:
        await self._worker.do(checkpoints.save, self._home, position)
        await self._seek(position)

    async def _go_back_if_asked(self) -> None:
        """Carry out a request of `edge cdr redeliver`."""
        wanted = await self._worker.do(checkpoints.requested, self._home)
        if wanted is None:
            return
        if self._position is None:
            await self._load()
        position = self.position
        if wanted <= position.seq:
            await self._go_to(position._replace(seq=wanted - 1, uid="", segment="", end=0))
            self._is_ready = False
            self._trouble.retry_at = 0.0
            self._tell(Fact("delivery.asked_again", {"sink": self._consumer.name, "from": wanted}))
        await self._worker.do(checkpoints.forget_request, self._home)

    # -- the batch -------------------------------------------------------------------------------------------------

    async def _fill(self) -> bool:
        """Read on, as far as the batch has room. False: somebody asks to go back, which was done instead."""
        if self._batch.is_full(self._bounds):
            return True
        self._is_astray = True  # where anything fails from here on
        reading = await self._worker.do(self._look, *self._batch.room(self._bounds))
        if reading is None:
            self._is_astray = False
            await self._go_back_if_asked()
            return False
        for after, line in reading.damaged:
            await self._put_aside(after, "", "no record: a damaged line of the log", line)
        if reading.entries:
            self._is_synced = False
            self._watch_for_gaps(reading.entries)
            self._batch.add(reading.entries, self._clock.now())
        self._is_astray = False
        return True

    def _look(self, records: int, size: int) -> Reading | None:
        """In the thread, and in one piece: to hand work to it costs more than the look at a log that has nothing new.
        None: somebody asks to go back. Raises OSError."""
        if checkpoints.requested(self._home) is not None:
            return None
        return self._reader.read(records=records, size=size)

    def _watch_for_gaps(self, entries: list[Entry]) -> None:
        before = self._batch.last_seq or self.position.seq
        for first, last in gaps(before, entries):
            self._tell(Fact("delivery.gap", {"sink": self._consumer.name, "first": first, "last": last}))

    async def _hand_over(self) -> None:
        """Deliver the first `_width` records of the batch, and move past them."""
        entries = self._batch.entries[: self._width]
        if not self._is_synced:
            await self._worker.do(self._reader.sync)
            self._is_synced = True
        try:
            if standing := self._gate.standing(entries):
                await self._within(self._consumer.deliver(standing))
        except BatchRefused as refusal:
            await self._refused(entries, str(refusal))
            return
        except (DeliveryFailed, OSError):
            raise
        except Exception as surprise:
            self._surprises += 1
            why = f"{type(surprise).__name__}: {surprise}"
            if self._surprises < UNEXPECTED_TRIES:
                raise DeliveryFailed(why) from surprise
            await self._refused(entries, why)
            return
        self._refused_in_a_row = 0
        self._width = min(self._bounds.records, self._width * 2)
        await self._advance(entries, delivered=len(standing))
        self._status = self._status._replace(delivered_at=self._clock.wall())
        self._worked()

    async def _refused(self, entries: list[Entry], why: str) -> None:
        """Halve until one record is left; put that one aside."""
        if len(entries) > 1:
            self._width = len(entries) // 2
            return
        if self._refused_in_a_row >= REFUSED_IN_A_ROW:
            raise DeliveryFailed(f"refuses every record, so none is put aside any more: {why}")
        self._refused_in_a_row += 1
        (entry,) = entries
        await self._put_aside(entry.seq, entry.uid, why, entry.line or await self._worker.do(self._line_of, entry))
        await self._advance(entries, quarantined=1)

    def _line_of(self, entry: Entry) -> bytes:
        """Of one whose consumer has not kept it: read again. Raises OSError."""
        reader = LogReader(self._log)
        try:
            reader.seek(entry.seq - 1)
            again = reader.read(records=1, size=1).entries
        finally:
            reader.close()
        return again[0].line if again and again[0].uid == entry.uid else b""

    async def _put_aside(self, seq: int, uid: str, why: str, line: bytes) -> None:
        wall = self._clock.wall()
        await self._worker.do(quarantine.put_aside, self._home, seq=seq, uid=uid, reason=why, line=line, wall=wall)
        fields: dict[str, str | int | float] = {"sink": self._consumer.name, "seq": seq, "uid": uid, "why": why}
        self._tell(Fact("delivery.quarantined", fields))

    async def _advance(self, entries: list[Entry], *, delivered: int = 0, quarantined: int = 0) -> None:
        """The checkpoint behind these; only then are they forgotten."""
        last, position = entries[-1], self.position
        moved = Checkpoint(
            seq=last.seq,
            uid=last.uid,
            segment=last.segment,
            end=last.end,
            delivered=position.delivered + delivered,
            quarantined=position.quarantined + quarantined,
        )
        await self._worker.do(checkpoints.save, self._home, moved)
        self._position = moved
        self._surprises = 0
        self._batch.forget(len(entries))

    # -- trouble ---------------------------------------------------------------------------------------------------

    async def _within(self, work: Coroutine[None, None, T]) -> T:
        try:
            async with asyncio.timeout(self._bounds.timeout_s):
                return await work
        except TimeoutError as error:
            raise DeliveryFailed(f"no answer in {self._bounds.timeout_s:g} s") from error

    def _failed(self, why: str, *, asked_s: float = 0.0) -> float:
        """Once more; returns the seconds until the next round."""
        now, wall = self._clock.now(), self._clock.wall()
        why = why[:MAX_WHY_CHARS]
        self._is_ready = False
        self._status = self._status._replace(
            failures=self._status.failures + 1,
            failing_since=self._status.failing_since or wall,
            last_error=why,
            last_error_at=wall,
        )
        return min(self._trouble.failed(why, now, asked_s=asked_s), POLL_S)

    def _worked(self) -> None:
        if self._trouble.is_over(self._clock.now()):
            self._status = self._status._replace(failing_since=0.0)

    async def _tell_status(self) -> None:
        """Write the status file, about every second, and always when the log has been delivered to its end."""
        now = self._clock.now()
        if self._position is None:
            return
        if now < self._status_at and not self._is_done:
            return
        self._status_at = now + STATUS_S
        try:
            self._status = self._status._replace(
                cursor=self._position.seq,
                delivered=self._position.delivered,
                quarantined=self._position.quarantined,
                pending_since=self._batch.waits_since(self._clock.wall()),
                updated_at=self._clock.wall(),
            )
            self._status = await self._worker.do(self._write_status, self._status)
        except OSError:
            return  # a full disk: what matters says so itself

    def _write_status(self, told: Status) -> Status:
        """With how long the log is now. Raises OSError."""
        told = told._replace(last_seq=self._reader.last_seq())
        status.write(self._home, told)
        return told
