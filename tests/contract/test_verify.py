"""The store's own look at the books: sound ones pass, each kind of damage is named."""

import pytest
import redis

from limits import Account, Admit, Outcome, Renew, UnknownAccount
from limits.accounts import AccountStore
from limits.keys import account_keys
from limits.model import INVARIANTS
from limits.rates import Price
from limits.redis_limiter import RedisLimiter

OPENING = 100_000_000


@pytest.fixture(params=["redis", "valkey"])
async def books(request, server_urls):
    """An account with a running call and an ended one, its keys, a client and the store."""
    url = server_urls[request.param]
    with redis.Redis.from_url(url, decode_responses=True) as client:
        client.flushdb()
        async with AccountStore(url) as store:
            await store.provision([Account("acme", caps_base=9)], opening={"acme": OPENING})
            names = account_keys("acme")
            yield "acme", names, client, store


def lease_that_runs_for(names, client, ms: int) -> None:
    """With all that belongs to it."""
    seconds, micros = client.time()
    client.zadd(names.leases, {"u": seconds * 1_000 + micros // 1_000 + ms})
    client.hset(names.calls, "u", call_line(0))
    client.hincrby(names.account, "calls_admitted", 1)


def store_url(client) -> str:
    """Of this client's server."""
    return f"unix://{client.connection_pool.connection_kwargs['path']}"


def call_line(held: int) -> str:
    """A running call, as the scripts keep it."""
    return f"1 1 1 30 {held} 0 0 60000000 1 1 0 - - - node"


async def test_a_new_account_adds_up(books):
    """Nothing in, nothing out, but the opening balance."""
    account, _, _, store = books
    assert await store.verify(account) == ()


async def test_nobody_has_no_books(books):
    """Said as everywhere."""
    *_, store = books
    with pytest.raises(UnknownAccount):
        await store.verify("nobody")


@pytest.mark.parametrize(
    ("damage", "broken"),
    [
        (lambda names, client: client.hincrby(names.account, "balance_micros", 1), "conservation_of_money"),
        (lambda names, client: client.hincrby(names.account, "charged_micros", 5), "conservation_of_money"),
        (lambda names, client: client.hset(names.account, "held_micros", -1), "no_negative"),
        (lambda names, client: client.hset(names.account, "held_micros", 7), "holds"),
        (lambda names, client: client.hincrby(names.account, "calls_admitted", 1), "conservation_of_leases"),
        (lambda names, client: client.zadd(names.leases, {"u": 9e15}), "conservation_of_leases"),
        (lambda names, client: client.zadd(names.leases, {"u": 9e15}), "no_leak"),
        (lambda names, client: lease_that_runs_for(names, client, 3_600_001 + 5_000), "no_leak"),
        (lambda names, client: client.hset(names.calls, "u", call_line(0)), "no_leak"),
        (
            lambda names, client: client.hset(names.account, mapping={"held_micros": OPENING + 1, "is_beyond": ""}),
            "no_over_spend",
        ),
        (lambda names, client: client.hset(names.calls, "u", call_line(3)), "holds"),
    ],
)
async def test_damage_is_named(books, damage, broken):
    """By the invariant it breaks."""
    account, names, client, store = books
    damage(names, client)
    found = await store.verify(account)
    assert broken in found
    assert set(found) <= set(INVARIANTS)


async def test_a_lease_of_an_hour_is_no_leak(books):
    """It may be asked for."""
    account, names, client, store = books
    lease_that_runs_for(names, client, 3_600_000)
    assert await store.verify(account) == ()


@pytest.mark.parametrize(
    "unforeseen",
    [
        lambda store: store.change("acme", generation=1, patch={"floor_micros": 1}, by="test", why="no more credit"),
        lambda store: store.top_up("acme", amount=-1, reference="correction", by="test"),
        lambda store: store.provision([Account("acme", caps_base=9, floor_micros=1)]),
    ],
)
async def test_holds_beyond_the_means_are_a_fault_unless_an_operator_made_them_so(books, running, unforeseen):
    """Until the next attempt that the credit allows: then every hold has been within the means."""
    account, names, client, store = books
    answers: list[Outcome] = []
    limiter = RedisLimiter(lambda verb, outcome: answers.append(outcome), store_url(client), deadline_s=5)
    async with running(limiter):
        for uid in ("a", "b"):
            limiter.submit(Admit(account, uid, "n", price=Price(0, 50_000_000, 1, 1, 0)))
            assert await limiter.drained(timeout_s=5)
    assert [answer.held_micros for answer in answers] == [50_000_000] * 2
    assert (client.hget(names.account, "is_beyond"), await store.verify(account)) == ("", ())

    await unforeseen(store)
    assert await store.verify(account) == ()

    client.hset(names.account, "is_beyond", "")
    assert await store.verify(account) == ("no_over_spend",)


async def test_what_was_promised_before_the_store_lost_it_is_no_fault(books, running):
    """The lease of a running call is taken again with its hold, even where the balance no longer pays for it."""
    account, names, client, store = books
    client.hset(names.account, "is_beyond", "")
    limiter = RedisLimiter(lambda verb, outcome: None, store_url(client), deadline_s=5)
    async with running(limiter):
        price = Price(0, 200_000_000, 1, 1, 0)
        limiter.submit(Renew(account, ("u",), "n", talk_ms=(1_000,), paid_s=(60,), prices=(price,)))
        assert await limiter.drained(timeout_s=5)
    assert int(client.hget(names.account, "held_micros")) > OPENING
    assert await store.verify(account) == ()


async def test_a_balance_below_zero_is_no_damage(books):
    """What ran while the store was away is charged all the same."""
    account, names, client, store = books
    client.hset(names.account, mapping={"charged_micros": 150_000_000, "balance_micros": -50_000_000})
    assert await store.verify(account) == ()
