"""limits.accounts over real servers: import, compare-and-set, audit, and a store that is away."""

import pytest
import redis

from limits import Account, AccountStatus, StaleGeneration, StoreUnavailable, UnknownAccount
from limits.accounts import AccountStore, Provisioned
from limits.keys import account_keys


@pytest.fixture(params=["valkey", "redis"])
def url(request: pytest.FixtureRequest, server_urls) -> str:
    return server_urls[request.param]


async def test_an_import_says_what_it_did(url, account_id):
    """Created, changed, unchanged; many accounts go in slices."""
    accounts = [Account(f"{account_id}-{number}", caps_base=number) for number in range(1_100)]
    async with AccountStore(url) as store:
        first = await store.provision(accounts)
        again = await store.provision(accounts)
        third = await store.provision([Account(f"{account_id}-0", caps_base=9), *accounts[1:]])

        assert (first, again) == (Provisioned(1_100, 0, 0), Provisioned(0, 0, 1_100))
        assert third == Provisioned(0, 1, 1_099)
        assert await store.read(f"{account_id}-7") == Account(f"{account_id}-7", caps_base=7)


async def test_only_new_changes_nothing_that_is_there(url, account_id):
    """Neither values nor journal; what is not there is created with its opening balance, which is in the journal."""
    async with AccountStore(url) as store:
        first = await store.provision([Account(account_id)], opening={account_id: 7_000_000}, only_new=True)
        again = await store.provision([Account(account_id, caps_base=9)], opening={account_id: 1}, only_new=True)

        assert (first, again) == (Provisioned(1, 0, 0), Provisioned(0, 0, 1))
        assert await store.read(account_id) == Account(account_id)
        (entry,) = await store.audit(account_id)
        assert entry.values[-3:] == (
            ("reference", "", "opening"),
            ("amount_micros", "", "7000000"),
            ("balance_micros", "0", "7000000"),
        )


async def test_an_import_leaves_what_it_changed(url, account_id):
    """Before and after of these values, and of no others; before is what was in force, whoever had set it."""
    async with AccountStore(url) as store:
        await store.provision([Account(account_id)])
        await store.change(account_id, generation=1, patch={"caps_lots": 3}, by="ann", why="fair")
        await store.provision([Account(account_id, caps_base=6)])
        newest = (await store.audit(account_id))[0]

    assert (newest.why, newest.values) == ("import", (("caps_base", "1", "6"), ("caps_lots", "3", "0")))


async def test_every_change_leaves_who_what_and_why(url, account_id):
    """The newest first; a change that lost the race leaves nothing."""
    async with AccountStore(url) as store:
        await store.provision([Account(account_id)], by="policy.toml")
        changed = await store.change(
            account_id, generation=1, patch={"status": "suspended", "caps_burst": 4}, by="ann", why="unpaid: 30 days"
        )
        with pytest.raises(StaleGeneration):
            await store.change(account_id, generation=1, patch={"caps_base": 9}, by="bob", why="late")
        newest, oldest = await store.audit(account_id)

    assert changed == Account(account_id, AccountStatus.SUSPENDED, caps_burst=4, generation=2)
    assert newest[1:] == (
        2,
        "ann",
        "unpaid: 30 days",
        None,
        (("status", "active", "suspended"), ("caps_burst", "", "4")),
    )
    assert (oldest.generation, oldest.by, oldest.why) == (1, "policy.toml", "created")
    assert newest.at_ms >= oldest.at_ms > 1_700_000_000_000


@pytest.mark.parametrize("name", ["nobody", "a}b", ""])
async def test_an_unknown_account_is_told_as_such(url, name):
    """Also a name no account can have."""
    async with AccountStore(url) as store:
        for ask in (store.read(name), store.change(name, generation=1, patch={}, by="x", why="y")):
            with pytest.raises(UnknownAccount):
                await ask


async def test_a_change_that_lost_the_race_inside_the_store_is_stale(url, account_id, monkeypatch):
    """Two editors who both read generation 1: the script decides, not the reading."""
    async with AccountStore(url) as store, AccountStore(url) as other:
        await store.provision([Account(account_id)])
        before = await store.read(account_id)
        await other.change(account_id, generation=1, patch={"caps_base": 2}, by="ann", why="first")

        async def stale_read(_: str) -> Account:
            return before

        monkeypatch.setattr(store, "read", stale_read)
        with pytest.raises(StaleGeneration) as stale:
            await store.change(account_id, generation=1, patch={"caps_base": 3}, by="bob", why="second")
        with redis.Redis.from_url(url) as client:
            client.delete(account_keys(account_id).account)
        with pytest.raises(UnknownAccount):
            await store.change(account_id, generation=1, patch={"caps_base": 3}, by="bob", why="gone")

    assert stale.value.found == 2


async def test_the_audit_is_bounded(url, account_id, monkeypatch):
    """About AUDIT_LENGTH entries, however often an account is changed."""
    monkeypatch.setattr("limits.accounts.AUDIT_LENGTH", 20)
    async with AccountStore(url) as store:
        await store.provision([Account(account_id)])
        for generation in range(1, 300):
            await store.change(account_id, generation=generation, patch={"caps_base": 1}, by="x", why="y")
        kept = await store.audit(account_id, last=1_000)

    assert 20 <= len(kept) <= 150


async def test_a_store_that_is_away_is_one_kind_of_error(tmp_path):
    """Translated once, at the boundary."""
    async with AccountStore(f"unix://{tmp_path}/none") as store:
        for ask in (
            store.provision([Account("a")]),
            store.read("a"),
            store.audit("a"),
            store.change("a", generation=1, patch={}, by="x", why="y"),
        ):
            with pytest.raises(StoreUnavailable):
                await ask
