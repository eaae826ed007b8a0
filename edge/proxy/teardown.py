"""Speaking in the two sides' names; ending a call from the middle by two BYEs (R3). Pure. RFC 3261 §12.2.1.1, §15.

A proxy has no dialog of its own; it speaks with the tags, CSeq numbers, route sets and remote targets of the two sides.
"""

from typing import Final, NamedTuple, Protocol

from edge.config.trunks import EgressTrunk
from edge.proxy.call import Call, CallState
from edge.proxy.calls import CallInput, CallTracker
from edge.proxy.destinations import Destinations, Flows, names_of_egress, names_of_ingress
from edge.proxy.dialogs import MAX_DIALOGS, Dialog
from edge.proxy.forwarding import next_hop
from edge.proxy.identifiers import MAGIC_COOKIE
from edge.proxy.node import Node
from edge.proxy.proving import Proof, Proving, shift
from edge.proxy.responses import Branch
from edge.sip import compose
from edge.sip import dialog as sides
from edge.sip.errors import FieldError, LocalError, ParseError
from edge.sip.flow import Flow
from edge.sip.message import Request, Response, parse

Headers = tuple[tuple[bytes, bytes], ...]

_TIMER_EXPIRY: Final = 102
_UNSPECIFIED: Final = 31
_Q850: Final = {
    "max_duration": _TIMER_EXPIRY,
    "session_expired": _TIMER_EXPIRY,
    "dead_call": _TIMER_EXPIRY,
    "no_ack": _TIMER_EXPIRY,
    "late_answer": 16,
    "operator": 16,
    "credit": 21,
    "spend_cap": 21,
    "suspended": 21,
    "store_away": 41,
}
"""ITU-T Q.850 causes of the calls the edge ends itself."""


class Speech(NamedTuple):
    """What it takes to send a request toward one side in the other's name."""

    toward: sides.Side
    """Its remote target and the way to it."""
    speaker: sides.Side
    """In whose name."""
    call_id: bytes
    listener: int
    flow: Flow | None = None
    """Where that side really is, where that is known better than by its target."""
    names: tuple[str, ...] = ()
    """Over TLS: what whoever is there may prove besides the name of the host."""


class Listening(Protocol):
    """Who hears of the end of such a request."""

    def on_response(self, response: Response, now: float) -> None:
        """A provisional or final response."""

    def on_timeout(self, now: float) -> None:
        """None came."""

    def on_transport_error(self, now: float) -> None:
        """It could not be sent."""

    def one_over(self, now: float) -> None:
        """Nobody can be told: the words of that side make no request, or its address is not to be found."""


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
            call.hang_up_cause = cause
            context = call.context
            assert context is not None
            context.cancelled = True
            context.cancel(now, reason=reason_of(cause))
            if call.state is CallState.SETUP and not context.is_pending:
                context.user.concluded(context, 487, None, now)
            return
        if not self.calls.move(call, CallInput.HANG_UP, now):
            return
        call.facts.end(call.facts.status, cause, q850_of_cause(cause), "edge")
        self.calls.tell("call.hung_up", call, cause=cause)
        for dialog in tuple(call.dialogs.values()):
            if dialog.is_confirmed and not dialog.ended:
                self._end_dialog(call, dialog, cause, now)

    def dialog_over(self, call: Call, dialog: Dialog, now: float) -> None:
        """One dialog has ended; the call with the last of them."""
        dialog.ended = True
        if not call.has_live_dialog:
            self.calls.move(call, CallInput.OVER, now)

    def end_leftover(self, call: Call, branch: Branch, answer: Response, now: float) -> None:
        """A callee answered after the caller had been told otherwise: ACK every copy of the 2xx and hang up, in the
        caller's name.

        RFC 3261 §16.7 item 5 would send that 2xx up to a caller who has forgotten the call; the callee would then ring
        on alone until its own timers end it, and be billed."""
        client = branch.client
        assert client is not None
        came = parse(answer.data)  # as the callee knows the dialog: `answer` may have been changed for the caller
        assert isinstance(came, Response)
        view = sides.from_answer(client.request, came, call.is_own_route)
        trunk = "" if branch.trunk is None else branch.trunk.id
        names = names_of_egress(self._node.snapshot, trunk)
        speech = Speech(view.egress, view.ingress, view.id.call_id, branch.flow.listener, names=names)
        self.say(b"ACK", speech, view.ingress.cseq, (), None, now)
        if view.id.egress_tag not in branch.hung_up and len(branch.hung_up) < MAX_DIALOGS:
            branch.hung_up += (view.id.egress_tag,)
            self.calls.tell("call.late_answer", call, trunk=trunk)
            headers = ((b"Reason", reason_of("late_answer")),)
            self.say(b"BYE", speech, view.ingress.cseq + 1, headers, None, now)

    # -- one dialog ------------------------------------------------------------------------------------------------

    def _end_dialog(self, call: Call, dialog: Dialog, cause: str, now: float) -> None:
        try:
            view = self.view(call, dialog)
        except (FieldError, ParseError):
            self.dialog_over(call, dialog, now)
            return
        headers = ((b"Reason", reason_of(cause)),)
        ending = Ending(self, call, dialog, self.toward_ingress(call, view), headers)
        dialog.cseq_ingress += 1
        toward_egress = self.toward_egress(call, dialog, view)
        trunk = self._node.snapshot.trunks.get(call.facts.egress_trunk)
        self.say(b"BYE", toward_egress, dialog.cseq_ingress + dialog.cseq_shift, headers, ending, now, trunk=trunk)
        # §15: the callee may not send BYE before the ACK has come or its transaction has timed out, so the one in its
        # name waits for that.
        ack_until = dialog.confirmed_at + 64 * self._node.settings.durations.t1
        if dialog.acked or now >= ack_until:
            ending.send_waiting(now)
        else:
            dialog.on_ack = ending
            self._node.timers.schedule(ack_until, ending, "L")

    def toward_egress(self, call: Call, dialog: Dialog, view: sides.Dialog) -> Speech:
        """To the callee, in the caller's name."""
        names = names_of_egress(self._node.snapshot, call.facts.egress_trunk)
        return Speech(view.egress, view.ingress, view.id.call_id, dialog.outbound, names=names)

    def toward_ingress(self, call: Call, view: sides.Dialog) -> Speech:
        """To the caller, in the callee's name. The answer has the From that the callee knows; the caller knows its
        own."""
        ingress, egress = view.ingress, view.egress
        if call.naming is not None:
            ingress = ingress._replace(address=call.naming.original)
        elif call.crossing is not None and call.crossing.from_egress:
            invite = parse(call.invite)
            callee = (invite.value(b"to") or b"") + (b";tag=" + egress.tag if egress.tag else b"")
            ingress = ingress._replace(address=invite.value(b"from") or b"")
            egress = egress._replace(address=callee)
        names = names_of_ingress(self._node.snapshot, call.facts.ingress_trunk)
        return Speech(ingress, egress, call.call_id, call.inbound, None if ingress.routes else call.flow, names)

    @staticmethod
    def view(call: Call, dialog: Dialog) -> sides.Dialog:
        """Both sides as they stand now. Raises FieldError or ParseError where the callee's own words are unfit."""
        invite, answer = parse(call.invite), parse(dialog.answer)
        assert isinstance(invite, Request)
        assert isinstance(answer, Response)
        view = sides.from_answer(invite, answer, call.is_own_route)
        ingress, egress = view.ingress, view.egress
        # The callee's route set is what the INVITE carried, whatever came back in the answer (§12.1.1).
        ingress = ingress._replace(
            target=dialog.target_ingress or ingress.target, routes=tuple(invite.list_values(b"record-route"))
        )
        return view._replace(ingress=ingress, egress=egress._replace(target=dialog.target_egress or egress.target))

    def speak_bye(self, ending: "Ending", now: float) -> None:
        """The BYE toward the caller, in the callee's name."""
        ending.dialog.cseq_egress += 1
        self.say(b"BYE", ending.toward_ingress, ending.dialog.cseq_egress, ending.headers, ending, now)

    def say(
        self,
        method: bytes,
        speech: Speech,
        cseq: int,
        headers: Headers,
        ending: "Listening | None",
        now: float,
        *,
        trunk: EgressTrunk | None = None,
    ) -> None:
        """Send; `ending` hears of the end, at once where nothing can be sent. `trunk`: may ask who we are."""
        node = self._node
        branch = MAGIC_COOKIE + node.identifiers.tag() + b".0"
        try:
            request = parse(
                compose.request(
                    method,
                    speech.toward.target,
                    via=node.listeners.via_prefixes[speech.listener] + branch,  # of the flow, as soon as it is known
                    from_=speech.speaker.address,
                    to=speech.toward.address,
                    call_id=speech.call_id,
                    cseq=cseq,
                    routes=speech.toward.routes,
                    headers=headers,
                )
            )
            assert isinstance(request, Request)
            hop = next_hop(request)._replace(also=speech.names)
        except (FieldError, ParseError, LocalError):
            # A target, route or CSeq number of theirs that no request can carry: nobody can be told.
            if ending is not None:
                ending.one_over(now)
            return
        onward = request

        def send(flows: Flows, now: float) -> None:
            if not flows:
                if ending is not None:
                    ending.one_over(now)
                return
            flow = flows[0]
            if flow.listener != speech.listener:
                onward.replace(b"via", node.listeners.via_prefixes[flow.listener] + branch)
            if method == b"ACK":
                node.outbox.sends.append((onward.render(), flow, None))
            elif trunk is None or trunk.login is None:
                node.layer.start(onward, flow, now, user=ending)
            else:

                def again(proof: Proof, now: float) -> None:
                    self._say_again(onward, flow, proof, ending, now)

                node.layer.start(onward, flow, now, user=Proving(node, trunk, onward, ending, again))

        self._destinations.locate(hop, speech.listener, now, send, caller=speech.flow)

    def _say_again(self, said: Request, flow: Flow, proof: Proof, ending: "Listening | None", now: float) -> None:
        """What was challenged, with our proof and the next CSeq number."""
        node = self._node
        request = said.copy()
        request.replace(
            b"via", node.listeners.via_prefixes[flow.listener] + MAGIC_COOKIE + node.identifiers.tag() + b".0"
        )
        shift(request, 1)
        request.append(*proof)
        node.layer.start(request, flow, now, user=ending)


class Ending:
    """User of the two BYE transactions of one dialog."""

    __slots__ = ("_call", "_is_waiting", "_open", "_teardown", "dialog", "headers", "toward_ingress")

    def __init__(
        self, teardown: Teardown, call: Call, dialog: Dialog, toward_ingress: Speech, headers: Headers
    ) -> None:
        self._teardown = teardown
        self._call = call
        self.dialog = dialog
        self.toward_ingress = toward_ingress
        self.headers = headers
        self._open = 2
        """BYEs without an end."""
        self._is_waiting = True
        """The BYE toward the caller has not been sent yet."""

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

    def fire(self, letter: str, now: float) -> None:
        """Timer L is over and no ACK came: §15 lets the BYE go."""
        self.send_waiting(now)

    def send_waiting(self, now: float) -> None:
        """The ACK has come, or will not come any more."""
        if self._is_waiting:
            self._is_waiting = False
            self.dialog.on_ack = None
            self._teardown.speak_bye(self, now)

    def one_over(self, now: float) -> None:
        """One of the two BYEs has its end."""
        self._open -= 1
        if self._open == 0:
            self._teardown.dialog_over(self._call, self.dialog, now)


def q850_of_cause(cause: str) -> int:
    """Q.850 cause of a call that the edge ends for this reason."""
    return _Q850.get(cause, _UNSPECIFIED)


def reason_of(cause: str) -> bytes:
    """RFC 3326: why the edge ended it."""
    return b'Q.850;cause=%d;text="%b"' % (q850_of_cause(cause), cause.encode())
