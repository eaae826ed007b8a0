"""A master behind Sentinel dies: its replica goes on, and so do the calls."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from servers import Servers, binary_of, wait_until

from limits import Account, Admit, Admitted, Outcome, Renew, Renewed, Settle, Settled, Unavailable, Verb
from limits.accounts import AccountStore
from limits.journal import SettlementJournal
from limits.open_limiter import open_limiter
from limits.redis_limiter import RedisLimiter


class Pair:
    """A master, its replica, and a sentinel that alone decides."""

    def __init__(self, servers: Servers) -> None:
        self.servers = servers
        binary = binary_of("redis")
        self.master = servers.on_port(binary)
        self.replica = servers.on_port(binary, "--replicaof", "127.0.0.1", str(self.master))
        replica = redis.Redis(port=self.replica)
        wait_until(lambda: replica.info("replication")["master_link_status"] == "up", "the replica follows")
        self.sentinel = servers.sentinel(binary, self.master, down_after_ms=500)
        told = redis.Redis(port=self.sentinel, decode_responses=True)
        wait_until(lambda: told.execute_command("SENTINEL", "REPLICAS", "main"), "the sentinel knows the replica")
        self.url = f"redis+sentinel://127.0.0.1:{self.sentinel}/main"

    def kill_master(self) -> None:
        """At once, without a word."""
        self.servers.processes[self.master].kill()
        self.servers.processes[self.master].wait(timeout=10)


@pytest.fixture
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with Servers(tmp_path_factory.mktemp("sentinel")) as servers:
        yield Pair(servers)


async def test_a_failover_loses_no_call_and_no_settlement(pair, tmp_path: Path, running):
    """Unavailable while nobody is master; then leases stand or are taken again by renewals, what was owed is settled,
    the epoch is the same, and the ceiling counts both calls."""
    answers: list[tuple[Verb, Outcome]] = []
    epochs: list[str] = []
    came = asyncio.Event()

    def deliver(verb: Verb, outcome: Outcome) -> None:
        answers.append((verb, outcome))
        came.set()

    limiter = open_limiter(
        deliver,
        pair.url,
        deadline_s=1,
        journal=tmp_path,
        on_epoch=epochs.append,
    )
    assert isinstance(limiter, RedisLimiter)

    async def ask(verb: Verb) -> Outcome:
        answers.clear()
        came.clear()
        limiter.submit(verb)
        limiter.flush()
        async with asyncio.timeout(5):
            await came.wait()
        return answers[0][1]

    async with AccountStore(pair.url) as store:
        await store.provision([Account("acme", caps_base=1000, calls_base=3)])
        async with running(limiter):
            assert isinstance(await ask(Admit("acme", "u1", "n")), Admitted)
            assert isinstance(await ask(Admit("acme", "u2", "n")), Admitted)
            replica = redis.Redis(port=pair.replica, decode_responses=True)
            wait_until(lambda: replica.zcard("{acct:acme}:leases") == 2, "the replica has both leases")

            pair.kill_master()
            assert isinstance(await ask(Settle("acme", "u1", "answered", 5_000)), Unavailable)
            assert await limiter.connected(timeout_s=20)
            outcome = await ask(Renew("acme", ("u2",), "n"))
            assert isinstance(outcome, Renewed)
            assert outcome.ended == ()
            assert await limiter.drained(timeout_s=5)

            third, fourth = await ask(Admit("acme", "u3", "n")), await ask(Admit("acme", "u4", "n"))
            assert (isinstance(third, Admitted), isinstance(fourth, Admitted)) == (True, True)
            assert not isinstance(await ask(Admit("acme", "u5", "n")), Admitted)
            assert (epochs, limiter.reconnects, limiter.queued_settles) == ([], 1, 0)
        usage = await store.peek("acme")
        assert (usage.in_use, dict(usage.counters)["settled_answered"]) == (3, 1)
        for uid in ("u2", "u3", "u4"):
            assert uid in [call.uid for call in usage.calls]


async def test_without_a_master_the_sentinels_are_named(tmp_path, running):
    """Nobody there: away, and the fault says whom we asked, without a password."""
    limiter = open_limiter(lambda verb, outcome: None, "redis+sentinel://:pw@127.0.0.1:1/main?sentinel_password=sp")
    async with running(limiter, connects=False):
        assert not await limiter.connected(timeout_s=0.5)
        assert limiter.last_fault == "redis+sentinel://127.0.0.1:1/main: no sentinel names a master that lives"


def test_a_settlement_knows_its_file(tmp_path):
    """Standalone and Sentinel keep one file; the name is the same for the next process."""
    journal = SettlementJournal(tmp_path)
    journal.keep(Settle("a", "u", "failed", 0), is_maybe_applied=False)
    assert [path.name for path in tmp_path.iterdir()] == ["settlements.jsonl"]
    assert isinstance(Settled(False, 0), Settled)
