"""Refusals of our own: the answer by the account's profile, the record, the count. Pure."""

from edge.policy import verdicts
from edge.policy.attempt import CallAttempt
from edge.policy.verdicts import Reason, Refuse
from edge.proxy.facts import CallFacts
from edge.proxy.node import Node
from edge.proxy.responses import ResponseContext
from edge.proxy.strangers import Strangers
from edge.sip.transaction.layer import Transaction

Headers = tuple[tuple[bytes, bytes], ...]


class Refusals:
    """Answers attempts that may not pass, and begins the record of each attempt."""

    __slots__ = ("_node", "_strangers")

    def __init__(self, node: Node, strangers: Strangers) -> None:
        self._node = node
        self._strangers = strangers

    def respond(
        self,
        context: ResponseContext,
        refusal: Refuse,
        attempt: CallAttempt | None,
        now: float,
        headers: Headers = (),
    ) -> verdicts.RefusalAnswer:
        """Send the refusal the account's profile has for this reason; nothing, to a stranger who is to hear nothing.
        `headers`: what the answer carries besides."""
        node = self._node
        if attempt is not None and attempt.ingress is None and self._strangers.ignores(refusal.reason, context.server):
            return verdicts.NO_ANSWER
        snapshot = node.snapshot
        profile = snapshot.default_profile if attempt is None else verdicts.profile_of(attempt, snapshot)
        answer = verdicts.answer(
            refusal.reason, profile, retry_after_ms=refusal.retry_after_ms, jitter=node.draw(), detail=refusal.detail
        )
        context.answer(answer.status, answer.phrase, now, headers=(*headers, *answer.headers))
        return answer

    def refuse(
        self,
        context: ResponseContext,
        facts: CallFacts,
        refusal: Refuse,
        attempt: CallAttempt | None,
        now: float,
        headers: Headers = (),
    ) -> None:
        """An attempt that has a record: answer it, and say in its record why."""
        self.mark(facts, refusal.reason, self.respond(context, refusal, attempt, now, headers))

    def repeat(self, context: ResponseContext, uid: str, now: float) -> None:
        """An attempt that is known comes again: where it has failed it is told the same; else §8.2.2.2 says how a
        merged request is answered."""
        status = self._node.ended.status_of(uid) or 0
        if 300 <= status <= 699:
            context.answer(status, b"Call Ended", now)
        else:
            self.respond(context, Refuse(Reason.DUPLICATE), None, now)

    def mark(self, facts: CallFacts, reason: Reason, answer: verdicts.RefusalAnswer) -> None:
        """The record and the count; the answer has been sent."""
        refused = self._node.counters.refused
        refused[reason] = refused.get(reason, 0) + 1
        facts.end(answer.status, reason.value, answer.q850, "edge")

    def close(self, facts: CallFacts, now: float, *, is_stranger: bool = False) -> None:
        """Refused before a call began: its record goes out."""
        if is_stranger:
            self._strangers.record(facts, now)
            return
        facts.decided_at = facts.released_at = now
        self._node.record(facts, now)

    def begin(self, uid: str, txn: Transaction, call_id: bytes, from_tag: bytes, now: float) -> CallFacts:
        """One more attempt: it will have one record."""
        self._node.counters.attempts += 1
        facts = CallFacts(uid, now)
        facts.call_id = call_id.decode("utf-8", "replace")
        facts.from_tag = from_tag.decode("utf-8", "replace")
        host, port = txn.flow.address
        facts.source = f"{host}:{port}"
        return facts
