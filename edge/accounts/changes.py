"""How an account in the store is changed by hand: compare-and-set on what was read (R9). I/O, by `limits.accounts`.

Where somebody else was faster, a relative change (`+1`) is made again on the new values; an absolute one is refused
with what was found.
"""

import asyncio
from collections.abc import Awaitable, Callable
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

from edge.accounts import values
from edge.accounts.values import Changed, Terms, ToppedUp
from edge.config.money import format_money
from limits import fields
from limits.account import Account, AccountId
from limits.accounts import AccountStore, AuditEntry
from limits.address import parse_address
from limits.embedded import socket_path
from limits.errors import EmbeddedStoreError, StaleGeneration, StoreUnavailable, UnknownAccount, UsedReference
from limits.model import Usage

TRIES = 5
"""A relative change is tried so often where others change the same account."""

_T = TypeVar("_T")
Plan = Callable[[Account], tuple[fields.Patch, bool]]
"""Of the values in force: the patch, and whether it may be made again on other values. Raises ValueError."""


class Refused(Exception):
    """It was not done; one sentence says why, and what was expected."""


def run(redis: str, state: str, work: Callable[[AccountStore], Awaitable[_T]]) -> _T:
    """Open the store, do the work. Raises Refused."""
    url, shown = _url(redis, state)

    async def do() -> _T:
        async with AccountStore(url) as store:
            try:
                return await work(store)
            except UnknownAccount as error:
                near = get_close_matches(error.account, await store.holders(), 3, 0.5)
                raise Refused(f"{error}{'; near to it: ' + ', '.join(near) if near else ''}") from error

    try:
        return asyncio.run(do())
    except StoreUnavailable as error:
        raise Refused(f"the store {shown}: {error}") from error
    except StaleGeneration as error:
        raise Refused(f"{error}: somebody changed it; look at it (show, history) and decide again") from error
    except UsedReference as error:
        raise Refused(f"{error}, {format_money(error.amount_micros)}: nothing was booked") from error
    except ValueError as error:
        raise Refused(str(error)) from error


def _url(redis: str, state: str) -> tuple[str, str]:
    """The store's URL, and how to name it without its password."""
    if redis != "embedded":
        try:
            return redis, str(parse_address(redis))
        except ValueError as error:
            raise Refused(f"--redis: {error}") from error
    try:
        path = socket_path(Path(state) / "store")
    except EmbeddedStoreError as error:
        raise Refused(str(error)) from error
    if not path.exists():
        raise Refused(f"no edge with an embedded store runs on {state}: expected its --state, or --redis URL")
    return f"unix://{path.resolve()}", f"embedded in {state}"


async def peek_all(store: AccountStore, prefix: str) -> list[Usage]:
    """Every holder whose name begins so, in order."""
    return [await store.peek(AccountId(name)) for name in await store.holders() if name.startswith(prefix)]


async def verify(store: AccountStore, prefix: str) -> tuple[int, list[tuple[str, str]]]:
    """How many holders were looked at, and (holder, invariant) of each that its books break."""
    names = [AccountId(name) for name in await store.holders() if name.startswith(prefix)]
    return len(names), [(name, invariant) for name in names for invariant in await store.verify(name)]


async def history(store: AccountStore, holder: AccountId, last: int) -> list[AuditEntry]:
    """The latest changes, the newest first. Raises UnknownAccount."""
    await store.read(holder)
    return list(await store.audit(holder, last=last))


async def create(store: AccountStore, wanted: Account, opening_micros: int, terms: Terms) -> Changed:
    """A new account. Raises Refused where it is there."""
    holder = wanted.id
    try:
        found = await store.read(holder)
    except UnknownAccount:
        if not terms.dry_run:
            why = terms.reason or "created"
            await store.provision([wanted], opening={holder: opening_micros}, by=terms.by, why=why)
        return Changed(Account(holder), wanted, None)
    raise Refused(f"account {holder!r} is there, at generation {found.generation}; to change it: set {holder} …")


async def change(store: AccountStore, holder: AccountId, plan: Plan, terms: Terms) -> Changed:
    """Change some values. Raises StaleGeneration, ValueError."""
    tries = TRIES
    while True:
        usage = await store.peek(holder)
        found = usage.account
        if terms.generation not in (None, found.generation):
            raise StaleGeneration(holder, expected=terms.generation or 0, found=found.generation)
        until = values.until_of(terms.until, usage.now_ms) if terms.until else None
        planned, is_relative = plan(found)
        patch = {name: value for name, value in planned.items() if getattr(found, name) != value}
        wanted = fields.patched(found, patch)
        cancelled = tuple([one for one in usage.reverts if one[0] in patch]) if until is None else ()
        if not patch or terms.dry_run:
            return Changed(found, wanted, until, cancelled)
        try:
            after = await store.change(
                holder, generation=found.generation, patch=patch, by=terms.by, why=terms.reason, until_ms=until
            )
        except StaleGeneration:
            tries -= 1
            if not is_relative or terms.generation is not None or not tries:
                raise
        else:
            return Changed(found, after, until, cancelled)


async def top_up(store: AccountStore, holder: AccountId, amount: int, reference: str, terms: Terms) -> ToppedUp:
    """Credit so many micro-units. Raises UsedReference."""
    before = (await store.peek(holder)).balance_micros
    if terms.dry_run:
        return ToppedUp(before, before + amount, already=False)
    after, already = await store.top_up(holder, amount=amount, reference=reference, by=terms.by, why=terms.reason)
    return ToppedUp(after if already else after - amount, after, already)
