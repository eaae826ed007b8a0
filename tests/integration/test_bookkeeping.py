"""The node's look at the books of its running calls."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from edge.bookkeeping import Bookkeeping
from edge.proxy.facts import Fact
from limits import Account, StoreUnavailable
from limits.accounts import AccountStore
from limits.embedded import find_binary


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server for this file alone."""
    with tempfile.TemporaryDirectory(prefix="books-", ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "s"
        words = ["--port", "0", "--unixsocket", str(path), "--dir", folder, "--save", ""]
        process = subprocess.Popen([str(find_binary()), *words], stdout=subprocess.DEVNULL)
        try:
            while not path.exists():
                assert process.poll() is None
            yield f"unix://{path}"
        finally:
            process.terminate()
            process.wait(timeout=10)


async def test_what_does_not_add_up_is_told_once_and_counted_until_it_does(url):
    """Of the holders this node has calls of; one that the store does not know is passed by."""
    facts: list[Fact] = []
    books = Bookkeeping(url, holders=lambda: ("acme", "sound", "nobody"), tell=facts.append)
    async with AccountStore(url) as store:
        await store.provision([Account("acme"), Account("sound")])
        await books.look(store)
        assert (sum(books.broken.values()), facts) == (0, [])

        with redis.Redis.from_url(url) as client:
            client.hincrby("{acct:acme}", "balance_micros", 1)
        for _ in range(2):
            await books.look(store)
        assert (books.broken["conservation_of_money"], sum(books.broken.values())) == (1, 1)
        assert [fact.fields for fact in facts] == [{"account": "acme", "invariant": "conservation_of_money"}]

        with redis.Redis.from_url(url) as client:
            client.hincrby("{acct:acme}", "balance_micros", -1)
        await books.look(store)
        assert sum(books.broken.values()) == 0


async def test_a_store_that_is_away_is_said(tmp_path):
    """So that the loop waits for the next turn."""
    books = Bookkeeping(f"unix://{tmp_path}/none", holders=lambda: ("acme",), tell=lambda _: None)
    async with AccountStore(f"unix://{tmp_path}/none") as store:
        with pytest.raises(StoreUnavailable):
            await books.look(store)
