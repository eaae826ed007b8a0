"""The stages, in order, and the loop that walks them. Pure."""

from collections.abc import Callable
from typing import Final

from edge.config.snapshot import PolicySnapshot
from edge.policy.attempt import CallAttempt
from edge.policy.behaviour import behave
from edge.policy.entitlement import be_entitled
from edge.policy.identity import identify
from edge.policy.lawfulness import obey_law
from edge.policy.marking import mark
from edge.policy.numbers import read_numbers
from edge.policy.privacy import keep_promises
from edge.policy.ranking import rank
from edge.policy.rating import rate
from edge.policy.reach import reach
from edge.policy.routing import route
from edge.policy.screening import screen
from edge.policy.verdicts import Refuse

Stage = Callable[[CallAttempt, PolicySnapshot], Refuse | None]

STAGES: Final[tuple[Stage, ...]] = (
    identify, mark, read_numbers, screen, obey_law, be_entitled, behave, route, keep_promises, rate, rank, reach
)  # fmt: skip
"""Who calls, how and what for; which numbers; may this CLI be shown (by the house, the law, the account's list); may it
be done now; where to, in private; what it costs; by which trunk for what; may it go there. Then the limits are asked
(`demand`)."""


FINAL_STAGES: Final = (identify, read_numbers, route, keep_promises, rate, rank)
"""What they fill nobody else does: after their refusal there is nothing to go on with."""


def judge(attempt: CallAttempt, snapshot: PolicySnapshot) -> Refuse | None:
    """Walk the stages; the first refusal ends it, unless it is in the shadow. None: the limits may be asked."""
    for stage in STAGES:
        verdict = stage(attempt, snapshot)
        if verdict is not None and not in_shadow(stage, verdict, attempt):
            return verdict
    return None


def in_shadow(stage: Stage, verdict: Refuse, attempt: CallAttempt) -> bool:
    """Is this refusal only to be noted? Then it has been, and the next stage is asked."""
    account = attempt.account
    if account is None or verdict.reason not in account.shadow or stage in FINAL_STAGES:
        return False
    attempt.shadowed.append(verdict.reason.value)
    return True
