"""New calls that this process cannot take: a 503 without a transaction, at a small part of what a call costs. Pure.

RFC 3261 §8.2.7 (a stateless UAS), §21.5.4; RFC 7339 §5.10.2. Asked of each INVITE that opens a call before the
transaction layer sees it. What is needed to tell whose call it is and whether it is an emergency is read by the same
stages of policy that judge any attempt; nothing else is. Never refused here: emergency calls, whatever has a To tag,
the repeats of an INVITE that is being worked on or has its record, anything but INVITE, and strangers, who have budgets
of their own.
"""

from collections.abc import Callable
from typing import Final

from edge.config.trunks import IngressTrunk
from edge.policy import verdicts
from edge.policy.attempt import CallAttempt
from edge.policy.identity import identify, known_by
from edge.policy.numbers import read_numbers
from edge.policy.verdicts import Reason
from edge.proxy.forwarding import reply_flow, stamp_top_via
from edge.proxy.node import Node
from edge.proxy.overload import Priority
from edge.proxy.shed import Sender, Shed
from edge.sip import compose
from edge.sip.errors import FieldError
from edge.sip.flow import Flow
from edge.sip.message import Request
from edge.sip.transaction import keys

REMEMBERED_S: Final = 32.0
"""A refused INVITE is known again for so long at least (64·T1, as long as it is sent again), and twice as long at most:
its repeats get the same answer, have no second record, and are not let in behind the back of a caller who has been told
503."""
MAX_REMEMBERED: Final = 100_000
"""Of each half; beyond it the older half is forgotten."""
MAX_SENDERS: Final = 20_000
"""Kept for one policy."""

_Who = tuple[str, str, int, Priority, str]
"""Ingress trunk, account, listener, priority, by what it is known."""


class Shedding:
    """Of one core."""

    __slots__ = ("_forget_at", "_has_begun", "_is_known", "_mark", "_newer", "_node", "_older", "_senders", "_snapshot")

    def __init__(self, node: Node, is_known: Callable[[Flow], bool], has_begun: Callable[[str], bool]) -> None:
        """`is_known`: is there a neighbour of ours? `has_begun`: has this uid a call, or its record?"""
        self._node = node
        self._is_known = is_known
        self._has_begun = has_begun
        self._newer: dict[keys.Key, bytes] = {}
        """With the tag of its answer."""
        self._older: dict[keys.Key, bytes] = {}
        self._forget_at = 0.0
        self._mark = b"tag=" + node.identifiers.door
        """In To of every answer given here, and so of their ACKs."""
        self._senders: dict[_Who, Sender] = {}
        self._snapshot = node.snapshot

    def absorbs(self, data: bytes) -> bool:
        """Is this datagram the ACK to an answer given here (§17.1.1.3)? It asks for nothing, and is not read. Which
        node gave it, and when, does not matter."""
        at = data.find(self._mark)
        if at < 0:
            return False
        name = data[data.rfind(b"\n", 0, at) + 1 : at].partition(b":")[0]
        return name.rstrip(b" \t").lower() in (b"to", b"t")

    def takes(self, request: Request, key: keys.Key, flow: Flow, now: float) -> bool:
        """Is this INVITE answered here? Then nobody else hears of it. `key`: of its server transaction."""
        node = self._node
        host = flow.address[0]
        tag = self._newer.get(key) or self._older.get(key)
        try:
            if tag is None and (request.to().tag is not None or node.layer.knows(key)):
                return False
        except FieldError:
            return False  # it gets its 400
        has_room = True
        if tag is None:
            has_room = node.sources.may_ask(flow.listener, host, now)
            if has_room and node.overload.is_at_ease(flow.listener, now):
                node.overload.passes(Priority.LOW, flow.listener, now)
                return False
        attempt = self._attempt(request, flow, now)
        try:
            is_refused = identify(attempt, node.snapshot) is not None
            ingress = attempt.ingress
            if ingress is None:
                return False
            read_numbers(attempt, node.snapshot)
        except FieldError:
            return False
        priority = Priority.LOW if is_refused else _priority(attempt, ingress)
        if tag is not None:
            self._answer(self._sender(attempt, ingress, flow, priority), request, flow, tag, now)
            return True
        if attempt.emergency:
            node.overload.force(now)
            return False
        uid = node.identifiers.call_uid(request, request.call_id(), request.from_().tag or b"", request.cseq().number)
        if self._has_begun(uid) or (has_room and node.overload.passes(priority, flow.listener, now)):
            return False
        self._refuse(self._sender(attempt, ingress, flow, priority), attempt, request, flow, key, uid, now)
        return True

    def _attempt(self, request: Request, flow: Flow, now: float) -> CallAttempt:
        node = self._node
        listener = node.listeners.all[flow.listener].name
        ingress = node.snapshot.ingress_of(flow.address[0], listener, flow.names)
        return CallAttempt(
            # Reading changes nothing but where a tech prefix comes off.
            request=request.copy() if ingress is not None and ingress.tech_prefixes else request,
            source_host=flow.address[0],
            source_port=flow.address[1],
            listener=listener,
            draw=0.0,
            wall=now + node.wall_offset,
            tls_names=flow.names,
        )

    def _sender(self, attempt: CallAttempt, ingress: IngressTrunk, flow: Flow, priority: Priority) -> Sender:
        snapshot = self._node.snapshot
        if self._snapshot is not snapshot or len(self._senders) >= MAX_SENDERS:
            self._snapshot = snapshot
            self._senders.clear()
        account = attempt.account
        known = known_by(attempt)
        who = ingress.id, "" if account is None else account.id, flow.listener, priority, known
        sender = self._senders.get(who)
        if sender is None:
            sender = self._senders[who] = Sender(
                account=account,
                ingress=ingress,
                listener=attempt.listener,
                profile=verdicts.profile_of(attempt, snapshot),
                priority=priority,
                generation=snapshot.generation,
                identified_by=known,
            )
        return sender

    def _refuse(
        self, sender: Sender, attempt: CallAttempt, request: Request, flow: Flow, key: keys.Key, uid: str, now: float
    ) -> None:
        node = self._node
        call_id, from_tag = request.call_id(), request.from_().tag or b""
        tag = node.identifiers.door_tag(uid)
        self._answer(sender, request, flow, tag, now)
        self._remember(key, tag, now)
        # A lease of it that an earlier process of this node left is found later: it has its record then.
        node.ended.note(uid, sender.status, now)
        counters, priority = node.counters, sender.priority
        counters.attempts += 1
        counters.refused[Reason.OVERLOADED] = counters.refused.get(Reason.OVERLOADED, 0) + 1
        counters.shed[priority] = counters.shed.get(priority, 0) + 1
        node.refused_unasked(sender.account, uid)
        node.outbox.shed.append(
            Shed(
                uid,
                now,
                sender,
                f"{flow.address[0]}:{flow.address[1]}",
                call_id.decode("utf-8", "replace"),
                from_tag.decode("utf-8", "replace"),
                attempt.cli_original,
                attempt.cli_presented,
                attempt.withheld,
                attempt.called_original,
                attempt.called,
            )
        )

    def _answer(self, sender: Sender, request: Request, flow: Flow, tag: bytes, now: float) -> None:
        """Without a transaction: each repeat is answered by itself (§8.2.7)."""
        node = self._node
        feedback = node.feedback.heard(request, flow, now, is_known=self._is_known)
        reply_to = reply_flow(request, flow, node.listeners)
        stamp_top_via(request, flow)
        data = compose.with_tail(request, sender.head, sender.tail(node.draw()), to_tag=tag)
        node.outbox.sends.append((data if feedback is None else feedback(data, now), reply_to, None))

    def _remember(self, key: keys.Key, tag: bytes, now: float) -> None:
        if now >= self._forget_at or len(self._newer) >= MAX_REMEMBERED:
            self._older, self._newer = self._newer, {}
            self._forget_at = now + REMEMBERED_S
        self._newer[key] = tag


def _priority(attempt: CallAttempt, ingress: IngressTrunk) -> Priority:
    """The account's word, else the trunk's. A trusted neighbour may ask for more (Resource-Priority, RFC 4412)."""
    if ingress.trusted and attempt.request.has(b"resource-priority"):
        return Priority.HIGH
    account = attempt.account
    if account is not None and account.priority is not None:
        return Priority(account.priority)
    return Priority(ingress.priority)
