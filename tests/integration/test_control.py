"""Operators see and steer running nodes over the store: two real edges, real calls, nodes that die or do not answer."""

import signal

import pytest
from several import Node, Site, until, until_found

from edge.control.client import Control, NoAnswer, NotDone, UnknownCall, UnknownNode
from edge.control.questions import CallFilter
from limits.errors import StoreUnavailable
from limits.mailboxes import Mailboxes, box_of


@pytest.fixture
async def control(site: Site):
    async with Control(site.store.url) as control:
        yield control


async def shown(control: Control, *names: str) -> None:
    """Until these nodes show themselves."""

    async def are_shown() -> bool:
        return all([await control.snapshot(name) for name in names])

    await until_found(are_shown, "the nodes to show themselves")


async def test_calls_of_all_nodes_are_listed_shown_and_hung_up(site: Site, control: Control) -> None:
    """Wherever they are; both sides hear BYE, and the record says by whose word."""
    one, two = [await site.start(name) for name in ("n1", "n2")]
    await site.see_each_other(one, two)
    first = await site.parties.dial("rich", one.address)
    second = await site.parties.dial("dry", two.address)
    ringing = await site.parties.dial("rich", two.address, rings=True)

    found = await control.list_calls()
    assert [row.node for row in found.calls] == ["n2", "n2", "n1"]
    assert (found.more, found.held, found.silent) == (False, 3, ())
    assert [row.call_id.encode() for row in found.calls] == [ringing.call_id, second.call_id, first.call_id]
    (only,) = (await control.list_calls(CallFilter(account="dry"))).calls
    assert (only.state, only.egress_trunk, only.source) == ("answered", "out", f"127.0.0.1:{site.parties.caller.port}")
    page = await control.list_calls(CallFilter(account="rich"), limit=1)
    assert (len(page.calls), page.more) == (1, True)

    detail = await control.show_call(only.uid)
    assert (detail.row, detail.paid_s, detail.holders) == (only, 7, ("dry", "trunk:out"))

    done = await control.hang_up(only.uid, by="ops", why="complaint 4411")
    assert (done.account, done.changed) == ("dry", True)
    record = await site.record(second)
    assert (record["reason"], record["release_side"], record["release_reason"]) == (
        "operator",
        "edge",
        "complaint 4411",
    )
    await until(lambda: second.sides_told == ["callee", "caller"], "both BYEs")
    fact = await two.fact("operator.hung_up")
    assert (fact["by"], fact["why"], fact["call_uid"]) == ("ops", "complaint 4411", only.uid)
    (entry,) = [found.entry for found in await control.journal()]
    assert (entry.node, entry.verb, entry.by, entry.why, entry.account) == (
        "n2", "hang_up", "ops", "complaint 4411", "dry",
    )  # fmt: skip

    (rung,) = (await control.list_calls(CallFilter(state="setup"))).calls
    await control.hang_up(rung.uid, by="ops", why="")
    await until(lambda: ringing.status == 503, "the end of the ringing")
    with pytest.raises(UnknownCall) as caught:
        await control.show_call(only.uid)
    assert caught.value.silent == ()
    first.caller_leaves(one.address)
    await site.record(first)
    await site.assert_settled("rich", "dry")


async def test_a_node_is_drained_and_comes_back(site: Site, control: Control) -> None:
    """It takes nothing new, goes on with what it has, and says so; the other one takes calls."""
    one, two = [await site.start(name) for name in ("n1", "n2")]
    await site.see_each_other(one, two)
    call = await site.parties.dial("rich", one.address)
    assert (await control.drain("n1", by="ops", why="kernel")).calls == 1

    async def states() -> dict[str, str]:
        return {node.name: node.state for node in await control.list_nodes()}

    async def is_drained() -> bool:
        return await states() == {"n1": "draining", "n2": "up"}

    await until_found(is_drained, "n1 to say that it drains")
    assert [(await site.parties.dial("rich", node.address)).status for node in (one, two)] == [503, 200]
    assert (await control.drain("n1", by="ops")).changed is False
    call.caller_leaves(one.address)
    assert (await site.record(call))["reason"] == "answered"

    assert (await control.undrain("n1", by="ops")).changed is True
    assert (await site.parties.dial("rich", one.address)).status == 200
    assert [(found.entry.verb, found.entry.why) for found in await control.journal()][::-1] == [
        ("drain", "kernel"), ("drain", ""), ("undrain", ""),
    ]  # fmt: skip
    with pytest.raises(UnknownNode, match="alive: n1, n2"):
        await control.drain("n3", by="ops")


async def test_a_snapshot_tells_what_goes_on(site: Site, control: Control) -> None:
    """Rates by account and reason, ceilings, trunks, the alarm of whoever has no place left."""
    node = await site.start("n1")
    calls = [await site.parties.dial("rich", node.address) for _ in range(3)]
    assert (await site.parties.dial("rich", node.address)).status == 503

    async def has_all() -> bool:
        found = await control.snapshot("n1")
        return found is not None and found.refused_total == {"calls": 1} and found.calls == 3

    await until_found(has_all, "the calls to be shown")
    found = await control.snapshot("n1")
    assert found is not None
    (row,) = found.accounts
    assert (row.account, row.calls, row.calls_ceiling, row.caps) == ("rich", 3, 3, 100)
    (trunk,) = found.trunks
    assert (trunk.trunk, trunk.health, trunk.calls) == ("out", "up", 3)
    assert [(alarm.holder, alarm.percent) for alarm in found.alarms] == [("rich", 95)]
    assert (found.draining, found.store_up, found.policy_generation, found.escaped) == ("", True, 1, 0)
    assert (found.attempts_total, found.history[-1].calls) == (4, 3)
    for call in calls:
        call.caller_leaves(node.address)
        await site.record(call)


async def test_a_node_that_does_not_answer_is_named(site: Site, control: Control) -> None:
    """And what it was asked is not done when it wakes too late for it."""
    one, two = [await site.start(name, "--takeover-s", "60") for name in ("n1", "n2")]
    await site.see_each_other(one, two)
    call = await site.parties.dial("rich", two.address)
    (row,) = (await control.list_calls()).calls
    two.signal(signal.SIGSTOP)
    found = await control.list_calls()
    assert (found.calls, found.silent) == ((), ("n2",))
    with pytest.raises(UnknownCall, match="no answer from n2"):
        await control.hang_up(row.uid, by="ops", why="")
    two.signal(signal.SIGCONT)

    async def is_asked_again() -> bool:
        return (await control.list_calls(nodes=("n2",))).calls == (row,)

    await until_found(is_asked_again, "n2 to answer again")
    assert (two.told("operator.hung_up"), call.byes) == ([], [])


async def test_what_nobody_understands_is_told_and_does_no_harm(site: Site, control: Control) -> None:
    """Bytes put into the box by hand, a question of another version, the same question twice."""
    node = await site.start("n1")
    await shown(control, "n1")
    async with Mailboxes(site.store.url) as boxes:
        for data in (b"\xff\x00", b"{}", b'{"id":"0af","ask":{"verb":"dance"}}'):
            assert await boxes.post(box_of("n1"), [data], most=10, life_ms=5_000)
        twice = b'{"id":"0af","ask":{"verb":"drain"},"by":"ops"}'
        assert await boxes.post(box_of("n1"), [twice, twice], most=10, life_ms=5_000)
    await until(lambda: len(node.told("control.unreadable")) == 3, "the complaints")
    await node.fact("operator.drained")
    assert (await control.undrain("n1", by="ops")).changed is True
    assert len(await control.journal()) == 2


async def test_without_the_store_there_is_no_channel_and_calls_go_on(site: Site, control: Control) -> None:
    """It says so; when the store is back, nodes are asked as before."""
    node = await site.start("n1")
    call = await site.parties.dial("rich", node.address)
    await shown(control, "n1")
    await site.store.kill()
    with pytest.raises(StoreUnavailable):
        await control.list_calls()
    with pytest.raises(StoreUnavailable):
        await control.list_nodes()
    assert call.byes == []
    await site.store.start()
    await node.fact("store.recounted")
    await shown(control, "n1")
    (row,) = (await control.list_calls()).calls
    assert row.call_id.encode() == call.call_id


async def test_a_node_on_its_way_out_says_so(site: Site, control: Control) -> None:
    """Told to stop, it waits for its call; nobody can call it back."""
    node: Node = await site.start("n1", "--drain-s", "60")
    call = await site.parties.dial("rich", node.address)
    await shown(control, "n1")
    node.signal(signal.SIGTERM)
    await node.fact("edge.draining")
    with pytest.raises(NotDone, match="stopping"):
        await control.undrain("n1", by="ops")

    async def is_stopping() -> bool:
        return [state.state for state in await control.list_nodes()] == ["stopping"]

    await until_found(is_stopping, "n1 to say that it stops")
    call.caller_leaves(node.address)
    assert await node.ended() == 0
    assert NoAnswer(("n1",)).nodes == ("n1",)
