"""`/v1/calls`, `/v1/nodes`, `/v1/alarms`: running calls and nodes, seen and steered over the store (`edge.control`)."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from edge.admin.asking import Here, Noted, Who, naming_control
from edge.admin.problems import Refusal, naming
from edge.admin.services import Services
from edge.admin.shapes.live import Banned, Lift, Lifted, Node, NodeAlarm, Order, Ordered, RunningCalls
from edge.control.client import NodeState
from edge.control.questions import MAX_LISTED, CallFilter, Done
from edge.control.rows import CallDetail

router = APIRouter(prefix="/v1")

Uid = Annotated[str, Path(pattern=r"^[0-9a-f]{1,64}$", description="Call uid.", examples=["0123456789abcdef"])]
NodeName = Annotated[str, Path(max_length=128, pattern=r"^[!-~]+$", description="Name of a node.", examples=["edge1"])]
Word = Annotated[str, Query(max_length=128)]


@router.get("/calls", tags=["calls"])
async def list_calls(
    here: Here,
    who: Who,
    account: Word = "",
    trunk: Annotated[str, Query(max_length=128, description="Ingress or egress trunk.")] = "",
    number: Annotated[str, Query(max_length=128, description="Calling or called, in any spelling.")] = "",
    source: Annotated[str, Query(max_length=128, description="Address it came from.")] = "",
    call_id: Annotated[str, Query(max_length=1_000, description="SIP Call-ID.")] = "",
    state: Annotated[str, Query(max_length=32, description="`setup`, `answered` …")] = "",
    limit: Annotated[int, Query(ge=1, le=MAX_LISTED)] = 100,
) -> RunningCalls:
    """Running calls of all nodes, the newest first."""
    if account and not who.may_see(account):
        raise Refusal("forbidden", f"{who.name} may not see this account")
    wanted = CallFilter(account, trunk, number, source, call_id, state)
    with naming_control():
        found = await here.control.list_calls(wanted, limit=limit)
    calls = tuple(row for row in found.calls if who.may_see(row.account))
    held = found.held if not who.accounts else len(calls)
    return RunningCalls(calls=calls, more=found.more, held=held, silent=found.silent)


@router.get("/calls/{call}", tags=["calls"])
async def show_call(here: Here, who: Who, call: Uid) -> CallDetail:
    """All there is to know of one running call."""
    with naming_control():
        found = await here.control.show_call(call)
    if not who.may_see(found.row.account):
        raise Refusal("not-found", f"no node holds a call {call!r}")
    return found


@router.post("/calls/{call}/hang-up", tags=["calls"])
async def hang_up(here: Here, who: Who, noted: Noted, call: Uid, order: Order) -> Ordered:
    """End one call, whatever it is doing: BYE to both sides, or CANCEL and a final response."""
    found = await show_call(here, who, call)
    noted["before"] = {"account": found.row.account, "node": found.row.node, "state": found.row.state}
    with naming_control():
        done = await here.control.hang_up(call, by=who.name, why=order.reason)
    return _ordered(found.row.node, done)


@router.get("/nodes", tags=["nodes"])
async def list_nodes(here: Here) -> list[Node]:
    """Every node the store knows, with what it showed last; one that is gone stays for a day."""
    return [_node(one) for one in await here.control.list_nodes()]


@router.get("/nodes/{node}", tags=["nodes"])
async def show_node(here: Here, node: NodeName) -> Node:
    """One node: health, load, policy generation, busiest accounts and trunks, a minute of history."""
    return _node(await state_of(here, node))


@router.post("/nodes/{node}/drain", tags=["nodes"])
async def drain_node(here: Here, who: Who, noted: Noted, node: NodeName, order: Order) -> Ordered:
    """It takes no new attempts; running calls go on. It lasts until `resume` or a restart."""
    noted["before"] = {"state": (await state_of(here, node)).state}
    with naming_control():
        return _ordered(node, await here.control.drain(node, by=who.name, why=order.reason))


@router.post("/nodes/{node}/resume", tags=["nodes"])
async def resume_node(here: Here, who: Who, noted: Noted, node: NodeName, order: Order) -> Ordered:
    """It takes attempts again."""
    noted["before"] = {"state": (await state_of(here, node)).state}
    with naming_control():
        return _ordered(node, await here.control.undrain(node, by=who.name, why=order.reason))


@router.get("/bans", tags=["nodes"])
async def list_bans(here: Here) -> Banned:
    """Sources that any node does not hear for a while: over their budget for long, or scanners."""
    with naming_control():
        found = await here.control.list_bans()
    return Banned(bans=found.bans, silent=found.silent)


@router.post("/bans/lift", tags=["nodes"])
async def lift_ban(here: Here, who: Who, noted: Noted, wanted: Lift) -> Lifted:
    """Every node hears this source again, until it earns another ban."""
    with naming_control(), naming(Lift):
        nodes = await here.control.lift_ban(wanted.source, by=who.name, why=wanted.reason)
    noted["before"], noted["after"] = {"banned_on": list(nodes)}, {"banned_on": []}
    return Lifted(source=wanted.source, nodes=nodes)


@router.get("/alarms", tags=["nodes"])
async def list_alarms(here: Here, who: Who) -> list[NodeAlarm]:
    """Who is near a limit (80, 95 %) or at it (100), lately, on any node; the most urgent first."""
    found = [
        NodeAlarm(node=one.name, alarm=alarm)
        for one in await here.control.list_nodes()
        for alarm in (one.snapshot.alarms if one.snapshot is not None else ())
        if who.may_see(alarm.holder)
    ]
    return sorted(found, key=lambda one: (-one.alarm.percent, one.alarm.age_s, one.alarm.holder))


async def state_of(here: Services, node: str) -> NodeState:
    """Raises Refusal where the store knows no such node."""
    nodes = await here.control.list_nodes()
    found = next((one for one in nodes if one.name == node), None)
    if found is None:
        raise Refusal("not-found", f"no node {node!r}; known: {', '.join(one.name for one in nodes) or 'none'}")
    return found


def _node(one: NodeState) -> Node:
    return Node(node=one.name, state=one.state, beat_ms=max(0, one.beat_ms), snapshot=one.snapshot)


def _ordered(node: str, done: Done) -> Ordered:
    return Ordered(node=node, calls=done.calls, changed=done.changed, account=done.account)
