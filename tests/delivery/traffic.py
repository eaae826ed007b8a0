"""Calls of every kind through one edge, that may be gone at any instant: a caller and two trunks on loopback.

They do what RFC 3261 asks of user agents over UDP: INVITE, BYE and 2xx are sent again until they are answered. What
each side was told is kept, by Call-ID, to be held against the records.
"""

import asyncio
import random
from collections.abc import Callable

from edge.agents import Address, Endpoint
from edge.sip import compose
from edge.sip.message import Request, Response, parse

T1 = 0.5
PATIENCE_S = 6.0
"""So long a side repeats itself: longer than an edge takes to come back."""
KINDS = {
    "answered": 10,  # the caller hangs up
    "left": 2,  # the callee does
    "busy": 2,
    "cancelled": 2,
    "failed_over": 2,
    "no_route": 1,
    "no_credit": 1,
    "over_caps": 1,
}
_NUMBERS = {"left": "+33145000002", "busy": "+33145000003", "cancelled": "+33145000004", "failed_over": "+33245000001"}
_ACCOUNTS = {"no_credit": "dry", "over_caps": "slow"}
ACCOUNTS = ("rich0", "rich1", "rich2", "post", "dry", "slow")

POLICY = """
rate_deck = "rates.csv"

[[accounts]]
id = "rich0..rich2"
caps_base = 1000
calls_base = 5000
opening_balance = "100000"

[[accounts]]
id = "post"
credit = "postpaid"
floor = "-100000"
caps_base = 1000
calls_base = 5000

[[accounts]]
id = "dry"
caps_base = 1000
calls_base = 5000

[[accounts]]
id = "slow"
credit = "none"
caps_base = 1
calls_base = 5000

[[ingress]]
id = "in"
sources = ["127.0.0.1/32"]
trusted = true
account_header = "X-Account"

[[egress]]
id = "good"
uri = "sip:127.0.0.1:@GOOD@"

[[egress]]
id = "bad"
uri = "sip:127.0.0.1:@BAD@"

[[routes]]
id = "one"
prefixes = ["+331"]
trunks = ["good"]

[[routes]]
id = "two"
prefixes = ["+332"]
trunks = ["bad", "good"]
"""
DECK = "prefix,zone,connect,rate,first,next,minimum\n+33,all,0.01,0.60,1,1,0\n"


class Repeating:
    """Something that is sent again until it is answered, or nobody answers for too long."""

    def __init__(self, send: Callable[[], None], silent: Callable[[], None]) -> None:
        self._send, self._silent = send, silent
        self._left = int(PATIENCE_S / T1)
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_soon(self._again)

    def _again(self) -> None:
        if not self._left:
            self._silent()
            return
        self._left -= 1
        self._send()
        self._timer = self._loop.call_later(T1, self._again)

    def stop(self) -> None:
        self._timer.cancel()


class Call:
    """One call as its caller has it."""

    def __init__(self, traffic: "Traffic", number: int, kind: str) -> None:
        self._traffic, self._kind = traffic, kind
        draw = traffic.draw
        self.call_id = b"call-%d-%08x@test" % (number, draw.getrandbits(32))
        account = _ACCOUNTS.get(kind) or draw.choice(ACCOUNTS[:4])
        called = "+49301234567" if kind == "no_route" else _NUMBERS.get(kind, "+33145000001")
        target = f"sip:{called}@{traffic.edge[0]}:{traffic.edge[1]}".encode()
        here = traffic.caller.host_port
        data = compose.request(
            b"INVITE",
            target,
            via=traffic.via(traffic.caller),
            from_=b"<sip:+33612345678@%b>;tag=f%d" % (here, number),
            to=b"<%b>" % target,
            call_id=self.call_id,
            cseq=1,
            headers=((b"Contact", b"<sip:%b>" % here), (b"X-Account", account.encode())),
        )
        invite = parse(data)
        assert isinstance(invite, Request)
        self._invite = invite
        self._final: Response | None = None
        self._repeating = Repeating(lambda: traffic.to_edge(data), self.over)
        self._timers: list[asyncio.TimerHandle] = []
        self._has_left = False

    def over(self) -> None:
        """It ends here, whatever the other side believes."""
        self._repeating.stop()
        for timer in self._timers:
            timer.cancel()
        self._traffic.calls.pop(self.call_id, None)

    def _later(self, seconds: float, then: Callable[[], None]) -> None:
        self._timers.append(asyncio.get_running_loop().call_later(seconds, then))

    def responded(self, response: Response) -> None:
        method, status = response.cseq().method, response.status
        if method == b"BYE" and status >= 200 and self._has_left:
            self.over()
        if method != b"INVITE":
            return
        if status < 200:
            self._repeating.stop()
            if status == 180 and self._kind == "cancelled":
                self._cancel()
            elif len(self._timers) == 0:
                self._later(PATIENCE_S, self._cancel)  # nobody answers: the edge that had it is gone
            return
        self._traffic.finals.setdefault(self.call_id.decode(), []).append(status)
        if status >= 300:
            self._traffic.to_edge(compose.ack(self._invite, response))
            self.over()
            return
        self._traffic.to_edge(self._within(b"ACK", response, 1))
        if self._final is None:
            self._final = response
            self._repeating.stop()
            self._later(self._traffic.draw.random() * 0.8, self.leave if self._kind != "left" else self._wait)

    def _cancel(self) -> None:
        if self._final is None:
            self._traffic.to_edge(compose.cancel(self._invite))
            self._later(PATIENCE_S, self.over)

    def _wait(self) -> None:
        """The callee should have gone; else this side goes."""
        self._later(PATIENCE_S, self.leave)

    def leave(self) -> None:
        """BYE."""
        if self._has_left or self._final is None:
            return
        self._has_left = True
        bye = self._within(b"BYE", self._final, 2)
        self._repeating = Repeating(lambda: self._traffic.to_edge(bye), self.over)

    def requested(self, request: Request, source: Address) -> None:
        self._traffic.caller.send(compose.response(request, 200, b"OK"), source)
        if request.method == b"BYE":
            self.over()

    def _within(self, method: bytes, answer: Response, cseq: int) -> bytes:
        contact = answer.contact()
        return compose.request(
            method,
            self._invite.uri if contact is None else contact.uri,
            via=self._traffic.via(self._traffic.caller),
            from_=self._invite.from_().raw,
            to=answer.to().raw,
            call_id=self.call_id,
            cseq=cseq,
            routes=tuple(reversed(answer.list_values(b"record-route"))),
        )


class Leg:
    """One call as the callee has it."""

    def __init__(self, traffic: "Traffic", invite: Request, source: Address) -> None:
        self._traffic, self._invite, self._source = traffic, invite, source
        self.branch = invite.via().branch
        self._tag = b"t%08x" % traffic.draw.getrandbits(32)
        self._number = invite.uri.partition(b"@")[0]
        self._repeating: Repeating | None = None
        self._is_answered = False
        self._last = b""
        self._picking_up: asyncio.TimerHandle | None = None
        if self._number.endswith(b"3"):
            self._say(486, b"Busy Here")
            return
        self._say(180, b"Ringing")
        # Who waits for a CANCEL whose caller has given up before the edge was there picks up in the end.
        ring_s = PATIENCE_S + 2 if self._number.endswith(b"4") else traffic.draw.random() * 0.3
        self._picking_up = asyncio.get_running_loop().call_later(ring_s, self._answer)

    def _say(self, status: int, phrase: bytes) -> None:
        headers = [(b"Record-Route", value) for value in self._invite.values(b"record-route")]
        headers.append((b"Contact", b"<sip:%b>" % self._traffic.callee.host_port))
        self._last = compose.response(self._invite, status, phrase, to_tag=self._tag, headers=headers)
        self._traffic.callee.send(self._last, self._source)

    def again(self) -> None:
        self._traffic.callee.send(self._last, self._source)

    def _answer(self) -> None:
        self._is_answered = True
        self._say(200, b"OK")
        self._repeating = Repeating(self.again, self._leave)

    def acknowledged(self) -> None:
        if self._is_answered and self._repeating is not None:
            self._repeating.stop()
            self._is_answered = False
            if self._number.endswith(b"2"):
                asyncio.get_running_loop().call_later(self._traffic.draw.random() * 0.5, self._leave)

    def cancelled(self, cancel: Request, source: Address) -> None:
        self._traffic.callee.send(compose.response(cancel, 200, b"OK"), source)
        if self._picking_up is None or self._repeating is not None:
            return
        self._picking_up.cancel()
        self._say(487, b"Request Terminated")

    def over(self) -> None:
        if self._picking_up is not None:
            self._picking_up.cancel()
        self.left()

    def left(self) -> None:
        if self._repeating is not None:
            self._repeating.stop()

    def _leave(self) -> None:
        contact = self._invite.contact()
        assert contact is not None
        bye = compose.request(
            b"BYE",
            contact.uri,
            via=self._traffic.via(self._traffic.callee),
            from_=self._invite.to().raw + b";tag=" + self._tag,
            to=self._invite.from_().raw,
            call_id=self._invite.call_id(),
            cseq=1,
            routes=tuple(self._invite.list_values(b"record-route")),
        )
        self._repeating = Repeating(lambda: self._traffic.callee.send(bye, self._traffic.edge), self.left)


class Traffic:
    """Both sides of all calls."""

    def __init__(self, edge: Address, seed: int) -> None:
        self.edge = edge
        self.draw = random.Random(seed)
        self.calls: dict[bytes, Call] = {}
        self.finals: dict[str, list[int]] = {}
        """Call-ID -> final statuses that the caller was told."""
        self.seen: set[str] = set()
        """Call-IDs that came to a trunk: the edge has admitted them."""
        self.made = 0
        self.caller: Endpoint
        self.callee: Endpoint
        self.refuser: Endpoint
        self._legs: dict[bytes, Leg] = {}
        self._rate = 0.0
        self._next: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        """Take the ports."""
        self.caller = await Endpoint.bound("127.0.0.1", self._at_caller)
        self.callee = await Endpoint.bound("127.0.0.1", self._at_callee)
        self.refuser = await Endpoint.bound("127.0.0.1", self._at_refuser)

    def close(self) -> None:
        """Whoever still repeats himself stops."""
        for call in list(self.calls.values()):
            call.over()
        for leg in self._legs.values():
            leg.over()
        for endpoint in (self.caller, self.callee, self.refuser):
            endpoint.close()

    def policy(self) -> str:
        return POLICY.replace("@GOOD@", str(self.callee.port)).replace("@BAD@", str(self.refuser.port))

    def begin(self, rate: float) -> None:
        """New calls at random instants, so many a second, until `end`."""
        self._rate = rate
        self._next = asyncio.get_running_loop().call_later(self.draw.expovariate(rate), self._call)

    def end(self) -> None:
        """No new calls."""
        if self._next is not None:
            self._next.cancel()

    def _call(self) -> None:
        self.begin(self._rate)
        self.made += 1
        call = Call(self, self.made, self.draw.choices(list(KINDS), list(KINDS.values()))[0])
        self.calls[call.call_id] = call

    def via(self, endpoint: Endpoint) -> bytes:
        return b"SIP/2.0/UDP %b;rport;branch=z9hG4bK%016x" % (endpoint.host_port, self.draw.getrandbits(64))

    def to_edge(self, data: bytes) -> None:
        self.caller.send(data, self.edge)

    def _at_caller(self, message: Request | Response, source: Address) -> None:
        call = self.calls.get(message.call_id())
        if isinstance(message, Response):
            if call is not None:
                call.responded(message)
            elif message.cseq().method == b"INVITE" and message.status >= 200:
                self.finals.setdefault(message.call_id().decode(), []).append(message.status)
        elif call is not None:
            call.requested(message, source)
        elif message.method != b"ACK":
            self.caller.send(compose.response(message, 481, b"Gone"), source)

    def _at_callee(self, message: Request | Response, source: Address) -> None:
        call_id = message.call_id()
        if isinstance(message, Response):
            if message.cseq().method == b"BYE" and call_id in self._legs:
                self._legs[call_id].left()
            return
        leg = self._legs.get(call_id)
        if message.method == b"INVITE":
            self.seen.add(call_id.decode())
            if leg is None:
                self._legs[call_id] = Leg(self, message, source)
            elif leg.branch == message.via().branch:
                leg.again()
            else:  # the caller repeats itself, and another edge has sent it on: RFC 3261 §8.2.2.2
                self.callee.send(compose.response(message, 482, b"Loop Detected", to_tag=b"merged"), source)
        elif message.method == b"ACK":
            if leg is not None:
                leg.acknowledged()
        elif message.method == b"CANCEL" and leg is not None:
            leg.cancelled(message, source)
        elif message.method == b"BYE" and leg is not None:
            leg.left()
            self.callee.send(compose.response(message, 200, b"OK"), source)
        else:
            self.callee.send(compose.response(message, 481, b"Gone"), source)

    def _at_refuser(self, message: Request | Response, source: Address) -> None:
        if isinstance(message, Request) and message.method != b"ACK":
            self.seen.add(message.call_id().decode())
            self.refuser.send(compose.response(message, 503, b"Service Unavailable", to_tag=b"bad"), source)
