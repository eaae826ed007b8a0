"""Callers who give up the moment it rings, while the callee answers: SIPp cannot be told to expect what crosses.

RFC 3261 §9.1, §13.2.2.4: an answer that has won is acknowledged and hung up.
"""

import asyncio
from collections.abc import Coroutine

from patience import told
from rig import Edge

from edge.agents import Address, Endpoint
from edge.sip import compose
from edge.sip.message import Request, Response, parse

T1_S = 0.25
GIVE_UP_S = 9.0
"""After this a caller no longer waits for an edge that was killed; an answer that still comes is ended all the same."""


class Cancellers:
    """So many calls, so fast, one for each line of the table: account, number called."""

    def __init__(self, edge: Edge, table: list[tuple[str, ...]], rate: int) -> None:
        self.name = f"cancel-{edge.name}"
        self.calls = len(table)
        self.call_ids = [f"{self.name}-{number}@chaos" for number in range(1, self.calls + 1)]
        self._to: Address = ("127.0.0.1", edge.port)
        self._table = table
        self._rate = rate
        self._endpoint: Endpoint
        self._invites: dict[bytes, Request] = {}
        self._heard: dict[tuple[bytes, bytes], asyncio.Event] = {}
        """(Call-ID, method): an answer came."""
        self._tasks: list[asyncio.Task[None]] = []
        self._closed = asyncio.Event()
        self.answered = 0
        """The answer had won."""

    async def start(self) -> None:
        self._endpoint = await Endpoint.bound("127.0.0.1", self._received)
        self._tasks.append(asyncio.create_task(self._dial()))

    async def ended(self, bound_s: float) -> int:
        """Waits until every call has come to its end."""
        async with asyncio.timeout(bound_s):
            for task in self._tasks:  # grows until the first, which dials, is done
                await task
        return 0

    def said(self) -> str:
        """How many of its calls were answered."""
        return f"{self.name}: {self.answered} answered"

    def close(self) -> None:
        self._closed.set()
        for task in self._tasks:
            task.cancel()
        self._endpoint.close()

    async def _dial(self) -> None:
        for call_id, (account, called) in zip(self.call_ids, self._table, strict=True):
            self._tasks.append(asyncio.create_task(self._call(call_id, account, called)))
            if await told(self._closed, 1 / self._rate):
                return

    async def _call(self, call_id: str, account: str, called: str) -> None:
        here, name = self._endpoint.host_port, call_id.encode()
        target = f"sip:{called}@{self._to[0]}:{self._to[1]}".encode()
        invite = parse(
            compose.request(
                b"INVITE",
                target,
                via=self._via(name, b"i"),
                from_=b"<sip:+33612345678@%b>;tag=c" % here,
                to=b"<%b>" % target,
                call_id=name,
                cseq=1,
                headers=((b"Contact", b"<sip:%b>" % here), (b"X-Account", account.encode())),
            )
        )
        assert isinstance(invite, Request)
        self._invites[name] = invite
        for method in (b"INVITE", b"final", b"CANCEL", b"BYE"):
            self._heard[name, method] = asyncio.Event()
        try:
            async with asyncio.timeout(GIVE_UP_S):
                await self._until(name, b"INVITE", invite.data)
                await self._heard[name, b"final"].wait()
        except TimeoutError:
            return

    async def _until(self, call_id: bytes, method: bytes, data: bytes) -> None:
        """Sends it until it is answered."""
        pause = T1_S
        while True:
            self._endpoint.send(data, self._to)
            try:
                await asyncio.wait_for(self._heard[call_id, method].wait(), pause)
            except TimeoutError:
                pause *= 2
            else:
                return

    def _received(self, message: Request | Response, source: Address) -> None:
        if isinstance(message, Request):  # a callee whose answer was never acknowledged
            self._endpoint.send(compose.response(message, 200, b"OK"), source)
            return
        call_id, method, status = message.call_id(), message.cseq().method, message.status
        self._heard[call_id, method].set()
        if method != b"INVITE":
            return
        invite = self._invites[call_id]
        if status == 180:
            self._soon(self._until(call_id, b"CANCEL", compose.cancel(invite)))
        elif status >= 300:
            self._endpoint.send(compose.ack(invite, message), self._to)
        elif status >= 200:
            is_first = not self._heard[call_id, b"final"].is_set()
            self._endpoint.send(self._within(b"ACK", b"a", 1, message), self._to)
            if is_first:
                self.answered += 1
                self._soon(self._until(call_id, b"BYE", self._within(b"BYE", b"b", 2, message)))
        if status >= 200:
            self._heard[call_id, b"final"].set()

    def _soon(self, work: Coroutine[None, None, None]) -> None:
        self._tasks.append(asyncio.create_task(self._bounded(work)))

    @staticmethod
    async def _bounded(work: Coroutine[None, None, None]) -> None:
        try:
            async with asyncio.timeout(GIVE_UP_S):
                await work
        except TimeoutError:
            return

    def _within(self, method: bytes, branch: bytes, cseq: int, answer: Response) -> bytes:
        invite, contact = self._invites[answer.call_id()], answer.contact()
        assert contact is not None
        return compose.request(
            method,
            contact.uri,
            via=self._via(answer.call_id(), branch),
            from_=invite.from_().raw,
            to=answer.to().raw,
            call_id=answer.call_id(),
            cseq=cseq,
            routes=tuple(reversed(answer.list_values(b"record-route"))),
        )

    def _via(self, call_id: bytes, branch: bytes) -> bytes:
        return b"SIP/2.0/UDP %b;rport;branch=z9hG4bK%b%b" % (
            self._endpoint.host_port,
            branch,
            call_id.partition(b"@")[0],
        )
