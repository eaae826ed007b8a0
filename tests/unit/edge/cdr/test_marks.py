"""What one attempt alone says about quality and penalties."""

import pytest

from edge.cdr.marks import MarkThresholds, marks
from edge.proxy.facts import CallFacts


def attempt(**fields: object) -> CallFacts:
    facts = CallFacts("u", 0.0)
    for name, value in fields.items():
        setattr(facts, name, value)
    return facts


def talked(seconds: float, **fields: object) -> CallFacts:
    return attempt(sent_at=0.0, answered_at=1.0, released_at=1.0 + seconds, candidates=[("a", 200)], **fields)


@pytest.mark.parametrize(
    ("facts", "flags", "candidates"),
    [
        (talked(7.999), ("short_call",), ("acd", "short_calls")),
        (talked(8.0), (), ("acd",)),
        (talked(14.999), (), ("acd",)),
        (talked(15.0), (), ()),
        (attempt(sent_at=0.0, candidates=[("a", 486)]), ("unanswered",), ("asr",)),
        (attempt(sent_at=0.0, candidates=[("a", 503), ("b", 486)]), ("failed_over", "unanswered"), ("asr",)),
        (attempt(), (), ()),
        (talked(1.0, emergency=True), (), ()),
        (talked(60.0, cli_shadowed=("no-mobile",)), (), ("cli",)),
        (
            talked(1.0, quality_flags=("x",), penalty_candidates=("y",)),
            ("x", "short_call"),
            ("y", "acd", "short_calls"),
        ),
    ],
)
def test_an_attempt_is_marked_by_the_contract(facts, flags, candidates):
    """Below 8 s short, below 15 s under the mean, unanswered against the ASR; nothing of the edge's own refusals."""
    assert (flags, candidates) == marks(facts)


def test_the_thresholds_are_data():
    """Another contract, other seconds."""
    assert marks(talked(8.0), MarkThresholds(short_ms=9_000, acd_ms=9_000))[0] == ("short_call",)
