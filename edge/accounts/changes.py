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
from edge.accounts.values import Changed, Created, Terms, ToppedUp, WrongState
from edge.config.errors import Problem, StaticConfigError
from edge.config.money import format_money
from edge.settings import UNREADABLE_STORE, read_settings
from edge.terminal import Place as Place
from limits import fields
from limits.account import Account, AccountId, AccountStatus
from limits.accounts import AccountStore, AuditEntry
from limits.address import parse_address
from limits.embedded import socket_path
from limits.errors import EmbeddedStoreError, StaleGeneration, StoreUnavailable, UnknownAccount, UsedReference
from limits.model import Usage

TRIES = 5
"""A relative change is tried so often where others change the same account."""

_T = TypeVar("_T")
Plan = Callable[[Usage], tuple[fields.Patch, bool]]
"""Of what is in force: the patch, and whether it may be made again on other values. Raises ValueError."""


class Refused(Exception):
    """It was not done; one sentence says why, and what was expected."""


def run(place: Place, work: Callable[[AccountStore], Awaitable[_T]]) -> _T:
    """Open the store, do the work. Raises Refused; StaticConfigError where the settings are wrong."""
    url, shown = store_url(place)

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


def store_url(place: Place) -> tuple[str, str]:
    """The store's URL, and how to name it without its password."""
    # The file is that of `edge run`; a policy is the one thing it must name that nobody needs here.
    settings = read_settings({"redis": place.redis, "state": place.state, "policy": "-"}, place.config)
    if settings.redis != "embedded":
        try:
            return settings.redis, str(parse_address(settings.redis))
        except ValueError:
            raise StaticConfigError([Problem("redis (--redis / EDGE_REDIS)", UNREADABLE_STORE)]) from None
    try:
        path = socket_path(Path(settings.state) / "store")
    except EmbeddedStoreError as error:
        raise Refused(str(error)) from error
    if not path.exists():
        raise Refused(f"no edge with an embedded store runs on {settings.state}: expected its --state, or --redis URL")
    return f"unix://{path.resolve()}", f"embedded in {settings.state}"


async def peek_all(store: AccountStore, prefix: str) -> tuple[list[Usage], list[str]]:
    """Every holder whose name begins so, in order; a sentence for each that cannot be read."""
    names = [AccountId(name) for name in await store.holders() if name.startswith(prefix)]
    usages, spoilt = await store.peek_many(names)
    return usages, [f"{name}: cannot be read: {why}" for name, why in spoilt]


async def verify(store: AccountStore, prefix: str) -> tuple[int, list[tuple[str, str]]]:
    """How many holders were looked at, and (holder, invariant) of each that its books break."""
    names = [AccountId(name) for name in await store.holders() if name.startswith(prefix)]
    return len(names), [(name, invariant) for name in names for invariant in await store.verify(name)]


async def history(store: AccountStore, holder: AccountId, last: int) -> list[AuditEntry]:
    """The latest changes, the newest first. Raises UnknownAccount."""
    found = await store.audit(holder, last=last)
    if not found:
        await store.read(holder)
    return list(found)


async def create(store: AccountStore, wanted: Account, opening_micros: int, terms: Terms) -> Created:
    """A new account. Raises Refused where it is there."""
    holder = wanted.id
    if terms.dry_run:
        try:
            found = await store.read(holder)
        except UnknownAccount:
            return Created(wanted, opening_micros)
    else:
        opening: dict[str, int] = {holder: opening_micros}
        why = terms.reason or "created"
        done = await store.provision([wanted], opening=opening, by=terms.by, why=why, only_new=True)
        if done.created:
            return Created(wanted, opening_micros)
        found = await store.read(holder)
    raise Refused(f"account {holder!r} is there, at generation {found.generation}; to change it: set {holder} …")


def lots_plan(field: str, lots: str) -> Plan:
    """`+1`, `-2`, `3` lots of `caps_lots` or `call_lots`. Raises ValueError when it is asked."""

    def plan(found: Usage) -> tuple[fields.Patch, bool]:
        number, is_relative = values.lots_of(lots, getattr(found.account, field))
        return {field: number}, is_relative

    return plan


def status_plan(status: AccountStatus, *, cut: bool, reopen: bool, is_sure: bool) -> Plan:
    """Suspended, closed or active again; `cut`: running calls are ended too; `is_sure`: close it although calls run.
    Raises WrongState when it is asked."""

    def plan(found: Usage) -> tuple[fields.Patch, bool]:
        before = found.account
        after = values.next_status(before, status, reopen=reopen)
        is_closing = after is AccountStatus.CLOSED and before.status is not AccountStatus.CLOSED
        if is_closing and found.in_use and not is_sure:
            raise WrongState(
                f"account {before.id!r} has {found.in_use} running calls: expected none, or --yes; they run to their "
                "end, or with --cut are ended now"
            )
        # Whoever was to be cut stays so until calls pass again.
        is_cut = status is not AccountStatus.ACTIVE and (cut or before.is_cut)
        return {"status": after, "is_cut": is_cut}, True

    return plan


async def change(store: AccountStore, holder: AccountId, plan: Plan, terms: Terms) -> Changed:
    """Change some values. Raises StaleGeneration, ValueError."""
    tries = TRIES
    while True:
        usage = await store.peek(holder)
        found = usage.account
        if terms.generation not in (None, found.generation):
            raise StaleGeneration(holder, expected=terms.generation or 0, found=found.generation)
        until = values.until_of(terms.until, usage.now_ms) if terms.until else None
        planned, is_relative = plan(usage)
        pending = {name: back for name, _, back in usage.reverts}
        # A value that is what is wanted, but only for a time, is to stay, or to stay longer.
        patch = {name: value for name, value in planned.items() if getattr(found, name) != value or name in pending}
        wanted = fields.patched(found, patch)
        if not patch:
            return Changed(found, found, None)
        before = {name: fields.to_text(name, getattr(found, name)) for name in patch}
        told = Changed(
            found,
            wanted,
            until,
            cancelled=tuple(
                [
                    one
                    for one in usage.reverts
                    if until is None and one[0] in patch and one[2] != fields.to_text(one[0], getattr(wanted, one[0]))
                ]
            ),
            returns=() if until is None else tuple([(name, pending.get(name, before[name])) for name in patch]),
        )
        if terms.dry_run:
            return told
        try:
            after = await store.change(
                holder, generation=found.generation, patch=patch, by=terms.by, why=terms.reason, until_ms=until
            )
        except StaleGeneration:
            tries -= 1
            if not is_relative or terms.generation is not None or not tries:
                raise
        else:
            return told._replace(after=after)


async def top_up(store: AccountStore, holder: AccountId, amount: int, reference: str, terms: Terms) -> ToppedUp:
    """Credit so many micro-units. Raises UsedReference."""
    before = (await store.peek(holder)).balance_micros
    if terms.dry_run:
        booked = await store.booked(holder, reference)
        if booked not in (None, amount):
            raise UsedReference(holder, reference, booked or 0)
        return ToppedUp(before, before if booked else before + amount, already=booked is not None)
    after, already = await store.top_up(holder, amount=amount, reference=reference, by=terms.by, why=terms.reason)
    return ToppedUp(after if already else after - amount, after, already)
