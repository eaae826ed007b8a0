"""What to ask of the limits, and how to read the answer. Pure; knows `limits.model` only.

Not a stage of the loop: between the question and the answer the core goes on with other work. Only an attempt that has
passed every stage is asked for, so that what policy refuses spends no token (R6).
"""

from edge.policy.attempt import CallAttempt
from edge.policy.verdicts import REASON_OF_LIMIT, Reason, Refuse
from limits.model import DEFAULT_LEASE_MS, Admit, Denied, Outcome, Unavailable


def ask(attempt: CallAttempt, *, uid: str, node: str, lease_ms: int = DEFAULT_LEASE_MS) -> Admit | None:
    """The question for this attempt; None: there is nothing to ask, the call passes without a lease (R16)."""
    if attempt.emergency or attempt.account is None:
        return None
    return Admit(attempt.account.id, uid, node, lease_ms)


def read(outcome: Outcome, attempt: CallAttempt) -> Refuse | None:
    """None: go on (`attempt.degraded` says whether nobody knows the account's usage). Any outcome but Denied and
    Unavailable is a yes."""
    if attempt.emergency:
        return None
    if isinstance(outcome, Denied):
        return Refuse(REASON_OF_LIMIT[outcome.limit], outcome.retry_after_ms)
    if isinstance(outcome, Unavailable):
        if attempt.account is None or attempt.account.store_away != "admit":
            return Refuse(Reason.STORE_AWAY)
        attempt.degraded = True
    return None
