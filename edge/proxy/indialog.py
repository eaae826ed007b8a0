"""Requests inside a dialog: they follow their route set, no policy (RFC 3261 §12.2, §16.4 to §16.7). Pure.

What lets a request pass is the signed token in the Route that our Record-Route left: no token of ours, no relay. A
request whose call this node does not know (the edge was restarted) is relayed all the same: the token is proof enough.
"""

from edge.proxy.calls import Call, CallInput, CallState, CallTracker, Dialog
from edge.proxy.destinations import Destinations
from edge.proxy.forwarding import Preprocessed, add_hop, next_hop
from edge.proxy.identifiers import UID_LENGTH
from edge.proxy.node import Node
from edge.proxy.responses import Branch, ResponseContext
from edge.proxy.teardown import Teardown
from edge.sip.errors import FieldError
from edge.sip.flow import Flow
from edge.sip.message import Request, Response
from edge.sip.transaction.layer import Transaction

_CHALLENGES = frozenset((401, 407))
_REFRESHES_TARGET = frozenset((b"INVITE", b"UPDATE"))
"""Methods whose success moves the remote targets (RFC 3261 §12.2.1.2, RFC 3311 §5)."""


class InDialog:
    """Relays requests with a To tag."""

    __slots__ = ("_calls", "_destinations", "_node", "_teardown")

    def __init__(self, node: Node, calls: CallTracker, destinations: Destinations, teardown: Teardown) -> None:
        self._node = node
        self._calls = calls
        self._destinations = destinations
        self._teardown = teardown

    def relay(self, txn: Transaction, request: Request, pre: Preprocessed, loop: bytes, now: float) -> None:
        """A request other than ACK and CANCEL, stamped and preprocessed."""
        node = self._node
        relayed = _Relayed(self, request)
        context = ResponseContext(node, txn, relayed)
        txn.user = context
        call_id = request.call_id()
        uid = self._uid(pre, call_id)
        if uid is None:
            node.counters.indialog_unknown += 1
            context.answer(481, b"Call/Transaction Does Not Exist", now)
            return
        call = self._calls.get(uid)
        if call is not None:
            if not self._place(relayed, call, call_id, request):
                node.counters.indialog_unknown += 1
                context.answer(481, b"Call/Transaction Does Not Exist", now)
                return
            if request.method == b"BYE":
                self._bye(relayed, now)
        onward = request.copy()
        try:
            hop = next_hop(onward)
        except FieldError:
            context.answer(416, b"Unsupported URI Scheme", now)
            self.over(relayed, 416, now)
            return
        listener = txn.flow.listener if pre.routed_out is None else pre.routed_out

        def forward(flow: Flow | None, now: float) -> None:
            if context.concluded or context.cancelled:
                if not context.concluded:
                    context.answer(487, b"Request Terminated", now)
                return
            if flow is None:
                relayed.concluded(context, 503, None, now)
                return
            add_hop(onward, listener=flow.listener, listeners=node.listeners, identifiers=node.identifiers, loop=loop)
            context.start(onward, flow, now)

        self._destinations.locate(hop, listener, now, forward)

    def relay_ack(self, request: Request, pre: Preprocessed, loop: bytes, flow: Flow, now: float) -> None:
        """The ACK to a 2xx: no transaction, its route set says where (§16.11 forwards it statelessly)."""
        node = self._node
        call_id = request.call_id()
        uid = self._uid(pre, call_id)
        if uid is None:
            node.counters.indialog_unknown += 1
            return
        call = self._calls.get(uid)
        if call is not None and call.call_id == call_id:
            dialog = call.dialogs.get(request.to().tag or b"")
            if dialog is not None and not dialog.acked and request.from_().tag == call.from_tag:
                dialog.acked = True
                if dialog.on_ack is not None:
                    dialog.on_ack.send_waiting(now)
        listener = flow.listener if pre.routed_out is None else pre.routed_out
        hop = next_hop(request)

        def forward(flow: Flow | None, now: float) -> None:
            if flow is None:
                node.counters.transport_errors += 1
                return
            add_hop(request, listener=flow.listener, listeners=node.listeners, identifiers=node.identifiers, loop=loop)
            node.outbox.sends.append((request.render(), flow, None))

        self._destinations.locate(hop, listener, now, forward)

    # -- who is who ------------------------------------------------------------------------------------------------

    def _uid(self, pre: Preprocessed, call_id: bytes) -> str | None:
        """The uid in the token of ours that the route carried."""
        for token in pre.tokens:
            # A live call knows its token: no signature to compute.
            call = self._calls.get(token[:UID_LENGTH].decode("latin-1"))
            if call is not None and call.token == token and call.call_id == call_id:
                return call.uid
            uid = self._node.identifiers.read_token(token, call_id)
            if uid is not None:
                return uid
        return None

    @staticmethod
    def _place(relayed: "_Relayed", call: Call, call_id: bytes, request: Request) -> bool:
        """Find dialog and direction, follow the CSeq; False where the tags are of no dialog of this call."""
        if call.call_id != call_id:
            return False
        from_tag, to_tag = request.from_().tag or b"", request.to().tag or b""
        number = request.cseq().number
        if from_tag == call.from_tag and (dialog := call.dialogs.get(to_tag)) is not None:
            relayed.from_ingress = True
            dialog.cseq_ingress = max(dialog.cseq_ingress, number)
        elif to_tag == call.from_tag and (dialog := call.dialogs.get(from_tag)) is not None:
            relayed.from_ingress = False
            dialog.cseq_egress = max(dialog.cseq_egress, number)
        else:
            return False
        relayed.call, relayed.dialog = call, dialog
        return True

    # -- BYE -------------------------------------------------------------------------------------------------------

    def _bye(self, relayed: "_Relayed", now: float) -> None:
        """The call is released when the BYE of its last live dialog arrives; the lease goes back with its final."""
        call, dialog = relayed.call, relayed.dialog
        if call is None or dialog is None or not dialog.is_confirmed or dialog.ended:
            return  # an early dialog (§15): the final response to the INVITE ends the call
        others = any(d is not dialog and d.is_confirmed and not d.ended for d in call.dialogs.values())
        if not others and self._calls.move(call, CallInput.BYE, now):
            call.facts.release_side = "ingress" if relayed.from_ingress else "egress"

    def over(self, relayed: "_Relayed", status: int, now: float) -> None:
        """A BYE has its final response or its time-out."""
        call, dialog = relayed.call, relayed.dialog
        if relayed.method != b"BYE" or call is None or dialog is None or dialog.ended or not dialog.is_confirmed:
            return
        if call.state is CallState.ENDED:
            return
        if status in _CHALLENGES:
            self._calls.move(call, CallInput.BYE_REFUSED, now)
            return
        if call.state is not CallState.TEARING_DOWN:
            self._teardown.dialog_over(call, dialog, now)


class _Relayed:
    """`ContextUser` of one in-dialog request."""

    __slots__ = ("_contact", "_room", "call", "dialog", "from_ingress", "method")

    def __init__(self, room: InDialog, request: Request) -> None:
        self._room = room
        self.method = request.method
        self.call: Call | None = None
        self.dialog: Dialog | None = None
        self.from_ingress = True
        self._contact: bytes | None = None
        if self.method in _REFRESHES_TARGET:
            contact = request.contact()
            self._contact = None if contact is None else contact.uri

    def provisional(self, context: ResponseContext, branch: Branch, response: Response, now: float) -> None:
        """Nothing of ours hangs on it."""

    def succeeded(self, context: ResponseContext, branch: Branch, response: Response, now: float) -> None:
        """Relay; a target refresh moves both remote targets."""
        context.answered = True
        dialog = self.dialog
        if dialog is not None and self.method in _REFRESHES_TARGET:
            try:
                contact = response.contact()
            except FieldError:
                contact = None
            theirs = None if contact is None else contact.uri
            mine, other = (self._contact, theirs) if self.from_ingress else (theirs, self._contact)
            dialog.target_ingress = mine or dialog.target_ingress
            dialog.target_egress = other or dialog.target_egress
        context.relay(response, now)
        self._room.over(self, response.status, now)

    def try_next(self, context: ResponseContext, branch: Branch, status: int, now: float) -> bool:
        """A dialog has one remote target."""
        return False

    def concluded(self, context: ResponseContext, status: int, best: Response | None, now: float) -> None:
        """The failure goes up, but for what must not: a 408 to a non-INVITE request always comes too late (RFC 4320
        §4.2), and a 503 would speak of us and not of the one who sent it (RFC 3261 §16.7 item 6)."""
        if context.expired:
            context.answer(408, b"Request Timeout", now)
        elif best is not None and best.status not in (408, 503):
            context.relay(best, now)
        elif (status if best is None else best.status) == 408:
            if context.is_invite:
                context.answer(408, b"Request Timeout", now)
        elif status == 487:
            context.answer(487, b"Request Terminated", now)
        else:
            context.answer(500, b"Server Internal Error", now)
        self._room.over(self, status if best is None else best.status, now)

    def cancelled(self, context: ResponseContext, now: float) -> None:
        """CANCEL of a re-INVITE: the branch is cancelled, its 487 comes up."""
        context.cancel(now)
