"""What a call costs the store: the scripts it runs, counted by the store's own monitor."""

import asyncio
from collections import defaultdict
from contextlib import suppress

import pytest
from several import POLICY, Site, until

from limits.script_loader import SCRIPTS, script

NAMES = {script(name).sha1: name for name in SCRIPTS}


@pytest.mark.parametrize(("has_ceilings", "of_trunk"), [(False, []), (True, ["admit", "settle"])])
async def test_a_call_takes_three_scripts(site: Site, has_ceilings: bool, of_trunk: list[str]) -> None:
    """One to be admitted, one when it is answered (its record for a takeover goes with it), one to be settled, with
    money and all; two more for a trunk that has ceilings. A refused attempt takes one."""
    site.write_policy(POLICY if has_ceilings else POLICY.replace("calls = 50\n", ""))
    node = await site.start("n1", "--lease-s", "60", "--renew-s", "20")
    ran: defaultdict[str, list[str]] = defaultdict(list)
    listening = asyncio.Event()

    async def listen() -> None:
        async with site.store.client.monitor() as monitor:
            listening.set()
            async for command in monitor.listen():
                words = command["command"].split()
                if words[0] == "EVALSHA" and words[3].startswith("{"):
                    ran[words[3]].append(NAMES[words[1]])

    task = asyncio.create_task(listen())
    try:
        async with asyncio.timeout(10):
            await listening.wait()
        for _ in range(2):  # the first while the node may still be starting to listen for changed accounts
            ran.clear()
            dialog = await site.parties.dial("rich", node.address)
            dialog.caller_leaves(node.address)
            assert int(str((await site.record(dialog))["cost_micros"])) > 0
            await site.assert_settled("rich")
        await until(lambda: "settle" in ran["{acct:rich}"], "the settlement to be heard of")
        assert (ran["{acct:rich}"], ran["{trunk:out}"]) == (["admit", "answer", "settle"], of_trunk)
        await site.store.top_up("dry", -70_000)
        assert (await site.parties.dial("dry", node.address)).status == 402
        assert ran["{acct:dry}"] == ["admit"]
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
