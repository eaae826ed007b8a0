"""A node writes the record of a call and cannot settle it; another one takes the call over. Whatever becomes of the
first node, one record of the call is delivered, and what the delivered records say was charged is what was charged."""

import asyncio
import json
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cut import Road
from several import TAKEOVER_S, Dialog, Node, Site, until

from edge.cdr.verify import verify


class Fault:
    """Two nodes with a sink each; the first one's road to the store is cut."""

    def __init__(self, site: Site, road: Road, first: Node, second: Node) -> None:
        self.site, self.road, self.first, self.second = site, road, first, second

    async def back(self) -> Node:
        """The first node, killed, comes back, and the store is there for it."""
        await self.road.open()
        self.first = await start(self.site, "n1", self.road.url)
        return self.first

    def delivered(self, node: str = "n*") -> list[dict[str, object]]:
        """What the sinks of the nodes have given away so far."""
        found = sorted(self.site.directory.glob(f"out-{node}/*.jsonl"))
        return [json.loads(line) for path in found for line in path.read_bytes().splitlines()]

    def delivered_of(self, *dialogs: Dialog) -> list[str]:
        """The nodes whose record of these calls were given away."""
        call_ids = [dialog.call_id.decode() for dialog in dialogs]
        return [str(one["node"]) for call_id in call_ids for one in self.delivered() if one["call_id"] == call_id]

    async def both_have_closed(self, dialog: Dialog) -> None:
        """The caller leaves through the first node, which cannot say so; the callee, whose BYE gets lost, later through
        the second one, to which the call has come."""
        dialog.caller_leaves(self.first.address)
        await until(lambda: self.first.records(dialog), "the first record")
        await self.second.fact("call.adopted", TAKEOVER_S + 6)
        dialog.callee_leaves(self.second.address)
        await until(lambda: self.second.records(dialog), "the second record")

    async def charged(self) -> int:
        """What the account was charged, by the store; its balance agrees."""
        usage = await self.site.store.usage("rich")
        counters = dict(usage.counters)
        assert usage.balance_micros == counters["topped_up_micros"] - counters["charged_micros"]
        return counters["charged_micros"]

    def billed(self) -> int:
        """What the records say that were given away."""
        return sum(int(str(one["cost_micros"])) for one in self.delivered())

    async def assert_one_each(self, account: str, calls: int) -> None:
        """The end: nothing is held, each call was delivered once, and the books agree with what was delivered."""
        await until(lambda: len(self.delivered()) >= calls, "the records to be delivered")
        logs = [node.state / "cdr" for node in (self.first, self.second)]
        await until(lambda: verify(logs).is_sound, "the logs to be whole, void records named")
        assert list(Counter(one["uid"] for one in self.delivered()).values()) == [1] * calls
        assert await self.charged() == self.billed()
        usage = await self.site.store.usage(account)
        assert (usage.in_use, usage.held_micros, usage.expired) == (0, 0, 0)


async def start(site: Site, name: str, url: str, *options: str) -> Node:
    """A node with a sink of whole lines, its own road to the store."""
    config = site.directory / f"{name}.toml"
    config.write_text(
        f'[[cdr.sinks]]\nname = "out"\nkind = "jsonl"\ndirectory = "{site.directory}/out-{name}"\n'
        "batch_age_s = 0.05\nrotate_s = 1\n"
    )
    return await site.start(name, "--config", str(config), "--redis", url, *options)


@pytest.fixture
async def fault(site: Site) -> AsyncIterator[Fault]:
    road = Road(site.directory / "road.sock", Path(site.store.url.removeprefix("unix://")))
    await road.open()
    first, second = await start(site, "n1", road.url), await start(site, "n2", site.store.url)
    await site.see_each_other(first, second)
    yield Fault(site, road, first, second)
    await road.cut()


async def a_call(fault: Fault) -> tuple[Dialog, Dialog]:
    """(a call that has ended in order and was delivered, one that runs), both of the first node."""
    site = fault.site
    before = await site.parties.dial("rich", fault.first.address)
    before.caller_leaves(fault.first.address)
    await until(lambda: fault.delivered_of(before), "the record of the first call to be delivered")
    dialog = await site.parties.dial("rich", fault.first.address)
    await site.store.noted("n1", "rich", "trunk:out")
    return before, dialog


@pytest.mark.parametrize("is_journal_lost", [False, True], ids=["with its journal", "without its journal"])
async def test_a_node_that_is_killed_before_it_could_settle(fault, is_journal_lost):
    """As long as it is away, and if it never comes back, the heir's record is the only one: that of the first was not
    settled, so not delivered. When it comes back its record is void where the heir has closed the call, and stands
    where it has not: then the heir is told at its next renewal, and writes nothing."""
    site = fault.site
    before, closed = await a_call(fault)
    open_ = await site.parties.dial("rich", fault.first.address)
    await fault.road.cut()
    await fault.first.fact("store.away")
    open_.caller_leaves(fault.first.address)
    await until(lambda: fault.first.records(open_), "the record of the other call")
    await fault.both_have_closed(closed)
    fault.first.signal(signal.SIGKILL)
    await fault.first.ended()
    await until(lambda: fault.delivered_of(closed), "the heir's record to be delivered")
    assert (fault.delivered_of(before, closed), fault.delivered_of(open_)) == (["n1", "n2"], [])
    assert await fault.charged() == fault.billed()
    if is_journal_lost:
        for path in (fault.first.state / "settlements").iterdir():
            path.unlink()

    first = await fault.back()
    told = await first.fact("cdr.void")
    assert (told["by"], told["account"]) == (f"n2/{fault.second.records(closed)[0]['seq']}", "rich")
    await fault.second.fact("lease.ended_elsewhere")
    after = await site.parties.dial("rich", first.address)
    after.caller_leaves(first.address)
    await until(lambda: fault.delivered_of(after), "the log to go on behind the void record")
    await fault.assert_one_each("rich", 4)
    assert (fault.delivered_of(closed), fault.delivered_of(open_)) == (["n2"], ["n1"])
    assert (len(site.records(closed)), len(site.records(open_))) == (2, 1)


async def test_a_node_that_lives_on_without_the_store(fault):
    """Only its road was cut: nobody dies at all. The same holds."""
    site = fault.site
    _, closed = await a_call(fault)
    open_ = await site.parties.dial("rich", fault.first.address)
    await fault.road.cut()
    await fault.first.fact("store.away")
    open_.caller_leaves(fault.first.address)
    await until(lambda: fault.first.records(open_), "the record of the other call")
    await fault.both_have_closed(closed)
    await until(lambda: fault.delivered_of(closed), "the heir's record to be delivered")
    assert fault.delivered_of(open_) == []
    await fault.road.open()
    await fault.first.fact("cdr.void")
    await fault.second.fact("lease.ended_elsewhere")
    await fault.assert_one_each("rich", 3)
    assert (fault.delivered_of(closed), fault.delivered_of(open_)) == (["n2"], ["n1"])


async def test_of_two_records_that_wait_for_the_store_the_first_settled_stands(fault):
    """The heir is cut off as well, with the store frozen, when it closes the call."""
    _, dialog = await a_call(fault)
    await fault.road.cut()
    await fault.first.fact("store.away")
    dialog.caller_leaves(fault.first.address)
    await until(lambda: fault.first.records(dialog), "the first record")
    await fault.second.fact("call.adopted", TAKEOVER_S + 6)
    fault.site.store.signal(signal.SIGSTOP)
    try:
        await fault.second.fact("store.away")
        dialog.callee_leaves(fault.second.address)
        await until(lambda: fault.second.records(dialog), "the second record")
        assert fault.delivered_of(dialog) == []
    finally:
        fault.site.store.signal(signal.SIGCONT)
    await asyncio.gather(fault.road.open(), fault.second.fact("store.up"))
    await until(lambda: fault.first.told("cdr.void") + fault.second.told("cdr.void"), "one of them to be void")
    await fault.assert_one_each("rich", 2)
    loser = fault.first if fault.first.told("cdr.void") else fault.second
    assert fault.delivered_of(dialog) == ["n2" if loser is fault.first else "n1"]


async def test_a_node_without_room_refuses_an_attempt_that_another_one_held(site):
    """The first node had admitted it and is gone with its answer; its address came to one that has no room for new
    calls. Whichever of the others takes the call over, one record of it is delivered."""
    patience = ("--takeover-s", "8")  # the refusal comes before the takeover, on a busy machine too
    first = await start(site, "n1", site.store.url)
    full = await start(site, "n2", site.store.url, "--max-calls", "1", *patience)
    third = await start(site, "n3", site.store.url, *patience)
    await site.see_each_other(first, full, third)
    running = await site.parties.dial("rich", full.address)
    dialog = await site.parties.dial("rich", first.address, rings=True)
    await site.store.noted("n1", "rich", "trunk:out")
    first.signal(signal.SIGKILL)
    site.parties.again(dialog, full.address)
    await until(lambda: dialog.status == 503, "the refusal")
    assert (await full.fact("cdr.void"))["by"] == "n1/", "whose lease it was"
    await until(lambda: full.told("node.gone") or third.told("node.gone"), "the takeover")
    running.caller_leaves(full.address)
    fault = Fault(site, Road(site.directory / "none.sock", Path("none")), full, third)
    await until(lambda: fault.delivered_of(dialog), "its record")
    await fault.assert_one_each("rich", 2)
    (record,) = [one for one in fault.delivered() if one["call_id"] == dialog.call_id.decode()]
    assert (record["lost"], record["reason"]) == (True, "lost")
