"""Running calls, nodes and trunks as the API tells and takes them. Pure. What a node says of itself is told as it
says it (`edge.control`)."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from edge.admin.shapes.shape import Answer, Asked, Reason
from edge.control.questions import BanRow
from edge.control.rows import CallRow
from edge.control.snapshot import Alarm, Snapshot, TrunkUse


class RunningCalls(Answer):
    """Running calls of all nodes."""

    calls: tuple[CallRow, ...] = Field(description="The newest first.")
    more: bool = Field(description="There are more that match than were asked for.")
    held: int = Field(description="All calls that the nodes hold.")
    silent: tuple[str, ...] = Field(description="Nodes that did not answer: their calls are missing.")


class Node(Answer):
    """One node of the store."""

    node: str
    state: str = Field(description="`up`, `draining`, `stopping`, `silent` or `starting`.")
    beat_ms: int = Field(description="Since its last heartbeat.")
    snapshot: Snapshot | None = Field(description="What it showed in the last seconds; null: nothing.")


class TrunkOrdered(Answer):
    """An operator's order of one egress trunk."""

    trunk: str
    ordered: Literal["drain", "maintenance"]
    by: str
    reason: str
    at_ms: int = Field(description="UTC milliseconds.")


class TrunkOrders(Answer):
    """All of them."""

    generation: int = Field(description="Of the orders; 0: there have never been any.")
    orders: list[TrunkOrdered]


class TrunkWanted(Asked):
    """What is ordered of one egress trunk."""

    ordered: Literal["drain", "maintenance", "none"]
    reason: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


class Banned(Answer):
    """Sources that nodes do not hear just now."""

    bans: tuple[BanRow, ...]
    silent: tuple[str, ...] = Field(description="Nodes that did not answer: their bans are missing.")


class Lift(Asked):
    """A source is to be heard again."""

    source: Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[0-9A-Fa-f:./%]+$")]
    reason: Reason = ""


class Lifted(Answer):
    """What it came to."""

    source: str
    nodes: tuple[str, ...] = Field(description="That did not hear it, and do now.")


class NodeAlarm(Answer):
    """Somebody near or at a limit, as one node sees it."""

    node: str
    alarm: Alarm


class TrunkOnNode(Answer):
    """An egress trunk as one node sees it."""

    node: str
    use: TrunkUse


class Trunk(Answer):
    """An egress trunk."""

    trunk: str
    uri: str = Field(description="Where it is; empty: the policy in force is not known here.")
    maintenance: bool | None = Field(description="Taken out by the policy; null: the policy is not known here.")
    ordered: TrunkOrdered | None = Field(description="By an operator, beside the policy; null: nothing.")
    in_use: int | None = Field(description="Calls that count against its ceiling; null: it has none.")
    calls_ceiling: int | None
    caps: int | None
    nodes: list[TrunkOnNode]


class Order(Asked):
    """Something a node is told to do."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]


class Ordered(Answer):
    """What it came to."""

    node: str
    calls: int = Field(description="Calls concerned: those that go on while the node drains; 1 of a hang-up.")
    changed: bool = Field(description="False: it was so before.")
    account: str = Field(description="Of the call that was hung up.")


class Maintenance(Asked):
    """Take a trunk out, or bring it back."""

    reason: Reason = ""
