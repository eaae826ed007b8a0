"""An append-only ledger of a holder in the store: sequence without gaps, chained digests, once for each reference. I/O.

What an entry says is the caller's business: here it is text. Each entry's digest is SHA-256 of the digest before it
and of the text, so that no entry can be altered, taken out or put in between without every later digest being wrong.
There is no verb that edits. Money that was wrong is put right by another entry.
"""

from collections.abc import AsyncIterator, Callable
from typing import NamedTuple, Self

import redis.exceptions
from redis.asyncio import Redis

from limits.account import AccountId, is_holder_id
from limits.chain import LedgerLine, digest_of
from limits.errors import StoreUnavailable, UnknownAccount
from limits.keys import account_keys, tally_keys
from limits.script_loader import script
from limits.stores import open_store, translated

TRIES = 20
"""An append is tried so often where others append at the same time."""
PAGE = 500


class Head(NamedTuple):
    """Where the next entry goes."""

    seq: int
    """Of the last entry; 0: none yet."""
    digest: str
    now_ms: int
    """The store's clock."""


class Appended(NamedTuple):
    """What an append did."""

    line: LedgerLine
    is_new: bool
    """False: this reference stood there before; `line` is that entry."""


class Ledger:
    """Use as `async with Ledger(url) as ledger`. Every method raises StoreUnavailable, UnknownAccount;
    ValueError where what is there is none of ours."""

    def __init__(self, url: str) -> None:
        """Raises ValueError where the URL is not one (see `limits.address`)."""
        self._redis: Redis = open_store(url)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._redis.aclose()

    async def head(self, holder: AccountId) -> Head:
        """Read before an append."""
        keys = _keys(holder)
        try:
            last = await self._redis.xrevrange(keys.ledger, count=1)
            seconds, micros = await self._redis.eval("return redis.call('TIME')", 1, keys.ledger)
        except redis.exceptions.RedisError as fault:
            raise translated(fault) from fault
        now_ms = int(seconds) * 1_000 + int(micros) // 1_000
        line = _line(last[0]) if last else LedgerLine(0, "", "")
        return Head(line.seq, line.digest, now_ms)

    async def append(self, holder: AccountId, *, reference: str, write: Callable[[Head], str]) -> Appended:
        """One entry. `write` makes its text for the place it will have, and is asked again where another one was
        faster."""
        keys = _keys(holder)
        append = script("ledger_append")
        for _ in range(TRIES):
            head = await self.head(holder)
            text = write(head)
            digest = digest_of(head.digest, text)
            words = (str(head.seq + 1), head.digest, reference, text, digest)
            try:
                reply = await self._redis.eval(
                    append.text, 3, account_keys(holder).account, keys.ledger, keys.references, *words
                )
            except redis.exceptions.RedisError as fault:
                raise translated(fault) from fault
            code, seq = int(reply[0]), int(reply[1])
            if code == 0:
                raise UnknownAccount(holder)
            if code == 1:
                return Appended(LedgerLine(seq, text, digest), is_new=True)
            if code == 2:
                return Appended(await self.line(holder, seq), is_new=False)
        raise StoreUnavailable(f"the ledger of {holder}: others kept writing; nothing was entered")

    async def line(self, holder: AccountId, seq: int) -> LedgerLine:
        """One entry. Raises KeyError where there is none."""
        async for line in self.lines(holder, first=seq, last=seq):
            return line
        raise KeyError(seq)

    async def booked(self, holder: AccountId, reference: str) -> int | None:
        """The sequence number this reference stands at; None: nowhere."""
        try:
            found = await self._redis.hget(_keys(holder).references, reference)
        except redis.exceptions.RedisError as fault:
            raise translated(fault) from fault
        return None if found is None else int(found)

    async def lines(self, holder: AccountId, *, first: int = 1, last: int | None = None) -> AsyncIterator[LedgerLine]:
        """Entries in their order, read page by page."""
        key = _keys(holder).ledger
        end = "+" if last is None else f"{last}-0"
        while True:
            try:
                found = await self._redis.xrange(key, f"{first}-0", end, count=PAGE) or []
            except redis.exceptions.RedisError as fault:
                raise translated(fault) from fault
            for entry in found:
                yield _line(entry)
            if len(found) < PAGE:
                return
            first = _line(found[-1]).seq + 1


class _Keys(NamedTuple):
    ledger: str
    references: str


def _keys(holder: str) -> _Keys:
    if not is_holder_id(holder):
        raise UnknownAccount(holder)
    names = tally_keys(holder)
    return _Keys(names.ledger, names.references)


def _line(entry: tuple[object, object]) -> LedgerLine:
    stream_id, values = entry
    assert isinstance(values, dict)
    return LedgerLine(int(str(stream_id).partition("-")[0]), str(values["entry"]), str(values["digest"]))
