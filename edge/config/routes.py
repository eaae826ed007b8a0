"""Which trunks may take a called number, by its longest prefix. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge.config.plan import CACHE_LIMIT as CACHE_LIMIT
from edge.config.schema import (
    RouteEntry,
)
from edge.config.trunks import EgressTrunk


@dataclass(frozen=True, slots=True)
class Route:
    """Which trunks may take a called number."""

    id: str
    accounts: frozenset[str]
    """Empty: all."""
    classes: frozenset[str]
    """Empty: all."""
    is_weighted: bool
    is_barred: bool
    is_shadow: bool
    """It only says that it would be barred."""
    is_emergency: bool
    """For emergency calls alone."""
    trunks: tuple[EgressTrunk, ...]
    by_cost: bool = False
    by_quality: bool = False
    no_loss: bool = False


def lengths_of(routes: Mapping[str, tuple[Route, ...]]) -> tuple[int, ...]:
    return tuple(sorted({len(prefix) for prefix in routes}, reverse=True))


def routes_of(
    entries: Sequence[RouteEntry], trunks: Mapping[str, EgressTrunk], *, emergency: bool
) -> dict[str, tuple[Route, ...]]:
    routes: dict[str, tuple[Route, ...]] = {}
    for entry in entries:
        if entry.emergency != emergency:
            continue
        route = Route(
            id=entry.id,
            accounts=frozenset(entry.accounts),
            classes=frozenset(entry.classes),
            is_weighted=entry.mode == "weighted",
            is_barred=entry.mode in ("barred", "shadow-barred"),
            is_shadow=entry.mode == "shadow-barred",
            is_emergency=entry.emergency,
            trunks=tuple(trunks[name] for name in entry.trunks),
            by_cost=entry.order == "cost",
            by_quality=entry.order == "quality",
            no_loss=entry.no_loss,
        )
        for prefix in dict.fromkeys(entry.prefixes):
            routes[prefix] = (*routes.get(prefix, ()), route)
    return routes
