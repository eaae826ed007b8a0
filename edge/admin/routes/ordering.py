"""`/v1/trunk-orders`: egress trunks drained or put to rest by an operator's word, on every node at once.

An order stands beside the policy and over it (`edge.trunks.ordering`); `/v1/trunks/ID/maintenance` changes the policy
itself."""

from typing import Annotated

from fastapi import APIRouter, Path

from edge.admin.asking import Here, Noted, Who
from edge.admin.problems import Refusal
from edge.admin.services import Services
from edge.admin.shapes.live import TrunkOrdered, TrunkOrders, TrunkWanted
from edge.config.trunk_orders import MAX_TEXT, Ordered, TrunkOrder
from edge.trunks.ordering import in_force, order
from limits.documents import Damaged

router = APIRouter(prefix="/v1")

TrunkName = Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9._-]+$", examples=["carrier-a"])]


@router.get("/trunk-orders", tags=["trunks"])
async def list_trunk_orders(here: Here) -> TrunkOrders:
    """What is ordered of egress trunks now."""
    try:
        standing = await in_force(here.trunk_orders)
    except Damaged as error:
        raise Refusal("conflict", str(error)) from error
    found = [_ordered(trunk, one) for trunk, one in sorted(standing.orders.items())]
    return TrunkOrders(generation=standing.generation, orders=found)


@router.put("/trunk-orders/{trunk}", tags=["trunks"])
async def order_trunk(here: Here, who: Who, noted: Noted, trunk: TrunkName, wanted: TrunkWanted) -> TrunkOrders:
    """`drain`: no new calls, whatever else fails. `maintenance`: only where no other trunk of the route can take them.
    `none`: as the policy says again. Running calls end as they will. A trunk that no running node knows is refused."""
    ordered = None if wanted.ordered == "none" else Ordered(wanted.ordered)
    if ordered is not None and trunk not in await _known(here):
        raise Refusal("not-found", f"no running node knows an egress trunk {trunk!r}")
    by, why = who.name[:MAX_TEXT], wanted.reason[:MAX_TEXT]
    try:
        done = await order(here.trunk_orders, trunk, ordered, by=by, why=why, at_ms=here.wall_ms())
    except Damaged as error:
        raise Refusal("conflict", str(error)) from error
    noted["before"] = {"ordered": "none" if done.before is None else done.before.ordered.value}
    noted["after"] = {"ordered": wanted.ordered, "generation": done.generation}
    return await list_trunk_orders(here)


async def _known(here: Services) -> set[str]:
    nodes = await here.control.list_nodes()
    return {use.trunk for node in nodes if node.snapshot is not None for use in node.snapshot.trunks}


def _ordered(trunk: str, one: TrunkOrder) -> TrunkOrdered:
    return TrunkOrdered(trunk=trunk, ordered=one.ordered.value, by=one.by, reason=one.why, at_ms=one.at_ms)
