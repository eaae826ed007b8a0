"""Clients of every kind of store for what is off the hot path: standalone, Sentinel, Cluster. I/O, through redis-py."""

from collections.abc import Callable
from typing import NotRequired, TypedDict, cast

import redis.asyncio
import redis.exceptions
from redis.asyncio import Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import MasterNotFoundError, Sentinel
from redis.backoff import NoBackoff

from limits.address import StoreAddress, StoreKind, parse_address
from limits.connection import Find, always
from limits.errors import SpoiltKey, StoreUnavailable

TIMEOUT_S = 5.0
SENTINEL_TIMEOUT_S = 0.5
"""A sentinel that does not answer is passed by: the next one is asked."""


class _Words(TypedDict):
    """What redis-py's clients of every kind take alike."""

    socket_timeout: float
    socket_connect_timeout: float
    decode_responses: bool
    protocol: int
    retry: Retry
    db: NotRequired[int]
    """A cluster has one database only."""
    username: str | None
    password: str | None
    ssl_ca_certs: NotRequired[str]


def open_store(url: str, *, decode: bool = True, timeout_s: float = TIMEOUT_S) -> Redis:
    """A client of the whole store; nothing is connected yet. That of a cluster takes the same commands, but not all of
    them in a pipeline: see `is_cluster`. `timeout_s`: for one answer, and for a connection. Raises ValueError where the
    URL is not one (see `limits.address`)."""
    address = parse_address(url)
    if address.kind is StoreKind.SINGLE:
        return open_server(address, decode=decode, timeout_s=timeout_s)
    words = _words(address, timeout_s, decode=decode)
    if address.kind is StoreKind.CLUSTER:
        nodes = [ClusterNode(host, port) for host, port in address.hosts]
        del words["db"]
        return cast(Redis, RedisCluster(startup_nodes=nodes, ssl=address.tls, **words))
    client: Redis = _sentinels(address).master_for(address.service, **words)
    return client


def is_cluster(client: Redis) -> bool:
    """No scripts by name in its pipelines, and a subscription is made at one of its servers."""
    return isinstance(cast(object, client), RedisCluster)


def open_server(address: StoreAddress, *, timeout_s: float = TIMEOUT_S, decode: bool = True) -> Redis:
    """A client of one server."""
    words = _words(address, timeout_s, decode=decode)
    if address.path:
        return Redis(unix_socket_path=address.path, **words)
    return Redis(host=address.host, port=address.port, ssl=address.tls, **words)


def translated(fault: redis.exceptions.RedisError) -> Exception:
    """What an error of the client is to its caller: SpoiltKey, a ValueError, where a key was spoilt by hand (asking
    again is no cure, and no other key is concerned), else StoreUnavailable."""
    return SpoiltKey(str(fault)) if "WRONGTYPE" in str(fault) else StoreUnavailable(str(fault))


def finder(address: StoreAddress) -> Find:
    """Says where the master is just now: always there, or where the sentinels say."""
    if address.kind is not StoreKind.SENTINEL:
        return always(address)
    sentinels = _sentinels(address)

    async def ask() -> StoreAddress:
        try:
            host, port = await sentinels.discover_master(address.service)
        except MasterNotFoundError as fault:
            raise StoreUnavailable(f"{address}: no sentinel names a master that lives") from fault
        except (redis.exceptions.RedisError, OSError) as fault:
            raise StoreUnavailable(f"{address}: {fault}") from fault
        return address.at(str(host), int(port))

    return ask


def _sentinels(address: StoreAddress) -> Sentinel:
    secret = {"password": address.sentinel_password} if address.sentinel_password else {}
    make = cast(Callable[..., Sentinel], Sentinel)
    return make(
        list(address.hosts),
        sentinel_kwargs={
            "socket_timeout": SENTINEL_TIMEOUT_S,
            "socket_connect_timeout": SENTINEL_TIMEOUT_S,
            "protocol": 2,
            "retry": Retry(NoBackoff(), 0),
            **secret,
        },
    )


def _words(address: StoreAddress, timeout_s: float, *, decode: bool) -> _Words:
    words: _Words = {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "decode_responses": decode,
        "protocol": 2,
        "retry": Retry(NoBackoff(), 1),  # who asks decides how long to go on, and sees why it failed
        "db": address.database,
        "username": address.username or None,
        "password": address.password or None,
    }
    if address.ca_file:
        words["ssl_ca_certs"] = address.ca_file
    return words
