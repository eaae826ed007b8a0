"""The orders of trunks in the store, as this node has them: looked at when it starts, on a notice, now and then (I/O).

A store that is away, or has lost its data, takes no order back: what was in force stays in force until the store says
something else.
"""

import asyncio
from collections.abc import Callable

from edge.config.trunk_orders import DOCUMENT, Orders
from edge.proxy.facts import Fact
from edge.trunks.ordering import in_force
from limits import notices
from limits.documents import NOTHING, Damaged, DocumentStore
from limits.errors import StoreUnavailable

CHECK_S = 5.0


class OrderFollower:
    """One for each process."""

    def __init__(self, url: str, *, take: Callable[[Orders], None], tell: Callable[[Fact], None]) -> None:
        """`take`: brings the orders into force here."""
        self._url = url
        self._take = take
        self._tell = tell
        self._due = asyncio.Event()
        self._head = NOTHING
        self._why = ""

    async def listen(self) -> None:
        """Hears of new orders until cancelled."""
        await notices.watch(self._url, lambda _: self._due.set(), channel=DocumentStore(self._url, DOCUMENT).channel)

    async def begin(self) -> None:
        """Once, before calls are taken; a store that is away is looked at later."""
        async with DocumentStore(self._url, DOCUMENT) as store:
            await self.look(store)

    async def run(self) -> None:
        """Looks until cancelled."""
        async with DocumentStore(self._url, DOCUMENT) as store:
            while True:
                try:
                    async with asyncio.timeout(CHECK_S):
                        await self._due.wait()
                except TimeoutError:
                    pass
                self._due.clear()
                await self.look(store)

    async def look(self, store: DocumentStore) -> None:
        """Once: are there other orders?"""
        try:
            head = await store.head()
            if head in (self._head, NOTHING):
                return
            standing = await in_force(store)
        except StoreUnavailable:
            return  # told elsewhere
        except Damaged as error:
            if str(error) != self._why:
                self._why = str(error)
                self._tell(Fact("trunk.orders_unreadable", {"why": self._why}))
            return
        self._head, self._why = head, ""
        self._take(standing.orders)
