"""How many new calls this process can take: those for which its queue is short enough. Pure: measures and time in.

A datagram that has waited long says that there is more work than can be done, and says it at once. So while the edge
sheds, each new call is judged by how long the datagrams before it at the same listener had to wait (`waited`, sampled
by the rim): over its priority's share of the target it is refused, which takes a small part of the time that a call
takes, until the queue is short again. The queue never runs dry that way, so nothing is lost of what the process can
carry; what running calls need comes off by itself; whoever is refused hears it soon; and nothing is remembered of a
pause of the machine when it is over. Low priority has the smallest share: while ordinary calls keep the queue near
theirs, low ones find no room.

Where nobody says how long datagrams wait (streams alone; a kernel without time stamps), a rate does the same more
slowly: it is cut by a share while the queue stands or the event loop is late, and grows when that is over.

A queue may stand for a moment: a burst that is worked off is no overload. Emergency calls, whatever belongs to running
calls, and responses are never asked; and under `floor` calls a second nothing is refused: then it is not the calls that
hold this process up.
"""

from enum import StrEnum
from typing import Final, NamedTuple

from edge.proxy.leaky_bucket import LeakyBucket

TICK_S: Final = 0.1
"""How often the measures come."""
ENTER_TICKS: Final = 2
"""So many measures in a row over the target and shedding begins."""
STANDING_S: Final = 0.1
"""The same where waits are sampled: every one of so many seconds over the target."""
FRESH_S: Final = 0.05
"""A sample older than this says nothing of the queue now; where they come so often, they alone judge."""
LEAVE_TICKS: Final = 20
"""So many in a row with nothing refused and no pressure, and it ends."""
FALLING: Final = 0.9
"""A queue that shrinks by more than this in an interval needs no further cut."""
RELIEF: Final = 0.5
"""Under this share of the target the rate may grow: between it and the target it stays (hysteresis)."""
CUT: Final = 0.06
"""Share the rate loses in an interval at the target; more in proportion to the pressure, up to four times."""
MAX_CUT: Final = 0.24
GROWTH: Final = 0.02
"""Share it gains in an interval without pressure."""
FIRST_CUT: Final = 0.9
"""Of the rate that passed just before: where shedding begins."""
SMOOTHING: Final = 0.3
"""Weight of the newest interval in the rates that are remembered."""
LAG_FACTOR: Final = 5.0
"""A lag of the event loop weighs as much as a fifth of it as a wait."""
MAX_FILL: Final = 0.5
"""A receive buffer so full is at the target, however short the wait still is."""


class Priority(StrEnum):
    """Whose new calls are refused last."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


TOLERANCE_S: Final = {Priority.LOW: 0.02, Priority.NORMAL: 0.1, Priority.HIGH: 0.3}
"""TAU of RFC 7415 §3.5.2 for each of them: while ordinary calls keep the bucket near theirs, low ones find no room."""
SHARE: Final = {Priority.LOW: 0.4, Priority.NORMAL: 1.0, Priority.HIGH: 2.5}
"""Of the target: the wait up to which each of them passes."""
FORCED_S: Final = 0.3
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


class _Lane:
    """The queue of one listener, as its samples show it."""

    __slots__ = ("at", "over_since", "wait_s")

    def __init__(self) -> None:
        self.wait_s = 0.0
        self.at = float("-inf")
        """When that was."""
        self.over_since: float | None = None
        """Every sample since then was over the target."""


class Overload:
    """Of one process."""

    __slots__ = (
        "_bucket", "_floor_bucket", "_lanes", "_limit", "_new", "_offered", "_passed", "_pressure_before", "_quiet",
        "_refused", "_samples", "_strained", "_target_s", "_took", "floor", "level", "rate", "state",
    )  # fmt: skip

    def __init__(self, *, target_s: float, floor: float) -> None:
        """`target_s`: the wait that is too long; 0: nothing is ever shed. `floor`: new calls a second that always
        pass."""
        self._target_s = target_s
        self.floor = floor
        self.state = Load.CALM
        self.rate = 0.0
        """New calls a second that pass; 0 while all may."""
        self.level = 0
        """Percent of the new calls of the last intervals that were refused."""
        self._limit = 0.0
        """New calls a second that may pass where no samples say more; 0: any number."""
        self._bucket = LeakyBucket(1.0, 0.0)
        self._floor_bucket = LeakyBucket(floor, 0.0)
        self._new = self._took = 0
        """New calls since the last measures, and how many of them passed."""
        self._offered = self._passed = 0.0
        """The same a second, smoothed."""
        self._lanes: dict[int, _Lane] = {}
        """By listener."""
        self._samples = 0
        """Since the last measures."""
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

    def waited(self, listener: int, wait_s: float, now: float) -> None:
        """A known neighbour's datagram that was read now had waited so long: one a millisecond is enough."""
        lane = self._lanes.get(listener)
        if lane is None:
            lane = self._lanes[listener] = _Lane()
        self._samples += 1
        lane.wait_s, lane.at = wait_s, now
        if wait_s <= self._target_s:
            lane.over_since = None
        elif lane.over_since is None:
            lane.over_since = now

    def passes(self, priority: Priority, listener: int, now: float) -> bool:
        """One more new call that came by this listener: may it pass?"""
        self._new += 1
        if self.state is Load.SHEDDING and not self._has_room(priority, listener, now):
            return False
        self._took += 1
        return True

    def is_at_ease(self, listener: int, now: float) -> bool:
        """Would a new call pass there whoever's it is? Then nobody need ask whose."""
        return self.state is Load.CALM or (
            not self._limit and self._wait_of(listener, now) <= SHARE[Priority.LOW] * self._target_s
        )

    def _has_room(self, priority: Priority, listener: int, now: float) -> bool:
        tolerance_s = TOLERANCE_S[priority]
        if self._floor_bucket.passes(now, tolerance_s):
            return True
        if self._wait_of(listener, now) > SHARE[priority] * self._target_s:
            return False
        return not self._limit or self._bucket.passes(now, tolerance_s)

    def _wait_of(self, listener: int, now: float) -> float:
        lane = self._lanes.get(listener)
        if lane is not None and now - lane.at < FRESH_S:
            return lane.wait_s
        # A connection has no queue that tells: what waits elsewhere waits for the same process.
        return max([one.wait_s for one in self._lanes.values() if now - one.at < FRESH_S], default=0.0)

    def force(self, now: float) -> None:
        """One that passes whatever the load is."""
        self._new += 1
        self._took += 1
        if self.state is Load.SHEDDING:
            self._floor_bucket.force(now, FORCED_S)
            if self._limit:
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
        is_sampled = self._samples * FRESH_S >= seconds
        self._new = self._took = self._samples = 0
        pressure = self._pressure(measures)
        before = self.state
        if before is Load.CALM:
            self._watch(pressure, now, is_sampled=is_sampled)
        else:
            self._follow(pressure, now, is_quiet=is_quiet, is_sampled=is_sampled)
        is_shedding = self.state is Load.SHEDDING
        self.level = round(self._refused) if is_shedding else 0
        passing = self._limit if self._limit and not is_sampled else max(self.floor, self._passed)
        self.rate = passing if is_shedding else 0.0
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

    def _watch(self, pressure: float, now: float, *, is_sampled: bool) -> None:
        self._strained = self._strained + 1 if pressure > 1 else 0
        is_standing = self._target_s > 0 and any([_is_standing(lane, now) for lane in self._lanes.values()])
        if (is_standing or self._strained >= ENTER_TICKS) and self._passed > self.floor:
            self.state = Load.SHEDDING
            self._floor_bucket = LeakyBucket(self.floor, now)
            self._limit = 0.0
            if not is_sampled:
                self._bound(FIRST_CUT * self._passed, now)
            self._quiet = 0
            self._pressure_before = pressure

    def _bound(self, limit: float, now: float) -> None:
        if not self._limit:
            self._bucket = LeakyBucket(1.0, now)
        self._limit = max(self.floor, limit)
        self._bucket.pace(self._limit)

    def _follow(self, pressure: float, now: float, *, is_quiet: bool, is_sampled: bool) -> None:
        is_falling = pressure < FALLING * self._pressure_before
        self._pressure_before = pressure
        if is_sampled:
            self._limit = 0.0
        if pressure > 1:
            self._quiet = 0
            if not is_sampled and not is_falling:  # else what waits came before the last cut: it is being worked off
                # Where less than the limit came, that much was too much already.
                cut = min(CUT * pressure, MAX_CUT)
                self._bound(min(self._limit or self._passed, self._passed) * (1 - cut), now)
        elif pressure < RELIEF or is_sampled:
            self._quiet = self._quiet + 1 if is_quiet and pressure < RELIEF else 0
            # Not far beyond what comes: a limit nobody fills must not be the one that the next crowd is let in by.
            most = 1.5 * max(self._offered, 1.0)
            if self._limit:
                self._bound(min(self._limit * (1 + GROWTH), most), now)
        if self._quiet >= LEAVE_TICKS:
            self.state = Load.CALM
            self._limit = 0.0
            self._strained = 0


def _is_standing(lane: _Lane, now: float) -> bool:
    since = lane.over_since
    return since is not None and lane.at - since >= STANDING_S and now - lane.at < STANDING_S
