"""Counts the records of one node's log into the store, each once: a consumer of the log (`edge.cdr.delivery`). I/O.

Delivery is at least once; the counts are exact all the same, since the store keeps beside the sums of each account the
last sequence number that is in them. A log that begins again at 1 (a node with a new state directory) is another
source: it is known by the uid of its first record.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from edge.quality.batches import NOTED, Example, gather
from edge.quality.hours import hour_of
from edge.quality.sampling import Told
from edge.quality.terms import DOCUMENT, Terms, read_terms
from limits.additions import Batch
from limits.errors import SpoiltKey
from limits.tallies import TallyStore

CUT_AT_MOST = 3
"""A batch is cut once where a part of it was added before; more means that two processes deliver the same log."""


class Tally:
    """One for each log. `add` may be given any records again, and in any portions; not out of order."""

    def __init__(self, store: TallyStore, node: str) -> None:
        self._store = store
        self._node = node
        self._log = ""
        self._noted: set[Example] = set()
        """Examples of which the store was given enough, and the hour in which."""
        self._noted_in = 0
        self.terms = Terms()
        self.counted = 0
        self.unreadable = 0
        """Records that made no sense: skipped."""
        self.unknown = 0
        """Batches of accounts that the store does not know: counted nowhere."""

    @property
    def source(self) -> str:
        """As the store knows this log."""
        return f"{self._node}/{self._log or '-'}"

    async def start(self, cursor: int) -> int:
        """Where to go on, at the cursor or before it: a store that lost its last moments is told again. Raises
        StoreUnavailable."""
        await self.refresh()
        self._noted_in = 0
        self._log = await self._store.log_of(self._node)
        known = await self._store.cursor(self.source)
        # Nothing there at all: quality is new here, or the store is; then everything that the log still has is counted.
        return min(cursor, known)

    async def refresh(self) -> None:
        """What is in force. Raises StoreUnavailable."""
        self.terms = read_terms(await self._store.document(DOCUMENT))

    async def add(self, records: Iterable[Told | None], *, now_s: int) -> None:
        """Counts them, in order of `seq`; None: one that made no sense. Raises StoreUnavailable: then the same ones
        must come again."""
        oldest = hour_of(now_s - self.terms.keep_s, self.terms.zone)
        todo: list[Told] = []
        for told in records:
            if told is None:
                self.unreadable += 1
                continue
            if told.seq == 1 and told.uid != self._log:
                await self._count(todo, oldest, now_s)
                todo = []
                self._log = told.uid
                await self._store.set_log(self._node, self._log)
            todo.append(told)
        await self._count(todo, oldest, now_s)

    async def _count(self, records: Sequence[Told], oldest: int, now_s: int) -> None:
        if not records:
            return
        after: dict[str, int] = {}
        hour = hour_of(now_s, self.terms.zone)
        if hour != self._noted_in:
            self._noted, self._noted_in = set(), hour
        todo = list(self._gather(records, after).values())
        told = {batch.holder: batch.records for batch in todo}
        for _ in range(CUT_AT_MOST):
            refused = await self._store.add(todo, oldest_hour=oldest)
            self._note(batch for batch in todo if batch.holder not in refused)
            for holder, last in refused.items():
                if last < 0:
                    self.unknown += 1
                    told.pop(holder, None)
            after = {holder: last for holder, last in refused.items() if last >= 0}
            if not after:
                break
            again = self._gather(records, after)
            todo = [again[holder] for holder in after if holder in again]
        # Also what was there already: who added it may have been killed before it was told.
        if told:
            with suppress(SpoiltKey):  # the news were spoilt by hand: whoever reads them says so
                await self._store.tell(told, now_ms=now_s * 1_000)
        await self._store.set_cursor(self.source, records[-1].seq)
        self.counted += len(records)

    def _gather(self, records: Sequence[Told], after: Mapping[str, int]) -> dict[str, Batch]:
        terms = self.terms
        return gather(
            records, terms.definition, source=self.source, keep_s=terms.keep_s, after=after, noted=self._noted
        )

    def _note(self, added: Iterable[Batch]) -> None:
        for batch in added:
            for note in batch.notes:
                if len(note.words) == NOTED:
                    self._noted.add((batch.holder, note.bucket, note.field))

    async def mark(self, at_s: int) -> None:
        """The log has been counted to its end, as of this instant. Raises StoreUnavailable."""
        await self._store.mark(self._node, at_s)

    async def unmark(self) -> None:
        """This node goes, and leaves nothing behind: nobody need wait for it. Raises StoreUnavailable."""
        await self._store.mark(self._node, None)
