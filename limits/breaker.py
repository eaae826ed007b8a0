"""The breaker: a store that keeps missing the deadline is not asked at all until a probe is answered in time. Pure.

So a call waits for a dead store at most once a deadline, and a few calls only (ruling R11).
"""

from enum import StrEnum
from typing import Final

MISSES: Final = 5
"""Verbs in a row without an answer in time that open it."""

PROBE_S: Final = 0.25
"""Seconds between two probes of a store that is not asked."""


class BreakerState(StrEnum):
    """May the store be asked?"""

    CLOSED = "closed"
    OPEN = "open"
    PROBING = "probing"
    """Not asked, but for one probe that is under way."""


class BreakerInput(StrEnum):
    """What may happen."""

    ANSWERED = "answered"
    """A verb had its answer in time."""
    MISSED = "missed"
    """A verb had no answer in time."""
    PROBE_SENT = "probe_sent"
    PROBE_ANSWERED = "probe_answered"
    PROBE_MISSED = "probe_missed"
    LOST = "lost"
    """The connection is gone: a new one proves itself by its greeting."""


_S, _I = BreakerState, BreakerInput

BREAKER_TABLE: Final[dict[BreakerState, dict[BreakerInput, BreakerState]]] = {
    _S.CLOSED: {_I.ANSWERED: _S.CLOSED, _I.MISSED: _S.CLOSED, _I.LOST: _S.CLOSED},
    _S.OPEN: {_I.PROBE_SENT: _S.PROBING, _I.LOST: _S.CLOSED},
    _S.PROBING: {_I.PROBE_ANSWERED: _S.CLOSED, _I.PROBE_MISSED: _S.OPEN, _I.LOST: _S.CLOSED},
}
"""CLOSED goes to OPEN with the last of MISSES in a row. No row: absorbed."""


class Breaker:
    """Walks the table."""

    __slots__ = ("misses", "opens", "state")

    def __init__(self) -> None:
        self.state = BreakerState.CLOSED
        self.misses = 0
        """In a row."""
        self.opens = 0

    @property
    def is_open(self) -> bool:
        """Verbs are not to be asked."""
        return self.state is not BreakerState.CLOSED

    def tell(self, what: BreakerInput) -> None:
        """Something happened."""
        following = BREAKER_TABLE[self.state].get(what)
        if following is None:
            return
        self.state = following
        if what is not BreakerInput.MISSED:
            self.misses = 0
            return
        self.misses += 1
        if self.misses >= MISSES:
            self.state = BreakerState.OPEN
            self.opens += 1
