"""Stage 6: in which order the trunks are tried by what they cost us, and which of them not at all (no loss). Pure.

Only where the route asks for it. What a trunk costs is in its own deck; compared is a call of a minute, priced by the
one function that prices everything. A trunk whose deck has no rate for the number does not sell it: it comes last, and
not at all where nothing may be lost. One without a deck costs nobody knows what: last as well, but never left out.
"""

from typing import Final

from edge.config.routes import Route
from edge.config.snapshot import PolicySnapshot
from edge.config.trunks import EgressTrunk
from edge.policy.attempt import CallAttempt
from edge.policy.verdicts import Reason, Refuse
from limits.rates import cost

COMPARED_MS: Final = 60_000
"""A call of so long is compared."""


def rank(attempt: CallAttempt, snapshot: PolicySnapshot) -> Refuse | None:
    """Order the candidates, or refuse: every one of them would cost more than the call brings."""
    found = snapshot.routes_by_id.get(attempt.route)
    if found is None or attempt.emergency or not (found.no_loss or found.by_cost):
        return None
    if found.no_loss:
        kept = [trunk for trunk in attempt.candidates if not loses(trunk, attempt, snapshot)]
        if not kept and attempt.candidates:
            return Refuse(Reason.NO_MARGIN)
        attempt.candidates = kept
    if found.by_cost:
        attempt.candidates.sort(key=lambda trunk: _key(buying_micros(trunk, attempt, snapshot)))
    return None


def asks(attempt: CallAttempt, snapshot: PolicySnapshot) -> Route | None:
    """The route, where it orders by cost or forbids a loss."""
    found = snapshot.routes_by_id.get(attempt.route)
    return found if found is not None and not attempt.emergency and (found.no_loss or found.by_cost) else None


def buying_micros(trunk: EgressTrunk, attempt: CallAttempt, snapshot: PolicySnapshot) -> int | None:
    """What the compared call costs us there; None: nobody knows, or it does not sell this number."""
    deck = snapshot.trunk_decks.get(trunk.id)
    rate = None if deck is None else deck.lookup(attempt.called)
    return None if rate is None else cost(rate.price, COMPARED_MS)


def loses(trunk: EgressTrunk, attempt: CallAttempt, snapshot: PolicySnapshot) -> bool:
    """Would the compared call cost more there than it brings?"""
    if trunk.id not in snapshot.trunk_decks or attempt.rate is None:
        return False
    bought = buying_micros(trunk, attempt, snapshot)
    return bought is None or bought > cost(attempt.rate.price, COMPARED_MS)


def _key(bought: int | None) -> tuple[bool, int]:
    """The cheapest first, what nobody knows last; those that are equal stay in the route's order."""
    return bought is None, bought or 0
