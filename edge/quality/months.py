"""The bills of a month, from the store. I/O, by `limits`."""

from edge.quality import book
from edge.quality.batches import ALL, month_bucket
from edge.quality.billing import Bill, bill, history_of, lots_of
from edge.quality.counts import Counts
from edge.quality.entries import in_month
from edge.quality.hours import days_of, month_bounds
from edge.quality.terms import Terms
from limits.account import KINDS, AccountId, AccountStatus
from limits.accounts import AccountStore
from limits.keys import AUDIT_LENGTH
from limits.ledger import Ledger
from limits.model import Usage
from limits.tallies import TallyStore

HISTORY = 2 * AUDIT_LENGTH
"""The store keeps about AUDIT_LENGTH entries, and now and then a few more."""


async def bill_of(
    account: AccountId,
    usage: Usage,
    month: str,
    terms: Terms,
    accounts: AccountStore,
    tallies: TallyStore,
    ledger: Ledger,
) -> Bill | None:
    """One account's; None where there was none yet in this month. Raises StoreUnavailable, ValueError for no month."""
    begin, end = month_bounds(month, terms.zone)
    entries = tuple(reversed(await accounts.audit(account, last=HISTORY)))
    if entries and entries[0].generation == 1 and entries[0].at_ms // 1_000 >= end:
        return None
    now = usage.now_ms // 1_000
    # The running second counts: what was changed just now is in force.
    until, found = min(end, now + 1), usage.account
    days = days_of(begin, end, terms.zone)
    billing = terms.billing
    caps = history_of("caps_lots", str(found.caps_lots), entries, begin, until)
    calls = history_of("call_lots", str(found.call_lots), entries, begin, until)
    status = history_of("status", str(found.status), entries, begin, until)
    is_open = any(span.value != AccountStatus.CLOSED for span in status.spans)
    numbers = (await tallies.read(account, month_bucket(month))).fields.get(ALL, "")
    penalties = in_month(await book.read(ledger, account), month, terms)
    return bill(
        account,
        month,
        currency=terms.currency,
        counts=Counts.from_text(numbers),
        caps=lots_of(caps, terms.zone, price_micros=billing.caps_lot_month, by=billing.lots_by, days_in_month=days),
        calls=lots_of(calls, terms.zone, price_micros=billing.call_lot_month, by=billing.lots_by, days_in_month=days),
        penalties_micros=sum(entry.amount_micros for entry in penalties),
        minimum_micros=billing.minimum_month if is_open else 0,
        is_complete=caps.is_complete and calls.is_complete,
    )


async def bills(
    month: str, terms: Terms, accounts: AccountStore, tallies: TallyStore, ledger: Ledger, *, prefix: str = ""
) -> list[Bill]:
    """Of every account whose name begins so. Raises StoreUnavailable, ValueError for no month."""
    names = [
        AccountId(name) for name in await accounts.holders() if name.startswith(prefix) and not name.startswith(KINDS)
    ]
    usages, _ = await accounts.peek_many(names)
    found = [await bill_of(usage.account.id, usage, month, terms, accounts, tallies, ledger) for usage in usages]
    return [one for one in found if one is not None]
