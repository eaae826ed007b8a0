"""What each account's attempts add up to, and which accounts the metrics page shows. Pure; time is passed in.

Every account is counted, few are shown: a collector keeps each label value for months. Shown are those an operator
names, and the busiest, chosen anew every `CHOOSE_S`: so no scrape brings more than it says, and no hour many new ones.
"""

from collections.abc import Collection, Mapping
from heapq import nlargest
from typing import Final

from edge.proxy.facts import CallFacts

CHOOSE_S: Final = 300.0
"""The busiest of so many seconds are shown for the next."""
MOST_COUNTED: Final = 200_000
"""As many as a policy may name; of accounts beyond them nothing is counted."""


class AccountTotals:
    """One for each process. `add` is called by the loop, the rest from the page's thread: each reads a copy."""

    __slots__ = ("_answered", "_attempts", "_before", "_chosen", "_chosen_at", "_named", "_refused", "_top")

    def __init__(self, *, top: int = 0, named: Collection[str] = ()) -> None:
        """`top`: so many of the busiest are shown beside those `named`."""
        self._top = top
        self._named = tuple(dict.fromkeys(named))
        self._attempts: dict[str, int] = {}
        self._answered: dict[str, int] = {}
        self._refused: dict[str, int] = {}
        self._before: dict[str, int] = {}
        """Attempts when the busiest were chosen last."""
        self._chosen: tuple[str, ...] = ()
        self._chosen_at = float("-inf")

    def add(self, facts: CallFacts) -> None:
        """One attempt has ended, or so many of one kind."""
        account, counts = facts.account, self._attempts
        before = counts.get(account)
        if before is None and (not account or len(counts) >= MOST_COUNTED):
            return
        counts[account] = (before or 0) + facts.attempts
        if facts.answered_at is not None:
            self._answered[account] = self._answered.get(account, 0) + 1
        elif not facts.candidates and facts.status != 487:
            self._refused[account] = self._refused.get(account, 0) + facts.attempts

    def shown(self, now: float) -> tuple[str, ...]:
        """Accounts of the page: those named, and the busiest lately."""
        if now - self._chosen_at >= CHOOSE_S:
            counts, before = dict(self._attempts), self._before
            busy = [(count - before.get(account, 0), account) for account, count in counts.items()]
            self._chosen = tuple([account for count, account in nlargest(self._top, busy) if count > 0])
            if self._chosen_at != float("-inf") or self._chosen:
                self._before, self._chosen_at = counts, now
        return tuple(dict.fromkeys((*self._named, *self._chosen)))

    def attempts(self, now: float) -> Mapping[str, int]:
        """Since the start, of the accounts shown."""
        return _of(self._attempts, self.shown(now))

    def answered(self, now: float) -> Mapping[str, int]:
        """Of these, answered."""
        return _of(self._answered, self.shown(now))

    def refused(self, now: float) -> Mapping[str, int]:
        """Of these, refused by the edge."""
        return _of(self._refused, self.shown(now))


def _of(counts: Mapping[str, int], accounts: Collection[str]) -> dict[str, int]:
    return {account: counts.get(account, 0) for account in accounts}
