"""`/v1/trunks`, `/v1/trunk-orders`: egress trunks as the policy and the nodes see them; drained, put to rest and
brought back by an operator's word, on every node at once.

An order stands beside the policy and over it (`edge.trunks.ordering`); `/v1/trunks/ID/maintenance` (`edits`) changes
the policy itself."""

from typing import Annotated

from fastapi import APIRouter, Path

from edge.admin.asking import Here, Noted, Who
from edge.admin.problems import Refusal
from edge.admin.services import Services
from edge.admin.shapes.live import Trunk, TrunkOnNode, TrunkOrdered, TrunkOrders, TrunkWanted
from edge.config.snapshot import PolicySnapshot
from edge.config.trunk_orders import MAX_TEXT, Ordered, TrunkOrder
from edge.trunks.ordering import Standing, in_force, order
from limits.account import AccountId
from limits.documents import Damaged
from limits.errors import UnknownAccount

router = APIRouter(prefix="/v1", tags=["trunks"])

TrunkName = Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9._-]+$", examples=["carrier-a"])]


@router.get("/trunks")
async def list_trunks(here: Here) -> list[Trunk]:
    """Egress trunks: what the policy says of them, what is ordered, and how each node sees them."""
    known = await _known(here)
    return [await _trunk(here, name, known) for name in sorted(known.names)]


@router.get("/trunks/{trunk}")
async def show_trunk(here: Here, trunk: TrunkName) -> Trunk:
    """One of them."""
    known = await _known(here)
    if trunk not in known.names:
        raise Refusal("not-found", f"no egress trunk {trunk!r}")
    return await _trunk(here, trunk, known)


@router.get("/trunk-orders")
async def list_trunk_orders(here: Here) -> TrunkOrders:
    """What is ordered of egress trunks now."""
    standing = await _standing(here)
    orders = [one for trunk in sorted(standing.orders) if (one := _ordered(trunk, standing)) is not None]
    return TrunkOrders(generation=standing.generation, orders=orders)


@router.put("/trunk-orders/{trunk}")
async def order_trunk(here: Here, who: Who, noted: Noted, trunk: TrunkName, wanted: TrunkWanted) -> TrunkOrders:
    """`drain`: no new calls, whatever else fails. `maintenance`: only where no other trunk of the route can take them.
    `none`: as the policy says again. Running calls end as they will. A trunk that neither a running node nor the policy
    in force knows is refused."""
    ordered = None if wanted.ordered == "none" else Ordered(wanted.ordered)
    if ordered is not None and trunk not in (await _known(here)).names:
        raise Refusal("not-found", f"no running node knows an egress trunk {trunk!r}")
    by, why = who.name[:MAX_TEXT], wanted.reason
    try:
        done = await order(here.trunk_orders, trunk, ordered, by=by, why=why, at_ms=here.wall_ms())
    except Damaged as error:
        raise Refusal("conflict", str(error)) from error
    noted["before"], noted["after"] = _told(done.before), _told(done.after)
    return await list_trunk_orders(here)


# -- what they share -----------------------------------------------------------------------------------------------


class _Known:
    """What is known of egress trunks just now."""

    def __init__(self, snapshot: PolicySnapshot | None, seen: dict[str, list[TrunkOnNode]], standing: Standing) -> None:
        self.snapshot = snapshot
        """The policy in force, where this process can see one."""
        self.seen = seen
        self.standing = standing
        self.names = {*seen, *(snapshot.trunks if snapshot is not None else ())}


async def _known(here: Services) -> _Known:
    try:
        snapshot = (await here.policies.in_force())[0]
    except Refusal:
        snapshot = None
    seen: dict[str, list[TrunkOnNode]] = {}
    for node in await here.control.list_nodes():
        for use in node.snapshot.trunks if node.snapshot is not None else ():
            seen.setdefault(use.trunk, []).append(TrunkOnNode(node=node.name, use=use))
    return _Known(snapshot, seen, await _standing(here))


async def _standing(here: Services) -> Standing:
    try:
        return await in_force(here.trunk_orders)
    except Damaged as error:
        raise Refusal("conflict", str(error)) from error


async def _trunk(here: Services, name: str, known: _Known) -> Trunk:
    found = None if known.snapshot is None else known.snapshot.trunks.get(name)
    try:
        usage = await here.accounts.peek(AccountId(f"trunk:{name}"))
    except UnknownAccount:
        usage = None
    return Trunk(
        trunk=name,
        uri="" if found is None else f"sip:{found.host}" + (f":{found.port}" if found.port else ""),
        maintenance=None if found is None else found.maintenance,
        ordered=_ordered(name, known.standing),
        in_use=None if usage is None else usage.in_use,
        calls_ceiling=None if usage is None else usage.account.calls,
        caps=None if usage is None else usage.account.caps,
        nodes=known.seen.get(name, []),
    )


def _ordered(trunk: str, standing: Standing) -> TrunkOrdered | None:
    one = standing.orders.get(trunk)
    if one is None:
        return None
    return TrunkOrdered(trunk=trunk, ordered=one.ordered.value, by=one.by, reason=one.why, at_ms=one.at_ms)


def _told(one: TrunkOrder | None) -> dict[str, object]:
    """For the audit."""
    return {"ordered": "none"} if one is None else {"ordered": one.ordered.value, "by": one.by, "reason": one.why}
