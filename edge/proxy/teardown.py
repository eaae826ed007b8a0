"""Ending a call from the middle: two BYEs, one in each side's name (R3). Pure. RFC 3261 §12.2.1.1, §15.

A proxy has no dialog of its own; it speaks with the tags, CSeq numbers, route sets and remote targets of the two sides.
"""

from typing import NamedTuple

from edge.proxy.calls import Call, CallInput, CallState, CallTracker, Dialog
from edge.proxy.destinations import Destinations
from edge.proxy.forwarding import next_hop
from edge.proxy.identifiers import MAGIC_COOKIE
from edge.proxy.node import Node
from edge.sip import compose
from edge.sip.errors import FieldError, ParseError
from edge.sip.flow import Flow
from edge.sip.message import Request, Response, parse


class Side(NamedTuple):
    """What it takes to send a request toward one side in the other's name."""

    target: bytes
    routes: tuple[bytes, ...]
    from_: bytes
    to: bytes
    cseq: int
    listener: int


class Teardown:
    """Sends the BYEs and hears their ends."""

    __slots__ = ("_destinations", "_node", "calls")

    calls: CallTracker
    """Set by the core: the tracker and the teardown know each other."""

    def __init__(self, node: Node, destinations: Destinations) -> None:
        self._node = node
        self._destinations = destinations

    def hang_up(self, call: Call, cause: str, now: float) -> None:
        """End this call now, whatever it is doing; `cause` is the reason in its record."""
        if call.state in (CallState.SETUP, CallState.ADMITTING):
            call.cause = cause
            if call.context is not None:
                call.context.cancelled = True
                call.context.cancel(now, reason=_reason(cause))
                if not call.context.is_open and call.state is CallState.SETUP:
                    call.context.user.concluded(call.context, 487, None, now)
            return
        if not self.calls.move(call, CallInput.HANG_UP, now):
            return
        call.cause = cause
        call.facts.release_side = "edge"
        self.calls.tell("call.hung_up", call, cause=cause)
        for dialog in tuple(call.dialogs.values()):
            if dialog.is_confirmed and not dialog.ended:
                self._end_dialog(call, dialog, cause, now)

    def dialog_over(self, call: Call, dialog: Dialog, now: float) -> None:
        """One dialog has ended; the call with the last of them."""
        dialog.ended = True
        if not call.has_live_dialog:
            self.calls.move(call, CallInput.OVER, now)

    def end_leftover(self, invite: Request, answer: Response, flow: Flow, now: float) -> None:
        """A callee answered after the caller had been told otherwise: ACK the 2xx and hang up, in the caller's name.

        RFC 3261 §16.7 item 5 would send that 2xx up to a caller who has forgotten the call; the callee would then ring
        on alone until its own timers end it, and be billed."""
        try:
            contact = answer.contact()
            routes = tuple(reversed(answer.list_values(b"record-route")))
            # The INVITE as we sent it names us and all before us; the rest of the route set lies behind us.
            kept = routes[len(invite.list_values(b"record-route")) :]
            side = Side(
                invite.uri if contact is None else contact.uri,
                kept,
                invite.values(b"from")[0],
                answer.values(b"to")[0],
                invite.cseq().number,
                flow.listener,
            )
        except FieldError:
            return
        self._send(b"ACK", side, side.cseq, answer.call_id(), (), None, now)
        self._send(b"BYE", side, side.cseq + 1, answer.call_id(), (), None, now)

    # -- one dialog ------------------------------------------------------------------------------------------------

    def _end_dialog(self, call: Call, dialog: Dialog, cause: str, now: float) -> None:
        leg = Ending(self, call, dialog)
        try:
            toward_egress, toward_ingress = self._sides(call, dialog)
        except (FieldError, ParseError):
            self.dialog_over(call, dialog, now)
            return
        headers = ((b"Reason", _reason(cause)),)
        leg.open = 2
        dialog.cseq_ingress += 1
        self._send(b"BYE", toward_egress, dialog.cseq_ingress, call.call_id, headers, leg, now)
        dialog.cseq_egress += 1
        # §15: the callee may not send BYE before the ACK has come, so the one in its name waits for it.
        leg.waiting = (toward_ingress, dialog.cseq_egress, headers)
        if dialog.acked:
            leg.send_waiting(now)
        else:
            self._node.timers.schedule(now + 64 * self._node.settings.durations.t1, leg, "L")
            dialog.on_ack = leg

    def _sides(self, call: Call, dialog: Dialog) -> tuple[Side, Side]:
        """(toward the callee in the caller's name, toward the caller in the callee's name)."""
        invite, answer = parse(call.invite), parse(dialog.answer)
        if not isinstance(invite, Request) or not isinstance(answer, Response):
            raise FieldError("dialog", "no INVITE and 2xx to speak from")
        caller, callee = invite.contact(), answer.contact()
        caller_target = dialog.target_ingress or (invite.from_().uri if caller is None else caller.uri)
        callee_target = dialog.target_egress or (invite.uri if callee is None else callee.uri)
        downstream = tuple(reversed(answer.list_values(b"record-route")))
        ours = [index for index, route in enumerate(downstream) if call.token in route]
        from_, to = invite.values(b"from")[0], answer.values(b"to")[0]
        egress = Side(callee_target, downstream[ours[-1] + 1 :] if ours else (), from_, to, 0, call.outbound)
        ingress = Side(caller_target, tuple(invite.list_values(b"record-route")), to, from_, 0, call.inbound)
        return egress, ingress

    def _send(
        self,
        method: bytes,
        side: Side,
        cseq: int,
        call_id: bytes,
        headers: tuple[tuple[bytes, bytes], ...],
        leg: "Ending | None",
        now: float,
    ) -> None:
        node = self._node
        branch = MAGIC_COOKIE + node.identifiers.tag() + b".0"
        data = compose.request(
            method,
            side.target,
            via=node.listeners.via_prefixes[side.listener] + branch,
            from_=side.from_,
            to=side.to,
            call_id=call_id,
            cseq=cseq,
            routes=side.routes,
            headers=headers,
        )

        def send(flow: Flow | None, now: float) -> None:
            if flow is None:
                if leg is not None:
                    leg.one_over(now)
            elif method == b"ACK":
                node.outbox.sends.append((request.render(), flow, None))
            else:
                node.layer.start(request, flow, now, user=leg)

        try:
            parsed = parse(data)
            if not isinstance(parsed, Request):
                raise FieldError("BYE", "is a request")
            request = parsed
            hop = next_hop(request)
        except (FieldError, ParseError):
            send(None, now)
            return
        self._destinations.locate(hop, side.listener, now, send)


class Ending:
    """User of the two BYE transactions of one dialog."""

    __slots__ = ("_call", "_dialog", "_teardown", "open", "waiting")

    def __init__(self, teardown: Teardown, call: Call, dialog: Dialog) -> None:
        self._teardown = teardown
        self._call = call
        self._dialog = dialog
        self.open = 0
        self.waiting: tuple[Side, int, tuple[tuple[bytes, bytes], ...]] | None = None

    def on_response(self, response: Response, now: float) -> None:
        """Any final ends this half: a 481 is an end too."""
        if response.status >= 200:
            self.one_over(now)

    def on_timeout(self, now: float) -> None:
        """Nobody there: ended."""
        self.one_over(now)

    def on_transport_error(self, now: float) -> None:
        """Nobody there: ended."""
        self.one_over(now)

    def on_gone(self) -> None:
        """The transaction is no more."""

    def fire(self, letter: str, now: float) -> None:
        """Timer L is over and no ACK came: §15 lets the BYE go."""
        self.send_waiting(now)

    def send_waiting(self, now: float) -> None:
        """The ACK has come, or will not come any more."""
        if self.waiting is None:
            return
        side, cseq, headers = self.waiting
        self.waiting = None
        self._dialog.on_ack = None
        self._teardown._send(b"BYE", side, cseq, self._call.call_id, headers, self, now)

    def one_over(self, now: float) -> None:
        """One of the two BYEs has its end."""
        self.open -= 1
        if self.open == 0:
            self._teardown.dialog_over(self._call, self._dialog, now)


def _reason(cause: str) -> bytes:
    """RFC 3326: why the edge ended it. Q.850 102: recovery on timer expiry; 31: normal, unspecified."""
    q850 = 102 if cause in ("max_duration", "no_ack") else 31
    return b'Q.850;cause=%d;text="%s"' % (q850, cause.encode())
