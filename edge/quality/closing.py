"""Clock hours that are over are closed: sealed, judged, and what they cost is entered. I/O, by the store.

Any node may do it, and several at once: sealing makes what they read the same, and the ledger takes each reference
once. An hour is closed `close_after_s` after its end, and not while a node that is alive is behind with its records.
"""

from collections.abc import Callable
from typing import NamedTuple

from edge.proxy.facts import Fact
from edge.quality import book
from edge.quality.batches import ALL, hour_bucket, notes_bucket
from edge.quality.counts import Counts
from edge.quality.entries import finding_entry
from edge.quality.hours import HOUR_S, hour_of
from edge.quality.penalties import CLI, Finding, findings
from edge.quality.report import minutes_between
from edge.quality.terms import Terms
from edge.quality.windows import Minutes
from limits.errors import UnknownAccount
from limits.ledger import Ledger
from limits.tallies import TallyStore

WAIT_S = 6 * HOUR_S
"""A node that is behind is waited for so long at most."""
FORGET_MARK_S = 86_400
"""A node that has told nothing for a day is not waited for."""


class Closed(NamedTuple):
    """What one round did."""

    hours: int
    entries: int


class HourCloser:
    """`tell` gets a fact for each entry."""

    def __init__(self, tallies: TallyStore, ledger: Ledger, tell: Callable[[Fact], None]) -> None:
        self._tallies = tallies
        self._ledger = ledger
        self._tell = tell
        self.entered: dict[str, int] = {}
        """kind -> entries made by this process."""

    async def close_due(self, terms: Terms, now_s: int) -> Closed:
        """Everything that is due at this instant of the store's clock. Raises StoreUnavailable: the rest is done
        later."""
        hours = entries = 0
        behind = min([at for at in (await self._tallies.marks()).values() if at > now_s - FORGET_MARK_S], default=now_s)
        for hour in await self._tallies.open_hours(now_s - HOUR_S - terms.quality.close_after_s + 1):
            end = hour + HOUR_S
            if behind < end and now_s < end + WAIT_S:
                continue
            for holder in await self._tallies.holders(hour):
                try:
                    entries += await self.close(holder, hour, terms, now_s)
                except ValueError as fault:  # spoilt by hand: its hour stays open, no other account notices
                    self._tell(Fact("quality.spoilt", {"account": holder, "hour": hour, "why": str(fault)}))
            hours += 1
        return Closed(hours, entries)

    async def close(self, holder: str, hour: int, terms: Terms, now_s: int) -> int:
        """One hour of one account or trunk, once and for all; returns the entries this call made."""
        oldest = hour_of(now_s - terms.keep_s, terms.zone)
        await self._tallies.seal(holder, hour, oldest_hour=oldest)
        made = 0
        if not holder.startswith("trunk:"):
            for finding in await self.findings(holder, hour, terms):
                made += await self._enter(finding, holder, hour, terms)
        await self._tallies.closed(holder, hour)
        return made

    async def findings(self, account: str, hour: int, terms: Terms) -> list[Finding]:
        """What this hour costs, as its counts stand."""
        bucket = await self._tallies.read(account, hour_bucket(hour))
        if ALL not in bucket.fields:
            return []
        counts = Counts.from_text(bucket.fields[ALL])
        rules = terms.rules_for(account)
        minutes: Minutes = {}
        if any(rule.window == "rolling" for rule in rules):
            minutes = await minutes_between(self._tallies, account, ALL, hour - HOUR_S, hour + HOUR_S)
        return findings(
            rules,
            hour,
            hour + HOUR_S,
            counts,
            minutes,
            cli_micros=terms.case_micros(CLI),
            cli_mode=terms.penalties.cli_findings,
        )

    async def _enter(self, finding: Finding, account: str, hour: int, terms: Terms) -> int:
        notes = await self._tallies.notes(account, notes_bucket(hour))
        entry = finding_entry(finding, account, hour, notes.get(finding.example, []), terms)
        try:
            done = await book.enter(self._ledger, entry)
        except book.Refusal as refusal:
            # The same hour with another amount: the terms were changed between two tries. What stands there stays.
            self._tell(Fact("penalty.refused", {"account": account, "why": str(refusal)}))
            return 0
        except UnknownAccount:
            return 0  # it was taken away by hand; there is no ledger to enter it in
        if not done.is_new:
            return 0
        self.entered[entry.kind] = self.entered.get(entry.kind, 0) + 1
        self._tell(
            Fact(
                "penalty.entered",
                {
                    "account": account,
                    "kind": entry.kind,
                    "entry": done.entry.seq,
                    "reference": entry.reference,
                    "calls": entry.calls,
                    "amount_micros": entry.amount_micros,
                    "digest": done.digest,
                },
            )
        )
        return 1
