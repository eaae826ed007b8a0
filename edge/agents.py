"""Small SIP user agents for the show: a caller and an answering trunk on loopback (I/O). RFC 3261 §8, §12, §13.

Not for traffic: they speak UDP to one neighbour that answers at once, and retransmit INVITEs only.
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NamedTuple

from edge.sip import compose
from edge.sip.errors import FieldError, ParseError
from edge.sip.message import Request, Response, parse

Address = tuple[str, int]

ANSWER_S = 2.0
"""Longest wait of a caller for the next response."""
RESEND_S = 0.5
"""T1: an INVITE without any response is sent again (§17.1.1.2)."""


class Endpoint(asyncio.DatagramProtocol):
    """One UDP socket that hands on what can be read as SIP."""

    def __init__(self, on_message: Callable[[Request | Response, Address], None]) -> None:
        self._on_message = on_message
        self._transport: asyncio.DatagramTransport | None = None
        self.host = ""
        self.port = 0

    @classmethod
    async def bound(cls, host: str, on_message: Callable[[Request | Response, Address], None]) -> "Endpoint":
        """On a free port of this address. Raises OSError where the address is not ours."""
        loop = asyncio.get_running_loop()
        transport, endpoint = await loop.create_datagram_endpoint(lambda: cls(on_message), local_addr=(host, 0))
        endpoint._transport = transport
        endpoint.host, endpoint.port = transport.get_extra_info("sockname")[:2]
        return endpoint

    @property
    def host_port(self) -> bytes:
        """As a URI prints it."""
        return f"{self.host}:{self.port}".encode()

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """From the event loop."""
        with suppress(ParseError, FieldError):
            self._on_message(parse(data), addr)

    def send(self, data: bytes, to: Address) -> None:
        """One datagram."""
        assert self._transport is not None
        self._transport.sendto(data, to)

    def close(self) -> None:
        """Give the port back."""
        if self._transport is not None:
            self._transport.close()


class Ended(NamedTuple):
    """How one call of a caller went."""

    status: int
    """Final status of the INVITE; 0: none came."""
    token: str
    """The edge's own word for it, from the Reason header (RFC 3326); empty: it gave none."""
    provisional: tuple[int, ...]


class Caller:
    """A UAC at one address, with as many calls at once as asked for."""

    def __init__(self, edge: Address) -> None:
        self._edge = edge
        self._endpoint: Endpoint
        self._waiting: dict[bytes, asyncio.Queue[Response]] = {}

    @classmethod
    async def at(cls, host: str, edge: Address) -> "Caller":
        """A caller at this address, speaking to this edge."""
        caller = cls(edge)
        caller._endpoint = await Endpoint.bound(host, caller._received)
        return caller

    def close(self) -> None:
        """Give the port back."""
        self._endpoint.close()

    async def call(
        self,
        cli: str,
        called: str,
        *,
        talk_s: float = 0.2,
        cancel_on_ringing: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> Ended:
        """One call: INVITE, the ACK, and after `talk_s` the BYE; or a CANCEL once it rings."""
        call_id = secrets.token_hex(8).encode() + b"@demo"
        responses: asyncio.Queue[Response] = asyncio.Queue()
        self._waiting[call_id] = responses
        try:
            return await self._call(
                self._invite(cli, called, call_id, headers or {}), responses, talk_s, cancel_on_ringing
            )
        finally:
            del self._waiting[call_id]

    async def _call(
        self, data: bytes, responses: asyncio.Queue[Response], talk_s: float, cancel_on_ringing: bool
    ) -> Ended:
        invite = parse(data)
        assert isinstance(invite, Request)
        self._endpoint.send(data, self._edge)
        provisional: list[int] = []
        was_resent = False
        while True:
            try:
                response = await asyncio.wait_for(responses.get(), ANSWER_S if provisional or was_resent else RESEND_S)
            except TimeoutError:
                if provisional or was_resent:
                    return Ended(0, "", tuple(provisional))
                was_resent = True
                self._endpoint.send(data, self._edge)
                continue
            if response.cseq().method != b"INVITE":
                continue
            if response.status < 200:
                provisional.append(response.status)
                if response.status == 180 and cancel_on_ringing:
                    self._endpoint.send(compose.cancel(invite), self._edge)
                continue
            if response.status >= 300:
                self._endpoint.send(compose.ack(invite, response), self._edge)
            else:
                await self._talk(invite, response, responses, talk_s)
            return Ended(response.status, token_of(response), tuple(provisional))

    async def _talk(self, invite: Request, answer: Response, responses: asyncio.Queue[Response], talk_s: float) -> None:
        self._endpoint.send(self._within(b"ACK", invite, answer, invite.cseq().number), self._edge)
        await asyncio.sleep(talk_s)
        self._endpoint.send(self._within(b"BYE", invite, answer, invite.cseq().number + 1), self._edge)
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                while (await responses.get()).cseq().method != b"BYE":
                    pass

    def _invite(self, cli: str, called: str, call_id: bytes, headers: Mapping[str, str]) -> bytes:
        here = self._endpoint.host_port
        target = f"sip:{called}@{self._edge[0]}:{self._edge[1]}".encode()
        return compose.request(
            b"INVITE",
            target,
            via=self._via(),
            from_=b"<sip:%b@%b>;tag=%b" % (cli.encode(), here, secrets.token_hex(4).encode()),
            to=b"<%b>" % target,
            call_id=call_id,
            cseq=1,
            headers=(
                (b"Contact", b"<sip:%b>" % here),
                *((name.encode(), value.encode()) for name, value in headers.items()),
            ),
        )

    def _within(self, method: bytes, invite: Request, answer: Response, cseq: int) -> bytes:
        """A request inside the dialog the answer made (§12.2.1.1): its Contact, its Record-Route turned round."""
        contact = answer.contact()
        return compose.request(
            method,
            invite.uri if contact is None else contact.uri,
            via=self._via(),
            from_=invite.from_().raw,
            to=answer.to().raw,
            call_id=invite.call_id(),
            cseq=cseq,
            routes=tuple(reversed(answer.list_values(b"record-route"))),
        )

    def _via(self) -> bytes:
        return b"SIP/2.0/UDP %b;rport;branch=z9hG4bK%b" % (self._endpoint.host_port, secrets.token_hex(8).encode())

    def _received(self, message: Request | Response, source: Address) -> None:
        if isinstance(message, Response):
            waiting = self._waiting.get(message.call_id())
            if waiting is not None:
                waiting.put_nowait(message)


class Trunk:
    """A UAS that takes every call: rings, and answers after `ring_s`; or gives one final failure at once."""

    def __init__(self, *, ring_s: float, failure: tuple[int, bytes] | None) -> None:
        self._ring_s = ring_s
        self._failure = failure
        self._endpoint: Endpoint
        self._ringing: dict[bytes, tuple[Request, bytes, asyncio.TimerHandle]] = {}
        self._last: dict[bytes, bytes] = {}
        """Last response by branch: what a retransmission gets."""

    @classmethod
    async def at(cls, host: str, *, ring_s: float = 0.1, failure: tuple[int, bytes] | None = None) -> "Trunk":
        """A trunk at this address, on a free port."""
        trunk = cls(ring_s=ring_s, failure=failure)
        trunk._endpoint = await Endpoint.bound(host, trunk._received)
        return trunk

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._endpoint.port

    def close(self) -> None:
        """Stop ringing and give the port back."""
        for _, _, timer in self._ringing.values():
            timer.cancel()
        self._endpoint.close()

    def _received(self, message: Request | Response, source: Address) -> None:
        if not isinstance(message, Request) or message.method == b"ACK":
            return
        branch = (message.via().branch or b"") + message.method
        if branch in self._last:
            self._endpoint.send(self._last[branch], source)
        elif message.method == b"INVITE":
            self._invited(message, source, branch)
        elif message.method == b"CANCEL":
            self._cancelled(message, source, branch)
        else:
            self._answer(message, source, branch, 200, b"OK")

    def _invited(self, invite: Request, source: Address, branch: bytes) -> None:
        tag = secrets.token_hex(4).encode()
        if self._failure is not None:
            self._answer(invite, source, branch, *self._failure, tag=tag)
            return
        self._answer(invite, source, branch, 180, b"Ringing", tag=tag)
        timer = asyncio.get_running_loop().call_later(self._ring_s, self._pick_up, invite, source, branch, tag)
        self._ringing[branch] = (invite, tag, timer)

    def _pick_up(self, invite: Request, source: Address, branch: bytes, tag: bytes) -> None:
        del self._ringing[branch]
        self._answer(invite, source, branch, 200, b"OK", tag=tag)

    def _cancelled(self, cancel: Request, source: Address, branch: bytes) -> None:
        invited = branch.removesuffix(b"CANCEL") + b"INVITE"
        found = self._ringing.pop(invited, None)
        if found is None:
            self._answer(cancel, source, branch, 481, b"Call/Transaction Does Not Exist")
            return
        invite, tag, timer = found
        timer.cancel()
        self._answer(cancel, source, branch, 200, b"OK", tag=tag)
        self._answer(invite, source, invited, 487, b"Request Terminated", tag=tag)

    def _answer(
        self, request: Request, to: Address, branch: bytes, status: int, phrase: bytes, *, tag: bytes | None = None
    ) -> None:
        headers = [(b"Record-Route", value) for value in request.values(b"record-route")]
        headers.append((b"Contact", b"<sip:%b>" % self._endpoint.host_port))
        data = compose.response(request, status, phrase, to_tag=tag or b"demo", headers=headers)
        self._last[branch] = data
        self._endpoint.send(data, to)


def token_of(response: Response) -> str:
    """The stable token in the Reason header of a refusal: `Reason: Q.850;cause=21;text="cli_refused"`."""
    for value in response.list_values(b"reason"):
        _, found, rest = value.partition(b'text="')
        if found:
            return rest.partition(b'"')[0].decode("utf-8", "replace")
    return ""
