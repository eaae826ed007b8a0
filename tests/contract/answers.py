"""Answers without what they say of the values in force: the verdict alone."""

from limits import Denied, Outcome
from limits.model import NOTHING_IN_FORCE


def bare(outcomes: list[Outcome]) -> list[Outcome]:
    """Refusals by what refused and by how much."""
    return [one._replace(in_force=NOTHING_IN_FORCE) if isinstance(one, Denied) else one for one in outcomes]
