"""Which account receives a call: told from the trunk that takes it, else from the number called. Pure.

Numbering plan 2.3.2 f weighs what an automated system places against what its account receives. A call is received by
the account that the egress trunk is said to belong to (`account`), else by the one on whose list the called number
stands. Only accounts that claim to be a small system are looked for: nobody asks it of the others. A number that two of
them list is nobody's, since it cannot be told which was called.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import pairwise

from edge.config.ownership import Ownership
from edge.config.trunks import EgressTrunk


class Receivers:
    """The accounts whose received calls are counted."""

    __slots__ = ("_accounts", "_lasts", "_owners", "_starts")

    def __init__(self, accounts: Iterable[str], ownership: Ownership) -> None:
        self._accounts = frozenset(accounts)
        self._starts, self._lasts = array("Q"), array("Q")
        self._owners: list[str] = []
        """Ranges without overlaps, in order; whose each is, empty where it is claimed twice."""
        for first, last, owner in _apart(self._accounts, ownership):
            self._starts.append(first)
            self._lasts.append(last)
            self._owners.append(owner)

    def receiver(self, trunk: EgressTrunk | None, called: str) -> str:
        """Who receives a call to this number (E.164 or short) by this trunk; empty: nobody whose calls are counted."""
        if not self._accounts:
            return ""
        if trunk is not None and trunk.account:
            return trunk.account if trunk.account in self._accounts else ""
        digits = called.removeprefix("+")
        if not (digits.isascii() and digits.isdigit()):
            return ""
        value = int(digits)
        place = bisect_right(self._starts, value) - 1
        return self._owners[place] if place >= 0 and value <= self._lasts[place] else ""


def _apart(accounts: Iterable[str], ownership: Ownership) -> Iterator[tuple[int, int, str]]:
    """The ranges of these accounts cut where another one begins or ends."""
    opening: dict[int, list[str]] = {}
    closing: dict[int, list[str]] = {}
    for account in accounts:
        for first, last in ownership.ranges(account):
            opening.setdefault(first, []).append(account)
            closing.setdefault(last + 1, []).append(account)
    holders: dict[str, int] = {}
    edges = sorted({*opening, *closing})
    for here, there in pairwise(edges):
        for account in closing.get(here, ()):
            _step(holders, account, -1)
        for account in opening.get(here, ()):
            _step(holders, account, 1)
        if holders:
            yield here, there - 1, next(iter(holders)) if len(holders) == 1 else ""


def _step(holders: dict[str, int], account: str, by: int) -> None:
    count = holders.get(account, 0) + by
    if count:
        holders[account] = count
    else:
        holders.pop(account, None)
