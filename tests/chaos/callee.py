"""The callees of the chaos: they know which account a call belongs to, and count who talks at any instant.

The instants are the kernel's, of every datagram: two sockets are read in turns, and what has come to one of them is not
read in its order with what has come to the other. Where thirty BYEs come at one time to the first, a call that was
admitted for one of them is acknowledged at the second before the last of them is read.

A called number says what its callee does: `+33145AARRFX`, AA the account, RR how long it rings, F when it hangs up
itself (0: never; 1: with two BYEs at one time; 9: RR counts single milliseconds, else 20 of them).
"""

import asyncio
import os
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from patience import told

from edge.agents import Address
from edge.sip import compose
from edge.sip.errors import FieldError
from edge.sip.message import ParseError, Request, Response, parse
from edge.sip.uri import SipUri, parse_uri

T1_S = 0.25
GIVE_UP_S = 4.0
"""How long an answer waits for its ACK, and a BYE for its answer (shorter than RFC 3261 has it, as all is here)."""
OWN_BYE_S = 0.5
"""Digit F counts these."""

SO_TIMESTAMPNS = 35
TIMESPEC = struct.Struct("@qq")


class Line:
    """One UDP socket, whose datagrams come with the instant at which they reached this host, in seconds of the wall
    clock."""

    def __init__(self, hear: Callable[[Request | Response, Address, float], None]) -> None:
        self._hear = hear
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    @property
    def host_port(self) -> bytes:
        return f"127.0.0.1:{self.port}".encode()

    def _read(self) -> None:
        data, ancillary, _, source = self._socket.recvmsg(65_535, socket.CMSG_SPACE(TIMESPEC.size))
        ((_, kind, value),) = ancillary
        assert kind == SO_TIMESTAMPNS
        seconds, nanoseconds = TIMESPEC.unpack(value)
        with suppress(ParseError, FieldError):
            self._hear(parse(data), source, seconds + nanoseconds / 1e9)

    def send(self, data: bytes, to: Address) -> None:
        with suppress(OSError):  # an edge that was killed
            self._socket.sendto(data, to)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()


class Leg:
    """One call at a callee."""

    def __init__(self, invite: Request, trunk: str, account: int) -> None:
        self.invite = invite
        self.trunk = trunk
        self.account = account
        self.status = 180
        self.cancelled = asyncio.Event()
        """The caller has given up while it rang."""
        self.left = asyncio.Event()
        """Nobody talks any more, as far as this side knows."""
        self.acked_at = 0.0
        self.ended_at = 0.0
        """A BYE came, or was sent."""
        self.parted_at = 0.0
        """A BYE was answered: by us, or by the other side. 0: never."""
        self.gave_up = False
        """Its answer was never acknowledged."""

    @property
    def is_up(self) -> bool:
        """Do two people talk?"""
        return self.acked_at > 0 and not self.ended_at


class Callees:
    """Everybody behind two trunks."""

    def __init__(self) -> None:
        self.legs: dict[bytes, Leg] = {}
        """By Call-ID."""
        self._changes: list[tuple[float, int, tuple[str, ...]]] = []
        """(instant, one more or one less, names it counts under) of those who talk."""
        self.tracked: Callable[[int], tuple[str, ...]] = lambda account: ()
        """More names that a call of this account counts under."""
        self.second_byes = 0
        self.late_cancels = 0
        """CANCELs that came when the call had been answered."""
        self._lines: dict[str, Line] = {}
        self._waiting: dict[tuple[bytes, bytes], asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self, *trunks: str) -> None:
        for trunk in trunks:

            def hear(message: Request | Response, source: Address, at: float, trunk: str = trunk) -> None:
                self._heard(trunk, message, source, at)

            self._lines[trunk] = Line(hear)

    def port(self, trunk: str) -> int:
        return self._lines[trunk].port

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for line in self._lines.values():
            line.close()

    def peaks(self) -> Counter[str]:
        """Most that have talked at one instant: by account number, by trunk, and by the names of `tracked`."""
        up: Counter[str] = Counter()
        peaks: Counter[str] = Counter()
        for _, by, names in sorted(self._changes):  # of one instant, who leaves comes first
            for name in names:
                up[name] += by
                peaks[name] = max(peaks[name], up[name])
        return peaks

    def _soon(self, work: asyncio.Task[None]) -> None:
        self._tasks.add(work)
        work.add_done_callback(self._tasks.discard)

    # -- what comes ------------------------------------------------------------------------------------------------

    def _heard(self, trunk: str, message: Request | Response, source: Address, at: float) -> None:
        if isinstance(message, Response):
            if message.status >= 200:
                self._wake(message.call_id(), b"BYE")
            return
        leg = self.legs.get(message.call_id())
        if message.method == b"INVITE":
            self._invited(trunk, leg, message, source)
        elif message.method == b"ACK":
            self._acked(leg, message, at)
        elif message.method == b"CANCEL":
            self._cancelled(leg, message, source)
        elif message.method == b"BYE":
            self._left(leg, message, source, at)

    def _invited(self, trunk: str, leg: Leg | None, invite: Request, source: Address) -> None:
        if leg is not None:
            is_again = leg.invite.via().branch == invite.via().branch
            if not is_again:  # the same request by another way: RFC 3261 §8.2.2.2
                self._send(leg.trunk, compose.response(invite, 482, b"Loop Detected", to_tag=b"merged"), source)
            elif leg.status == 180:
                self._answer(leg, 180, b"Ringing", source)
            return
        digits = invite.uri.partition(b"+33145")[2]
        account, ring, own = int(digits[:2]), int(digits[2:4]), int(digits[4:5])
        leg = self.legs[invite.call_id()] = Leg(invite, trunk, account)
        self._answer(leg, 180, b"Ringing", source)
        ring_s = ring / 1_000 if own == 9 else ring / 50
        self._soon(asyncio.ensure_future(self._talk(leg, ring_s, 0 if own == 9 else own * OWN_BYE_S, source)))

    def _acked(self, leg: Leg | None, ack: Request, at: float) -> None:
        if leg is None or leg.status != 200 or leg.acked_at or leg.gave_up:
            return
        leg.acked_at = time.monotonic()
        self._count(leg, 1, at)
        self._wake(ack.call_id(), b"ACK")

    def _cancelled(self, leg: Leg | None, cancel: Request, source: Address) -> None:
        if leg is None or leg.invite.via().branch != cancel.via().branch:
            self._send("first", compose.response(cancel, 481, b"Gone", to_tag=b"none"), source)
            return
        self._send(leg.trunk, compose.response(cancel, 200, b"OK", to_tag=b"callee"), source)
        if leg.status == 180:
            leg.cancelled.set()
            self._answer(leg, 487, b"Request Terminated", source)
        elif leg.status == 200:
            self.late_cancels += 1

    def _left(self, leg: Leg | None, bye: Request, source: Address, at: float) -> None:
        if leg is None or leg.status != 200 or leg.ended_at:
            self.second_byes += 1
            if leg is not None:
                leg.parted_at = leg.parted_at or time.monotonic()
            trunk = "first" if leg is None else leg.trunk
            self._send(trunk, compose.response(bye, 481, b"Call Does Not Exist", to_tag=b"none"), source)
            return
        self._over(leg, at)
        leg.parted_at = leg.ended_at
        self._send(leg.trunk, compose.response(bye, 200, b"OK"), source)

    # -- one call --------------------------------------------------------------------------------------------------

    async def _talk(self, leg: Leg, ring_s: float, own_bye_s: float, source: Address) -> None:
        if await told(leg.cancelled, ring_s):
            return
        call_id = leg.invite.call_id()
        leg.status = 200
        if not await self._until(call_id, b"ACK", lambda: self._answer(leg, 200, b"OK", source)):
            leg.gave_up = True
        is_ours_to_end = leg.gave_up or (own_bye_s > 0 and not await told(leg.left, own_bye_s))
        if is_ours_to_end:
            self._over(leg, time.time())
            first, second = os.urandom(8).hex().encode(), os.urandom(8).hex().encode()
            if own_bye_s == OWN_BYE_S:
                self._bye(leg, second, 2)  # two at one time
            if await self._until(call_id, b"BYE", lambda: self._bye(leg, first, 1)):
                leg.parted_at = leg.parted_at or time.monotonic()

    async def _until(self, call_id: bytes, what: bytes, send: Callable[[], None]) -> bool:
        """Sends until it is heard of, with growing pauses; False: never."""
        event = self._waiting[call_id, what] = asyncio.Event()
        pause = T1_S
        try:
            async with asyncio.timeout(GIVE_UP_S):
                while True:
                    send()
                    try:
                        await asyncio.wait_for(event.wait(), pause)
                    except TimeoutError:
                        pause *= 2
                        continue
                    return True
        except TimeoutError:
            return False

    def _wake(self, call_id: bytes, what: bytes) -> None:
        event = self._waiting.get((call_id, what))
        if event is not None:
            event.set()

    def _over(self, leg: Leg, at: float) -> None:
        """Nobody talks any more, as far as this side knows."""
        was_up = leg.is_up
        leg.ended_at = time.monotonic()
        leg.left.set()
        if was_up:
            self._count(leg, -1, at)
        self._wake(leg.invite.call_id(), b"ACK")

    def _count(self, leg: Leg, by: int, at: float) -> None:
        self._changes.append((at, by, (f"{leg.account:02}", leg.trunk, *self.tracked(leg.account))))

    def _answer(self, leg: Leg, status: int, phrase: bytes, to: Address) -> None:
        leg.status = max(leg.status, status)
        headers = [(b"Record-Route", value) for value in leg.invite.values(b"record-route")]
        headers.append((b"Contact", b"<sip:%b>" % self._lines[leg.trunk].host_port))
        self._send(leg.trunk, compose.response(leg.invite, status, phrase, to_tag=b"callee", headers=headers), to)

    def _bye(self, leg: Leg, branch: bytes, cseq: int) -> None:
        """Along the route set, which is the INVITE's Record-Route (RFC 3261 §12.1.1)."""
        invite = leg.invite
        contact = invite.contact()
        assert contact is not None
        routes = tuple(invite.list_values(b"record-route"))
        hop = parse_uri(routes[0].strip(b"<>"))
        assert isinstance(hop, SipUri)
        to = invite.to().raw + b";tag=callee"
        via = b"SIP/2.0/UDP %b;rport;branch=z9hG4bK%b" % (self._lines[leg.trunk].host_port, branch)
        data = compose.request(
            b"BYE",
            contact.uri,
            via=via,
            from_=to,
            to=invite.from_().raw,
            call_id=invite.call_id(),
            cseq=cseq,
            routes=routes,
        )
        self._send(leg.trunk, data, (hop.host.decode(), hop.port or 5060))

    def _send(self, trunk: str, data: bytes, to: Address) -> None:
        self._lines[trunk].send(data, to)
