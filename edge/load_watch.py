"""What weighs on this process, looked at ten times a second while anything happens (I/O): queues of the kernel, lag of
the event loop.

The core hears of it and decides; the kernel's programs (`transport.packet_filter`) are kept in step with who is known
and who is not to be heard. Nothing is decided here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from edge.proxy.core import ProxyCore
from edge.proxy.facts import Fact
from edge.proxy.overload import Measures
from edge.transport.endpoints import Bound
from edge.transport.udp import Queue

TICK_S = 0.1
REST_S = 1.0
"""While nothing happens there is a look so often: bans end, and figures go back to nothing."""
STEER_S = 1.0
"""Who has become known, or is not to be heard, is told to the kernel at most so often."""
_LANES = ("neighbours", "strangers")


class LoadWatch:
    """Of one process. The owner runs it beside the event loop's other tasks."""

    __slots__ = (
        "_bound", "_core", "_filtered_at", "_now", "_queues", "_steered_at", "_stirred", "_tell", "_turn", "is_sorted",
        "lag_s", "unsorted",
    )  # fmt: skip

    def __init__(
        self, core: ProxyCore, bound: Bound, now: Callable[[], float], turn: Callable[[], None],
        stirred: Callable[[float], Awaitable[bool]], tell: Callable[[Fact], None],
    ) -> None:  # fmt: skip
        """`stirred`: `Pump.stirred`."""
        self._core = core
        self._bound = bound
        self._now = now
        self._turn = turn
        self._stirred = stirred
        self._tell = tell
        self._queues: list[tuple[Queue, ...]] = []
        self._steered_at = self._filtered_at = 0.0
        self.lag_s = 0.0
        """How late the last look was."""
        self.is_sorted = True
        """The kernel sorts datagrams, or there are none."""
        self.unsorted = 0
        """Ranges of known addresses that found no place in its program: they share the lane of strangers."""

    async def run(self) -> None:
        """Until cancelled."""
        self.steer(self._now())
        looked_at = self._now()
        while True:
            is_stirred = await self._stirred(REST_S)
            now = self._now()
            if now - looked_at >= TICK_S:
                # The quiet has a look of its own: what comes now must not be taken for the work of so long a time.
                self.lag_s = 0.0
                self.look(now, now - looked_at)
                looked_at = now
            if not is_stirred:
                continue
            due = now + TICK_S
            await asyncio.sleep(TICK_S)
            now = self._now()
            self.lag_s = max(0.0, now - due)
            self.look(now, now - looked_at)
            looked_at = now

    def look(self, now: float, elapsed_s: float) -> None:
        """Once. Strangers' queues count for nothing: they may be as long as they like."""
        self._queues = [sock.queues() for _, sock in self._bound.udp]
        ours = [queues[0] for queues in self._queues]
        self._core.measured(
            Measures(
                max([queue.wait_s for queue in ours], default=0.0),
                self.lag_s,
                max([queue.fill for queue in ours], default=0.0),
            ),
            elapsed_s,
            now,
        )
        sources = self._core.sources
        sources.end_bans(now)
        if now - self._steered_at >= STEER_S and sources.take_known_changed():
            self.steer(now)
        if now - self._filtered_at >= STEER_S and sources.bans.take_changed():
            self._shut_out(now)
        self._turn()

    def steer(self, now: float) -> None:
        """Tell the kernel who is known."""
        self._steered_at = now
        sources = self._core.sources
        self.unsorted = 0
        was_sorted = self.is_sorted
        self.is_sorted = all(sock.lanes == 2 for _, sock in self._bound.udp)
        why = "" if self.is_sorted else "the kernel takes no program"
        for listener, sock in self._bound.udp:
            try:
                self.unsorted += sock.steer(sources.networks(listener))
            except OSError as error:
                self.is_sorted, why = False, str(error)
        if was_sorted and not self.is_sorted:
            self._tell(Fact("lanes.unsorted", {"why": why}))

    def _shut_out(self, now: float) -> None:
        """What it will not take it leaves to the core."""
        self._filtered_at = now
        banned = self._core.sources.banned_networks()
        for _, sock in self._bound.udp:
            try:
                sock.shut_out(banned)
            except OSError as error:
                self._tell(Fact("lanes.unsorted", {"why": str(error)}))

    # -- what the metrics page reads -------------------------------------------------------------------------------

    def waits_s(self) -> Mapping[str, float]:
        """By lane: the shortest wait of the last look, the worst listener's."""
        return self._by_lane(lambda queue: queue.wait_s)

    def fills(self) -> Mapping[str, float]:
        """By lane: the share of the kernel's buffer in use, the fullest listener's."""
        return self._by_lane(lambda queue: queue.fill)

    def kernel_drops(self) -> Mapping[str, int]:
        """By lane, all listeners together."""
        drops = dict.fromkeys(_LANES, 0)
        for queues in self._queues:
            for lane, queue in zip(_LANES, queues, strict=False):
                drops[lane] += queue.dropped
        return drops

    def _by_lane(self, read: Callable[[Queue], float]) -> Mapping[str, float]:
        worst = dict.fromkeys(_LANES, 0.0)
        for queues in self._queues:
            for lane, queue in zip(_LANES, queues, strict=False):
                worst[lane] = max(worst[lane], read(queue))
        return worst
