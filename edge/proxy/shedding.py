"""New calls that this process cannot take: a 503 without a transaction, at a small part of what a call costs. Pure.

RFC 3261 §8.2.7 (a stateless UAS), §21.5.4; RFC 7339 §5.10.2. Asked of each INVITE that opens a call before the
transaction layer sees it. What is needed to tell whose call it is and whether it is an emergency is read by the same
stages of policy that judge any attempt; nothing else is. Never refused here: emergency calls, whatever has a To tag,
the repeats of an INVITE that is being worked on, anything but INVITE, and strangers, who have budgets of their own.
"""

from collections.abc import Callable

from edge.policy import verdicts
from edge.policy.attempt import CallAttempt
from edge.policy.identity import identify
from edge.policy.numbers import read_numbers
from edge.policy.verdicts import Reason
from edge.proxy.decisions import note_account
from edge.proxy.facts import CallFacts
from edge.proxy.forwarding import reply_flow, stamp_top_via
from edge.proxy.node import Node
from edge.proxy.overload import Priority
from edge.sip import compose
from edge.sip.errors import FieldError
from edge.sip.flow import Flow
from edge.sip.message import Request
from edge.sip.transaction import keys

REMEMBERED_S = 16.0
"""A refused INVITE is known again for so long at least, and twice as long at most: its repeats get the same answer,
have no second record, and are not let in behind the back of a caller who has been told 503."""
MAX_REMEMBERED = 100_000
"""Of each half; beyond it the older half is forgotten."""


class Shedding:
    """Of one core."""

    __slots__ = ("_forget_at", "_is_known", "_newer", "_node", "_older", "_tag")

    def __init__(self, node: Node, is_known: Callable[[Flow], bool]) -> None:
        self._node = node
        self._is_known = is_known
        self._newer: dict[keys.Key, None] = {}
        self._older: dict[keys.Key, None] = {}
        self._forget_at = 0.0
        self._tag = b""
        """To tag of every answer given here, made at the first one: their ACKs carry it, and are known by it."""

    def takes(self, request: Request, flow: Flow, now: float) -> bool:
        """Is this request answered, or absorbed, here? Then nobody else hears of it."""
        if request.method == b"INVITE":
            return self._invite(request, flow, now)
        if self._tag and request.method == b"ACK":
            return any(self._tag in line for line in request.header_lines(b"to"))  # §17.1.1.3: it asks for nothing
        return False

    def _invite(self, request: Request, flow: Flow, now: float) -> bool:
        node = self._node
        listener, host = flow.listener, flow.address[0]
        is_shedding = self._node.overload.is_shedding
        key = keys.server_key(request, b"INVITE")
        is_repeat = key in self._newer or key in self._older
        try:
            if not is_repeat and (request.to().tag is not None or node.layer.knows(key)):
                return False
        except FieldError:
            return False  # it gets its 400
        if not is_repeat:
            has_room = node.sources.may_ask(listener, host, now)
            if has_room and not is_shedding:
                self._node.overload.passes(Priority.NORMAL, now)
                return False
        attempt = self._attempt(request, flow, now)
        try:
            is_refused = identify(attempt, node.snapshot) is not None
            if attempt.ingress is None:
                return False
            read_numbers(attempt, node.snapshot)
        except FieldError:
            return False
        if is_repeat:
            self._answer(attempt, request, flow, now)
            return True
        if attempt.emergency:
            self._node.overload.force(now)
            return False
        priority = Priority.LOW if is_refused else _priority(attempt)
        if has_room and self._node.overload.passes(priority, now):
            return False
        self._refuse(attempt, request, flow, key, priority, now)
        return True

    def _attempt(self, request: Request, flow: Flow, now: float) -> CallAttempt:
        node = self._node
        return CallAttempt(
            request=request.copy(),  # a tech prefix comes off
            source_host=flow.address[0],
            source_port=flow.address[1],
            listener=node.listeners.all[flow.listener].name,
            draw=0.0,
            wall=now + node.wall_offset,
            tls_names=flow.names,
        )

    def _refuse(
        self, attempt: CallAttempt, request: Request, flow: Flow, key: keys.Key, priority: Priority, now: float
    ) -> None:
        node = self._node
        call_id, from_tag = request.call_id(), request.from_().tag or b""
        facts = CallFacts(node.identifiers.call_uid(request, call_id, from_tag, request.cseq().number), now)
        answer = self._answer(attempt, request, flow, now)
        self._remember(key, now)
        counters = node.counters
        counters.attempts += 1
        counters.refused[Reason.OVERLOADED] = counters.refused.get(Reason.OVERLOADED, 0) + 1
        counters.shed[priority] = counters.shed.get(priority, 0) + 1
        if attempt.account is not None:
            note_account(facts, attempt.account)
        if attempt.ingress is not None:
            facts.ingress_trunk, facts.ingress_class = attempt.ingress.id, attempt.ingress_class
        facts.source = f"{flow.address[0]}:{flow.address[1]}"
        facts.call_id, facts.from_tag = call_id.decode("utf-8", "replace"), from_tag.decode("utf-8", "replace")
        facts.cli_original, facts.cli_presented = attempt.cli_original, attempt.cli_presented
        facts.called_original, facts.called = attempt.called_original, attempt.called
        facts.withheld, facts.listener = attempt.withheld, attempt.listener
        facts.policy_generation = node.snapshot.generation
        facts.end(answer.status, Reason.OVERLOADED.value, answer.q850, "edge")
        facts.decided_at = facts.released_at = now
        facts.is_shed = True
        node.record(facts, now)

    def _answer(self, attempt: CallAttempt, request: Request, flow: Flow, now: float) -> verdicts.RefusalAnswer:
        """Without a transaction: each repeat is answered by itself (§8.2.7)."""
        node = self._node
        if not self._tag:
            self._tag = node.identifiers.tag()
        profile = verdicts.profile_of(attempt, node.snapshot)
        answer = verdicts.answer(Reason.OVERLOADED, profile, jitter=node.draw())
        feedback = node.feedback.heard(request, flow, now, is_known=self._is_known)
        reply_to = reply_flow(request, flow, node.listeners)
        stamp_top_via(request, flow)
        data = compose.response(request, answer.status, answer.phrase, to_tag=self._tag, headers=answer.headers)
        node.outbox.sends.append((data if feedback is None else feedback(data, now), reply_to, None))
        return answer

    def _remember(self, key: keys.Key, now: float) -> None:
        if now >= self._forget_at or len(self._newer) >= MAX_REMEMBERED:
            self._older, self._newer = self._newer, {}
            self._forget_at = now + REMEMBERED_S
        self._newer[key] = None


def _priority(attempt: CallAttempt) -> Priority:
    """The account's word, else the trunk's. A trusted neighbour may ask for more (Resource-Priority, RFC 4412)."""
    ingress, account = attempt.ingress, attempt.account
    if ingress is not None and ingress.trusted and attempt.request.value(b"resource-priority") is not None:
        return Priority.HIGH
    if account is not None and account.priority is not None:
        return Priority(account.priority)
    return Priority.NORMAL if ingress is None else Priority(ingress.priority)
