"""Response processing: RFC 3261 §16.7 (response context, best response), §16.8 (Timer C), §16.9, §16.10. Pure.

A context belongs to one server transaction; each branch is one client transaction. Branches are tried one after
another (serial forking), but a late 2xx of an earlier branch is still relayed: the answer always wins.
"""

from typing import Final, Protocol

from edge.config.trunks import CHALLENGES, EgressTrunk
from edge.proxy.causes import cause_of, q850_of, tell, tell_cancel, tell_status
from edge.proxy.forwarding import say_length
from edge.proxy.hygiene import NO_WORDS, Way, Words
from edge.proxy.node import Node
from edge.proxy.presentation import Mend
from edge.proxy.proving import Proof
from edge.sip import compose, overload_params
from edge.sip.errors import FieldError
from edge.sip.flow import Flow
from edge.sip.message import Request, Response, parse
from edge.sip.transaction.layer import Transaction
from edge.sip.transaction.machine import State

TICK_S: Final = 10.0
"""A branch looks at its deadlines at least this often. Long timers are chains of short ones, so that no wheel entry
keeps a finished branch for the 180 s of Timer C."""

_FIRST_CHOICES: Final = CHALLENGES | {415, 420, 484}
"""§16.7 item 6: within a class, responses that tell the client how to try again come first."""

_ELSEWHERE: Final = b'SIP;cause=200;text="Call completed elsewhere"'
"""RFC 3326 §2: why the other branches are cancelled after a 2xx."""


class ContextUser(Protocol):
    """Who wants to know how a forwarded request fares."""

    def provisional(self, context: "ResponseContext", branch: "Branch", response: Response, now: float) -> None:
        """101-199 came and is about to be relayed."""

    def succeeded(self, context: "ResponseContext", branch: "Branch", response: Response, now: float) -> None:
        """2xx came (again). The user relays it, or ends the dialog it made where the caller has been told otherwise."""

    def try_next(self, context: "ResponseContext", branch: "Branch", status: int, now: float) -> bool:
        """This branch failed; True where another one was started in its place."""

    def concluded(self, context: "ResponseContext", status: int, best: Response | None, now: float) -> None:
        """No branch is left and none answered. The user sends the final response (`ResponseContext.relay` or its own).
        `status` is that of the branch that ended last."""

    def cancelled(self, context: "ResponseContext", reason: bytes | None, now: float) -> None:
        """CANCEL came for the request (§9.2) and has had its 200. `reason`: its Reason header (RFC 3326)."""


class ResponseContext:
    """§16.7: the state between one server transaction and its branches."""

    __slots__ = (
        "_tag",
        "answered",
        "best",
        "branches",
        "cancelled",
        "challenges",
        "concluded",
        "cseq",
        "expired",
        "is_invite",
        "mend",
        "node",
        "reason",
        "server",
        "user",
    )

    user: ContextUser
    """Set by the owner before anything is forwarded; a request that is only answered needs none."""

    def __init__(self, node: Node, server: Transaction) -> None:
        self.node = node
        self.server = server
        self.is_invite = server.method == b"INVITE"
        self.branches: list[Branch] = []
        """Those whose client transaction lives."""
        self.best: Response | None = None
        self.challenges: list[Response] = []
        self.cancelled = False
        """The caller sent CANCEL, or Timer C or the edge did it for him: nothing new is tried."""
        self.expired = False
        """It was Timer C."""
        self.concluded = False
        """A final response has gone up."""
        self.answered = False
        """It was a 2xx: every further one is relayed too."""
        self.mend: Mend | None = None
        """Where the request was changed for whom it went to: what is done to every response for whom it came from."""
        self.cseq = b""
        """The CSeq of the request as it came, where it went on with another number."""
        self.reason = "pass"
        """What its sender is told of causes (`causes.tell`)."""
        self._tag = b""

    @property
    def tag(self) -> bytes:
        """To tag of the responses that are ours, the 200 to a CANCEL among them: one for all (§9.2)."""
        if not self._tag:
            self._tag = self.node.identifiers.tag()
        return self._tag

    @property
    def is_pending(self) -> bool:
        """Is there a branch whose final response is still wanted?"""
        return any(branch.is_open and not branch.given_up for branch in self.branches)

    def start(
        self,
        request: Request,
        flow: Flow,
        now: float,
        *,
        trunk: EgressTrunk | None = None,
        way: Way | None = None,
        words: Words = NO_WORDS,
        restore: Mend | None = None,
    ) -> "Branch":
        """Forward this copy; §16.6 items 10 and 11. `way`: what becomes of headers in its responses. `restore`: what
        was hidden in the copy, our Via alone left, and is put back into them."""
        branch = Branch(self, trunk, flow, now)
        branch.way, branch.words, branch.restore = way, words, restore
        self.branches.append(branch)
        branch.client = self.node.layer.start(request, flow, now, user=branch)
        if self.is_invite:
            branch.watch(now)
        return branch

    def forget_challenge(self) -> None:
        """It has been answered: nobody above us is to hear of it."""
        self.best = None
        self.challenges.clear()

    def relay(self, response: Response, now: float) -> None:
        """Send a response of a branch up; our Via is off it, the rest is as it came (§16.7 items 3 and 9)."""
        if response.status >= 200:
            self.concluded = True
            if response.status in CHALLENGES and len(self.challenges) > 1:
                self._aggregate(response)
        if self.mend is not None:
            self.mend(response)
        if self.cseq:
            response.replace(b"cseq", self.cseq)
        if self.reason != "pass" and response.status >= 300:
            tell(response, self.reason, cause_of(response.status, response.value(b"warning") or b"")[1])
        self.node.layer.respond(self.server, response.status, bytes_up(response, is_reliable=self.server.reliable), now)

    def answer(
        self,
        status: int,
        phrase: bytes,
        now: float,
        *,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        """Send a final response of our own up, unless one has gone or it is too late for any."""
        if self.concluded:
            return
        self.concluded = True
        if self.server.state is State.TERMINATED:
            return
        data = compose.response(self.server.request, status, phrase, to_tag=self.tag, headers=headers)
        self.node.layer.respond(self.server, status, data, now)

    def cancel(self, now: float, *, reason: bytes | None = None, but: "Branch | None" = None) -> None:
        """§16.10, and §16.7 item 10 after a 2xx: end every branch that is still open, except `but`."""
        for branch in self.branches:
            if branch is not but:
                branch.cancel(now, reason)

    def branch_failed(self, branch: "Branch", status: int, response: Response | None, now: float) -> None:
        """A final non-2xx of one branch: another candidate, patience, or the best response (§16.7 items 5 and 6)."""
        if self.concluded:
            return
        branch.q850 = 0 if response is None else q850_of(response, 0)
        if response is not None and (branch.trunk is None or status not in branch.trunk.conceal):
            if status in CHALLENGES:
                self.challenges.append(response)
            if self.best is None or _is_better(response, self.best):
                self.best = response
        # Serial forking: no other branch is pending.
        if not self.user.try_next(self, branch, status, now):
            self.user.concluded(self, status, self.best, now)

    def _aggregate(self, best: Response) -> None:
        """§16.7 item 7: whoever is challenged by one branch is challenged by all that did."""
        for other in self.challenges:
            if other is not best:
                for printed in (b"WWW-Authenticate", b"Proxy-Authenticate"):
                    for value in other.values(printed.lower()):
                        best.append(printed, value)


class Branch:
    """One client transaction of a context, with the deadlines that are the proxy's own (Timer C, silence)."""

    __slots__ = (
        "cancel_reason",
        "cancel_sent",
        "cancel_wanted",
        "client",
        "context",
        "final",
        "flow",
        "given_up",
        "hung_up",
        "is_local",
        "is_open",
        "proof",
        "provisional",
        "q850",
        "restore",
        "silence_at",
        "timer_c_at",
        "timer_c_s",
        "trunk",
        "way",
        "words",
    )

    def __init__(self, context: ResponseContext, trunk: EgressTrunk | None, flow: Flow, now: float) -> None:
        self.context = context
        self.trunk = trunk
        self.flow = flow
        self.client: Transaction | None = None
        self.final: Response | None = None
        """Its failure, where it is a response."""
        self.proof: Proof | None = None
        """Of who we are, where its request carries one."""
        self.way: Way | None = None
        self.words = NO_WORDS
        self.restore: Mend | None = None
        self.is_open = True
        self.is_local = False
        """Its failure is our own verdict (silence, time-out, transport), not a response."""
        self.given_up = False
        """We went on to another candidate; only a 2xx of this branch still counts."""
        self.hung_up: tuple[bytes, ...] = ()
        """To tags of late answers that the edge has ended itself."""
        self.provisional = False
        self.q850 = 0
        """Cause in the Reason header of its final failure; 0: it gave none."""
        self.cancel_wanted = False
        self.cancel_sent = False
        self.cancel_reason: bytes | None = None
        self.timer_c_s = context.node.settings.durations.timer_c if trunk is None else trunk.setup_s
        self.timer_c_at = now + self.timer_c_s
        self.silence_at = None if trunk is None else now + trunk.silence_s

    # -- what the client transaction tells -------------------------------------------------------------------------

    def on_response(self, response: Response, now: float) -> None:
        """§16.7, in the order of its items. Raises FieldError before anything has been told to anybody."""
        context = self.context
        status = response.status
        if status < 200:
            self.provisional = True
            if self.cancel_wanted:
                self._send_cancel(now)
            if status > 100:
                self.timer_c_at = now + self.timer_c_s  # item 2
                if not context.concluded and not self.given_up:
                    self._take_in(response)
                    context.user.provisional(context, self, response, now)
                    context.relay(response, now)
            return
        self._take_in(response)
        status = response.status
        self.is_open = False
        if status < 300:
            if context.is_invite and len(context.branches) > 1:
                context.cancel(now, reason=_ELSEWHERE, but=self)  # item 10
            context.user.succeeded(context, self, response, now)
            return
        if self.given_up:
            return  # it counts no more: its failure was told when we gave it up
        self.final = response
        context.branch_failed(self, status, response, now)

    def _take_in(self, response: Response) -> None:
        """What goes up, or may go up: without our Via, as its neighbour may say it."""
        restore, way = self.restore, self.way
        take_via_off(response, is_last=restore is not None)
        if restore is not None:
            restore(response)
        if way is not None and not way.lets_all(response.layout):
            way.cross(response, self.words, b"responses")
        if response.status >= 300 and self.trunk is not None and self.trunk.boundary.status_from_cause:
            tell_status(response, self.trunk.boundary.status_from_cause)

    def on_timeout(self, now: float) -> None:
        """Timer B or F: as if a 408 had come (§16.7 item 1, §16.8)."""
        self._end(487 if self.context.cancelled else 408, now)

    def on_transport_error(self, now: float) -> None:
        """§16.9: as if a 503 had come."""
        self._end(503, now)

    def on_gone(self) -> None:
        """The client transaction is no more. Context and branch let go of each other, so that counting frees both."""
        self.client = None
        self.context.branches.remove(self)

    # -- deadlines of our own --------------------------------------------------------------------------------------

    def watch(self, now: float) -> None:
        """Look at the deadlines again in time."""
        at, silence_at = now + TICK_S, self.silence_at
        if self.timer_c_at < at:
            at = self.timer_c_at
        if silence_at is not None and silence_at < at:
            at = silence_at
        self.context.node.timers.schedule(at, self, "C")

    def fire(self, letter: str, now: float) -> None:
        """`C`: a look at the deadlines. `X`: the CANCEL was not followed by a final response."""
        if not self.is_open:
            return
        if letter == "X":
            # §9.1: 64*T1 after the CANCEL the transaction is considered cancelled and is destroyed.
            client = self.client
            assert client is not None
            self._end(487, now)
            self.context.node.layer.abandon(client)
            return
        if self.silence_at is not None and now >= self.silence_at:
            self.silence_at = None
            if not self.provisional:
                self._give_up(now)
        if now >= self.timer_c_at and not self.given_up:
            self.timer_c_at = now + self.timer_c_s
            self._timer_c(now)
        self._watch_on(now)

    def _watch_on(self, now: float) -> None:
        """Whatever that has led to: is an answer still awaited?"""
        if self.is_open and not self.given_up:
            self.watch(now)

    def _timer_c(self, now: float) -> None:
        """§16.8: CANCEL where a provisional came, else as if a 408 had come."""
        if self.provisional:
            self.context.expired = True
            self.context.cancelled = True
            self.cancel(now, b'SIP;cause=408;text="Timer C"')
        else:
            self._give_up(now)

    def _give_up(self, now: float) -> None:
        """Silence counts as a 408, but we keep listening: what rings late is cancelled, what answers late is ended."""
        self.given_up = True
        self.is_local = True
        self.cancel_wanted = True
        self.context.branch_failed(self, 487 if self.context.cancelled else 408, None, now)

    # -- ends ------------------------------------------------------------------------------------------------------

    def cancel(self, now: float, reason: bytes | None) -> None:
        """§9.1: at once where a provisional has come, else as soon as one does."""
        if not self.is_open or not self.context.is_invite or self.cancel_wanted:
            return
        self.cancel_wanted = True
        self.cancel_reason = reason
        if self.provisional:
            self._send_cancel(now)

    def _send_cancel(self, now: float) -> None:
        if self.cancel_sent:
            return
        self.cancel_sent = True
        client = self.client
        assert client is not None
        node = self.context.node
        reason = (
            self.cancel_reason if self.trunk is None else tell_cancel(self.cancel_reason, self.trunk.boundary.reason)
        )
        cancel = parse(compose.cancel(client.request, reason=reason))
        assert isinstance(cancel, Request)
        node.layer.start(cancel, client.flow, now, user=None)
        node.timers.schedule(now + 64 * node.settings.durations.t1, self, "X")

    def _end(self, status: int, now: float) -> None:
        if not self.is_open:
            return
        self.is_open = False
        self.is_local = True
        if not self.given_up:
            self.context.branch_failed(self, status, None, now)


def bytes_up(response: Response, *, is_reliable: bool) -> bytes:
    """What leaves: over a stream with its length, and without what a server further on says to its
    neighbour of overload (RFC 7339 §5.4)."""
    if is_reliable:
        say_length(response)
    data = response.render()
    lines = response.lines
    for at in response.layout.positions[b"via"]:
        if lines[at].lower().find(b"oc") >= 0:
            return overload_params.cleaned(data)
    return data


def take_via_off(response: Response, *, is_last: bool) -> None:
    """§16.7 item 3. A response that was for us alone is no answer to a request that we forwarded."""
    response.to()  # raises FieldError where it cannot be read
    if not response.drop_via(is_last=is_last):
        raise FieldError("Via", "none below ours")


def _rank(response: Response) -> tuple[int, int, int]:
    """Lower is better: 6xx first, then the lowest class, and in it what can be mended by the client (item 6)."""
    status = response.status
    family = status // 100
    return (0 if family == 6 else family, 0 if status in _FIRST_CHOICES else 1, status)


def _is_better(one: Response, other: Response) -> bool:
    return _rank(one) < _rank(other)
