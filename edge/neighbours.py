"""The life of this edge among others on one store (I/O): heartbeats, takeover of calls, recount, change notices.

Nothing is decided here that the store's scripts or the core do not decide: a node that is silent too long is gone, and
whoever asks first takes its calls over.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

from edge.proxy.core import ProxyCore
from edge.proxy.facts import Fact
from edge.silence import BEAT_S, Silence
from limits.account import KINDS, AccountId
from limits.cluster_limiter import ClusterLimiter
from limits.connection import EPOCH_S
from limits.errors import StoreUnavailable
from limits.nodes import Goodbye, NodeRegistry
from limits.notices import watch
from limits.redis_limiter import RedisLimiter

NOTE_S = 0.02
"""Holders this node has its first call of are noted so soon at the latest: what is not noted cannot be adopted.
Goodbyes travel with them."""
REST_S = 0.4
"""Well under the half of the shortest `takeover_s`: a node that was held up must not be mistaken for one that rests."""
HOME_S = 5.0
"""How long a start may take over what an earlier process has left, before it listens."""
AWAY_S = 0.2
"""Between two tries while the store is away."""
NOTICE_S = 2 * EPOCH_S
"""After the store lost its data: by then every node has noticed. Before that there shall be no accounts again, or those
that have not noticed would admit against ceilings where nobody counts."""
RECOUNT_S = 3.0
"""After the store lost its data: how long the other nodes have to take the leases of their calls again."""
HEAR_AGAIN_MS = 10_000
"""Goodbyes are listened to again from so long ago: nobody's word is lost between the store's clock and its memory."""
LOOKS_AGAIN = 4
"""At most, for calls that came again while they were being taken over."""
ADOPT_AT_ONCE = 100
"""Calls taken over by one script, so that the store serves others in between."""


class Neighbours:
    """One for each process. `turn` empties the core's outbox; `stirred` waits, for so many seconds at most, until the
    core has news of holders and BYEs; `closed` hears of attempts without a lease that need no longer be kept."""

    def __init__(
        self,
        url: str,
        *,
        node: str,
        core: ProxyCore,
        limiter: RedisLimiter | ClusterLimiter,
        tell: Callable[[Fact], None],
        turn: Callable[[], None],
        stirred: Callable[[float], Awaitable[bool]],
        closed: Callable[[Iterable[str]], None],
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
        self._stirred = stirred
        self._closed = closed
        self._now = now
        self._takeover_s = takeover_s
        self._lease_ms = lease_ms
        self._live: frozenset[str] = frozenset()
        self._adopted: dict[str, int] = {}
        """Node that is gone -> calls of it taken over so far."""
        self._awake_at = now()
        self._silence = Silence(takeover_s, now())
        self._heard_ms = 0
        """Goodbyes are heard up to this instant of the store's clock."""
        self._unsaid: list[Goodbye] = []
        self._is_home = False
        """Every call the store has under our name is in the core."""

    async def come_home(self) -> None:
        """Before anything is read: every call that an earlier process of ours has left is ours, or has its record. An
        INVITE of such a call, if it comes again, then finds it. Not longer than `HOME_S`; `run` does the rest."""
        with suppress(StoreUnavailable, TimeoutError):
            async with NodeRegistry(self._url) as nodes, asyncio.timeout(HOME_S):
                await self._come_home(nodes)

    async def run(self) -> None:
        """Beats, looks, listens, adopts, until cancelled. A store that is away is waited for: it says so elsewhere."""
        async with NodeRegistry(self._url) as nodes:
            while True:
                try:
                    if not self._is_home:
                        await self._come_home(nodes)
                    await self._beat(nodes)
                    await self._hear(nodes)
                    due = self._silence.beaten_at + BEAT_S
                    while True:
                        await self._note(nodes)
                        await self._pause()
                        left_s = due - self._now()
                        if left_s <= 0:
                            break
                        await self._stirred(min(REST_S, left_s))
                except StoreUnavailable:
                    await self._pause(AWAY_S)

    async def _come_home(self, nodes: NodeRegistry) -> None:
        # What an earlier process had left to settle goes first: those calls have ended.
        await self._limiter.drained(timeout_s=BEAT_S)
        await self._take_over(nodes, self._node)
        await self._close_left(nodes)
        self._is_home = True

    async def listen(self) -> None:
        """Hears of changed accounts, until cancelled."""
        await watch(self._url, self._changed)

    async def recount(self, provision: Callable[[], Awaitable[None]]) -> None:
        """The store has lost its data: values anew, then the leases of every running call, then it is trusted again."""
        self._tell(Fact("store.lost_data", {"calls": self._core.counters.calls_live}))
        if len(self._live) > 1:
            await asyncio.sleep(NOTICE_S)
        while True:
            try:
                await provision()
                break
            except StoreUnavailable:
                await asyncio.sleep(AWAY_S)
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

    async def _pause(self, seconds: float = NOTE_S) -> None:
        await asyncio.sleep(seconds)
        now = self._now()
        if now - self._awake_at > self._takeover_s / 2:
            # Held up so long that others may have taken our calls over: ask, before more is done with them.
            self._changed("")
        self._awake_at = now

    async def _beat(self, nodes: NodeRegistry) -> None:
        beat = await nodes.beat(self._node)
        self._silence.beaten(self._now())
        if self._node not in beat.ages_ms:
            self._core.forget_noted()  # new to the store, or forgotten by it
        ages = {**beat.ages_ms, self._node: 0}
        live = self._silence.live(ages)
        if live != self._live:
            self._live = live
            self._core.nodes_changed(len(live))
            self._tell(Fact("nodes.changed", {"live": " ".join(sorted(live))}))
        for name in sorted(set(ages) - live):
            if await self._take_over(nodes, name):
                await nodes.forget(name)

    async def _hear(self, nodes: NodeRegistry) -> None:
        """BYEs that other nodes have passed on in calls of ours: their route sets go on leading there."""
        heard = await nodes.hear_goodbyes(self._heard_ms)
        self._heard_ms = heard.now_ms - HEAR_AGAIN_MS
        now = self._now()
        for goodbye in heard.goodbyes:
            self._core.heard_goodbye(goodbye.uid, goodbye.tag, now - goodbye.age_ms / 1_000, now)
        if heard.goodbyes:
            self._turn()

    async def _note(self, nodes: NodeRegistry) -> None:
        fresh = self._core.take_noted()
        if fresh:
            try:
                await nodes.note_accounts(self._node, fresh)
            except StoreUnavailable:
                self._core.forget_noted()
                raise
        now = self._now()
        self._unsaid += [Goodbye(uid, tag, round((now - at) * 1_000)) for uid, tag, at in self._core.take_goodbyes()]
        if self._unsaid:
            await nodes.say_goodbyes(self._unsaid)
            self._unsaid.clear()

    async def _take_over(self, nodes: NodeRegistry, gone: str) -> bool:
        """Every call that this node, or an earlier process of ours, has left. One whose INVITE has come again is being
        asked about, and looks like ours; where the store then refuses it for the lease that we have just taken, that is
        nobody's: it is found under our own name. False: it may live, so there is more to be looked at later."""
        is_over = True
        for name in (gone, *[self._node] * LOOKS_AGAIN):
            duplicates = self._core.duplicates
            is_over &= await self._adopt_from(nodes, name)
            await self._limiter.drained(timeout_s=BEAT_S)
            if self._core.duplicates == duplicates:
                break
        return is_over

    async def _adopt_from(self, nodes: NodeRegistry, gone: str) -> bool:
        """Every call of that node, account by account; groups and trunks last, since they follow their calls. False:
        some it has admitted or renewed too lately for one that is gone, and keeps.

        Noted as ours before they are: we may be gone next. Where the store's answer never comes, the calls may be ours
        all the same: then they are found under our own name."""
        holders = await nodes.accounts_of(gone)
        if not holders:
            self._tell_gone(gone, self._adopted.pop(gone, 0))
            return True
        await nodes.note_accounts(self._node, holders)
        self._is_home = False
        is_over = True
        silent_ms = 0 if gone == self._node else round(self._takeover_s * 1_000)
        for holder in sorted(holders, key=lambda name: name.startswith(KINDS)):
            is_more = True
            while is_more:
                keep = self._core.uids() if gone == self._node else ()
                adoption = await nodes.adopt(
                    AccountId(holder),
                    gone=gone,
                    heir=self._node,
                    lease_ms=self._lease_ms,
                    most=ADOPT_AT_ONCE,
                    silent_ms=silent_ms,
                    keep=keep,
                )
                self._core.adopt(holder, gone, adoption.now_ms, adoption.calls, self._now())
                self._turn()
                self._adopted[gone] = self._adopted.get(gone, 0) + len(adoption.calls)
                is_over &= not adoption.is_fresh
                # A node that was started again under its old name goes on finding the calls it has just taken.
                is_more = adoption.more and bool(adoption.calls)
        self._is_home = True
        if is_over:
            self._tell_gone(gone, self._adopted.pop(gone, 0))
        return is_over

    async def _close_left(self, nodes: NodeRegistry) -> None:
        """Attempts that passed without a lease in an earlier process of ours: the store may know of some of them."""
        by_account: dict[str, list[str]] = {}
        for one in self._core.left():
            by_account.setdefault(one.account, []).append(one.uid)
        known: set[str] = set()
        for account, uids in by_account.items():
            if account:
                known |= await nodes.known(AccountId(account), uids)
        over = self._core.close_left(known, self._now())
        self._turn()
        self._closed(over)

    def _tell_gone(self, gone: str, adopted: int) -> None:
        if gone != self._node or adopted:
            self._tell(Fact("node.gone", {"gone": gone, "leases": adopted}))
