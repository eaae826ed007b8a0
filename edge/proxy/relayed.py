"""One request inside a dialog on its way, and what becomes of it (RFC 3261 §12.2, §16.7). Pure."""

from typing import TYPE_CHECKING

from edge.config.trunks import CHALLENGES
from edge.proxy import session_timers
from edge.proxy.call import Call
from edge.proxy.destinations import Flows
from edge.proxy.dialogs import Dialog
from edge.proxy.passage import Passage
from edge.proxy.proving import shift
from edge.proxy.responses import Branch, ResponseContext
from edge.sip.errors import FieldError
from edge.sip.message import Request, Response

if TYPE_CHECKING:
    from edge.proxy.indialog import InDialog


class Relayed:
    """`ContextUser` of one in-dialog request."""

    __slots__ = (
        "_contact", "_room", "call", "dialog", "flows", "from_ingress", "loop", "may_be_asked", "method", "onward",
        "passage", "session", "tcp_at",
    )  # fmt: skip

    def __init__(self, room: "InDialog", request: Request) -> None:
        self._room = room
        self.method = request.method
        self.call: Call | None = None
        self.dialog: Dialog | None = None
        self.from_ingress = True
        self.session: session_timers.Asked | None = None
        self.tcp_at: tuple[str, int] | None = None
        """Where it was last sent by TCP for its size."""
        self.passage: Passage | None = None
        """What becomes of it between the two trunks."""
        self.onward: Request | None = None
        """What goes on, without our Via, as long as it may have to be sent again."""
        self.may_be_asked = False
        """Goes it to a trunk where we have a user name, and has that not been told yet?"""
        self.loop = b""
        self.flows: Flows = ()
        self._contact: bytes | None = None
        if self.method in session_timers.REFRESHES:
            contact = request.contact()
            self._contact = None if contact is None else contact.uri

    def place(self, call: Call, request: Request) -> bool:
        """Find dialog and direction, follow the CSeq; False where the tags are of no dialog of this call."""
        from_tag, to_tag = request.from_().tag or b"", request.to().tag or b""
        number = request.cseq().number
        dialog = call.dialogs.get(to_tag) if from_tag == call.from_tag else None
        if dialog is not None:
            dialog.cseq_ingress = max(dialog.cseq_ingress, number)
        elif to_tag == call.from_tag:
            dialog = call.dialogs.get(from_tag)
            if dialog is None:
                return False
            self.from_ingress = False
            dialog.cseq_egress = max(dialog.cseq_egress, number)
        else:
            return False
        self.call, self.dialog = call, dialog
        return True

    def shift(self, onward: Request) -> bytes:
        """The CSeq number that the callee expects; what is to be put back into the responses."""
        dialog = self.dialog
        if dialog is None or not self.from_ingress:
            return b""
        if self.method == b"INVITE":
            dialog.invite_shift = dialog.cseq_shift
        return shift(onward, dialog.cseq_shift, acknowledged=dialog.invite_shift)

    def provisional(self, context: ResponseContext, branch: Branch, response: Response, now: float) -> None:
        """Nothing of ours hangs on it."""

    def succeeded(self, context: ResponseContext, branch: Branch, response: Response, now: float) -> None:
        """Relay; a target refresh moves both remote targets."""
        if context.concluded and not context.answered:
            return  # its sender has been told of a failure, and takes no other answer (§17.2.1)
        context.answered = True
        dialog = self.dialog
        if self.method in session_timers.REFRESHES:
            interval = session_timers.answered(response, self.session)
            if dialog is not None:
                dialog.refreshed(interval, now)
                # They refresh the targets as well (RFC 3261 §12.2.1.2, RFC 3311 §5).
                try:
                    contact = response.contact()
                except FieldError:
                    contact = None
                theirs = None if contact is None else contact.uri
                caller, callee = (self._contact, theirs) if self.from_ingress else (theirs, self._contact)
                dialog.target_ingress = caller or dialog.target_ingress
                dialog.target_egress = callee or dialog.target_egress
                self._room.refreshed(self, now)
        context.relay(response, now)
        self._room.over(self, response.status, now)

    def try_next(self, context: ResponseContext, branch: Branch, status: int, now: float) -> bool:
        """A dialog has one remote target, which may have several addresses."""
        if not branch.is_local and status in CHALLENGES:
            return self._room.prove(self, context, branch, now)
        return (branch.is_local or status == 503) and not context.cancelled and self._room.send(self, context, now)

    def concluded(self, context: ResponseContext, status: int, best: Response | None, now: float) -> None:
        """The failure goes up; but a 503 would speak of us and not of the one who sent it (RFC 3261 §16.7 item 6). A
        408 to anything but INVITE always comes too late: the transaction layer keeps it back (RFC 4320 §4.2)."""
        if context.expired or (best is None and status == 408):
            context.answer(408, b"Request Timeout", now)
        elif best is not None and best.status != 503:
            context.relay(best, now)
        elif status == 487:
            context.answer(487, b"Request Terminated", now)
        else:
            context.answer(500, b"Server Internal Error", now)
        self._room.over(self, status, now)

    def cancelled(self, context: ResponseContext, reason: bytes | None, now: float) -> None:
        """CANCEL of a re-INVITE: the branch is cancelled, its 487 comes up."""
        if self.from_ingress and self.call is not None:
            reason = self.call.tellable(reason)
        context.cancel(now, reason=reason)
        if not context.is_pending:
            context.answer(487, b"Request Terminated", now)
