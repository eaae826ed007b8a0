"""The invariants that each answer of the limiter shows by itself (limits/README.md): what a broken one would look like.

Pure. The scripts decide; this looks at what they have decided with other eyes, and counts. What an answer cannot show
(leaks, negative counters, sums over all calls) is in the books: scripts/verify.lua.
"""

from typing import Final

from limits import rate, rates
from limits.model import Admit, Admitted, Denied, Limit, Outcome, Settle, Settled, Verb

INVARIANTS: Final = ("no_over_admission", "no_over_rate", "no_over_spend", "conservation", "no_false_refusal")
"""1, 2, 3, 6 and 7 of the seven."""

CAPACITY: Final = 10_000
"""Holders remembered; when full, all are forgotten."""


class _Last:
    """The last attempt of a holder that passed. `at_ms`: by the store's clock."""

    __slots__ = ("at_ms", "generation", "tokens_micro", "uid")

    def __init__(self, uid: str, at_ms: int, tokens_micro: int, generation: int) -> None:
        self.uid = uid
        self.at_ms = at_ms
        self.tokens_micro = tokens_micro
        self.generation = generation


class Watch:
    """Of one limiter. `broken`: invariant -> answers that broke it."""

    __slots__ = ("_last", "broken")

    def __init__(self) -> None:
        self._last: dict[str, _Last] = {}
        self.broken = dict.fromkeys(INVARIANTS, 0)

    def see(self, verb: Verb, outcome: Outcome) -> None:
        """An answer."""
        if type(verb) is Admit:
            if type(outcome) is Admitted:
                self._admitted(verb, outcome)
            elif type(outcome) is Denied and _is_false(verb, outcome):
                self.broken["no_false_refusal"] += 1
        elif type(verb) is Settle and type(outcome) is Settled:
            self.broken["conservation"] += not _is_charged_right(verb, outcome)

    def forget(self) -> None:
        """The store has lost its data: its buckets are full again."""
        self._last.clear()

    def _admitted(self, verb: Admit, outcome: Admitted) -> None:
        shadowed = outcome.shadowed
        broken = self.broken
        if outcome.in_use > outcome.ceiling and Limit.CALLS.value not in shadowed:
            broken["no_over_admission"] += 1
        price = verb.price
        if price is not None:
            paid_s = outcome.paid_s
            # What is promised is held, to the micro; and nothing is promised on less than the shortest call.
            held = rates.cost(price, paid_s * 1_000) if paid_s else 0
            is_held = outcome.held_micros == held and paid_s >= rates.billed_s(price, 0)
            broken["no_over_spend"] += not (is_held or shadowed)
        at_ms, tokens = outcome.lease_until_ms - verb.lease_ms, outcome.tokens_micro
        last = self._last.get(verb.account)
        if len(self._last) >= CAPACITY:
            self._last.clear()
        self._last[verb.account] = _Last(verb.uid, at_ms, tokens, outcome.generation)
        if (
            last is None
            or last.generation != outcome.generation
            or last.uid == verb.uid  # the same attempt again takes no token
            or at_ms < last.at_ms
            or shadowed
        ):
            return
        # Between the two at most so much has come in, and one token has gone out: whatever other nodes took, took more.
        most = rate.refilled(last.tokens_micro, elapsed_ms=at_ms - last.at_ms, caps=outcome.caps, burst=outcome.burst)
        if not 0 <= tokens <= most - rate.MICRO:
            broken["no_over_rate"] += 1


def _is_false(verb: Admit, denied: Denied) -> bool:
    """Was there room, by the very figures of the refusal?"""
    limit, ceiling, in_use = denied.limit, denied.ceiling, denied.in_use
    if limit in (Limit.CAPS, Limit.PREFIX_CAPS):
        # A token comes every 1/CAPS of a second: who is refused waits no longer than that.
        longest = rate.wait_ms(0, caps=ceiling)
        return ceiling > 0 and not 0 < denied.retry_after_ms <= longest
    if limit in (Limit.CALLS, Limit.PREFIX_CALLS):
        return in_use < ceiling and not verb.member  # in a group, what others have reserved is not free
    if limit is Limit.CREDIT or limit is Limit.MAX_RATE:
        return in_use <= ceiling
    if limit in (Limit.SPEND_HOUR, Limit.SPEND_DAY) and verb.price is not None:
        return in_use + rates.cost(verb.price, 0) <= ceiling
    return False


def _is_charged_right(settle: Settle, settled: Settled) -> bool:
    """Is what the store has charged what the CDR of this call says?"""
    if settled.already or settle.price is None or settle.charged is not None:
        return True
    cost = rates.cost(settle.price, settle.duration_ms) if settle.outcome == "answered" else 0
    return settled.charged_micros == cost
