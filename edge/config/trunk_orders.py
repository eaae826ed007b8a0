"""What an operator has ordered of egress trunks, beside the policy and over it: one word for all nodes. Pure.

One small document in the store holds all of it; each change is a version of that document, with who and why.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

DOCUMENT = "trunks"
"""Its name in the store."""
PART = "orders.json"
MAX_BYTES = 1 << 20
MAX_TEXT = 200
VERSION = 1


class Ordered(StrEnum):
    """What is wanted of a trunk."""

    DRAIN = "drain"
    """No new calls; running ones end as they will. Emergency calls go there where nothing else is left."""
    MAINTENANCE = "maintenance"
    """No new calls as long as another trunk of the route can take them; no probes."""


class TrunkOrder(NamedTuple):
    """One order in force."""

    ordered: Ordered
    by: str
    why: str
    at_ms: int
    """UTC milliseconds."""


Orders = Mapping[str, TrunkOrder]
"""By egress trunk."""


def read_orders(data: bytes) -> dict[str, TrunkOrder]:
    """Raises ValueError for what is none of ours."""
    if len(data) > MAX_BYTES:
        raise ValueError("larger than orders are")
    found = json.loads(data)
    if not isinstance(found, dict) or found.get("v") != VERSION or not isinstance(found.get("trunks"), dict):
        raise ValueError("no orders of trunks")
    orders = {}
    for trunk, entry in found["trunks"].items():
        if not isinstance(entry, dict):
            raise ValueError(f"{trunk}: no order")
        by, why, at_ms = entry.get("by"), entry.get("why"), entry.get("at_ms")
        if not isinstance(by, str) or not isinstance(why, str) or type(at_ms) is not int:
            raise ValueError(f"{trunk}: no order")
        orders[trunk] = TrunkOrder(Ordered(str(entry.get("ordered"))), by[:MAX_TEXT], why[:MAX_TEXT], at_ms)
    return orders


def orders_data(orders: Orders) -> bytes:
    """The other way round."""
    trunks = {name: order._asdict() for name, order in sorted(orders.items())}
    return json.dumps({"v": VERSION, "trunks": trunks}, ensure_ascii=False, separators=(",", ":")).encode()
