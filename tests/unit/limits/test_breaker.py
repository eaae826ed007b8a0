"""limits.breaker: when the store is not asked."""

import pytest

from limits.breaker import BREAKER_TABLE, MISSES, PROBE_S, Breaker, BreakerInput, BreakerState

CLOSED, OPEN, PROBING = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.PROBING
ANSWERED, MISSED = BreakerInput.ANSWERED, BreakerInput.MISSED


def after(*inputs: BreakerInput) -> Breaker:
    breaker = Breaker()
    for what in inputs:
        breaker.tell(what)
    return breaker


@pytest.mark.parametrize(
    ("inputs", "state"),
    [
        ([MISSED] * (MISSES - 1), CLOSED),
        ([MISSED] * MISSES, OPEN),
        ([MISSED] * (MISSES - 1) + [ANSWERED] + [MISSED] * (MISSES - 1), CLOSED),
        ([MISSED] * MISSES + [ANSWERED], OPEN),
        ([MISSED] * MISSES + [BreakerInput.PROBE_SENT], PROBING),
        ([MISSED] * MISSES + [BreakerInput.PROBE_SENT, MISSED], PROBING),
        ([MISSED] * MISSES + [BreakerInput.PROBE_SENT, BreakerInput.PROBE_MISSED], OPEN),
        ([MISSED] * MISSES + [BreakerInput.PROBE_SENT, BreakerInput.PROBE_ANSWERED], CLOSED),
        ([MISSED] * MISSES + [BreakerInput.LOST], CLOSED),
        ([MISSED] * MISSES + [BreakerInput.PROBE_SENT, BreakerInput.LOST], CLOSED),
        ([MISSED] * 4 + [BreakerInput.LOST] + [MISSED] * 4, CLOSED),
    ],
)
def test_misses_in_a_row_open_it_and_a_probe_closes_it(inputs, state):
    """Answers to late verbs do not: they were late."""
    assert after(*inputs).state is state


def test_it_counts_how_often_it_opened_and_starts_again_from_nothing():
    """A closed breaker needs as many misses again."""
    probe = [BreakerInput.PROBE_SENT, BreakerInput.PROBE_ANSWERED]
    breaker = after(*[MISSED] * MISSES, *probe, *[MISSED] * (MISSES - 1))

    assert (breaker.opens, breaker.is_open) == (1, False)


def test_a_dead_store_costs_five_deadlines_and_is_asked_again_within_a_quarter_of_a_second():
    """What operators are told (limits/README.md)."""
    assert (after(*[MISSED] * 5).is_open, PROBE_S) == (True, 0.25)


def test_every_state_has_its_rows():
    """And each row leads to a state."""
    assert set(BREAKER_TABLE) == set(BreakerState)
