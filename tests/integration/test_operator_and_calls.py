"""What an operator types, and what becomes of the calls that run at that moment."""

import asyncio
import sys
import time

from several import CENT, Site, assert_cut_at, duration_s, until


async def edge_account(site: Site, *words: str) -> None:
    """`edge account …` on this store."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "edge", "account", *words, "--redis", site.store.url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()


async def test_a_suspension_ends_running_calls_only_where_it_is_told_to(site: Site) -> None:
    """Without --cut they run on and new ones are refused; with it, both sides hear BYE at once, on every node, and what
    rings is refused. Then calls pass again."""
    nodes = [await site.start(name, "--lease-s", "60", "--renew-s", "20") for name in ("n1", "n2")]
    calls = [await site.parties.dial("rich", node.address) for node in nodes]
    ringing = await site.parties.dial("rich", nodes[0].address, rings=True)

    await edge_account(site, "suspend", "rich", "--reason", "unpaid")
    assert (await site.parties.dial("rich", nodes[1].address)).status == 403
    assert [call.byes for call in calls] == [[], []]

    await edge_account(site, "suspend", "rich", "--cut", "--reason", "still unpaid")
    for call in calls:
        record = await site.record(call)
        assert (record["reason"], record["release_side"]) == ("suspended", "edge")
        await until(lambda call=call: call.sides_told == ["callee", "caller"], "both BYEs")
    await until(lambda: ringing.status == 403, "the refusal of the one that rang")
    assert (await site.record(ringing))["reason"] == "account_suspended"

    await edge_account(site, "resume", "rich")
    again = await site.parties.dial("rich", nodes[1].address)
    assert again.status == 200
    again.caller_leaves(nodes[1].address)
    await site.record(again)
    await site.assert_settled("rich")


async def test_money_that_is_topped_up_lets_the_running_call_go_on(site: Site) -> None:
    """Two calls whose accounts pay for seven seconds each: one is cut when that is used up; the other was topped up in
    time, and so is not."""
    node = await site.start("n1")
    dry, saved = await site.parties.dial("dry", node.address), await site.parties.dial("saved", node.address)

    await site.store.top_up("saved", 100 * CENT)

    record = await site.record(dry)
    assert (record["reason"], record["duration_ms"], record["cost_micros"]) == ("credit", 7_000, 7 * CENT)
    await until(lambda: dry.sides_told == ["callee", "caller"], "both BYEs")
    assert_cut_at(dry, 7.0)
    await until(lambda: time.monotonic() > saved.answered_at + 7.3, "the end of what the first money paid for")
    assert (saved.byes, site.records(saved)) == ([], [])
    saved.callee_leaves(node.address)
    record = await site.record(saved)
    assert (record["reason"], duration_s(record) > 7) == ("answered", True)
    await site.assert_settled("dry", "saved")
