"""What the ended attempts add up to: plain integers on the hot road, read by the metrics page when it is asked.

Imports the standard library, the facts and the record's words; no clock, no I/O.
"""

from bisect import bisect_left
from typing import Final

from edge.cdr.builder import duration_ms, outcome_of
from edge.cdr.record import CallOutcome
from edge.proxy.facts import CallFacts
from edge.telemetry.account_totals import AccountTotals

DECISION_BOUNDS_US: Final = (250, 500, 1_000, 2_000, 3_000, 5_000, 10_000, 20_000, 50_000, 100_000, 1_000_000)
"""Upper bounds of the decision buckets: fine around the goal (p99 under 5 ms) and around the deadline (50 ms)."""
PDD_BOUNDS_US: Final = tuple(ms * 1_000 for ms in (100, 250, 500, 1_000, 2_000, 3_000, 5_000, 10_000, 20_000, 60_000))


class Histogram:
    """Counts of values in microseconds by bucket. The last bucket has no bound."""

    __slots__ = ("bounds_us", "counts", "total_us")

    def __init__(self, bounds_us: tuple[int, ...]) -> None:
        self.bounds_us = bounds_us
        self.counts = [0] * (len(bounds_us) + 1)
        self.total_us = 0

    def observe(self, value_us: int) -> None:
        """Count one value; a value on a bound belongs below it, as Prometheus has it."""
        self.counts[bisect_left(self.bounds_us, value_us)] += 1
        self.total_us += value_us

    def cumulative(self) -> list[tuple[str, int]]:
        """(upper bound in seconds, how many are not above it), `+Inf` last: the form of the exposition."""
        rows = []
        below = 0
        for bound, count in zip((*(f"{us / 1e6:g}" for us in self.bounds_us), "+Inf"), tuple(self.counts), strict=True):
            below += count
            rows.append((bound, below))
        return rows


class CallTotals:
    """Sums over the attempts that have ended, fed with the same facts as the CDRs."""

    __slots__ = (
        "accounts",
        "answered_ms",
        "decision",
        "degraded",
        "emergency",
        "outcomes",
        "post_dial_delay",
        "shadowed",
    )

    def __init__(self, accounts: AccountTotals | None = None) -> None:
        self.accounts = accounts or AccountTotals()
        self.outcomes = {outcome.value: 0 for outcome in CallOutcome}
        self.decision = Histogram(DECISION_BOUNDS_US)
        self.post_dial_delay = Histogram(PDD_BOUNDS_US)
        self.answered_ms = 0
        self.degraded = 0
        self.shadowed: dict[str, int] = {}
        """Attempts that something in the shadow would have refused; its names are the policy's."""
        self.emergency = 0

    def add(self, facts: CallFacts) -> None:
        """One attempt has ended."""
        self.accounts.add(facts)
        outcome = outcome_of(facts)._value_
        self.outcomes[outcome] += facts.attempts
        received_at = facts.received_at
        if facts.decided_at is not None:
            self.decision.observe(max(0, round((facts.decided_at - received_at) * 1_000_000)))
        if facts.ringing_at is not None:
            self.post_dial_delay.observe(max(0, round((facts.ringing_at - received_at) * 1_000_000)))
        if facts.answered_at is not None:
            self.answered_ms += duration_ms(facts)
        if facts.shadowed or facts.cli_shadowed:
            for word in (*facts.shadowed, *facts.cli_shadowed):
                self.shadowed[word] = self.shadowed.get(word, 0) + 1
        if facts.degraded:
            self.degraded += 1
        if facts.emergency:
            self.emergency += 1

    def add_shed(self, count: int) -> None:
        """So many attempts were refused at the door, at once."""
        self.outcomes[CallOutcome.REFUSED.value] += count
        self.decision.counts[0] += count
