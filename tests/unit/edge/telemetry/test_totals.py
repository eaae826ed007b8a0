"""Sums over the attempts that have ended."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.proxy.facts import CallFacts
from edge.telemetry.totals import CallTotals, Histogram


def facts_of(**fields: object) -> CallFacts:
    facts = CallFacts("n1-1", 100.0)
    for name, value in fields.items():
        setattr(facts, name, value)
    return facts


@pytest.mark.parametrize(("value", "expected"), [(0, [1, 0, 0]), (10, [1, 0, 0]), (11, [0, 1, 0]), (21, [0, 0, 1])])
def test_a_value_on_a_bound_is_below_it(value, expected):
    """Buckets are `less or equal`, as the exposition format has it."""
    histogram = Histogram((10, 20))
    histogram.observe(value)

    assert expected == histogram.counts


@given(st.lists(st.integers(0, 100)))
def test_the_last_bucket_holds_everything(values):
    """Cumulative counts never fall and end with the number of values; the sum is the sum."""
    histogram = Histogram((10, 20, 50))
    for value in values:
        histogram.observe(value)
    rows = histogram.cumulative()

    assert [bound for bound, _ in rows] == ["1e-05", "2e-05", "5e-05", "+Inf"]
    assert sorted(count for _, count in rows) == [count for _, count in rows]
    assert (len(values), sum(values)) == (rows[-1][1], histogram.total_us)


def test_an_answered_call_moves_each_sum_once():
    """Outcome, decision, post-dial delay and seconds of talk."""
    totals = CallTotals()
    totals.add(facts_of(decided_at=100.001, sent_at=100.001, ringing_at=101.0, answered_at=102.0, released_at=104.5))

    assert totals.outcomes == {"answered": 1, "cancelled": 0, "abandoned": 0, "refused": 0, "failed": 0}
    assert (totals.answered_ms, totals.decision.total_us, totals.post_dial_delay.total_us) == (2_500, 1_000, 1_000_000)


def test_a_refused_attempt_has_a_decision_and_nothing_else():
    """No ringing, no talk."""
    totals = CallTotals()
    totals.add(facts_of(decided_at=100.0, released_at=100.0, status=403, reason="cli_refused"))

    assert (totals.outcomes["refused"], sum(totals.decision.counts), sum(totals.post_dial_delay.counts)) == (1, 1, 0)


def test_a_record_for_many_counts_for_many():
    """One record for a stranger's minute is as many refused attempts as it stands for."""
    totals = CallTotals()
    totals.add(facts_of(attempts=40, reason="unknown_source"))
    assert totals.outcomes["refused"] == 40


def test_what_is_in_the_shadow_is_counted_by_name():
    """Each rule, route, refusal and limit that would have refused, for itself."""
    totals = CallTotals()
    totals.add(facts_of(cli_shadowed=("watch",), shadowed=("caps",)))
    totals.add(facts_of(shadowed=("caps",)))
    totals.add(facts_of(cli_shadowed=("watch",)))
    assert totals.shadowed == {"watch": 2, "caps": 2}


def test_what_is_out_of_the_ordinary_is_counted_apart():
    """Degraded admissions and emergency calls."""
    totals = CallTotals()
    totals.add(facts_of(degraded=True, emergency=True))
    totals.add(facts_of())

    assert (totals.degraded, totals.emergency) == (1, 1)
