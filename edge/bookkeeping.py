"""Do the books add up? From time to time this node has the store look at those of its running calls (I/O).

The invariants are `limits.model.INVARIANTS`; one that is broken is a fault of ours or damage done by hand, and is told.
"""

import asyncio
from collections.abc import Callable

from edge.proxy.facts import Fact
from limits.account import AccountId
from limits.accounts import AccountStore
from limits.errors import StoreUnavailable, UnknownAccount
from limits.model import INVARIANTS

LOOK_S = 30.0
LOOKED_AT = 1_000
"""Holders looked at each time: one short script each."""


class Bookkeeping:
    """One for each process."""

    def __init__(self, url: str, *, holders: Callable[[], tuple[str, ...]], tell: Callable[[Fact], None]) -> None:
        """`holders`: those this node has calls of."""
        self._url = url
        self._holders = holders
        self._tell = tell
        self._told: set[tuple[str, str]] = set()
        self.broken = dict.fromkeys(INVARIANTS, 0)
        """invariant -> holders that broke it at the last look."""

    async def run(self) -> None:
        """Looks until cancelled; not while the store is away."""
        async with AccountStore(self._url) as store:
            while True:
                await asyncio.sleep(LOOK_S)
                try:
                    await self.look(store)
                except StoreUnavailable:
                    continue  # told elsewhere

    async def look(self, store: AccountStore) -> None:
        """Once at everybody's. Raises StoreUnavailable."""
        found: set[tuple[str, str]] = set()
        for holder in self._holders()[:LOOKED_AT]:
            try:
                found.update((holder, invariant) for invariant in await store.verify(AccountId(holder)))
            except UnknownAccount:
                continue  # a store that lost its data: told elsewhere
        for holder, invariant in sorted(found - self._told):
            self._tell(Fact("books.broken", {"account": holder, "invariant": invariant}))
        self._told = found
        self.broken.update({name: sum(invariant == name for _, invariant in found) for name in INVARIANTS})
