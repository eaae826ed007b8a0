"""Accounts without a call for months (contract article 17.3): who they are, and closing them. I/O, by
`limits.accounts`.

An account that has never had a call is as old as the first entry of its history; where that is no longer kept, nobody
knows how old it is, and it is never closed by itself.
"""

from typing import NamedTuple

from edge.quality.hours import months_before
from edge.quality.terms import Terms
from limits.account import KINDS, AccountId, AccountStatus
from limits.accounts import AccountStore
from limits.errors import StaleGeneration, UnknownAccount
from limits.model import Usage


class Idle(NamedTuple):
    """An account without a call since long."""

    account: AccountId
    status: str
    last_call_ms: int
    """0: it has never had one."""
    created_ms: int
    """Of one that has never had a call; 0: not known, or not asked for."""
    generation: int
    balance_micros: int

    @property
    def is_closable(self) -> bool:
        """Is it open, and is it known since when it is idle? Its balance does not matter: it stays in the books."""
        return self.status != AccountStatus.CLOSED and bool(self.last_call_ms or self.created_ms)


async def find_idle(accounts: AccountStore, terms: Terms, *, months: int, prefix: str = "") -> list[Idle]:
    """Every account that has had no call for so many months and is not closed. Raises StoreUnavailable."""
    names = [
        AccountId(name) for name in await accounts.holders() if name.startswith(prefix) and not name.startswith(KINDS)
    ]
    usages, _ = await accounts.peek_many(names)
    found = []
    for usage in usages:
        if usage.account.status is AccountStatus.CLOSED or usage.in_use:
            continue
        before_ms = months_before(usage.now_ms // 1_000, months, terms.zone) * 1_000
        if usage.last_call_ms > before_ms:
            continue
        created = 0 if usage.last_call_ms else await _created_ms(accounts, usage)
        if created <= before_ms:
            account = usage.account
            found.append(
                Idle(
                    account.id,
                    str(account.status),
                    usage.last_call_ms,
                    created,
                    account.generation,
                    usage.balance_micros,
                )
            )
    return found


async def close_one(accounts: AccountStore, idle: Idle, *, by: str, why: str) -> bool:
    """Closes it, unless somebody has changed it or called since. Raises StoreUnavailable."""
    try:
        usage = await accounts.peek(idle.account)
        if usage.in_use or usage.last_call_ms != idle.last_call_ms:
            return False
        patch = {"status": AccountStatus.CLOSED}
        await accounts.change(idle.account, generation=idle.generation, patch=patch, by=by, why=why)
    except (StaleGeneration, UnknownAccount):
        return False
    return True


async def close_idle(accounts: AccountStore, terms: Terms) -> list[str]:
    """Closes all that may be; returns their names. Raises StoreUnavailable."""
    months = terms.billing.idle_months
    closed = []
    for idle in await find_idle(accounts, terms, months=months):
        why = f"no call for {months} months"
        if idle.is_closable and await close_one(accounts, idle, by="edge", why=why):
            closed.append(str(idle.account))
    return closed


async def _created_ms(accounts: AccountStore, usage: Usage) -> int:
    entries = await accounts.audit(usage.account.id, last=2_000)
    return entries[-1].at_ms if entries and entries[-1].generation == 1 else 0
