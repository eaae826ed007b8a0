"""What is good enough, as data, and the judgement of a sum by it. Pure; compares integers, never figures.

A floor (ASR, NER, ACD) is to be exceeded and a roof (short calls, PDD) is to be stayed under: to stand exactly at the
threshold is a breach, as in contract article 26 ("above 60 %", "above 15 s", "under 10 %").
"""

from enum import StrEnum
from typing import NamedTuple

from edge.quality.counts import Counts


class Metric(StrEnum):
    """What a rule looks at."""

    ASR = "asr"
    """answered ÷ attempts, %"""
    NER = "ner"
    """effective ÷ attempts, %"""
    ACD = "acd"
    """mean duration of answered calls, s"""
    SHORT = "short"
    """short ÷ answered, %"""
    PDD = "pdd"
    """mean post-dial delay, ms"""


class Judgement(StrEnum):
    """What a sum is, by one rule."""

    THIN = "thin"
    """Fewer samples than the rule asks for: not judged."""
    BAD = "bad"
    BETWEEN = "between"
    """No breach, but not better by the margin: what was bad is not over yet."""
    GOOD = "good"


class Rule(NamedTuple):
    """One line of the policy document's `quality.rules`."""

    id: str
    metric: Metric
    threshold: int
    """%, s or ms, as the metric has it."""
    minimum: int = 20
    """Samples: attempts (ASR, NER), answered calls (ACD, short), calls that rang (PDD)."""
    margin: int = 0
    """Hysteresis: a breach is over where the threshold is beaten by so much."""
    window: str = "clock"
    """`clock`: the clock hour. `rolling`: any 60 whole minutes that end in it."""
    penalty_micros: int = 0
    """For each call of `per`, in each clock hour of a breach. 0: none."""
    per: str = "attempts"
    """The counter whose calls are charged: `attempts`, `answered` or `short`."""
    action: str = "notify"
    """`notify`, `throttle` or `suspend`."""
    throttle_caps: int = 1
    rest_s: int = 600
    accounts: frozenset[str] = frozenset()
    """Only these; empty: every account."""
    is_of_trunks: bool = False
    """Of egress trunks instead of accounts: told, never charged or throttled."""

    def applies_to(self, holder: str) -> bool:
        """Is this account or trunk judged by it?"""
        if self.is_of_trunks:
            return holder.startswith("trunk:")
        return not holder.startswith("trunk:") and (not self.accounts or holder in self.accounts)


_SAMPLES = {
    Metric.ASR: ("answered", "attempts", 100),
    Metric.NER: ("effective", "attempts", 100),
    Metric.ACD: ("answered_ms", "answered", 1),
    Metric.SHORT: ("short", "answered", 100),
    Metric.PDD: ("pdd_ms", "rang", 1),
}
_FLOORS = frozenset({Metric.ASR, Metric.NER, Metric.ACD})
_UNIT = {Metric.ACD: 1_000}
"""ms in the unit of the threshold."""


NEVER = 1 << 62


def samples(rule: Rule, counts: Counts) -> int:
    """How many samples the rule would judge by."""
    return counts[_SAMPLES[rule.metric][1]]


def judge(rule: Rule, counts: Counts) -> Judgement:
    """What this sum is by this rule."""
    above, below, factor = _SAMPLES[rule.metric]
    amount = counts[below]
    if amount < max(rule.minimum, 1):
        return Judgement.THIN
    value = counts[above] * factor
    unit = _UNIT.get(rule.metric, 1) * amount
    if rule.metric in _FLOORS:
        if value <= rule.threshold * unit:
            return Judgement.BAD
        return Judgement.GOOD if value > (rule.threshold + rule.margin) * unit else Judgement.BETWEEN
    if value >= rule.threshold * unit:
        return Judgement.BAD
    return Judgement.GOOD if value < (rule.threshold - rule.margin) * unit else Judgement.BETWEEN


def least_to_break(rule: Rule, counts: Counts) -> int:
    """The fewest more records with which this sum could be BAD, were each of them as bad as one can be; 0: it is."""
    above, below, factor = _SAMPLES[rule.metric]
    amount, value = counts[below], counts[above] * factor
    line = rule.threshold * _UNIT.get(rule.metric, 1)
    if rule.metric in _FLOORS:  # a sample without any value
        broken = -(-value // line) - amount if line > 0 else NEVER if value > 0 else 0
    elif value >= line * amount:
        broken = 0
    elif rule.metric is Metric.PDD:  # a delay without end
        broken = 1
    else:  # a sample with all of it
        broken = -(-(line * amount - value) // (factor - line)) if factor > line else NEVER
    return max(0, max(rule.minimum, 1) - amount, broken)


def badness(rule: Rule, counts: Counts) -> tuple[int, int]:
    """(numerator, denominator) of the figure, so that two sums can be compared without rounding."""
    above, below, factor = _SAMPLES[rule.metric]
    return counts[above] * factor, counts[below]


def is_worse(rule: Rule, one: Counts, other: Counts) -> bool:
    """Is the first sum further beyond the threshold than the second?"""
    (value, amount), (value_other, amount_other) = badness(rule, one), badness(rule, other)
    if rule.metric in _FLOORS:
        return value * amount_other < value_other * amount
    return value * amount_other > value_other * amount
