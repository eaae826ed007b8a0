"""How many new calls this process can take: a rate that follows what its queues say. Pure: measures and time in.

A queue that never runs dry for a while is the one sure sign of too much work: so the *least* wait of a datagram in each
interval is what counts (a burst that is worked off in between is none). While it stands, the rate of new calls is cut
by a share; when it is gone, the rate grows slowly, until everybody passes again. Whose calls are refused first is
decided by a leaky bucket with priorities. Emergency calls, whatever belongs to running calls, and responses are never
asked; and under `floor` calls a second nothing is refused: then it is not the calls that hold this process up.
"""

from enum import StrEnum
from typing import NamedTuple

from edge.proxy.leaky_bucket import LeakyBucket

TICK_S = 0.1
"""How often the measures come."""
ENTER_TICKS = 2
"""So many measures in a row over the target and shedding begins."""
LEAVE_TICKS = 20
"""So many in a row with nothing refused and no pressure, and it ends."""
FALLING = 0.9
"""A queue that shrinks by more than this in an interval needs no further cut."""
RELIEF = 0.5
"""Under this share of the target the rate may grow: between it and the target it stays (hysteresis)."""
CUT = 0.06
"""Share the rate loses in an interval at the target; more in proportion to the pressure, up to four times."""
MAX_CUT = 0.24
GROWTH = 0.02
"""Share it gains in an interval without pressure."""
FIRST_CUT = 0.9
"""Of the rate that passed just before: where shedding begins."""
SMOOTHING = 0.3
"""Weight of the newest interval in the rates that are remembered."""
LAG_FACTOR = 5.0
"""A lag of the event loop weighs as much as a fifth of it as a wait."""
MAX_FILL = 0.5
"""A receive buffer so full is at the target, however short the wait still is."""


class Priority(StrEnum):
    """Whose new calls are refused last."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


TOLERANCE_S = {Priority.LOW: 0.02, Priority.NORMAL: 0.1, Priority.HIGH: 0.3}
"""TAU of RFC 7415 §3.5.2 for each of them: while ordinary calls keep the bucket near theirs, low ones find no room."""
FORCED_S = 0.3
"""Emergency calls count up to this, so that a flood of them shuts nobody out for long."""


class Measures(NamedTuple):
    """What one interval showed."""

    wait_s: float
    """Least time a known neighbour's datagram waited in the kernel."""
    lag_s: float
    """How late the event loop was."""
    fill: float
    """Share of the kernel's buffer in use, 0 to 1."""


class Load(StrEnum):
    """States of this process."""

    CALM = "calm"
    SHEDDING = "shedding"


class Overload:
    """Of one process."""

    __slots__ = (
        "_bucket", "_new", "_offered", "_passed", "_pressure_before", "_quiet", "_refused", "_strained", "_target_s",
        "_took", "floor", "level", "rate", "state",
    )  # fmt: skip

    def __init__(self, *, target_s: float, floor: float) -> None:
        """`target_s`: the wait that is too long; 0: nothing is ever shed. `floor`: new calls a second that always
        pass."""
        self._target_s = target_s
        self.floor = floor
        self.state = Load.CALM
        self.rate = 0.0
        """New calls a second that may pass; 0 while all may."""
        self.level = 0
        """Percent of the new calls of the last intervals that were refused."""
        self._bucket = LeakyBucket(1.0, 0.0)
        self._new = self._took = 0
        """New calls since the last measures, and how many of them passed."""
        self._offered = self._passed = 0.0
        """The same a second, smoothed."""
        self._strained = self._quiet = 0
        self._pressure_before = 0.0
        self._refused = 0.0

    @property
    def is_shedding(self) -> bool:
        """May new calls be refused?"""
        return self.state is Load.SHEDDING

    @property
    def offered(self) -> float:
        """New calls a second that came lately."""
        return self._offered

    def passes(self, priority: Priority, now: float) -> bool:
        """One more new call: may it pass?"""
        self._new += 1
        if self.state is Load.SHEDDING and not self._bucket.passes(now, TOLERANCE_S[priority]):
            return False
        self._took += 1
        return True

    def force(self, now: float) -> None:
        """One that passes whatever the load is."""
        self._new += 1
        self._took += 1
        if self.state is Load.SHEDDING:
            self._bucket.force(now, FORCED_S)

    def measured(self, measures: Measures, elapsed_s: float, now: float) -> bool:
        """An interval is over; True where the state has changed."""
        seconds = max(elapsed_s, 1e-3)
        new, took = self._new / seconds, self._took / seconds
        refused = 100.0 * (self._new - self._took) / self._new if self._new else 0.0
        self._refused += SMOOTHING * (refused - self._refused)
        self._offered += SMOOTHING * (new - self._offered)
        self._passed += SMOOTHING * (took - self._passed)
        is_quiet = self._new == self._took
        self._new = self._took = 0
        pressure = self._pressure(measures)
        before = self.state
        if before is Load.CALM:
            self._watch(pressure, now)
        else:
            self._follow(pressure, is_quiet=is_quiet)
        self.level = round(self._refused) if self.state is Load.SHEDDING else 0
        return self.state is not before

    def _pressure(self, measures: Measures) -> float:
        """1: at the target."""
        if self._target_s <= 0:
            return 0.0
        return max(
            measures.wait_s / self._target_s,
            measures.lag_s / (LAG_FACTOR * self._target_s),
            measures.fill / MAX_FILL,
        )

    def _watch(self, pressure: float, now: float) -> None:
        self._strained = self._strained + 1 if pressure > 1 else 0
        if self._strained >= ENTER_TICKS and self._passed > self.floor:
            self.state = Load.SHEDDING
            self.rate = max(self.floor, FIRST_CUT * self._passed)
            self._bucket = LeakyBucket(self.rate, now)
            self._quiet = 0
            self._pressure_before = pressure

    def _follow(self, pressure: float, *, is_quiet: bool) -> None:
        is_falling = pressure < FALLING * self._pressure_before
        self._pressure_before = pressure
        if pressure > 1 and is_falling:
            self._quiet = 0  # what waits came before the last cut: it is being worked off
        elif pressure > 1:
            # Where less than the rate came, that much was too much already.
            cut = min(CUT * pressure, MAX_CUT)
            self.rate = max(self.floor, min(self.rate, self._passed) * (1 - cut))
            self._quiet = 0
        elif pressure < RELIEF:
            # Not far beyond what comes: a rate nobody fills must not be the one that the next crowd is let in by.
            self.rate = max(self.floor, min(self.rate * (1 + GROWTH), 1.5 * max(self._offered, 1.0)))
            self._quiet = self._quiet + 1 if is_quiet else 0
        self._bucket.pace(self.rate)
        if self._quiet >= LEAVE_TICKS:
            self.state = Load.CALM
            self.rate = 0.0
            self._strained = 0
