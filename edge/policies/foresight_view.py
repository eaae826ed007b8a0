"""What the limits would say, in words: ceilings, money, the person called, guards. Pure."""

from edge.accounts.values import show_instant
from edge.accounts.views import money
from edge.policy.verdicts import CALLED_NUMBER, PING, SMALL_SYSTEM, TELEMARKETING
from limits.foresight import Foreseen
from limits.frequency import Contacted, Frequency
from limits.model import Admit, Denied, Limit
from limits.rate import MICRO

_COUNTED = {
    TELEMARKETING: "attempts to this person",
    CALLED_NUMBER: "calls to this number",
    PING: "ping calls from this number",
    SMALL_SYSTEM: "different numbers called by the system",
}
_HAPPENED = {
    "refused_ms": "refused",
    "consent_ms": "consented",
    "hours_ms": "consented to any hour",
    "withdrawn_ms": "took consents back",
    "contract_ms": "contract in progress until",
}
_MONEY = (Limit.SPEND_HOUR, Limit.SPEND_DAY, Limit.GUARD, Limit.MAX_RATE)


def account_words(verb: Admit, foreseen: Foreseen, wall: float) -> str:
    """One line: who, what stands against it or how much room there is, and what is counted of the person called."""
    outcome, sight = foreseen.outcome, foreseen.sight
    if isinstance(outcome, Denied):
        words = [f"{verb.account}: {denial_words(outcome)}"]
    else:
        tokens = outcome.tokens_micro / MICRO
        words = [f"{verb.account}: call {outcome.in_use} of {outcome.ceiling}, {tokens:.1f} CAPS tokens left after it"]
        if outcome.held_micros:
            words.append(f"{money(outcome.held_micros)} held for {outcome.paid_s} s")
    if verb.contact is not None:
        words.append(contacted_words(sight.contacted))
    words += [f"{foreseen.used(one)} of {one.most} {_what(one)} in {_span(one.window_ms)}" for one in verb.frequencies]
    if verb.guard is not None and verb.price is not None:
        spent, held = foreseen.spent(verb.guard.name)
        most = money(verb.guard.most_micros)
        words.append(
            f"guard {verb.guard.name}: {money(spent)} spent and {money(held)} held of {most} in this hour (UTC)"
        )
    if sight.now_ms and abs(wall * 1_000 - sight.now_ms) > 60_000:
        words.append("as things stand now, not at the instant asked for")
    return "; ".join(words)


def trunk_words(trunk: str, denied: Denied | None, *, is_resting: bool) -> str:
    """One candidate."""
    if denied is not None:
        return f"{trunk}: {denial_words(denied)}"
    return f"{trunk}: in maintenance, tried where nothing else is left" if is_resting else f"{trunk}: may be tried"


def denial_words(denied: Denied) -> str:
    """What said no, and where it stands."""
    name = f" {denied.name}" if denied.name else ""
    if denied.limit is Limit.CREDIT:
        return f"credit: {money(denied.ceiling)} free, {money(denied.in_use)} for the shortest call"
    if denied.limit in _MONEY:
        return f"{denied.limit}{name}: {money(denied.in_use)} against {money(denied.ceiling)}"
    if denied.limit is Limit.CAPS:
        return f"CAPS {denied.ceiling}: no token left, the next in {denied.retry_after_ms} ms"
    if denied.limit in (Limit.CALLS, Limit.PREFIX_CALLS, Limit.PREFIX_CAPS, Limit.FREQUENCY):
        return f"{denied.limit}{name}: {denied.in_use} of {denied.ceiling}"
    return f"{denied.limit}{name}"


def contacted_words(happened: Contacted) -> str:
    """What is recorded of the person called."""
    facts = [f"{_HAPPENED[name]} {show_instant(at)}" for name, at in happened._asdict().items() if at]
    return f"the person called: {', '.join(facts) or 'nothing recorded'}"


def _what(one: Frequency) -> str:
    return _COUNTED.get(one.name, f"calls under {one.name}")


def _span(window_ms: int) -> str:
    days, rest = divmod(window_ms, 86_400_000)
    return f"{days} days" if days and rest < 86_400_000 and days > 1 else f"{window_ms // 1_000} s"
