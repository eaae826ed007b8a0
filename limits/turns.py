"""Renewals take turns: one of them on the wire at a time: a slow script delays the rest by one round trip. Pure."""

from collections import deque
from typing import Final

from limits.model import Renew

MAX_RENEWS: Final = 10_000
"""Renewals that may wait for their turn; beyond, they are Unavailable at once."""


class RenewTurns:
    """Whose turn it is."""

    __slots__ = ("_waiting", "is_taken")

    def __init__(self) -> None:
        self._waiting: deque[Renew] = deque()
        self.is_taken = False
        """One is on the wire."""

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self) -> bool:
        """Is it this one's turn? Then it has it."""
        if self.is_taken:
            return False
        self.is_taken = True
        return True

    def wait(self, verb: Renew) -> bool:
        """Queue up; False: too many do."""
        if len(self._waiting) >= MAX_RENEWS:
            return False
        self._waiting.append(verb)
        return True

    def next(self) -> Renew | None:
        """The turn is over; who has it now?"""
        self.is_taken = False
        if not self._waiting:
            return None
        self.is_taken = True
        return self._waiting.popleft()

    def give_up(self) -> list[Renew]:
        """Nobody's turn will come: those that waited."""
        found = list(self._waiting)
        self._waiting.clear()
        return found
