"""What a crash left between a record and its settlement, on a real store and a real log."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge.cdr import replay as replaying
from edge.cdr.builder import CdrBuilder
from edge.cdr.replay import MARK, mark_settled, replay, unsettled
from edge.cdr.writer import CdrWriter
from edge.proxy.facts import CallFacts
from limits.account import Account, AccountId
from limits.accounts import AccountStore
from limits.embedded import EmbeddedStore
from limits.model import Admit, Answer, Outcome, Settle, Verb
from limits.open_limiter import open_limiter
from limits.rates import Price
from limits.redis_limiter import RedisLimiter

WALL0 = 1_782_900_000.0
PRICE = Price(0, 600_000, 1, 1, 0)
"""A cent a second."""
ACME = AccountId("acme")


def write(directory: Path, *calls: tuple[str, float], ended: float = 0.0) -> None:
    """Records of answered calls: (uid, seconds of talk)."""
    writer = CdrWriter(directory, wall0=WALL0, mono0=0.0, tell=lambda fact: None, segment_bytes=4_000)
    builder = CdrBuilder("n1", wall0=WALL0, mono0=0.0)
    for uid, seconds in calls:
        facts = CallFacts(uid, ended)
        facts.account, facts.price, facts.egress_trunk = "acme", PRICE, "out"
        facts.sent_at = facts.received_at
        facts.answered_at, facts.released_at = ended, ended + seconds
        writer.append(builder.line(facts, writer.take_seq()))
        writer.flush(0.0)
    writer.close(0.0)


class Bench:
    """A limiter on an embedded store."""

    def __init__(self, limiter: RedisLimiter, store: AccountStore) -> None:
        self.limiter, self.store = limiter, store

    async def ask(self, *verbs: Verb) -> None:
        for verb in verbs:
            self.limiter.submit(verb)
        self.limiter.flush()
        assert await self.limiter.drained(timeout_s=5)

    async def books(self) -> tuple[int, int, int]:
        """(charged, held, calls in use) of acme."""
        usage = await self.store.peek(ACME)
        return 1_000_000_000 - usage.balance_micros, usage.held_micros, usage.in_use


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    def ignore(verb: Verb, outcome: Outcome) -> None:
        pass

    async with EmbeddedStore(tmp_path / "store") as server:
        limiter = open_limiter(ignore, server.url, deadline_s=2.0, journal=None, on_epoch=lambda epoch: None)
        assert isinstance(limiter, RedisLimiter)
        task = asyncio.create_task(limiter.run())
        assert await limiter.connected(timeout_s=5)
        async with AccountStore(server.url) as store:
            await store.provision([Account(ACME, caps_base=1_000, calls_base=100)], opening={ACME: 1_000_000_000})
            yield Bench(limiter, store)
        task.cancel()


async def test_a_call_with_a_record_and_a_lease_is_settled_by_the_replay(bench, tmp_path):
    """Charged what its record says, its hold and its lease come back; again and again: nothing more."""
    await bench.ask(*(Admit(ACME, uid, "n1", price=PRICE) for uid in ("a", "b", "running")))
    await bench.ask(*(Answer(ACME, uid) for uid in ("a", "b", "running")))
    write(tmp_path / "cdr", ("a", 30.0), ("b", 90.0))
    charged, held, in_use = await bench.books()
    assert (charged, in_use) == (0, 3)
    for _ in range(3):
        assert await replay(bench.limiter, tmp_path / "cdr", timeout_s=5) == 4
        assert await bench.books() == (120 * 10_000, held // 3, 1)


async def test_a_call_that_had_been_settled_is_not_charged_again(bench, tmp_path):
    """The crash came after the settlement."""
    await bench.ask(Admit(ACME, "a", "n1", price=PRICE), Answer(ACME, "a"))
    await bench.ask(Settle(ACME, "a", "answered", 30_000))
    write(tmp_path / "cdr", ("a", 30.0))
    assert await replay(bench.limiter, tmp_path / "cdr", timeout_s=5) == 2
    assert await bench.books() == (30 * 10_000, 0, 0)


async def test_a_call_the_store_knows_nothing_of_is_not_charged(bench, tmp_path):
    """Settled so long ago that its tombstone is gone: nobody knows, so nobody pays twice."""
    write(tmp_path / "cdr", ("long-ago", 30.0))
    assert await replay(bench.limiter, tmp_path / "cdr", timeout_s=5) == 2
    assert await bench.books() == (0, 0, 0)


def uids(directory: Path) -> list[str]:
    return [settle.uid for settle in unsettled(directory) if settle.account == "acme"]


def test_only_the_last_minute_of_the_log_is_looked_at(tmp_path):
    """Over segments; older ones have been settled, or wait in a file of their own."""
    write(tmp_path, ("old", 1.0), ended=0.0)
    write(tmp_path, ("edge", 1.0), ended=40.0)
    write(tmp_path, ("a", 1.0), ("b", 1.0), ("c", 1.0), ended=100.0)
    assert len(list(tmp_path.glob("cdr-*"))) > 1
    assert uids(tmp_path) == ["edge", "a", "b", "c"]


def test_after_a_stop_in_order_nothing_is_settled_again(tmp_path):
    """The mark says how far the store has answered."""
    write(tmp_path, ("a", 1.0), ("b", 1.0))
    mark_settled(tmp_path, 2)
    assert uids(tmp_path) == []
    write(tmp_path, ("c", 1.0))
    assert uids(tmp_path) == ["c"]
    (tmp_path / MARK).write_bytes(b"rubbish")
    assert uids(tmp_path) == ["a", "b", "c"]


def test_a_long_log_is_looked_at_within_bounds(tmp_path, monkeypatch):
    """So many bytes from its end, whole lines only."""
    write(tmp_path, *((f"u{number}", 1.0) for number in range(20)))
    monkeypatch.setattr(replaying, "MOST_BYTES", 5_000)
    found = uids(tmp_path)
    assert 0 < len(found) < 5
    assert found == [f"u{number}" for number in range(20 - len(found), 20)]
    monkeypatch.setattr(replaying, "MOST", 2)
    assert uids(tmp_path) == ["u18", "u19"]


def test_damaged_lines_are_passed_by(tmp_path):
    """And a torn tail."""
    write(tmp_path, ("a", 1.0), ("b", 1.0))
    (path,) = tmp_path.glob("cdr-*")
    path.write_bytes(path.read_bytes().replace(b'"uid":"a"', b'"uid":"x"') + b'{"v":1')
    assert uids(tmp_path) == ["b"]


def test_no_log_has_nothing_to_settle(tmp_path):
    """A first start."""
    assert unsettled(tmp_path / "cdr") == []
