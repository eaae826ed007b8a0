"""Several `edge run` on one store, and one of them is killed, frozen or stopped; or the store forgets everything."""

import asyncio
import signal
import time

import pytest
from several import BOUND_S, CENT, TAKEOVER_S, Site, assert_cut_at, assert_lasted, duration_s, until


async def test_the_survivor_goes_on_with_the_calls_of_a_node_that_was_killed(site: Site) -> None:
    """Leases are counted once, BYEs of both sides route and settle, credit is drawn on, who runs dry is cut, what only
    rang is closed; each call has one record with where it came from."""
    first, second = await site.start("n1"), await site.start("n2")
    await site.see_each_other(first, second)
    dial = site.parties.dial
    left_by_caller, left_by_callee = await dial("rich", first.address), await dial("rich", first.address)
    dry, saved = await dial("dry", first.address), await dial("saved", first.address)
    ringing = await dial("rich", first.address, rings=True)
    assert await site.store.in_use("rich", "dry", "saved", "trunk:out") == [3, 1, 1, 5]
    await site.store.noted("n1", "rich", "dry", "saved", "trunk:out")

    first.signal(signal.SIGKILL)
    killed_at = time.monotonic()
    gone = await second.fact("node.gone")
    assert time.monotonic() - killed_at > TAKEOVER_S - 1.5
    assert (gone["gone"], len(second.told("call.adopted"))) == ("n1", 4)
    await site.store.top_up("saved", 100 * CENT)
    lost = await site.record(ringing)
    assert (lost["lost"], lost["outcome"], lost["reason"], lost["adopted_from"]) == (True, "failed", "lost", "n1")
    assert await site.store.in_use("rich", "dry", "saved", "trunk:out") == [2, 1, 1, 4]
    assert (await dial("rich", second.address)).status == 200
    assert (await dial("rich", second.address)).status == 503, "the adopted calls count against the ceiling"

    caller_left = time.monotonic()
    left_by_caller.caller_leaves(second.address)
    left_by_callee.callee_leaves(second.address)
    for dialog, side, told in ((left_by_caller, "ingress", "callee"), (left_by_callee, "egress", "caller")):
        record = await site.record(dialog)
        assert (record["node"], record["adopted_from"], record["release_side"]) == ("n2", "n1", side)
        assert (record["lost"], record["reason"], record["account"]) == (False, "answered", "rich")
        await until(lambda dialog=dialog: dialog.bye_statuses == [200], "the answer to the BYE")
        assert_lasted(record, dialog, left_at=caller_left)
        assert dialog.sides_told == [told]

    record = await site.record(dry)
    assert (record["reason"], record["release_side"], record["adopted_from"]) == ("credit", "edge", "n1")
    assert (record["duration_ms"], record["cost_micros"]) == (7_000, 7 * CENT)
    await until(lambda: dry.sides_told == ["callee", "caller"], "both BYEs")
    assert_cut_at(dry, 7.0)
    await until(lambda: time.monotonic() > saved.answered_at + 7.2, "the end of what the first money paid for")
    assert (saved.byes, site.records(saved)) == ([], []), "money came in time"
    saved.caller_leaves(second.address)
    record = await site.record(saved)
    assert (record["adopted_from"], duration_s(record) > 7) == ("n1", True)
    for dialog in site.parties.dialogs.values():
        if not site.records(dialog):
            dialog.caller_leaves(second.address)
    await site.assert_settled("rich", "dry", "saved")
    assert all(len(site.records(dialog)) == 1 for dialog in site.parties.dialogs.values())


async def test_a_node_that_is_started_again_finds_its_own_calls(site: Site) -> None:
    """Killed, and back before anybody missed it: its calls are its own again, and end as if nothing had been."""
    patient = ("--lease-s", "60")  # however long the start takes on a busy machine
    first = await site.start("n1", *patient)
    up = await site.parties.dial("rich", first.address)
    ringing = await site.parties.dial("rich", first.address, rings=True)
    await site.store.noted("n1", "rich", "trunk:out")
    first.signal(signal.SIGKILL)
    await first.ended()
    again = await site.start("n1", *patient)
    await until(lambda: again.told("call.adopted") and again.told("edge.started"), "its call")
    events = [fact["event"] for fact in again.facts]
    assert events.index("call.adopted") < events.index("edge.started"), "nothing comes in before"
    await until(lambda: site.records(ringing), "the record of what rang")
    assert await site.store.in_use("rich", "trunk:out") == [1, 1]
    left_at = time.monotonic()
    up.caller_leaves(again.address)

    record = await site.record(up)
    assert (record["adopted_from"], record["lost"], record["release_side"]) == ("n1", False, "ingress")
    await until(lambda: up.bye_statuses == [200], "the answer to the BYE")
    assert_lasted(record, up, left_at=left_at)
    assert (await site.record(ringing))["lost"] is True
    await site.assert_settled("rich")


async def test_an_answer_that_no_ack_had_followed_comes_again_and_the_call_goes_on(site: Site) -> None:
    """Killed between the callee's 200 and the ACK, and back: the caller's INVITE, sent again, is not refused, and the
    callee's next 200 leads to where it came from. ACK and BYE pass, and the call is charged as it lasted."""
    patient = ("--lease-s", "60")
    first = await site.start("n1", *patient)
    dialog = await site.parties.dial("rich", first.address, rings=True)
    site.parties.pick_up(dialog, first.address)
    await until(lambda: dialog.status == 200, "the answer")
    await site.store.noted("n1", "rich", "trunk:out")
    first.signal(signal.SIGKILL)
    await first.ended()
    again = await site.start("n1", *patient)
    await until(lambda: again.told("edge.started"), "its start")

    told = dialog.final
    site.parties.again(dialog, again.address)
    site.parties.pick_up(dialog, again.address)
    await until(lambda: dialog.final is not told, "what the edge says next")
    assert (dialog.status, dialog.final.data) == (200, told.data), "nothing but the callee's 200 has reached the caller"
    left_at = time.monotonic()
    dialog.caller_leaves(again.address)
    record = await site.record(dialog)
    await until(lambda: dialog.bye_statuses == [200], "the answer to the BYE")
    assert (record["reason"], record["lost"], record["status"], dialog.sides_told) == (
        "answered",
        False,
        200,
        ["callee"],
    )
    assert_lasted(record, dialog, left_at=left_at)
    await site.assert_settled("rich")


async def test_a_node_that_was_frozen_lets_go_of_the_calls_that_were_taken_over(site: Site) -> None:
    """No second record, no second charge, and no BYE: not even to a call whose paid talk had ended as it knew it. A
    later BYE that comes to it, since the route leads there, ends the call at the node that holds it."""
    first, second = await site.start("n1"), await site.start("n2")
    await site.see_each_other(first, second)
    rich, other, saved = [await site.parties.dial(account, first.address) for account in ("rich", "rich", "saved")]
    await site.store.noted("n1", "rich", "saved", "trunk:out")
    first.signal(signal.SIGSTOP)
    try:
        await second.fact("node.gone")
        await site.store.top_up("saved", 100 * CENT)
        await until(lambda: time.monotonic() > saved.answered_at + 7.5, "the end of the talk the first node knows of")
    finally:
        first.signal(signal.SIGCONT)
    await until(lambda: len(first.told("call.adopted_elsewhere")) == 3, "the first node to let go")
    assert [dialog.byes for dialog in (rich, other, saved)] == [[], [], []]
    assert await site.store.in_use("rich", "saved", "trunk:out") == [2, 1, 3]

    rich.caller_leaves(second.address)
    saved.callee_leaves(second.address)
    other_left = time.monotonic()
    other.caller_leaves(first.address)
    for dialog in (rich, other, saved):
        record = await site.record(dialog)
        assert (record["node"], record["adopted_from"], record["lost"]) == ("n2", "n1", False)
    record = await site.record(other)
    await until(lambda: other.bye_statuses == [200], "the answer to the BYE")
    assert_lasted(record, other, left_at=other_left)
    assert (record["release_side"], other.sides_told) == ("ingress", ["callee"])
    await site.assert_settled("rich", "saved")
    first.signal(signal.SIGTERM)
    assert await first.ended() == 0
    assert first.records() == []


async def test_nobody_takes_over_from_nodes_that_only_could_not_reach_the_store(site: Site) -> None:
    """The store stands still for longer than the takeover time: whoever beats first afterwards does not think that
    all others are gone."""
    first, second = await site.start("n1"), await site.start("n2")
    await site.see_each_other(first, second)
    here, there = await site.parties.dial("rich", first.address), await site.parties.dial("rich", second.address)
    site.store.signal(signal.SIGSTOP)
    frozen_at = time.monotonic()
    try:
        await until(lambda: time.monotonic() > frozen_at + TAKEOVER_S + 1.5, "more than the takeover time")
    finally:
        site.store.signal(signal.SIGCONT)
    await first.fact("store.up"), await second.fact("store.up")
    back_at = time.monotonic()
    await until(lambda: time.monotonic() > back_at + 2.5, "a few heartbeats")
    assert [node.told(event) for node in (first, second) for event in ("node.gone", "call.adopted_elsewhere")] == [
        []
    ] * 4
    here.caller_leaves(first.address), there.caller_leaves(second.address)
    assert [(await site.record(dialog))["adopted_from"] for dialog in (here, there)] == ["", ""]
    await site.assert_settled("rich")


@pytest.mark.parametrize("how", ["flushed", "restarted empty"])
async def test_a_store_that_lost_its_data_is_not_trusted_until_every_call_is_counted_again(
    site: Site, how: str
) -> None:
    """Values anew, the leases of both nodes' calls back, no attempt admitted meanwhile; then the ceilings hold."""
    first, second = await site.start("n1"), await site.start("n2")
    await site.see_each_other(first, second)
    calls = [await site.parties.dial("rich", node.address) for node in (first, second, second)]
    if how == "flushed":
        await site.store.client.flushall()
    else:
        await site.store.kill()
        await site.store.start()
    tried = []
    async with asyncio.timeout(BOUND_S):
        while not (first.told("store.recounted") and second.told("store.recounted")):
            tried += [
                await site.parties.dial(account, node.address)
                for account in ("rich", "saved")
                for node in (first, second)
                if not node.told("store.recounted")
            ]
    assert [node.told("store.lost_data") != [] for node in (first, second)] == [True, True]
    assert {dialog.status for dialog in tried} - {403, 503} == set(), "admitted where nobody counts"
    refused = [(await site.record(dialog))["reason"] for dialog in tried]
    assert refused.count("store_away") > 2
    assert await site.store.in_use("rich", "trunk:out") == [3, 3]
    usage = await site.store.usage("rich")
    assert (usage.account.calls_base, usage.balance_micros, usage.held_micros > 0) == (3, 1_000 * CENT, True)
    over = [await site.parties.dial("rich", node.address) for node in (first, second)]
    assert [dialog.status for dialog in over] == [503, 503]
    assert [(await site.record(dialog))["reason"] for dialog in over] == ["calls"] * 2

    calls[0].caller_leaves(first.address)
    await site.record(calls[0])
    await until(lambda: calls[0].bye_statuses == [200], "the answer to the BYE")
    more = await site.parties.dial("rich", second.address)
    assert more.status == 200
    for dialog in (calls[1], calls[2], more):
        dialog.callee_leaves(second.address)
        await site.record(dialog)
    await site.assert_settled("rich", "saved")


async def test_a_node_that_stops_in_order_leaves_nothing_to_take_over(site: Site) -> None:
    """It beats while it waits for its calls, so nobody takes them; when it is gone, nothing of it is left."""
    first, second = await site.start("n1", "--drain-s", "20"), await site.start("n2")
    await site.see_each_other(first, second)
    call = await site.parties.dial("rich", first.address)
    first.signal(signal.SIGTERM)
    await first.fact("edge.draining")
    since = time.monotonic()
    await until(lambda: time.monotonic() > since + TAKEOVER_S + 1.5, "more than the takeover time")
    assert (second.told("node.gone"), second.told("call.adopted"), call.byes) == ([], [], [])
    call.caller_leaves(first.address)
    assert await first.ended() == 0
    record = await site.record(call)
    assert (record["node"], record["adopted_from"], record["lost"]) == ("n1", "", False)
    gone = await second.fact("node.gone")
    assert (gone["gone"], gone["leases"], second.records()) == ("n1", 0, [])
    await site.assert_settled("rich")
