"""A network in one process: the core, callers, callees and a limiter in memory, joined by plain function calls."""

from itertools import count

from edge.config.deck import COLUMNS, parse_deck
from edge.config.parsing import parse_policy
from edge.config.snapshot import PolicySnapshot
from edge.proxy.actions import Opened
from edge.proxy.core import ProxyCore
from edge.proxy.facts import CallFacts, Fact
from edge.proxy.identifiers import Identifiers
from edge.proxy.listeners import Listener, Listeners
from edge.proxy.node import Settings
from edge.proxy.shed import Shed
from edge.sip.errors import ParseError
from edge.sip.flow import Flow
from edge.sip.locating import Address as Found
from edge.sip.locating import Target
from edge.sip.message import Request, Response, parse
from edge.sip.transaction.layer import Transaction
from limits.memory import MemoryLimiter
from limits.model import AccountId, Admit, Outcome, Unavailable, Usage, Verb

Address = tuple[str, int]

EDGE = "192.0.2.10:5060"
CALLER = ("192.0.2.1", 5060)
FOREIGN = ("192.0.2.2", 5060)
SBC = ("192.0.2.3", 5060)
TRUNK_A = ("198.51.100.1", 5060)
TRUNK_B = ("198.51.100.2", 5070)
STRANGER = ("203.0.113.9", 5060)

POLICY = """
[[accounts]]
id = "acme"
caps_base = 100
calls_base = 3

[[accounts]]
id = "fragile"
caps_base = 100
store_away = "admit"

[[accounts]]
id = "slow"
caps_base = 1
caps_burst = 1

[[accounts]]
id = "closed"
status = "closed"

[[ingress]]
id = "acme-pbx"
sources = ["192.0.2.1/32", "2001:db8::1/128"]
account = "acme"

[[ingress]]
id = "world"
sources = ["192.0.2.2/32"]
account = "acme"
class = "international"

[[ingress]]
id = "sbc"
sources = ["192.0.2.3/32"]
trusted = true
account_header = "X-Account"

[[egress]]
id = "a"
uri = "sip:198.51.100.1:5060"

[[egress]]
id = "b"
uri = "sip:198.51.100.2:5070"

[[egress]]
id = "named"
uri = "sip:trunk.example:5060"

[[routes]]
id = "all"
prefixes = [""]
trunks = ["a", "b"]

[[routes]]
id = "names"
prefixes = ["+3319"]
trunks = ["named", "b"]
"""

WALL_OFFSET = 1_795_600_000.0
"""UTC seconds less the tests' clock: the calls of these tests are of 2026-11-25."""


class Wire:
    """Everything around one core. Time moves only by `advance`."""

    def __init__(
        self,
        policy: str = POLICY,
        settings: Settings | None = None,
        listeners: list[Listener] | None = None,
        deck: str = "",
        passwords: dict[str, bytes] | None = None,
    ) -> None:
        """`deck`: rates as CSV lines without their header; none: no call has a price."""
        self.now = 1000.0
        self._serial = count(1)
        self.listeners = Listeners(
            listeners or [Listener("udp:192.0.2.10:5060", b"UDP", "192.0.2.10", 5060, "192.0.2.10", 5060)]
        )
        rates = parse_deck(f"{','.join(COLUMNS)}\n{deck}", currency="EUR") if deck else None
        self.snapshot = PolicySnapshot(parse_policy(policy), generation=7, deck=rates)
        self.passwords = passwords or {}
        self.settings = settings or Settings(node="edge1")
        self.core = self.new_core()
        self.limiter = MemoryLimiter(self._deliver, lambda: int(self.now * 1000))
        self.limiter.provision(self.snapshot.commercial_values(), opening=self.snapshot.opening_balances())
        self.is_store_away = False
        self.holding: list[Verb] | None = None
        """A list: verbs wait in it until `release_store`."""
        self.unreachable: set[Address] = set()
        """Addresses to which the socket refuses to send."""
        self.sent: list[tuple[Request | Response, Flow]] = []
        self.unreadable: list[tuple[bytes, Flow]] = []
        """What left and is no sound message: answers that copy what was malformed."""
        self.ended: list[CallFacts] = []
        self.shed: list[Shed] = []
        """Of those, the ones that were refused at the door."""
        self.opened: list[Opened] = []
        self.facts: list[Fact] = []
        self.resolves: list[tuple[int, Target]] = []
        self.asked: list[Verb] = []

    def new_core(self) -> ProxyCore:
        """A core that knows nothing yet, with the same secret: the edge after a crash."""
        self.core = ProxyCore(
            settings=self.settings,
            listeners=self.listeners,
            identifiers=Identifiers(secret=b"0123456789abcdef", fresh=self._fresh),
            snapshot=self.snapshot,
            draw=lambda: 0.0,
            now=self.now,
            wall_offset=WALL_OFFSET,
            passwords=self.passwords,
        )
        return self.core

    def _fresh(self) -> bytes:
        return b"f%06d" % next(self._serial)

    def _deliver(self, verb: Verb, outcome: Outcome) -> None:
        self.core.limiter_answered(verb, outcome, self.now)

    def pump(self) -> None:
        """Do what the core asks, until it asks for nothing."""
        out = self.core.outbox
        while out.sends or out.opened or out.ended or out.shed or out.asks or out.facts or out.resolves:
            failed = []
            for data, flow, txn in out.sends:
                if flow.address in self.unreachable:
                    failed.append(txn)
                else:
                    self._keep(data, flow)
            out.sends.clear()
            for txn in failed:
                if isinstance(txn, Transaction):
                    self.core.transport_failed(txn, self.now)
            self.opened += out.opened
            out.opened.clear()
            self.ended += out.ended
            out.ended.clear()
            self.shed += out.shed
            self.ended += [one.facts() for one in out.shed]
            out.shed.clear()
            self.facts += out.facts
            out.facts.clear()
            self.resolves += [(resolve.ticket, resolve.target) for resolve in out.resolves]
            out.resolves.clear()
            asks, out.asks = out.asks, []
            self.asked += asks
            for verb in asks:
                if self.holding is not None:
                    self.holding.append(verb)
                elif self.is_store_away:
                    self._deliver(verb, Unavailable("test"))
                else:
                    self.limiter.submit(verb)
            self.limiter.flush()

    def _arrive(self, data: bytes, flow: Flow) -> None:
        self.core.received(data, flow, self.now)

    def _keep(self, data: bytes, flow: Flow) -> None:
        try:
            self.sent.append((parse(data), flow))
        except ParseError:
            self.unreadable.append((data, flow))

    def release_store(self) -> None:
        """The store answers what it had held back."""
        held, self.holding = self.holding or [], None
        for verb in held:
            self.limiter.submit(verb)
        self.limiter.flush()
        self.pump()

    def send(self, data: bytes, source: Address = CALLER, listener: int = 0) -> None:
        """A datagram arrives."""
        self._arrive(data, Flow(listener, source))
        self.pump()

    def advance(self, seconds: float) -> None:
        """Let time pass, timer by timer."""
        end = self.now + seconds
        while (at := self.core.next_timer()) is not None and at <= end:
            self.now = max(self.now, at)
            self.core.handle_timer(self.now)
            self.pump()
        self.now = end
        self.core.handle_timer(self.now)
        self.pump()

    def resolve(self, *hosts: str, port: int = 5060) -> None:
        """The oldest look-up has its answer."""
        ticket, target = self.resolves.pop(0)
        transport, port = target.transport or "udp", target.port or port
        self.core.resolved(ticket, tuple([Found(transport, host, port) for host in hosts]), self.now)
        self.pump()

    def requests_to(self, address: Address, method: bytes | None = None) -> list[Request]:
        """Requests that left for this address, taken off the list."""
        found: list[Request] = []
        kept = []
        for message, flow in self.sent:
            if isinstance(message, Request) and flow.address == address and method in (None, message.method):
                found.append(message)
            else:
                kept.append((message, flow))
        self.sent = kept
        return found

    def responses_to(self, address: Address) -> list[Response]:
        """Responses that left for this address, taken off the list."""
        found: list[Response] = []
        kept = []
        for message, flow in self.sent:
            if isinstance(message, Response) and flow.address == address:
                found.append(message)
            else:
                kept.append((message, flow))
        self.sent = kept
        return found

    def statuses_to(self, address: Address) -> list[int]:
        """Status codes of those responses."""
        return [response.status for response in self.responses_to(address)]

    def methods_to(self, address: Address) -> list[bytes]:
        """Methods of the requests that left for this address."""
        return [request.method for request in self.requests_to(address)]

    def in_use(self, account: str = "acme") -> int:
        """Leases of the account."""
        return self.usage(account).in_use

    def usage(self, account: str = "acme") -> Usage:
        """What the limiter holds of the account. Memory never waits, so the coroutine ends at its first step."""
        peek = self.limiter.peek(AccountId(account))
        found: Usage | None = None
        try:
            peek.send(None)
        except StopIteration as done:
            found = done.value
        assert found is not None
        return found

    def admits(self) -> int:
        """Admissions asked of the limiter."""
        return sum(isinstance(verb, Admit) for verb in self.asked)

    @property
    def held(self) -> dict[str, int]:
        """What the core holds: all of it must come back to zero."""
        core = self.core
        return {
            "calls": len(core.calls),
            "calls_live": core.counters.calls_live,
            "leases": core.leases,
            "transactions": core.transactions,
            "timers": core.timers,
        }

    def told(self, name: str) -> list[dict[str, str | int | float]]:
        """The facts of this name."""
        return [fact.fields for fact in self.facts if fact.name == name]


NOTHING = {"calls": 0, "calls_live": 0, "leases": 0, "transactions": 0, "timers": 0}
"""`Wire.held` of a core that holds nothing."""


class Caller:
    """One caller's side of a call. Builds bytes; keeps the tags and routes."""

    _numbers = count(1)

    def __init__(
        self, wire: Wire, *, user: str = "+33612345678", called: str = "+33170000001", source: Address = CALLER
    ) -> None:
        self.wire = wire
        number = next(Caller._numbers)
        self.user, self.called, self.source = user, called, source
        self.call_id = f"call-{number}@caller"
        self.from_tag = f"caller{number}"
        self.cseq = 1
        self.branch = f"z9hG4bKc{number}"
        self.routes: list[bytes] = []
        self.remote_target = b""
        self.to_tag = ""

    def request(
        self,
        method: str,
        *,
        extra: str = "",
        body: str = "",
        uri: str | None = None,
        to_tag: str = "",
        cseq: int | None = None,
        branch: str | None = None,
        hops: str = "Max-Forwards: 70",
    ) -> bytes:
        """Any request of the caller. `extra`: header lines, before the others."""
        host, port = self.source
        host = f"[{host}]" if ":" in host else host
        target = uri or f"sip:{self.called}@{EDGE}"
        tag = f";tag={to_tag}" if to_tag else ""
        lines = [
            f"{method} {target} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};branch={branch or self.branch};rport",
            *extra.splitlines(),
            *hops.splitlines(),
            f"From: <sip:{self.user}@{host}>;tag={self.from_tag}",
            f"To: <sip:{self.called}@{EDGE}>{tag}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {cseq or self.cseq} {method}",
            f"Contact: <sip:caller@{host}:{port}>",
            f"Content-Length: {len(body)}",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode("latin-1")

    def start(self, *, extra: str = "", body: str = "", uri: str | None = None) -> None:
        """Send the INVITE."""
        self.wire.send(self.request("INVITE", extra=extra, body=body, uri=uri), self.source)

    def cancel(self, extra: str = "") -> None:
        """Send CANCEL for the INVITE."""
        self.wire.send(self.request("CANCEL", extra=extra), self.source)

    def ack_failure(self, response: Response) -> None:
        """The ACK to a failure (§17.1.1.3)."""
        tag = (response.to().tag or b"").decode()
        self.wire.send(self.request("ACK", to_tag=tag), self.source)

    def learn(self, response: Response) -> None:
        """Dialog state from a 2xx or a provisional with a To tag (§12.1.2)."""
        self.to_tag = (response.to().tag or b"").decode()
        contact = response.contact()
        self.remote_target = b"" if contact is None else contact.uri
        self.routes = list(reversed(response.list_values(b"record-route")))

    def in_dialog(self, method: str, *, body: str = "", extra: str = "", cseq: int | None = None) -> bytes:
        """A request of the caller inside the dialog it learnt."""
        if cseq is None:
            self.cseq += 1
        routes = "".join(f"Route: {route.decode()}\n" for route in self.routes)
        number = cseq or self.cseq
        return self.request(
            method,
            extra=routes + extra,
            body=body,
            uri=self.remote_target.decode(),
            to_tag=self.to_tag,
            cseq=number,
            branch=f"{self.branch}x{method}{number}{self.to_tag}",
        )

    def say(self, method: str, *, body: str = "", extra: str = "") -> None:
        """Send a request inside the dialog."""
        self.wire.send(self.in_dialog(method, body=body, extra=extra), self.source)

    def ack(self, cseq: int = 1) -> None:
        """The ACK to the 2xx it learnt."""
        self.wire.send(self.in_dialog("ACK", cseq=cseq), self.source)


def reply(
    request: Request,
    status: int,
    *,
    tag: str = "callee",
    contact: str = "",
    extra: str = "",
    body: str = "",
    phrase: str = "X",
) -> bytes:
    """What a callee answers: Via, Record-Route, From, Call-ID and CSeq copied as they came."""
    names = (b"via", b"record-route", b"from", b"call-id", b"cseq")
    copied = [line for line in request.lines if line.split(b":")[0].strip().lower() in names]
    to = request.values(b"to")[0]
    if status > 100 and b"tag=" not in to and tag:
        to += b";tag=" + tag.encode()
    lines = [b"SIP/2.0 %d %s" % (status, phrase.encode()), *copied, b"To: " + to]
    if contact:
        lines.append(b"Contact: <" + contact.encode() + b">")
    lines += [line.encode() for line in extra.splitlines()]
    lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body.encode("latin-1")


class Callee:
    """The other end of an INVITE that reached a trunk: answers it, then speaks in the dialog."""

    def __init__(self, wire: Wire, invite: Request, address: Address = TRUNK_A, tag: str = "callee") -> None:
        self.wire, self.invite, self.address, self.tag = wire, invite, address, tag
        self.contact = f"sip:{tag}@{address[0]}:{address[1]}"
        self.cseq = 100

    def answer(self, status: int, *, extra: str = "", body: str = "", contact: str | None = None) -> None:
        """A response to the INVITE."""
        contact = self.contact if contact is None else contact
        data = reply(self.invite, status, tag=self.tag, contact=contact, extra=extra, body=body)
        self.wire.send(data, self.address)

    def in_dialog(self, method: str, *, extra: str = "", body: str = "", cseq: int | None = None) -> bytes:
        """A request of the callee inside the dialog (§12.2.1.1)."""
        if cseq is None:
            self.cseq += 1
        number = cseq or self.cseq
        caller = self.invite.contact()
        assert caller is not None
        lines = [
            f"{method} {caller.uri.decode()} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.address[0]}:{self.address[1]};branch=z9hG4bKe{self.tag}{method}{number};rport",
            *(f"Route: {route.decode()}" for route in self.invite.list_values(b"record-route")),
            "Max-Forwards: 70",
            f"From: {self.invite.values(b'to')[0].decode()};tag={self.tag}",
            f"To: {self.invite.values(b'from')[0].decode()}",
            f"Call-ID: {self.invite.call_id().decode()}",
            f"CSeq: {number} {method}",
            f"Contact: <{self.contact}>",
            *extra.splitlines(),
            f"Content-Length: {len(body)}",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode("latin-1")

    def say(self, method: str, *, extra: str = "", body: str = "") -> None:
        """Send a request inside the dialog."""
        self.wire.send(self.in_dialog(method, extra=extra, body=body), self.address)


class Ringing:
    """A call that has reached trunk a and rings there."""

    def __init__(self, wire: Wire, *, body: str = "", extra: str = "", source: Address = CALLER) -> None:
        self.wire = wire
        self.caller = Caller(wire, source=source)
        self.caller.start(body=body, extra=extra)
        (self.invite,) = wire.requests_to(TRUNK_A, b"INVITE")
        self.callee = Callee(wire, self.invite)
        self.callee.answer(180)
        wire.responses_to(source)


class Established(Ringing):
    """A call that has been answered and acknowledged."""

    def __init__(self, wire: Wire, *, body: str = "", extra: str = "", source: Address = CALLER) -> None:
        super().__init__(wire, body=body, extra=extra, source=source)
        self.callee.answer(200)
        (self.answer,) = wire.responses_to(source)
        self.caller.learn(self.answer)
        self.caller.ack()
        (self.ack,) = wire.requests_to(TRUNK_A, b"ACK")


def hang_up(call: Established) -> None:
    """The caller says BYE and the callee agrees."""
    call.caller.say("BYE")
    (bye,) = call.wire.requests_to(TRUNK_A, b"BYE")
    call.wire.send(reply(bye, 200), TRUNK_A)


def fail(wire: Wire, status: int = 503) -> None:
    """Trunk a, which has the INVITE, answers with this failure."""
    (invite,) = wire.requests_to(TRUNK_A, b"INVITE")
    wire.send(reply(invite, status), TRUNK_A)


def policy(**trunk: str | float) -> str:
    """The policy with more said of trunk a."""
    lines = "\n".join(f"{key} = {value}" for key, value in trunk.items())
    return POLICY.replace('uri = "sip:198.51.100.1:5060"', 'uri = "sip:198.51.100.1:5060"\n' + lines)
