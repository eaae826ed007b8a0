"""Keeps a connection to one store, for ever: finds it, opens it, waits until it is lost, pauses, begins again. I/O."""

import asyncio
import random
from collections.abc import Awaitable, Callable

from limits.address import StoreAddress
from limits.errors import StoreUnavailable
from limits.link import StoreLink, open_link

BACKOFF_S = (0.05, 2.0)
"""First and longest pause between two attempts to connect; doubles in between, with jitter."""

EPOCH_S = 1.0
"""Seconds between two looks whether the store has lost its data under a connection that stands."""

Find = Callable[[], Awaitable[StoreAddress]]
"""Where is the store just now? Raises StoreUnavailable."""


def always(address: StoreAddress) -> Find:
    """At one place."""

    async def stay() -> StoreAddress:
        return address

    return stay


class Connection:
    """Of one limiter, which is told of each link by `on_up`, and of its end by the link itself."""

    __slots__ = (
        "_find",
        "_on_fault",
        "_on_lost",
        "_on_read",
        "_on_reply",
        "_on_tick",
        "_on_up",
        "is_proven",
        "reconnects",
    )

    def __init__(
        self,
        find: Find,
        *,
        on_up: Callable[[StoreLink], None],
        on_reply: Callable[[object], None],
        on_read: Callable[[], None],
        on_lost: Callable[[str], None],
        on_fault: Callable[[str], None],
        on_tick: Callable[[], None],
    ) -> None:
        """`on_fault`: why there is no connection; `on_tick`: each EPOCH_S of one that stands."""
        self._find = find
        self._on_up = on_up
        self._on_reply = on_reply
        self._on_read = on_read
        self._on_lost = on_lost
        self._on_fault = on_fault
        self._on_tick = on_tick
        self.reconnects = 0
        self.is_proven = False
        """This link has answered a verb: the next back-off starts small again."""

    async def run(self, epoch_key: Callable[[], str]) -> None:
        """Until cancelled."""
        pause, longest = BACKOFF_S
        connected = 0
        while True:
            try:
                address = await self._find()
                link = await open_link(
                    address,
                    epoch_key=epoch_key(),
                    on_reply=self._on_reply,
                    on_read=self._on_read,
                    on_lost=self._on_lost,
                )
            except StoreUnavailable as fault:
                self._on_fault(str(fault))
            else:
                if not link.lost.is_set():
                    self.reconnects += connected > 0
                    connected += 1
                    self.is_proven = False
                    self._on_up(link)
                await self._until_lost(link)
                if self.is_proven:
                    pause = BACKOFF_S[0]
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, longest)

    async def _until_lost(self, link: StoreLink) -> None:
        while True:
            try:
                async with asyncio.timeout(EPOCH_S):
                    await link.lost.wait()
                return
            except TimeoutError:
                self._on_tick()
