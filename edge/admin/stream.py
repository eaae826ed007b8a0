"""What happens now, for whoever looks on (I/O): the nodes are asked once a second for all of them together, and not at
all while nobody looks.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine

from pydantic import BaseModel

from edge.admin.overview import account_now, overview_of
from edge.admin.problems import Refusal
from edge.admin.shapes.overview import Overview
from edge.control.client import Control, NodeState
from limits.account import AccountId
from limits.accounts import AccountStore
from limits.alerts import AlertStore
from limits.errors import StoreUnavailable, UnknownAccount

TURN_S = 1.0
FRESH_S = 0.9
"""What was heard so lately is not asked for again."""
WATCHERS = 100
"""Streams at one time."""
STREAM_S = 900.0
"""Life of a stream: a browser then asks again, and is asked again who it is."""
RETRY_MS = 2_000


class Live:
    """One for each admin process."""

    def __init__(
        self, control: Control, accounts: AccountStore, alerts: AlertStore, wall_ms: Callable[[], int]
    ) -> None:
        self._control = control
        self._alerts = alerts
        self._accounts = accounts
        self._wall_ms = wall_ms
        self._asking = asyncio.Lock()
        self._heard_at = float("-inf")
        self._nodes: tuple[NodeState, ...] = ()
        self._picture: Overview | None = None
        self._watchers = 0

    async def overview(self) -> Overview:
        """All nodes, of this second. Raises StoreUnavailable."""
        await self._hear()
        if self._picture is None:
            self._picture = overview_of(self._nodes, self._wall_ms(), await self._alerts.states())
        return self._picture

    async def _hear(self) -> None:
        async with self._asking:
            now = asyncio.get_running_loop().time()
            if now - self._heard_at >= FRESH_S:
                self._nodes = await self._control.list_nodes()
                self._heard_at = now
                self._picture = None

    def watch(self) -> AsyncIterator[bytes]:
        """Server-sent events: `overview` once a second, `away` where the store does not answer. Raises Refusal."""
        return self._stream("overview", self.overview)

    def watch_account(self, account: AccountId) -> AsyncIterator[bytes]:
        """The same of one account: `account`. Raises Refusal."""

        async def now() -> BaseModel:
            await self._hear()
            return account_now(await self._accounts.peek(account), self._nodes)

        return self._stream("account", now)

    def _stream(self, name: str, look: Callable[[], Coroutine[None, None, BaseModel]]) -> AsyncIterator[bytes]:
        if self._watchers >= WATCHERS:
            raise Refusal("busy", f"{WATCHERS} streams run already", headers={"Retry-After": "5"})
        return self._events(name, look)

    async def _events(self, name: str, look: Callable[[], Coroutine[None, None, BaseModel]]) -> AsyncIterator[bytes]:
        self._watchers += 1
        loop = asyncio.get_running_loop()
        until = loop.time() + STREAM_S
        due = loop.time()
        try:
            yield b"retry: %d\n\n" % RETRY_MS
            while loop.time() < until:
                yield await _event(name, look)
                due = max(due + TURN_S, loop.time() + TURN_S / 2)
                await asyncio.sleep(due - loop.time())
        finally:
            self._watchers -= 1


async def _event(name: str, look: Callable[[], Coroutine[None, None, BaseModel]]) -> bytes:
    try:
        found = await look()
    except StoreUnavailable:
        return b"event: away\ndata: {}\n\n"
    except UnknownAccount:
        return b"event: gone\ndata: {}\n\n"
    return b"event: %s\ndata: %s\n\n" % (name.encode(), found.model_dump_json().encode())
