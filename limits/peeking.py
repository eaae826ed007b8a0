"""A look at an account that is under way: its reply awaited and read. Off the hot path."""

import asyncio

from limits.account import AccountId
from limits.errors import StoreUnavailable
from limits.model import Usage
from limits.wire import Garbage, usage_of

PEEK_TIMEOUT_S = 1.0


async def usage_from(future: asyncio.Future[object], account: AccountId) -> Usage | None:
    """None: no such account. Raises StoreUnavailable."""
    try:
        async with asyncio.timeout(PEEK_TIMEOUT_S):
            reply = await future
    except TimeoutError as fault:
        raise StoreUnavailable(f"no answer to a peek within {PEEK_TIMEOUT_S:g} s") from fault
    try:
        return usage_of(account, reply)
    except Garbage as fault:
        raise StoreUnavailable(str(fault)) from fault
