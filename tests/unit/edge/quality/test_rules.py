"""edge.quality.rules: thresholds, both sides of them, and samples"""

import pytest

from edge.config.quality import Quality
from edge.quality.counts import Counts
from edge.quality.rules import Judgement, Metric, Rule, is_worse, judge
from edge.quality.terms import Terms

CONTRACT = {rule.id: rule for rule in Terms().rules}
ASR, ACD, SHORT = CONTRACT["asr"], CONTRACT["acd"], CONTRACT["short_calls"]
NER = Rule("ner", Metric.NER, 90, minimum=10)
PDD = Rule("pdd", Metric.PDD, 3_000, minimum=10, margin=500)
BAD, BETWEEN, GOOD, THIN = Judgement.BAD, Judgement.BETWEEN, Judgement.GOOD, Judgement.THIN


def test_contract_26_and_27_the_rules_of_the_contract():
    """Above 60 %, above 15 s, under 10 % in a rolling hour; 0.02 for each call."""
    found = [(r.id, r.threshold, r.window, r.penalty_micros, r.per, r.minimum) for r in Terms().rules]
    assert found == [
        ("asr", 60, "clock", 20_000, "attempts", 20),
        ("acd", 15, "clock", 20_000, "answered", 20),
        ("short_calls", 10, "rolling", 20_000, "short", 20),
    ]
    assert Terms(quality=Quality(contract_rules=False)).rules == ()


@pytest.mark.parametrize(
    ("rule", "counts", "expected"),
    [
        (ASR, {"attempts": 100, "answered": 60}, BAD),  # above 60 % is asked for
        (ASR, {"attempts": 1_000, "answered": 601}, BETWEEN),
        (ASR, {"attempts": 100, "answered": 65}, BETWEEN),
        (ASR, {"attempts": 1_000, "answered": 651}, GOOD),
        (ASR, {"attempts": 19, "answered": 0}, THIN),
        (ASR, {"attempts": 20, "answered": 0}, BAD),
        (ACD, {"answered": 20, "answered_ms": 300_000}, BAD),  # 15.000 s
        (ACD, {"answered": 20, "answered_ms": 300_001}, BETWEEN),
        (ACD, {"answered": 20, "answered_ms": 360_000}, BETWEEN),  # 18.000 s
        (ACD, {"answered": 20, "answered_ms": 360_001}, GOOD),
        (ACD, {"answered": 19, "answered_ms": 19}, THIN),
        (ACD, {"attempts": 500, "answered": 0}, THIN),
        (SHORT, {"answered": 100, "short": 10}, BAD),  # under 10 % is asked for
        (SHORT, {"answered": 1_000, "short": 99}, BETWEEN),
        (SHORT, {"answered": 100, "short": 8}, BETWEEN),
        (SHORT, {"answered": 1_000, "short": 79}, GOOD),
        (SHORT, {"answered": 19, "short": 19}, THIN),
        (SHORT, {"answered": 20, "short": 0}, GOOD),
        (NER, {"attempts": 10, "effective": 9}, BAD),
        (NER, {"attempts": 10, "effective": 10}, GOOD),
        (PDD, {"rang": 10, "pdd_ms": 30_000}, BAD),
        (PDD, {"rang": 10, "pdd_ms": 29_999}, BETWEEN),
        (PDD, {"rang": 10, "pdd_ms": 24_999}, GOOD),
        (PDD, {"rang": 9, "pdd_ms": 90_000}, THIN),
        (ASR._replace(minimum=1), {"attempts": 1}, BAD),
        (ASR._replace(minimum=0), {"attempts": 0}, THIN),
    ],
)
def test_a_sum_is_judged_at_both_sides_of_each_line(rule, counts, expected):
    """Exactly, by integers."""
    assert judge(rule, Counts.of(**counts)) is expected


def test_whom_a_rule_judges():
    """Accounts, some accounts, or trunks."""
    assert [ASR.applies_to(name) for name in ("acme", "trunk:out")] == [True, False]
    only = ASR._replace(accounts=frozenset({"acme"}))
    assert [only.applies_to(name) for name in ("acme", "other")] == [True, False]
    of_trunks = ASR._replace(is_of_trunks=True)
    assert [of_trunks.applies_to(name) for name in ("acme", "trunk:out")] == [False, True]


def test_worse_is_further_from_the_threshold():
    """A lower ASR, a larger share of short calls."""
    assert is_worse(ASR, Counts.of(attempts=10, answered=4), Counts.of(attempts=20, answered=9))
    assert is_worse(SHORT, Counts.of(answered=10, short=5), Counts.of(answered=20, short=9))
    assert not is_worse(SHORT, Counts.of(answered=20, short=9), Counts.of(answered=10, short=5))
