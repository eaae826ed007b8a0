"""Near a ceiling: told at 80 and 95 %, once a minute each, and no more names remembered than there is room for."""

import pytest

from edge.proxy.facts import Fact
from edge.proxy.thresholds import CAPACITY, QUIET_S, Thresholds
from limits.model import Admitted

MICRO = 1_000_000


def admitted(*, in_use: int = 0, ceiling: int = 100, tokens: int = 100, burst: int = 100) -> Admitted:
    return Admitted(0, in_use, 1, ceiling, burst, burst, tokens * MICRO)


def told(*seen: tuple[Admitted, float], thresholds: Thresholds | None = None) -> list[tuple[str, int, int]]:
    """(limit, per cent, in use) of each fact."""
    facts: list[Fact] = []
    thresholds = thresholds or Thresholds()
    for one, now in seen:
        thresholds.note("acme", one, now, facts)
    return [(str(f.fields["limit"]), int(f.fields["percent"]), int(f.fields["in_use"])) for f in facts]


@pytest.mark.parametrize(
    ("in_use", "ceiling", "facts"),
    [
        (79, 100, []),
        (80, 100, [("calls", 80, 80)]),
        (94, 100, [("calls", 80, 94)]),
        (95, 100, [("calls", 95, 95)]),
        (100, 100, [("calls", 95, 100)]),
        (4, 5, [("calls", 80, 4)]),
        (1, 1, []),  # a ceiling of one has no nearness
        (0, 0, []),
    ],
)
def test_concurrent_calls(in_use, ceiling, facts):
    """80 and 95 % of the ceiling, this call included."""
    assert told((admitted(in_use=in_use, ceiling=ceiling), 0.0)) == facts


@pytest.mark.parametrize(
    ("tokens", "facts"), [(21, []), (20, [("caps", 80, 80)]), (5, [("caps", 95, 95)]), (0, [("caps", 95, 100)])]
)
def test_attempts(tokens, facts):
    """What of the bucket is used."""
    assert told((admitted(tokens=tokens), 0.0)) == facts


def test_each_is_told_once_a_minute():
    """By level: a rise from 80 to 95 % is news at once."""
    at_80, at_95 = admitted(in_use=80), admitted(in_use=95)
    assert told((at_80, 0), (at_80, 1), (at_95, 2), (at_95, QUIET_S), (at_80, QUIET_S), (at_95, QUIET_S + 2)) == [
        ("calls", 80, 80),
        ("calls", 95, 95),
        ("calls", 80, 80),
        ("calls", 95, 95),
    ]


def test_it_is_bounded():
    """Forgotten all at once: then somebody may be told of twice."""
    thresholds = Thresholds()
    facts: list[Fact] = []
    for number in range(CAPACITY + 2):
        thresholds.note(f"acme{number}", admitted(in_use=80), 0.0, facts)
        assert len(thresholds._told) <= CAPACITY
    assert len(facts) == CAPACITY + 2
