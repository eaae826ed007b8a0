"""What takes records from the log: a consumer, its batch, and the two ways to say no.

Pure; standard library, orjson and the seal. A consumer is anything that must see every record at least once and in
order: the sinks of an operator (`spool`, `stream`, `postgres`, `webhook`) and the edge's own readers of records.

**To add a consumer**: write a class with the methods of `Consumer`, give it a name that no other has, and hand it to a
`Runner` (`edge.cdr.delivery.runner`), which owns everything else: where it had stopped, batches, retries, alarms,
refused records, numbers. The rules:

1. `deliver` returns when the records are safe where they belong. Only then does the checkpoint move past them.
2. The same record may come again (a crash between delivery and checkpoint, `edge cdr redeliver`): the second time must
   change nothing. `uid` names a record, `seq` its place on this node.
3. `DeliveryFailed` is "not now": the same records come again later, after a growing pause. `BatchRefused` is "never":
   the runner finds the record that is meant by halving and puts it aside. Any other exception is taken for the first,
   and after some tries for the second.
4. `deliver` is cancelled when it takes longer than `Bounds.timeout_s`. Work that blocks goes through a `Worker`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import orjson

from edge.cdr.seal import Soundness, soundness

Json = str | int | float | bool | None | Sequence["Json"] | Mapping[str, "Json"]


_SOUND, _DAMAGED = Soundness.SOUND, Soundness.DAMAGED
"""Looked up once: a line is read in microseconds."""
_HEAD = re.compile(rb'\{"v":[0-9]{1,9},"seq":([0-9]{1,18}),"node":"[^"\\]*","uid":"([^"\\]*)"')
"""How our records begin: who needs no more of them need not read all."""


class Entry:
    """One record of the log."""

    __slots__ = ("_record", "end", "line", "segment", "seq", "size", "uid")

    def __init__(
        self,
        seq: int,
        uid: str,
        line: bytes,
        record: Mapping[str, Json] | None = None,
        segment: str = "",
        end: int = 0,
    ) -> None:
        self.seq = seq
        self.uid = uid
        self.line = line
        """As it stands in the log, newline included; empty where its consumer keeps something else."""
        self.size = len(line)
        """Bytes of the line in the log."""
        self.segment = segment
        """File name of the segment it is in."""
        self.end = end
        """Offset in that segment, behind its newline."""
        self._record = record

    @property
    def record(self) -> Mapping[str, Json]:
        """Its columns, read when they are first asked for. Raises ValueError for what is no JSON object: a line with a
        sound sum that nobody of ours has written."""
        found = self._record
        if found is None:
            read = orjson.loads(self.line)
            if not isinstance(read, dict):
                raise ValueError(f"record {self.seq} is no object")
            found = self._record = read
        return found

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Entry):
            return NotImplemented
        return (self.line, self.segment, self.end) == (other.line, other.segment, other.end)

    def __repr__(self) -> str:
        return f"Entry({self.seq}, {self.uid!r}, {self.segment!r}, {self.end})"


def entry_of(line: bytes, segment: str = "", end: int = 0) -> Entry | None:
    """The entry of one whole line; None where it is no record, or is not as it was written."""
    sound = soundness(line)
    if sound is _SOUND:
        head = _HEAD.match(line)
        if head is not None:
            seq, uid = head.groups()
            try:
                return Entry(int(seq), uid.decode(), line, None, segment, end)
            except UnicodeDecodeError:
                pass
    elif sound is _DAMAGED:
        return None
    return _read_whole(line, segment, end)


def _read_whole(line: bytes, segment: str, end: int) -> Entry | None:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(record, dict):
        return None
    seq, uid = record.get("seq"), record.get("uid")
    if not isinstance(seq, int) or isinstance(seq, bool) or not isinstance(uid, str):
        return None
    return Entry(seq, uid, line, record, segment, end)


Read = Callable[[bytes, str, int], Entry | None]
"""As `entry_of` does, in the thread that reads: the same seq, uid, segment, end and size."""


class DeliveryFailed(Exception):
    """Not now. The text says why, without a secret; the same records are handed over again after a pause."""

    def __init__(self, why: str, *, retry_after_s: float = 0.0) -> None:
        """`retry_after_s`: the other side asked for so long a pause."""
        super().__init__(why)
        self.retry_after_s = retry_after_s


class BatchRefused(Exception):
    """Never: at least one record of this batch will not be taken, however often it comes. The text says why."""


class Consumer(Protocol):
    """Where records go. One task calls it, never two methods at once."""

    @property
    def name(self) -> str:
        """Names its checkpoint, its metrics and its alarms: letters, digits, '.', '_', '-'."""

    async def start(self, cursor: int) -> int:
        """Make ready; called before the first batch and again after each failure. `cursor`: the last sequence number
        that counts as delivered. Returns the number to go on from: `cursor`, or a lower one where the other side has
        lost records that it once had. Raises DeliveryFailed."""

    async def deliver(self, entries: Sequence[Entry]) -> None:
        """Take these, in order of `seq`; never empty. Raises DeliveryFailed or BatchRefused."""

    async def tend(self) -> None:
        """Called now and then when everything delivered so far is in the checkpoint: to finish a file, to keep a
        connection. Raises DeliveryFailed."""

    async def close(self) -> None:
        """Give back what is open. Never raises."""


class Bounds(NamedTuple):
    """How a runner treats its consumer. Seconds, records, bytes."""

    records: int = 500
    """Most records in one batch."""
    size: int = 1 << 20
    """Most bytes of lines in one batch; a single longer line goes alone."""
    age_s: float = 1.0
    """Longest wait of a record for others to fill its batch."""
    few: int = 0
    """A batch of fewer records than these waits for `few_age_s` only."""
    few_age_s: float = 0.0
    poll_s: float = 0.2
    """How often the log is looked at when a batch has room."""
    timeout_s: float = 30.0
    """A delivery that takes longer has failed."""
    retry_s: float = 0.5
    """First pause after a failure; it doubles."""
    retry_most_s: float = 60.0
    alarm_s: float = 60.0
    """A consumer that has failed for so long is told as an alarm, and again every `REMIND_S`."""
    from_oldest: bool = True
    """A new consumer begins with the oldest record there is, else with the next one."""


REMIND_S = 900.0
MAX_RETRY_AFTER_S = 600.0


def pause_s(bounds: Bounds, failures: int, draw: float, *, asked_s: float = 0.0) -> float:
    """The pause after so many failures in a row: doubling, bounded, spread over its upper half by `draw` in [0, 1).

    The other side's own wish counts where it is longer, up to `MAX_RETRY_AFTER_S`."""
    most: float = min(bounds.retry_most_s, bounds.retry_s * 2.0 ** min(failures - 1, 30))
    return max(most * (0.5 + draw / 2), min(asked_s, MAX_RETRY_AFTER_S))


class Ready(NamedTuple):
    """A consumer and how it is to be treated."""

    consumer: Consumer
    bounds: Bounds
    read: Read = entry_of
    """How its lines are read: who lets many wait for long may keep less of each than the line (`Entry.line`)."""
