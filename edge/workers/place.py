"""What makes a process one of several workers: its orders, and what it inherits. Imports shapes, opens descriptors."""

import mmap
import socket
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from edge.config.addresses import Listen
from edge.config.static import StaticConfig
from edge.transport.spreading import Share
from edge.workers.handover import Desk


class Orders(BaseModel):
    """One line of JSON on the standard input of a worker."""

    static: dict[str, object]
    """Its settings, as a settings file would have them."""
    home: str
    """The state directory of the edge; the worker's own is inside."""
    is_embedded: bool
    """The store belongs to this edge."""
    worker: int
    workers: int
    shares: tuple[tuple[int, int], ...]
    """By listener: the descriptors of its sockets (`transport.spreading.Share`)."""
    inbox: int
    outboxes: tuple[int, ...]
    up: int
    """Descriptor of the memory that says which workers are up."""
    processor: int
    """The one to stay on; -1: any."""


@dataclass(frozen=True, slots=True)
class Place:
    """One worker among others."""

    home: Path
    is_embedded: bool
    desk: Desk
    shares: tuple[Share, ...]


def place_of(orders: Orders) -> Place:
    """With the descriptors opened."""
    return Place(
        Path(orders.home),
        orders.is_embedded,
        Desk(
            orders.worker,
            orders.workers,
            socket.socket(fileno=orders.inbox),
            tuple([socket.socket(fileno=one) for one in orders.outboxes]),
            mmap.mmap(orders.up, orders.workers, prot=mmap.PROT_READ),
        ),
        tuple([Share(orders.worker, orders.workers, known, strangers) for known, strangers in orders.shares]),
    )


def settings_of(static: StaticConfig, *, worker: int, node: str, store: str) -> dict[str, object]:
    """The settings of one worker: a node of its own, beside which nothing else runs."""
    settings = static.model_dump(mode="json", by_alias=True, exclude={"listen"})
    listens = [listen_text(listen) for listen in static.listen]
    metrics = "127.0.0.1:0" if static.metrics else ""
    own = {"workers": 1, "node": node_of(node, worker), "state": str(state_of(Path(static.state), worker))}
    return {**settings, **own, "listen": listens, "redis": store, "metrics": metrics, "admin": ""}


def node_of(node: str, worker: int) -> str:
    """The name of a worker on the store; the same after a restart, so that it finds its calls."""
    return f"{node}.{worker + 1}"


def state_of(state: Path, worker: int) -> Path:
    """Where a worker keeps its log and its journal."""
    return state / f"worker-{worker + 1}"


def listen_text(listen: Listen) -> str:
    """As an operator writes it."""
    host = f"[{listen.advertised_host}]" if ":" in listen.advertised_host else listen.advertised_host
    return f"{listen.name}/advertise={host}:{listen.advertised_port}"
