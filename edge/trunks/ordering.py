"""How an operator's order of a trunk gets into the store, and what is in force there (I/O, by `limits.documents`).

Compare-and-set on what was read; where somebody was faster it is made again on what they left, since an order speaks of
one trunk only. Nothing here prints.
"""

from typing import NamedTuple

from edge.config.trunk_orders import PART, Ordered, Orders, TrunkOrder, orders_data, read_orders
from limits.documents import Damaged, DocumentStore, Version
from limits.errors import StaleDocument, StoreUnavailable

TRIES = 5


class Standing(NamedTuple):
    """What is in force."""

    generation: int
    orders: Orders


class Changed(NamedTuple):
    """What an order did."""

    before: TrunkOrder | None
    after: TrunkOrder | None
    generation: int
    is_same: bool
    """It was in force already: nothing was written."""


async def in_force(store: DocumentStore) -> Standing:
    """Raises StoreUnavailable, Damaged."""
    head = await store.head()
    if not head.generation:
        return Standing(0, {})
    version = await store.version(head.generation)
    if version is None:
        raise Damaged(f"generation {head.generation} of the orders is not in the store")
    return Standing(head.generation, await orders_of(store, version))


async def orders_of(store: DocumentStore, version: Version) -> Orders:
    """What was in force with this version. Raises StoreUnavailable, Damaged."""
    content = await store.content(version)
    try:
        return read_orders(content[PART])
    except (KeyError, ValueError) as error:
        raise Damaged(f"generation {version.generation} of the orders cannot be read: {error}") from error


async def order(store: DocumentStore, trunk: str, ordered: Ordered | None, *, by: str, why: str, at_ms: int) -> Changed:
    """Order it; None: take back what was ordered. Raises StoreUnavailable, Damaged."""
    for _ in range(TRIES):
        standing = await in_force(store)
        before = standing.orders.get(trunk)
        after = None if ordered is None else TrunkOrder(ordered, by, why, at_ms)
        if (None if before is None else before.ordered) == ordered:
            return Changed(before, before, standing.generation, is_same=True)
        orders = {name: one for name, one in standing.orders.items() if name != trunk}
        if after is not None:
            orders[trunk] = after
        word = "resume" if ordered is None else ordered.value
        try:
            version = await store.commit(
                {PART: orders_data(orders)}, by=by, why=f"{word} {trunk}: {why}", expected=standing.generation
            )
        except StaleDocument:
            continue
        return Changed(before, after, version.generation, is_same=False)
    raise StoreUnavailable("others change the orders of trunks all the time: try again")
