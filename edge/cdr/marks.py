"""What one attempt alone says about quality and penalties (contract articles 26 and 27). Pure.

Rates over an hour are judged elsewhere: here an attempt is only marked as one that counts against a rule, so that a
rating system finds the calls under a breach.
"""

from typing import Final, NamedTuple

from edge.proxy.facts import CallFacts


class MarkThresholds(NamedTuple):
    """Milliseconds of talk."""

    short_ms: int = 8_000
    """An answered call that is shorter is a short call."""
    acd_ms: int = 15_000
    """An answered call that is shorter pulls the average call duration down."""


DEFAULT: Final = MarkThresholds()
SHORT: Final = "short_call"
FAILED_OVER: Final = "failed_over"
UNANSWERED: Final = "unanswered"
"""Words of `quality_flags`."""
PENALTY_SHORT: Final = "short_calls"
PENALTY_ASR: Final = "asr"
PENALTY_ACD: Final = "acd"
PENALTY_CLI: Final = "cli"
"""Words of `penalty_candidates`."""


def marks(facts: CallFacts, at: MarkThresholds = DEFAULT) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(quality flags, penalty candidates): those that were set while the call ran, then what its end says.

    Emergency calls are never marked (R16), nor what the edge refused itself: no trunk saw it; nor lost calls, whose
    duration nobody knows: quality does not count them either."""
    flags, candidates = facts.quality_flags, facts.penalty_candidates
    if facts.emergency or facts.sent_at is None or facts.lost:
        return flags, candidates
    if len(facts.candidates) > 1:
        flags += (FAILED_OVER,)
    if facts.cli_shadowed:
        candidates += (PENALTY_CLI,)
    if facts.answered_at is None:
        return (*flags, UNANSWERED), (*candidates, PENALTY_ASR)
    duration_ms = facts.duration_ms
    if duration_ms < at.acd_ms:
        candidates += (PENALTY_ACD,)
        if duration_ms < at.short_ms:
            return (*flags, SHORT), (*candidates, PENALTY_SHORT)
    return flags, candidates
