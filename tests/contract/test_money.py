"""Credit, spending caps and prices, over the specification and over real servers. Amounts in micro-units.

The price of most tests: 60 units a minute in steps of 6 s after a first 30 s, so that a second costs a million.
"""

import pytest
from answers import bare

from limits import Account, AccountId, Admit, Admitted, Answer, Denied, Limit, Renew, Settle, Settled
from limits.account import Credit, PrefixCeiling
from limits.errors import UsedReference
from limits.model import DEFAULT_LEASE_MS, GIVEN_BACK, TOMBSTONE_MS, Usage
from limits.rates import Price

UNIT = 1_000_000
PRICE = Price(connect_micros=0, rate_micros=60 * UNIT, first_s=30, next_s=6, minimum_s=0)


async def look(bench, account) -> Usage:
    usage = await bench.peek(account)
    assert usage is not None
    counters = dict(usage.counters)
    assert usage.balance_micros == counters["topped_up_micros"] - counters["charged_micros"], "conservation"
    assert min(counters.values()) >= 0
    assert usage.held_micros >= 0
    return usage


async def money(bench, account) -> tuple[int, int]:
    """(balance, held), in whole units."""
    usage = await look(bench, account)
    return usage.balance_micros // UNIT, usage.held_micros // UNIT


async def opened(bench, account: AccountId, units: int, **values: object) -> None:
    await bench.provision(Account(account, caps_base=50, **values), opening=units * UNIT)


def admit(account: AccountId, uid: str = "u", price: Price | None = PRICE, **more: object) -> Admit:
    return Admit(account, uid, "n", price=price, **more)


def renew(account: AccountId, *calls: tuple[str, int, int], price: Price = PRICE) -> Renew:
    """(uid, talk_ms, paid_s) of each call."""
    uids, talk, paid = zip(*calls, strict=True)
    return Renew(account, uids, "n", talk_ms=talk, paid_s=paid, prices=(price,) * len(calls))


# Holds


async def test_a_call_is_held_for_a_quantum(bench, account_id):
    """60 s by default: the larger of first increment, minimum and quantum."""
    await opened(bench, account_id, 100)

    first = (await bench.ask(admit(account_id)))[0]

    assert (first.paid_s, first.held_micros) == (60, 60 * UNIT)
    assert await money(bench, account_id) == (100, 60)


async def test_the_first_hold_is_what_the_balance_pays_if_that_is_less(bench, account_id):
    """On the grid of increments: 50 units pay 48 s."""
    await opened(bench, account_id, 50)

    assert (await bench.ask(admit(account_id)))[0].paid_s == 48


async def test_who_cannot_pay_the_shortest_call_is_refused(bench, account_id):
    """29 units do not pay 30 s; nothing is held, and the answer says what is there and what it takes."""
    await opened(bench, account_id, 29)

    assert bare(await bench.ask(admit(account_id))) == [Denied(Limit.CREDIT, 29 * UNIT, 30 * UNIT, 0)]
    assert await money(bench, account_id) == (29, 0)
    assert (await look(bench, account_id)).in_use == 0


async def test_holds_of_parallel_calls_never_pass_the_balance(bench, account_id):
    """100 units hold 60 and 36 s, and no third call."""
    await opened(bench, account_id, 100)

    first, second, third = await bench.ask(*[admit(account_id, f"u{number}") for number in range(3)])

    assert (first.paid_s, second.paid_s) == (60, 36)
    assert bare([third]) == [Denied(Limit.CREDIT, 4 * UNIT, 30 * UNIT, 0)]


async def test_the_floor_of_a_postpaid_account_is_its_credit_line(bench, account_id):
    """Nothing paid yet, 40 units allowed."""
    await opened(bench, account_id, 0, credit=Credit.POSTPAID, floor_micros=-40 * UNIT)

    assert (await bench.ask(admit(account_id)))[0].paid_s == 36


async def test_an_account_without_credit_is_charged_and_never_asked(bench, account_id):
    """Groups and trunks: their balance says what went through."""
    await opened(bench, account_id, 0, credit=Credit.NONE)

    assert (await bench.ask(admit(account_id)))[0].paid_s == 60
    assert await bench.ask(Settle(account_id, "u", "answered", 1)) == [Settled(already=False, charged_micros=30 * UNIT)]
    assert await money(bench, account_id) == (-30, 0)


async def test_a_call_without_a_price_asks_for_no_money(bench, account_id):
    """No deck, no credit."""
    await opened(bench, account_id, 0)

    assert (await bench.ask(admit(account_id, price=None)))[0].held_micros == 0


async def test_the_same_attempt_again_is_held_once(bench, account_id):
    """And is told the same."""
    await opened(bench, account_id, 100)

    first, again = await bench.ask(admit(account_id), admit(account_id))

    assert (again.paid_s, again.held_micros) == (first.paid_s, first.held_micros)
    assert await money(bench, account_id) == (100, 60)


# Extension


async def test_a_renewal_extends_a_hold_that_runs_out_soon(bench, account_id):
    """Less than 20 s left of 60: a quantum more."""
    await opened(bench, account_id, 200)
    await bench.ask(admit(account_id), Answer(account_id, "u"))

    early, late = await bench.ask(renew(account_id, ("u", 40_000, 60)), renew(account_id, ("u", 40_001, 60)))

    assert (early.paid_s, late.paid_s) == ((60,), (120,))
    assert (early.dry, late.dry) == ("", "")
    assert await money(bench, account_id) == (200, 120)


async def test_an_extension_is_what_the_balance_still_pays_then_the_account_is_dry(bench, account_id):
    """75 units: 60 s, then 12 more, then nothing; what is left does not pay an increment."""
    await opened(bench, account_id, 75)
    await bench.ask(admit(account_id), Answer(account_id, "u"))

    first, second = await bench.ask(renew(account_id, ("u", 50_000, 60)), renew(account_id, ("u", 60_000, 72)))

    assert (first.paid_s, first.dry) == ((72,), "")
    assert (second.paid_s, second.dry) == ((72,), "credit")
    assert await money(bench, account_id) == (75, 72)


async def test_a_top_up_rescues_a_call_inside_its_hold(bench, account_id):
    """The next renewal extends again."""
    await opened(bench, account_id, 60)
    await bench.ask(admit(account_id), Answer(account_id, "u"))
    assert (await bench.ask(renew(account_id, ("u", 50_000, 60))))[0].dry == "credit"

    assert await bench.top_up(account_id, amount=60 * UNIT, reference="bank 1") == (120 * UNIT, False)

    rescued = (await bench.ask(renew(account_id, ("u", 55_000, 60))))[0]
    assert (rescued.paid_s, rescued.dry) == ((120,), "")


async def test_a_ringing_call_is_renewed_and_not_extended(bench, account_id):
    """Its first hold waits for the answer."""
    await opened(bench, account_id, 60)
    await bench.ask(admit(account_id))

    ringing = (await bench.ask(renew(account_id, ("u", -1, 60))))[0]

    assert (ringing.paid_s, ringing.dry) == ((60,), "")


# Settlement


@pytest.mark.parametrize(("duration_ms", "charge"), [(0, 30), (30_000, 30), (30_001, 36), (59_999, 60)])
async def test_an_answered_call_is_charged_and_the_rest_returns(bench, account_id, duration_ms, charge):
    """Rounded up to the increments."""
    await opened(bench, account_id, 100)
    await bench.ask(admit(account_id), Answer(account_id, "u"))

    settled = await bench.ask(Settle(account_id, "u", "answered", duration_ms))

    assert settled == [Settled(already=False, charged_micros=charge * UNIT)]
    assert await money(bench, account_id) == (100 - charge, 0)


@pytest.mark.parametrize("outcome", ["failed", "cancelled", "abandoned", GIVEN_BACK])
async def test_an_unanswered_call_costs_nothing(bench, account_id, outcome):
    """All of the hold returns."""
    await opened(bench, account_id, 100)
    await bench.ask(admit(account_id))

    assert await bench.ask(Settle(account_id, "u", outcome, 0)) == [Settled(already=False, charged_micros=0)]
    assert await money(bench, account_id) == (100, 0)


async def test_a_second_settle_changes_nothing_and_says_what_was_charged(bench, account_id):
    """BYE and BYE."""
    await opened(bench, account_id, 100)
    await bench.ask(admit(account_id), Answer(account_id, "u"))

    first, second = await bench.ask(*[Settle(account_id, "u", "answered", 1)] * 2)

    assert (first.already, second) == (False, Settled(already=True, charged_micros=30 * UNIT))
    assert await money(bench, account_id) == (70, 0)


async def test_a_call_the_store_never_admitted_is_charged_and_told_as_overdrawn(bench, account_id):
    """It ran while the store was away: the price comes with the settlement."""
    await opened(bench, account_id, 20)

    assert await bench.ask(Settle(account_id, "u", "answered", 1, PRICE)) == [Settled(True, 30 * UNIT)]

    assert await money(bench, account_id) == (-10, 0)
    assert dict((await look(bench, account_id)).counters)["overdrawn_micros"] == 30 * UNIT


async def test_a_doubtful_settlement_charges_only_what_is_still_known(bench, account_id):
    """It may have been applied longer ago than a tombstone lives."""
    await opened(bench, account_id, 100)
    await bench.ask(admit(account_id), Settle(account_id, "u", "answered", 1, PRICE))
    await bench.age(account_id, TOMBSTONE_MS + 1)

    again = Settle(account_id, "u", "answered", 1, PRICE, doubtful=True)

    assert await bench.ask(again) == [Settled(already=True, charged_micros=0)]
    assert await money(bench, account_id) == (70, 0)
    assert dict((await look(bench, account_id)).counters)["settled_doubtful"] == 1


async def test_a_call_that_ran_on_a_lease_given_back_is_charged_all_the_same(bench, account_id):
    """The store's answer came too late, the account's `store_away` let the call run, and it ended before its first
    renewal: what its CDR says is what is charged, once."""
    await opened(bench, account_id, 100)
    await bench.ask(admit(account_id), Settle(account_id, "u", GIVEN_BACK, 0))
    assert await money(bench, account_id) == (100, 0)

    first, second, late = await bench.ask(
        *[Settle(account_id, "u", "answered", 1, PRICE)] * 2, Settle(account_id, "u", GIVEN_BACK, 0)
    )

    assert (first, second, late) == (Settled(True, 30 * UNIT),) * 3
    assert await money(bench, account_id) == (70, 0)
    counters = dict((await look(bench, account_id)).counters)
    assert (counters["settled_given_back"], counters["settled_late"], counters["calls_settled"]) == (1, 1, 1)


# Death


async def test_a_lease_that_runs_out_is_charged_to_its_last_renewal(bench, account_id):
    """Answered, renewed 35 s later, then silence: 36 s are charged, the rest of the hold returns, the call waits."""
    await opened(bench, account_id, 100)
    await bench.ask(admit(account_id, record=b"what the heir needs"), Answer(account_id, "u"))
    await bench.age(account_id, 25_000)
    await bench.ask(renew(account_id, ("u", 25_000, 60)))
    await bench.age(account_id, 10_000)
    await bench.ask(renew(account_id, ("u", 35_000, 60)))
    await bench.age(account_id, DEFAULT_LEASE_MS)

    await bench.ask(admit(account_id, "other", price=None))

    usage = await look(bench, account_id)
    assert (usage.balance_micros // UNIT, usage.held_micros, usage.in_use, usage.expired) == (64, 0, 1, 1)
    closed = await bench.adopt(account_id, gone="n", heir="m")
    assert [(call.uid, call.is_expired, call.charged_micros // UNIT) for call in closed if call.is_expired] == [
        ("u", True, 36)
    ]
    assert closed[-1].record == b"what the heir needs"


async def test_a_late_settlement_replaces_what_the_sweep_had_charged(bench, account_id):
    """The node had only been cut off: it knows the true duration."""
    await opened(bench, account_id, 100)
    await bench.ask(admit(account_id), Answer(account_id, "u"))
    await bench.age(account_id, DEFAULT_LEASE_MS)
    await bench.ask(admit(account_id, "other", price=None))
    assert await money(bench, account_id) == (70, 0)

    late = await bench.ask(Settle(account_id, "u", "answered", 40_000, PRICE))

    assert late == [Settled(already=True, charged_micros=42 * UNIT)]
    assert await money(bench, account_id) == (58, 0)
    assert (await look(bench, account_id)).expired == 0


async def test_a_renewal_takes_back_what_the_sweep_had_charged(bench, account_id):
    """The call runs after all: its lease and its hold are taken again, once."""
    await opened(bench, account_id, 100)
    await bench.ask(admit(account_id), Answer(account_id, "u"))
    await bench.age(account_id, DEFAULT_LEASE_MS)
    await bench.ask(admit(account_id, "other", price=None))

    again = (await bench.ask(renew(account_id, ("u", 30_000, 60))))[0]

    assert (again.reasserted, again.paid_s) == (("u",), (60,))
    assert await money(bench, account_id) == (100, 60)
    assert await bench.ask(Settle(account_id, "u", "answered", 30_000)) == [Settled(False, 30 * UNIT)]


async def test_a_call_that_a_store_without_data_never_knew_is_held_again(bench, account_id):
    """What was promised to it: the node says how much."""
    await opened(bench, account_id, 100)

    known = (await bench.ask(renew(account_id, ("u", 1_000, 48))))[0]

    assert (known.reasserted, known.paid_s) == (("u",), (48,))
    assert await money(bench, account_id) == (100, 48)


# Caps, rates, shadows


@pytest.mark.parametrize(
    ("name", "limit"), [("spend_cap_hour_micros", Limit.SPEND_HOUR), ("spend_cap_day_micros", Limit.SPEND_DAY)]
)
async def test_a_spending_cap_counts_charges_and_holds(bench, account_id, name, limit):
    """Cap 80: 42 spent, the next call is held for 36 s, and then nothing fits."""
    await opened(bench, account_id, 1_000, **{name: 80 * UNIT})
    await bench.ask(admit(account_id), Answer(account_id, "u"), Settle(account_id, "u", "answered", 40_000))

    second, third = await bench.ask(admit(account_id, "v"), admit(account_id, "w"))

    assert second.paid_s == 36
    assert (third.limit, third.ceiling, third.in_use) == (limit, 80 * UNIT, 78 * UNIT)
    assert 0 < third.retry_after_ms <= 86_400_000
    assert (await bench.ask(renew(account_id, ("v", 30_000, 36))))[0].dry == limit.value


async def test_a_dearer_rate_than_the_account_allows_is_refused(bench, account_id):
    """Per minute."""
    await opened(bench, account_id, 100, max_rate_micros=59 * UNIT)

    assert bare(await bench.ask(admit(account_id))) == [Denied(Limit.MAX_RATE, 59 * UNIT, 60 * UNIT, 0)]


@pytest.mark.parametrize(
    ("limit", "values", "verbs"),
    [
        ("caps", {"caps_base": 0}, 1),
        ("calls", {"calls_base": 0}, 1),
        ("prefix_calls", {"prefix_ceilings": (PrefixCeiling("+33", 0, None),)}, 1),
        ("prefix_caps", {"prefix_ceilings": (PrefixCeiling("+33", None, 0),)}, 1),
        ("max_rate", {"max_rate_micros": 0}, 1),
        ("spend_hour", {"spend_cap_hour_micros": 0}, 1),
        ("spend_day", {"spend_cap_day_micros": 0}, 1),
        ("credit", {"floor_micros": 200 * UNIT}, 1),
    ],
)
async def test_a_shadowed_limit_is_judged_and_counted_and_lets_pass(bench, account_id, limit, values, verbs):
    """And enforced it refuses."""
    account = Account(account_id, **{"caps_base": 50, **values})
    await bench.provision(account, opening=100 * UNIT)
    ask = admit(account_id, called="+33612345678")
    assert (await bench.ask(ask))[0].limit.value == limit

    generation = (await look(bench, account_id)).account.generation
    await bench.change(account_id, generation=generation, patch={"shadow": frozenset({limit})})
    passed = (await bench.ask(ask))[0]

    assert isinstance(passed, Admitted)
    assert passed.shadowed == (limit,)
    assert dict((await look(bench, account_id)).counters)[f"shadow_{limit}"] == 1


# Top-ups


async def test_a_top_up_is_booked_once_by_its_reference(bench, account_id):
    """The same again changes nothing; another amount under it is refused."""
    await opened(bench, account_id, 0)

    first = await bench.top_up(account_id, amount=5, reference="r")
    again = await bench.top_up(account_id, amount=5, reference="r")
    with pytest.raises(UsedReference):
        await bench.top_up(account_id, amount=6, reference="r")

    assert (first, again) == ((5, False), (5, True))
    assert (await look(bench, account_id)).balance_micros == 5


async def test_the_opening_balance_is_credited_at_creation_only(bench, account_id):
    """A restart with the same file, or a file with other values, credits nothing again."""
    await opened(bench, account_id, 10)
    await opened(bench, account_id, 10)
    await opened(bench, account_id, 10, calls_base=7)

    assert await money(bench, account_id) == (10, 0)
