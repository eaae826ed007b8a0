"""Exactly at a limit, and what only shows at the second look; over the specification and over real servers."""

import pytest

from limits import Account, AccountStatus, Admit, Admitted, Answer, Denied, Limit, Renew, Settle
from limits.account import Credit, PrefixCeiling
from limits.model import Outcome
from limits.rates import Price

UNIT = 1_000_000
PRICE = Price(connect_micros=0, rate_micros=60 * UNIT, first_s=30, next_s=6, minimum_s=0)
"""A second costs one unit; the shortest call costs 30."""
QUANTUM_S = 60


def said(outcome: Outcome) -> str:
    return outcome.limit.value if isinstance(outcome, Denied) else "+"


@pytest.mark.parametrize(
    ("values", "opening", "limit"),
    [
        ({"spend_cap_hour_micros": 30 * UNIT}, 100 * UNIT, "+"),
        ({"spend_cap_hour_micros": 30 * UNIT - 1}, 100 * UNIT, "spend_hour"),
        ({"spend_cap_day_micros": 30 * UNIT}, 100 * UNIT, "+"),
        ({"spend_cap_day_micros": 30 * UNIT - 1}, 100 * UNIT, "spend_day"),
        ({"max_rate_micros": 60 * UNIT}, 100 * UNIT, "+"),
        ({"max_rate_micros": 60 * UNIT - 1}, 100 * UNIT, "max_rate"),
        ({}, 30 * UNIT, "+"),
        ({}, 30 * UNIT - 1, "credit"),
        ({"floor_micros": -30 * UNIT}, 0, "+"),
        ({"floor_micros": -30 * UNIT + 1}, 0, "credit"),
    ],
)
async def test_what_is_just_enough_is_enough(bench, account_id, values, opening, limit):
    """To the micro-unit."""
    await bench.provision(Account(account_id, caps_base=9, **values), opening=opening)

    (outcome,) = await bench.ask(Admit(account_id, "u", "n", price=PRICE))

    assert said(outcome) == limit


async def test_the_order_of_the_ceilings_by_prefix_does_not_matter(bench, account_id):
    """The longest counts, wherever it stands."""
    ceilings = (PrefixCeiling("+3389", 0, None), PrefixCeiling("+33", 9, None), PrefixCeiling("+338", 9, None))
    await bench.provision(Account(account_id, caps_base=9, prefix_ceilings=ceilings))

    found = await bench.ask(Admit(account_id, "a", "n", called="+33891"), Admit(account_id, "b", "n", called="+33881"))

    assert [said(outcome) for outcome in found] == ["prefix_calls", "+"]


async def test_a_clock_that_goes_back_takes_no_token_and_gives_none(bench, account_id):
    """A failover to a server whose clock is behind."""
    await bench.provision(Account(account_id, caps_base=2, caps_burst=4))
    await bench.ask(Admit(account_id, "a", "n"))

    await bench.age(account_id, -5_000)

    assert [said(found) for found in await bench.ask(*[Admit(account_id, f"u{n}", "n") for n in range(4)])] == [
        *["+"] * 3,
        "caps",
    ]


async def test_of_a_reservation_only_what_is_not_used_is_kept(bench, account_id):
    """b has reserved 3 of 4 places and uses 2: one is kept for b, one is free."""
    await bench.provision(Account(account_id, caps_base=50, calls_base=4, credit=Credit.NONE))
    own = [Admit(account_id, f"b{number}", "n", member="b", reserved=3) for number in range(2)]

    found = await bench.ask(*own, *[Admit(account_id, f"a{number}", "n", member="a") for number in range(2)])

    assert [said(outcome) for outcome in found] == ["+", "+", "+", "calls"]


async def test_a_member_whose_call_is_renewed_keeps_its_place(bench, account_id):
    """Else its reservation would look unused."""
    await bench.provision(Account(account_id, caps_base=50, calls_base=2, credit=Credit.NONE))
    await bench.ask(Admit(account_id, "b", "n", member="b", reserved=1))
    await bench.age(account_id, 20_000)
    await bench.ask(Renew(account_id, ("b",), "n"))
    await bench.age(account_id, 20_000)

    assert [said(found) for found in await bench.ask(Admit(account_id, "a", "n", member="a"))] == ["+"]


async def test_an_attempt_whose_lease_ran_out_may_come_again(bench, account_id):
    """It counts once among the running calls, and no more among those that ran out."""
    await bench.provision(Account(account_id, caps_base=50))
    await bench.ask(Admit(account_id, "u", "n", record=b"first"))
    await bench.age(account_id, 30_000)
    await bench.ask(Admit(account_id, "other", "n"))
    assert (await bench.peek(account_id)).expired == 1

    await bench.ask(Admit(account_id, "u", "n", record=b"second"))

    usage = await bench.peek(account_id)
    assert (usage.expired, usage.in_use) == (0, 2)
    assert [call.record for call in await bench.adopt(account_id, gone="n", heir="m") if call.uid == "u"] == [b"second"]


async def test_an_attempt_comes_again_before_the_sweep_has_come_to_it(bench, account_id):
    """64 leases are swept by one verb: its own is the 65th, it expires all the same, and is charged nothing twice."""
    await bench.provision(Account(account_id, caps_base=1_000, calls_base=99), opening=10_000 * UNIT)
    uids = [f"u{number:02}" for number in range(66)]
    await bench.ask(*[Admit(account_id, uid, "n", price=PRICE) for uid in uids])
    await bench.ask(*[Answer(account_id, uid) for uid in uids])
    await bench.ask(*[Renew(account_id, (uid,), "n", talk_ms=(1_000,), paid_s=(60,), prices=(PRICE,)) for uid in uids])
    await bench.age(account_id, 40_000)

    (again,) = await bench.ask(Admit(account_id, uids[-1], "n", price=PRICE))

    assert isinstance(again, Admitted)
    usage = await bench.peek(account_id)
    counters = dict(usage.counters)
    assert (again.in_use, usage.in_use, usage.expired, counters["leases_expired"]) == (1, 1, 64, 65)
    assert (counters["charged_micros"], usage.held_micros) == (65 * 30 * UNIT, 2 * 60 * UNIT)


async def test_the_record_of_the_answer_replaces_that_of_the_attempt(bench, account_id):
    """Who takes the call over gets the later one."""
    await bench.provision(Account(account_id, caps_base=9))
    await bench.ask(Admit(account_id, "u", "n", record=b"attempt"), Answer(account_id, "u", b"answer"))
    await bench.ask(Answer(account_id, "u", b"target refreshed"), Answer(account_id, "u"))

    (call,) = await bench.adopt(account_id, gone="n", heir="m")

    assert call.record == b"target refreshed"


async def test_a_renewal_at_the_instant_of_the_answer_says_that_it_was_answered(bench, account_id):
    """The answer itself may have been lost."""
    await bench.provision(Account(account_id, caps_base=9))
    await bench.ask(Admit(account_id, "u", "n"))

    await bench.ask(Renew(account_id, ("u",), "n", talk_ms=(0,)))

    (call,) = (await bench.peek(account_id)).calls
    assert call.answered_ms > 0


async def test_a_call_named_twice_is_told_once(bench, account_id):
    """In whatever list it comes."""
    await bench.provision(Account(account_id, caps_base=9))
    await bench.ask(
        Admit(account_id, "over", "n"), Settle(account_id, "over", "failed", 0), Admit(account_id, "b", "m")
    )

    (renewed,) = await bench.ask(Renew(account_id, ("over", "new", "b", "over", "new", "b"), "n"))

    assert (renewed.ended, renewed.reasserted, renewed.adopted) == (("over",), ("new",), ("b",))


async def test_an_account_that_is_active_again_is_not_cut(bench, account_id):
    """Whatever was said when it was suspended."""
    await bench.provision(Account(account_id, caps_base=9, is_cut=True))
    await bench.ask(Admit(account_id, "u", "n"))
    assert not (await bench.ask(Renew(account_id, ("u",), "n")))[0].is_cut

    await bench.change(account_id, generation=1, patch={"status": AccountStatus.SUSPENDED})

    assert (await bench.ask(Renew(account_id, ("u",), "n")))[0].is_cut


async def test_a_suspension_for_a_time_ends_at_a_renewal_too(bench, account_id):
    """No attempt is needed for values to return to what they were."""
    await bench.provision(Account(account_id, caps_base=9))
    await bench.ask(Admit(account_id, "u", "n"))
    patch = {"status": AccountStatus.SUSPENDED, "is_cut": True}
    await bench.change(account_id, generation=1, patch=patch, for_ms=20_000)
    await bench.age(account_id, 20_000)

    (renewed,) = await bench.ask(Renew(account_id, ("u",), "n"))

    assert not renewed.is_cut
    assert (await bench.peek(account_id)).account.status is AccountStatus.ACTIVE


async def test_changes_for_a_time_end_each_at_its_own_instant(bench, account_id):
    """Several values, several ends; a third one for good in between stays."""
    await bench.provision(Account(account_id, caps_base=1, calls_base=5, call_lots=0))
    await bench.change(account_id, generation=1, patch={"caps_base": 10}, for_ms=60_000)
    await bench.change(account_id, generation=2, patch={"calls_base": 50}, for_ms=20_000)
    await bench.change(account_id, generation=3, patch={"call_lots": 1})
    found = []
    for _ in range(4):
        account = (await bench.peek(account_id)).account
        found.append((account.caps_base, account.calls_base, account.call_lots))
        await bench.age(account_id, 20_000)

    assert found == [(10, 50, 1), (10, 5, 1), (10, 5, 1), (1, 5, 1)]


async def test_a_spending_window_says_when_it_ends(bench, account_id):
    """At the next full UTC hour, or day."""
    await bench.provision(Account(account_id, caps_base=9, spend_cap_hour_micros=UNIT), opening=UNIT)

    (denied,) = await bench.ask(Admit(account_id, "u", "n", price=PRICE))

    now = (await bench.peek(account_id)).now_ms
    assert denied.limit is Limit.SPEND_HOUR
    assert abs(denied.retry_after_ms - (3_600_000 - now % 3_600_000)) < 2_000
