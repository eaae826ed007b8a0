"""An operator raises an account's CAPS by lots while it calls at twice its old limit, through two edges."""

import asyncio
import sys
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path

from callee import Callees
from patience import until
from rig import Callers, Edge, Store

from limits.account import AccountId
from limits.accounts import AccountStore

BEFORE, AFTER = 20, 50
"""CAPS before, and with three lots of ten more."""
RATES = {"north": 17, "south": 23}
"""Attempts a second at each edge: twice the old limit in all, and under the new one. Not in step, or one edge would
always come first for the token."""
DIAL_S = 7
RAISE_AT = 3
"""Seconds of attempts before the raise."""
POLICY = f"""
[[accounts]]
id = "raised"
caps_base = {BEFORE}
calls_base = 1000
credit = "none"

[[ingress]]
id = "in"
sources = ["127.0.0.1/32"]
trusted = true
account_header = "X-Account"

[[egress]]
id = "first"
uri = "sip:127.0.0.1:@CALLEE@"

[[routes]]
id = "all"
prefixes = ["+33"]
trunks = ["first"]
"""


def instant(record: dict[str, object]) -> float:
    """When the attempt came, in UTC seconds."""
    return datetime.fromisoformat(str(record["received_at"])).timestamp()


async def caps_lots(store: Store, lots: str) -> float:
    """`edge account caps-lots`; returns the instant of the change by the store's clock."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "edge", "account", "caps-lots", "raised", lots, "--reason", "a campaign"),
        *("--redis", store.url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    async with AccountStore(store.url) as accounts:
        entry = (await accounts.audit(AccountId("raised"), last=1))[0]
    return entry.at_ms / 1_000


async def test_a_raise_is_in_force_on_both_edges_within_a_second(tmp_path: Path) -> None:
    """Before: about half of what comes passes, whichever edge it comes by. One second after the raise: all of it, by
    both. No call that ran is touched."""
    async with AsyncExitStack() as stack:
        store = Store(tmp_path)
        stack.push_async_callback(store.kill)
        await store.start()
        stack.push_async_callback(store.client.aclose)
        callees = Callees()
        callees.open("first")
        stack.callback(callees.close)
        (tmp_path / "policy.toml").write_text(POLICY.replace("@CALLEE@", str(callees.port("first"))))
        edges = [Edge(tmp_path, name, store) for name in RATES]
        talkers = []
        for edge in edges:
            stack.push_async_callback(edge.kill)
            await edge.start("--decision-deadline-ms", "2000")  # what is looked at is the raise, not this machine
            rate = RATES[edge.name]
            rows = [("raised", f"+3314500000{number % 10}", "400", "once") for number in range(rate * DIAL_S)]
            talkers.append(Callers(tmp_path, "talk", edge, rows, rate))
        for callers in talkers:
            stack.push_async_callback(callers.kill)
            await callers.start()
        await until(
            lambda: all(len(edge.records()) >= RATES[edge.name] * RAISE_AT for edge in edges),
            "three seconds of attempts",
        )

        raised_at = await caps_lots(store, "+3")

        for callers in talkers:
            assert await callers.ended(45) == 0, callers.said()
        await until(
            lambda: all(len(edge.records()) == RATES[edge.name] * DIAL_S for edge in edges), "a record of each attempt"
        )
        for edge in edges:
            records = edge.records()
            assert {str(record["reason"]) for record in records} == {"answered", "caps"}
            assert {record["release_side"] for record in records if record["outcome"] == "answered"} == {"ingress"}
            began = min(map(instant, records))
            before = [record["reason"] for record in records if began + 1 < instant(record) < raised_at]
            after = [record["reason"] for record in records if instant(record) > raised_at + 1]
            assert (len(before) > RATES[edge.name], len(after) > RATES[edge.name]) == (True, True)
            assert (edge.name, after.count("caps")) == (edge.name, 0)
            assert 0 < before.count("caps") < len(before)
        passed = sorted(
            instant(record) for edge in edges for record in edge.records() if record["reason"] == "answered"
        )
        for start in passed:
            if start + 1 < raised_at:
                assert sum(start <= at < start + 1 for at in passed) <= 2 * BEFORE, "burst and CAPS of one second"
        refused = [record for edge in edges for record in edge.records() if record["reason"] == "caps"]
        early = [record for record in refused if instant(record) < raised_at]
        assert len(early) > BEFORE * (raised_at - min(passed) - 2) * 0.6, "what came was twice what might pass"
        assert all(leg.parted_at for leg in callees.legs.values()), "a call was dropped"
