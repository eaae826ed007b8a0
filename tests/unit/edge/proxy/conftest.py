"""A network in one process: the core, a caller, callees and a limiter in memory, joined by plain function calls."""

from collections.abc import Callable, Iterator

import pytest

from edge.config.parsing import parse_policy
from edge.config.snapshot import PolicySnapshot
from edge.proxy.core import ProxyCore
from edge.proxy.facts import CallFacts, Fact
from edge.proxy.identifiers import Identifiers
from edge.proxy.listeners import Listener, Listeners
from edge.proxy.node import Settings
from edge.sip.flow import Flow
from edge.sip.message import Request, Response, parse
from limits.memory import MemoryLimiter
from limits.model import Admit, Outcome, Unavailable, Verb

EDGE = "192.0.2.10:5060"
CALLER = ("192.0.2.1", 5060)
TRUNK_A = ("198.51.100.1", 5060)
TRUNK_B = ("198.51.100.2", 5070)
STRANGER = ("203.0.113.9", 5060)

POLICY = """
[[accounts]]
id = "acme"
caps_base = 100
calls_base = 3

[[accounts]]
id = "robots"
kind = "automated"
caps_base = 100

[[accounts]]
id = "fragile"
caps_base = 100
store_away = "admit"

[[ingress]]
id = "acme-pbx"
sources = ["192.0.2.1/32"]
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

[[routes]]
id = "all"
prefixes = [""]
trunks = ["a", "b"]
"""


class Wire:
    """Everything around one core. Time moves only by `advance`."""

    def __init__(
        self, policy: str = POLICY, settings: Settings | None = None, listeners: list[Listener] | None = None
    ) -> None:
        self.now = 1000.0
        self._serial = 0
        self.listeners = Listeners(
            listeners or [Listener("udp:192.0.2.10:5060", b"UDP", "192.0.2.10", 5060, "192.0.2.10", 5060)]
        )
        self.snapshot = PolicySnapshot(parse_policy(policy), generation=7)
        self.core = self.new_core(settings or Settings(node="edge1"))
        self.limiter = MemoryLimiter(self._deliver, lambda: int(self.now * 1000))
        self.limiter.provision(self.snapshot.commercial_values())
        self.is_store_away = False
        self.holding: list[Verb] | None = None
        """A list: verbs wait in it until `release_store`."""
        self.sent: list[tuple[Request | Response, Flow, object]] = []
        self.ended: list[CallFacts] = []
        self.facts: list[Fact] = []
        self.resolves: list[tuple[int, str]] = []
        self.asked: list[Verb] = []

    def new_core(self, settings: Settings) -> ProxyCore:
        """A core that knows nothing yet, with the same secret: the edge after a crash."""
        self.core = ProxyCore(
            settings=settings,
            listeners=self.listeners,
            identifiers=Identifiers(secret=b"0123456789abcdef", fresh=self._fresh),
            snapshot=self.snapshot,
            draw=lambda: 0.0,
            now=self.now,
        )
        return self.core

    def _fresh(self) -> bytes:
        self._serial += 1
        return b"f%06d" % self._serial

    def _deliver(self, verb: Verb, outcome: Outcome) -> None:
        self.core.limiter_answered(verb, outcome, self.now)

    def pump(self) -> None:
        """Do what the core asks, until it asks for nothing."""
        out = self.core.outbox
        while out.sends or out.ended or out.asks or out.facts or out.resolves:
            for data, flow, txn in out.sends:
                self.sent.append((parse(data), flow, txn))
            out.sends.clear()
            self.ended += out.ended
            out.ended.clear()
            self.facts += out.facts
            out.facts.clear()
            self.resolves += [(resolve.ticket, resolve.host) for resolve in out.resolves]
            out.resolves.clear()
            asks, out.asks[:] = list(out.asks), []
            self.asked += asks
            for verb in asks:
                if self.holding is not None:
                    self.holding.append(verb)
                elif self.is_store_away:
                    self._deliver(verb, Unavailable("test"))
                else:
                    self.limiter.submit(verb)
            self.limiter.flush()

    def release_store(self) -> None:
        """The store answers what it had held back."""
        held, self.holding = self.holding or [], None
        for verb in held:
            self.limiter.submit(verb)
        self.limiter.flush()
        self.pump()

    def send(self, data: bytes, source: tuple[str, int] = CALLER, listener: int = 0) -> None:
        """A datagram arrives."""
        self.core.received(data, Flow(listener, source), self.now)
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

    def take(self) -> list[tuple[Request | Response, tuple[str, int]]]:
        """What left since the last call: (message, remote address)."""
        taken = [(message, flow.address) for message, flow, _ in self.sent]
        self.sent.clear()
        return taken

    def requests_to(self, address: tuple[str, int], method: bytes | None = None) -> list[Request]:
        """Requests that left for this address, taken off the list."""
        found, rest = [], []
        for row in self.sent:
            message, flow, _ = row
            if isinstance(message, Request) and flow.address == address and method in (None, message.method):
                found.append(message)
            else:
                rest.append(row)
        self.sent[:] = rest
        return found

    def responses_to(self, address: tuple[str, int]) -> list[Response]:
        """Responses that left for this address, taken off the list."""
        found, rest = [], []
        for row in self.sent:
            message, flow, _ = row
            if isinstance(message, Response) and flow.address == address:
                found.append(message)
            else:
                rest.append(row)
        self.sent[:] = rest
        return found

    def statuses_to(self, address: tuple[str, int]) -> list[int]:
        """Status codes of those responses."""
        return [response.status for response in self.responses_to(address)]

    def in_use(self, account: str = "acme") -> int:
        """Leases of the account."""
        usage = self.limiter.usage(account)
        return 0 if usage is None else len(usage.calls)

    def admits(self) -> int:
        """Admissions asked of the limiter."""
        return sum(isinstance(verb, Admit) for verb in self.asked)


class Dialogue:
    """One caller's side of a call, and what its callee would say. Builds bytes; keeps the tags and routes."""

    _count = 0

    def __init__(
        self, wire: Wire, *, user: str = "+33612345678", called: str = "+33170000001", source: tuple[str, int] = CALLER
    ) -> None:
        Dialogue._count += 1
        self.wire = wire
        self.number = Dialogue._count
        self.user, self.called, self.source = user, called, source
        self.call_id = f"call-{self.number}@caller"
        self.from_tag = f"caller{self.number}"
        self.cseq = 1
        self.branch = f"z9hG4bKc{self.number}"
        self.routes: list[bytes] = []
        self.remote_target = b""
        self.to_tag = ""

    def invite(self, *, extra: str = "", body: str = "", uri: str | None = None, to_tag: str = "") -> bytes:
        """The INVITE (or re-INVITE, with a To tag)."""
        return self.request("INVITE", extra=extra, body=body, uri=uri, to_tag=to_tag)

    def request(
        self, method: str, *, extra: str = "", body: str = "", uri: str | None = None, to_tag: str = "",
        cseq: int | None = None, branch: str | None = None,
    ) -> bytes:  # fmt: skip
        """Any request of the caller, CRLF and all."""
        host, port = self.source
        target = uri or f"sip:{self.called}@{EDGE}"
        tag = f";tag={to_tag}" if to_tag else ""
        lines = [
            f"{method} {target} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};branch={branch or self.branch};rport",
            *extra.splitlines(),
            "Max-Forwards: 70",
            f"From: <sip:{self.user}@{host}>;tag={self.from_tag}",
            f"To: <sip:{self.called}@{EDGE}>{tag}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {cseq or self.cseq} {method}",
            f"Contact: <sip:caller@{host}:{port}>",
            f"Content-Length: {len(body)}",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()

    def start(self, **options: str) -> None:
        """Send the INVITE."""
        self.wire.send(self.invite(**options), self.source)

    def cancel(self) -> None:
        """Send CANCEL for the INVITE."""
        self.wire.send(self.request("CANCEL"), self.source)

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
        return self.request(
            method, extra=routes + extra, body=body, uri=self.remote_target.decode(), to_tag=self.to_tag,
            cseq=cseq or self.cseq, branch=f"{self.branch}x{method}{cseq or self.cseq}",
        )  # fmt: skip

    def ack(self) -> None:
        """The ACK to the 2xx it learnt."""
        self.wire.send(self.in_dialog("ACK", cseq=1), self.source)

    def bye(self) -> None:
        """Hang up."""
        self.wire.send(self.in_dialog("BYE"), self.source)


def reply(
    request: Request, status: int, *, tag: str = "callee", contact: str = "", extra: str = "", body: str = "", reason: str = "X",
) -> bytes:  # fmt: skip
    """What a callee answers: Via, Record-Route, From, Call-ID and CSeq copied as they came."""
    copied = [
        line for line in request.lines
        if line.split(b":")[0].strip().lower() in (b"via", b"record-route", b"from", b"call-id", b"cseq")
    ]  # fmt: skip
    to = request.values(b"to")[0]
    if status > 100 and b"tag=" not in to:
        to += b";tag=" + tag.encode()
    lines = [b"SIP/2.0 %d %s" % (status, reason.encode()), *copied, b"To: " + to]
    if contact:
        lines.append(b"Contact: <" + contact.encode() + b">")
    lines += [line.encode() for line in extra.splitlines()]
    lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body.encode()


@pytest.fixture
def wire() -> Wire:
    """A core with account `acme` (3 calls), trunks a then b."""
    return Wire()


@pytest.fixture
def new_wire() -> Callable[..., Wire]:
    """For other policies, settings or listeners."""
    return Wire


@pytest.fixture
def new_call() -> type[Dialogue]:
    """A caller."""
    return Dialogue


@pytest.fixture(name="reply")
def _reply() -> Callable[..., bytes]:
    """A callee's answer."""
    return reply


class Established:
    """A call that has been answered and acknowledged by trunk a."""

    def __init__(self, wire: Wire, **options: str) -> None:
        self.call = Dialogue(wire)
        self.call.start(**options)
        (self.invite,) = wire.requests_to(TRUNK_A, b"INVITE")
        wire.send(reply(self.invite, 180), TRUNK_A)
        wire.send(reply(self.invite, 200, contact="sip:callee@198.51.100.1:5060"), TRUNK_A)
        self.answer = wire.responses_to(CALLER)[-1]
        self.call.learn(self.answer)
        self.call.ack()
        self.acks = wire.requests_to(TRUNK_A, b"ACK")


@pytest.fixture
def establish() -> Iterator[type[Established]]:
    """Makes answered calls."""
    yield Established
