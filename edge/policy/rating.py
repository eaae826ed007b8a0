"""Stage 5: what the call costs (R8). Pure.

The price is frozen here for the whole life of the call. Emergency calls are never billed (R16).
"""

from edge.config.snapshot import PolicySnapshot
from edge.policy.attempt import CallAttempt
from edge.policy.verdicts import Reason, Refuse


def rate(attempt: CallAttempt, snapshot: PolicySnapshot) -> Refuse | None:
    """Fill the rate, or refuse: a deck that has none for this number sells no call to it."""
    if snapshot.deck is None or attempt.emergency:
        return None
    attempt.rate = snapshot.deck.lookup(attempt.called)
    return Refuse(Reason.NO_RATE) if attempt.rate is None else None
