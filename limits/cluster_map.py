"""Which master of a Redis Cluster has which slots: asked of any node that answers. I/O, through redis-py."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import cast

import redis.exceptions

from limits.address import StoreAddress
from limits.errors import StoreUnavailable
from limits.keys import EPOCH
from limits.slots import SLOTS, slot_of
from limits.stores import open_server

Place = tuple[str, int]
"""Host and port of a master."""

MAP_TIMEOUT_S = 1.0


async def read_map(address: StoreAddress, places: tuple[Place, ...]) -> dict[Place, list[range]]:
    """The slots of each master, as the first of `places` that answers tells them. Raises StoreUnavailable."""
    fault = "no node of the cluster is known"
    for host, port in places:
        server = open_server(address.at(host, port), timeout_s=MAP_TIMEOUT_S)
        ask = cast(Callable[[str], Awaitable[object]], server.execute_command)
        try:
            found = await ask("CLUSTER SLOTS")
        except (redis.exceptions.RedisError, OSError) as error:
            fault = f"{address}: {error}"
            continue
        finally:
            with suppress(redis.exceptions.RedisError, OSError):
                await server.aclose()
        return _slots_of(found, host)
    raise StoreUnavailable(fault)


def _slots_of(found: object, asked: str) -> dict[Place, list[range]]:
    """What CLUSTER SLOTS answered: (first, last, [host, port, …] of the master, replicas …). Raises StoreUnavailable.

    redis-py hands it over as {(first, last): {"primary": (host, port), …}} where it knows the command."""
    masters: dict[Place, list[range]] = {}
    try:
        if isinstance(found, dict):
            rows = [(first, last, told["primary"]) for (first, last), told in found.items()]
        else:
            rows = [(row[0], row[1], row[2]) for row in found] if isinstance(found, list) else []
        for first, last, master in rows:
            host, port = master[0], int(master[1])
            name = host.decode() if isinstance(host, bytes) else host
            masters.setdefault((name or asked, port), []).append(range(int(first), int(last) + 1))
    except (TypeError, ValueError, KeyError, IndexError) as error:
        raise StoreUnavailable(f"CLUSTER SLOTS answered by {found!r:.80}") from error
    if not masters:
        raise StoreUnavailable("the cluster has no slots")
    return masters


def epoch_key(slots: list[range]) -> str:
    """A key that lies on the master of these slots: its life is told there."""
    mine = bytearray(SLOTS)
    for part in slots:
        mine[part.start : part.stop] = b"\x01" * len(part)
    number = 0
    while not mine[slot_of(f"{EPOCH}:{{{number}}}")]:
        number += 1
    return f"{EPOCH}:{{{number}}}"
