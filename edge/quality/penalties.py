"""Contract article 27: what a sealed hour costs, and the kinds of what an operator enters. Pure; money in
micro-units."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from edge.quality.counts import Counts
from edge.quality.rules import Judgement, Rule, judge
from edge.quality.windows import Minutes, Window, worst_rolling

CASES: Mapping[str, str] = {
    "cli": "CLI not wired, not authorised, or not answering when called back",
    "regulator": "regulator's decision not respected",
    "ticket_33700": "33700 spam report",
    "complaint": "consumer complaint",
    "judicial": "judicial request handled",
    "support": "abusive support ticket",
}
"""Kinds an operator enters, one entry a case. `cli` is also what the edge itself finds."""

CLI = "cli"


class Finding(NamedTuple):
    """What the edge found in one clock hour of one account."""

    kind: str
    """The rule's id, or `cli`."""
    calls: int
    """Calls it is counted for."""
    each_micros: int
    is_candidate: bool
    """Told and not charged: an operator decides."""
    counts: Counts
    """Evidence: the sum that was judged."""
    begin_s: int
    end_s: int
    """The window of that sum."""
    example: str
    """Flag of the calls that are examples of it (`sampling.Sample.flags`)."""
    window: str = "clock"
    threshold: int = 0
    minimum: int = 0

    @property
    def amount_micros(self) -> int:
        """What it costs."""
        return 0 if self.is_candidate else self.calls * self.each_micros


_EXAMPLES = {"attempts": "failed", "answered": "answered", "short": "short"}


def findings(
    rules: Sequence[Rule], hour: int, end_s: int, counts: Counts, minutes: Minutes, *, cli_micros: int, cli_mode: str
) -> list[Finding]:
    """Everything the edge holds against this hour. `counts`: of the clock hour; `minutes`: of it and the hour before.
    `cli_mode`: `off`, `candidate` (default of the policy) or `charge`."""
    found = []
    for rule in rules:
        window = breach_of(rule, hour, end_s, counts, minutes)
        if window is not None and counts[rule.per] and rule.penalty_micros:
            found.append(
                Finding(
                    rule.id, counts[rule.per], rule.penalty_micros, False, window.counts, window.begin_s, window.end_s,
                    _EXAMPLES[rule.per], rule.window, rule.threshold, rule.minimum,
                )
            )  # fmt: skip
    if cli_mode != "off" and counts["cli"]:
        # One case an hour, whatever the number of its calls: the contract counts cases.
        found.append(Finding(CLI, 1, cli_micros, cli_mode == "candidate", counts, hour, end_s, "cli"))
    return found


def breach_of(rule: Rule, hour: int, end_s: int, counts: Counts, minutes: Minutes) -> Window | None:
    """The window in which this clock hour breaks the rule, with its sum; None: it does not."""
    if rule.window == "rolling":
        worst = worst_rolling(rule, minutes, hour)
        if worst is not None:
            return worst
    # The clock hour is one of its own rolling hours: it is judged also where its minutes are no longer kept.
    return Window(hour, end_s, counts) if judge(rule, counts) is Judgement.BAD else None
