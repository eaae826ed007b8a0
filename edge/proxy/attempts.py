"""A call attempt: from the INVITE outside a dialog to its final response. Pure.

judge (policy) -> admit (limits) -> route -> forward -> next candidate or best response (RFC 3261 §16.5 to §16.7).
"""

from edge.policy import demand, verdicts
from edge.policy.attempt import CallAttempt
from edge.policy.pipeline import judge
from edge.policy.verdicts import Reason
from edge.config.snapshot import EgressTrunk
from edge.proxy.calls import MAX_DIALOGS, Call, CallInput, CallState, CallTracker, Dialog
from edge.proxy.causes import NORMAL_CLEARING, cause_of, q850_of
from edge.proxy.destinations import Destinations
from edge.proxy.facts import CallFacts, Fact
from edge.proxy.forwarding import MAX_UDP_REQUEST, Hop, Preprocessed, add_hop, record_route
from edge.proxy.node import Node
from edge.proxy.responses import Branch, ResponseContext
from edge.proxy.teardown import Teardown
from edge.sip import compose
from edge.sip.flow import Flow
from edge.sip.message import Request, Response
from edge.sip.transaction.layer import Transaction
from limits.model import Admit, Admitted, Denied, Unavailable


class Attempts:
    """Takes every INVITE that opens a call; is the `ContextUser` of its response context."""

    __slots__ = ("_calls", "_destinations", "_node", "_teardown")

    def __init__(self, node: Node, calls: CallTracker, destinations: Destinations, teardown: Teardown) -> None:
        self._node = node
        self._calls = calls
        self._destinations = destinations
        self._teardown = teardown

    # -- arrival ---------------------------------------------------------------------------------------------------

    def arrive(self, txn: Transaction, request: Request, pre: Preprocessed, loop: bytes, now: float) -> None:
        """An INVITE without a To tag that has passed §16.3."""
        node = self._node
        context = ResponseContext(node, txn, _User(self))
        txn.user = context
        call_id, from_tag, cseq = request.call_id(), request.from_().tag or b"", request.cseq().number
        uid = node.identifiers.call_uid(request, call_id, from_tag, cseq)
        if self._calls.get(uid) is not None:
            # The same INVITE again after its transaction ended: §8.2.2.2 says how a merged request is answered.
            self._respond(context, Reason.DUPLICATE, None, now)
            return
        facts = self._facts(uid, txn, request, call_id, from_tag, now)
        node.counters.attempts += 1
        reason = self._closed_door(pre)
        if reason is None and request.value(b"route") is not None:
            reason = Reason.ROUTE_NOT_ALLOWED  # a preloaded route past us would go round the trunks
        if reason is not None:
            self._refuse(context, facts, reason, None, now)
            return
        host, port = txn.flow.address
        attempt = CallAttempt(
            request=request,
            source_host=host,
            source_port=port,
            listener=node.listeners.all[txn.flow.listener].name,
            draw=node.draw(),
        )
        verdict = judge(attempt, node.snapshot)
        _copy_attempt(attempt, facts)
        facts.policy_generation = node.snapshot.generation
        if verdict is not None:
            self._refuse(context, facts, verdict.reason, attempt, now)
            return
        call = Call(uid, call_id, from_tag, cseq, facts, request.data)
        call.attempt = attempt
        call.context = context
        call.inbound = txn.flow.listener
        call.loop = loop
        context.user = _User(self, call)
        self._calls.add(call)
        if attempt.emergency:
            self._admitted(call, now)  # R16: no commercial limit stands before an emergency call
            return
        node.outbox.asks.append(Admit(facts.account, uid, node.settings.node, node.settings.lease_ms))

    def refuse_unjudged(self, txn: Transaction, request: Request, reason: str, status: int, now: float) -> None:
        """The record of an attempt that §16.3 refused before policy saw it; the answer has been sent."""
        node = self._node
        node.counters.attempts += 1
        from_tag = request.from_().tag or b""
        uid = node.identifiers.call_uid(request, request.call_id(), from_tag, request.cseq().number)
        facts = self._facts(uid, txn, request, request.call_id(), from_tag, now)
        self._record_refusal(facts, reason, status, 0, now)

    def decided(self, verb: Admit, outcome: Admitted | Denied | Unavailable, now: float) -> None:
        """The limiter's answer."""
        call = self._calls.get(verb.uid)
        if call is None or call.state not in (CallState.ADMITTING, CallState.ABANDONED):
            self._calls.absorbed += 1
            return
        facts = call.facts
        facts.decided_at = now
        attempt, context = call.attempt, call.context
        if attempt is None or context is None:
            return
        if isinstance(outcome, Denied):
            facts.limit, facts.ceiling, facts.in_use = outcome.limit.value, outcome.ceiling, outcome.in_use
        elif isinstance(outcome, Admitted):
            facts.in_use = outcome.in_use
        refusal = demand.read(outcome, attempt)
        if refusal is None:
            call.is_leased = True
            self._node.counters.leases_live += 1
            facts.degraded = isinstance(outcome, Unavailable)
            self._admitted(call, now)
            return
        if call.state is CallState.ABANDONED:
            self._calls.move(call, CallInput.DENIED, now)
            return
        retry_after_ms = outcome.retry_after_ms if isinstance(outcome, Denied) else 0
        status, q850 = self._respond(context, refusal.reason, attempt, now, retry_after_ms)
        self._mark_refused(facts, refusal.reason, status, q850)
        self._calls.move(call, CallInput.DENIED, now)

    def _admitted(self, call: Call, now: float) -> None:
        if call.facts.decided_at is None:
            call.facts.decided_at = now
        abandoned = call.state is CallState.ABANDONED
        self._calls.move(call, CallInput.ADMITTED, now)
        context = call.context
        if abandoned or context is None:
            return
        if context.cancelled:  # hung up by the edge while the limiter was asked
            self.concluded(call, context, 487, None, now)
            return
        node = self._node
        call.token = node.identifiers.token(call.uid, call.call_id)
        node.layer.respond(context.server, 100, compose.response(context.server.request, 100, b"Trying"), now)
        if not self._try_candidate(call, now):
            self._fail(call, Reason.NO_ROUTE, now)

    # -- candidates ------------------------------------------------------------------------------------------------

    def _try_candidate(self, call: Call, now: float) -> bool:
        """Send the INVITE to the next candidate; False where none is left."""
        attempt = call.attempt
        if attempt is None or not attempt.candidates:
            return False
        trunk = attempt.candidates.pop(0)
        hop = Hop(trunk.host.encode(), trunk.port, b"udp")

        def forward(flow: Flow | None, now: float) -> None:
            self._forward(call, attempt, trunk, flow, now)

        self._destinations.locate(hop, call.inbound, now, forward)
        return True

    def _forward(self, call: Call, attempt: CallAttempt, trunk: EgressTrunk, flow: Flow | None, now: float) -> None:
        context = call.context
        if context is None or call.state is not CallState.SETUP:
            if context is not None and call.state is CallState.CANCELLING:
                self.concluded(call, context, 487, None, now)  # cancelled while the name was looked up
            return
        facts = call.facts
        facts.candidates.append((trunk.id, 0))
        if flow is None:
            facts.candidates[-1] = (trunk.id, 503)
            self._node.outbox.facts.append(Fact("trunk.unreachable", {"trunk": trunk.id, "call_uid": call.uid}))
            if not self._try_candidate(call, now):
                self._fail(call, Reason.TRUNKS_FAILED, now)
            return
        node = self._node
        request = attempt.request.copy()
        if trunk.rewrite_uri:
            request.set_uri(trunk.request_uri(request.uri))
        if attempt.ingress is not None and attempt.ingress.account_header is not None:
            request.remove(attempt.ingress.account_header)  # ours alone: it must not leave by a trunk
        call.outbound = flow.listener
        record_route(request, call.token, inbound=call.inbound, outbound=flow.listener, listeners=node.listeners)
        add_hop(request, listener=flow.listener, listeners=node.listeners, identifiers=node.identifiers, loop=call.loop)
        if facts.sent_at is None:
            facts.sent_at = now
        facts.egress_trunk = trunk.id
        branch = context.start(request, flow, now, trunk=trunk)
        if branch.client is not None and len(branch.client.last or b"") > MAX_UDP_REQUEST:
            node.counters.oversize_sent += 1  # §18.1.1 wants a stream here; this trunk speaks UDP only

    # -- what the context tells ------------------------------------------------------------------------------------

    def provisional(self, call: Call, response: Response, now: float) -> None:
        """101-199: an early dialog, the first ringing."""
        facts = call.facts
        if facts.ringing_at is None:
            facts.ringing_at = now
        tag = response.to().tag
        if tag and tag not in call.dialogs and len(call.dialogs) < MAX_DIALOGS:
            call.dialogs[tag] = Dialog(call.cseq)

    def succeeded(self, call: Call, context: ResponseContext, branch: Branch, response: Response, now: float) -> None:
        """2xx: the call is answered; or it comes too late, and is ended in the caller's name."""
        if context.concluded and not context.answered:
            client = branch.client
            if client is not None and client.request is not None:
                self._calls.tell("call.late_answer", call, trunk="" if branch.trunk is None else branch.trunk.id)
                self._teardown.end_leftover(client.request, response, client.flow, now)
            return
        tag = response.to().tag or b""
        if call.state is not CallState.ENDED:
            self._calls.move(call, CallInput.ANSWER, now)
            facts = call.facts
            dialog = call.dialogs.get(tag)
            if dialog is None and len(call.dialogs) < MAX_DIALOGS:
                dialog = call.dialogs[tag] = Dialog(call.cseq)
            if dialog is not None and not dialog.is_confirmed:
                dialog.is_confirmed = True
                dialog.answer = response.data
            if not facts.to_tag:
                facts.to_tag = tag.decode("latin-1")
                facts.status = response.status
                call.cause = "answered"
                if branch.trunk is not None:
                    facts.egress_trunk = branch.trunk.id
                    _note(facts, branch.trunk.id, response.status)
        context.answered = True
        context.relay(response, now)
        call.attempt = None

    def try_next(self, call: Call, branch: Branch, status: int, now: float) -> bool:
        """The branch failed: is there another candidate, and may it be tried?"""
        trunk = branch.trunk
        if trunk is None:
            return False
        _note(call.facts, trunk.id, status)
        if status not in trunk.failover_on and not branch.is_local:
            return False
        if call.state is not CallState.SETUP:
            return False
        moved = self._try_candidate(call, now)
        if moved:
            self._node.outbox.facts.append(
                Fact("trunk.failed_over", {"trunk": trunk.id, "status": status, "call_uid": call.uid})
            )
        return moved

    def cancelled(self, call: Call, context: ResponseContext, now: float) -> None:
        """CANCEL came for this INVITE (§9.2, §16.10); the 200 to it has been sent."""
        call.cause = "cancelled"
        call.facts.release_side = "ingress"
        if call.state is CallState.ADMITTING:
            self._finish(call.facts, 487, "cancelled", NORMAL_CLEARING)
            context.answer(487, b"Request Terminated", now)
            self._calls.move(call, CallInput.CANCEL, now)
            return
        if not self._calls.move(call, CallInput.CANCEL, now):
            return
        context.cancel(now)
        if context.branches and not context.is_open:
            self.concluded(call, context, 487, None, now)

    def concluded(self, call: Call, context: ResponseContext, status: int, best: Response | None, now: float) -> None:
        """No branch is left: the best response, or ours (§16.7 item 6)."""
        facts = call.facts
        if call.cause and call.cause != "cancelled":  # hung up by the edge while ringing
            self._finish(facts, 503, call.cause, 31)
            context.answer(503, b"Service Unavailable", now)
        elif context.expired:
            self._finish(facts, 408, "no_answer", 102)
            context.answer(408, b"Request Timeout", now)
        elif context.cancelled:
            self._finish(facts, 487, "cancelled", NORMAL_CLEARING)
            if best is not None and best.status == 487:
                context.relay(best, now)
            else:
                context.answer(487, b"Request Terminated", now)
        elif best is None or best.status in (408, 503):
            self._fail(call, Reason.TRUNKS_FAILED, now)
            return
        else:
            reason, q850 = cause_of(best.status)
            self._finish(facts, best.status, reason, q850_of(best, q850))
            facts.release_side = "egress"
            context.relay(best, now)
        self._calls.move(call, CallInput.FAIL, now)

    # -- endings ---------------------------------------------------------------------------------------------------

    def _fail(self, call: Call, reason: Reason, now: float) -> None:
        """Admitted, but nothing could be reached: our own refusal, and the lease goes back."""
        context = call.context
        if context is None:
            return
        status, q850 = self._respond(context, reason, call.attempt, now)
        self._mark_refused(call.facts, reason, status, q850)
        self._calls.move(call, CallInput.FAIL, now)

    def _closed_door(self, pre: Preprocessed) -> Reason | None:
        node = self._node
        if node.draining:
            return Reason.DRAINING
        if node.is_overloaded or len(self._calls) >= node.settings.max_calls:
            return Reason.OVERLOADED
        return None

    def _refuse(
        self, context: ResponseContext, facts: CallFacts, reason: Reason, attempt: CallAttempt | None, now: float
    ) -> None:
        """Refused before the limiter was asked: answer and record."""
        status, q850 = self._respond(context, reason, attempt, now)
        self._record_refusal(facts, reason, status, q850, now)

    def _record_refusal(self, facts: CallFacts, reason: str, status: int, q850: int, now: float) -> None:
        facts.decided_at = facts.released_at = now
        self._mark_refused(facts, reason, status, q850)
        self._node.outbox.ended.append(facts)

    def _mark_refused(self, facts: CallFacts, reason: str, status: int, q850: int) -> None:
        refused = self._node.counters.refused
        refused[reason] = refused.get(reason, 0) + 1
        self._finish(facts, status, str(reason), q850)
        facts.release_side = "edge"

    def _respond(
        self,
        context: ResponseContext,
        reason: Reason,
        attempt: CallAttempt | None,
        now: float,
        retry_after_ms: int = 0,
    ) -> tuple[int, int]:
        """Send the refusal the account's profile has for this reason; (status, Q.850 cause)."""
        node = self._node
        profile = node.snapshot.default_profile
        if attempt is not None and attempt.account is not None:
            profile = attempt.account.refusal_profile
        answer = verdicts.answer(reason, profile, retry_after_ms=retry_after_ms, jitter=node.draw())
        context.answer(answer.status, answer.phrase, now, headers=answer.headers)
        return answer.status, answer.q850

    @staticmethod
    def _finish(facts: CallFacts, status: int, reason: str, q850: int) -> None:
        facts.status, facts.reason, facts.q850 = status, reason, q850

    @staticmethod
    def _facts(uid: str, txn: Transaction, request: Request, call_id: bytes, from_tag: bytes, now: float) -> CallFacts:
        facts = CallFacts(uid, now)
        facts.call_id = call_id.decode("utf-8", "replace")
        facts.from_tag = from_tag.decode("utf-8", "replace")
        facts.source = "%s:%d" % txn.flow.address
        return facts


class _User:
    """Binds one call to its response context."""

    __slots__ = ("_attempts", "_call")

    def __init__(self, attempts: Attempts, call: Call | None = None) -> None:
        self._attempts = attempts
        self._call = call

    def provisional(self, context: ResponseContext, branch: Branch, response: Response, now: float) -> None:
        if self._call is not None:
            self._attempts.provisional(self._call, response, now)

    def succeeded(self, context: ResponseContext, branch: Branch, response: Response, now: float) -> None:
        if self._call is not None:
            self._attempts.succeeded(self._call, context, branch, response, now)

    def try_next(self, context: ResponseContext, branch: Branch, status: int, now: float) -> bool:
        return self._call is not None and self._attempts.try_next(self._call, branch, status, now)

    def concluded(self, context: ResponseContext, status: int, best: Response | None, now: float) -> None:
        if self._call is not None:
            self._attempts.concluded(self._call, context, status, best, now)

    def cancelled(self, context: ResponseContext, now: float) -> None:
        if self._call is not None:
            self._attempts.cancelled(self._call, context, now)


def _copy_attempt(attempt: CallAttempt, facts: CallFacts) -> None:
    """What policy found out, for the record."""
    if attempt.account is not None:
        facts.account = attempt.account.id
    if attempt.ingress is not None:
        facts.ingress_trunk = attempt.ingress.id
    facts.ingress_class = attempt.ingress_class
    facts.cli_original = attempt.cli_original
    facts.cli_presented = attempt.cli_presented
    facts.cli_network = attempt.cli_network
    facts.called_original = attempt.called_original
    facts.called = attempt.called
    facts.withheld = attempt.withheld
    facts.emergency = attempt.emergency
    facts.rule = attempt.rule


def _note(facts: CallFacts, trunk: str, status: int) -> None:
    """The final status of a candidate that had none yet."""
    for index, (name, known) in enumerate(facts.candidates):
        if name == trunk and known == 0:
            facts.candidates[index] = (trunk, status)
            return
