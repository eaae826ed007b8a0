"""The life of this edge among others on one store (I/O): heartbeats, takeover of calls, recount, change notices.

Nothing is decided here that the store's scripts or the core do not decide: a node that is silent too long is gone, and
whoever asks first takes its calls over.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from edge.proxy.core import ProxyCore
from edge.proxy.facts import Fact
from limits.account import AccountId
from limits.errors import StoreUnavailable
from limits.model import GROUP, TRUNK
from limits.nodes import NodeRegistry
from limits.notices import watch
from limits.redis_limiter import RedisLimiter

BEAT_S = 1.0
NOTE_S = 0.2
"""Holders this node has its first call of are noted at least this often: what is not noted cannot be adopted."""
RECOUNT_S = 3.0
"""After the store lost its data: how long the other nodes have to take the leases of their calls again."""
ADOPT_AT_ONCE = 100
"""Calls taken over by one script, so that the store serves others in between."""


class Neighbours:
    """One for each process. `turn` empties the core's outbox."""

    def __init__(
        self,
        url: str,
        *,
        node: str,
        core: ProxyCore,
        limiter: RedisLimiter,
        tell: Callable[[Fact], None],
        turn: Callable[[], None],
        now: Callable[[], float],
        takeover_s: float,
        lease_ms: int,
    ) -> None:
        self._url = url
        self._node = node
        self._core = core
        self._limiter = limiter
        self._tell = tell
        self._turn = turn
        self._now = now
        self._takeover_ms = round(takeover_s * 1_000)
        self._lease_ms = lease_ms
        self._live: frozenset[str] = frozenset()
        self._beaten_at = now()

    async def run(self) -> None:
        """Beats, looks, adopts, until cancelled. A store that is away is waited for: it says so elsewhere."""
        async with NodeRegistry(self._url) as nodes:
            with suppress(StoreUnavailable):
                await self._adopt_from(nodes, self._node)
            while True:
                try:
                    await self._beat(nodes)
                    for _ in range(round(BEAT_S / NOTE_S)):
                        await self._note(nodes)
                        await asyncio.sleep(NOTE_S)
                except StoreUnavailable:
                    await asyncio.sleep(NOTE_S)

    async def listen(self) -> None:
        """Hears of changed accounts, until cancelled."""
        await watch(self._url, self._changed)

    async def recount(self, provision: Callable[[], Awaitable[None]]) -> None:
        """The store has lost its data: values anew, then the leases of every running call, then it is trusted again."""
        self._tell(Fact("store.lost_data", {"calls": self._core.counters.calls_live}))
        while True:
            try:
                await provision()
                break
            except StoreUnavailable:
                await asyncio.sleep(NOTE_S)
        self._core.forget_noted()
        self._changed("")
        if len(self._live) > 1:
            await asyncio.sleep(RECOUNT_S)
        await self._limiter.drained(timeout_s=RECOUNT_S)
        self._limiter.trust()
        self._tell(Fact("store.recounted", {"leases": self._core.leases}))

    def _changed(self, holder: str) -> None:
        self._limiter.forget(holder)
        self._core.account_changed(holder, self._now())
        self._turn()

    async def _beat(self, nodes: NodeRegistry) -> None:
        began = self._now()
        if began - self._beaten_at > self._takeover_ms / 1_000:
            # Held up so long that others may have taken our calls over: ask, before more is done with them.
            self._changed("")
        beat = await nodes.beat(self._node)
        self._beaten_at = self._now()
        if self._node not in beat.ages_ms:
            self._core.forget_noted()  # new to the store, or forgotten by it
        ages = {**beat.ages_ms, self._node: 0}
        live = frozenset(name for name, age in ages.items() if age < self._takeover_ms)
        if live != self._live:
            self._live = live
            self._core.nodes_changed(len(live))
            self._tell(Fact("nodes.changed", {"live": " ".join(sorted(live))}))
        for name in sorted(set(ages) - live):
            await self._adopt_from(nodes, name)
            await nodes.forget(name)

    async def _note(self, nodes: NodeRegistry) -> None:
        fresh = self._core.take_noted()
        if fresh:
            try:
                await nodes.note_accounts(self._node, fresh)
            except StoreUnavailable:
                self._core.forget_noted()
                raise

    async def _adopt_from(self, nodes: NodeRegistry, gone: str) -> None:
        """Every call of that node, account by account; groups and trunks last, since they follow their calls."""
        holders = await nodes.accounts_of(gone)
        adopted = 0
        for holder in sorted(holders, key=lambda name: name.startswith((GROUP, TRUNK))):
            is_more = True
            while is_more:
                keep = self._core.uids() if gone == self._node else ()
                adoption = await nodes.adopt(
                    AccountId(holder),
                    gone=gone,
                    heir=self._node,
                    lease_ms=self._lease_ms,
                    most=ADOPT_AT_ONCE,
                    keep=keep,
                )
                self._core.adopt(holder, gone, adoption.now_ms, adoption.calls, self._now())
                self._turn()
                adopted += len(adoption.calls)
                # A node that was started again under its old name goes on finding the calls it has just taken.
                is_more = adoption.more and bool(adoption.calls)
        if gone != self._node or adopted:
            self._tell(Fact("node.gone", {"gone": gone, "leases": adopted}))
