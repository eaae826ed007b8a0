"""The penalty ledger of an account: enter, correct, read, prove. I/O, by `limits.ledger`."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from edge.config.money import format_money
from edge.quality.entries import CORRECTION, Entry, correction_reference, net_micros
from limits.account import AccountId
from limits.chain import LedgerLine, first_fault
from limits.ledger import Head, Ledger

CORRECTIONS_AT_ONCE = 20


class Entered(NamedTuple):
    """What became of an entry."""

    entry: Entry
    digest: str
    is_new: bool
    """False: its reference stood there already; `entry` is what stands there."""


class Refusal(Exception):
    """It was not entered; one sentence says why."""


async def enter(ledger: Ledger, entry: Entry) -> Entered:
    """At the end of its account's ledger, once for each reference. Raises Refusal where the reference stands for
    something else; UnknownAccount; StoreUnavailable."""

    def write(head: Head) -> str:
        return entry._replace(seq=head.seq + 1, at_ms=head.now_ms).to_text()

    done = await ledger.append(AccountId(entry.account), reference=entry.reference, write=write)
    found = Entry.from_text(done.line.text)
    if not done.is_new and (found.amount_micros, found.corrects) != (entry.amount_micros, entry.corrects):
        raise Refusal(
            f"reference {entry.reference!r} of {entry.account!r} is entered already, as entry {found.seq} with "
            f"{format_money(found.amount_micros)}: nothing was entered; `edge penalties correct` changes what it "
            f"comes to"
        )
    return Entered(found, done.line.digest, done.is_new)


async def correct(
    ledger: Ledger, account: AccountId, seq: int, *, to_micros: int, currency: str, by: str, why: str
) -> Entered | None:
    """A counter-entry, so that entry `seq` comes to this amount with all its corrections; None: it does already.

    Raises Refusal for what cannot be corrected."""
    for _ in range(CORRECTIONS_AT_ONCE):
        entries = await read(ledger, account)
        target = next((entry for entry in entries if entry.seq == seq), None)
        if target is None:
            raise Refusal(f"{account!r} has no entry {seq}; its last is {entries[-1].seq if entries else 'none'}")
        if target.corrects:
            raise Refusal(f"entry {seq} is a correction itself: correct entry {target.corrects}")
        difference = to_micros - net_micros(entries, seq)
        if not difference:
            return None
        number = 1 + sum(entry.corrects == seq for entry in entries)
        reference = correction_reference(seq, number)

        def write(head: Head, reference: str = reference, difference: int = difference) -> str:
            return Entry(
                seq=head.seq + 1, account=account, at_ms=head.now_ms, for_s=head.now_ms // 1_000, kind=CORRECTION,
                reference=reference, amount_micros=difference, currency=currency, corrects=seq, by=by, why=why,
            ).to_text()  # fmt: skip

        done = await ledger.append(account, reference=reference, write=write)
        if done.is_new:
            return Entered(Entry.from_text(done.line.text), done.line.digest, True)
    raise Refusal(f"entry {seq} is being corrected by others; look at it again")


async def read(ledger: Ledger, account: AccountId) -> list[Entry]:
    """Every entry in order."""
    return [Entry.from_text(line.text) async for line in ledger.lines(account)]


async def prove(ledger: Ledger, account: AccountId) -> tuple[Sequence[LedgerLine], str]:
    """Every line, and a sentence on what is wrong with the chain; empty: it is whole."""
    lines = [line async for line in ledger.lines(account)]
    return lines, first_fault(lines)


async def proved(ledger: Ledger, accounts: Iterable[AccountId]) -> list[tuple[Entry, str]]:
    """Every entry of these accounts with its digest. Raises ValueError where a chain is not whole."""
    rows = []
    for account in accounts:
        lines, fault = await prove(ledger, account)
        if fault:
            raise ValueError(f"the ledger of {account}: {fault}; nothing was exported")
        rows += [(Entry.from_text(line.text), line.digest) for line in lines]
    return rows
