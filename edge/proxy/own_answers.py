"""Requests that are answered here and go no further: CANCEL, OPTIONS to the edge itself, what is not let in. Pure.

RFC 3261 §9.2, §11, §16.3, §16.10.
"""

from typing import Final

from edge.config.refusals import OPTIONS
from edge.policy import verdicts
from edge.policy.verdicts import Reason
from edge.proxy.attempts import Attempts
from edge.proxy.node import Node
from edge.proxy.responses import ResponseContext
from edge.proxy.strangers import Strangers
from edge.proxy.unreadable import Unreadable
from edge.sip import compose
from edge.sip.errors import FieldError
from edge.sip.message import Request
from edge.sip.transaction.layer import Transaction
from edge.sip.uri import parse_uri

METHODS: Final = b"INVITE ACK CANCEL BYE OPTIONS PRACK UPDATE INFO REFER MESSAGE NOTIFY SUBSCRIBE".split()
"""What an OPTIONS to the edge is told in Allow (§11.2): what may pass, inside a dialog or to open one."""
_CAPABILITIES: Final = (
    (b"Allow", b", ".join(METHODS)),
    (b"Accept", b"application/sdp"),
    (b"Accept-Encoding", b"identity"),
)
_ALLOW_OUTSIDE: Final = ((b"Allow", b"INVITE, ACK, CANCEL, OPTIONS"),)

Headers = tuple[tuple[bytes, bytes], ...]


class OwnAnswers:
    """Of one core."""

    __slots__ = ("_attempts", "_node", "_strangers", "_unreadable")

    def __init__(self, node: Node, attempts: Attempts, strangers: Strangers, unreadable: Unreadable) -> None:
        self._node = node
        self._attempts = attempts
        self._strangers = strangers
        self._unreadable = unreadable

    def cancel(self, txn: Transaction, request: Request, now: float) -> None:
        """§9.2, §16.10: 200 where it names an INVITE of ours, else 481; a CANCEL is never forwarded as it came.

        Only the neighbour that sent the INVITE may cancel it (§22.1): a CANCEL cannot be challenged."""
        node = self._node
        if request.cseq().method != b"CANCEL":
            raise FieldError("CSeq", "method differs")
        invite = self._node.layer.matching_invite(request)
        if invite is None or not _is_same_attempt(invite, txn, request):
            if self._strangers.ignores(Reason.UNKNOWN_SOURCE, txn):
                return
            node.counters.cancels_unmatched += 1
            self.gone(txn, request, now)
            return
        context = invite.user if isinstance(invite.user, ResponseContext) else None
        tag = node.identifiers.tag() if context is None else context.tag
        self._node.layer.respond(txn, 200, compose.response(request, 200, b"OK", to_tag=tag), now)
        if context is not None and not context.concluded and not context.cancelled:
            context.cancelled = True
            context.user.cancelled(context, request.value(b"reason"), now)

    def gone(self, txn: Transaction, request: Request, now: float) -> None:
        """481: it names nothing of ours."""
        node = self._node
        data = compose.response(request, 481, b"Call/Transaction Does Not Exist", to_tag=node.identifiers.tag())
        node.layer.respond(txn, 481, data, now)

    def is_for_us(self, request: Request) -> bool:
        """OPTIONS outside a dialog, to the edge itself (§11)."""
        if request.method != b"OPTIONS" or request.to().tag is not None or request.value(b"route") is not None:
            return False
        return self._node.listeners.is_our_uri(parse_uri(request.uri))

    def tell_capabilities(self, txn: Transaction, request: Request, now: float) -> None:
        """200, or 503 while the edge takes no calls (§11.2)."""
        node = self._node
        if self._strangers.ignores(OPTIONS, txn):
            return
        node.counters.options += 1
        if node.draining:
            self.reply(txn, request, Reason.DRAINING, now)
            return
        data = compose.response(request, 200, b"OK", to_tag=node.identifiers.tag(), headers=_CAPABILITIES)
        self._node.layer.respond(txn, 200, data, now)

    def reply(
        self, txn: Transaction, request: Request, reason: Reason, now: float, headers: Headers = ()
    ) -> verdicts.RefusalAnswer:
        """A refusal by the default profile; a stranger may be left without one."""
        node = self._node
        if self._strangers.ignores(reason, txn):
            return verdicts.NO_ANSWER
        answer = verdicts.answer(reason, node.snapshot.default_profile, jitter=node.draw())
        headers += answer.headers
        if answer.status == 405:
            headers += _ALLOW_OUTSIDE
        data = compose.response(request, answer.status, answer.phrase, to_tag=node.identifiers.tag(), headers=headers)
        self._node.layer.respond(txn, answer.status, data, now)
        return answer

    def refuse(
        self,
        txn: Transaction,
        request: Request,
        reason: Reason,
        now: float,
        *,
        headers: Headers = (),
        fault: str = "",
    ) -> None:
        """A request that §16.3 does not let in."""
        answer = self.reply(txn, request, reason, now, headers)
        if reason is Reason.BAD_REQUEST:
            self._unreadable.count(fault, txn.flow)
        if request.method == b"INVITE":
            try:
                if request.to().tag is None:
                    self._attempts.refuse_unjudged(txn, request, reason, answer, now)
            except FieldError:
                return  # not even From or To can be read: the malformed counter is all there is to tell


def _is_same_attempt(invite: Transaction, txn: Transaction, cancel: Request) -> bool:
    """Does this CANCEL come from where the INVITE came from, with what it must share with it (§9.1)?"""
    return (
        invite.flow.address[0] == txn.flow.address[0]
        and invite.request.call_id() == cancel.call_id()
        and invite.request.cseq().number == cancel.cseq().number
    )
