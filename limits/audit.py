"""The audit of the admin API in the store: sequence without gaps, chained digests, append only. I/O.

What an entry says is the caller's business: here it is text. Each entry's digest is SHA-256 of the digest before it and
of the text (`limits.chain`). Beyond `KEPT` the oldest go; number and digest of the last one that went are kept, so that
what is left can still be proved. Everything carries one hash tag:

    {audit}          stream  entries, their IDs the sequence numbers
    {audit}:begins   hash    number and digest of the last entry that went
"""

from collections.abc import AsyncIterator, Callable
from typing import NamedTuple, Self

import redis.exceptions
from redis.asyncio import Redis

from limits.chain import LedgerLine, digest_of
from limits.errors import StoreUnavailable
from limits.script_loader import script
from limits.stores import open_store, translated

KEPT = 200_000
"""Entries; a few hundred bytes each."""
TRIES = 50
PAGE = 500
STREAM, BEGINS = "{audit}", "{audit}:begins"


class Begin(NamedTuple):
    """Where the chain begins."""

    seq: int
    """Of the entry before the first that is kept; 0: nothing went yet."""
    digest: str


class AuditLog:
    """Use as `async with AuditLog(url) as audit`. Every method raises StoreUnavailable; ValueError where what is there
    is none of ours."""

    def __init__(self, url: str, *, kept: int = KEPT) -> None:
        """Raises ValueError where the URL is not one (see `limits.address`)."""
        self._redis: Redis = open_store(url)
        self._kept = kept

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._redis.aclose()

    async def append(self, write: Callable[[int, int], str]) -> LedgerLine:
        """One entry. `write(seq, now_ms)` makes its text, by the store's clock, and is asked again where
        another one was faster."""
        appending = script("audit_append").text
        for _ in range(TRIES):
            try:
                last = await self._redis.xrevrange(STREAM, count=1)
                seconds, micros = await self._redis.eval("return redis.call('TIME')", 1, STREAM)
                before = _line(last[0]) if last else LedgerLine(0, "", "")
                text = write(before.seq + 1, int(seconds) * 1_000 + int(micros) // 1_000)
                digest = digest_of(before.digest, text)
                words = (str(before.seq + 1), before.digest, text, digest, str(self._kept))
                code, seq = await self._redis.eval(appending, 2, STREAM, BEGINS, *words)
            except redis.exceptions.RedisError as fault:
                raise translated(fault) from fault
            if int(code) == 1:
                return LedgerLine(int(seq), text, digest)
        raise StoreUnavailable("the audit: others kept writing; nothing was entered")

    async def begin(self) -> Begin:
        """Where what is kept begins."""
        try:
            seq, digest = await self._redis.hmget(BEGINS, ["seq", "digest"])
        except redis.exceptions.RedisError as fault:
            raise translated(fault) from fault
        return Begin(int(seq or 0), str(digest or ""))

    async def newest(self, *, before: int | None, most: int) -> list[LedgerLine]:
        """The latest entries, or those before this number; the newest first."""
        end = "+" if before is None else f"{before - 1}-0"
        if before is not None and before <= 1:
            return []
        try:
            found = await self._redis.xrevrange(STREAM, max=end, count=most) or []
        except redis.exceptions.RedisError as fault:
            raise translated(fault) from fault
        return [_line(entry) for entry in found]

    async def lines(self, *, first: int = 1) -> AsyncIterator[LedgerLine]:
        """Entries in their order, read page by page."""
        while True:
            try:
                found = await self._redis.xrange(STREAM, f"{first}-0", "+", count=PAGE) or []
            except redis.exceptions.RedisError as fault:
                raise translated(fault) from fault
            for entry in found:
                yield _line(entry)
            if len(found) < PAGE:
                return
            first = _line(found[-1]).seq + 1


def _line(entry: tuple[object, object]) -> LedgerLine:
    stream_id, values = entry
    if not isinstance(values, dict) or "entry" not in values or "digest" not in values:
        raise ValueError(f"the audit: entry {stream_id} is none of ours")
    return LedgerLine(int(str(stream_id).partition("-")[0]), str(values["entry"]), str(values["digest"]))
