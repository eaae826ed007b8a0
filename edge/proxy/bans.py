"""Sources that are not heard for a while: escalating, bounded, always ending. Pure.

Only what a stranger sends can lead here. The sender of a datagram may be forged, so a ban can hit whom it was not meant
for: hence they are short at first, never for an address that a trunk names or that has proved itself, and end by
themselves.
"""

from typing import Final, NamedTuple

MAX_BANS: Final = 4_096
"""At one time; beyond it the one that began first ends early."""
MAX_RECORDS: Final = 10_000
"""Sources whose earlier bans are remembered."""
REMEMBERED_S: Final = 3_600.0
FACTOR: Final = 4


class Ban(NamedTuple):
    """One source that is not heard."""

    source: str
    """Numeric IPv4 address, or the /64 of an IPv6 one."""
    why: str
    """`packets` or `scanner`."""
    until: float
    times: int
    """So many times within the hour, this one counted."""


class Bans:
    """Of one process."""

    __slots__ = ("_bans", "_changed", "_past", "begun")

    def __init__(self) -> None:
        self._bans: dict[str, Ban] = {}
        self._past: dict[str, tuple[int, float]] = {}
        """Source: (times, until when that counts)."""
        self._changed = False
        self.begun = 0
        """Bans since the process started."""

    def __len__(self) -> int:
        return len(self._bans)

    def holds(self, source: str, now: float) -> bool:
        """Is this source not to be heard?"""
        ban = self._bans.get(source)
        if ban is None:
            return False
        if now < ban.until:
            return True
        self.lift(source)
        return False

    def begin(self, source: str, why: str, now: float, *, first_s: float, most_s: float) -> Ban:
        """Not heard from now on."""
        times, counts_until = self._past.pop(source, (0, 0.0))
        times = times + 1 if now < counts_until else 1
        if len(self._past) >= MAX_RECORDS:
            del self._past[next(iter(self._past))]
        self._past[source] = (times, now + REMEMBERED_S)
        length_s = min(first_s * FACTOR ** min(times - 1, 16), most_s)
        ban = Ban(source, why, now + length_s, times)
        if len(self._bans) >= MAX_BANS:
            del self._bans[next(iter(self._bans))]
        self._bans[source] = ban
        self._changed = True
        self.begun += 1
        return ban

    def lift(self, source: str) -> None:
        """It is heard again; that it was banned is remembered."""
        if self._bans.pop(source, None) is not None:
            self._changed = True

    def lift_all(self) -> None:
        """Another policy is in force: nobody is judged by the one before."""
        self._changed = self._changed or bool(self._bans)
        self._bans.clear()

    def end_due(self, now: float) -> list[str]:
        """End those whose time is over; which they were."""
        over = [source for source, ban in self._bans.items() if ban.until <= now]
        for source in over:
            self.lift(source)
        return over

    def all(self) -> tuple[Ban, ...]:
        """Those that hold, the oldest first."""
        return tuple(self._bans.values())

    def take_changed(self) -> bool:
        """Have they changed since this was asked last?"""
        changed, self._changed = self._changed, False
        return changed
