"""Boxes of letters, what nodes show, and the journal: over every kind of store."""

import itertools

import pytest

from limits.errors import StoreUnavailable
from limits.keys import JOURNAL, answer_box_key
from limits.mailboxes import Mailboxes, box_of

_numbers = itertools.count()
NOT_UTF8 = bytes(range(256))


@pytest.fixture(params=["valkey", "redis", "redis62", "cluster"])
async def boxes(request):
    """One client, on each store."""
    async with Mailboxes(request.getfixturevalue("server_urls")[request.param]) as boxes:
        yield boxes


@pytest.fixture
def box() -> str:
    """A box no other test uses."""
    return answer_box_key(f"{next(_numbers):x}")


async def test_letters_come_out_as_they_went_in_and_once(boxes, box):
    """In their order, any bytes, with the time that is left to them."""
    assert await boxes.post(box, [b"one", NOT_UTF8, b"three"], most=10, life_ms=60_000) == 3
    first = await boxes.take(box, wait_s=1)
    rest = await boxes.take(box, wait_s=1, most=9)
    assert [letter.data for letter in (*first, *rest)] == [b"one", NOT_UTF8, b"three"]
    assert all(50_000 < letter.left_ms <= 60_000 for letter in (*first, *rest))
    assert await boxes.take(box, wait_s=0.01) == []


async def test_a_full_box_takes_no_more(boxes, box):
    """The first ones fit; nobody's letter is pushed out."""
    assert await boxes.post(box, [b"1", b"2", b"3"], most=2, life_ms=60_000) == 2
    assert await boxes.post(box, [b"4"], most=2, life_ms=60_000) == 0
    assert [letter.data for letter in await boxes.take(box, wait_s=1, most=9)] == [b"1", b"2"]


async def test_a_box_that_nobody_empties_is_gone(boxes, box):
    """With its last letter."""
    await boxes.post(box, [b"1"], most=2, life_ms=60_000)
    assert 50_000 < await boxes._redis.pttl(box) <= 60_000
    assert await boxes.take(box, wait_s=1)
    assert await boxes._redis.exists(box) == 0


async def test_a_letter_knows_that_it_has_run_out(boxes, box):
    """Its time counts by the store's clock."""
    await boxes._redis.rpush(box, b"5 late", b"by hand", b"99x9 by hand", b"9" * 30 + b" by hand")
    (letter,) = await boxes.take(box, wait_s=1, most=9)
    assert (letter.data, letter.left_ms < 0) == (b"late", True)


async def test_a_node_shows_itself_for_a_while(boxes):
    """And no other node."""
    node = f"n{next(_numbers)}"
    assert await boxes.shown(node) is None
    await boxes.show(node, NOT_UTF8, life_ms=60_000)
    assert (await boxes.shown(node), await boxes.shown(node + "0")) == (NOT_UTF8, None)


async def test_the_journal_has_the_newest_first(boxes):
    """With the store's instants; what somebody put there by hand is passed by."""
    await boxes._redis.delete(JOURNAL)
    for entry in (b"one", b"two", b"three"):
        await boxes.enter(entry)
    await boxes._redis.xadd(JOURNAL, {"hand": "made"})
    found = await boxes.entries(last=3)
    assert [entry.data for entry in found] == [b"three", b"two"]
    assert found[0].at_ms >= found[1].at_ms > 1_700_000_000_000


async def test_a_store_that_is_away_is_named(tmp_path):
    """Whatever is asked of it."""
    async with Mailboxes(f"unix://{tmp_path}/none.sock") as boxes:
        asks = [
            lambda: boxes.post("b", [b"1"], most=1, life_ms=1),
            lambda: boxes.take("b", wait_s=1),
            lambda: boxes.show("n", b"", life_ms=1),
            lambda: boxes.shown("n"),
            lambda: boxes.enter(b""),
            lambda: boxes.entries(last=1),
        ]
        for ask in asks:
            with pytest.raises(StoreUnavailable):
                await ask()


def test_every_node_has_a_box_of_its_own():
    """And none looks like an account's key."""
    assert len({box_of("a"), box_of("b"), box_of("")}) == 3
