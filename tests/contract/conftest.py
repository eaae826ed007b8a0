"""Real servers for the contract suite, and one bench for every implementation: ask, age, look."""

import asyncio
import itertools
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Protocol

import pytest
import redis

from limits import Account, AccountId, MemoryLimiter, Outcome, Renew, Usage, Verb
from limits.accounts import AccountStore
from limits.embedded import find_binary
from limits.fields import Patch
from limits.keys import account_keys
from limits.model import Adopted
from limits.nodes import NodeRegistry
from limits.redis_limiter import RedisLimiter

AGE = (Path(__file__).parent / "age.lua").read_text()

_numbers = itertools.count()


class Bench(Protocol):
    """One limiter under test, with two nodes that use it."""

    async def ask(self, *verbs: Verb, through: int = 0) -> list[Outcome]: ...

    async def age(self, account: AccountId, ms: int) -> None: ...

    async def provision(self, *accounts: Account, opening: int = 0) -> None: ...

    async def change(
        self, account: AccountId, *, generation: int, patch: Patch, for_ms: int | None = None
    ) -> Account: ...

    async def top_up(self, account: AccountId, *, amount: int, reference: str) -> tuple[int, bool]: ...

    async def adopt(self, account: AccountId, *, gone: str, heir: str, most: int = 100) -> list[Adopted]: ...

    async def peek(self, account: AccountId) -> Usage | None: ...


class MemoryBench:
    """The specification."""

    def __init__(self) -> None:
        self.now = 1_700_000_000_000
        self.answers: list[tuple[Verb, Outcome]] = []
        self.limiter = MemoryLimiter(lambda verb, outcome: self.answers.append((verb, outcome)), lambda: self.now)

    async def ask(self, *verbs: Verb, through: int = 0) -> list[Outcome]:
        self.answers.clear()
        for verb in verbs:
            self.limiter.submit(verb)
        assert self.answers == []
        self.limiter.flush()
        assert [verb for verb, _ in self.answers] == list(verbs)
        return [outcome for _, outcome in self.answers]

    async def age(self, account: AccountId, ms: int) -> None:
        self.now += ms

    async def provision(self, *accounts: Account, opening: int = 0) -> None:
        self.limiter.provision(accounts, opening={account.id: opening for account in accounts})

    async def change(self, account: AccountId, *, generation: int, patch: Patch, for_ms: int | None = None) -> Account:
        until_ms = None if for_ms is None else self.now + for_ms
        return self.limiter.change(account, generation=generation, patch=patch, until_ms=until_ms)

    async def top_up(self, account: AccountId, *, amount: int, reference: str) -> tuple[int, bool]:
        return self.limiter.top_up(account, amount=amount, reference=reference)

    async def adopt(self, account: AccountId, *, gone: str, heir: str, most: int = 100) -> list[Adopted]:
        return self.limiter.adopt(account, gone=gone, heir=heir, lease_ms=30_000, most=most)

    async def peek(self, account: AccountId) -> Usage | None:
        return await self.limiter.peek(account)


class RedisBench:
    """The same over a real server: two limiters on two connections, as two nodes have them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: list[tuple[Verb, Outcome]] = []
        self.answered = asyncio.Event()
        self.nodes = [RedisLimiter(self._deliver, url, deadline_s=5) for _ in range(2)]

    def _deliver(self, verb: Verb, outcome: Outcome) -> None:
        self.answers.append((verb, outcome))
        self.answered.set()

    async def ask(self, *verbs: Verb, through: int = 0) -> list[Outcome]:
        self.answers.clear()
        node = self.nodes[through]
        for verb in verbs:
            node.submit(verb)
        node.flush()
        async with asyncio.timeout(10):
            while len(self.answers) < len(verbs):
                self.answered.clear()
                await self.answered.wait()
        # Renewals take turns, so they may be answered after what was asked behind them; all else keeps its order.
        told = [verb for verb, _ in self.answers]
        assert [v for v in told if type(v) is not Renew] == [v for v in verbs if type(v) is not Renew]
        outcomes = []
        for verb in verbs:
            index = next(at for at, (asked, _) in enumerate(self.answers) if asked is verb)
            outcomes.append(self.answers.pop(index)[1])
        return outcomes

    async def age(self, account: AccountId, ms: int) -> None:
        names = account_keys(account)
        with redis.Redis.from_url(self.url, decode_responses=True) as client:
            done = client.keys(f"{names.done_prefix}*")
            keys = (names.account, names.leases, names.calls, names.expired, names.reverts, *done)
            client.eval(AGE, len(keys), *keys, str(ms))
        for node in self.nodes:
            node.forget("")

    async def provision(self, *accounts: Account, opening: int = 0) -> None:
        async with AccountStore(self.url) as store:
            await store.provision(accounts, opening={account.id: opening for account in accounts})

    async def change(self, account: AccountId, *, generation: int, patch: Patch, for_ms: int | None = None) -> Account:
        with redis.Redis.from_url(self.url) as client:
            seconds, micros = client.time()
        until_ms = None if for_ms is None else seconds * 1_000 + micros // 1_000 + for_ms
        async with AccountStore(self.url) as store:
            change = {"generation": generation, "patch": patch, "by": "test", "why": "contract"}
            return await store.change(account, **change, until_ms=until_ms)

    async def top_up(self, account: AccountId, *, amount: int, reference: str) -> tuple[int, bool]:
        async with AccountStore(self.url) as store:
            return await store.top_up(account, amount=amount, reference=reference, by="test")

    async def adopt(self, account: AccountId, *, gone: str, heir: str, most: int = 100) -> list[Adopted]:
        async with NodeRegistry(self.url) as nodes:
            return list((await nodes.adopt(account, gone=gone, heir=heir, lease_ms=30_000, most=most)).calls)

    async def peek(self, account: AccountId) -> Usage | None:
        return await self.nodes[0].peek(account)


@pytest.fixture(scope="session")
def server_urls() -> Iterator[dict[str, str]]:
    """A Valkey out of the wheel and the Redis of the system, both on unix sockets; ended by their process ids."""
    system = shutil.which("redis-server")
    assert system is not None, "the contract suite needs redis-server on PATH: apt-get install redis-server"
    urls: dict[str, str] = {}
    processes: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryDirectory(prefix="limits-", ignore_cleanup_errors=True) as folder:
        for name, binary in (("valkey", str(find_binary())), ("redis", system)):
            home = Path(folder) / name
            home.mkdir()
            words = ["--port", "0", "--unixsocket", str(home / "s"), "--dir", str(home), "--save", ""]
            processes.append(subprocess.Popen([binary, *words], stdout=subprocess.DEVNULL))
            urls[name] = f"unix://{home / 's'}"
        for url in urls.values():
            _wait_until_it_answers(url)
        yield urls
        for process in processes:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=10)


def _wait_until_it_answers(url: str) -> None:
    deadline = time.monotonic() + 10
    with redis.Redis.from_url(url) as client:
        while time.monotonic() < deadline:
            with suppress(redis.ConnectionError):
                if client.ping():
                    return
    raise AssertionError(f"{url} does not answer")


@pytest.fixture(params=["memory", "valkey", "redis"])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    """Every test that takes it runs over the specification and over both servers."""
    if request.param == "memory":
        yield MemoryBench()
        return
    made = RedisBench(request.getfixturevalue("server_urls")[request.param])
    async with running(*made.nodes):
        yield made


class running:
    """`async with running(limiter)`: its coroutine runs, and it is connected (if there is a store at all)."""

    def __init__(self, *limiters: RedisLimiter, connects: bool = True) -> None:
        self._limiters = limiters
        self._connects = connects
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> None:
        for limiter in self._limiters:
            task = asyncio.create_task(limiter.run())
            self._stack.push_async_callback(_end, task)
            if self._connects:
                assert await limiter.connected(timeout_s=5), limiter.last_fault

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@pytest.fixture(name="running")
def _running() -> type[running]:
    """The context manager, for tests that make limiters of their own."""
    return running


@pytest.fixture
def account_id() -> AccountId:
    """A name no other test uses."""
    return AccountId(f"acc{next(_numbers):04}")
