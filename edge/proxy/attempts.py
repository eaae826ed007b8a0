"""A call attempt: from the INVITE outside a dialog to its final response. Pure.

judge (policy) -> admit (limits) -> route -> forward -> next candidate or best response (RFC 3261 §16.5 to §16.7).
"""

from typing import Final

from edge.config.trunks import CHALLENGES, EgressTrunk
from edge.policy import demand, verdicts
from edge.policy.attempt import CallAttempt
from edge.policy.pipeline import judge
from edge.policy.verdicts import Reason, Refuse
from edge.proxy.answers import Answers
from edge.proxy.authentication import NOBODY_PROVED, Authentication
from edge.proxy.call import Call, CallState
from edge.proxy.calls import CallInput, CallTracker
from edge.proxy.causes import NORMAL_CLEARING, cause_of, q850_of
from edge.proxy.decisions import note_decided, note_judged
from edge.proxy.destinations import Destinations, Flows
from edge.proxy.egress import Egress
from edge.proxy.forwarding import Hop, is_secure
from edge.proxy.node import Node
from edge.proxy.observed import flow_text, is_elsewhere
from edge.proxy.record import at_admission, opening_of
from edge.proxy.refusing import Headers, Refusals
from edge.proxy.resent import Resent
from edge.proxy.responses import Branch, ResponseContext
from edge.proxy.strangers import Strangers
from edge.proxy.teardown import Teardown, q850_of_cause, reason_of
from edge.proxy.trunk_ceilings import TrunkCeilings
from edge.proxy.trunk_choice import TrunkChoice
from edge.proxy.trunk_health import retry_after_of
from edge.sip import compose
from edge.sip.message import Request, Response
from edge.sip.transaction.layer import Transaction
from limits.model import GROUP, PROFESSIONAL, TRUNK, Admit, Admitted, Denied, Unavailable

DECISIONS: Final = (Admitted, Denied, Unavailable)
"""What the limits answer to an attempt. A tuple: a union would be built anew at every question."""
_RESERVE: Final = 8
"""An eighth of `max_calls` more is kept for emergency calls, and a few."""
_REASON_OF_CAUSE: Final = {
    "credit": Reason.CREDIT,
    "spend_cap": Reason.SPEND_CAP,
    "suspended": Reason.ACCOUNT_SUSPENDED,
}
"""What the caller of a call that still rang is told when the edge ends it."""


class Attempts:
    """Takes every INVITE that opens a call."""

    __slots__ = (
        "_authentication", "_calls", "_ceilings", "_choice", "_destinations", "_egress", "_node", "_refusals",
        "answers", "duplicates", "resent",
    )  # fmt: skip

    def __init__(
        self,
        node: Node,
        calls: CallTracker,
        destinations: Destinations,
        teardown: Teardown,
        strangers: Strangers,
        authentication: Authentication,
    ) -> None:
        self._node = node
        self._authentication = authentication
        self._calls = calls
        self._destinations = destinations
        self._egress = Egress(node, calls, destinations)
        self.answers = Answers(node, calls, teardown)
        self.resent = Resent(node, calls)
        self._refusals = Refusals(node, strangers)
        self._ceilings = TrunkCeilings(node, calls, self)
        self._choice = TrunkChoice(node)
        self.duplicates = 0
        """Attempts of which the store has a lease already, or their end."""

    # -- arrival ---------------------------------------------------------------------------------------------------

    def arrive(self, txn: Transaction, request: Request, loop: bytes, now: float) -> None:
        """An INVITE without a To tag that has passed §16.3."""
        node = self._node
        context = ResponseContext(node, txn)
        call_id, from_tag, cseq = request.call_id(), request.from_().tag or b"", request.cseq().number
        uid = node.identifiers.call_uid(request, call_id, from_tag, cseq)
        if self.has_begun(uid):
            self._come_again(txn, context, uid, now)
            return
        snapshot = node.snapshot
        host, port = txn.flow.address
        attempt = CallAttempt(
            request=request,
            source_host=host,
            source_port=port,
            listener=node.listeners.all[txn.flow.listener].name,
            draw=node.draw(),
            wall=now + node.wall_offset,
            tls_names=txn.flow.names,
        )
        verdict = judge(attempt, snapshot)
        txn.user = context
        challenges: Headers = ()
        if verdict is not None and verdict.reason is Reason.CREDENTIALS_MISSING:
            verdict, challenges = self._authentication.judge(attempt, snapshot, now)
            if challenges and verdict is not None and verdict.reason is not Reason.CREDENTIALS_REFUSED:
                # A question, and no refusal: the attempt is the one that answers it.
                self._refusals.respond(context, verdict, attempt, now, challenges)
                return
        facts = self._refusals.begin(uid, txn, call_id, from_tag, now)
        note_judged(attempt, facts)
        if facts.price is not None and snapshot.deck is not None:
            facts.currency = snapshot.deck.currency
        facts.policy_generation = snapshot.generation
        if verdict is None:
            verdict = self._closed_door(attempt)
            if verdict is not None and attempt.account is not None:
                node.refused_unasked(attempt.account.id, uid)
        if verdict is not None:
            self._refusals.refuse(context, facts, verdict, attempt, now, challenges)
            self._refusals.close(facts, now, is_stranger=attempt.ingress is None or verdict.reason in NOBODY_PROVED)
            return
        # What proved who calls is nobody else's affair: it goes into no record.
        invite = request.render() if attempt.username else request.data
        call = Call(uid, call_id, from_tag, cseq, facts, invite)
        call.attempt = attempt
        if attempt.account is not None:
            call.store_away = attempt.account.store_away
        call.context = context
        call.inbound = txn.flow.listener
        is_reliable = node.listeners.reliable[txn.flow.listener]
        nat = "auto" if attempt.ingress is None else attempt.ingress.nat
        if is_elsewhere(request, txn.flow, nat, is_reliable=is_reliable):
            call.flow = txn.flow
            if nat == "always" and not is_reliable:
                txn.reply_to = txn.flow  # as if it had asked for it (RFC 3581)
        call.loop = loop
        context.user = _User(self, call)
        self._calls.add(call)
        settings = node.settings
        record = b""
        if settings.keeps_records and not attempt.emergency:
            call.opening = opening_of(facts, node)
            record = at_admission(facts, node, call.opening)
        question = demand.ask(
            attempt,
            uid=uid,
            node=settings.node,
            digest=node.identifiers.number_digest,
            lease_ms=settings.lease_ms,
            record=record,
            quantum_s=settings.quantum_s,
        )
        if question is None:
            self._calls.write_down(call)
            self._admitted(call, now)  # R16: no commercial limit stands before an emergency call
        else:
            node.outbox.asks.append(question)

    def _come_again(self, txn: Transaction, context: ResponseContext, uid: str, now: float) -> None:
        """The same INVITE after its transaction ended, here or with an earlier process."""
        call = self._calls.get(uid)
        if call is not None and self.resent.is_due(call, now):
            # Its caller has heard nothing yet. A failure would be the end of it; the answer is on its way.
            self._node.layer.discard(txn)
            self._node.counters.drop("answer_due")
            return
        txn.user = context
        self._refusals.repeat(context, uid, now)

    def has_begun(self, uid: str) -> bool:
        """Has this attempt a call here, or its record? Then it is to have no other one."""
        return self._calls.get(uid) is not None or self._node.ended.status_of(uid) is not None

    def refuse_unjudged(
        self, txn: Transaction, request: Request, reason: Reason, answer: verdicts.RefusalAnswer, now: float
    ) -> None:
        """The record of an attempt that §16.3 refused before policy saw it; the answer has been sent. One that comes
        again, to the next process too, has its record."""
        call_id, from_tag = request.call_id(), request.from_().tag or b""
        uid = self._node.identifiers.call_uid(request, call_id, from_tag, request.cseq().number)
        if self.has_begun(uid):
            return
        facts = self._refusals.begin(uid, txn, call_id, from_tag, now)
        self._refusals.mark(facts, reason, answer)
        listener = self._node.listeners.all[txn.flow.listener].name
        is_stranger = self._node.snapshot.is_stranger(txn.flow.address[0], listener, txn.flow.names)
        self._refusals.close(facts, now, is_stranger=is_stranger)

    def decided(self, verb: Admit, outcome: Admitted | Denied | Unavailable, now: float) -> None:
        """The limiter's answer: of the account, then of its group, then of each trunk tried that has ceilings."""
        call, holder = self._calls.get(verb.uid), verb.account
        if isinstance(outcome, Admitted):
            self._node.thresholds.note(holder, outcome, now, self._node.outbox.facts)
        is_own = call is not None and holder == call.facts.account
        if not is_own and holder.startswith(TRUNK):
            self._ceilings.decided(call, verb, outcome, now)
            return
        if call is None or call.state not in (CallState.ADMITTING, CallState.ABANDONED):
            self._calls.absorbed += 1
            return
        attempt, context, facts = call.attempt, call.context, call.facts
        assert attempt is not None
        assert context is not None
        note_decided(facts, holder, outcome, now)
        refusal: Refuse | None = None
        if not isinstance(outcome, Admitted):
            of_group = holder.startswith(GROUP)
            refusal = demand.read(outcome, attempt, of_group=of_group, local=lambda: self._has_share(holder, now))
        if refusal is not None:
            if call.state is CallState.ADMITTING:
                self._refusals.refuse(context, facts, refusal, attempt, now)
            # The same INVITE was here before, at another node or in an earlier life: there it has its one record.
            call.is_adopted = refusal.reason is Reason.DUPLICATE
            self.duplicates += call.is_adopted
            self._calls.move(call, CallInput.DENIED, now)
            return
        facts.degraded = attempt.degraded
        if attempt.degraded and attempt.account is not None and attempt.account.store_away == "local":
            facts.decided_by = "share"
        if isinstance(outcome, Admitted):
            self._node.local.note(holder, (outcome.caps, outcome.burst, outcome.ceiling))
            self._calls.lease(call, holder, outcome.paid_s)
            settings = self._node.settings
            question = None
            if is_own and outcome.group:
                question = demand.ask_group(
                    attempt,
                    outcome,
                    uid=call.uid,
                    node=settings.node,
                    lease_ms=settings.lease_ms,
                    quantum_s=settings.quantum_s,
                )
            if question is None and attempt.contact is not None and not holder.startswith(PROFESSIONAL):
                question = demand.ask_professional(
                    attempt,
                    uid=call.uid,
                    node=settings.node,
                    digest=self._node.identifiers.number_digest,
                    lease_ms=settings.lease_ms,
                )
            if question is not None and call.state is CallState.ADMITTING:
                self._node.outbox.asks.append(question)
                return
        else:
            call.is_unlimited = True
            self._calls.lease(call, holder)
            self._calls.write_down(call)
        self._admitted(call, now)

    def _has_share(self, holder: str, now: float) -> bool:
        """The store is away: has this node room in its own share of the ceilings?"""
        node = self._node
        in_use = self._calls.in_use(holder)
        return node.local.admit(holder, in_use=in_use, nodes=node.live_nodes, now_ms=int(now * 1_000))

    def _admitted(self, call: Call, now: float) -> None:
        if call.facts.decided_at is None:
            call.facts.decided_at = now
        self._calls.move(call, CallInput.ADMITTED, now)
        context = call.context
        if context is None:
            return  # the caller had given up: the call has ended
        if context.cancelled:  # hung up by the edge while the limiter was asked
            self.concluded(call, context, 487, None, now)
            return
        node = self._node
        hides = call.attempt is not None and call.attempt.treatment != ""
        flow = b"" if call.flow is None else flow_text(call.flow)
        call.token = node.identifiers.token(call.uid, call.call_id, hides=hides, flow=flow)
        node.layer.respond(context.server, 100, compose.trying(context.server.request), now)
        refusal = self._choice.choose(call, now)
        if not self._try_candidate(call, now):
            self._fail(call, context, refusal, now)

    # -- candidates ------------------------------------------------------------------------------------------------

    def _try_candidate(self, call: Call, now: float) -> bool:
        """Send the INVITE to the next candidate; False where none is left."""
        attempt = call.attempt
        if attempt is None or not attempt.candidates:
            return False
        trunk = attempt.candidates.pop(0)
        self._choice.sent(trunk, now)
        if not self._ceilings.ask(call, trunk):
            self.locate(call, trunk, now)
        return True

    def over_ceiling(self, call: Call, trunk: EgressTrunk, now: float) -> None:
        """This trunk takes no more: the next one."""
        context = call.context
        assert context is not None
        call.facts.passed_over(trunk.id, now)
        if not self._try_candidate(call, now):
            if context.best is None and all(status == 503 for _, status in call.facts.candidates):
                self._fail(call, context, Reason.TRUNK_CEILINGS, now)
            else:
                self.concluded(call, context, 503, context.best, now)

    def locate(self, call: Call, trunk: EgressTrunk, now: float) -> None:
        """There is a place on this trunk: where is it?"""
        attempt = call.attempt
        assert attempt is not None
        # §26.2.2: what asks for TLS all the way goes to no trunk that takes less; an emergency call does (R16).
        secure = is_secure(attempt.request) and not attempt.emergency
        way, listener = self._destinations.toward_trunk(trunk, call.inbound, secure=secure)
        if not isinstance(way, Hop):
            self._forward(call, attempt, trunk, way, now)
            return

        def forward(flows: Flows, now: float) -> None:
            self._forward(call, attempt, trunk, flows, now)

        self._destinations.locate(way, listener, now, forward)

    def _forward(self, call: Call, attempt: CallAttempt, trunk: EgressTrunk, flows: Flows, now: float) -> None:
        context = call.context
        if context is None or call.state is not CallState.SETUP:
            return  # answered, cancelled or hung up while the name was looked up
        if not flows:
            call.facts.passed_over(trunk.id, now)
            self._leave(call, trunk)
            self._calls.tell("trunk.unreachable", call, trunk=trunk.id)
            self._node.trunks.failed(trunk, "unreachable", now)
            if not self._try_candidate(call, now):
                self.concluded(call, context, 503, context.best, now)
            return
        flows = self._egress.allowed(attempt, trunk, flows, now)
        if not flows:
            self._leave(call, trunk)
            self.over_ceiling(call, trunk, now)  # it has asked for fewer calls (RFC 7339 §5.10)
            return
        self._egress.send(call, context, attempt, trunk, flows, now)

    # -- what the context tells ------------------------------------------------------------------------------------

    def provisional(self, call: Call, branch: Branch, response: Response, now: float) -> None:
        """101-199: an early dialog, the first ringing, by which the trunk has taken a call, whatever comes of it."""
        facts = call.facts
        if facts.ringing_at is None:
            facts.ringing_at = now
            if branch.trunk is not None:
                self._node.trunks.took(branch.trunk, now)
        tag = response.to().tag
        dialog = call.open_dialog(tag) if tag else None
        if dialog is not None and branch.proof is not None:
            dialog.proved(branch.proof)

    def try_next(self, call: Call, context: ResponseContext, branch: Branch, status: int, now: float) -> bool:
        """The branch failed: is there another candidate, and may it be tried?"""
        trunk = branch.trunk
        assert trunk is not None
        is_asked = trunk.login is not None and not branch.is_local and status in CHALLENGES
        if is_asked and self._egress.prove(call, context, branch, now):
            return True
        call.facts.note(trunk.id, status, now, cause=branch.q850)
        if is_asked:
            why = "refused" if branch.proof is not None else "not given"
            self._calls.tell("trunk.login_refused", call, trunk=trunk.id, status=status, why=why)
        self._judge(call, trunk, context, branch, status, now)
        if call.state is not CallState.SETUP or context.cancelled or status >= 600:
            return False
        if self._egress.next_address(call, context, branch, status, now):
            return True
        if not branch.is_local and not is_asked and status not in trunk.failover_on:
            return False
        self._leave(call, trunk)
        if not self._try_candidate(call, now):
            return False
        self._calls.tell("trunk.failed_over", call, trunk=trunk.id, status=status)
        return True

    def _judge(
        self, call: Call, trunk: EgressTrunk, context: ResponseContext, branch: Branch, status: int, now: float
    ) -> None:
        """What this failure says of the trunk. Whoever was cancelled, by the caller or by Timer C, has not failed."""
        trunks = self._node.trunks
        ringing_at = call.facts.ringing_at
        pdd_s = None if ringing_at is None or call.facts.sent_at is None else ringing_at - call.facts.sent_at
        self._node.quality.ended(trunk, now, answered=False, pdd_s=pdd_s)
        if status == 503 and not branch.is_local:
            self._node.throttle.refused(trunk, now)
        if branch.is_local:
            if not context.cancelled:
                trunks.failed(trunk, "silent" if status == 408 else "unreachable", now)
        elif status == 503:
            final = branch.final
            trunks.failed(trunk, "503", now, retry_after_s=0 if final is None else retry_after_of(final))
        else:
            trunks.took(trunk, now)

    def _leave(self, call: Call, trunk: EgressTrunk) -> None:
        """This trunk has failed: its place is free."""
        if trunk.holder in call.holders:
            self._calls.release(call, trunk.holder)

    def cancelled(self, call: Call, context: ResponseContext, reason: bytes | None, now: float) -> None:
        """CANCEL came for this INVITE (§9.2, §16.10); the 200 to it has been sent."""
        call.facts.told(reason)
        if call.state is CallState.ADMITTING:
            call.facts.end(487, "cancelled", NORMAL_CLEARING, "ingress")
            context.answer(487, b"Request Terminated", now)
            self._calls.move(call, CallInput.CANCEL, now)
        else:
            self._calls.move(call, CallInput.CANCEL, now)
            context.cancel(now, reason=call.tellable(reason))
            call.trunk = None
            if not context.is_pending:  # a name is being looked up: nothing has been sent, or all of it has failed
                self.concluded(call, context, 487, None, now)

    def concluded(self, call: Call, context: ResponseContext, status: int, best: Response | None, now: float) -> None:
        """No branch is left: the best response, or ours (§16.7 item 6)."""
        facts = call.facts
        if call.hang_up_cause:
            cause = call.hang_up_cause
            ours = _REASON_OF_CAUSE.get(cause)
            if ours is not None:
                self._refusals.refuse(context, facts, Refuse(ours), call.attempt, now)
            else:
                facts.end(503, cause, q850_of_cause(cause), "edge")
                context.answer(503, b"Service Unavailable", now, headers=((b"Reason", reason_of(cause)),))
        elif context.expired:
            facts.end(408, "no_answer", 102, "edge")
            context.answer(408, b"Request Timeout", now)
        elif context.cancelled:
            if best is not None and best.status == status and status not in (408, 503):
                facts.end(status, "cancelled", NORMAL_CLEARING, "ingress")
                context.relay(best, now)
            else:
                facts.end(487, "cancelled", NORMAL_CLEARING, "ingress")
                context.answer(487, b"Request Terminated", now)
        elif best is None or best.status in (408, 503):
            self._fail(call, context, Reason.TRUNKS_FAILED, now)
            return
        else:
            reason, q850 = cause_of(best.status, best.value(b"warning") or b"")
            facts.end(best.status, reason, q850_of(best, q850), "egress")
            facts.told(best.value(b"reason"))
            context.relay(best, now)
        self._calls.move(call, CallInput.FAIL, now)

    # -- endings ---------------------------------------------------------------------------------------------------

    def _fail(self, call: Call, context: ResponseContext, reason: Reason, now: float) -> None:
        """Admitted, but nothing could be reached: our own refusal, and the lease goes back."""
        self._refusals.refuse(context, call.facts, Refuse(reason), call.attempt, now)
        self._calls.move(call, CallInput.FAIL, now)

    def _closed_door(self, attempt: CallAttempt) -> Refuse | None:
        """What stands before an attempt that policy lets pass: the state of this process, a way past the trunks."""
        node = self._node
        limit = node.settings.max_calls
        request = attempt.request
        if attempt.emergency:
            request.remove(b"route")
            limit += limit // _RESERVE + _RESERVE
        elif node.draining:
            return Refuse(Reason.DRAINING)
        elif node.is_overloaded:
            return Refuse(Reason.OVERLOADED)
        elif request.has(b"route"):
            return Refuse(Reason.ROUTE_NOT_ALLOWED)  # a preloaded route past us would go round the trunks
        return Refuse(Reason.OVERLOADED) if len(self._calls) >= limit else None


class _User:
    """`ContextUser` of one call."""

    __slots__ = ("_attempts", "_call")

    def __init__(self, attempts: Attempts, call: Call) -> None:
        self._attempts = attempts
        self._call = call

    def provisional(self, context: ResponseContext, branch: Branch, response: Response, now: float) -> None:
        self._attempts.provisional(self._call, branch, response, now)

    def succeeded(self, context: ResponseContext, branch: Branch, response: Response, now: float) -> None:
        self._attempts.answers.succeeded(self._call, context, branch, response, now)

    def try_next(self, context: ResponseContext, branch: Branch, status: int, now: float) -> bool:
        return self._attempts.try_next(self._call, context, branch, status, now)

    def concluded(self, context: ResponseContext, status: int, best: Response | None, now: float) -> None:
        self._attempts.concluded(self._call, context, status, best, now)

    def cancelled(self, context: ResponseContext, reason: bytes | None, now: float) -> None:
        self._attempts.cancelled(self._call, context, reason, now)
