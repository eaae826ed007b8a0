"""Calls whose lease ran out or whose node is gone: who finds them, for how long, and what they are charged; over the
specification and over real servers."""

import asyncio

import pytest
import redis
from redis.asyncio import Redis

from limits import Account, Admit, Answer, Denied, Renew, Settle, Settled
from limits.accounts import AccountStore
from limits.keys import CHANGES, NODES
from limits.model import CLAIM_MS, GIVEN_BACK, REFUSED, TOMBSTONE_MS
from limits.nodes import FORGET_MS, NodeRegistry
from limits.rates import Price

UNIT = 1_000_000
PRICE = Price(connect_micros=0, rate_micros=60 * UNIT, first_s=30, next_s=6, minimum_s=0)
"""A second costs one unit; the shortest call costs 30."""
HOUR_MS = 3_600_000


async def counters(bench, account) -> dict[str, int]:
    return dict((await bench.peek(account)).counters)


async def sweep(bench, account) -> None:
    """Any attempt frees what has run out."""
    await bench.ask(Admit(account, "sweep", "n"), Settle(account, "sweep", "failed", 0))


async def test_a_call_changes_hands_once_and_so_many_at_a_time(bench, account_id):
    """Those that the asker holds itself are left alone: a node that was started again under its name."""
    await bench.provision(Account(account_id, caps_base=50))
    await bench.ask(*[Admit(account_id, f"u{number}", "n") for number in range(5)])

    first = await bench.adopt(account_id, gone="n", heir="m", most=2)
    rest = await bench.adopt(account_id, gone="n", heir="m", keep=("u4",))
    again = await bench.adopt(account_id, gone="n", heir="m", keep=("u4",))

    assert (len(first), len(rest), again) == (2, 2, [])
    assert {call.uid for call in (*first, *rest)} == {"u0", "u1", "u2", "u3"}
    assert {call.uid: call.node for call in (await bench.peek(account_id)).calls} == {
        **dict.fromkeys(("u0", "u1", "u2", "u3"), "m"),
        "u4": "n",
    }


async def test_what_a_node_has_spoken_of_lately_is_left_to_it(bench, account_id):
    """It was cut off and is back: it admits and renews before its heartbeat is heard."""
    await bench.provision(Account(account_id, caps_base=50))
    await bench.ask(*[Admit(account_id, uid, "n", 60_000) for uid in ("left", "renewed")])
    await bench.age(account_id, 8_000)
    await bench.ask(Renew(account_id, ("renewed",), "n", 60_000), Admit(account_id, "new", "n", 60_000))

    assert [call.uid for call in await bench.adopt(account_id, gone="n", heir="m", silent_ms=8_000)] == ["left"]
    await bench.age(account_id, 7_000)
    assert await bench.adopt(account_id, gone="n", heir="m", silent_ms=8_000) == []
    await bench.age(account_id, 1_000)
    found = await bench.adopt(account_id, gone="n", heir="m", silent_ms=8_000)
    assert {call.uid for call in found} == {"renewed", "new"}


async def test_a_call_that_was_taken_over_has_lived_until_then(bench, account_id):
    """Should its new node be gone too, it is charged up to the takeover."""
    await bench.provision(Account(account_id, caps_base=50), opening=100 * UNIT)
    await bench.ask(Admit(account_id, "u", "n", 60_000, PRICE), Answer(account_id, "u"))
    await bench.age(account_id, 40_000)
    await bench.adopt(account_id, gone="n", heir="m")
    await bench.age(account_id, 30_000)

    await sweep(bench, account_id)

    assert (await counters(bench, account_id))["charged_micros"] == 42 * UNIT


async def test_a_call_whose_end_came_late_is_charged_for_paid_talk_only(bench, account_id):
    """Renewed after its paid talk had ended, then its node was gone."""
    await bench.provision(Account(account_id, caps_base=50), opening=30 * UNIT)
    await bench.ask(Admit(account_id, "u", "n", price=PRICE), Answer(account_id, "u"))
    await bench.age(account_id, 29_000)
    await bench.ask(Renew(account_id, ("u",), "n", talk_ms=(29_000,), paid_s=(30,), prices=(PRICE,)))
    await bench.age(account_id, 20_000)
    await bench.ask(Renew(account_id, ("u",), "n", talk_ms=(49_000,), paid_s=(30,), prices=(PRICE,)))
    await bench.age(account_id, 30_000)

    await sweep(bench, account_id)

    usage = await bench.peek(account_id)
    assert (usage.balance_micros, usage.held_micros, usage.expired) == (0, 0, 1)


async def test_a_late_settlement_is_overdrawn_by_what_it_adds(bench, account_id):
    """The sweep had charged 36 s, the CDR says 48."""
    await bench.provision(Account(account_id, caps_base=50), opening=100 * UNIT)
    await bench.ask(Admit(account_id, "u", "n", 60_000, PRICE), Answer(account_id, "u"))
    await bench.age(account_id, 35_000)
    await bench.ask(Renew(account_id, ("u",), "n", talk_ms=(35_000,), paid_s=(60,), prices=(PRICE,)))
    await bench.age(account_id, 30_000)
    await sweep(bench, account_id)

    assert await bench.ask(Settle(account_id, "u", "answered", 48_000, PRICE)) == [Settled(True, 48 * UNIT)]

    found = await counters(bench, account_id)
    assert (found["charged_micros"], found["overdrawn_micros"]) == (48 * UNIT, 12 * UNIT)


async def adopted(bench, account_id) -> None:
    """A call of node n, answered, 30 s of talk held; n is gone, m has taken it over."""
    await bench.provision(Account(account_id, caps_base=50), opening=100 * UNIT)
    await bench.ask(Admit(account_id, "u", "n", 60_000, PRICE), Answer(account_id, "u"))
    await bench.adopt(account_id, gone="n", heir="m")


@pytest.mark.parametrize("back_after_ms", [0, TOMBSTONE_MS + 1, CLAIM_MS - 60_000])
async def test_of_two_records_of_one_call_the_one_that_is_settled_first_stands(bench, account_id, back_after_ms):
    """The other is told which one that is, however long its node was away; it is charged once."""
    await adopted(bench, account_id)
    mine, theirs = (
        Settle(account_id, "u", "answered", ms, PRICE, by=by) for ms, by in ((36_000, "m/7"), (48_000, "n/3"))
    )
    assert await bench.ask(mine) == [Settled(False, 36 * UNIT)]
    await bench.age(account_id, back_after_ms)

    late = theirs._replace(doubtful=True)
    assert await bench.ask(mine, theirs, late) == [
        Settled(True, 36 * UNIT),
        Settled(True, 36 * UNIT, by="m/7"),
        Settled(True, 36 * UNIT, by="m/7"),
    ]

    usage = await bench.peek(account_id)
    assert (usage.balance_micros, usage.held_micros, usage.in_use) == (64 * UNIT, 0, 0)


async def test_the_node_that_is_back_first_has_the_record_that_stands(bench, account_id):
    """Its heir is told at the next renewal, or when it settles."""
    await adopted(bench, account_id)
    assert await bench.ask(Settle(account_id, "u", "answered", 48_000, PRICE, by="n/3")) == [Settled(False, 48 * UNIT)]

    (renewed,) = await bench.ask(Renew(account_id, ("u",), "m", talk_ms=(50_000,), paid_s=(60,), prices=(PRICE,)))
    assert renewed.ended == ("u",)
    heir = Settle(account_id, "u", "answered", 60_000, PRICE, by="m/7")
    assert await bench.ask(heir) == [Settled(True, 48 * UNIT, by="n/3")]
    assert (await bench.peek(account_id)).balance_micros == 52 * UNIT


async def test_after_that_time_nobody_is_charged_for_what_nobody_knows(bench, account_id):
    """35 days."""
    await adopted(bench, account_id)
    await bench.ask(Settle(account_id, "u", "answered", 36_000, PRICE, by="m/7"))
    await bench.age(account_id, CLAIM_MS + 1)
    late = Settle(account_id, "u", "answered", 48_000, PRICE, doubtful=True, by="n/3")
    assert await bench.ask(late) == [Settled(True, 0)]
    assert (await bench.peek(account_id)).balance_micros == 64 * UNIT


@pytest.mark.parametrize("first", ["stands", "void"])
async def test_a_group_is_charged_for_the_record_that_stands(bench, account_id, first):
    """Whichever of the two came first there: its account has judged."""
    await adopted(bench, account_id)
    stands = Settle(account_id, "u", "answered", 36_000, PRICE, by="m/7")
    void = Settle(account_id, "u", "answered", 48_000, PRICE, by="n/3")
    correction = void._replace(by="m/7", charged=36 * UNIT)
    order = (stands, void, correction) if first == "stands" else (void, correction, stands)

    answers = await bench.ask(*order, correction)

    assert [answer.charged_micros for answer in answers][-2:] == [36 * UNIT] * 2
    usage = await bench.peek(account_id)
    assert (usage.balance_micros, usage.spent_hour_micros, usage.in_use) == (64 * UNIT, 36 * UNIT, 0)


async def test_what_another_record_was_charged_is_charged_where_nothing_was_yet(bench, account_id):
    """The correction is the first that comes to this holder: it releases the lease as well."""
    await adopted(bench, account_id)
    correction = Settle(account_id, "u", "answered", 0, PRICE, by="m/7", charged=36 * UNIT)

    assert await bench.ask(correction) == [Settled(False, 36 * UNIT)]

    usage = await bench.peek(account_id)
    assert (usage.balance_micros, usage.held_micros, usage.in_use) == (64 * UNIT, 0, 0)


async def test_a_record_that_was_given_a_tombstone_without_name_stands(bench, account_id):
    """Nobody else's record is known."""
    await bench.provision(Account(account_id, caps_base=50), opening=100 * UNIT)
    await bench.ask(Admit(account_id, "u", "n", 60_000, PRICE), Settle(account_id, "u", "answered", 30_000, PRICE))
    named = Settle(account_id, "u", "answered", 30_000, PRICE, by="n/3")
    assert await bench.ask(named, named._replace(by="")) == [Settled(True, 30 * UNIT)] * 2


async def test_nothing_is_given_back_twice(bench, account_id):
    """A lease nobody took counts nowhere."""
    await bench.provision(Account(account_id, caps_base=50))

    assert await bench.ask(Settle(account_id, "u", GIVEN_BACK, 0)) == [Settled(True, 0)]

    found = await counters(bench, account_id)
    assert (found["settled_late"], found["settled_given_back"], found["calls_settled"]) == (0, 0, 0)


async def test_a_settled_attempt_is_known_for_64_seconds(bench, account_id):
    """And no copy of its INVITE brings it back."""
    await bench.provision(Account(account_id, caps_base=50))
    await bench.ask(Admit(account_id, "u", "n"), Settle(account_id, "u", "failed", 0))

    await bench.age(account_id, TOMBSTONE_MS - 10_000)

    (again,) = await bench.ask(Admit(account_id, "u", "n"))
    assert isinstance(again, Denied)


async def test_a_call_nobody_settles_is_found_for_a_day(bench, account_id):
    """Then nothing is left of it, its record neither."""
    await bench.provision(Account(account_id, caps_base=50))
    await bench.ask(Admit(account_id, "u", "n", record=b"old"))
    await bench.age(account_id, 30_000)
    await sweep(bench, account_id)
    await bench.age(account_id, 23 * HOUR_MS)
    await bench.ask(Admit(account_id, "second", "n"))
    await bench.age(account_id, 30_000)
    await sweep(bench, account_id)
    assert (await bench.peek(account_id)).expired == 1

    await bench.ask(Admit(account_id, "third", "n"))
    await bench.age(account_id, HOUR_MS)
    await sweep(bench, account_id)
    assert (await bench.peek(account_id)).expired == 0

    await bench.ask(Admit(account_id, "u", "n"))
    assert [call.record for call in await bench.adopt(account_id, gone="n", heir="m")] == [b""]


async def test_an_import_ends_what_was_to_return_by_itself(bench, account_id):
    """The file says how it is; no earlier raise comes back to change it."""
    await bench.provision(Account(account_id, caps_base=1, calls_base=5))
    await bench.change(account_id, generation=1, patch={"caps_base": 9}, for_ms=20_000)
    await bench.provision(Account(account_id, caps_base=4, calls_base=5))
    await bench.change(account_id, generation=3, patch={"calls_base": 7}, for_ms=10_000)

    await bench.age(account_id, 30_000)

    account = (await bench.peek(account_id)).account
    assert (account.caps_base, account.calls_base) == (4, 5)


@pytest.fixture(params=["redis", "valkey"])
def url(request, server_urls) -> str:
    return server_urls[request.param]


async def test_every_node_hears_of_every_change(url, account_id):
    """Of values, of money, of an import, by the holder's name."""
    async with AccountStore(url) as store, Redis.from_url(url, decode_responses=True).pubsub() as listening:
        await listening.subscribe(CHANGES)
        await listening.get_message(timeout=5)
        await store.provision([Account(account_id)])
        await store.change(account_id, generation=1, patch={"caps_base": 9}, by="test", why="test")
        await store.top_up(account_id, amount=1, reference="r", by="test")
        heard = []
        async with asyncio.timeout(5):
            while len(heard) < 3:
                message = await listening.get_message(timeout=5)
                heard += [message["data"]] if message else []
    assert heard == [account_id] * 3


async def test_a_node_is_listed_for_a_day(url):
    """With the time since its last beat."""
    with redis.Redis.from_url(url, decode_responses=True) as client:
        client.delete(NODES)
        seconds, _ = client.time()
        client.zadd(NODES, {"old": seconds * 1_000 - FORGET_MS - 5_000, "older": 0, "recent": seconds * 1_000 - 60_000})
    async with NodeRegistry(url) as nodes:
        await nodes.beat("here")
        beat = await nodes.beat("")
    assert set(beat.ages_ms) == {"recent", "here"}
    assert 60_000 <= beat.ages_ms["recent"] < 70_000


def refusal(account_id, by: str = "n/1") -> Settle:
    """Node n has refused this attempt without asking, and written a record of it."""
    return Settle(account_id, "u", REFUSED, 0, by=by)


@pytest.mark.parametrize("fate", ["held", "adopted", "expired", "settled"])
async def test_a_refusal_without_asking_does_not_stand_where_the_call_is_known(bench, account_id, fate):
    """And it takes nothing from it: lease, hold and charge are as they were."""
    await bench.provision(Account(account_id, caps_base=50), opening=100 * UNIT)
    await bench.ask(Admit(account_id, "u", "a", 60_000, PRICE), Answer(account_id, "u"))
    by = "a/"
    if fate == "adopted":
        await bench.adopt(account_id, gone="a", heir="b")
        by = "b/"
    elif fate == "expired":
        await bench.age(account_id, 60_001)
        await sweep(bench, account_id)
    elif fate == "settled":
        by = "a/9"
        await bench.ask(Settle(account_id, "u", "answered", 36_000, PRICE, by=by))
    before = await bench.peek(account_id)

    (answer,) = await bench.ask(refusal(account_id))

    assert (answer.already, answer.by) == (True, by)
    after = await bench.peek(account_id)
    assert after._replace(now_ms=0, tokens_micro=0) == before._replace(now_ms=0, tokens_micro=0)


async def test_a_refusal_stands_where_its_own_node_has_taken_the_call_over(bench, account_id):
    """Which has its record then, and gives the lease back; in whichever order the two come."""
    back = Settle(account_id, "u", GIVEN_BACK, 0)
    await bench.provision(Account(account_id, caps_base=50), opening=100 * UNIT)
    for asked in ((refusal(account_id), back), (back, refusal(account_id))):
        await bench.ask(Admit(account_id, "u", "a", 60_000, PRICE))
        await bench.adopt(account_id, gone="a", heir="n")
        assert [answer.by for answer in await bench.ask(*asked)] == ["", ""]
        usage = await bench.peek(account_id)
        assert (usage.in_use, usage.held_micros, usage.expired) == (0, 0, 0)
        await bench.age(account_id, CLAIM_MS + 1)


async def test_an_attempt_that_was_refused_without_asking_is_not_admitted_elsewhere(bench, account_id):
    """As long as its INVITE may come again; it counts as no settlement."""
    await bench.provision(Account(account_id, caps_base=50), opening=100 * UNIT)
    assert await bench.ask(refusal(account_id), refusal(account_id)) == [Settled(False), Settled(True)]
    assert await bench.ask(refusal(account_id, "m/4")) == [Settled(True, by="n/1")]
    (denied,) = await bench.ask(Admit(account_id, "u", "a", 60_000, PRICE))
    assert (type(denied), denied.limit) == (Denied, "duplicate")
    assert set((await counters(bench, account_id)).items()) >= {("calls_settled", 0), ("settled_late", 0)}

    await bench.age(account_id, TOMBSTONE_MS + 1)
    assert type((await bench.ask(Admit(account_id, "u", "a", 60_000, PRICE)))[0]) is not Denied


async def test_a_call_that_ran_without_a_lease_is_charged_though_another_node_refused_it(bench, account_id):
    """Its node was admitted nothing, as the store was away, and the refusal was first: it goes on, and pays."""
    await bench.provision(Account(account_id, caps_base=50), opening=100 * UNIT)
    await bench.ask(refusal(account_id))
    (renewed,) = await bench.ask(Renew(account_id, ("u",), "a", talk_ms=(1_000,), paid_s=(30,), prices=(PRICE,)))
    assert (renewed.reasserted, renewed.ended) == (("u",), ())
    settle = Settle(account_id, "u", "answered", 36_000, PRICE, by="a/2")
    assert await bench.ask(settle, settle) == [Settled(False, 36 * UNIT), Settled(True, 36 * UNIT)]

    await bench.ask(refusal(account_id, "n/8")._replace(uid="v"))
    answered = Settle(account_id, "v", "answered", 36_000, PRICE, by="a/3")
    assert await bench.ask(answered) == [Settled(True, 36 * UNIT)]
    assert (await bench.peek(account_id)).balance_micros == 28 * UNIT
