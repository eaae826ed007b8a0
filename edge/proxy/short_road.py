"""The short road of a request inside a dialog: one look at the call, the bytes that leave, and what waits for the
answer. Pure.

Nearly every ACK and BYE takes it (`usual.call_of` knows them): one address to go to, no name to hide or to put back, no
header to take off, nobody who asks who we are. Nothing is decided here: whatever is not so is left untouched for
`indialog`, and a response that is no plain 2xx is handed to the response context that `indialog` would have made
(RFC 3261 §16.7), which goes on from there. A property test holds both roads to the same bytes.
"""

from edge.proxy.call import Call
from edge.proxy.destinations import Destinations
from edge.proxy.dialogs import Dialog
from edge.proxy.forwarding import one_hop_on, stamp_top_via
from edge.proxy.hygiene import Way
from edge.proxy.identifiers import loop_part
from edge.proxy.indialog import InDialog
from edge.proxy.node import Node
from edge.proxy.presentation import is_as_judged
from edge.proxy.responses import Branch, bytes_up, take_via_off
from edge.proxy.session_timers import REFRESHES
from edge.sip.flow import Flow
from edge.sip.message import Request, Response
from edge.sip.transaction.layer import Transaction


class ShortRoad:
    """Of one core."""

    __slots__ = ("_destinations", "_node", "_room")

    def __init__(self, node: Node, destinations: Destinations, room: InDialog) -> None:
        self._node = node
        self._destinations = destinations
        self._room = room

    def relays(self, txn: Transaction, request: Request, call: Call, now: float) -> bool:
        """A request of this call other than ACK and CANCEL. False: it is for the complete road, and nothing has been
        done."""
        method, came_by = request.method, txn.flow
        if method in REFRESHES:
            return False  # its Contact and its session timer must be read
        way = self._way(request, call, came_by)
        if way is None:
            return False
        dialog, from_ingress, flow = way
        node = self._node
        branch = node.identifiers.branch(loop_part(request, came_by.address[0], node.account_headers))
        stamp_top_via(request, came_by)
        data = self._onward(request, branch, flow)
        number = request.cseq().number
        if from_ingress:
            dialog.cseq_ingress = max(dialog.cseq_ingress, number)
        else:
            dialog.cseq_egress = max(dialog.cseq_egress, number)
        if method == b"BYE":
            self._room.leave(call, dialog, request, now, from_ingress=from_ingress)
        if node.oc_throttle.servers:
            node.oc_throttle.sent(flow.address, now)
        passed = Passed(self._room, txn, call, dialog, from_ingress, now)
        passed.client = node.layer.send(method, branch, data, flow, now, user=passed)
        return True

    def relays_ack(self, request: Request, call: Call, came_by: Flow, now: float) -> bool:
        """The ACK to a 2xx of this call; likewise."""
        way = self._way(request, call, came_by)
        if way is None:
            return False
        dialog, from_ingress, flow = way
        node = self._node
        loop = loop_part(request, came_by.address[0], node.account_headers)
        stamp_top_via(request, came_by)
        data = self._onward(request, node.identifiers.stateless_branch(request, loop), flow)
        node.outbox.sends.append((data, flow, None))
        if from_ingress:
            dialog.acknowledged(now)
        return True

    def _way(self, request: Request, call: Call, came_by: Flow) -> tuple[Dialog, bool, Flow] | None:
        """The dialog, whether the request comes from the ingress side, and the one flow it leaves by."""
        node = self._node
        if call.naming is not None or call.flow is not None or request.via().params.lower().find(b"oc") >= 0:
            return None
        if not node.sources.is_known(came_by.listener, came_by.address[0]):
            return None
        from_tag, to_tag = request.from_().tag, request.to().tag
        if from_tag is None or to_tag is None:
            return None
        from_ingress = from_tag == call.from_tag
        if not from_ingress and to_tag != call.from_tag:
            return None
        dialog = call.dialogs.get(to_tag if from_ingress else from_tag)
        if dialog is None or not dialog.is_confirmed:
            return None
        crossing = call.crossing
        if crossing is not None:
            there = crossing.down if from_ingress else crossing.up
            if crossing.from_egress or crossing.from_ingress or not there.lets_all(request.layout):
                return None
        if from_ingress:
            if dialog.cseq_shift or dialog.proof is not None:
                return None
            snapshot, facts = node.snapshot, call.facts
            trunk = snapshot.trunks.get(facts.egress_trunk)
            if trunk is not None and (trunk.login is not None or trunk.large_by_tcp):
                return None
            if snapshot.normalise and not facts.emergency and not is_as_judged(request, call.invite):
                return None
        flows = self._destinations.of_uri(request.uri, came_by.listener)
        if flows is None or len(flows) != 1 or node.listeners.reliable[flows[0].listener]:
            return None
        return dialog, from_ingress, flows[0]

    def _onward(self, request: Request, branch: bytes, flow: Flow) -> bytes:
        node = self._node
        via = node.listeners.via_prefixes[flow.listener] + branch
        if node.oc_throttle.servers:
            via += node.oc_throttle.params(flow.address)
        return one_hop_on(request, via)


class Passed:
    """Who waits for the answer to a request that went the short road."""

    __slots__ = ("_at", "_call", "_dialog", "_from_ingress", "_room", "_server", "client")

    client: Transaction
    """Set as soon as it is there."""

    def __init__(
        self, room: InDialog, server: Transaction, call: Call, dialog: Dialog, from_ingress: bool, now: float
    ) -> None:
        self._room = room
        self._server = server
        self._call = call
        self._dialog = dialog
        self._from_ingress = from_ingress
        self._at = now

    def on_response(self, response: Response, now: float) -> None:
        """A 2xx goes up without our Via. Raises FieldError before anything has been told to anybody."""
        status = response.status
        crossing = self._call.crossing
        back: Way | None = None
        if crossing is not None:
            back = crossing.up if self._from_ingress else crossing.down
        if not 200 <= status < 300 or (back is not None and not back.lets_all(response.layout)):
            self._branch().on_response(response, now)
            return
        take_via_off(response, is_last=False)
        server = self._server
        server.layer.respond(server, status, bytes_up(response, is_reliable=server.reliable), now)
        if server.method == b"BYE":
            self._room.bye_over(self._call, self._dialog, status, now)

    def on_timeout(self, now: float) -> None:
        """Timer F."""
        self._branch().on_timeout(now)

    def on_transport_error(self, now: float) -> None:
        """It could not be sent, or nobody can read the answer."""
        self._branch().on_transport_error(now)

    def _branch(self) -> Branch:
        """From here on the complete road."""
        return self._room.branch_of(self._server, self.client, self._call, self._dialog, self._at, self._from_ingress)
