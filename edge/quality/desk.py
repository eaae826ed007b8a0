"""What a command about quality works with: the store's sums, ledgers and accounts, and what is in force. I/O."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import NamedTuple, TypeVar

from edge.accounts.changes import Place, Refused, store_url
from edge.quality.book import Refusal
from edge.quality.terms import DOCUMENT, Terms, read_terms
from limits.accounts import AccountStore
from limits.errors import StoreUnavailable, UnknownAccount
from limits.ledger import Ledger
from limits.tallies import TallyStore

_T = TypeVar("_T")


class Desk(NamedTuple):
    """Open for one command."""

    tallies: TallyStore
    ledger: Ledger
    accounts: AccountStore
    terms: Terms


def at_desk(place: Place, work: Callable[[Desk], Awaitable[_T]]) -> _T:
    """Open, do the work, close. Raises Refused; StaticConfigError where the settings are wrong."""
    url, shown = store_url(place)

    async def do() -> _T:
        async with AsyncExitStack() as opened:
            tallies = await opened.enter_async_context(TallyStore(url))
            ledger = await opened.enter_async_context(Ledger(url))
            accounts = await opened.enter_async_context(AccountStore(url))
            terms = read_terms(await tallies.document(DOCUMENT))
            return await work(Desk(tallies, ledger, accounts, terms))

    try:
        return asyncio.run(do())
    except StoreUnavailable as error:
        raise Refused(f"the store {shown}: {error}") from error
    except (UnknownAccount, Refusal, ValueError) as error:
        raise Refused(str(error)) from error
