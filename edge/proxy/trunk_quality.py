"""What became of the latest attempts on each egress trunk, and the guard over its ASR, as a table of states. Pure.

The counts are this node's own, in slices of a rolling window: no attempt is kept. A guard that has tripped lets single
calls through after a pause (half-open); they decide.
"""

from collections import deque
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from edge.config.restraint import AsrGuard
from edge.config.trunks import EgressTrunk
from edge.proxy.actions import Outbox
from edge.proxy.facts import Fact

SLICES: Final = 10
"""Of a window."""
WINDOW_S: Final = 300.0
"""Of a trunk without a guard."""
SAMPLE: Final = 20
"""Attempts from which on trunks are told apart by quality."""
MAX_RETRY_FACTOR: Final = 16


class Window:
    """Attempts, answers and delays of the last so many seconds."""

    __slots__ = ("_slice_s", "_slices")

    def __init__(self, seconds: float) -> None:
        self._slice_s = seconds / SLICES
        self._slices: deque[list[float]] = deque()
        """[number of the slice, attempts, answered, ringing, sum of their delays in seconds], the oldest first."""

    def add(self, *, answered: bool, pdd_s: float | None, now: float) -> None:
        """One attempt has its end. `pdd_s`: until it rang; None: it did not."""
        number = now // self._slice_s
        if not self._slices or self._slices[-1][0] != number:
            self._forget(now)
            self._slices.append([number, 0, 0, 0, 0.0])
        last = self._slices[-1]
        last[1] += 1
        last[2] += answered
        if pdd_s is not None:
            last[3] += 1
            last[4] += pdd_s

    def counts(self, now: float) -> tuple[int, int]:
        """Attempts, and those of them that were answered."""
        self._forget(now)
        return sum(int(one[1]) for one in self._slices), sum(int(one[2]) for one in self._slices)

    def pdd_s(self, now: float) -> float:
        """Mean delay until it rang; 0 where nothing did."""
        self._forget(now)
        ringing = sum(one[3] for one in self._slices)
        return sum(one[4] for one in self._slices) / ringing if ringing else 0.0

    def clear(self) -> None:
        """Nothing has happened yet."""
        self._slices.clear()

    def _forget(self, now: float) -> None:
        oldest = now // self._slice_s - SLICES + 1
        while self._slices and self._slices[0][0] < oldest:
            self._slices.popleft()


class Guarded(StrEnum):
    """Where a guard stands."""

    GOOD = "good"
    TRIPPED = "tripped"
    HALF_OPEN = "half_open"


class GuardInput(StrEnum):
    """What may happen to it."""

    TOO_FEW = "too_few"
    """The sample is there, and its ASR too low."""
    DUE = "due"
    """The pause is over."""
    PASSED = "passed"
    MISSED = "missed"
    """A trial has reached the ASR, or has not."""


GUARD_TABLE: Final[Mapping[Guarded, Mapping[GuardInput, Guarded]]] = {
    Guarded.GOOD: {GuardInput.TOO_FEW: Guarded.TRIPPED},
    Guarded.TRIPPED: {GuardInput.DUE: Guarded.HALF_OPEN},
    Guarded.HALF_OPEN: {GuardInput.PASSED: Guarded.GOOD, GuardInput.MISSED: Guarded.TRIPPED},
}
"""What is not in a row changes nothing."""


class _Record:
    """One trunk."""

    __slots__ = ("factor", "guarded", "retry_at", "trial_answered", "trial_ended", "trial_sent", "window", "window_s")

    def __init__(self, window_s: float) -> None:
        self.window_s = window_s
        self.window = Window(window_s)
        self.guarded = Guarded.GOOD
        self.factor = 1
        self.retry_at = 0.0
        self._no_trial()

    def _no_trial(self) -> None:
        self.trial_sent = self.trial_ended = self.trial_answered = 0

    def begin_trial(self) -> None:
        self._no_trial()


class TrunkQuality:
    """Of every trunk, as this node sees it."""

    __slots__ = ("_outbox", "_records")

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._records: dict[str, _Record] = {}

    def adopt(self, trunks: Mapping[str, EgressTrunk]) -> None:
        """The trunks of a new policy: those it keeps go on, unless their window is another."""
        self._records = {
            name: found if found is not None and found.window_s == _window_s(trunk) else _Record(_window_s(trunk))
            for name, trunk in trunks.items()
            for found in [self._records.get(name)]
        }

    def why_not(self, trunk: EgressTrunk, now: float) -> str:
        """Why the guard of this trunk is against a call; empty: it is not."""
        guard = trunk.guard
        if guard is None:
            return ""
        record = self._of(trunk)
        if record.guarded is Guarded.TRIPPED and now >= record.retry_at:
            self._move(trunk, record, GuardInput.DUE, "waited", now)
        if record.guarded is Guarded.GOOD:
            return ""
        return "" if record.guarded is Guarded.HALF_OPEN and record.trial_sent < guard.trial else "asr"

    def sent(self, trunk: EgressTrunk) -> None:
        """An attempt goes there."""
        record = self._of(trunk)
        if record.guarded is Guarded.HALF_OPEN:
            record.trial_sent += 1

    def ended(self, trunk: EgressTrunk, now: float, *, answered: bool, pdd_s: float | None = None) -> None:
        """An attempt has been answered there, or has not been."""
        record, guard = self._of(trunk), trunk.guard
        record.window.add(answered=answered, pdd_s=pdd_s, now=now)
        if guard is None:
            return
        if record.guarded is Guarded.GOOD:
            attempts, answers = record.window.counts(now)
            if attempts >= guard.sample and answers * 100 < guard.asr * attempts:
                self._move(trunk, record, GuardInput.TOO_FEW, f"{answers} of {attempts} answered", now)
        elif record.guarded is Guarded.HALF_OPEN and record.trial_ended < record.trial_sent:
            record.trial_ended += 1
            record.trial_answered += answered
            if record.trial_ended >= guard.trial:
                why = f"{record.trial_answered} of {record.trial_ended} answered in the trial"
                is_enough = record.trial_answered * 100 >= guard.asr * record.trial_ended
                self._move(trunk, record, GuardInput.PASSED if is_enough else GuardInput.MISSED, why, now)

    def rank(self, trunk: EgressTrunk, now: float) -> tuple[int, int]:
        """Lower is better: what is missing from an ASR of 100 % in steps of 5, then PDD in steps of half a second. A
        trunk of which too little is known is as good as any: so it is tried."""
        window = self._of(trunk).window
        attempts, answers = window.counts(now)
        if attempts < SAMPLE:
            return 0, 0
        return (attempts - answers) * 20 // attempts, int(window.pdd_s(now) * 2)

    def asr(self, now: float) -> dict[str, int]:
        """Percent of each trunk that has had attempts lately."""
        found = {name: record.window.counts(now) for name, record in self._records.items()}
        return {name: answers * 100 // attempts for name, (attempts, answers) in found.items() if attempts}

    def _of(self, trunk: EgressTrunk) -> _Record:
        found = self._records.get(trunk.id)
        if found is None:  # of a policy that is no more, pinned by a call
            found = self._records[trunk.id] = _Record(_window_s(trunk))
        return found

    def _move(self, trunk: EgressTrunk, record: _Record, what: GuardInput, why: str, now: float) -> None:
        guard: AsrGuard | None = trunk.guard
        after = GUARD_TABLE[record.guarded].get(what)
        if after is None or guard is None:
            return
        before, record.guarded = record.guarded, after
        if after is Guarded.TRIPPED:
            record.factor = min(record.factor * 2, MAX_RETRY_FACTOR) if before is Guarded.HALF_OPEN else 1
            record.retry_at = now + guard.retry_s * record.factor
        else:
            record.begin_trial()
        if after is Guarded.GOOD:
            record.window.clear()  # what tripped it has been atoned for
        words: dict[str, str | int | float] = {
            "trunk": trunk.id, "from": before.value, "to": after.value, "why": why,
        }  # fmt: skip
        self._outbox.facts.append(Fact("trunk.guard", words))


def _window_s(trunk: EgressTrunk) -> float:
    return WINDOW_S if trunk.guard is None else trunk.guard.window_s
