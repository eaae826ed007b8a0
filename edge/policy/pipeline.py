"""The stages, in order, and the loop that walks them. Pure."""

from collections.abc import Callable

from edge.config.snapshot import PolicySnapshot
from edge.policy.attempt import CallAttempt
from edge.policy.identity import identify
from edge.policy.numbers import read_numbers
from edge.policy.rating import rate
from edge.policy.routing import route
from edge.policy.screening import screen
from edge.policy.verdicts import Refuse

Stage = Callable[[CallAttempt, PolicySnapshot], Refuse | None]

STAGES: tuple[Stage, ...] = (identify, read_numbers, screen, route, rate)
"""Who calls, which numbers, may this CLI be shown, where to, what it costs. Then the limits are asked (`demand`)."""


def judge(attempt: CallAttempt, snapshot: PolicySnapshot) -> Refuse | None:
    """Walk the stages; the first refusal ends it. None: the attempt may be put to the limits."""
    for stage in STAGES:
        verdict = stage(attempt, snapshot)
        if verdict is not None:
            return verdict
    return None
