"""The pump (I/O): inputs into the core, its actions out, in the order of `Outbox`. Nothing is decided here.

One instance a process. The server makes it before the limiter and the sockets, which call it.
"""

import asyncio
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from edge.cdr.builder import CdrBuilder
from edge.cdr.unleased import Unleased
from edge.cdr.verdicts import Verdicts
from edge.cdr.writer import CdrWriter
from edge.config.snapshot import PolicySnapshot
from edge.config.trunk_orders import Orders
from edge.control.meter import Meter
from edge.control.tracing import Tap
from edge.proxy.actions import Outbox
from edge.proxy.core import ProxyCore
from edge.proxy.facts import CallFacts, Fact
from edge.sip.flow import Flow, Flows, Send
from edge.sip.framing import FramingFault
from edge.sip.locating import Address, Target
from edge.sip.transaction.layer import Transaction
from edge.telemetry.totals import CallTotals
from edge.transport.endpoints import Endpoint
from edge.transport.resolver import Resolver
from limits.limiter import Limiter
from limits.model import Outcome, Settle, Verb
from limits.watch import Watch

COMPANY_S: Final = 0.005
"""A settlement waits so long for another verb to go with: nobody waits for what becomes of it, its record is in the
log by then, and a write and a reply of its own wake the store and this process. What hurries takes it along, in its
order."""


def _anything() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Outlets:
    """Where the actions go."""

    endpoints: Sequence[Endpoint]
    """By index of the listener: what sends for it."""
    limiter: Limiter
    writer: CdrWriter
    builder: CdrBuilder
    unleased: Unleased
    verdicts: Verdicts
    totals: CallTotals
    meter: Meter
    resolver: Resolver
    tell: Callable[[Fact], None]


class Pump:
    """Turns between the event loop and the core."""

    __slots__ = (
        "_company",
        "_core",
        "_flows",
        "_is_pump_due",
        "_is_turning",
        "_loop",
        "_now",
        "_outlets",
        "_sleepers",
        "_tap",
        "_tasks",
        "_timer",
        "_timer_at",
        "idle",
        "watch",
    )

    _core: ProxyCore
    _outlets: Outlets
    _tasks: asyncio.TaskGroup

    def __init__(self, loop: asyncio.AbstractEventLoop, now: Callable[[], float]) -> None:
        self._loop = loop
        self._now = now
        self._flows = Flows()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._company: asyncio.TimerHandle | None = None
        """Set while settlements wait for company."""
        self._is_pump_due = False
        self._is_turning = False
        self._sleepers: list[tuple[asyncio.Future[bool], Callable[[], bool]]] = []
        self.idle = asyncio.Event()
        """Set whenever after a turn no call is live and no registration is being taken back."""
        self._tap: Tap | None = None
        """Who looks at every message while a SIP trace runs; None: nobody."""
        self.watch = Watch()
        """What the limiter's answers show by themselves."""

    def join(self, core: ProxyCore, outlets: Outlets, tasks: asyncio.TaskGroup) -> None:
        """Everything there is to pump between; nothing may come in before this."""
        self._core = core
        self._outlets = outlets
        self._tasks = tasks

    # -- inputs ----------------------------------------------------------------------------------------------------

    def received(self, listener: int, data: bytes, address: tuple[str, int]) -> None:
        """A datagram; the socket calls `turn` when it has read what there is. Whose it is comes first: what is over a
        budget, or of a banned source, costs no more than that question."""
        core, now = self._core, self._now()
        try:
            if core.sources.passes(listener, address[0], data, now):
                flow = self._flows.of(listener, address)
                if self._tap is not None:
                    self._tap.saw(True, data, flow, now)
                core.received(data, flow, now)
        except Exception:
            self._escaped("received")

    def waited(self, listener: int, wait_s: float) -> None:
        """The next datagram has waited so long for us: by it the core judges how much more it can take."""
        self._core.overload.waited(listener, wait_s, self._now())

    def received_on(self, messages: Sequence[bytes], flow: Flow) -> None:
        """Whole messages of one reading of a connection. Whose certificate has proved a name is no stranger."""
        core = self._core
        for data in messages:
            now = self._now()
            try:
                if flow.names or core.sources.passes(flow.listener, flow.address[0], data, now):
                    if self._tap is not None:
                        self._tap.saw(True, data, flow, now)
                    core.received(data, flow, now)
            except Exception:
                self._escaped("received")
        self.turn()

    def unframed(self, fault: FramingFault, flow: Flow) -> None:
        """The last word of a connection: answered before it is closed."""
        try:
            self._core.unframed(fault, flow)
        except Exception:
            self._escaped("unframed")
        self.turn()

    def connected(self, number: int) -> None:
        """A neighbour's connection is up."""
        self._core.connected(number)

    def disconnected(self, number: int) -> None:
        """It is gone."""
        self._core.disconnected(number)

    def flows_failed(self, flows: Sequence[Flow]) -> None:
        """Requests went by these flows and will not be answered there."""
        for flow in flows:
            try:
                self._core.flow_failed(flow, self._now())
            except Exception:
                self._escaped("flow_failed")
        self._turn_soon()

    def unsent(self, txn: object, flow: Flow, why: str) -> None:
        """A message did not leave, which was not known at once."""
        self._tell_failed(flow, why)
        if isinstance(txn, Transaction):
            try:
                self._core.transport_failed(txn, self._now())
            except Exception:
                self._escaped("transport_failed")
        self._turn_soon()

    def policy_changed(self, snapshot: PolicySnapshot, passwords: Mapping[str, bytes]) -> None:
        """New attempts are judged by it; with these this node proves who it is at egress trunks."""
        self._core.policy_changed(snapshot, self._now(), passwords=passwords)
        self.turn()

    def trunks_ordered(self, orders: Orders) -> None:
        """What an operator has ordered of egress trunks."""
        self._core.trunks_ordered(orders)
        self.turn()

    def registered_elsewhere(self, states: Mapping[str, int]) -> None:
        """Where another worker has registered this edge."""
        self._core.registered_elsewhere(states)

    def call_ids(self) -> Iterable[bytes]:
        """Of all live calls."""
        return [call.call_id for call in self._core.calls.live()]

    def deliver(self, verb: Verb, outcome: Outcome) -> None:
        """The limiter's answer; answers that come together share a turn, and the last one under way has it at once."""
        self.watch.see(verb, outcome)
        if type(verb) is Settle:
            self._outlets.verdicts.heard(verb, outcome)
        try:
            self._core.limiter_answered(verb, outcome, self._now())
        except Exception:
            self._escaped("limiter_answered")
        if self._outlets.limiter.is_answering_last:
            self.turn()
        elif not self._is_turning:
            self._turn_soon()

    def _turn_soon(self) -> None:
        if not self._is_pump_due:
            self._is_pump_due = True
            self._loop.call_soon(self.turn)

    def _locate(self, out: Outbox) -> None:
        resolves, out.resolves = out.resolves, []
        for ticket, target in resolves:
            known = self._outlets.resolver.known(target)
            if known is None:
                self._tasks.create_task(self._resolve(ticket, target))
            else:
                self._resolved(ticket, known)

    async def _resolve(self, ticket: int, target: Target) -> None:
        self._resolved(ticket, await self._outlets.resolver.addresses(target))
        self.turn()

    def _resolved(self, ticket: int, addresses: tuple[Address, ...]) -> None:
        try:
            self._core.resolved(ticket, addresses, self._now())
        except Exception:
            self._escaped("resolved")

    def _timer_due(self) -> None:
        self._timer = None
        try:
            self._core.handle_timer(self._now())
        except Exception:
            self._escaped("handle_timer")
        self.turn()

    async def stirred(self, timeout_s: float, is_wanted: Callable[[], bool] = _anything) -> bool:
        """Until after a turn `is_wanted` says yes, for `timeout_s` at most. False: it did not. What only has to look
        after something has happened waits here, and an edge that nobody calls sleeps."""
        sleeper: asyncio.Future[bool] = self._loop.create_future()
        entry = (sleeper, is_wanted)
        self._sleepers.append(entry)
        timer = self._loop.call_later(timeout_s, _wake, sleeper, False)
        try:
            return await sleeper
        finally:
            timer.cancel()
            if entry in self._sleepers:
                self._sleepers.remove(entry)

    # -- actions ---------------------------------------------------------------------------------------------------

    def turn(self) -> None:
        """Do what the core asks, until it asks for nothing: records are written before anything is
        answered or settled (R14). Asked for amid a turn, that one goes on until then."""
        if self._is_turning:
            return
        self._is_turning = True
        try:
            self._turn()
        finally:
            self._is_turning = False

    def _turn(self) -> None:
        self._is_pump_due = False
        out = self._core.outbox
        outlets = self._outlets
        while out.sends or out.opened or out.ended or out.shed or out.asks or out.resolves or out.facts:
            # A refusal that was answered has its record, whatever happens in between.
            if out.shed:
                self._record_shed(out)
            if out.ended:
                self._record(out)
            if out.opened:
                opened, out.opened = out.opened, []
                outlets.unleased.opened(opened)
            if out.sends:
                self._send(out)
            if out.ended:
                self._record(out)  # of what could not be sent
            asks, out.asks = out.asks, []
            hurries = bool(asks) and self._submit(asks)
            outlets.verdicts.over()
            if hurries:
                self._ask()
            elif asks and self._company is None:
                self._company = self._loop.call_later(COMPANY_S, self._ask)
            if out.resolves:
                self._locate(out)
            if out.facts:
                facts, out.facts = out.facts, []
                for fact in facts:
                    outlets.tell(fact)
        self._arm()
        if self._sleepers:
            self._sleepers = [entry for entry in self._sleepers if not (entry[1]() and _wake(entry[0], True))]
        if self._core.counters.calls_live == 0 and not self._core.unregistering:
            self.idle.set()

    def _submit(self, asks: Sequence[Verb]) -> bool:
        """For the next write to the store; True: not all of them can wait for company."""
        submit, verdicts = self._outlets.limiter.submit, self._outlets.verdicts
        hurries = False
        for verb in asks:
            if type(verb) is Settle:
                submit(verdicts.signed(verb))
            else:
                hurries = True
                submit(verb)
        return hurries

    def _ask(self) -> None:
        """All that was submitted, in one write."""
        if self._company is not None:
            self._company.cancel()
            self._company = None
        self._outlets.limiter.flush()

    def _send(self, out: Outbox) -> None:
        sends = out.sends
        endpoints = self._outlets.endpoints
        failed: list[Transaction] = []
        if self._tap is not None:
            self._show(sends)
        for data, flow, txn in sends:
            try:
                endpoints[flow.listener].send(data, flow, txn)
            except OSError as error:
                self._tell_failed(flow, str(error))
                if isinstance(txn, Transaction):
                    failed.append(txn)
        self._core.counters.datagrams_out += len(sends)
        # The list is the transaction layer's too: it is emptied, never replaced.
        sends.clear()
        for txn in failed:
            try:
                self._core.transport_failed(txn, self._now())
            except Exception:
                self._escaped("transport_failed")

    def show_to(self, tap: Tap | None) -> None:
        """Every message and record from now on; None: to nobody."""
        self._tap = tap

    def _show_ended(self, facts: CallFacts, now: float) -> None:
        assert self._tap is not None
        try:
            self._tap.ended(facts, now)
        except Exception:
            self._escaped("traced")

    def _show(self, sends: Sequence[Send]) -> None:
        """To whoever traces."""
        assert self._tap is not None
        for data, flow, _ in sends:
            try:
                self._tap.saw(False, data, flow, self._now())
            except Exception:
                self._escaped("traced")

    def _tell_failed(self, flow: Flow, why: str) -> None:
        address = f"{flow.address[0]}:{flow.port or flow.address[1]}"
        self._outlets.tell(Fact("transport.failed", {"address": address, "why": why}))

    def _record(self, out: Outbox) -> None:
        ended, out.ended = out.ended, []
        outlets = self._outlets
        writer, builder, totals, meter = outlets.writer, outlets.builder, outlets.totals, outlets.meter
        verdicts, now = outlets.verdicts, self._now()
        for facts in ended:
            seq = writer.take_seq()
            writer.append(builder.line(facts, seq), is_billable=facts.answered_at is not None)
            verdicts.written(seq, facts.uid, facts.account)
            totals.add(facts)
            meter.add(facts, now)
            if self._tap is not None:
                self._show_ended(facts, now)
        writer.flush(now)
        outlets.unleased.over([facts.uid for facts in ended])

    def _record_shed(self, out: Outbox) -> None:
        """Those who were refused at the door, all at once: they come when there is least time for them."""
        shed, out.shed = out.shed, []
        outlets = self._outlets
        writer, builder, meter, verdicts = outlets.writer, outlets.builder, outlets.meter, outlets.verdicts
        for one in shed:
            seq = writer.take_seq()
            writer.append(builder.shed_line(one, seq))
            meter.add_shed(one.sender.account)
            if out.asks:  # other nodes may hold its call: the store judges
                verdicts.written(seq, one.uid, one.sender.account)
        now = self._now()
        verdicts.unsettled_to(writer.last_seq)
        outlets.totals.add_shed(len(shed))
        if self._tap is not None:
            for one in shed:
                self._show_ended(one.facts(), now)
        if not out.ended:
            writer.flush(now)

    def _arm(self) -> None:
        """One timer for the whole core, moved only when something is due earlier than it."""
        at = self._core.next_timer()
        if at is None or (self._timer is not None and self._timer_at <= at):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._loop.call_later(max(0.0, at - self._now()), self._timer_due)

    def _escaped(self, where: str) -> None:
        """An exception out of the core is a fault of ours: told with its trace, and the edge goes on."""
        self._core.counters.escaped += 1
        self._outlets.tell(Fact("core.escaped", {"where": where, "trace": traceback.format_exc(limit=-6)}))


def _wake(sleeper: "asyncio.Future[bool]", is_stirred: bool) -> bool:
    if not sleeper.done():
        sleeper.set_result(is_stirred)
    return True
