"""Settlements that could not be delivered: kept, and sent in their order when the store is there again.

No I/O of its own: the journal writes them down.
"""

from collections.abc import Callable
from typing import Final

from limits.asked import Asked, Request
from limits.journal import SettlementJournal
from limits.limiter import Deliver
from limits.model import GIVEN_BACK, REFUSED, Admit, Admitted, Outcome, Settle, Unavailable
from limits.pending import Pending

SLICE: Final = 256
"""Kept settlements sent at one time when the store is back, so that fresh verbs need not wait behind all of them."""


class Kept:
    """Of one limiter."""

    __slots__ = ("_encode", "_on_settled", "_pending", "_under_way", "given_back", "journal")

    def __init__(
        self,
        journal: SettlementJournal,
        pending: Pending,
        encode: Callable[[Settle], bytes | None],
        on_settled: Deliver | None = None,
    ) -> None:
        """`on_settled` hears the last word on each settlement whose asker was told Unavailable, or is gone: the answer
        that came after all; Unavailable where there will be none."""
        self.journal = journal
        self._on_settled = on_settled
        self._pending = pending
        self._encode = encode
        self._under_way = 0
        """Settlements of ours that wait for a reply."""
        self.given_back = 0

    def keep(self, settle: Settle, *, is_maybe_applied: bool = False) -> None:
        """For later. A refusal does not wait for a store that is away: its record stands."""
        if settle.outcome == REFUSED:
            self.heard(settle, Unavailable("the store is away"))
            return
        dropped = self.journal.keep(settle, is_maybe_applied=is_maybe_applied)
        if dropped is not None:
            self.heard(dropped, Unavailable("dropped: too many settlements wait"))

    def heard(self, verb: Request, outcome: Outcome) -> None:
        """The last word on a request whose asker has been answered already."""
        if isinstance(verb, Settle):
            if self._on_settled is not None:
                self._on_settled(verb, outcome)
        elif isinstance(verb, Admit) and type(outcome) is Admitted:
            self.give_back(verb)

    def give_back(self, admit: Admit) -> None:
        """Returns a lease nobody knows of. Idempotent, and harmless where none was taken."""
        self.given_back += 1
        self.keep(Settle(admit.account, admit.uid, GIVEN_BACK, 0))

    def outlive(self, asked: Asked) -> None:
        """The connection is lost with this request under way: what it may have taken, or given, is made good later."""
        if isinstance(asked.verb, Settle):
            self.keep(asked.verb, is_maybe_applied=True)
        elif isinstance(asked.verb, Admit):
            self.give_back(asked.verb)

    def take_all(self) -> list[Settle]:
        """All that waits, to be kept by another."""
        return self.journal.take(len(self.journal))

    def taken_over(self, asked: Asked) -> None:
        """A request that another had sent comes to us."""
        self._under_way += asked.own

    def ended(self, asked: Asked) -> None:
        """This request has its reply, or goes elsewhere."""
        self._under_way -= asked.own

    def lost(self) -> None:
        """Nothing is under way any more."""
        self._under_way = 0

    def send(self, now: float) -> None:
        """The next slice, when the one before has its replies; when all have, the file is emptied."""
        if self._under_way:
            return
        if not self.journal:
            if self.journal.is_written:
                self.journal.empty()
            return
        for settle in self.journal.take(SLICE):
            data = self._encode(settle)
            if data is None:
                continue  # nobody can have this name
            asked = Asked(settle, now, done=True)
            asked.own = True
            self._under_way += 1
            self._pending.write(asked, data)
