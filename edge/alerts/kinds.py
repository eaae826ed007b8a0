"""What may be alerted, how long it must last to be told, and how long it must be over. Pure: one table."""

from enum import StrEnum
from typing import NamedTuple


class Level(StrEnum):
    """How bad."""

    WARNING = "warning"
    CRITICAL = "critical"


class Kind(StrEnum):
    """What about."""

    CALLS = "calls"
    CAPS = "caps"
    SPEND = "spend"
    CREDIT = "credit"
    QUALITY = "quality"
    RISE = "rise"
    PLACE = "place"
    TRUNK = "trunk"
    NODE = "node"
    STORE = "store"


class KindRow(NamedTuple):
    """docs/alerts.md has the same row."""

    hold_s: int
    """It is told when it has been so for so long."""
    clear_s: int
    """It is over when it has not been so for so long: until then it may come and go, and nobody is told."""
    meaning: str


KINDS: dict[Kind, KindRow] = {
    Kind.CALLS: KindRow(0, 60, "an account, group or trunk holds 80 % (warning) or 95 % (critical) of its calls"),
    Kind.CAPS: KindRow(0, 60, "an account, group or trunk uses 80 % or 95 % of its CAPS"),
    Kind.SPEND: KindRow(0, 60, "an account is refused or cut by a spend cap (critical)"),
    Kind.CREDIT: KindRow(0, 60, "an account has less credit than its threshold (warning), or none is left (critical)"),
    Kind.QUALITY: KindRow(0, 0, "an account or trunk breaks a quality rule (its own hysteresis: docs/quality.md)"),
    Kind.RISE: KindRow(0, 60, "an account places far more attempts today than on any day of the week before it"),
    Kind.PLACE: KindRow(0, 60, "an account calls a zone or country that it has not called for a month"),
    Kind.TRUNK: KindRow(10, 30, "some nodes (warning) or all nodes (critical) see an egress trunk down"),
    Kind.NODE: KindRow(5, 10, "a node is silent and has not stopped in order (critical)"),
    Kind.STORE: KindRow(10, 10, "a node cannot reach the store (critical); each node tells it for itself"),
}
