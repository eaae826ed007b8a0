"""An answer that the callee sends again, to a process that has not seen the INVITE pass. Pure.

A process that dies between a 2xx and its ACK takes both transactions along. Its successor has the call from the store,
and the callee repeats the 2xx until it hears the ACK (RFC 3261 §13.3.1.4), then hangs up. No response is forwarded
without a transaction (RFC 6026 §7.3), since nobody can say what it answers. Of this one the record of the call can: it
is, byte by byte, the answer kept there, our branch included. It goes to where the INVITE came from; the caller, whether
told before or not, sends the ACK.
"""

from edge.proxy import session_timers
from edge.proxy.call import Call, CallState
from edge.proxy.calls import CallTracker
from edge.proxy.listeners import default_port
from edge.proxy.node import Node
from edge.proxy.record import is_copy
from edge.proxy.responses import bytes_up, take_via_off
from edge.sip.errors import FieldError
from edge.sip.flow import Flow
from edge.sip.message import Response


class Resent:
    """Passes on what comes again."""

    __slots__ = ("_calls", "_node")

    def __init__(self, node: Node, calls: CallTracker) -> None:
        self._node = node
        self._calls = calls

    def is_due(self, call: Call, now: float) -> bool:
        """Is the callee's answer still to come again, and to us? To the heir of another node it does not come."""
        return call.facts.adopted_from == self._node.settings.node and self._may_pass(call, now)

    def relay(self, response: Response, now: float) -> bool:
        """Pass this response on, where it is such an answer. False: it is none."""
        if not 200 <= response.status <= 299:
            return False
        try:
            tag = response.to().tag or b""
            call = self._calls.of_dialog(response.call_id(), response.from_().tag or b"", tag)
            dialog = None if call is None else call.dialogs.get(tag)
            if (
                call is None
                or dialog is None
                or not self._may_pass(call, now)
                or not is_copy(dialog.answer, response.data)
            ):
                return False
            take_via_off(response, is_last=False)
            via = response.via()
        except FieldError:
            return False
        if call.crossing is not None:
            call.crossing.up.cross(response, call.words, b"responses")
        dialog.refreshed(session_timers.answered(response, call.session), now)
        # §18.2.2; but never to a host that its Via names and that did not send the INVITE.
        host = call.facts.source.rpartition(":")[0]
        flow = call.flow or Flow(call.inbound, (host, via.rport or via.port or default_port(b"udp")))
        self._node.outbox.sends.append((bytes_up(response, is_reliable=False), flow, None))
        return True

    def _may_pass(self, call: Call, now: float) -> bool:
        """Not where the two sides are hidden from each other: no record has what it takes to translate an answer. Nor
        over a stream, which ended with the process."""
        facts, crossing = call.facts, call.crossing
        return (
            call.state is CallState.ANSWERED
            and facts.adopted_from != ""
            and facts.answered_at is not None
            and now < facts.answered_at + self._node.settings.durations.timer_h
            and call.naming is None
            and not (crossing is not None and (crossing.from_ingress or crossing.from_egress))
            and not self._node.listeners.reliable[call.inbound]
        )
