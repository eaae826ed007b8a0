"""edge.policy.companions"""

from edge.policy.companions import COMPANIONS
from edge.policy.pipeline import STAGES


def test_every_stage_has_a_companion() -> None:
    """A stage nobody describes could refuse without a word."""
    assert tuple(COMPANIONS) == STAGES
