"""SIPp load over two edges and one store, and something breaks in the middle of it; afterwards everything adds up.

In every run: prepaid accounts with a rate deck, ceilings of every kind, callees that hang up too, second BYEs, and
CANCELs that cross the answer. Seeds are fixed. What is true at the end: no lease and no hold is left; money adds up to
the micro among top-ups, balances and CDRs; every attempt has exactly one CDR; nobody was ever over a ceiling, neither
in the store nor among those who really talked; no counter was negative.

A SIGKILLed edge: what it had not answered may be lost as a call, but not as a record. The caller repeats an INVITE that
nobody has answered, so the node that comes back judges it; one that had been admitted is closed as `lost` by whoever
finds it. An answered call goes on, and has its record with its true length.
"""

import asyncio
import math
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path

import pytest
from callee import Callees
from cancellers import Cancellers
from patience import told, until
from rig import (
    ACCOUNTS,
    DECK,
    GROUP_CALLS,
    TRUNK_CALLS,
    Callers,
    Edge,
    Store,
    cancels,
    policy,
    talks,
)
from witness import (
    Record,
    Witness,
    all_at_rest,
    assert_leases_add_up,
    assert_money_adds_up,
    assert_no_gap,
    assert_one_record_each,
    charges,
    number,
    records_of,
)

from edge.config.money import parse_money
from limits.account import AccountId
from limits.accounts import AccountStore
from limits.errors import LimitsError

DIAL_S = 8
"""How long new calls come in."""
TALKS, CANCELS = 20, 5
"""Calls a second, for each edge."""
TROUBLE_S = 2.5
"""When it breaks."""
DRY, DRY_MICROS, DRY_S = "dry", 20_000, 0.25
"""The account that runs dry gets so much, so often: two seconds of talk."""
LATE_S = 0.6
"""What a record and the callee's own watch may differ by."""


class Scene:
    """One run."""

    def __init__(self, directory: Path, stack: AsyncExitStack, store: Store, callees: Callees, seed: int) -> None:
        self.store = store
        self.callees = callees
        self.witness = Witness(store)
        self.edges = [Edge(directory, name, store) for name in ("north", "south")]
        self.talkers = [
            Callers(directory, "talk", edge, talks(seed + index, TALKS * DIAL_S), TALKS)
            for index, edge in enumerate(self.edges)
        ]
        self.cancellers = [
            Cancellers(edge, cancels(seed + index, CANCELS * DIAL_S), CANCELS) for index, edge in enumerate(self.edges)
        ]
        self.callers = [*self.talkers, *self.cancellers]
        self.topped_up = {
            one.name: parse_money(one.extra.partition('opening_balance = "')[2].partition('"')[0]) for one in ACCOUNTS
        }
        self._stack = stack
        self._over = asyncio.Event()
        self.began = 0.0

    async def begin(self) -> None:
        """Everything runs."""
        for edge in self.edges:
            self._stack.push_async_callback(edge.kill)
            await edge.start()
        self.spawn(self.witness.watch())
        self.spawn(self._top_up())
        for callers in self.callers:
            await callers.start()
            if isinstance(callers, Callers):
                self._stack.push_async_callback(callers.kill)
            else:
                self._stack.callback(callers.close)
        self.began = time.monotonic()

    def spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._stack.callback(task.cancel)

    async def at(self, second: float) -> None:
        """So long after the first call."""
        await until(lambda: time.monotonic() > self.began + second, "the time to pass")

    async def _top_up(self) -> None:
        """The account that runs dry is given a little again and again; what was not heard of is asked for once more."""
        async with AccountStore(self.store.url) as accounts:
            for index in range(round(DIAL_S / DRY_S)):
                booked = False
                while not booked:
                    if await told(self._over, DRY_S):
                        return
                    with suppress(LimitsError):
                        await accounts.top_up(AccountId(DRY), amount=DRY_MICROS, reference=f"t{index}", by="chaos")
                        booked = True
                self.topped_up[DRY] += DRY_MICROS

    async def end(self) -> tuple[dict, list[Record]]:
        """The callers have finished, nothing is left of any call; what holds for every run is asserted."""
        for callers in self.callers:
            assert await callers.ended(45) in (0, 1), callers.said()
        assert [talkers.statistic("TotalCallCreated") for talkers in self.talkers] == [TALKS * DIAL_S] * 2
        found = await all_at_rest(self.store, 20)
        await until(lambda: not any(leg.is_up for leg in self.callees.legs.values()), "the callees to have hung up")
        assert [await edge.broken() for edge in self.edges] == [[], []]
        async with AccountStore(self.store.url) as accounts:
            assert {name: await accounts.verify(AccountId(name)) for name in found} == dict.fromkeys(found, ())
        self.witness.over.set()
        self._over.set()
        for edge in self.edges:
            edge.signal(signal.SIGTERM)
        assert [await edge.ended() for edge in self.edges] == [0, 0]
        records = records_of(self.edges)
        assert [edge.facts("core.escaped") for edge in self.edges] == [[], []]
        assert self.witness.faults == []
        ceilings = {f"{index:02}": one.calls for index, one in enumerate(ACCOUNTS)} | TRUNK_CALLS
        ceilings["pool"] = GROUP_CALLS
        # A trunk that nobody could be asked about, since the store had just gone, takes the call: its record says so.
        ceilings["first"] += sum(1 for record in records if record["degraded"] and record["egress_trunk"] == "first")
        peaks = self.callees.peaks()
        assert {name: peak for name, peak in peaks.items() if peak > ceilings[name]} == {}
        assert (peaks["02"], peaks["01"], self.callees.second_byes > 0) == (1, 5, True), "the ceilings were reached"
        assert_no_gap(self.edges)
        return found, records

    def assert_talk_is_on_record(self, records: list[Record]) -> None:
        """Who talked has a record that says so, and for as long as the callee saw it."""
        by_call = {str(record["call_id"]): record for record in records}
        for call_id, leg in self.callees.legs.items():
            if not leg.acked_at:
                continue
            record = by_call[call_id.decode()]
            assert (record["outcome"], record["call_id"]) == ("answered", record["call_id"])
            if not record["lost"]:
                least, most = leg.ended_at - leg.acked_at - LATE_S, (leg.parted_at or math.inf) - leg.acked_at + LATE_S
                talked = number(record, "duration_ms") / 1_000
                assert (call_id, least < talked < most, least, talked, most) == (call_id, True, least, talked, most)


@asynccontextmanager
async def scene_at(directory: Path, seed: int) -> AsyncIterator[Scene]:
    """Everything of it is gone when the block ends."""
    async with AsyncExitStack() as stack:
        store = Store(directory)
        stack.push_async_callback(store.kill)
        await store.start()
        stack.push_async_callback(store.client.aclose)
        callees = Callees()
        callees.tracked = lambda account: ("pool",) if ACCOUNTS[account].name in ("member", "guest") else ()
        callees.open("first", "second")
        stack.callback(callees.close)
        (directory / "policy.toml").write_text(policy(callees.port("first"), callees.port("second")))
        (directory / "rates.csv").write_text(DECK)
        yield Scene(directory, stack, store, callees, seed)


Trouble = Callable[[Scene], Awaitable[None]]


async def an_edge_is_killed_and_comes_back(scene: Scene) -> None:
    """Before anybody misses it: it finds its own calls."""
    north = scene.edges[0]
    north.signal(signal.SIGKILL)
    await north.ended()
    await north.start()


async def an_edge_is_killed_and_its_calls_are_taken_over(scene: Scene) -> None:
    """It comes back when the other one has them; their callers go on speaking to the one that is back."""
    north, south = scene.edges
    north.signal(signal.SIGKILL)
    await north.ended()
    await until(lambda: south.facts("node.gone"), "the takeover")
    await north.start()


async def the_store_stands_still(scene: Scene) -> None:
    """For 3 s."""
    scene.store.signal(signal.SIGSTOP)
    await scene.at(TROUBLE_S + 3)
    scene.store.signal(signal.SIGCONT)


async def the_store_is_killed_and_keeps_its_data(scene: Scene) -> None:
    """It comes back after a second with what it has appended to disk."""
    await scene.store.kill()
    await scene.at(TROUBLE_S + 1)
    await scene.store.start()


@pytest.mark.parametrize(
    "trouble",
    [
        an_edge_is_killed_and_comes_back,
        an_edge_is_killed_and_its_calls_are_taken_over,
        the_store_stands_still,
        the_store_is_killed_and_keeps_its_data,
    ],
)
async def test_everything_adds_up_after(trouble: Trouble, tmp_path: Path) -> None:
    """Leases 0, holds 0, money to the micro, one record for each attempt, no ceiling passed at any sample."""
    async with scene_at(tmp_path, seed=7) as scene:
        await scene.begin()
        await scene.at(TROUBLE_S)
        await trouble(scene)
        found, records = await scene.end()
        assert_one_record_each(records, scene.callers)
        scene.assert_talk_is_on_record(records)
        assert_money_adds_up(found, scene.topped_up, records)
        assert_leases_add_up(found)
        assert sum(callers.answered for callers in scene.cancellers) > 0, "no CANCEL has crossed an answer"


async def test_everything_adds_up_in_the_new_life_of_a_store_that_lost_its_data(tmp_path: Path) -> None:
    """Nobody is over a ceiling, calls that run are counted again before anybody is admitted; what is charged in the new
    life is what the CDRs since then say."""
    async with scene_at(tmp_path, seed=11) as scene:
        await scene.begin()
        await scene.at(TROUBLE_S)
        lost_at = time.time()
        scene.witness.has_lost_data = True
        await scene.store.restart(with_data=False)
        for edge in scene.edges:
            await until(lambda edge=edge: edge.facts("store.recounted"), "the recount")
        recounted_at = time.time()
        found, records = await scene.end()
        assert_one_record_each(records, scene.callers)
        scene.assert_talk_is_on_record(records)
        assert_leases_add_up(found)
        released = {str(one["uid"]): datetime.fromisoformat(str(one["released_at"])).timestamp() for one in records}
        least = charges(one for one in records if released[str(one["uid"])] > recounted_at)
        most = charges(one for one in records if released[str(one["uid"])] >= lost_at - 1)
        for name in (one.name for one in ACCOUNTS):
            counters = dict(found[name].counters)
            charged = counters["charged_micros"]
            assert (name, found[name].balance_micros) == (name, counters["topped_up_micros"] - charged)
            assert (name, least[name] <= charged <= most[name]) == (name, True)
        assert sum(least.values()) > 0
