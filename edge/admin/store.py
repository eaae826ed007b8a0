"""What the admin processes of one store share: tokens, sessions, replies kept for idempotency. I/O, through redis-py.

Texts are opaque here. Everything carries one hash tag:

    {admin}:tokens          hash    id -> token (JSON, without its secret)
    {admin}:KIND:NAME       string  something that is forgotten by itself: a session, a reply, a login under way
"""

from typing import Self

import redis.exceptions
from redis.asyncio import Redis

from limits.errors import StoreUnavailable
from limits.stores import open_store

TOKENS = "{admin}:tokens"


class AdminStore:
    """Use as `async with AdminStore(url) as store`. Every method raises StoreUnavailable."""

    def __init__(self, url: str) -> None:
        """Raises ValueError where the URL is not one (see `limits.address`)."""
        self._redis: Redis = open_store(url)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._redis.aclose()

    async def ping(self) -> None:
        """Does the store answer?"""
        try:
            await self._redis.hlen(TOKENS)
        except (redis.exceptions.RedisError, OSError) as fault:
            raise StoreUnavailable(str(fault)) from fault

    async def tokens(self) -> dict[str, str]:
        """Every token by its id."""
        try:
            found = await self._redis.hgetall(TOKENS)
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault
        return {str(name): str(text) for name, text in found.items()}

    async def token(self, name: str) -> str | None:
        """One token."""
        try:
            found = await self._redis.hget(TOKENS, name)
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault
        return None if found is None else str(found)

    async def put_token(self, name: str, text: str) -> None:
        """Keep it."""
        try:
            await self._redis.hset(TOKENS, name, text)
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault

    async def remove_token(self, name: str) -> bool:
        """Was it there? Of several who take it away at once, one is told so."""
        try:
            return bool(await self._redis.hdel(TOKENS, name))
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault

    async def keep(self, kind: str, name: str, text: str, *, ttl_s: int, only_new: bool = False) -> bool:
        """Keep a text so long; False: there was one, and `only_new` left it."""
        try:
            return bool(await self._redis.set(_key(kind, name), text, ex=ttl_s, nx=only_new))
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault

    async def kept(self, kind: str, name: str) -> str | None:
        """The text; None: never there, or forgotten."""
        try:
            found = await self._redis.get(_key(kind, name))
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault
        return None if found is None else str(found)

    async def take(self, kind: str, name: str) -> str | None:
        """The text, which is forgotten with this: it is had once."""
        try:
            found = await self._redis.getdel(_key(kind, name))
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault
        return None if found is None else str(found)


def _key(kind: str, name: str) -> str:
    return f"{{admin}}:{kind}:{name}"
