"""The nodes on one store: heartbeats, and the takeover of calls whose node is gone.

I/O, through redis-py: off the hot path. A node that has been silent too long is gone; whoever asks first takes its
calls over, each call once (scripts/adopt.lua).
"""

from collections.abc import Iterable
from typing import Any, NamedTuple, Self

import redis.exceptions
from redis.asyncio import Redis

from limits.account import AccountId
from limits.errors import StoreUnavailable, UnknownAccount
from limits.keys import GOODBYES, NODES, account_keys, node_accounts_key
from limits.model import GIVEN_BACK, Adopted
from limits.rates import Price
from limits.script_loader import script
from limits.stores import open_store

FORGET_MS = 86_400_000
"""A node silent for a day is no longer listed."""

TIMEOUT_S = 1.0
"""For one answer: a heartbeat that waits on a connection nobody is at any more would make its own node look gone."""

GOODBYE_MS = 300_000
"""How long a goodbye waits for the node that holds the call."""

Reply = list[Any]
"""What a script returned: numbers, words, lists of them."""

_WORDS = 10
"""Words of adopt.lua's reply for each call."""


class Beat(NamedTuple):
    """What a heartbeat found."""

    now_ms: int
    """The store's clock."""
    ages_ms: dict[str, int]
    """Every node known, with the milliseconds since its last beat; this one's beat before this one included."""


class Adoption(NamedTuple):
    """Calls taken over at one time."""

    now_ms: int
    calls: tuple[Adopted, ...]
    more: bool
    """There are more: ask again."""
    is_fresh: bool = False
    """The node that is gone has spoken of some call too lately: these were left to it."""


class Goodbye(NamedTuple):
    """A BYE passed through a node that does not hold its call."""

    uid: str
    tag: bytes
    """Of its sender."""
    age_ms: int


class Heard(NamedTuple):
    """Goodbyes of every node."""

    now_ms: int
    """The store's clock: where to go on listening."""
    goodbyes: tuple[Goodbye, ...]


class NodeRegistry:
    """Use as `async with NodeRegistry(url) as nodes`. Every method raises StoreUnavailable."""

    def __init__(self, url: str) -> None:
        """Raises ValueError where the URL is not one (see `limits.address`)."""
        self._redis: Redis = open_store(url, decode=False, timeout_s=TIMEOUT_S)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._redis.aclose()

    async def beat(self, node: str) -> Beat:
        """This node is alive; who else is? An empty name only looks."""
        now, flat = await self._run("beat", 1, NODES, node, str(FORGET_MS))
        names = [name.decode("utf-8", "replace") for name in flat[::2]]
        return Beat(int(now), dict(zip(names, map(int, flat[1::2]), strict=True)))

    async def forget(self, node: str) -> None:
        """Nothing is left of this node; it is no longer listed."""
        try:
            await self._redis.zrem(NODES, node)
            await self._redis.delete(node_accounts_key(node))
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault

    async def note_accounts(self, node: str, accounts: Iterable[str]) -> None:
        """This node has calls of these holders."""
        try:
            await self._redis.sadd(node_accounts_key(node), *accounts)
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault

    async def accounts_of(self, node: str) -> tuple[str, ...]:
        """Holders of which this node has had calls."""
        try:
            found = await self._redis.smembers(node_accounts_key(node))
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault
        return tuple(sorted([name.decode() if isinstance(name, bytes) else str(name) for name in found]))

    async def say_goodbyes(self, goodbyes: Iterable[Goodbye]) -> None:
        """Tells whoever holds these calls, now or after a takeover."""
        try:
            now_ms = await self._now_ms()
            said = {f"{one.uid} {one.age_ms} {one.tag.decode('latin-1')}": now_ms for one in goodbyes}
            await self._redis.zadd(GOODBYES, said)
            await self._redis.zremrangebyscore(GOODBYES, "-inf", now_ms - GOODBYE_MS)
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault

    async def hear_goodbyes(self, since_ms: int) -> Heard:
        """Goodbyes said since that instant of the store's clock, in that order."""
        try:
            now_ms = await self._now_ms()
            found: Reply = list(await self._redis.zrangebyscore(GOODBYES, since_ms, "+inf", withscores=True))
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault
        goodbyes = []
        for member, said_ms in found:
            uid, age_ms, tag = member.split(b" ", 2)
            goodbyes.append(Goodbye(uid.decode("latin-1"), tag, int(age_ms) + max(0, now_ms - int(said_ms))))
        return Heard(now_ms, tuple(goodbyes))

    async def adopt(
        self,
        account: AccountId,
        *,
        gone: str,
        heir: str,
        lease_ms: int,
        most: int = 100,
        silent_ms: int = 0,
        keep: Iterable[str] = (),
    ) -> Adoption:
        """Takes over calls of a node that is gone, but for those it has admitted or renewed within `silent_ms`. `keep`:
        uids to leave alone (a node that was started again under its old name has calls of its own)."""
        keys = account_keys(account)[:5]
        words = (gone, heir, str(lease_ms), str(most), str(silent_ms), *keep)
        try:
            reply = await self._run("adopt", 5, *keys, *words)
        except UnknownAccount:
            return Adoption(0, (), False)
        flat = reply[4]
        calls = [_adopted(flat[first : first + _WORDS]) for first in range(0, len(flat), _WORDS)]
        return Adoption(int(reply[1]), tuple(calls), reply[2] == 1, reply[3] == 1)

    async def known(self, account: AccountId, uids: Iterable[str]) -> set[str]:
        """Those of these calls that somebody holds a lease for, or has settled."""
        keys = account_keys(account)
        found = set()
        try:
            for uid in uids:
                settled = await self._redis.get(keys.done_prefix + uid)
                is_over = settled is not None and not _text(settled).startswith(GIVEN_BACK)
                if is_over or await self._redis.hexists(keys.calls, uid):
                    found.add(uid)
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault
        return found

    async def _now_ms(self) -> int:
        # By a script: of a cluster's clocks it is that of the server which keeps the goodbyes.
        seconds, micros = await self._redis.eval("return redis.call('TIME')", 1, GOODBYES)
        return int(seconds) * 1_000 + int(micros) // 1_000

    async def _run(self, name: str, keys: int, *words: str) -> Reply:
        try:
            reply = await self._redis.eval(script(name).text, keys, *words)
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault
        if reply[0] == 0:
            raise UnknownAccount(words[0])
        return list(reply)


def _adopted(words: list[bytes]) -> Adopted:
    uid, is_expired, admitted, answered, renewed, paid, charged, price, member, record = words
    parts = [int(number) for number in price.split(b":")] if price else []
    return Adopted(
        uid.decode(),
        int(is_expired) == 1,
        int(admitted),
        int(answered),
        int(renewed),
        int(paid),
        int(charged),
        Price(*parts) if parts else None,
        "" if member == b"-" else member.decode(),
        record,
    )


def _text(word: bytes | str) -> str:
    return word.decode("latin-1") if isinstance(word, bytes) else word
