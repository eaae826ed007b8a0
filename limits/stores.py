"""Clients of every kind of store for what is off the hot path: standalone, Sentinel, Cluster. I/O, through redis-py."""

import redis.asyncio
from redis.asyncio import Redis

from limits.address import parse_address

TIMEOUT_S = 5.0


def open_store(url: str, *, decode: bool = True) -> Redis:
    """A client; nothing is connected yet. Raises ValueError where the URL is not one (see `limits.address`)."""
    parse_address(url)
    client: Redis = redis.asyncio.from_url(
        url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, decode_responses=decode, protocol=2
    )
    return client
