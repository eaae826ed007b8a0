"""An INVITE on its way to one trunk: which of its addresses, by which transport, and the copy that leaves. Pure.

RFC 3263 §4.3 (failover inside a set of addresses), RFC 3261 §16.6 and §18.1.1 (large requests belong on a stream).
"""

from edge.config.dialling import NO_PREFIXES
from edge.config.trunks import EgressTrunk
from edge.policy.attempt import CallAttempt
from edge.proxy import session_timers, topology
from edge.proxy.call import Call
from edge.proxy.calls import CallTracker
from edge.proxy.destinations import Destinations, Flows
from edge.proxy.forwarding import MAX_UDP_REQUEST, add_hop, is_secure, put_hop, with_number
from edge.proxy.hygiene import Crossing, words_of
from edge.proxy.node import Node
from edge.proxy.observed import flow_text
from edge.proxy.presentation import Mend, present
from edge.proxy.proving import answered, shift
from edge.proxy.responses import Branch, ResponseContext
from edge.sip.flow import Flow
from edge.sip.message import Request
from edge.sip.uri import emergency_service


class Egress:
    """Sends to the addresses of a trunk, one after another."""

    __slots__ = ("_calls", "_destinations", "_node")

    def __init__(self, node: Node, calls: CallTracker, destinations: Destinations) -> None:
        self._node = node
        self._calls = calls
        self._destinations = destinations

    def send(
        self,
        call: Call,
        context: ResponseContext,
        attempt: CallAttempt,
        trunk: EgressTrunk,
        flows: Flows,
        now: float,
        *,
        may_switch: bool = True,
    ) -> None:
        """To the first of these addresses; the others wait for its failure. `may_switch`: by TCP where it is large and
        the trunk allows it."""
        flow, call.alternatives = flows[0], flows[1:]
        request, restore = self._copy(call, context, attempt, trunk, flow)
        if len(request.render()) > MAX_UDP_REQUEST and not self._node.listeners.reliable[flow.listener]:
            by_tcp = self._destinations.by_tcp(flow, now) if trunk.large_by_tcp and may_switch else None
            if by_tcp is None:
                self._node.counters.oversize_sent += 1
            else:
                flow, call.alternatives = by_tcp, flows
                request, restore = self._copy(call, context, attempt, trunk, flow)
        call.facts.sent(trunk.id, now)
        crossing = call.crossing
        way = None if crossing is None else crossing.up
        context.start(request, flow, now, trunk=trunk, way=way, words=call.words, restore=restore)

    def allowed(self, attempt: CallAttempt, trunk: EgressTrunk, flows: Flows, now: float) -> Flows:
        """These addresses without those at the beginning that have asked for fewer calls (RFC 7339 §5.5); an emergency
        call goes all the same, and counts."""
        if not trunk.oc_algorithms:
            return flows
        throttle = self._node.oc_throttle
        for index, flow in enumerate(flows):
            if throttle.takes(trunk, flow.address, now, self._node.draw(), is_emergency=attempt.emergency):
                return flows[index:]
        return ()

    def next_address(self, call: Call, context: ResponseContext, branch: Branch, status: int, now: float) -> bool:
        """A transport failure, silence or a 503 of one address leads to the next one of the same trunk."""
        trunk, attempt, flows = branch.trunk, call.attempt, call.alternatives
        if not flows or trunk is None or attempt is None or not (branch.is_local or status == 503):
            return False
        flows = self.allowed(attempt, trunk, flows, now)
        if not flows:
            return False
        is_same_place = flows[0].address == branch.flow.address
        if is_same_place:
            self._destinations.refused_tcp(flows[0], now)  # now by UDP
        self.send(call, context, attempt, trunk, flows, now, may_switch=not is_same_place)
        self._calls.tell("trunk.next_address", call, trunk=trunk.id, status=status)
        return True

    def prove(self, call: Call, context: ResponseContext, branch: Branch, now: float) -> bool:
        """The trunk asks who we are: the INVITE again, with the proof and the next CSeq number (RFC 3261 §22.2). False:
        it did not ask, it has been told already, or it cannot be told."""
        trunk, attempt = branch.trunk, call.attempt
        if branch.proof is not None or trunk is None or trunk.login is None or attempt is None or context.cancelled:
            return False
        request, restore = self._copy(call, context, attempt, trunk, branch.flow)
        proof = answered(self._node, trunk, branch.final, request)
        if proof is None:
            return False
        cseq = shift(request, 1)
        if not cseq:
            return False
        context.cseq = cseq
        request.append(*proof)
        way, words = branch.way, branch.words
        again = context.start(request, branch.flow, now, trunk=trunk, way=way, words=words, restore=restore)
        again.proof = proof
        return True

    def _copy(
        self, call: Call, context: ResponseContext, attempt: CallAttempt, trunk: EgressTrunk, flow: Flow
    ) -> tuple[Request, Mend | None]:
        """§16.6: the copy that leaves by this flow; and what of it is to be put back into responses."""
        node = self._node
        request = attempt.request.copy()
        is_rewritten = trunk.rewrite_uri or trunk.boundary.hides
        rewritten = "" if trunk.called is NO_PREFIXES else trunk.as_sent(attempt.called)
        if attempt.emergency and emergency_service(request.uri):
            # RFC 5031: words, for those who take words. Where we know the number and may write, it is dialled.
            rewritten = rewritten or (attempt.called if is_rewritten else "")
            if attempt.called.isdigit() and rewritten:
                request.set_uri(b"tel:" + attempt.called.encode())
            else:
                is_rewritten, rewritten = False, ""
        if is_rewritten:
            uri = trunk.request_uri(request.uri)
            request.set_uri(b"sips" + uri[3:] if is_secure(request) and not attempt.emergency else uri)
        call.facts.called_rewritten = rewritten or attempt.without_prefix
        if rewritten:
            request.set_uri(with_number(request.uri, rewritten))
        context.cseq = b""
        mend: Mend | None = None
        is_judged = bool(attempt.treatment or attempt.substitute or attempt.network or attempt.emergency)
        if is_judged:
            presented = present(request, attempt, trunk, node.snapshot.plan, node.identifiers)
            call.naming, mend = (None, None) if presented is None else presented
        for name in node.account_headers:
            request.remove(name)  # between the edge and its trusted neighbours alone: it must not leave by a trunk
        call.crossing = crossing = node.crossings.between(attempt.ingress, trunk)
        if crossing is not None:
            if crossing.adds:
                call.words = words_of(call.facts, trunk.id, node.settings.node)
            crossing.down.cross(request, call.words, b"requests", b"INVITE", is_judged=is_judged)
            context.reason = crossing.up.reason
            if crossing.mark:
                call.token = _marked_token(node, call, attempt, crossing)
        if trunk.session_timer:
            call.session = session_timers.ask(request, node.settings.session_expires_s, node.settings.min_session_s)
        listeners = node.listeners
        restore: Mend | None = None
        if crossing is not None and crossing.from_ingress:
            shown = topology.toward_ingress(node, call.call_id, context.server.flow, flow.listener, call.token)
            answers = topology.hide_answers(shown, attempt.request, is_opening=True, secure=is_secure(request))
            mend = topology.both(mend, answers)
        if crossing is not None and crossing.from_egress:
            shown = topology.toward_egress(node, call.call_id, crossing, flow, call.inbound, call.token)
            restore = topology.hide_opening(request, shown, attempt.request, secure=is_secure(request))
            add_hop(request, node.branch(call.loop, flow), listener=flow.listener, listeners=listeners)
        else:
            branch = node.branch(call.loop, flow)
            put_hop(request, call.token, branch, inbound=call.inbound, outbound=flow.listener, listeners=listeners)
        context.mend = mend
        return request, restore


def _marked_token(node: Node, call: Call, attempt: CallAttempt, crossing: Crossing) -> bytes:
    """The token says between which trunks the call is, for a node that does not know it."""
    flow = b"" if call.flow is None else flow_text(call.flow)
    hides = attempt.treatment != ""
    return node.identifiers.token(call.uid, call.call_id, hides=hides, flow=flow + b"t" + crossing.mark)
