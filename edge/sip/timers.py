"""T1, T2, T4, the lettered timers of RFC 3261 (Table 4), RFC 6026 and RFC 4320, and the wheel they run on.

Pure: standard library only, no clock. All instants are monotonic seconds that the caller hands in.
"""

from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Final, Protocol

_IDLE: Final = -(1 << 62)
"""Horizon of a wheel that is not expiring: earlier than every bucket."""


@dataclass(frozen=True, slots=True)
class Durations:
    """Lengths of the timers in seconds (RFC 3261 Table 4, RFC 6026 §8.11). Those that follow from T1 are properties."""

    t1: float = 0.5
    """Estimate of the round-trip time. Smaller is NOT RECOMMENDED outside a closed network (§17.1.1.2)."""
    t2: float = 4.0
    """Longest interval between retransmissions, but for INVITE requests."""
    t4: float = 5.0
    """Longest time a message remains in the network."""
    trying: float = 0.2
    """An INVITE that nobody has answered by then gets 100 (§17.2.1)."""
    timer_c: float = 180.0
    """How long a proxy lets an INVITE ring (§16.6 item 11: more than three minutes is asked of it)."""
    timer_d: float = 32.0
    """Wait for repeats of a non-2xx final. At least 32 s whatever T1: the peer's T1 is unknown (RFC 6026 §8.4)."""

    def __post_init__(self) -> None:
        if not 0 < self.t1 <= self.t2:
            raise ValueError("T1 is more than 0 and at most T2")

    @property
    def timer_b(self) -> float:
        """INVITE client: no response at all (§17.1.1.2)."""
        return 64 * self.t1

    @property
    def timer_f(self) -> float:
        """Non-INVITE client: no final response (§17.1.2.2)."""
        return 64 * self.t1

    @property
    def timer_h(self) -> float:
        """INVITE server: no ACK (§17.2.1)."""
        return 64 * self.t1

    @property
    def timer_i(self) -> float:
        """INVITE server: wait for repeats of the ACK, over unreliable transports (§17.2.1)."""
        return self.t4

    @property
    def timer_j(self) -> float:
        """Non-INVITE server: wait for repeats of the request, over unreliable transports (§17.2.2)."""
        return 64 * self.t1

    @property
    def timer_k(self) -> float:
        """Non-INVITE client: wait for repeats of the response, over unreliable transports (§17.1.2.2)."""
        return self.t4

    @property
    def timer_l(self) -> float:
        """INVITE server: wait for repeats of an accepted INVITE (RFC 6026 §8.7)."""
        return 64 * self.t1

    @property
    def timer_m(self) -> float:
        """INVITE client: wait for repeats of the 2xx and for those of other forks (RFC 6026 §8.4)."""
        return 64 * self.t1

    @property
    def late_trying(self) -> float:
        """Time until Timer E of a client is reset to T2: from then on a non-INVITE request that has had no response
        must get 100, and over an unreliable transport it may not get one before (RFC 4320 §4.1). 3.5 s by default."""
        elapsed, interval = self.t1, min(2 * self.t1, self.t2)
        while interval < self.t2:
            elapsed += interval
            interval = min(2 * interval, self.t2)
        return elapsed

    @property
    def unanswered(self) -> float:
        """Ours: a non-INVITE server whose user never sends a final response ends after this. RFC 4320 §4.2 forbids a
        408, so none may come. 64*T1, when the client upstream has given up (Timer F), and T4 for what is on its way."""
        return 64 * self.t1 + self.t4


class TimerOwner(Protocol):
    """Whoever wants to hear of an instant."""

    def fire(self, letter: str, now: float) -> None:
        """The instant set for this letter has come. An owner for whom it means nothing any more ignores it."""


class TimerWheel:
    """Timers in buckets of one tick. Setting one costs no more with 300,000 waiting than with three.

    There is no cancel: a timer that fires for what is gone finds no row and is absorbed. Never early, late by at most
    one tick (and by as much as the caller is late). The heap holds numbers of buckets only.
    """

    __slots__ = ("_buckets", "_heap", "_horizon", "_tick_s")

    def __init__(self, now: float, tick_s: float = 0.01) -> None:
        """`now` is when the wheel begins to turn: what is set for an earlier instant is due at once."""
        if tick_s <= 0:
            raise ValueError("a tick takes time")
        self._tick_s = tick_s
        self._buckets: dict[int, tuple[list[TimerOwner], list[str]]] = {}
        """Whose timers, and which: not a pair each, of which a call that is up would hold eight."""
        self._heap: list[int] = []
        self._horizon = _IDLE

    def schedule(self, at: float, owner: TimerOwner, letter: str) -> None:
        """Call `owner.fire(letter, now)` at the first `expire` from `at` on."""
        tick_s = self._tick_s
        bucket = int(at / tick_s)
        if bucket * tick_s < at:  # the product decides, not the quotient: so it is never early, not by one ulp
            bucket += 1
        if bucket <= self._horizon:
            bucket = self._horizon + 1  # set while expiring: the next call's, or expiring might never end
        entries = self._buckets.get(bucket)
        if entries is None:
            self._buckets[bucket] = ([owner], [letter])
            heappush(self._heap, bucket)
        else:
            entries[0].append(owner)
            entries[1].append(letter)

    def next_timer(self) -> float | None:
        """When `expire` wants to be called next."""
        return self._heap[0] * self._tick_s if self._heap else None

    def expire(self, now: float) -> int:
        """Fire everything due, bucket by bucket, and say how many. If a `fire` raises, the rest stays due."""
        heap, tick_s = self._heap, self._tick_s
        if not heap or heap[0] * tick_s > now:
            return 0
        horizon = int(now / tick_s)
        if horizon * tick_s > now:
            horizon -= 1
        elif (horizon + 1) * tick_s <= now:
            horizon += 1
        self._horizon = horizon
        fired = 0
        try:
            while heap and heap[0] <= horizon:
                fired += self._fire_bucket(heappop(heap), now)
        finally:
            self._horizon = _IDLE
        return fired

    def _fire_bucket(self, bucket: int, now: float) -> int:
        owners, letters = self._buckets.pop(bucket)
        fired = 0
        try:
            for owner in owners:
                fired += 1
                owner.fire(letters[fired - 1], now)
        finally:
            if fired < len(owners):
                self._buckets[bucket] = (owners[fired:], letters[fired:])
                heappush(self._heap, bucket)
        return fired

    def __len__(self) -> int:
        """Timers waiting, those included that will find nothing to do."""
        return sum([len(owners) for owners, _ in self._buckets.values()])
