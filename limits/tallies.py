"""Sums of numbers kept for a holder in the store, by bucket: added exactly once whatever is delivered twice. I/O,
redis-py.

What the numbers mean is the caller's business. A *source* is a log with sequence numbers that rise; a *batch* is what
some of its records add to one holder. The store keeps the last sequence number it has added of each source beside the
sums, and changes both in one script. An *hour* can be sealed: it takes nothing more, so that what is concluded from it
stays true.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Self

import orjson
import redis.exceptions
from redis.asyncio import Redis

from limits.additions import Batch
from limits.keys import (
    DOCUMENTS,
    TALLY_CURSORS,
    TALLY_LOGS,
    TALLY_MARKS,
    TALLY_NEWS,
    TALLY_OPEN,
    TALLY_TURN,
    TALLY_WATCHED,
    tally_holders_key,
    tally_keys,
)
from limits.script_loader import script
from limits.stores import is_cluster, open_store, translated

TOGETHER = 8
"""Holders in one script: it keeps the store from those who decide on calls, for half a millisecond to one."""
PAUSE_S, PAUSES_S = 0.002, 4.0
"""Between two scripts the store is left to others for so long; all pauses of one addition together at most."""
NEWS_KEPT_MS = 900_000
NEWS_AT_ONCE = 100
"""Entries of the news in one reply."""
OPEN_KEPT_S = 400 * 86_400
"""The list of an hour's holders is forgotten then, closed or not."""
SEALED_KEPT_S = OPEN_KEPT_S + 2 * 86_400
"""What was sealed is known for longer than any hour is kept; a holder that is no more leaves nothing behind."""
LATE = "late"
"""Field of an hour's bucket: records that came when it was sealed."""


class Hour(NamedTuple):
    """A bucket as it is: field -> numbers as kept; and records that came too late for it."""

    fields: dict[str, str]
    late: int


class Sight(NamedTuple):
    """What is looked at of one holder."""

    states: dict[str, str]
    """name -> state, of whatever is guarded."""
    buckets: list[dict[str, str]]
    """field -> numbers as kept, of each bucket that was asked for."""


class TallyStore:
    """Use as `async with TallyStore(url) as tallies`. Every method raises StoreUnavailable; ValueError
    where what is there is none of ours."""

    def __init__(self, url: str) -> None:
        """Raises ValueError where the URL is not one (see `limits.address`)."""
        self._redis: Redis = open_store(url)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._redis.aclose()

    async def add(self, batches: Sequence[Batch], *, oldest_hour: int) -> dict[str, int]:
        """Adds each batch, or tells why not: holder -> last sequence number of its source that was added before. Where
        that is not before `first`, nothing was added: cut the batch and add again. -1: the store knows no such holder.

        An hour before `oldest_hour` counts as sealed."""
        await self._open(batches)
        # Of a cluster each holder may be on another server.
        most = 1 if is_cluster(self._redis) else TOGETHER
        refused: dict[str, int] = {}
        pause_s = min(PAUSE_S, PAUSES_S * most / max(1, len(batches)))
        for start in range(0, len(batches), most):
            if start:
                await asyncio.sleep(pause_s)
            some = batches[start : start + most]
            for batch, (code, last) in zip(some, await self._add(some, oldest_hour), strict=True):
                if code != 1:
                    refused[batch.holder] = -1 if code == 0 else last
        return refused

    async def _add(self, batches: Sequence[Batch], oldest_hour: int) -> list[tuple[int, int]]:
        """(code, last sequence number) of each."""
        add = script("tally_add")
        names = [tally_keys(batch.holder) for batch in batches]
        keys = [each.account for each in names]
        words = (
            batches[0].source,
            str(oldest_hour),
            names[0].prefix.removeprefix(names[0].account),
            orjson.dumps([_words_of(batch) for batch in batches]),
        )
        try:
            try:
                told = await self._redis.evalsha(add.sha1, len(keys), *keys, *words)
            except redis.exceptions.NoScriptError:
                told = await self._redis.eval(add.text, len(keys), *keys, *words)
        except redis.exceptions.RedisError as fault:
            raise translated(fault) from fault
        return list(zip(map(int, told[::2]), map(int, told[1::2]), strict=True))

    async def _open(self, batches: Iterable[Batch]) -> None:
        """The hours and their holders are listed before they are counted in: none that has counts can be forgotten."""
        holders: dict[int, set[str]] = {}
        for batch in batches:
            for addition in batch.additions:
                if addition.hour:
                    holders.setdefault(addition.hour, set()).add(batch.holder)
        try:
            for hour, names in holders.items():
                key = tally_holders_key(hour)
                await self._redis.sadd(key, *names)
                await self._redis.expire(key, OPEN_KEPT_S)
                await self._redis.zadd(TALLY_OPEN, {str(hour): hour})
        except redis.exceptions.RedisError as fault:
            raise translated(fault) from fault

    async def read(self, holder: str, bucket: str) -> Hour:
        """One bucket; empty where there is none."""
        found = await self._hash(tally_keys(holder).bucket(bucket))
        late = int(found.pop(LATE, "0"))
        return Hour(found, late)

    async def read_many(self, holder: str, buckets: Sequence[str]) -> list[dict[str, int]]:
        """The first number of each field, of several buckets; whatever is none of ours counts as 0."""
        keys = tally_keys(holder)
        found = []
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                for bucket in buckets:
                    pipe.hgetall(keys.bucket(bucket))
                replies = await pipe.execute()
        except redis.exceptions.RedisError as fault:
            raise translated(fault) from fault
        for reply in replies:
            words = {str(name): str(text).partition(" ")[0] for name, text in reply.items()}
            found.append({name: int(word) if word.isdecimal() else 0 for name, word in words.items()})
        return found

    async def look_at(self, holders: Sequence[str], buckets: Sequence[str]) -> list[Sight | ValueError]:
        """States and these buckets of each, in one go: a few holders at once. What was spoilt by hand is an error in
        its place."""
        width = 1 + len(buckets)
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                for keys in map(tally_keys, holders):
                    pipe.hgetall(keys.guard)
                    for bucket in buckets:
                        pipe.hgetall(keys.bucket(bucket))
                replies = await pipe.execute(raise_on_error=False)
        except redis.exceptions.RedisError as fault:
            raise translated(fault) from fault
        return [_sight(replies[at : at + width]) for at in range(0, len(replies), width)]

    async def notes(self, holder: str, bucket: str) -> dict[str, list[str]]:
        """field -> words."""
        return {field: words.split() for field, words in (await self._hash(tally_keys(holder).bucket(bucket))).items()}

    async def applied(self, holder: str) -> dict[str, int]:
        """source -> last sequence number added."""
        return {source: int(last) for source, last in (await self._hash(tally_keys(holder).applied)).items()}

    # -- closing of hours ------------------------------------------------------------------------------------------

    async def open_hours(self, before: int) -> list[int]:
        """Hours that begin before this instant and have holders to be closed, the oldest first."""
        try:
            return [int(str(hour)) for hour in await self._redis.zrangebyscore(TALLY_OPEN, "-inf", f"({before}")]
        except redis.exceptions.RedisError as fault:
            raise translated(fault) from fault

    async def holders(self, hour: int) -> list[str]:
        """Those of an hour that are still to be closed."""
        try:
            return sorted(str(name) for name in await self._redis.smembers(tally_holders_key(hour)))
        except redis.exceptions.RedisError as fault:
            raise translated(fault) from fault

    async def seal(self, holder: str, hour: int, *, oldest_hour: int) -> None:
        """From now on this hour of this holder takes nothing more."""
        key = tally_keys(holder).sealed
        try:
            await self._redis.zadd(key, {str(hour): hour}, nx=True)
            await self._redis.zremrangebyscore(key, "-inf", f"({oldest_hour}")
            await self._redis.expire(key, SEALED_KEPT_S)
        except redis.exceptions.RedisError as fault:
            raise translated(fault) from fault

    async def is_sealed(self, holder: str, hour: int) -> bool:
        """Has it been?"""
        try:
            return await self._redis.zscore(tally_keys(holder).sealed, str(hour)) is not None
        except redis.exceptions.RedisError as fault:
            raise translated(fault) from fault

    async def closed(self, holder: str, hour: int) -> None:
        """Whatever is concluded from it has been written down."""
        key = tally_holders_key(hour)
        try:
            await self._redis.srem(key, holder)
            if not await self._redis.exists(key):
                await self._redis.zrem(TALLY_OPEN, str(hour))
                if await self._redis.exists(key):  # somebody came in between
                    await self._redis.zadd(TALLY_OPEN, {str(hour): hour})
        except redis.exceptions.RedisError as fault:
            raise translated(fault) from fault

    # -- what the nodes tell each other ----------------------------------------------------------------------------

    async def mark(self, node: str, at_s: int | None) -> None:
        """Everything of this node up to this instant has been added; None: it is not to be waited for any more."""
        if at_s is not None:
            await self._set(TALLY_MARKS, node, str(at_s))
            return
        try:
            await self._redis.hdel(TALLY_MARKS, node)
        except redis.exceptions.RedisError as fault:
            raise translated(fault) from fault

    async def marks(self) -> dict[str, int]:
        """node -> that instant."""
        return {source: int(at) for source, at in (await self._hash(TALLY_MARKS)).items()}

    async def cursor(self, source: str) -> int:
        """The last sequence number of this source that was added everywhere; 0: none."""
        return int(await self._field(TALLY_CURSORS, source) or "0")

    async def set_cursor(self, source: str, seq: int) -> None:
        """All batches up to this one are added."""
        await self._set(TALLY_CURSORS, source, str(seq))

    async def log_of(self, node: str) -> str:
        """The log this node writes now; empty: it has not been seen from its beginning."""
        return await self._field(TALLY_LOGS, node) or ""

    async def set_log(self, node: str, log: str) -> None:
        """This node has begun another log."""
        await self._set(TALLY_LOGS, node, log)

    async def tell(self, told: Mapping[str, int], *, now_ms: int) -> None:
        """holder -> so many records of it have been added: for whoever waits for that."""
        try:
            await self._redis.xadd(
                TALLY_NEWS, {"told": orjson.dumps(dict(told))}, minid=max(0, now_ms - NEWS_KEPT_MS), approximate=True
            )
        except redis.exceptions.RedisError as fault:
            raise translated(fault) from fault

    async def news(self, after: str) -> tuple[str, dict[str, int]]:
        """What was told since; '': as far back as it is kept. Returns where to go on, and the sums."""
        told: dict[str, int] = {}
        while True:
            try:
                found = await self._redis.xrange(TALLY_NEWS, f"({after}" if after else "-", "+", count=NEWS_AT_ONCE)
            except redis.exceptions.RedisError as fault:
                raise translated(fault) from fault
            entries = found or []
            for id_, fields in entries:
                after = str(id_)
                for holder, records in orjson.loads((fields or {}).get("told", "{}")).items():
                    told[holder] = told.get(holder, 0) + int(records)
            if len(entries) < NEWS_AT_ONCE:
                return after, told

    async def take_turn(self, what: str, who: str, *, for_ms: int) -> bool:
        """Of many nodes that ask, one has the turn until it has run out; work that all would do alike is done once."""
        try:
            return bool(await self._redis.set(TALLY_TURN + what, who, nx=True, px=for_ms))
        except redis.exceptions.RedisError as fault:
            raise translated(fault) from fault

    async def document(self, name: str) -> str | None:
        """A text that all nodes share; None: nobody has written it."""
        return await self._field(DOCUMENTS, name)

    async def set_document(self, name: str, text: str) -> None:
        """For all nodes."""
        await self._set(DOCUMENTS, name, text)

    async def watch(self, holder: str, *, is_watched: bool) -> None:
        """Keeps a holder on the list of those to look at, or takes it off."""
        try:
            if is_watched:
                await self._redis.sadd(TALLY_WATCHED, holder)
            else:
                await self._redis.srem(TALLY_WATCHED, holder)
        except redis.exceptions.RedisError as fault:
            raise translated(fault) from fault

    async def watched(self) -> list[str]:
        """The list."""
        try:
            return sorted(str(name) for name in await self._redis.smembers(TALLY_WATCHED))
        except redis.exceptions.RedisError as fault:
            raise translated(fault) from fault

    async def states(self, holder: str) -> dict[str, str]:
        """name -> state, of whatever is guarded."""
        return await self._hash(tally_keys(holder).guard)

    async def move(self, holder: str, name: str, *, expected: str, state: str) -> bool:
        """Compare-and-set of one state ('': none): of many who see the same, one moves it."""
        move = script("guard_move")
        try:
            moved = await self._redis.eval(move.text, 1, tally_keys(holder).guard, name, expected, state)
        except redis.exceptions.RedisError as fault:
            raise translated(fault) from fault
        return int(moved[0]) == 1

    async def now_ms(self) -> int:
        """The store's clock."""
        try:
            seconds, micros = await self._redis.eval("return redis.call('TIME')", 1, TALLY_MARKS)
        except redis.exceptions.RedisError as fault:
            raise translated(fault) from fault
        return int(seconds) * 1_000 + int(micros) // 1_000

    async def _set(self, key: str, field: str, value: str) -> None:
        try:
            await self._redis.hset(key, field, value)
        except redis.exceptions.RedisError as fault:
            raise translated(fault) from fault

    async def _field(self, key: str, field: str) -> str | None:
        try:
            found = await self._redis.hget(key, field)
        except redis.exceptions.RedisError as fault:
            raise translated(fault) from fault
        return None if found is None else str(found)

    async def _hash(self, key: str) -> dict[str, str]:
        try:
            found = await self._redis.hgetall(key)
        except redis.exceptions.RedisError as fault:
            raise translated(fault) from fault
        return {str(name): str(value) for name, value in found.items()}


def _sight(replies: Sequence[object]) -> Sight | ValueError:
    """Raises StoreUnavailable."""
    hashes = []
    for reply in replies:
        if isinstance(reply, redis.exceptions.RedisError):
            fault = translated(reply)
            if isinstance(fault, ValueError):
                return fault
            raise fault from reply
        assert isinstance(reply, dict)
        hashes.append(reply)
    return Sight(hashes[0], hashes[1:])


def _words_of(batch: Batch) -> tuple[int, int, list[tuple[int, ...]], list[list[str | int]], list[list[str | int]]]:
    """As the script takes it: what is added in several places stands there once."""
    sums: dict[tuple[int, ...], int] = {}
    additions: dict[str, list[str | int]] = {}
    for bucket, field, hour, ttl_s, numbers in batch.additions:
        found = additions.get(bucket)
        if found is None:
            found = additions[bucket] = [bucket, hour, ttl_s]
        found += (field, sums.setdefault(numbers, len(sums) + 1))
    notes: list[list[str | int]] = [
        [bucket, field, ttl_s, most, " ".join(kept)] for bucket, field, ttl_s, most, kept in batch.notes
    ]
    return batch.first, batch.last, [_without_end(numbers) for numbers in sums], list(additions.values()), notes


def _without_end(numbers: tuple[int, ...]) -> tuple[int, ...]:
    """Zeros at the end need not travel, nor be kept: what is missing counts as 0."""
    size = len(numbers)
    while size > 1 and not numbers[size - 1]:
        size -= 1
    return numbers[:size]
