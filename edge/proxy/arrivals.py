"""What the transaction layer hands up: each request to whom it is for, each response to whoever waits for it. Pure.

RFC 3261 §16.3 to §16.6 in their order, as far as they say what becomes of a request; what is done then is done in other
rooms.
"""

from typing import Final

from edge.policy.verdicts import Reason
from edge.proxy import opening, session_timers, usual
from edge.proxy.attempts import Attempts
from edge.proxy.call import Call
from edge.proxy.calls import CallTracker
from edge.proxy.concealment import unsealed
from edge.proxy.forwarding import Preprocessed, is_looped, preprocess, reply_flow, stamp_top_via
from edge.proxy.identifiers import loop_part
from edge.proxy.indialog import InDialog
from edge.proxy.node import Node
from edge.proxy.own_answers import OwnAnswers
from edge.proxy.probes import Probe
from edge.proxy.proving import Proving
from edge.proxy.registration import Registering
from edge.proxy.responses import Branch
from edge.proxy.short_road import Passed, ShortRoad
from edge.proxy.strangers import Strangers
from edge.proxy.teardown import Ending
from edge.proxy.trunk_probes import TrunkProbe
from edge.proxy.unproven import is_ourselves, no_larger
from edge.proxy.unreadable import Unreadable
from edge.sip import validation
from edge.sip.errors import FieldError
from edge.sip.flow import Flow
from edge.sip.message import Request, Response
from edge.sip.transaction.layer import Transaction

_REASONS: Final = {
    400: Reason.BAD_REQUEST,
    416: Reason.UNSUPPORTED_SCHEME,
    420: Reason.BAD_EXTENSION,
    422: Reason.SESSION_INTERVAL,
}

_LISTENERS: Final = (Branch, Passed, Ending, Probe, TrunkProbe, Registering, Proving)
"""Users of client transactions. A tuple: a union would be built anew at every question."""


class Arrivals:
    """The transaction layer's user, of one core. Nothing may come in before the core has set its rooms."""

    __slots__ = ("attempts", "calls", "in_dialog", "node", "own", "short_road", "strangers", "unreadable")

    attempts: Attempts
    calls: CallTracker
    in_dialog: InDialog
    own: OwnAnswers
    short_road: ShortRoad
    strangers: Strangers
    unreadable: Unreadable

    def __init__(self, node: Node) -> None:
        self.node = node

    def on_request(self, txn: Transaction, request: Request, now: float) -> None:
        """A new request: §16.3 to §16.6."""
        self.node.counters.requests_in += 1
        try:
            txn.reply_to = reply_flow(request, txn.flow, self.node.listeners)
            call = usual.call_of(request, self.calls, self.node.listeners)
            if call is not None and self.short_road.relays(txn, request, call, now):
                return
            txn.feedback = self.node.feedback.heard(request, txn.flow, now, is_known=self.node.is_known)
            if not self.node.sources.is_known(txn.flow.listener, txn.flow.address[0]):
                self._be_modest(txn, request)
            stamp_top_via(request, txn.flow)
            if request.method == b"CANCEL":
                self.own.cancel(txn, request, now)
            else:
                self._take(txn, request, call, now)
        except FieldError as error:
            txn.user = None
            self.own.refuse(txn, request, Reason.BAD_REQUEST, now, fault=str(error))

    def _take(self, txn: Transaction, request: Request, call: Call | None, now: float) -> None:
        """`call`: what `usual.call_of` says."""
        node = self.node
        loop = loop_part(request, txn.flow.address[0], node.account_headers)
        if call is not None:
            request.remove(b"route")
            self._see(request, call.token, txn.flow, txn)
            self.in_dialog.relay(txn, request, Preprocessed(call.token, None), loop, now)
            return
        if request.method == b"INVITE" and opening.is_usual(request, node.listeners):
            self.attempts.arrive(txn, request, loop, now)
            return
        fault = validation.check(request) or session_timers.fault(request, node.settings.min_session_s)
        if fault is not None:
            if fault.status == 483 and self.own.is_for_us(request):
                self.own.tell_capabilities(txn, request, now)  # §16.3 item 3: as its final recipient
                return
            reason = _REASONS.get(fault.status, Reason.TOO_MANY_HOPS)
            self.own.refuse(txn, request, reason, now, headers=fault.headers, fault=fault.reason)
            return
        if request.value(b"max-breadth") == b"0":
            raise FieldError("Max-Breadth", "not a positive number")  # RFC 5393 §5.3.1: nothing may be forwarded
        if is_looped(request, loop, node.listeners):
            self.own.refuse(txn, request, Reason.LOOP, now)
            return
        if request.to().tag is not None:
            request = unsealed(request, node.identifiers)
        pre = preprocess(request, node.listeners, node.identifiers)
        is_invite = request.method == b"INVITE"
        # A UA of RFC 2543 gives no tag: its dialog is known by our token alone.
        if request.to().tag is not None or (not is_invite and self.in_dialog.knows(request, pre.token)):
            self._see(request, pre.token, txn.flow, txn)
            self.in_dialog.relay(txn, request, pre, loop, now)
        elif is_invite:
            self.attempts.arrive(txn, request, loop, now)
        elif self.own.is_for_us(request):
            self.own.tell_capabilities(txn, request, now)
        elif self.strangers.ignores(Reason.UNKNOWN_SOURCE, txn):
            return
        elif request.method == b"BYE":
            node.counters.indialog_unknown += 1
            self.own.gone(txn, request, now)  # §15.1.2
        else:
            self.own.reply(txn, request, node.snapshot.outside_dialog(request.method), now)

    def on_ack(self, request: Request, flow: Flow, now: float) -> None:
        """An ACK to a 2xx, or one that belongs to nothing: §16.6 without a transaction; never answered (§17.1.1.3)."""
        node = self.node
        node.counters.requests_in += 1
        try:
            call = usual.call_of(request, self.calls, node.listeners)
            if call is not None and self.short_road.relays_ack(request, call, flow, now):
                return
            loop = loop_part(request, flow.address[0], node.account_headers)
            if call is None:
                if validation.check(request) is not None:
                    node.counters.drop("ack_invalid")
                    return
                if is_looped(request, loop, node.listeners):
                    node.counters.drop("ack_looped")
                    return
            node.feedback.heard(request, flow, now, is_known=self.node.is_known)
            stamp_top_via(request, flow)
            if call is None:
                request = unsealed(request, node.identifiers)
                pre = preprocess(request, node.listeners, node.identifiers)
            else:
                request.remove(b"route")
                pre = Preprocessed(call.token, None)
            self._see(request, pre.token, flow)
            self.in_dialog.relay_ack(request, pre, loop, flow, now)
        except FieldError:
            node.counters.drop("ack_invalid")

    def on_response(self, txn: Transaction, response: Response, now: float) -> None:
        """A response of a client transaction goes to whoever started it."""
        node = self.node
        node.counters.responses_in += 1
        if node.oc_throttle.servers:
            node.oc_throttle.heard(txn.flow.address, response.via().params, now)
        user = txn.user
        if not isinstance(user, _LISTENERS):
            return
        try:
            user.on_response(response, now)
        except FieldError as error:
            self.unreadable.count(str(error), txn.flow)
            if response.status >= 200:
                user.on_transport_error(now)  # an answer nobody can read is no answer

    def on_stray_response(self, response: Response, flow: Flow, now: float) -> None:
        """Not forwarded (RFC 6026 §7.3), only counted; but for what is an answer of a call taken over."""
        if not self.attempts.resent.relay(response, now):
            self.node.counters.stray_responses += 1

    def on_timeout(self, txn: Transaction, now: float) -> None:
        """B or F of a client transaction; H of a server one needs nothing more."""
        user = txn.user
        if isinstance(user, _LISTENERS):
            user.on_timeout(now)

    def on_transport_error(self, txn: Transaction, now: float) -> None:
        """A request could not be sent."""
        user = txn.user
        if isinstance(user, _LISTENERS):
            user.on_transport_error(now)

    def on_gone(self, txn: Transaction) -> None:
        """The transaction is over; nobody may keep it."""
        user = txn.user
        if isinstance(user, Branch):
            user.on_gone()

    def _see(self, request: Request, token: bytes | None, flow: Flow, txn: Transaction | None = None) -> None:
        """Whoever sends a token that only our Record-Route carries gets what we send: no modesty is needed then."""
        sources = self.node.sources
        if not sources.is_known(flow.listener, flow.address[0]) and self.in_dialog.knows(request, token):
            sources.prove(flow.address[0])
            if txn is not None:
                txn.feedback, txn.reliable = None, self.node.listeners.reliable[flow.listener]

    def _be_modest(self, txn: Transaction, request: Request) -> None:
        """Over UDP, to whom has proved nothing: no repeats by a timer, and to a stranger never more than it sent."""
        node, flow = self.node, txn.flow
        host = flow.address[0]
        if txn.reliable or is_ourselves(host) or host in node.sources.proved:
            return
        listener = node.listeners.all[flow.listener].name
        if node.snapshot.known(host, listener) is None:
            txn.reliable = True  # Timer G runs over unreliable transports alone
            if node.snapshot.is_stranger(host, listener):
                txn.feedback = no_larger(request.data, lambda: self.node.counters.drop("amplification"))
