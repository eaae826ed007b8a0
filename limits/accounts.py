"""Account documents in the store: provision, read, compare-and-set, audit.

I/O, through redis-py: off the hot path, where its connections, TLS and retries are worth their price. What is changed
here is in force at the next `admit` on every node, as the admission script reads the values itself (R9).
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Self

import redis.asyncio
import redis.exceptions
from redis.asyncio import Redis

from limits import fields
from limits.address import parse_address
from limits.errors import StaleGeneration, StoreUnavailable, UnknownAccount
from limits.keys import AUDIT_LENGTH, account_keys
from limits.model import Account, AccountId, is_account_id
from limits.script_loader import script

SLICE = 500
"""Accounts in one pipeline: bounded memory, and the store serves calls in between."""

TIMEOUT_S = 5.0


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
    values: tuple[tuple[str, str], ...]


class AccountStore:
    """The accounts of one store. Use as `async with AccountStore(url) as accounts`. Raises StoreUnavailable."""

    def __init__(self, url: str) -> None:
        """Raises ValueError where the URL is not one (see `limits.address`)."""
        parse_address(url)
        self._redis: Redis = redis.asyncio.from_url(
            url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, decode_responses=True, protocol=2
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._redis.aclose()

    async def provision(self, accounts: Iterable[Account], *, by: str = "policy file") -> Provisioned:
        """Brings the values of the policy file in.

        Creates what is not there; writes, one generation up, where the file's values are not those last imported;
        else touches nothing, so that a value raised in the store outlives a restart. Accounts the file no longer
        names are left as they are: the policy refuses them before the limits are asked.
        """
        counts = [0, 0, 0]
        todo = list(accounts)
        provision = script("provision")
        try:
            await self._redis.script_load(provision.text)
            for first in range(0, len(todo), SLICE):
                async with self._redis.pipeline(transaction=False) as pipe:
                    for account in todo[first : first + SLICE]:
                        keys = account_keys(account.id)
                        values = [fields.digest(account), by, str(AUDIT_LENGTH), *fields.to_fields(account)]
                        pipe.evalsha(provision.sha1, 2, keys.account, keys.audit, *values)
                    for reply in await pipe.execute():
                        counts[int(reply[1])] += 1
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(f"accounts could not be provisioned: {fault}") from fault
        return Provisioned(created=counts[1], changed=counts[2], unchanged=counts[0])

    async def read(self, account: AccountId) -> Account:
        """The values in force. Raises UnknownAccount; ValueError where the store holds something else."""
        if not is_account_id(account):
            raise UnknownAccount(account)
        try:
            found = await self._redis.hgetall(account_keys(account).account)
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault
        if "generation" not in found:
            raise UnknownAccount(account)
        return fields.from_fields(account, _texts(found))

    async def change(self, account: AccountId, *, generation: int, patch: fields.Patch, by: str, why: str) -> Account:
        """Compare-and-set of some values; returns those now in force.

        Raises UnknownAccount; StaleGeneration where somebody was faster; ValueError for what cannot be.
        """
        before = await self.read(account)
        if before.generation != generation:
            raise StaleGeneration(account, expected=generation, found=before.generation)
        after = fields.patched(before, patch)
        keys = account_keys(account)
        values = [str(generation), by, why, str(AUDIT_LENGTH), *fields.to_fields(after, only=patch)]
        text = script("change").text
        try:
            reply = await self._redis.eval(text, 2, keys.account, keys.audit, *values)
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault
        if reply[0] == 0:
            raise UnknownAccount(account)
        if reply[0] == 2:
            raise StaleGeneration(account, expected=generation, found=int(reply[1]))
        return fields.at_generation(after, int(reply[1]))

    async def audit(self, account: AccountId, *, last: int = 100) -> tuple[AuditEntry, ...]:
        """The latest changes, the newest first."""
        if not is_account_id(account):
            raise UnknownAccount(account)
        try:
            found = await self._redis.xrevrange(account_keys(account).audit, count=last)
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault
        return tuple([_entry(str(stream_id), _texts(values or {})) for stream_id, values in found or ()])


def _texts(found: Mapping[bytes | str, bytes | str]) -> dict[str, str]:
    """What redis-py types as bytes or text is text here: this client decodes."""
    return {str(name): str(value) for name, value in found.items()}


def _entry(stream_id: str, rest: dict[str, str]) -> AuditEntry:
    generation, by, why = int(rest.pop("generation", "0")), rest.pop("by", ""), rest.pop("why", "")
    return AuditEntry(int(stream_id.partition("-")[0]), generation, by, why, tuple(rest.items()))
