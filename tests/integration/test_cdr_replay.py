"""What a crash left between a record and its settlement, on a real store and a real log."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge.cdr import chain, settled
from edge.cdr import replay as replaying
from edge.cdr.backwards import newest_first
from edge.cdr.builder import CdrBuilder
from edge.cdr.replay import replay, settled_to
from edge.cdr.settled import Settled
from edge.cdr.verdicts import Verdicts
from edge.cdr.writer import CdrWriter
from edge.proxy.facts import CallFacts
from limits.account import Account, AccountId
from limits.accounts import AccountStore
from limits.embedded import EmbeddedStore
from limits.model import Admit, Answer, Outcome, Settle, Verb
from limits.nodes import NodeRegistry
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

    def __init__(self, store: AccountStore, url: str) -> None:
        self.limiter: RedisLimiter
        self.store, self.url = store, url
        self.verdicts: Verdicts | None = None

    def deliver(self, verb: Verb, outcome: Outcome) -> None:
        if self.verdicts is not None:
            self.verdicts.heard(verb, outcome)

    async def replay(self, directory: Path, *, known: int | None = None, wall: float = WALL0 + 3_600) -> int:
        """As a start does it after a crash, by default much later; `known`: up to there it had been written down."""
        if known is not None:
            settled.write(directory, Settled(known, 0))
        last_seq = max((entry.seq for entry in newest_first(directory)), default=0)
        self.verdicts = Verdicts(
            directory, node="n1", settled_to=settled_to(directory, last_seq), last_seq=last_seq, tell=lambda fact: None
        )
        self.verdicts.join(self.limiter)
        return await replay(self.limiter, self.verdicts, wall=wall, timeout_s=5)

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
    async with EmbeddedStore(tmp_path / "store") as server, AccountStore(server.url) as store:
        bench = Bench(store, server.url)
        limiter = open_limiter(bench.deliver, server.url, deadline_s=2.0, on_epoch=lambda epoch: None)
        assert isinstance(limiter, RedisLimiter)
        bench.limiter = limiter
        task = asyncio.create_task(limiter.run())
        assert await limiter.connected(timeout_s=5)
        await store.provision([Account(ACME, caps_base=1_000, calls_base=100)], opening={ACME: 1_000_000_000})
        yield bench
        task.cancel()


async def test_a_call_with_a_record_and_a_lease_is_settled_by_the_replay(bench, tmp_path):
    """Charged what its record says, its hold and its lease come back; again and again: nothing more."""
    await bench.ask(*(Admit(ACME, uid, "n1", price=PRICE) for uid in ("a", "b", "running")))
    await bench.ask(*(Answer(ACME, uid) for uid in ("a", "b", "running")))
    write(tmp_path / "cdr", ("a", 30.0), ("b", 90.0))
    charged, held, in_use = await bench.books()
    assert (charged, in_use) == (0, 3)
    for _ in range(3):
        assert await bench.replay(tmp_path / "cdr", known=0) == 4
        assert await bench.books() == (120 * 10_000, held // 3, 1)


async def test_a_call_that_had_been_settled_is_not_charged_again(bench, tmp_path):
    """The crash came after the settlement."""
    await bench.ask(Admit(ACME, "a", "n1", price=PRICE), Answer(ACME, "a"))
    await bench.ask(Settle(ACME, "a", "answered", 30_000))
    write(tmp_path / "cdr", ("a", 30.0))
    assert await bench.replay(tmp_path / "cdr") == 2
    assert await bench.books() == (30 * 10_000, 0, 0)


async def test_a_call_the_store_knows_nothing_of_is_not_charged(bench, tmp_path):
    """Settled so long ago that its tombstone is gone: nobody knows, so nobody pays twice."""
    write(tmp_path / "cdr", ("long-ago", 30.0))
    assert await bench.replay(tmp_path / "cdr") == 2
    assert await bench.books() == (0, 0, 0)


async def test_a_call_without_a_lease_is_charged_while_its_tombstone_would_live(bench, tmp_path):
    """It was let pass while the store was slow, and nobody had settled it: there is no lease to tell of it, but were it
    settled, the store would still know."""
    write(tmp_path / "cdr", ("settled", 30.0), ("not", 50.0))
    await bench.ask(Settle(ACME, "settled", "answered", 30_000, PRICE, by="n1/1"))
    for _ in range(2):
        assert await bench.replay(tmp_path / "cdr", known=0, wall=WALL0 + 60) == 4
        assert await bench.books() == (80 * 10_000, 0, 0)


async def test_all_is_settled_again_that_is_not_known_to_be(bench, tmp_path):
    """However long ago it was, in whatever segment; and nothing else. Then it is known."""
    write(tmp_path / "cdr", *((f"u{number}", 1.0) for number in range(20)))
    assert len(list((tmp_path / "cdr").glob("cdr-*"))) > 1
    assert await bench.replay(tmp_path / "cdr", known=3) == 2 * 17
    assert settled.read(tmp_path / "cdr") == Settled(20, 0)
    assert await bench.replay(tmp_path / "cdr") == 0


async def test_the_record_of_a_call_that_another_node_has_closed_is_void(bench, tmp_path):
    """It was taken over while this node was away; long after a tombstone's life the store still knows who settled it.
    What is charged is what the other record says."""
    await bench.ask(*(Admit(ACME, uid, "n1", price=PRICE) for uid in ("a", "b")))
    await bench.ask(*(Answer(ACME, uid) for uid in ("a", "b")))
    write(tmp_path / "cdr", ("a", 30.0), ("b", 90.0))
    async with NodeRegistry(bench.url) as nodes:
        await nodes.adopt(ACME, gone="n1", heir="n2", lease_ms=30_000)
    await bench.ask(Settle(ACME, "a", "answered", 40_000, PRICE, by="n2/5"))

    assert await bench.replay(tmp_path / "cdr", known=0) == 4

    assert await bench.books() == ((40 + 90) * 10_000, 0, 0)
    assert settled.read(tmp_path / "cdr") == Settled(2, 1)
    assert chain.load(tmp_path / "cdr").void() == {1}


def uids(directory: Path) -> list[str]:
    """What is settled again of a log of an older edge."""
    known = settled_to(directory, 10**6)
    return [str(entry.record["uid"]) for entry in reversed(list(newest_first(directory))) if entry.seq > known]


def test_only_the_last_minute_of_an_older_log_is_looked_at(tmp_path):
    """Over segments; older ones have been settled, or wait in a file of their own."""
    write(tmp_path, ("old", 1.0), ended=0.0)
    write(tmp_path, ("edge", 1.0), ended=40.0)
    write(tmp_path, ("a", 1.0), ("b", 1.0), ("c", 1.0), ended=100.0)
    assert len(list(tmp_path.glob("cdr-*"))) > 1
    assert uids(tmp_path) == ["edge", "a", "b", "c"]


def test_a_long_log_of_an_older_edge_is_looked_at_within_bounds(tmp_path, monkeypatch):
    """So many records from its end."""
    write(tmp_path, *((f"u{number}", 1.0) for number in range(20)))
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
    assert settled_to(tmp_path / "cdr", 0) == 0
