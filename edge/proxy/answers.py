"""The answer to an attempt: a 2xx opens the dialog and starts the charge, or it comes too late and is ended. Pure.

The first 2xx goes up when the store has the answer, or has let its deadline pass: nobody talks whose call another node
would take for one that still rings. Where this node is killed while the store stands still, the store does not read on
what it was sent (Redis runs the 16 KiB it has read, finds nobody to reply to, and drops the rest), so having sent the
answer is not enough. A store that answers costs the caller a round trip; one that does not, the decision deadline.
"""

from edge.config.trunks import EgressTrunk
from edge.proxy import session_timers
from edge.proxy.call import Call, CallState
from edge.proxy.calls import CallInput, CallTracker
from edge.proxy.causes import NORMAL_CLEARING
from edge.proxy.node import Node
from edge.proxy.record import head_of
from edge.proxy.responses import Branch, ResponseContext
from edge.proxy.teardown import Teardown
from edge.sip.flow import Send
from edge.sip.message import Response
from edge.sip.transaction.machine import State
from limits.model import Answer


class Answers:
    """Takes every 2xx to an INVITE that opened a call."""

    __slots__ = ("_calls", "_held", "_node", "_teardown")

    def __init__(self, node: Node, calls: CallTracker, teardown: Teardown) -> None:
        self._node = node
        self._calls = calls
        self._teardown = teardown
        self._held: dict[tuple[str, str], list[Send]] = {}
        """(holder, uid) of an answer that the store is being told of -> what goes up when it has been."""

    def succeeded(self, call: Call, context: ResponseContext, branch: Branch, response: Response, now: float) -> None:
        """2xx: the call is answered; or it comes too late, and is ended in the caller's name."""
        interval = session_timers.answered(response, call.session)
        tag = response.to().tag or b""
        holder = ""
        facts = call.facts
        dialog = call.dialogs.get(tag)
        if dialog is None or not dialog.is_confirmed:
            if not self._is_welcome(call, context):
                self._teardown.end_leftover(call, branch, response, now)
                return
            call.forget_an_early_dialog()
            dialog = call.open_dialog(tag)
            if dialog is None:
                self._teardown.end_leftover(call, branch, response, now)
                return
            dialog.confirm(head_of(response.data), branch.flow.listener, now)
            dialog.proved(branch.proof)
            dialog.refreshed(interval, now)
            if facts.answered_at is None:
                call.invite = head_of(call.invite)
                facts.to_tag = tag.decode("utf-8", "replace")
                facts.end(response.status, "answered", 0, "")
                assert branch.trunk is not None
                facts.egress_trunk = branch.trunk.id
                facts.note(branch.trunk.id, response.status, now)
            is_first = call.state in (CallState.SETUP, CallState.CANCELLING)
            self._calls.move(call, CallInput.ANSWER, now)
            if is_first:
                if branch.trunk is not None:
                    self._node.trunks.took(branch.trunk, now)
                    rang, sent = facts.ringing_at, facts.sent_at
                    pdd_s = None if rang is None or sent is None else rang - sent
                    self._node.quality.ended(branch.trunk, now, answered=True, pdd_s=pdd_s)
                holder = self._tell_answer(call, branch.trunk)
            if dialog.leaving:
                self._calls.left(call, "ingress", NORMAL_CLEARING, now)
        context.answered = True
        sends = self._node.outbox.sends
        before = len(sends)
        context.relay(response, now)
        if holder:
            self._held[holder, call.uid] = sends[before:]
            del sends[before:]
        elif self._held and call.holders and (waiting := self._held.get((call.holders[0], call.uid))) is not None:
            waiting += sends[before:]  # its repeats, and a second callee's, wait behind the first
            del sends[before:]
        # Nothing is tried any more. The transactions keep the context as long as a 2xx may be repeated.
        call.attempt = call.context = None
        if call.hang_up_cause and call.state is CallState.ANSWERED:
            self._teardown.hang_up(call, call.hang_up_cause, now)  # the answer crossed the edge's CANCEL

    def told(self, verb: Answer) -> None:
        """The store has this answer, or will not have it in time."""
        sends = self._held.pop((verb.account, verb.uid), None)
        if sends is not None:
            self._node.outbox.sends += sends

    def _tell_answer(self, call: Call, trunk: EgressTrunk | None) -> str:
        """The charging clock starts; the record that another node would need goes to the account: which is returned.
        The account that is called hears of it too, if such calls are counted: should the store not, it has received
        less."""
        record = self._calls.record_of(call)
        call.opening = b""
        asks = self._node.outbox.asks
        keeper = call.holders[0] if record and call.holders else ""
        for holder in call.holders:
            if record or holder in call.paid:
                # Not through its own constructor, which costs four times as much.
                asks.append(tuple.__new__(Answer, (holder, call.uid, record, False)))
            record = b""
        receiver = self._node.snapshot.receivers.receiver(trunk, call.facts.called)
        # What it calls itself it has not received.
        if receiver and receiver != call.facts.account:
            asks.append(Answer(receiver, call.uid, is_received=True))
        return keeper

    @staticmethod
    def _is_welcome(call: Call, context: ResponseContext) -> bool:
        """May a new dialog still begin? Not after the caller has had a failure or is gone, nor in a call that is over
        or being ended: a dialog must not outlive the lease of its call."""
        if call.state in (CallState.ENDED, CallState.TEARING_DOWN):
            return False
        return not context.concluded or (context.answered and context.server.state is not State.TERMINATED)
