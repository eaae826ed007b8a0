"""What the guard does to an account: for a time, so that it returns by itself. I/O, by `limits.accounts` (R9).

An account that somebody suspended or closed is left alone, and nothing is ever raised. Lots stay sold while they are
withheld: who bills them leaves these changes out, by their author.
"""

from edge.quality.guard import AUTHOR
from edge.quality.rules import Rule
from limits.account import AccountId, AccountStatus
from limits.accounts import AccountStore
from limits.errors import StaleGeneration
from limits.fields import Patch
from limits.model import Usage

TRIES = 5


def patch_of(rule: Rule, usage: Usage, *, half_open: bool) -> Patch:
    """The values to be for a time; empty: nothing to do. Pure."""
    account = usage.account
    if account.status is not AccountStatus.ACTIVE:
        return {}
    if rule.action == "suspend" and not half_open:
        return {"status": AccountStatus.SUSPENDED}
    is_ours = any(name == "caps_base" for name, _, _ in usage.reverts)
    if account.caps <= rule.throttle_caps and not is_ours:
        return {}
    burst: Patch = {} if account.caps_burst is None else {"caps_burst": None}
    return {"caps_base": rule.throttle_caps, "caps_lots": 0, **burst}


async def restrict(
    accounts: AccountStore, holder: AccountId, rule: Rule, *, half_open: bool, until_ms: int, why: str
) -> bool:
    """Throttle or suspend until that instant; half open is always a throttle. False: there was nothing to do.

    Raises UnknownAccount, StoreUnavailable."""
    for _ in range(TRIES):
        usage = await accounts.peek(holder)
        patch = patch_of(rule, usage, half_open=half_open)
        if not patch:
            return False
        try:
            generation = usage.account.generation
            await accounts.change(holder, generation=generation, patch=patch, by=AUTHOR, why=why, until_ms=until_ms)
        except StaleGeneration:
            continue
        return True
    return False
