"""Many prepaid calls draw on one balance until it is empty: nobody talks for more than there was, or unpaid."""

import asyncio

from several import CENT, Site, until

CALLS = 50
TALK_S = 600
"""What the balance pays for, in all."""
LATE_S = 0.2
"""A call may end so much after its hold."""
POLICY = f"""
rate_deck = "rates.csv"

[[accounts]]
id = "pot"
caps_base = 1000
calls_base = {CALLS}
opening_balance = "{TALK_S / 100:.2f}"

[[ingress]]
id = "in"
sources = ["127.0.0.1/32"]
trusted = true
account_header = "X-Account"

[[egress]]
id = "out"
uri = "sip:127.0.0.1:@CALLEE@"

[[routes]]
id = "all"
prefixes = [""]
trunks = ["out"]
"""


async def test_fifty_calls_on_a_balance_of_ten_minutes(site: Site) -> None:
    """Held 5 s at a time over two nodes: every call is cut on both sides within 200 ms of the end of its hold, the
    balance ends at nothing and never below, and the CDRs say what was charged. Then there is 402."""
    site.write_policy(POLICY)
    nodes = [await site.start(name, "--hold-s", "5") for name in ("n1", "n2")]
    dialogs = await asyncio.gather(*[site.parties.dial("pot", nodes[number % 2].address) for number in range(CALLS)])
    assert [dialog.status for dialog in dialogs] == [200] * CALLS
    balances: list[int] = []

    async def look() -> None:
        while True:
            usage = await site.store.usage("pot")
            balances.append(usage.balance_micros - usage.held_micros)
            if not usage.in_use:
                return

    async with asyncio.timeout(TALK_S / CALLS * 3):
        await look()
    assert min(balances) >= 0
    records = [await site.record(dialog) for dialog in dialogs]
    talked_s = [int(str(record["duration_ms"])) / 1_000 for record in records]
    assert {(record["reason"], record["release_side"]) for record in records} == {("credit", "edge")}
    assert sum(talked_s) == TALK_S
    assert sum(int(str(record["cost_micros"])) for record in records) == TALK_S * CENT
    await until(lambda: all(dialog.sides_told == ["callee", "caller"] for dialog in dialogs), "both BYEs of each call")
    late = [
        at - dialog.answered_at - talk for dialog, talk in zip(dialogs, talked_s, strict=True) for _, at in dialog.byes
    ]
    assert max(late) < LATE_S
    assert min(late) > -LATE_S
    await site.assert_settled("pot")
    assert (await site.store.usage("pot")).balance_micros == 0
    after = await site.parties.dial("pot", nodes[0].address)
    assert (after.status, (await site.record(after))["reason"]) == (402, "credit")
