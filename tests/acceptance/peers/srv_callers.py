"""Callers that find their edge by name (RFC 3263) and go on to the next address where one does not answer.

    srv_callers.py HOST NAME DNS RATE TALK_S ACCOUNTS

Standard input steers: `phase WORD` names what is counted from now on; `stop`: no new calls, then its end when all are
over. At its end one line of JSON: figures of each phase, and every try with what was heard of it. A caller gives an
address `NEXT_S` to say anything, goes on where it has not or where it says 503, and never asks one twice. What is
answered after that it acknowledges and ends. A BYE that nobody answers is a call that could not be hung up.
"""

import asyncio
import json
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

from edge.sip import compose
from edge.sip.flow import Flow
from edge.sip.locating import Target
from edge.sip.message import Request, Response, parse
from edge.transport.resolver import Resolver

sys.path.insert(0, str(Path(__file__).resolve().parent))  # started with -P: its neighbour is no package

from patient_agents import PORT, Agent, Dialog, Waiting

NEXT_S = 1.0
"""Silence after which the next address is tried (a caller need not wait for Timer B: RFC 3263 §4.3)."""
BYE_S = 8.0
RINGS_AT_MOST_S = 10.0


class Phase:
    """What callers saw of the calls that began in it."""

    def __init__(self, name: str, began: float) -> None:
        self.name, self.began = name, began
        self.ends: Counter[str] = Counter()
        self.attempts = self.elsewhere = 0
        self.waits_ms: list[float] = []

    def report(self, until: float, answers_at: list[float]) -> dict[str, object]:
        """Milliseconds and counts; the longest time in which nobody's call was answered."""
        waits = sorted(self.waits_ms)
        marks = [self.began, *[at for at in sorted(answers_at) if self.began < at < until], until]
        return {
            "phase": self.name,
            "seconds": round(until - self.began, 1),
            "attempts": self.attempts,
            "answered": len(waits),
            "tried_elsewhere": self.elsewhere,
            "p50_ms": round(waits[len(waits) // 2], 1) if waits else 0.0,
            "p99_ms": round(waits[len(waits) * 99 // 100], 1) if waits else 0.0,
            "max_ms": round(waits[-1], 1) if waits else 0.0,
            "longest_gap_ms": round(1000 * max(after - before for before, after in pairwise(marks))),
            **{name: self.ends[name] for name in sorted(self.ends)},
        }


class Call:
    """One call of a person, at as many addresses as it takes."""

    def __init__(self, agent: "SrvCaller", number: int) -> None:
        self.agent, self.number, self.phase = agent, number, agent.phase
        self.began = agent.loop.time()
        self.left: list[tuple[str, int]] = []
        self.tries = 0
        self.txn: object | None = None
        self.call_id = b""
        self.is_heard = self.is_done = False
        self.last_status = 0
        self.dialog: Dialog | None = None
        self.phase.attempts += 1

    async def begin(self) -> None:
        """Where to?"""
        found = await self.agent.resolver.addresses(self.agent.target)
        self.left = [(address.host, address.port) for address in found]
        self.next()
        self.agent.turn()

    def next(self) -> None:
        """The next address; the end where there is none."""
        if not self.left:
            self.finish(f"refused {self.last_status}" if self.last_status else "silence")
            return
        edge = self.left.pop(0)
        agent, self.tries, self.is_heard = self.agent, self.tries + 1, False
        self.phase.elsewhere += self.tries > 1
        self.call_id = b"srv-%d.%d@caller" % (self.number, self.tries)
        ours = b"<sip:+33612345678@%b>;tag=c%b" % (agent.host_port, next(agent.names))
        uri = b"sip:+3314500%04d@%b" % (2 * (self.number % 5000), agent.target.host.encode())
        account = b"acc%02d" % (self.number % agent.accounts)
        data = compose.request(
            b"INVITE", uri, via=agent.via(), from_=ours, to=b"<%b>" % uri, call_id=self.call_id, cseq=1,
            headers=((b"Contact", b"<sip:caller@%b>" % agent.host_port), (b"X-Account", account)),
        )  # fmt: skip
        agent.tries[self.call_id.decode()] = {"edge": edge[0], "status": 0, "phase": self.phase.name}
        agent.calls[self.call_id] = self
        request = parse(data)
        assert isinstance(request, Request)
        self.txn = agent.layer.start(request, Flow(0, edge), agent.loop.time(), user=self)
        agent.after(NEXT_S, self.silent_so_far, self.txn)
        agent.after(RINGS_AT_MOST_S, self.given_up, self.txn)

    def silent_so_far(self, txn) -> None:
        if txn is self.txn and not self.is_heard and not self.is_done:
            self.agent.layer.abandon(txn)
            self.next()

    def given_up(self, txn) -> None:
        """It rings and rings, or the edge died after its 100."""
        if txn is self.txn and self.dialog is None and not self.is_done:
            self.agent.layer.abandon(txn)
            self.next()

    def heard(self, response: Response) -> None:
        self.is_heard = True
        tried = self.agent.tries[self.call_id.decode()]
        tried["status"] = max(tried["status"], response.status)
        if self.is_done or response.status < 200:
            return
        if response.status == 503:
            self.last_status = 503
            self.next()
        elif response.status >= 300:
            self.finish(f"refused {response.status}")
        elif self.dialog is None:
            now = self.agent.loop.time()
            self.phase.waits_ms.append(1000 * (now - self.began))
            self.agent.answers_at.append(now)
            self.dialog = self.agent.confirm(response)
            self.agent.after(self.agent.talk_s, self.hang_up)
        else:
            self.agent.confirm(response)

    def silent(self) -> None:
        if not self.is_done and self.dialog is None:
            self.next()

    def hang_up(self) -> None:
        if self.dialog is not None and not self.dialog.is_over:
            self.agent.bye(self.dialog, self.hung_up)

    def hung_up(self, status: int) -> None:
        """481: it was over for the other side."""
        self.finish("hung_up" if status == 200 else f"not_hung_up_{status}")

    def finish(self, how: str) -> None:
        if not self.is_done:
            self.is_done = True
            self.phase.ends[how] += 1
            self.agent.live.discard(self)
            self.agent.look()


class SrvCaller(Agent):
    """Places calls at a rate, in whatever phase it is told."""

    def __init__(self, host: str, name: str, dns: str, rate: float, talk_s: float, accounts: int) -> None:
        super().__init__(host, PORT)
        self.target = Target(name, transport="udp")
        self.resolver = Resolver(frozenset({("udp", False)}), [dns])
        self.rate, self.talk_s, self.accounts = rate, talk_s, accounts
        self.phase = Phase("start", self.loop.time())
        self.phases = [self.phase]
        self.calls: dict[bytes, Call] = {}
        self.tries: dict[str, dict] = {}
        self.answers_at: list[float] = []
        self.live: set[Call] = set()
        self.begun: set[asyncio.Task] = set()
        self.is_stopped = False
        self.over = asyncio.Event()
        self.ended_at = 0.0

    def place(self, number: int, started: float) -> None:
        """One call after the other, however long each takes."""
        if self.is_stopped:
            return
        call = Call(self, number)
        self.live.add(call)
        task = asyncio.ensure_future(call.begin())
        self.begun.add(task)
        task.add_done_callback(self.begun.discard)
        next_s = started + (number + 1) / self.rate - self.loop.time()
        self.after(max(0.0, next_s), self.place, number + 1, started)

    def read(self) -> None:
        line = sys.stdin.readline()
        if line:
            self.told(line)
        else:
            self.loop.remove_reader(sys.stdin)

    def told(self, line: str) -> None:
        word, _, name = line.strip().partition(" ")
        if word == "phase":
            self.phase = Phase(name, self.loop.time())
            self.phases.append(self.phase)
        elif word == "stop":
            self.is_stopped, self.ended_at = True, self.loop.time()
            self.look()
        print(f"{word} {name}".strip(), flush=True)

    def look(self) -> None:
        if self.is_stopped and not self.live:
            self.over.set()

    def confirm(self, response: Response) -> Dialog:
        """ACK a 2xx, as often as it comes."""
        contact = response.contact()
        assert contact is not None
        routes = tuple(reversed(response.list_values(b"record-route")))
        ours, theirs = response.values(b"from")[0], response.values(b"to")[0]
        dialog = Dialog(response.call_id(), ours, theirs, routes, contact.uri, 1)
        ack = compose.request(
            b"ACK", contact.uri, via=self.via(), from_=ours, to=theirs, call_id=dialog.call_id, cseq=1, routes=routes
        )
        self.transport.sendto(ack, dialog.next_hop)
        return dialog

    def bye(self, dialog: Dialog, then) -> None:
        dialog.is_over = True
        dialog.cseq += 1
        data = compose.request(
            b"BYE", dialog.target, via=self.via(), from_=dialog.ours, to=dialog.theirs, call_id=dialog.call_id,
            cseq=dialog.cseq, routes=dialog.routes,
        )  # fmt: skip
        request = parse(data)
        assert isinstance(request, Request)
        flow, user = Flow(0, dialog.next_hop), Waiting(then)
        self.layer.start(request, flow, self.loop.time(), user=user, timeout_s=BYE_S)

    def on_request(self, txn, request: Request, now: float) -> None:
        call = self.calls.get(request.call_id())
        if call is None or request.method != b"BYE":
            self.ok(txn, request, 481)
            return
        self.ok(txn, request)
        if call.dialog is not None:
            call.dialog.is_over = True
            call.finish("cut")

    def on_timeout(self, txn, now: float) -> None:
        if isinstance(txn.user, Waiting | Call):
            txn.user.silent()

    on_transport_error = on_timeout

    def on_stray_response(self, response: Response, flow: Flow, now: float) -> None:
        """An answer of an address that was given up."""
        tried = self.tries.get(response.call_id().decode())
        if tried is not None and response.cseq().method == b"INVITE":
            tried["status"] = max(tried["status"], response.status)
            if 200 <= response.status < 300 and "late" not in tried:
                tried["late"] = True
                self.counts["late answers ended"] += 1
                self.bye(self.confirm(response), lambda status: None)

    def report(self) -> dict[str, object]:
        ends = [*[phase.began for phase in self.phases[1:]], self.ended_at]
        phases = [phase.report(until, self.answers_at) for phase, until in zip(self.phases, ends, strict=True)]
        return {"phases": phases, "counts": self.counts, "tries": self.tries}


async def main() -> None:
    loop = asyncio.get_running_loop()
    host, name, dns, rate, talk_s, accounts = sys.argv[1:]
    agent = SrvCaller(host, name, dns, float(rate), float(talk_s), int(accounts))
    await loop.create_datagram_endpoint(lambda: agent, local_addr=(host, PORT))
    loop.add_reader(sys.stdin, agent.read)
    print("ready", flush=True)
    agent.place(0, loop.time())
    await agent.over.wait()
    print(json.dumps(agent.report()), flush=True)


asyncio.run(main())
