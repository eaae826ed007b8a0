"""Records that were read on and are not delivered yet: how many more there is room for, and when they are due. Pure.

Monotonic seconds passed in; UTC seconds only for what is told of the oldest one.
"""

from datetime import datetime

from edge.cdr.delivery.consumer import Bounds, Entry


class Batch:
    """In the order of the log. Empty at first; `bounds` are given anew with each question."""

    __slots__ = ("_since", "_size", "entries")

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._size = 0
        """Bytes of their lines in the log."""
        self._since = 0.0
        """When the first came into an empty batch."""

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def last_seq(self) -> int:
        """Number of the latest record; 0: there is none."""
        return self.entries[-1].seq if self.entries else 0

    def is_full(self, bounds: Bounds) -> bool:
        """No more need be waited for."""
        return len(self.entries) >= bounds.records or self._size >= bounds.size

    def room(self, bounds: Bounds) -> tuple[int, int]:
        """Records and bytes to read on, of a batch that is not full."""
        return bounds.records - len(self.entries), bounds.size - self._size

    def add(self, entries: list[Entry], now: float) -> None:
        """These follow; never empty."""
        if not self.entries:
            self._since = now
        self.entries += entries
        self._size += sum([entry.size for entry in entries])

    def forget(self, count: int) -> None:
        """The first of them are delivered, or put aside."""
        self._size -= sum([entry.size for entry in self.entries[:count]])
        del self.entries[:count]

    def due_in_s(self, bounds: Bounds, now: float) -> float:
        """How long it may still wait for others; at most 0: it goes now."""
        if self.is_full(bounds):
            return 0.0
        age_s = bounds.few_age_s if len(self.entries) < bounds.few else bounds.age_s
        return self._since + age_s - now

    def waits_since(self, wall: float) -> float:
        """UTC seconds at which the call of the oldest one had ended; 0: none waits."""
        return ended_at(self.entries[0], wall) if self.entries else 0.0


def gaps(before: int, entries: list[Entry]) -> list[tuple[int, int]]:
    """First and last number of what is missing among these, which follow the record `before` (0: nothing does): lost by
    a full queue, or purged before it was delivered."""
    if entries[-1].seq - before == len(entries):  # they rise by one at least
        return []
    found = []
    for entry in entries:
        if entry.seq > before + 1 and before:
            found.append((before + 1, entry.seq - 1))
        before = entry.seq
    return found


def ended_at(entry: Entry, wall: float) -> float:
    """UTC seconds at which the call of a record ended; `wall` where it does not say."""
    for column in ("released_at", "received_at"):
        try:
            return min(wall, datetime.fromisoformat(str(entry.record.get(column))).timestamp())
        except ValueError:
            continue
    return wall
