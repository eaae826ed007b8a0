"""edge.quality.patience: who is left alone cannot have broken a rule meanwhile"""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from records import at

from edge.quality.counts import JUDGED, Counts
from edge.quality.patience import AHEAD, NONE, Diary, Patience, patience
from edge.quality.rules import Judgement, Metric, Rule, judge, least_to_break
from edge.quality.windows import rolling

NOW = at("2026-11-26T10:30:20")
MINUTE = NOW // 60 * 60
RULES = (
    Rule("asr", Metric.ASR, 60, minimum=20),
    Rule("acd", Metric.ACD, 15, minimum=5),
    Rule("ner", Metric.NER, 90, minimum=10),
    Rule("short", Metric.SHORT, 10, minimum=20),
    Rule("pdd", Metric.PDD, 3_000, minimum=10),
    Rule("none", Metric.ASR, 0, minimum=1),
    Rule("all", Metric.SHORT, 100, minimum=3),
)
WORST = {
    Metric.ASR: {"attempts": 1},
    Metric.NER: {"attempts": 1},
    Metric.ACD: {"attempts": 1, "answered": 1},
    Metric.SHORT: {"attempts": 1, "answered": 1, "short": 1},
    Metric.PDD: {"attempts": 1, "rang": 1, "pdd_ms": 10**9},
}
"""A call as bad as one can be."""

COUNTS = st.builds(
    lambda attempts, answered, short, effective, talk, rang, pdd: Counts.of(
        attempts=attempts,
        answered=min(answered, attempts),
        short=min(short, answered, attempts),
        effective=min(effective, attempts),
        answered_ms=talk if min(answered, attempts) else 0,
        rang=min(rang, attempts),
        pdd_ms=pdd if min(rang, attempts) else 0,
    ),
    *[st.integers(0, 60)] * 4,
    st.integers(0, 2_000_000),
    st.integers(0, 60),
    st.integers(0, 200_000),
)


def plus(counts: Counts, calls: int, metric: Metric) -> Counts:
    """With so many of the worst calls."""
    return Counts.of(**{name: number + calls * WORST[metric].get(name, 0) for name, number in counts.named().items()})


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
@given(counts=COUNTS)
def test_the_fewest_that_break_a_rule(rule: Rule, counts: Counts) -> None:
    """With one less, however bad, it holds; with so many it can be broken."""
    fewest = least_to_break(rule, counts)
    assert (fewest == 0) == (judge(rule, counts) is Judgement.BAD)
    for calls in {0, fewest // 2, fewest - 1} - {-1}:
        if calls < min(fewest, 10_000):
            assert judge(rule, plus(counts, calls, rule.metric)) is not Judgement.BAD
    if fewest < 10_000:
        assert judge(rule, plus(counts, fewest, rule.metric)) is Judgement.BAD


def test_an_account_in_order_may_fail_so_often() -> None:
    """100 of 100 answered: 67 failures make it 59.9 %; 66 leave it above 60."""
    assert least_to_break(RULES[0], Counts.of(attempts=100, answered=100)) == 67
    assert least_to_break(RULES[0], Counts()) == 20
    assert least_to_break(RULES[3], Counts.of(answered=900, short=0)) == 100


@given(
    st.dictionaries(st.integers(-62, AHEAD + 2), COUNTS, max_size=12),
    st.sampled_from(RULES),
    st.integers(0, AHEAD * 60 + 59),
    st.integers(0, 30),
    st.integers(-10, AHEAD),
)
def test_nobody_who_is_left_alone_breaks_a_rule(
    found: dict[int, Counts], rule: Rule, later: int, calls: int, where: int
) -> None:
    """At no instant before the look that is due, with any calls short of what makes it due, in any minute."""
    minutes = {MINUTE + place * 60: counts for place, counts in found.items()}
    wait = patience([rule], minutes, rolling(minutes, NOW))
    then = NOW + later
    assume(then < wait.until_s and calls < wait.records)
    place = MINUTE + where * 60
    more = {**minutes, place: plus(minutes.get(place, Counts()), calls, rule.metric)}
    assert judge(rule, rolling(more, then).counts) is not Judgement.BAD


def test_what_leaves_the_hour_is_known_beforehand() -> None:
    """40 good calls of the oldest but one minute, 30 bad ones of now: broken by itself in two minutes."""
    minutes = {MINUTE - 58 * 60: Counts.of(attempts=120, answered=120), MINUTE: Counts.of(attempts=30)}
    asr = RULES[0]
    assert patience([asr], minutes, rolling(minutes, NOW)) == Patience(50, MINUTE + 120)
    assert judge(asr, rolling(minutes, MINUTE + 119).counts) is not Judgement.BAD
    assert judge(asr, rolling(minutes, MINUTE + 120).counts) is Judgement.BAD


def test_a_rule_that_is_broken_leaves_no_patience() -> None:
    """It is looked at in each round; nobody waits for ever, and without rules there is nothing to wait for."""
    bad = {MINUTE: Counts.of(attempts=30)}
    assert patience(RULES[:1], bad, rolling(bad, NOW)) == NONE
    assert patience((), {}, rolling({}, NOW)).until_s == MINUTE + (AHEAD + 1) * 60


def test_rules_look_at_the_first_counters_only() -> None:
    """The watch reads no others."""
    full = Counts(tuple(range(1, 9)) + (7,) * 20)
    text = " ".join(map(str, full.numbers))
    first = Counts.from_text(text, first=JUDGED)
    for rule in RULES:
        assert judge(rule, first) is judge(rule, full)
        assert least_to_break(rule, first) == least_to_break(rule, full)
    assert first["cancelled"] == 0


# -- who is due ----------------------------------------------------------------------------------------------------


def test_whoever_is_heard_of_for_the_first_time_is_due() -> None:
    """By news or by a list."""
    diary = Diary()
    diary.heard({"a": 1})
    diary.listed(["a", "b"])
    assert diary.due(NOW) == ["a", "b"]


def test_one_is_due_with_enough_records_or_in_time() -> None:
    """Records add up over several batches."""
    diary = Diary()
    diary.looked("a", Patience(10, NOW + 60))
    diary.heard({"a": 9})
    assert diary.due(NOW + 59) == []
    diary.heard({"a": 1})
    assert diary.due(NOW) == ["a"]
    diary.looked("a", Patience(10, NOW + 60))
    assert (diary.due(NOW + 59), diary.due(NOW + 60)) == ([], ["a"])


def test_other_rules_make_everybody_due() -> None:
    """What was concluded from the old ones is void."""
    diary = Diary()
    diary.looked("a", Patience(10, NOW + 60))
    diary.clear()
    assert diary.due(NOW) == ["a"]


def test_whoever_is_not_listed_any_more_is_forgotten() -> None:
    """Memory has a bound; who stays keeps its patience."""
    diary = Diary()
    diary.looked("a", Patience(10, NOW + 60))
    diary.looked("b", Patience(10, NOW + 60))
    diary.listed(["b", "c"])
    assert (len(diary), diary.due(NOW)) == (2, ["c"])
