"""Whom the watch need not look at yet. Pure.

Nothing is to be done for a holder in order until a rule is broken. How many more records that takes at least, each of
them as bad as one can be, follows from the sums; and what a minute takes with it when it leaves the rolling hour is
known beforehand. So a look says when the next one is due: with so many new records, or at an instant.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from edge.quality.hours import MINUTE_S, minute_of
from edge.quality.rules import Rule, least_to_break
from edge.quality.windows import Minutes, Window, rolling_ahead

AHEAD = 5
"""So many minutes are looked ahead; then a holder is looked at whatever came."""
AHEAD_S = AHEAD * MINUTE_S


class Patience(NamedTuple):
    """No rule can be broken before."""

    records: int
    """So many more records of the holder, at least 1."""
    until_s: int
    """This instant (UTC seconds)."""


NONE = Patience(1, 0)
"""It is looked at in each round."""


def patience(rules: Sequence[Rule], minutes: Minutes, now: Window) -> Patience:
    """Of a holder whose rules are all at rest. `minutes`: with those of the next `AHEAD_S`, as far as there are any: a
    clock of a node may be ahead. `now`: the rolling hour of them."""
    begin = minute_of(now.end_s)
    records = 1 << 62
    for ahead, counts in enumerate(rolling_ahead(minutes, now, AHEAD)):
        needed = min([least_to_break(rule, counts) for rule in rules], default=records)
        if not needed:
            return Patience(records, begin + ahead * MINUTE_S) if ahead else NONE
        records = min(records, needed)
    return Patience(records, begin + (AHEAD + 1) * MINUTE_S)


class Diary:
    """Who is to be looked at when. A holder it has never heard of is due."""

    def __init__(self) -> None:
        self._waiting: dict[str, Patience] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def clear(self) -> None:
        """Everybody is due: other rules are in force."""
        self._waiting = dict.fromkeys(self._waiting, NONE)

    def heard(self, told: Mapping[str, int]) -> None:
        """holder -> so many records of it were counted."""
        waiting = self._waiting
        for holder, records in told.items():
            before = waiting.get(holder)
            waiting[holder] = NONE if before is None else before._replace(records=before.records - records)

    def listed(self, holders: Iterable[str]) -> None:
        """All that have had calls; others are forgotten."""
        waiting = self._waiting
        self._waiting = {holder: waiting.get(holder, NONE) for holder in holders}

    def due(self, now_s: int) -> list[str]:
        """In order of their names."""
        return sorted(
            [holder for holder, (records, until_s) in self._waiting.items() if records <= 0 or until_s <= now_s]
        )

    def looked(self, holder: str, found: Patience) -> None:
        """It need not be looked at before."""
        self._waiting[holder] = found
