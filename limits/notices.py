"""Change notices: which holder's values were changed, or got money, just now; that a document has a new version. I/O,
through redis-py.

Nothing hangs on a notice: a lost one costs a running call one renewal, and the near-cache a tenth of a second.
"""

import asyncio
import itertools
from collections.abc import Callable

import redis.exceptions

from limits.address import StoreKind, parse_address
from limits.keys import CHANGES
from limits.stores import open_server, open_store

PAUSE_S = 1.0
"""Between two attempts to listen."""
LISTEN_S = 15.0
"""A connection that has said nothing for so long is asked whether it still stands."""


async def watch(url: str, on_change: Callable[[str], None], *, channel: str = CHANGES) -> None:
    """Listens until cancelled; `on_change(what)` for each notice, and with an empty name whenever notices may have
    been missed. Raises ValueError where the URL is not one."""
    address = parse_address(url)
    servers = itertools.cycle(address.hosts)
    while True:
        # A script's PUBLISH reaches every server of a cluster, so that one of them is enough to listen at.
        client = open_server(address.at(*next(servers))) if address.kind is StoreKind.CLUSTER else open_store(url)
        try:
            async with client.pubsub() as listening:
                await listening.subscribe(channel)
                on_change("")
                while True:
                    message = await listening.get_message(ignore_subscribe_messages=True, timeout=LISTEN_S)
                    if message is None:
                        await listening.ping()
                    elif message["type"] == "message":
                        on_change(str(message["data"]))
        except (redis.exceptions.RedisError, OSError):
            pass
        finally:
            await client.aclose()
        await asyncio.sleep(PAUSE_S)
