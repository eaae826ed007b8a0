"""limits.documents over real servers: versions, two racing editors, damage, notices."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers import client_of, keys_of

from limits import documents, notices
from limits.documents import NOTHING, Damaged, DocumentStore, Head, channel_of
from limits.errors import StaleDocument, StoreUnavailable

_names = count()

PARTS = st.dictionaries(st.text(min_size=1, max_size=20), st.binary(max_size=2_000), min_size=1, max_size=4)


@pytest.fixture(params=["valkey", "redis", "redis62", "cluster"])
def url(request: pytest.FixtureRequest, server_urls) -> str:
    return server_urls[request.param]


@pytest.fixture
def name() -> str:
    return f"d{next(_names)}"


@pytest.fixture
async def store(url: str, name: str) -> AsyncIterator[DocumentStore]:
    async with DocumentStore(url, name) as opened:
        yield opened


async def test_there_is_nothing_at_first(store):
    """No version, no history."""
    assert await store.head() == NOTHING
    assert await store.versions() == ()
    assert await store.version(1) is None


async def test_a_version_comes_back_byte_for_byte(store):
    """Parts in their order, who, when, why; contents that are no text too."""
    parts = {"policy.toml": b"\xff\x00 a = 1\r\n", "rates.csv": b"", "more": b"x" * 100_000}
    made = await store.commit(parts, by="ann", why='new "rates"', expected=0)
    (found,) = await store.versions()
    assert found == made
    assert (found.generation, found.by, found.why, found.rolled_back_to) == (1, "ann", 'new "rates"', 0)
    assert list((await store.content(found)).items()) == list(parts.items())
    assert await store.head() == Head(1, found.at_ms)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=PARTS)
async def test_what_is_brought_is_what_is_got(store, parts):
    """Whatever the names and the contents."""
    made = await store.commit(parts, by="x", why="")
    assert await store.content(made) == parts


async def test_the_slower_of_two_editors_is_refused(store):
    """Both looked at the same version: one is in force, the other is told which one is."""
    await store.commit({"p": b"0"}, by="a", why="")
    outcomes = await asyncio.gather(
        *[store.commit({"p": b"%d" % number}, by=f"e{number}", why="", expected=1) for number in range(8)],
        return_exceptions=True,
    )
    made = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    stale = [outcome for outcome in outcomes if isinstance(outcome, StaleDocument)]
    assert (len(made), len(stale)) == (1, 7)
    assert {(fault.expected, fault.found) for fault in stale} == {(1, 2)}
    version = await store.version(2)
    assert version == made[0]
    assert await store.content(version) == {"p": made[0].by[1:].encode()}


async def test_a_content_is_kept_once_and_as_long_as_a_version_names_it(store, url, name, monkeypatch):
    """Old versions go, and with them what no other version has."""
    monkeypatch.setattr(documents, "VERSIONS_KEPT", 3)
    for number in range(6):
        await store.commit({"p": b"%d" % number, "same": b"always"}, by="a", why="")
    kept = [version.generation for version in await store.versions()]
    assert kept == [6, 5, 4]
    assert await store.version(3) is None
    assert len(keys_of(client_of(url), f"{{doc:{name}}}:part:*")) == 4
    for version in await store.versions():
        assert (await store.content(version))["same"] == b"always"


async def test_contents_in_force_do_not_expire(store, url, name):
    """What was brought is forgotten after an hour only where it was never committed."""
    await store.commit({"p": b"1"}, by="a", why="")
    client = client_of(url)
    assert [client.ttl(key) for key in keys_of(client, f"{{doc:{name}}}:part:*")] == [-1]


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda client, key: client.delete(key), "p: its content is not in the store"),
        (lambda client, key: client.set(key, b"rubbish"), "p: its content in the store cannot be unpacked"),
        (
            lambda client, key: client.set(key, documents.zlib.compress(b"2")),
            "p: its content in the store is not what was brought there",
        ),
        (
            lambda client, key: client.set(key, documents.zlib.compress(b"1" * 10_000_000)),
            "p: its content in the store is not what was brought there",
        ),
    ],
)
async def test_damage_is_noticed(store, url, name, harm, told):
    """A content that is gone, spoilt, another one or without end is never taken for the version's own."""
    made = await store.commit({"p": b"1"}, by="a", why="")
    client = client_of(url)
    (key,) = keys_of(client, f"{{doc:{name}}}:part:*")
    harm(client, key)
    with pytest.raises(Damaged) as caught:
        await store.content(made)
    assert str(caught.value) == told


async def test_a_spoilt_entry_is_no_version(store, url, name):
    """History goes on without it."""
    for number in range(3):
        await store.commit({"p": b"%d" % number}, by="a", why="")
    client_of(url).hset(f"{{doc:{name}}}:versions", "2", '{"by": 1}')
    assert [version.generation for version in await store.versions()] == [3, 1]


async def test_every_version_is_told(store, url, name):
    """On a channel of its own; a listener that has just come is told that it may have missed some."""
    heard: asyncio.Queue[str] = asyncio.Queue()
    task = asyncio.create_task(notices.watch(url, heard.put_nowait, channel=channel_of(name)))
    try:
        async with asyncio.timeout(10):
            assert await heard.get() == ""
            await store.commit({"p": b"1"}, by="a", why="")
            await store.commit({"p": b"2"}, by="a", why="")
            assert [await heard.get(), await heard.get()] == ["1", "2"]
    finally:
        task.cancel()


async def test_a_part_that_is_too_large_is_refused(store, monkeypatch):
    """Before anything is sent."""
    monkeypatch.setattr(documents, "MAX_PART_BYTES", 1 << 20)
    with pytest.raises(ValueError, match="big: expected at most 1 MB"):
        await store.commit({"big": b"x" * ((1 << 20) + 1)}, by="a", why="")
    assert await store.head() == NOTHING


async def test_a_store_that_is_away():
    """Each question says so."""
    async with DocumentStore("redis://127.0.0.1:1/0") as store:
        for ask in (store.head(), store.version(1), store.commit({"p": b""}, by="a", why="")):
            with pytest.raises(StoreUnavailable):
                await ask


def test_the_client_is_the_stores_own():
    """What a cluster needs is one slot: every key of a document carries its tag."""
    assert channel_of("x") != channel_of("y")
    assert redis.crc.key_slot(b"{doc:x}") == redis.crc.key_slot(b"{doc:x}:versions")
