"""User agents that keep to RFC 3261 on bad wires: they retransmit, recognise repeats, and give up when it is time.

    patient_agents.py callee HOST PORT            answers; hangs up itself where the called number ends in an odd digit
    patient_agents.py caller HOST EDGE CALLS CPS  places calls from HOST:5060 to EDGE:5060

A caller prints `called N` as it begins its Nth call, and at its end one line of JSON: finals by status (0: none came),
ends of the calls that were answered. A callee runs until its standard input ends, and says what it has had.
Transactions are those of the edge's own layer, which its own tests hold against the text; what lies above is here.
"""

import asyncio
import itertools
import json
import os
import sys
from collections import Counter

from edge.sip import compose
from edge.sip.flow import Flow
from edge.sip.message import Request, Response, parse
from edge.sip.timers import Durations, TimerWheel
from edge.sip.transaction.layer import Transaction, TransactionLayer

PORT = 5060
T1_S, T2_S = 0.5, 4.0
RINGS_S, TALKS_S = 0.2, 0.6
PATIENCE_S = 20.0
"""Of a caller that hears no answer: then it cancels."""


class Agent(asyncio.DatagramProtocol):
    """One socket and one transaction layer."""

    def __init__(self, host: str, port: int) -> None:
        self.loop = asyncio.get_running_loop()
        self.host_port = f"{host}:{port}".encode()
        self.timers = TimerWheel(self.loop.time())
        self.sends: list = []
        self.layer = TransactionLayer(self, self.sends, self.timers, Durations(), reliable=lambda _: False)
        self.names = (b"%d.%d" % (os.getpid(), number) for number in itertools.count(1))
        self.counts: Counter[str] = Counter()
        self.timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address) -> None:
        message = parse(data)
        if isinstance(message, Request):
            via = message.via()
            if via.rport == 0:  # RFC 3581: answered where it came from
                first = message.values(b"via")[0]
                message.replace(
                    b"via", first.replace(b";rport", b";rport=%d;received=%b" % (address[1], address[0].encode()))
                )
        self.layer.receive(message, Flow(0, address[:2]), self.loop.time())
        self.turn()

    def turn(self) -> None:
        """What the layer wants sent goes, and its next timer is set."""
        self.timers.expire(self.loop.time())
        for data, flow, _ in self.sends:
            self.transport.sendto(data, flow.address)
        self.sends.clear()
        if self.timer is not None:
            self.timer.cancel()
        at = self.timers.next_timer()
        self.timer = None if at is None else self.loop.call_at(at, self.turn)

    def after(self, seconds: float, what, *arguments) -> None:
        def do() -> None:
            what(*arguments)
            self.turn()

        self.loop.call_later(seconds, do)

    def via(self) -> bytes:
        return b"SIP/2.0/UDP %b;branch=z9hG4bK%b;rport" % (self.host_port, next(self.names))

    def start(self, data: bytes, to, user) -> None:
        request = parse(data)
        assert isinstance(request, Request)
        self.layer.start(request, Flow(0, to), self.loop.time(), user=user)

    def ok(self, txn: Transaction, request: Request, status: int = 200) -> None:
        data = compose.response(request, status, b"OK", to_tag=b"x")
        self.layer.respond(txn, status, data, self.loop.time())

    def bye(self, dialog: "Dialog", then) -> None:
        dialog.is_over = True
        dialog.cseq += 1
        data = compose.request(
            b"BYE", dialog.target, via=self.via(), from_=dialog.ours, to=dialog.theirs, call_id=dialog.call_id,
            cseq=dialog.cseq, routes=dialog.routes,
        )  # fmt: skip
        self.start(data, dialog.next_hop, Waiting(then))

    # What the layer tells; overridden where it matters.

    def on_request(self, txn: Transaction, request: Request, now: float) -> None: ...
    def on_ack(self, request: Request, flow: Flow, now: float) -> None: ...

    def on_response(self, txn: Transaction, response: Response, now: float) -> None:
        if txn.user is not None:
            txn.user.heard(response)

    def on_stray_response(self, response: Response, flow: Flow, now: float) -> None:
        self.counts["stray"] += 1

    def on_timeout(self, txn: Transaction, now: float) -> None:
        if isinstance(txn.user, Waiting | Call):
            txn.user.silent()

    on_transport_error = on_timeout

    def on_gone(self, txn: Transaction) -> None: ...


class Dialog:
    """What it takes to send inside it."""

    def __init__(self, call_id, ours, theirs, routes, target, cseq) -> None:
        self.call_id, self.ours, self.theirs, self.routes = call_id, ours, theirs, routes
        self.target, self.cseq, self.is_over = target, cseq, False
        first = routes[0] if routes else b"<" + target + b">"
        host = first.partition(b"@")[2] if b"@" in first else first.partition(b"sip:")[2]
        name, _, port = host.partition(b";")[0].partition(b">")[0].partition(b":")
        self.next_hop = (name.decode(), int(port or PORT))


class Waiting:
    """User of a BYE."""

    def __init__(self, then) -> None:
        self.then = then

    def heard(self, response: Response) -> None:
        if response.status >= 200:
            self.then(response.status)

    def silent(self) -> None:
        self.then(0)


class Call:
    """One call of a caller."""

    def __init__(self, agent: "Caller", number: int) -> None:
        self.agent = agent
        self.called = b"+3314500%04d" % number
        self.call_id = b"wire-%04d@caller" % number
        self.dialog: Dialog | None = None
        self.ack = b""
        self.is_provisional = False
        self.is_done = False

    def begin(self) -> None:
        agent = self.agent
        host_port = agent.host_port
        self.ours = b"<sip:+33612345678@%b>;tag=c%b" % (host_port, next(agent.names))
        self.uri = b"sip:%b@%b:5060" % (self.called, agent.edge[0].encode())
        data = compose.request(
            b"INVITE", self.uri, via=agent.via(), from_=self.ours, to=b"<%b>" % self.uri, call_id=self.call_id, cseq=1,
            headers=((b"Contact", b"<sip:caller@%b>" % host_port),),
        )  # fmt: skip
        self.invite = data
        agent.start(data, agent.edge, self)
        agent.after(PATIENCE_S, self.cancel)

    def cancel(self) -> None:
        """§9.1: only where something has been heard of the INVITE."""
        if self.dialog is None and not self.is_done and self.is_provisional:
            invite = parse(self.invite)
            self.agent.start(compose.cancel(invite), self.agent.edge, None)

    def heard(self, response: Response) -> None:
        if response.status < 200:
            self.is_provisional = True
            return
        if response.status >= 300:
            self.finish(f"final {response.status}")
            return
        agent = self.agent
        if self.dialog is None:
            contact = response.contact()
            assert contact is not None
            routes = tuple(reversed(response.list_values(b"record-route")))
            self.dialog = Dialog(self.call_id, self.ours, response.values(b"to")[0], routes, contact.uri, 1)
            self.ack = compose.request(
                b"ACK", contact.uri, via=agent.via(), from_=self.ours, to=self.dialog.theirs, call_id=self.call_id,
                cseq=1, routes=routes,
            )  # fmt: skip
            agent.counts["final 200"] += 1
            agent.after(TALKS_S, self.hang_up)
        agent.transport.sendto(self.ack, self.dialog.next_hop)  # for every copy of the 2xx (§13.2.2.4)

    def hang_up(self) -> None:
        if self.dialog is not None and not self.dialog.is_over and self.called[-1:] in b"02468":
            self.agent.bye(self.dialog, lambda status: self.finish(f"bye {status}"))
        elif not self.is_done:
            self.agent.after(10 * T1_S, self.give_up)

    def give_up(self) -> None:
        """The callee was to hang up, and has not."""
        if self.dialog is not None and not self.dialog.is_over:
            self.agent.bye(self.dialog, lambda status: self.finish(f"bye {status}, for want of theirs"))

    def silent(self) -> None:
        self.finish("final 0")

    def finish(self, how: str) -> None:
        if not self.is_done:
            self.is_done = True
            self.agent.counts[how] += 1
            self.agent.finished()


class Caller(Agent):
    """Places calls at a rate."""

    def __init__(self, host: str, edge: str, calls: int, rate: float) -> None:
        super().__init__(host, PORT)
        self.edge = (edge, PORT)
        self.calls = {call.call_id: call for call in (Call(self, number) for number in range(calls))}
        self.left = calls
        self.done = asyncio.Event()
        for number, call in enumerate(self.calls.values()):
            self.after(number / rate, self.place, number, call)

    def place(self, number: int, call: Call) -> None:
        print(f"called {number}", flush=True)
        call.begin()

    def on_request(self, txn: Transaction, request: Request, now: float) -> None:
        call = self.calls.get(request.call_id())
        if call is None or request.method != b"BYE":
            self.ok(txn, request, 481)
            return
        self.ok(txn, request)
        if call.dialog is None:  # the answer was lost on the way, and whoever gave it has given up
            call.finish("bye before the answer")
        else:
            call.dialog.is_over = True
            call.finish("bye from the other side")

    def finished(self) -> None:
        self.left -= 1
        if not self.left:
            self.done.set()


class Callee(Agent):
    """Answers every call."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self.unacked: dict[bytes, tuple[Transaction, bytes]] = {}
        self.dialogs: dict[bytes, Dialog] = {}

    def on_request(self, txn: Transaction, request: Request, now: float) -> None:
        if request.method == b"INVITE":
            self.counts["invite"] += 1
            self.layer.respond(txn, 180, compose.response(request, 180, b"Ringing", to_tag=self.tag(request)), now)
            self.after(RINGS_S, self.answer, txn, request)
        elif request.method == b"CANCEL":
            invite = self.layer.matching_invite(request)
            self.ok(txn, request, 200 if invite is not None else 481)
            if invite is not None and invite.status < 200:
                self.layer.respond(
                    invite, 487, compose.response(invite.request, 487, b"Gone", to_tag=self.tag(request)), now
                )
        else:
            dialog = self.dialogs.get(request.call_id())
            self.ok(txn, request, 200 if dialog is not None else 481)
            if dialog is not None:
                dialog.is_over = True
                self.counts["bye"] += 1

    def tag(self, request: Request) -> bytes:
        return b"e" + request.call_id().partition(b"@")[0]

    def answer(self, txn: Transaction, request: Request) -> None:
        if txn.status >= 200:
            return
        contact = request.contact()
        assert contact is not None
        records = request.list_values(b"record-route")
        headers = [(b"Record-Route", value) for value in request.values(b"record-route")]
        headers.append((b"Contact", b"<sip:callee@%b>" % self.host_port))
        data = compose.response(request, 200, b"OK", to_tag=self.tag(request), headers=headers)
        ours = request.values(b"to")[0] + b";tag=" + self.tag(request)
        dialog = Dialog(request.call_id(), ours, request.values(b"from")[0], tuple(records), contact.uri, 100)
        self.dialogs[request.call_id()] = dialog
        self.unacked[request.call_id()] = (txn, data)
        self.layer.respond(txn, 200, data, self.loop.time())
        self.after(T1_S, self.repeat, request, T1_S, self.loop.time() + 64 * T1_S)
        number = request.uri.partition(b"@")[0]
        if number[-1:] in b"13579":
            self.after(TALKS_S, self.hang_up, dialog)

    def repeat(self, request: Request, gap_s: float, until: float) -> None:
        """§13.3.1.4: the 2xx is the core's to repeat until its ACK has come."""
        found = self.unacked.get(request.call_id())
        if found is None:
            return
        if self.loop.time() >= until:
            del self.unacked[request.call_id()]
            self.counts["unacknowledged"] += 1
            self.hang_up(self.dialogs[request.call_id()])
            return
        self.transport.sendto(found[1], found[0].flow.address)
        self.after(min(2 * gap_s, T2_S), self.repeat, request, min(2 * gap_s, T2_S), until)

    def on_ack(self, request: Request, flow: Flow, now: float) -> None:
        self.unacked.pop(request.call_id(), None)

    def hang_up(self, dialog: Dialog) -> None:
        if dialog.is_over:
            return
        if dialog.call_id in self.unacked:  # §15: not before the ACK
            self.after(T1_S, self.hang_up, dialog)
            return
        self.bye(dialog, lambda status: self.counts.update([f"own bye {status}"]))


async def main() -> None:
    loop = asyncio.get_running_loop()
    role, host, *words = sys.argv[1:]
    agent = Callee(host, int(words[0])) if role == "callee" else Caller(host, words[0], int(words[1]), float(words[2]))
    port = int(words[0]) if role == "callee" else PORT
    await loop.create_datagram_endpoint(lambda: agent, local_addr=(host, port))
    if isinstance(agent, Caller):
        await agent.done.wait()
    else:
        print("ready", flush=True)
        await loop.run_in_executor(None, sys.stdin.read)
    print(json.dumps(agent.counts), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
