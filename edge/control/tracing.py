"""SIP traces: which messages somebody has asked to see, and copies of them. Pure; time is passed in.

Off unless asked for. While a trace runs every message is read once more here. Whose call an INVITE opens is known when
the core has judged it: until then its messages wait. All of it is bounded, and the trace ends by itself.

Secrets do not leave: the digest of an answer to a challenge, by which a password could be guessed at leisure, and the
keys of media streams are blotted out, at their full length.
"""

import re
from collections import OrderedDict, deque
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from edge.control.questions import Fault, TracedMessage, TraceEnd, TraceStart, TraceWanted
from edge.control.rows import has_number, is_same_number, significant
from edge.proxy.core import ProxyCore
from edge.proxy.facts import CallFacts
from edge.proxy.listeners import Listeners
from edge.sip.errors import FieldError, ParseError
from edge.sip.flow import Flow
from edge.sip.message import Request, Response, parse

MAX_TRACES = 8
"""Running at one time on a node."""
MAX_CHOSEN = 2_000
"""Call-IDs that a trace follows; when full the oldest is followed no more."""
MAX_WAITING = 200
"""Call-IDs of which it is not known yet whether they are wanted; when full the oldest is forgotten."""
MAX_WAITING_EACH = 8
"""Messages kept of each of these."""
MAX_QUEUED = 2_000
"""Copies that wait for the store; what comes then is counted and left out."""
MAX_BYTES = 32 << 20
"""Of one trace, in all: then it ends."""
_LEAST_OF_UID = 8

_SECRETS = re.compile(rb'(?i)(\bresponse[ \t]*=[ \t]*"?|\binline:[ \t]*)([0-9a-z+/=]{8,})')
_USER = re.compile(rb"(?i)(?:sips?|tel):([^@;>?\s]+)")
_ANYWHERE = {4: "0.0.0.0", 6: "::"}  # noqa: S104 - compared with, never bound


class Line(NamedTuple):
    """A message on its way."""

    at: float
    """Monotonic seconds."""
    is_in: bool
    data: bytes
    flow: Flow


class Trace:
    """One trace on this node: what it has taken, and what it may still take."""

    __slots__ = ("_bytes", "_chosen", "_network", "_waiting", "_wanted", "left_out", "most", "name", "taken", "until")

    def __init__(self, ask: TraceStart, now: float) -> None:
        """Raises ValueError where nothing is wanted, or the source is no network."""
        wanted = ask.wanted
        if wanted == TraceWanted():
            raise ValueError("a trace needs an account, a number, a call or a source")
        self._wanted = wanted
        self._network = ip_network(wanted.source, strict=False) if wanted.source else None
        self.name = ask.trace
        self.until = now + ask.seconds
        self.most = ask.messages
        self.taken = 0
        self.left_out = 0
        self._bytes = 0
        self._chosen: OrderedDict[bytes, None] = OrderedDict()
        self._waiting: OrderedDict[bytes, list[Line]] = OrderedDict()

    def ended_by(self, now: float) -> str:
        """Why it takes no more; empty: it does."""
        if self.taken >= self.most:
            return "messages"
        if self._bytes >= MAX_BYTES:
            return "bytes"
        return "time" if now >= self.until else ""

    def see(self, line: Line, message: Request | Response | None, facts: CallFacts | None) -> list[Line]:
        """What is to be handed on now. `message`: None where it cannot be read. `facts`: of its call, where there is
        one that lives."""
        if message is None:
            # No call and no number: only its neighbour can be meant.
            alone = self._wanted == TraceWanted(source=self._wanted.source)
            return self._take([line]) if alone and self._is_from(line.flow.address[0]) else []
        call_id = message.call_id()
        if call_id in self._chosen:
            return self._take([line])
        if facts is not None and not self._is_of(facts):
            self._waiting.pop(call_id, None)
            return []
        if facts is None and not self._is_plain(message, line.flow):
            self._wait(call_id, line)
            return []
        return self._choose(call_id, line)

    def ended(self, facts: CallFacts) -> list[Line]:
        """An attempt is over: what waited for that is handed on, or forgotten. Its last messages may still come."""
        call_id = facts.call_id.encode()
        if call_id in self._chosen:
            return []
        if self._is_of(facts):
            return self._choose(call_id)
        self._waiting.pop(call_id, None)
        return []

    def _is_of(self, facts: CallFacts) -> bool:
        """Is this one of the calls that are wanted?"""
        wanted = self._wanted
        return (
            (not wanted.account or facts.account == wanted.account)
            and (not wanted.number or has_number(facts, wanted.number))
            and (not wanted.call or self._is_call(facts))
            and self._is_from(facts.source.rpartition(":")[0])
        )

    def _is_call(self, facts: CallFacts) -> bool:
        call = self._wanted.call
        return call == facts.call_id or (len(call) >= _LEAST_OF_UID and facts.uid.startswith(call))

    def _is_plain(self, message: Request | Response, flow: Flow) -> bool:
        """Is it wanted for what it says itself, whatever the core will make of it?"""
        wanted = self._wanted
        return (
            not wanted.account
            and (not wanted.call or message.call_id() == wanted.call.encode())
            and (not wanted.number or _has_number(message, wanted.number))
            and self._is_from(flow.address[0])
        )

    def _is_from(self, host: str) -> bool:
        if self._network is None:
            return True
        try:
            return ip_address(host) in self._network
        except ValueError:
            return False

    def _choose(self, call_id: bytes, *lines: Line) -> list[Line]:
        self._chosen[call_id] = None
        if len(self._chosen) > MAX_CHOSEN:
            self._chosen.popitem(last=False)
        return self._take([*self._waiting.pop(call_id, []), *lines])

    def _wait(self, call_id: bytes, line: Line) -> None:
        lines = self._waiting.setdefault(call_id, [])
        if len(lines) < MAX_WAITING_EACH:
            lines.append(line)
        if len(self._waiting) > MAX_WAITING:
            self._waiting.popitem(last=False)

    def _take(self, lines: list[Line]) -> list[Line]:
        lines = lines[: self.most - self.taken] if self._bytes < MAX_BYTES else []
        self.taken += len(lines)
        self._bytes += sum([len(line.data) for line in lines])
        return lines


class Tap:
    """Every trace of this node. The pump shows it each message while one runs."""

    def __init__(self, core: ProxyCore, listeners: Listeners, *, node: str, wall_offset: float) -> None:
        """`wall_offset`: UTC seconds less monotonic seconds."""
        self._core = core
        self._node = node
        self._wall_offset = wall_offset
        self._sides = [
            (
                listener.transport.decode().lower(),
                listener.advertised_host if listener.host in _ANYWHERE.values() else listener.host,
                listener.port,
            )
            for listener in listeners.all
        ]
        self._traces: dict[str, Trace] = {}
        self.queue: deque[TracedMessage | TraceEnd] = deque()
        """What waits to be handed on, the oldest first."""
        self.switch: Callable[[Tap | None], None] = lambda tap: None
        """Set by the rim: who wants to see every message; None: nobody."""

    def __len__(self) -> int:
        return len(self._traces)

    def start(self, ask: TraceStart, now: float) -> Fault | None:
        """Begin; the same name again changes nothing. Raises ValueError where nothing is wanted, or no network."""
        trace = Trace(ask, now)
        if ask.trace in self._traces:
            return None
        if len(self._traces) >= MAX_TRACES:
            return Fault.TOO_MANY
        self._traces[ask.trace] = trace
        self.switch(self)
        return None

    def stop(self, name: str, why: str = "stopped") -> bool:
        """End that trace; False: it does not run."""
        trace = self._traces.pop(name, None)
        if trace is None:
            return False
        # The last word is said whatever waits: there are few of them.
        self.queue.append(TraceEnd(name, self._node, why, trace.taken, trace.left_out))
        self.switch(self if self._traces else None)
        return True

    def lost(self, name: str, copies: int) -> None:
        """The store had no room for so many copies."""
        trace = self._traces.get(name)
        if trace is not None:
            trace.left_out += copies

    def expire(self, now: float) -> None:
        """End what has had its time or its number."""
        for trace in tuple(self._traces.values()):
            if why := trace.ended_by(now):
                self.stop(trace.name, why)

    def saw(self, is_in: bool, data: bytes, flow: Flow, now: float) -> None:
        """A message came in, or goes out."""
        message, facts = self._read(data)
        line = Line(now, is_in, data, flow)
        for trace in tuple(self._traces.values()):
            self._hand_on(trace, trace.see(line, message, facts), now)

    def ended(self, facts: CallFacts, now: float) -> None:
        """The record of an attempt is written."""
        for trace in tuple(self._traces.values()):
            self._hand_on(trace, trace.ended(facts), now)

    def _read(self, data: bytes) -> tuple[Request | Response | None, CallFacts | None]:
        try:
            message = parse(data)
            call_id, from_tag, to_tag = message.call_id(), message.from_().tag or b"", message.to().tag or b""
        except (ParseError, FieldError):
            return None, None
        call = self._core.calls.of_dialog(call_id, from_tag, to_tag)
        return message, None if call is None else call.facts

    def _hand_on(self, trace: Trace, lines: list[Line], now: float) -> None:
        for line in lines:
            if len(self.queue) >= MAX_QUEUED:
                trace.left_out += 1
                continue
            transport, host, port = self._sides[line.flow.listener]
            self.queue.append(
                TracedMessage(
                    trace.name,
                    self._node,
                    int((line.at + self._wall_offset) * 1_000_000),
                    "<" if line.is_in else ">",
                    transport,
                    (host, port),
                    (line.flow.address[0], line.flow.address[1]),
                    without_secrets(line.data).decode("latin-1"),
                )
            )
        if lines and (why := trace.ended_by(now)):
            self.stop(trace.name, why)


def without_secrets(data: bytes) -> bytes:
    """The message, as long as before, with what is nobody's business blotted out."""
    return _SECRETS.sub(lambda found: found[1] + b"x" * len(found[2]), data)


def _has_number(message: Request | Response, number: str) -> bool:
    """Does From, To or the Request-URI name it?"""
    digits = significant(number)
    places = [*message.values(b"from"), *message.values(b"to")]
    if isinstance(message, Request):
        places.append(message.uri)
    users = [user for place in places for user in _USER.findall(place)]
    return any(is_same_number(digits, user.decode("latin-1")) for user in users)
