"""edge.cdr.delivery.trouble"""

from edge.cdr.delivery.consumer import REMIND_S, Bounds
from edge.cdr.delivery.trouble import Trouble
from edge.proxy.facts import Fact


def trouble(facts: list[Fact]) -> Trouble:
    return Trouble("rating", Bounds(retry_s=1.0, retry_most_s=8.0, alarm_s=60.0), tell=facts.append, draw=lambda: 0.0)


def test_pauses_grow_and_end_with_a_delivery():
    """Half of a doubled pause where chance is 0; the next failure begins anew."""
    one = trouble([])
    assert [one.failed("away", 100.0) for _ in range(5)] == [0.5, 1.0, 2.0, 4.0, 4.0]
    assert (one.in_a_row, one.retry_at) == (5, 104.0)
    assert (one.is_over(101.0), one.in_a_row, one.retry_at) == (True, 0, 0.0)
    assert (one.is_over(101.0), one.failed("away", 102.0)) == (False, 0.5)


def test_the_other_side_is_given_the_time_it_asks_for():
    """Where it is longer than ours."""
    one = trouble([])
    assert [one.failed("busy", 100.0, asked_s=asked) for asked in (50.0, 0.1)] == [50.0, 1.0]


def test_it_is_told_when_it_begins_when_it_lasts_and_when_it_is_over():
    """Once at first, an alarm after so long and again after a while; its end only to whom an alarm was given."""
    facts: list[Fact] = []
    one = trouble(facts)
    for now in (100.0, 130.0, 159.0, 160.0, 161.0, 159.0 + REMIND_S, 160.0 + REMIND_S):
        one.failed("away", now)
    one.is_over(2_000.0)
    alarm = {"sink": "rating", "for_s": 60, "why": "away"}
    assert facts == [
        Fact("delivery.failed", {"sink": "rating", "why": "away"}),
        Fact("delivery.stuck", alarm),
        Fact("delivery.stuck", alarm | {"for_s": 60 + REMIND_S}),
        Fact("delivery.recovered", {"sink": "rating", "for_s": 1_900}),
    ]
    facts.clear()
    one.failed("away", 3_000.0)
    one.is_over(3_001.0)
    assert [fact.name for fact in facts] == ["delivery.failed"]
