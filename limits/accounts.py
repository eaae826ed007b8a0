"""Account documents in the store: provision, read, compare-and-set, audit.

I/O, through redis-py: off the hot path, where its connections, TLS and retries are worth their price. What is changed
here is in force at the next `admit` on every node, as the admission script reads the values itself (R9).
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Self

import redis.exceptions
from redis.asyncio import Redis

from limits import fields
from limits.account import Account, AccountId, is_holder_id
from limits.errors import StaleGeneration, StoreUnavailable, UnknownAccount, UsedReference
from limits.foresight import Foreseen, Sight, foresee
from limits.frequency import Contacted
from limits.keys import AUDIT_LENGTH, HOLDERS, account_keys
from limits.model import MAX_LEASE_MS, Admit, Usage
from limits.rates import MAX_MONEY_MICROS
from limits.script_loader import Script, script
from limits.stores import is_cluster, open_store
from limits.wire import Garbage, usage_of

SLICE = 500
"""Accounts in one pipeline: bounded memory, and the store serves calls in between."""


MAX_SUMMED = 5_000
"""Calls whose holds are summed up when books are verified: the script's work is bounded."""


class Provisioned(NamedTuple):
    """What an import did, in numbers of accounts."""

    created: int
    changed: int
    unchanged: int


class AuditEntry(NamedTuple):
    """One change of an account."""

    at_ms: int
    generation: int
    by: str
    why: str
    until_ms: int | None
    """When the values return by themselves; None: for good."""
    values: tuple[tuple[str, str, str], ...]
    """(name, before, after); for a top-up also `reference` and `amount_micros`, with nothing before."""


class AccountStore:
    """The accounts of one store. Use as `async with AccountStore(url) as accounts`. Raises StoreUnavailable."""

    def __init__(self, url: str) -> None:
        """Raises ValueError where the URL is not one (see `limits.address`)."""
        self._redis: Redis = open_store(url)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._redis.aclose()

    async def provision(
        self,
        accounts: Iterable[Account],
        *,
        opening: Mapping[str, int] | None = None,
        by: str = "policy file",
        why: str = "created",
        only_new: bool = False,
    ) -> Provisioned:
        """Brings the values of the policy file in.

        Creates what is not there, with its opening balance in micro-units; writes, one generation up, where the file's
        values are not those last imported; else touches nothing, so that a value raised in the store outlives a
        restart. Accounts the file no longer names are left as they are: the policy refuses them before the limits are
        asked. With `only_new` nothing that is there is changed: it counts as unchanged.
        """
        counts = [0, 0, 0]
        todo = list(accounts)
        provision = script("provision")
        try:
            for first in range(0, len(todo), SLICE):
                part = todo[first : first + SLICE]
                requests = []
                for account in part:
                    keys = account_keys(account.id)
                    start = str((opening or {}).get(account.id, 0))
                    only = "1" if only_new else ""
                    head = (fields.digest(account), by, why, str(AUDIT_LENGTH), start, account.id, only)
                    names = (keys.account, keys.audit, keys.refs, keys.reverts)
                    requests.append((*names, *head, *fields.to_fields(account)))
                await self._redis.sadd(HOLDERS, *[account.id for account in part])
                for reply in await self._run_each(provision, requests, keys=4):
                    counts[int(str(reply[1]))] += 1
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(f"accounts could not be provisioned: {fault}") from fault
        return Provisioned(created=counts[1], changed=counts[2], unchanged=counts[0])

    async def _run_each(self, what: Script, requests: list[tuple[str, ...]], *, keys: int) -> list[list[object]]:
        """The same script for each of these; in one pipeline where the store can."""
        if is_cluster(self._redis):
            return [list(await self._redis.eval(what.text, keys, *words)) for words in requests]
        await self._redis.script_load(what.text)
        async with self._redis.pipeline(transaction=False) as pipe:
            for words in requests:
                pipe.evalsha(what.sha1, keys, *words)
            return [list(reply) for reply in await pipe.execute()]

    async def read(self, account: AccountId) -> Account:
        """The values in force. Raises UnknownAccount; ValueError where the store holds something else."""
        return (await self.peek(account)).account

    async def peek(self, account: AccountId) -> Usage:
        """Everything in force and in use, nothing taken. Raises UnknownAccount; ValueError as `read`."""
        keys = account_keys(account)
        return _usage(account, await self._ask(account, script("peek"), *keys[:5], keys.reverts, keys=6))

    async def foresee(self, verb: Admit) -> Foreseen:
        """What `admit` would answer this verb now; takes nothing. Several reads: what changes between them may show.
        Raises UnknownAccount, StoreUnavailable; ValueError as `read`."""
        holder, keys = AccountId(verb.account), account_keys(verb.account)
        reply = await self._ask(holder, script("peek"), *keys[:5], keys.reverts, keys=6)
        ask, counted = self._redis, []
        try:
            fields_, prefixes, shares = [_pairs(reply[place]) for place in (3, 6, 8)]
            contacted = Contacted()
            if verb.contact is not None:
                found = await ask.hmget(keys.contact_prefix + verb.contact.key, list(Contacted._fields))
                contacted = Contacted(*[int(value or 0) for value in found])
            for one in verb.frequencies:
                times = await ask.zrange(f"{keys.frequency_prefix}{one.name}:{one.key}", 0, -1, withscores=True)
                counted.append((one, {str(pair[0]): int(pair[1]) for pair in times}))
            members: dict[str, tuple[int, int]] = {}
            if verb.member:
                after = f"({reply[1]}"
                kept = _texts(await ask.hgetall(f"{keys.account}:reserved"))
                for name in {verb.member, *kept}:
                    held = await ask.zcount(f"{keys.leases}:@{name}", after, "+inf")
                    members[name] = int(kept.get(name, "0")), int(held)
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault
        sight = Sight(
            now_ms=int(str(reply[1])),
            in_use=int(str(reply[2])),
            fields=fields_,
            prefixes={name: int(number) for name, number in prefixes.items()},
            shares=shares,
            contacted=contacted,
            counted=tuple(counted),
            members=members,
        )
        return foresee(holder, verb, sight)

    async def peek_many(self, accounts: Iterable[AccountId]) -> tuple[list[Usage], list[tuple[AccountId, str]]]:
        """The same of many, in their order; and (account, why) of those that cannot be read."""
        todo = list(accounts)
        usages: list[Usage] = []
        spoilt: list[tuple[AccountId, str]] = []
        try:
            for first in range(0, len(todo), SLICE):
                part = todo[first : first + SLICE]
                replies = await self._peek_each(part)
                for account, reply in zip(part, replies, strict=True):
                    try:
                        usages.append(_usage(account, reply))
                    except (UnknownAccount, ValueError) as fault:
                        spoilt.append((account, str(fault)))
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault
        return usages, spoilt

    async def _peek_each(self, part: list[AccountId]) -> list[object]:
        """A reply, or the error that stands for it, of each."""
        peek = script("peek")
        requests = [(*account_keys(account)[:5], account_keys(account).reverts) for account in part]
        replies: list[object] = []
        if is_cluster(self._redis):
            for keys in requests:
                try:
                    replies.append(await self._redis.eval(peek.text, 6, *keys))
                except redis.exceptions.ResponseError as error:
                    replies.append(error)
            return replies
        await self._redis.script_load(peek.text)
        async with self._redis.pipeline(transaction=False) as pipe:
            for keys in requests:
                pipe.evalsha(peek.sha1, 6, *keys)
            replies += await pipe.execute(raise_on_error=False)
        return replies

    async def holders(self) -> tuple[str, ...]:
        """Every account, group (`group:ID`) and trunk (`trunk:ID`) of the store, in order."""
        try:
            found = await self._redis.smembers(HOLDERS)
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault
        return tuple(sorted(str(name) for name in found))

    async def change(
        self,
        account: AccountId,
        *,
        generation: int,
        patch: fields.Patch,
        by: str,
        why: str,
        until_ms: int | None = None,
    ) -> Account:
        """Compare-and-set of some values; returns those now in force. With `until_ms` (UTC, of the store's clock) each
        of them returns by itself to what it was before.

        Raises UnknownAccount; StaleGeneration where somebody was faster; ValueError for what cannot be.
        """
        before = await self.read(account)
        if before.generation != generation:
            raise StaleGeneration(account, expected=generation, found=before.generation)
        after = fields.patched(before, patch)
        keys = account_keys(account)
        until = "" if until_ms is None else str(until_ms)
        head = (str(generation), by, why, str(AUDIT_LENGTH), until, account)
        values = (*head, *fields.to_fields(after, only=patch))
        reply = await self._ask(account, script("change"), keys.account, keys.audit, keys.reverts, *values, keys=3)
        if reply[0] == 2:
            raise StaleGeneration(account, expected=generation, found=int(str(reply[1])))
        return fields.at_generation(after, int(str(reply[1])))

    async def top_up(
        self, account: AccountId, *, amount: int, reference: str, by: str, why: str = ""
    ) -> tuple[int, bool]:
        """Credit money actually received (contract article 12.7.3), in micro-units; negative: a correction.

        Returns the balance and whether this reference had been booked before: then nothing was changed. Raises
        UnknownAccount; UsedReference where it had been booked with another amount; ValueError for no amount."""
        if not amount or abs(amount) > MAX_MONEY_MICROS or not reference:
            raise ValueError("a top-up needs an amount and a reference")
        keys = account_keys(account)
        values = (str(amount), reference, by, why, str(AUDIT_LENGTH), account)
        reply = await self._ask(account, script("top_up"), keys.account, keys.audit, keys.refs, *values, keys=3)
        if reply[0] == 3:
            raise UsedReference(account, reference, int(str(reply[1])))
        return int(str(reply[1])), reply[2] == 1

    async def booked(self, account: AccountId, reference: str) -> int | None:
        """The amount this reference stands for, in micro-units; None: it has not been used."""
        try:
            found = await self._redis.hget(account_keys(account).refs, reference)
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault
        return None if found is None else int(found)

    async def verify(self, account: AccountId) -> tuple[str, ...]:
        """Which invariants (`limits.model.INVARIANTS`) the books of this holder break; none: they add up. Raises
        UnknownAccount."""
        words = (*account_keys(account)[:5], str(MAX_SUMMED), str(MAX_LEASE_MS))
        reply = await self._ask(account, script("verify"), *words, keys=5)
        broken = reply[1]
        return tuple([str(name) for name in broken]) if isinstance(broken, list) else ()

    async def audit(self, account: AccountId, *, last: int = 100) -> tuple[AuditEntry, ...]:
        """The latest changes, the newest first."""
        if not is_holder_id(account):
            raise UnknownAccount(account)
        try:
            found = await self._redis.xrevrange(account_keys(account).audit, count=last)
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault
        return tuple([_entry(str(stream_id), _texts(values or {})) for stream_id, values in found or ()])

    async def _ask(self, account: AccountId, what: Script, *words: str, keys: int) -> list[object]:
        """Run a script of this account. Raises UnknownAccount, StoreUnavailable."""
        if not is_holder_id(account):
            raise UnknownAccount(account)
        try:
            reply = await self._redis.eval(what.text, keys, *words)
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault
        answer: list[object] = list(reply)
        if answer[0] == 0:
            raise UnknownAccount(account)
        return answer


def _usage(account: AccountId, reply: object) -> Usage:
    """Raises UnknownAccount; ValueError where the reply is none of ours."""
    if isinstance(reply, redis.exceptions.RedisError):
        raise ValueError(str(reply)) from reply
    try:
        usage = usage_of(account, _as_bytes(reply))
    except Garbage as fault:
        raise ValueError(str(fault)) from fault
    if usage is None:
        raise UnknownAccount(account)
    return usage


def _texts(found: Mapping[bytes | str, bytes | str]) -> dict[str, str]:
    """What redis-py types as bytes or text is text here: this client decodes."""
    return {str(name): str(value) for name, value in found.items()}


def _pairs(flat: object) -> dict[str, str]:
    """name, value, name, value …"""
    words = [str(word) for word in flat] if isinstance(flat, list) else []
    return dict(zip(words[::2], words[1::2], strict=True))


def _as_bytes(reply: object) -> object:
    """A reply as the wire has it: this client decodes words."""
    if isinstance(reply, list):
        return [_as_bytes(item) for item in reply]
    return reply.encode() if isinstance(reply, str) else reply


def _entry(stream_id: str, rest: dict[str, str]) -> AuditEntry:
    generation, by, why = int(rest.pop("generation", "0")), rest.pop("by", ""), rest.pop("why", "")
    until = rest.pop("until", "")
    names = [name for name in rest if not name.startswith("was:")]
    values = tuple([(name, rest.get(f"was:{name}", ""), rest[name]) for name in names])
    return AuditEntry(int(stream_id.partition("-")[0]), generation, by, why, int(until) if until else None, values)
