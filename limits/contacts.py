"""What is recorded of people called: refusals, consents, contracts in progress. Numbers never come here, only digests.

I/O, through redis-py, off the hot path; the admission script reads the same hash (`limits.frequency.Contact`).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Self

import redis.exceptions
from redis.asyncio import Redis

from limits.account import AccountId, is_account_id
from limits.errors import StoreUnavailable, UnknownAccount
from limits.frequency import Contacted
from limits.keys import CONTACT_KEY, PROFESSIONALS, account_keys
from limits.model import PROFESSIONAL
from limits.script_loader import script
from limits.stores import is_cluster, open_store

SLICE = 500
"""Records in one pipeline."""


class Note(NamedTuple):
    """One thing to record of one person."""

    key: str
    """Digest of the number."""
    happened: Contacted
    keep_ms: int
    """How long it must be kept from now on."""
    text: str
    """Who recorded what, with which proof; kept beside it."""


class ContactRecord(NamedTuple):
    """All that is recorded of one person."""

    happened: Contacted
    notes: tuple[str, ...]
    """Oldest first, at most 100."""
    keep_ms: int
    """Forgotten so much later; 0: nothing is recorded."""
    attempts_ms: tuple[int, ...]
    """Instants of the latest attempts that count."""


class ContactBook:
    """The people one store knows. Use as `async with ContactBook(url) as book`. Raises StoreUnavailable."""

    def __init__(self, url: str) -> None:
        """Raises ValueError where the URL is not one (see `limits.address`)."""
        self._redis: Redis = open_store(url)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._redis.aclose()

    async def agree_on_key(self, fingerprint: str) -> str:
        """The fingerprint of the key this store's digests are made with: ours, where it had none."""
        try:
            await self._redis.set(CONTACT_KEY, fingerprint, nx=True)
            return str(await self._redis.get(CONTACT_KEY))
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault

    async def key_in_use(self) -> str:
        """The fingerprint of the key this store's digests are made with; empty: none has been made."""
        try:
            return str(await self._redis.get(CONTACT_KEY) or "")
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault

    async def change_key(self, fingerprint: str) -> None:
        """Digests are made with another key from now on: what was recorded under the old one is found no more."""
        try:
            await self._redis.set(CONTACT_KEY, fingerprint)
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault

    async def share(self, professionals: Mapping[str, str]) -> None:
        """account -> the professional it calls for, of those that share one: their people are recorded together."""
        try:
            async with self._redis.pipeline(transaction=not is_cluster(self._redis)) as pipe:
                pipe.delete(PROFESSIONALS)
                if professionals:
                    pipe.hset(PROFESSIONALS, items=[word for pair in professionals.items() for word in pair])
                await pipe.execute()
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault

    async def holder_of(self, account: AccountId) -> str:
        """Under whom this account's people are recorded: itself, or its professional. Raises UnknownAccount where it
        is no account."""
        if not is_account_id(account):
            raise UnknownAccount(account)
        try:
            professional = await self._redis.hget(PROFESSIONALS, account)
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault
        return PROFESSIONAL + str(professional) if professional else account

    async def note(self, account: AccountId, notes: Iterable[Note]) -> list[Contacted]:
        """Records these, in order; what is recorded of each of them then. Raises UnknownAccount."""
        noting, todo, found = script("contact"), list(notes), []
        keys = account_keys(await self.holder_of(account))
        try:
            for first in range(0, len(todo), SLICE):
                words = []
                for one in todo[first : first + SLICE]:
                    contact = keys.contact_prefix + one.key
                    happened = map(str, one.happened)
                    words.append((keys.account, contact, f"{contact}:log", *happened, str(one.keep_ms), one.text))
                for reply in await self._run_each(noting.text, noting.sha1, words):
                    if not isinstance(reply, list) or reply[0] == 0:
                        raise UnknownAccount(account)
                    found.append(Contacted(*map(int, reply[1:])))
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault
        return found

    async def _run_each(self, text: str, sha1: str, words: Sequence[tuple[str, ...]]) -> list[object]:
        if is_cluster(self._redis):
            return [await self._redis.eval(text, 3, *one) for one in words]
        await self._redis.script_load(text)
        async with self._redis.pipeline(transaction=False) as pipe:
            for one in words:
                pipe.evalsha(sha1, 3, *one)
            return list(await pipe.execute())

    async def read(self, account: AccountId, key: str, *, frequency: str) -> ContactRecord:
        """What is recorded of this person, and the attempts counted under this frequency. Raises UnknownAccount."""
        keys = account_keys(await self.holder_of(account))
        contact = keys.contact_prefix + key
        try:
            if not await self._redis.hexists(keys.account, "generation"):
                raise UnknownAccount(account)
            found = await self._redis.hmget(contact, list(Contacted._fields))
            notes = await self._redis.lrange(f"{contact}:log", 0, -1)
            left = int(await self._redis.pttl(contact))
            attempts = await self._redis.zrange(f"{keys.frequency_prefix}{frequency}:{key}", 0, -1, withscores=True)
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault
        happened = Contacted(*[int(value or 0) for value in found])
        times = tuple([int(pair[1]) for pair in attempts])
        return ContactRecord(happened, tuple(map(str, notes)), max(0, left), times)


def note_text(**words: str | int) -> str:
    """What is kept beside a record, as one line."""
    return json.dumps(words, ensure_ascii=False, separators=(",", ":"))
