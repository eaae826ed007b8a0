"""The limiter for a store, by the form of its URL. I/O."""

from collections.abc import Callable
from pathlib import Path

from limits.address import StoreKind, parse_address
from limits.cluster_limiter import ClusterLimiter
from limits.journal import SettlementJournal
from limits.limiter import Deliver
from limits.redis_limiter import DEADLINE_S, RedisLimiter
from limits.stores import finder


def open_limiter(
    deliver: Deliver,
    url: str,
    *,
    deadline_s: float = DEADLINE_S,
    journal: Path | None = None,
    on_epoch: Callable[[str], None] | None = None,
    on_settled: Deliver | None = None,
) -> RedisLimiter | ClusterLimiter:
    """One connection, or one to each master of a cluster. `journal`: directory of the settlements that wait for the
    store; None: in memory only. `on_settled`: see `Kept`. Raises ValueError where the URL is not one (see
    `limits.address`)."""
    address = parse_address(url)
    if address.kind is StoreKind.CLUSTER:
        return ClusterLimiter(
            deliver, address, deadline_s=deadline_s, journal=journal, on_epoch=on_epoch, on_settled=on_settled
        )
    return RedisLimiter(
        deliver,
        url,
        deadline_s=deadline_s,
        journal=SettlementJournal(journal),
        on_epoch=on_epoch,
        on_settled=on_settled,
        find=finder(address),
    )
