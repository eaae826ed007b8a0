"""Stage 4: which egress trunks may take the call, in the order to try them. Pure.

The longest prefix of the called number that has a route for this account and ingress class wins.
"""

from edge.config.routes import Route
from edge.config.snapshot import PolicySnapshot
from edge.config.trunks import EgressTrunk
from edge.policy.attempt import CallAttempt
from edge.policy.verdicts import Reason, Refuse


def route(attempt: CallAttempt, snapshot: PolicySnapshot) -> Refuse | None:
    """Fill the candidates, or refuse: no route, none for this caller, barred. Nothing is barred to emergency calls."""
    if attempt.emergency and snapshot.emergency_routes:
        return _route_emergency(attempt, snapshot)
    called = attempt.called
    routes = snapshot.routes
    longest = len(called)
    was_found = False
    for length in snapshot.route_lengths:
        if length > longest:
            continue
        for found in routes.get(called[:length], ()):
            was_found = True
            if not attempt.emergency:
                if not _is_for(found, attempt):
                    continue
                if found.is_shadow:
                    attempt.shadowed.append(found.id)
                    continue
                if found.is_barred:
                    attempt.route = found.id
                    return Refuse(Reason.DESTINATION_BARRED)
            elif found.is_barred:
                continue
            attempt.route = found.id
            attempt.candidates = draw_order(found.trunks, attempt.draw) if found.is_weighted else list(found.trunks)
            return None
    return Refuse(Reason.ROUTE_NOT_ALLOWED if was_found else Reason.NO_ROUTE)


def _route_emergency(attempt: CallAttempt, snapshot: PolicySnapshot) -> Refuse | None:
    """The trunks kept for emergency calls first, by the longest prefix; then those of the ordinary route."""
    called = attempt.called
    lengths = snapshot.emergency_route_lengths
    special = [found for length in lengths for found in snapshot.emergency_routes.get(called[:length], ())]
    usual = [found for length in snapshot.route_lengths for found in snapshot.routes.get(called[:length], ())]
    chosen = [found for found in special if not found.is_barred][:1] + [
        found for found in usual if not found.is_barred
    ][:1]
    if not chosen:
        return Refuse(Reason.NO_ROUTE)
    attempt.route = chosen[0].id
    for found in chosen:
        trunks = draw_order(found.trunks, attempt.draw) if found.is_weighted else list(found.trunks)
        attempt.candidates += [trunk for trunk in trunks if trunk not in attempt.candidates]
    return None


def draw_order(trunks: tuple[EgressTrunk, ...], draw: float) -> list[EgressTrunk]:
    """By priority, the lowest number first; those of one priority in random order, the heavier ones rather first
    (as RFC 2782). `draw` in [0, 1) decides all of it.

    What is left of the draw inside the share it fell into is uniform again, so one number serves for every place."""
    order: list[EgressTrunk] = []
    for priority in sorted({trunk.priority for trunk in trunks}):
        left = [trunk for trunk in trunks if trunk.priority == priority]
        while len(left) > 1:
            mark = draw * sum(trunk.weight for trunk in left)
            index = 0
            while index < len(left) - 1 and mark >= left[index].weight:
                mark -= left[index].weight
                index += 1
            chosen = left.pop(index)
            draw = min(mark / chosen.weight, 1.0)
            order.append(chosen)
        order += left
    return order


def _is_for(found: Route, attempt: CallAttempt) -> bool:
    if found.accounts and (attempt.account is None or attempt.account.id not in found.accounts):
        return False
    return not found.classes or attempt.ingress_class in found.classes
