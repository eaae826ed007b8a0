"""Registering an address of ours at egress trunks that want it (RFC 3261 §10.2), as a table of states. Pure.

Refreshed in good time, tried again with a growing pause (RFC 5626 §4.5), taken back when the edge stops. One REGISTER
is under way at a time (§10.2), with one Call-ID and a CSeq number that grows; for each a challenge is answered once.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from edge.config.login import Registered
from edge.config.trunks import EgressTrunk
from edge.proxy.bindings import MAX_EXPIRES_S, granted_s, least_s, retry_after_s
from edge.proxy.destinations import Destinations, Flows
from edge.proxy.facts import Fact
from edge.proxy.forwarding import Hop
from edge.proxy.identifiers import MAGIC_COOKIE
from edge.proxy.node import Node
from edge.proxy.proving import proof_of
from edge.sip import compose
from edge.sip.digest_client import CHALLENGES, Challenge, challenge_of
from edge.sip.errors import FieldError, LocalError, ParseError
from edge.sip.flow import Flow
from edge.sip.message import Request, Response, parse


class Standing(StrEnum):
    """Where a registration stands."""

    OFF = "off"
    ASKING = "asking"
    """A REGISTER is under way, the first or a refresh."""
    BOUND = "bound"
    WAITING = "waiting"
    """It was refused, or nobody answered: a pause."""
    STOPPING = "stopping"
    """To be taken back as soon as what is under way has its end."""
    LEAVING = "leaving"
    """It is being taken back."""


class Happening(StrEnum):
    """What may happen to it."""

    START = "start"
    DUE = "due"
    CHALLENGED = "challenged"
    """By a challenge that can be answered, and was not yet."""
    GRANTED = "granted"
    TOO_BRIEF = "too_brief"
    """423, with a longer time that can be asked for."""
    FAILED = "failed"
    STOP = "stop"


class Row(NamedTuple):
    """What to do, and where that leads."""

    effect: "Callable[[Registration, float], None]"
    next: Standing


def _ask(one: "Registration", now: float) -> None:
    one.ask(now)


def _again(one: "Registration", now: float) -> None:
    one.ask(now, again=True)


def _bind(one: "Registration", now: float) -> None:
    one.bind(now)


def _pause(one: "Registration", now: float) -> None:
    one.pause(now)


def _leave(one: "Registration", now: float) -> None:
    one.leave(now)


def _nothing(one: "Registration", now: float) -> None:
    pass


S, H = Standing, Happening

REGISTRATION_TABLE: Final[Mapping[Standing, Mapping[Happening, Row]]] = {
    S.OFF: {H.START: Row(_ask, S.ASKING)},
    S.ASKING: {
        H.CHALLENGED: Row(_again, S.ASKING),
        H.TOO_BRIEF: Row(_again, S.ASKING),
        H.GRANTED: Row(_bind, S.BOUND),
        H.FAILED: Row(_pause, S.WAITING),
        H.STOP: Row(_nothing, S.STOPPING),
    },
    S.BOUND: {H.DUE: Row(_ask, S.ASKING), H.STOP: Row(_leave, S.LEAVING)},
    S.WAITING: {H.DUE: Row(_ask, S.ASKING), H.STOP: Row(_leave, S.LEAVING)},
    S.STOPPING: {
        H.CHALLENGED: Row(_leave, S.LEAVING),
        H.TOO_BRIEF: Row(_leave, S.LEAVING),
        H.GRANTED: Row(_leave, S.LEAVING),
        H.FAILED: Row(_leave, S.LEAVING),
    },
    S.LEAVING: {
        H.CHALLENGED: Row(_again, S.LEAVING),
        H.TOO_BRIEF: Row(_nothing, S.OFF),
        H.GRANTED: Row(_nothing, S.OFF),
        H.FAILED: Row(_nothing, S.OFF),
    },
}
"""What is not in a row changes nothing."""

PAUSE_S: Final = 30.0
MAX_PAUSE_S: Final = 1_800.0
"""RFC 5626 §4.5: base time where all has failed, and the longest pause."""
LEAST_GAP_S: Final = 5.0
"""Between a success and the next REGISTER, whatever short life the trunk grants."""


class Registration:
    """Of one trunk."""

    __slots__ = (
        "_asked_s",
        "_bound_until",
        "_call_id",
        "_challenge",
        "_count",
        "_cseq",
        "_destinations",
        "_due_at",
        "_failures",
        "_flow",
        "_is_proved",
        "_node",
        "_round",
        "_tag",
        "_told",
        "standing",
        "trunk",
        "why",
    )  # fmt: skip

    def __init__(self, node: Node, destinations: Destinations, trunk: EgressTrunk) -> None:
        self._node = node
        self._destinations = destinations
        self.trunk = trunk
        self.standing = Standing.OFF
        self.why = ""
        """What went wrong last."""
        self._told = ""
        self._call_id = node.own_call_id(b"@register")
        self._tag = node.identifiers.tag()
        self._cseq = 0
        self._asked_s = self._terms.expires_s
        self._failures = 0
        self._bound_until = 0.0
        self._due_at = 0.0
        self._flow: Flow | None = None
        self._challenge: Challenge | None = None
        """The last one: its nonce serves until it is refused."""
        self._count = 0
        """Times it was answered."""
        self._is_proved = False
        """This round's one answer has been given."""
        self._round = 0
        """Number of the REGISTER under way: an earlier one is not listened to."""

    @property
    def _terms(self) -> Registered:
        terms = self.trunk.registration
        assert terms is not None
        return terms

    def is_bound(self, now: float) -> bool:
        """Does the trunk know where we are?"""
        return now < self._bound_until

    def happens(self, what: Happening, now: float) -> None:
        """Walk the table."""
        row = REGISTRATION_TABLE[self.standing].get(what)
        if row is not None:
            self.standing = row.next
            row.effect(self, now)
            self._tell(now)

    def fire(self, letter: str, now: float) -> None:
        """`R`: a refresh or another try is due. `E`: the registration may have run out."""
        if letter == "E":
            self._tell(now)
        elif now >= self._due_at:
            self.happens(Happening.DUE, now)

    # -- effects ---------------------------------------------------------------------------------------------------

    def ask(self, now: float, *, again: bool = False) -> None:
        """A REGISTER for as long as is wanted; `again`: to what came back to the one before."""
        if not again:
            self._is_proved = False
        self._send(0 if self.standing is Standing.LEAVING else self._asked_s, now)

    def leave(self, now: float) -> None:
        """Take it back (§10.2.2)."""
        self._is_proved = False
        self._bound_until = 0.0
        self._send(0, now)

    def bind(self, now: float) -> None:
        """It is granted: the next one in good time before it ends, and not with everybody else's."""
        self._failures = 0
        self.why = ""
        granted = self._bound_until - now
        self._plan(max(LEAST_GAP_S, granted * (0.5 + 0.3 * self._node.draw())), now)
        self._node.timers.schedule(self._bound_until, self, "E")

    def pause(self, now: float) -> None:
        """RFC 5626 §4.5: twice as long after each failure, between half and all of it; or as long as was asked for."""
        self._failures += 1
        most = min(MAX_PAUSE_S, PAUSE_S * 2 ** min(self._failures, 10))
        self._plan(max(self._due_at - now, most * (0.5 + 0.5 * self._node.draw())), now)

    def _plan(self, seconds: float, now: float) -> None:
        self._due_at = now + seconds
        self._node.timers.schedule(self._due_at, self, "R")

    # -- what comes back -------------------------------------------------------------------------------------------

    def heard(self, response: Response, now: float) -> None:
        """The final response to the REGISTER under way."""
        status = response.status
        self._due_at = now  # no pause is asked for, so far
        if status in CHALLENGES:
            self._challenged(response, now)
        elif status == 423 and self.standing is Standing.ASKING and least_s(response) > self._asked_s:
            self._asked_s = least_s(response)
            self._due(Happening.TOO_BRIEF, "", now)
        elif status < 300:
            self._granted(response, now)
        else:
            self._due_at = now + min(retry_after_s(response), MAX_PAUSE_S)
            self._due(Happening.FAILED, f"refused {status}", now)

    def _challenged(self, response: Response, now: float) -> None:
        login = self.trunk.login
        if login is None or self.trunk.id not in self._node.passwords:
            self._due(Happening.FAILED, "challenged, and no password is known", now)
            return
        found = challenge_of(response, login.realm)
        if found is None:
            self._due(Happening.FAILED, "challenged by what cannot be answered", now)
        elif self._is_proved:
            # Once is enough (§22.2): whoever asks again does not believe the answer, or wants to hear many.
            self._challenge = None
            self._due(Happening.FAILED, f"password refused {response.status}", now)
        else:
            self._is_proved = True
            self._challenge, self._count = found, 0
            self._due(Happening.CHALLENGED, "", now)

    def _granted(self, response: Response, now: float) -> None:
        if self.standing is not Standing.ASKING:
            self._due(Happening.GRANTED, "", now)
            return
        contact = self._contact()
        seconds = 0 if contact is None else granted_s(response, contact, asked_s=self._asked_s)
        if seconds <= 0:
            self._bound_until = 0.0
            self._due(Happening.FAILED, "granted for no time", now)
        else:
            self._bound_until = now + seconds
            self._due(Happening.GRANTED, "", now)

    def failed(self, why: str, now: float) -> None:
        """Nobody answered, or nobody can be asked."""
        self._due_at = now
        self._due(Happening.FAILED, why, now)

    def _due(self, what: Happening, why: str, now: float) -> None:
        if why:
            self.why = why
        self.happens(what, now)

    def _tell(self, now: float) -> None:
        """A fact where the answer to `are we registered?` has changed, or the reason for no."""
        if self.standing in (Standing.STOPPING, Standing.LEAVING):
            return
        if self.is_bound(now):
            said = f"failing: {self.why}" if self.why else "registered"
        elif self.standing is Standing.OFF:
            said = "off"
        elif self.why:
            said = f"unregistered: {self.why}"
        else:
            said = "unregistered: ran out" if self._told else ""
        if said and said != self._told:
            to, _, why = said.partition(": ")
            fields: dict[str, str | int | float] = {"trunk": self.trunk.id, "to": to, "why": why or self.why}
            if to == "registered":
                fields["why"], fields["expires_s"] = "granted", round(self._bound_until - now)
            self._node.outbox.facts.append(Fact("trunk.registration", fields))
            self._told = said

    # -- on the wire -----------------------------------------------------------------------------------------------

    def _contact(self) -> bytes | None:
        """Where we are, as we said it."""
        if self._flow is None:
            return None
        listeners, index = self._node.listeners, self._flow.listener
        transport = b";transport=" + listeners.transports[index] if listeners.reliable[index] else b""
        return b"sip:" + self._terms.user + b"@" + listeners.sent_bys[index] + transport

    def _send(self, expires_s: int, now: float) -> None:
        self._round += 1
        number = self._round

        def send(flows: Flows, now: float) -> None:
            if number != self._round:
                return
            if not flows:
                self.failed("unreachable", now)
                return
            self._flow = flows[0]
            try:
                request = self._request(flows[0], expires_s)
            except (LocalError, ParseError, FieldError):
                self.failed("what it asks for cannot be written", now)
                return
            self._node.layer.start(request, flows[0], now, user=Registering(self, number))

        trunk = self.trunk
        hop = Hop(trunk.host.encode(), trunk.port, trunk.transport, names=trunk.tls_names)
        self._destinations.locate(hop, self._node.listeners.toward(trunk.listener, 0), now, send)

    def _request(self, flow: Flow, expires_s: int) -> Request:
        node, terms = self._node, self._terms
        contact = self._contact()
        assert contact is not None
        self._cseq += 1
        headers = [(b"Contact", b"<%b>" % contact), (b"Expires", b"%d" % min(expires_s, MAX_EXPIRES_S))]
        if self._challenge is not None and self.trunk.login is not None:
            self._count += 1
            proof = proof_of(node, self.trunk, self._challenge, b"REGISTER", terms.domain, b"", self._count)
            if proof is not None:
                headers.append(proof)
        request = parse(
            compose.request(
                b"REGISTER",
                terms.domain,
                via=node.listeners.via_prefixes[flow.listener] + MAGIC_COOKIE + node.identifiers.tag() + b".0",
                from_=b"<%b>;tag=%b" % (terms.address, self._tag),
                to=b"<%b>" % terms.address,
                call_id=self._call_id,
                cseq=self._cseq,
                headers=headers,
            )
        )
        assert isinstance(request, Request)
        return request

    def is_current(self, number: int) -> bool:
        """Is this the REGISTER under way?"""
        return number == self._round


class Registering:
    """User of one REGISTER."""

    __slots__ = ("_number", "_registration")

    def __init__(self, registration: Registration, number: int) -> None:
        self._registration = registration
        self._number = number

    def on_response(self, response: Response, now: float) -> None:
        """Its final response."""
        if response.status >= 200 and self._registration.is_current(self._number):
            self._registration.heard(response, now)

    def on_timeout(self, now: float) -> None:
        """Timer F."""
        if self._registration.is_current(self._number):
            self._registration.failed("unanswered", now)

    def on_transport_error(self, now: float) -> None:
        """The socket refused it."""
        if self._registration.is_current(self._number):
            self._registration.failed("unreachable", now)
