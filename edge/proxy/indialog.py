"""Requests inside a dialog: they follow their route set, no policy (RFC 3261 §12.2, §16.4 to §16.7). Pure.

What lets a request pass is the signed token in the Route that our Record-Route left: no token of ours, no relay. A
request whose call this node does not know (the edge was restarted) is relayed all the same: the token is proof enough.

One exception: a legacy user agent that learns no route set sends its ACK and BYE to the number it called, that is, to
us. Where Call-ID and both tags name a confirmed dialog of a live call, it is led to the other side's remote target;
otherwise the call would stand, and hold its slot, until its end by time.
"""

from typing import Final

from edge.config.trunks import CHALLENGES
from edge.proxy import session_timers, topology
from edge.proxy.adoption import Adoption
from edge.proxy.call import Call, CallState
from edge.proxy.calls import CallInput, CallTracker
from edge.proxy.causes import NORMAL_CLEARING, q850_of
from edge.proxy.destinations import Destinations, Flows, names_of_egress, names_of_ingress
from edge.proxy.dialogs import Dialog
from edge.proxy.forwarding import MAX_UDP_REQUEST, Hop, Preprocessed, add_hop, next_hop
from edge.proxy.identifiers import UID_LENGTH
from edge.proxy.node import Node
from edge.proxy.observed import flow_from, mark_in
from edge.proxy.passage import Passage
from edge.proxy.presentation import Mend, hide_unknown, keep_judged, toward_callee, toward_caller
from edge.proxy.proving import answered, shift
from edge.proxy.relayed import Relayed
from edge.proxy.responses import Branch, ResponseContext
from edge.proxy.teardown import Teardown
from edge.sip.errors import FieldError
from edge.sip.flow import Flow
from edge.sip.message import Request
from edge.sip.transaction.layer import Transaction
from edge.sip.uri import parse_uri
from limits.model import Answer

_OUR_VIA: Final = 100
"""Bytes that our Via adds, at most."""


class InDialog:
    """Relays requests with a To tag."""

    __slots__ = ("_adoption", "_calls", "_destinations", "_node", "_teardown")

    def __init__(
        self, node: Node, calls: CallTracker, destinations: Destinations, teardown: Teardown, adoption: Adoption
    ) -> None:
        self._adoption = adoption
        self._node = node
        self._calls = calls
        self._destinations = destinations
        self._teardown = teardown

    def knows(self, request: Request, token: bytes | None) -> bool:
        """Is this a token of ours, for a request with this Call-ID?"""
        return self._uid(request.call_id(), token) is not None

    def relay(self, txn: Transaction, request: Request, pre: Preprocessed, loop: bytes, now: float) -> None:
        """A request other than ACK and CANCEL, stamped and preprocessed."""
        node = self._node
        context = txn.user = ResponseContext(node, txn)
        relayed = context.user = Relayed(self, request)
        uid = self._uid(request.call_id(), pre.token)
        if uid is None:
            is_known = self._find_without_route(relayed, request, pre)
        else:
            call = self._calls.get(uid)
            is_known = call is None or relayed.place(call, request)
        trunk = None if relayed.call is None else node.snapshot.trunks.get(relayed.call.facts.egress_trunk)
        relayed.may_be_asked = trunk is not None and trunk.login is not None and relayed.from_ingress
        if not is_known:
            node.counters.indialog_unknown += 1
            context.answer(481, b"Call/Transaction Does Not Exist", now)
            return
        onward = request.copy()
        listener = txn.flow.listener if pre.routed_out is None else pre.routed_out
        try:
            if pre.side:
                topology.reveal(onward, node.identifiers)
            context.mend = self._rename(onward, txn.request, relayed.call, pre, from_ingress=relayed.from_ingress)
            context.cseq = relayed.shift(onward)
            if uid is None:
                listener = self._lead(onward, relayed)
            hop = self._hop(onward, relayed.call, listener, from_ingress=relayed.from_ingress)
        except FieldError:
            context.answer(416, b"Unsupported URI Scheme", now)
            return
        passage = self._passage(relayed.call, pre, request, txn.flow, from_ingress=relayed.from_ingress)
        if passage is not None:
            relayed.passage = passage
            passage.cross(onward)
            context.reason = passage.back.reason
            context.mend = passage.mend(context.mend, txn.request, txn.flow)
        if request.method in session_timers.REFRESHES:
            self._ask_for_refreshes(relayed, onward)
        if request.method == b"BYE":
            if relayed.call is not None and relayed.dialog is not None:
                self.leave(relayed.call, relayed.dialog, request, now, from_ingress=relayed.from_ingress)
            elif uid is not None and relayed.call is None:
                self._adoption.note_goodbye(uid, request.from_().tag or b"", now)

        def forward(flows: Flows, now: float) -> None:
            if context.concluded:
                return  # cancelled while the name was looked up
            relayed.onward, relayed.loop, relayed.flows = onward, loop, flows
            if not self.send(relayed, context, now):
                relayed.concluded(context, 503, None, now)

        caller = self._caller(relayed.call, pre, onward, txn.flow, listener, from_ingress=relayed.from_ingress)
        self._destinations.locate(hop, listener, now, forward, caller=caller)

    def _hop(self, onward: Request, call: Call | None, listener: int, *, from_ingress: bool) -> Hop | Flows:
        """Raises FieldError where no SIP URI says where to go."""
        located = self._destinations.at_once(onward, listener)
        if located is not None:
            return located
        hop = next_hop(onward)
        if call is None or not self._node.listeners.has_tls:
            return hop
        snapshot, facts = self._node.snapshot, call.facts
        if from_ingress:
            return hop._replace(also=names_of_egress(snapshot, facts.egress_trunk))
        return hop._replace(also=names_of_ingress(snapshot, facts.ingress_trunk))

    def _caller(
        self, call: Call | None, pre: Preprocessed, onward: Request, flow: Flow, listener: int, *, from_ingress: bool
    ) -> Flow | None:
        """Where the caller really is, for a request that goes to it and has no other hop before it. Of a call that this
        node does not know the token tells; what comes from there goes the other way."""
        if onward.value(b"route") is not None:
            return None
        if call is not None:
            if from_ingress and call.flow is not None:
                if flow != call.flow and not onward.has_more_vias():
                    call.flow = flow  # it has another address, or another connection, since
                return None
            return None if from_ingress else call.flow
        found = flow_from(self._node.identifiers.flow_of(pre.token or b""), listener)
        return None if found is None or found.address == flow.address else found

    def send(self, relayed: Relayed, context: ResponseContext, now: float) -> bool:
        """To the next address of its next hop (RFC 3263 §4.3); False where none is left."""
        onward, flows = relayed.onward, relayed.flows
        if onward is None or not flows:
            return False
        flow, relayed.flows = flows[0], flows[1:]
        by_tcp = self._by_tcp(relayed, onward, flow, now)
        if by_tcp is not None:
            flow, relayed.flows = by_tcp, flows
        relayed.onward = onward.copy() if relayed.flows or relayed.may_be_asked else None
        self._start(relayed, context, onward, flow, now)
        return True

    def _by_tcp(self, relayed: Relayed, onward: Request, flow: Flow, now: float) -> Flow | None:
        """A large request goes by TCP where the trunk allows it, and by UDP where it is refused (§18.1.1); None: by
        this flow."""
        node, call = self._node, relayed.call
        if call is None or not relayed.from_ingress or node.listeners.reliable[flow.listener]:
            return None
        trunk = node.snapshot.trunks.get(call.facts.egress_trunk)
        if trunk is None or not trunk.large_by_tcp or len(onward.render()) + _OUR_VIA <= MAX_UDP_REQUEST:
            return None
        if relayed.tcp_at == flow.address:
            self._destinations.refused_tcp(flow, now)
        relayed.tcp_at = flow.address
        return self._destinations.by_tcp(flow, now)

    def prove(self, relayed: Relayed, context: ResponseContext, branch: Branch, now: float) -> bool:
        """The trunk asks who we are: the same request again, with the proof and the next CSeq number; once."""
        onward, dialog, call, node = relayed.onward, relayed.dialog, relayed.call, self._node
        if onward is None or dialog is None or call is None or not relayed.may_be_asked or context.cancelled:
            return False
        proof = answered(node, node.snapshot.trunks.get(call.facts.egress_trunk), branch.final, onward)
        if proof is None or not (before := shift(onward, 1)):
            return False
        context.cseq = context.cseq or before
        dialog.cseq_shift += 1
        if relayed.method == b"INVITE":
            dialog.invite_shift, dialog.proof = dialog.cseq_shift, proof
        relayed.may_be_asked = False
        relayed.onward = None
        onward.append(*proof)
        context.forget_challenge()
        flow = branch.flow
        self._start(relayed, context, onward, flow, now)
        return True

    def _start(self, relayed: Relayed, context: ResponseContext, onward: Request, flow: Flow, now: float) -> None:
        passage, node = relayed.passage, self._node
        restore = None if passage is None else passage.hide(onward, context.server.request, flow)
        node.oc_throttle.sent(flow.address, now)
        add_hop(onward, node.branch(relayed.loop, flow), listener=flow.listener, listeners=node.listeners)
        if passage is None:
            context.start(onward, flow, now)
        else:
            context.start(onward, flow, now, way=passage.back, words=passage.words, restore=restore)

    def relay_ack(self, request: Request, pre: Preprocessed, loop: bytes, flow: Flow, now: float) -> None:
        """The ACK to a 2xx: no transaction, its route set says where (§16.11 forwards it statelessly)."""
        node = self._node
        listener = flow.listener if pre.routed_out is None else pre.routed_out
        uid = self._uid(request.call_id(), pre.token)
        if uid is None:
            relayed = Relayed(self, request)
            if not self._find_without_route(relayed, request, pre):
                node.counters.indialog_unknown += 1
                return
            listener = self._lead(request, relayed)
            call = relayed.call
        else:
            call = self._calls.get(uid)
        branch = node.identifiers.stateless_branch(request, loop)
        is_callers = call is not None and request.from_().tag == (call.from_tag or None)
        if pre.side:
            topology.reveal(request, node.identifiers)
        self._rename(request, request, call, pre, from_ingress=is_callers)
        if call is not None and is_callers:
            called = call.dialogs.get(request.to().tag or b"")
            if called is not None and called.proof is not None:
                shift(request, called.invite_shift)
                request.append(*called.proof)  # §22.1: the ACK has the credentials of its INVITE
        passage = self._passage(call, pre, request, flow, from_ingress=is_callers)
        if passage is not None:
            passage.cross(request)
        hop = self._hop(request, call, listener, from_ingress=is_callers)

        def forward(flows: Flows, now: float) -> None:
            if not flows:
                node.counters.transport_errors += 1
                return
            flow = flows[0]
            if passage is not None and passage.hides:
                passage.hide(request, request.copy(), flow)
            said = branch + node.oc_throttle.params(flow.address)
            add_hop(request, said, listener=flow.listener, listeners=node.listeners)
            node.outbox.sends.append((request.render(), flow, None))

        caller = self._caller(call, pre, request, flow, listener, from_ingress=is_callers)
        self._destinations.locate(hop, listener, now, forward, caller=caller)
        if call is None or not is_callers:
            return
        dialog = call.dialogs.get(request.to().tag or b"")
        if dialog is not None:
            dialog.acknowledged(now)

    def branch_of(
        self,
        server: Transaction,
        client: Transaction,
        call: Call,
        dialog: Dialog,
        sent_at: float,
        from_ingress: bool,
    ) -> Branch:
        """What became of a request that went the short road needs the complete one: context, user and branch, as
        `relay` would have left them."""
        context = server.user = ResponseContext(self._node, server)
        relayed = context.user = Relayed(self, server.request)
        relayed.call, relayed.dialog, relayed.from_ingress = call, dialog, from_ingress
        branch = client.user = Branch(context, None, client.flow, sent_at)
        branch.client = client
        context.branches.append(branch)
        if call.crossing is not None:
            passage = relayed.passage = Passage.of_call(self._node, call, from_ingress=from_ingress)
            context.reason = passage.back.reason
            branch.way, branch.words = passage.back, passage.words
        return branch

    def _passage(
        self, call: Call | None, pre: Preprocessed, request: Request, flow: Flow, *, from_ingress: bool
    ) -> Passage | None:
        """What becomes of this request between the two trunks; None: it crosses as it is. Of a call that this node does
        not know the token tells."""
        node = self._node
        if call is not None:
            return None if call.crossing is None else Passage.of_call(node, call, from_ingress=from_ingress)
        mark = mark_in(node.identifiers.flow_of(pre.token or b""))
        return Passage.of_mark(node, mark, pre, request, flow) if mark else None

    def _rename(
        self, onward: Request, came: Request, call: Call | None, pre: Preprocessed, *, from_ingress: bool
    ) -> Mend | None:
        """Where the two sides of the call know different names, write those that the receiver knows; what is to be done
        to the responses. Raises FieldError where the request has none that can be read."""
        node = self._node
        identifiers = node.identifiers
        if call is not None:
            naming = call.naming
            if naming is None:
                return self._keep_judged(onward, call) if from_ingress else None
            if from_ingress:
                return toward_callee(onward, naming, identifiers)
            return toward_caller(onward, naming, came, identifiers)
        if pre.token is not None and identifiers.hides_caller(pre.token, onward.call_id()):
            return hide_unknown(onward, came, node.snapshot.plan, identifiers)
        return None

    def _keep_judged(self, onward: Request, call: Call) -> Mend | None:
        """Nobody passes by one name and is then shown by another; in need, and where no number is read, all passes."""
        if call.facts.emergency or not self._node.snapshot.normalise:
            return None
        changed, mend = keep_judged(onward, call.invite)
        if changed:
            self._calls.tell("call.identity_kept", call, method=onward.method.decode("ascii", "replace"))
        return mend

    # -- who is who ------------------------------------------------------------------------------------------------

    def _uid(self, call_id: bytes, token: bytes | None) -> str | None:
        """The uid in the token of ours that the route carried."""
        if not token:
            return None
        # A live call knows its token: no signature to compute.
        call = self._calls.get(token[:UID_LENGTH].decode("latin-1"))
        if call is not None and call.token == token and call.call_id == call_id:
            return call.uid
        return self._node.identifiers.read_token(token, call_id)

    def _find_without_route(self, relayed: Relayed, request: Request, pre: Preprocessed) -> bool:
        """The confirmed dialog of a user agent that sent a request to us instead of along its route set."""
        if pre.token is not None or request.value(b"route") is not None:
            return False
        if not self._node.listeners.is_our_uri(parse_uri(request.uri)):
            return False
        call = self._calls.of_dialog(request.call_id(), request.from_().tag or b"", request.to().tag or b"")
        if call is None or not relayed.place(call, request):
            return False
        return relayed.dialog is not None and relayed.dialog.is_confirmed

    def _lead(self, onward: Request, relayed: Relayed) -> int:
        """Put the other side's remote target and the route to it on the request (§12.2.1.1); the listener to use."""
        call, dialog = relayed.call, relayed.dialog
        assert call is not None
        assert dialog is not None
        view = self._teardown.view(call, dialog)
        side, listener = (view.egress, dialog.outbound) if relayed.from_ingress else (view.ingress, call.inbound)
        onward.set_uri(side.target)
        for route in side.routes:
            onward.append(b"Route", route)
        return listener

    def _ask_for_refreshes(self, relayed: Relayed, onward: Request) -> None:
        """A session timer stays with the call that has one (RFC 4028 §8.1); one this node does not hold may get one."""
        settings, call, dialog = self._node.settings, relayed.call, relayed.dialog
        has_timer = call is None or call.session is not None or (dialog is not None and dialog.session_s > 0)
        wanted_s = settings.session_expires_s if has_timer else 0
        relayed.session = session_timers.ask(onward, wanted_s, settings.min_session_s)

    def refreshed(self, relayed: Relayed, now: float) -> None:
        """When the session ends has moved; and another node that takes the call over must know where the two sides are
        now."""
        call = relayed.call
        if call is None or call.state is not CallState.ANSWERED:
            return
        self._calls.renewals.schedule(call, now)
        if call.holders:
            record = self._calls.record_of(call)
            if record:
                self._node.outbox.asks.append(Answer(call.holders[0], call.uid, record))

    # -- BYE -------------------------------------------------------------------------------------------------------

    def leave(self, call: Call, dialog: Dialog, request: Request, now: float, *, from_ingress: bool) -> None:
        """The call is released when the BYE of its last live dialog arrives; the lease goes back with its final.

        In an early dialog (§15) nothing happens yet: the final response to the INVITE ends the call, and where that is
        a 2xx, which has crossed the BYE, the dialog is being left from its beginning."""
        dialog.leaving += 1
        side = "ingress" if from_ingress else "egress"
        reason, cause = request.value(b"reason"), NORMAL_CLEARING
        if reason is not None:
            cause = q850_of(request, NORMAL_CLEARING)
        self._calls.left(call, side, cause, now, reason)

    def over(self, relayed: Relayed, status: int, now: float) -> None:
        """A request has its final response or its time-out; the dialog ends with a BYE."""
        if relayed.method == b"BYE" and relayed.call is not None and relayed.dialog is not None:
            self.bye_over(relayed.call, relayed.dialog, status, now)

    def bye_over(self, call: Call, dialog: Dialog, status: int, now: float) -> None:
        """The same of a BYE in this dialog."""
        dialog.leaving -= 1
        if dialog.ended or not dialog.is_confirmed or call.state in (CallState.TEARING_DOWN, CallState.ENDED):
            return  # over already, not begun, or ended by the edge's own BYEs
        if status not in CHALLENGES:
            self._teardown.dialog_over(call, dialog, now)
        elif not dialog.leaving:
            self._calls.move(call, CallInput.BYE_REFUSED, now)
