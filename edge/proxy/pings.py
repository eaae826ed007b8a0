"""Calls so short that nobody could have talked: what each leaves behind, and when there are many. Pure.

Contract article 9.2.3 (artificially stimulated traffic): a caller lets a telephone ring once, or hangs up on the
answer, so that somebody calls back. One such call is an accident; the limits count them by account and number.
"""

from typing import Final

from edge.config.telemarketing import PingCalls
from edge.policy.behaviour import ping_frequency
from edge.policy.demand import Digest
from edge.proxy.facts import CallFacts, Fact
from limits.frequency import Frequency
from limits.model import Outcome, Settle, Settled, Verb

TAG: Final = "ping_call"
_TOLD: Final = 4_096
"""Accounts of which it is remembered that it has been told; when full, all are forgotten."""


def is_ping(facts: CallFacts, ping: PingCalls) -> bool:
    """Answered and over at once, or given up by the caller soon after it began to ring."""
    released = facts.released_at
    if ping.mode == "off" or facts.emergency or released is None or facts.lost:
        return False
    if facts.answered_at is not None:
        return released - facts.answered_at < ping.talk_s
    return facts.reason == "cancelled" and facts.ringing_at is not None and released - facts.ringing_at <= ping.ring_s


class Pings:
    """Marks such calls, and tells once in a window when an account places many."""

    __slots__ = ("_told",)

    def __init__(self) -> None:
        self._told: dict[str, float] = {}

    def marks_of(self, facts: CallFacts, ping: PingCalls, digest: Digest) -> tuple[Frequency, ...]:
        """What an ended call leaves for the limits to count; its record gets the tag."""
        if not is_ping(facts, ping):
            return ()
        facts.tags += (TAG,)
        return (ping_frequency(ping, digest(facts.cli_presented)),)

    def heard(self, verb: Verb, outcome: Outcome, now: float, facts: list[Fact]) -> None:
        """A settlement that left a mark says how many there are now: a fact, where they are too many and it was not
        told in this window."""
        if not isinstance(outcome, Settled) or not outcome.marked or not isinstance(verb, Settle):
            return
        mark = verb.marks[0]
        if outcome.marked <= mark.most:
            return
        until = self._told.get(verb.account)
        if until is not None and now < until:
            return
        if len(self._told) >= _TOLD:
            self._told.clear()
        self._told[verb.account] = now + mark.window_ms / 1_000
        window_s = mark.window_ms // 1_000
        fields: dict[str, str | int | float] = {"account": verb.account, "calls": outcome.marked, "window_s": window_s}
        facts.append(Fact("calls.ping", {**fields, "call_uid": verb.uid}))
