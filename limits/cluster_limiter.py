"""ClusterLimiter: the limiter's contract over a Redis Cluster, one LaneLimiter for each master.

I/O (asyncio). All keys of an account lie in one slot, so each verb belongs to one lane. Where the slots have moved, a
master says so (MOVED, ASK): that verb is asked once more where it belongs, within its own deadline, and the map is read
again. A master that is gone makes its own accounts Unavailable and nobody else's.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from limits.account import is_holder_id
from limits.address import StoreAddress
from limits.asked import Asked
from limits.cluster_map import Place, epoch_key, read_map
from limits.errors import StoreUnavailable
from limits.journal import SettlementJournal
from limits.keys import EPOCH, account_keys
from limits.lane import LaneLimiter
from limits.limiter import Deliver
from limits.model import AccountId, Usage, Verb
from limits.redis_limiter import DEADLINE_S, STALL_S
from limits.slots import SLOTS, slot_of

MAP_S = 10.0
"""The map is read again this often, and at once when a master says that it is out of date."""
MAP_PAUSE_S = 0.2
"""But no more often than this."""
TRY_AGAIN_S = 0.005
"""A slot is being moved key by key: so much later all of an account's keys may be in one place."""
CACHED_ACCOUNTS = 65_536
"""Accounts whose slot is kept; when full, all are forgotten."""


class Lane:
    """One master: its limiter, the task that keeps it."""

    __slots__ = ("limiter", "slots", "task")

    def __init__(self, limiter: LaneLimiter, task: "asyncio.Task[None]", slots: list[range]) -> None:
        self.limiter = limiter
        self.task = task
        self.slots = slots


def _total(name: str) -> property:
    """A number of the metrics: the sum over all lanes, those that are gone included."""

    def read(limiter: "ClusterLimiter") -> int:
        return limiter.total(name)

    return property(read)


class ClusterLimiter:
    """`limits.limiter.Limiter` over several masters. `run` must be running."""

    def __init__(
        self,
        deliver: Deliver,
        address: StoreAddress,
        *,
        deadline_s: float = DEADLINE_S,
        stall_s: float = STALL_S,
        journal: Path | None = None,
        on_epoch: Callable[[str], None] | None = None,
        on_settled: Deliver | None = None,
    ) -> None:
        """`journal`: directory of the settlements that wait, one file a master; the rest as RedisLimiter."""
        self._deliver = deliver
        self._address = address
        self._deadline_s = deadline_s
        self._stall_s = stall_s
        self._directory = journal
        self._on_epoch = on_epoch
        self._on_settled = on_settled
        self._lanes: dict[Place, Lane] = {}
        self._by_slot: list[LaneLimiter] = []
        self._slots: dict[str, int] = {}
        self._nowhere = self._make("nowhere", "")
        """Never runs: what no master has is Unavailable at once, and its settlements wait for one that has."""
        self._dirty: dict[LaneLimiter, None] = {}
        self._by_slot = [self._nowhere] * SLOTS
        self._is_stale = asyncio.Event()
        self._gone: dict[str, int] = {}
        self._map_fault = ""

    # -- metrics ---------------------------------------------------------------------------------------------------

    asked = _total("asked")
    late = _total("late")
    unavailable = _total("unavailable")
    reconnects = _total("reconnects")
    given_back = _total("given_back")
    queued_settles = _total("queued_settles")
    settles_dropped = _total("settles_dropped")
    journal_errors = _total("journal_errors")
    breaker_opens = _total("breaker_opens")
    near_hits = _total("near_hits")
    renews_waiting = _total("renews_waiting")
    epochs = _total("epochs")
    store_errors = _total("store_errors")
    garbage = _total("garbage")
    stalls = _total("stalls")

    _KEPT = ("queued_settles", "renews_waiting")
    """Of a lane that is gone nothing of these is left."""

    def total(self, name: str) -> int:
        """The sum of this number."""
        return self._gone.get(name, 0) + sum(int(getattr(lane, name)) for lane in self._limiters())

    @property
    def is_up(self) -> bool:
        """Every master can be asked."""
        return bool(self._lanes) and all(lane.limiter.is_up for lane in self._lanes.values())

    @property
    def is_answering_last(self) -> bool:
        """See `Limiter.is_answering_last`, of the master that answers."""
        return any(lane.limiter.is_answering_last for lane in self._lanes.values())

    @property
    def is_breaker_open(self) -> bool:
        """One of the masters is not asked at this moment."""
        return any(lane.limiter.is_breaker_open for lane in self._lanes.values())

    @property
    def is_recounting(self) -> bool:
        """One of the masters has lost its data."""
        return any(lane.limiter.is_recounting for lane in self._lanes.values())

    @property
    def last_fault(self) -> str:
        """Why a master was last found away, for people."""
        faults = [lane.limiter.last_fault for lane in self._lanes.values() if not lane.limiter.is_up]
        return "; ".join([fault for fault in (self._map_fault, *faults) if fault])

    def _limiters(self) -> list[LaneLimiter]:
        return [self._nowhere, *[lane.limiter for lane in self._lanes.values()]]

    # -- the contract ----------------------------------------------------------------------------------------------

    def submit(self, verb: Verb) -> None:
        """See `Limiter.submit`."""
        lane = self._by_slot[self._slot(verb.account)]
        lane.submit(verb)
        self._dirty[lane] = None

    def flush(self) -> None:
        """See `Limiter.flush`."""
        if self._dirty:
            dirty, self._dirty = self._dirty, {}
            for lane in dirty:
                lane.flush()

    async def peek(self, account: AccountId) -> Usage | None:
        """See `Limiter.peek`."""
        return await self._by_slot[self._slot(account)].peek(account)

    def forget(self, holder: str) -> None:
        """The values of this holder were changed; an empty name: anybody's may have been."""
        for limiter in self._limiters():
            limiter.forget(holder)

    def trust(self) -> None:
        """Running calls have taken their leases again: the counters of every master count."""
        for limiter in self._limiters():
            limiter.trust()

    async def connected(self, *, timeout_s: float) -> bool:
        """Waits until every master is connected, at most so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not self.is_up:
                    if not self._lanes:
                        await asyncio.sleep(TRY_AGAIN_S)
                    for lane in list(self._lanes.values()):
                        await lane.limiter.connected(timeout_s=timeout_s)
        return self.is_up

    async def drained(self, *, timeout_s: float) -> bool:
        """Waits until nothing is under way and nothing is kept, at most so long."""
        self.flush()
        done = await asyncio.gather(*[lane.drained(timeout_s=timeout_s) for lane in self._limiters()])
        return all(done)

    def _slot(self, holder: str) -> int:
        slot = self._slots.get(holder)
        if slot is None:
            if not is_holder_id(holder):
                return 0  # any lane says that nobody can have this name
            if len(self._slots) >= CACHED_ACCOUNTS:
                self._slots.clear()
            slot = self._slots[holder] = slot_of(account_keys(holder).account)
        return slot

    # -- masters come and go ---------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keeps the map and a connection to every master until cancelled."""
        try:
            while True:
                self._is_stale.clear()
                places = (*self._lanes, *self._address.hosts)
                try:
                    self._take(await read_map(self._address, places))
                    self._map_fault = ""
                except StoreUnavailable as fault:
                    self._map_fault = str(fault)
                await asyncio.sleep(MAP_PAUSE_S)
                with suppress(TimeoutError):
                    async with asyncio.timeout(MAP_S if self.is_up else MAP_PAUSE_S):
                        await self._is_stale.wait()
        finally:
            tasks = [lane.task for lane in self._lanes.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _take(self, masters: dict[Place, list[range]]) -> None:
        """A new map: lanes for new masters, an end for those that have no slots any more."""
        for place, slots in masters.items():
            lane = self._lanes.get(place)
            if lane is None:
                limiter = self._make(f"{place[0]}-{place[1]}", epoch_key(slots), self._address.at(*place))
                task = asyncio.get_running_loop().create_task(limiter.run())
                self._lanes[place] = Lane(limiter, task, slots)
            elif lane.slots != slots:
                lane.slots = slots
                lane.limiter.watch_epoch(epoch_key(slots))
        by_slot = [self._nowhere] * SLOTS
        for place, slots in masters.items():
            limiter = self._lanes[place].limiter
            for part in slots:
                by_slot[part.start : part.stop] = [limiter] * len(part)
        self._by_slot = by_slot
        for place in [place for place in self._lanes if place not in masters]:
            self._retire(self._lanes.pop(place))
        self._move_kept(self._nowhere)

    def _retire(self, lane: Lane) -> None:
        """This master is no more: what was under way there is Unavailable, what is owed goes where it belongs."""
        limiter = lane.limiter

        def ended(_: object) -> None:
            self._move_kept(limiter)
            for name, value in vars(type(self)).items():
                if isinstance(value, property) and name not in self._KEPT and type(getattr(limiter, name, None)) is int:
                    self._gone[name] = self._gone.get(name, 0) + int(getattr(limiter, name))

        lane.task.add_done_callback(ended)
        lane.task.cancel()

    def _move_kept(self, limiter: LaneLimiter) -> None:
        for settle in limiter.take_kept():
            self._by_slot[self._slot(settle.account)].keep(settle)

    def _make(self, name: str, key: str, address: StoreAddress | None = None) -> LaneLimiter:
        async def find() -> StoreAddress:
            if address is None:
                raise StoreUnavailable("no master has this slot")
            return address

        return LaneLimiter(
            self._deliver,
            deadline_s=self._deadline_s,
            stall_s=self._stall_s,
            journal=SettlementJournal(self._directory, name=f"settlements-{name}.jsonl"),
            on_epoch=self._on_epoch,
            on_settled=self._on_settled,
            find=find,
            elsewhere=self._elsewhere,
            epoch_key=key or EPOCH,
        )

    # -- what belongs elsewhere ------------------------------------------------------------------------------------

    def _elsewhere(self, lane: LaneLimiter, asked: Asked, how: str, place: str) -> None:
        """A master does not hold this key (any more, or not all of it yet)."""
        if not asked.verb.account:
            self._is_stale.set()  # an epoch key that has moved: the next map chooses another one
            return
        if how == "TRYAGAIN":
            if asked.done and not asked.own:
                return
            asyncio.get_running_loop().call_later(TRY_AGAIN_S, self._again, asked)
            return
        if how == "MOVED":
            self._is_stale.set()
        host, _, port = place.rpartition(":")
        found = self._lanes.get((host, int(port))) if port.isdecimal() else None
        if found is None or (found.limiter is lane and how == "MOVED"):
            lane.give_up(asked, "its slot has moved")
        else:
            found.limiter.take_over(asked, is_asking=how == "ASK")

    def _again(self, asked: Asked) -> None:
        self._by_slot[self._slot(asked.verb.account)].take_over(asked, is_asking=False)
