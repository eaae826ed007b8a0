"""The proxy core: inputs and the time in, actions out. Pure; RFC 3261 §16 with the call kept beside it.

The rim calls one of the input methods, then empties `outbox`, and calls `handle_timer` when `next_timer` is due.
Inputs: `received`, `unframed`, `connected`, `disconnected`, `flow_failed`, `transport_failed`, `resolved`,
`limiter_answered`, `policy_changed`, `drain`, `undrain`, `hang_up`, `hang_up_all`.
"""

from collections.abc import Callable, Collection, Iterable, Mapping

from edge.config.snapshot import PolicySnapshot
from edge.config.trunk_orders import Orders
from edge.proxy.actions import Opened, Outbox
from edge.proxy.adoption import Adoption
from edge.proxy.arrivals import Arrivals
from edge.proxy.attempts import DECISIONS, Attempts
from edge.proxy.authentication import Authentication
from edge.proxy.call import Call, CallState
from edge.proxy.calls import CallTracker
from edge.proxy.destinations import Destinations
from edge.proxy.facts import MAX_TOLD, Counters, Fact
from edge.proxy.identifiers import Identifiers
from edge.proxy.indialog import InDialog
from edge.proxy.listeners import Listeners
from edge.proxy.node import Node, Settings
from edge.proxy.overload import Measures, Overload
from edge.proxy.own_answers import OwnAnswers
from edge.proxy.probes import Probes
from edge.proxy.registrations import Registrations
from edge.proxy.renewals import Renewals
from edge.proxy.shedding import Shedding
from edge.proxy.short_road import ShortRoad
from edge.proxy.sources import SourceBudgets
from edge.proxy.strangers import Strangers
from edge.proxy.teardown import Teardown
from edge.proxy.trunk_probes import TrunkProbes
from edge.proxy.unreadable import Unreadable
from edge.sip.errors import ParseError
from edge.sip.flow import Flow
from edge.sip.framing import FramingFault
from edge.sip.locating import Address
from edge.sip.message import Response, parse
from edge.sip.timers import TimerWheel
from edge.sip.transaction import keys
from edge.sip.transaction.layer import Transaction, TransactionLayer
from limits.local import Ceilings
from limits.model import REFUSED, Admit, Adopted, Answer, Outcome, Renew, Settle, Settled, Unavailable, Verb


class ProxyCore:
    """Everything the edge decides, without a socket, a clock or a store."""

    def __init__(
        self,
        *,
        settings: Settings,
        listeners: Listeners,
        identifiers: Identifiers,
        snapshot: PolicySnapshot,
        draw: Callable[[], float],
        now: float,
        wall_offset: float = 0.0,
        passwords: Mapping[str, bytes] | None = None,
    ) -> None:
        """`wall_offset`: UTC seconds less monotonic seconds. `passwords`: of ours, by egress trunk."""
        timers = TimerWheel(now)
        node = Node(
            settings=settings,
            listeners=listeners,
            identifiers=identifiers,
            snapshot=snapshot,
            draw=draw,
            timers=timers,
        )
        self._node = node
        node.wall_offset = wall_offset
        self._timers = timers
        arrivals = Arrivals(node)
        node.layer = self._layer = TransactionLayer(
            arrivals,
            node.outbox.sends,
            timers,
            settings.durations,
            reliable=lambda flow: listeners.reliable[flow.listener],
        )
        self._destinations = Destinations(node)
        self._teardown = Teardown(node, self._destinations)
        self.calls = CallTracker(node, self._teardown.hang_up)
        self._teardown.calls = self.calls
        self.calls.renewals = Renewals(self.calls)
        self.calls.probes = Probes(self.calls, self._teardown)
        self._adoption = Adoption(node, self.calls)
        self._strangers = Strangers(node)
        self._unreadable = Unreadable(node, self._strangers)
        authentication = Authentication(node, identifiers.tag, now)
        self._attempts = Attempts(node, self.calls, self._destinations, self._teardown, self._strangers, authentication)
        in_dialog = InDialog(node, self.calls, self._destinations, self._teardown, self._adoption)
        self._trunk_probes = TrunkProbes(node, self._destinations)
        self._trunk_probes.adopt(now)
        node.passwords = passwords or {}
        node.registrations = Registrations(node, self._destinations)
        node.registrations.adopt(now)
        self._requests = self._new = 0
        self._shedding = Shedding(node, node.is_known, self._attempts.has_begun)
        arrivals.attempts, arrivals.calls, arrivals.in_dialog = self._attempts, self.calls, in_dialog
        arrivals.own = OwnAnswers(node, self._attempts, self._strangers, self._unreadable)
        arrivals.short_road = ShortRoad(node, self._destinations, in_dialog)
        arrivals.strangers, arrivals.unreadable = self._strangers, self._unreadable

    # -- what the rim reads ----------------------------------------------------------------------------------------

    @property
    def outbox(self) -> Outbox:
        """Actions not yet done."""
        return self._node.outbox

    @property
    def counters(self) -> Counters:
        """Plain integers for the metrics page."""
        return self._node.counters

    @property
    def transactions(self) -> int:
        """Live transactions, both kinds."""
        return len(self._layer)

    @property
    def duplicates(self) -> int:
        """Attempts that had to be let go, since the store has a lease of them already: it may be one of ours that is
        still to be adopted."""
        return self._attempts.duplicates

    @property
    def leases(self) -> int:
        """Calls of this node that hold a lease."""
        return self._node.counters.leases_live

    @property
    def timers(self) -> int:
        """Entries in the timer wheel."""
        return len(self._timers)

    @property
    def trunk_states(self) -> dict[str, int]:
        """Where each egress trunk stands (`trunk_health.SCALE`)."""
        return self._node.trunks.states()

    @property
    def trunk_orders(self) -> Orders:
        """What is ordered of egress trunks here."""
        return self._node.orders

    def trunk_asr(self, now: float) -> dict[str, int]:
        """Percent of each egress trunk's latest attempts that were answered."""
        return self._node.quality.asr(now)

    @property
    def trunk_limits(self) -> dict[str, int]:
        """Attempts per second that each throttled trunk is sent at most."""
        return self._node.throttle.limits()

    def registered(self, now: float) -> dict[str, int]:
        """1 where this edge is registered, 0 where it is not, for each egress trunk that wants it."""
        return self._node.registrations.states(now)

    @property
    def in_use(self) -> Mapping[str, int]:
        """holder -> its calls on this node; live: to be read at once."""
        return self.calls.all_in_use

    def ceilings(self, holder: str) -> Ceilings | None:
        """As the store last told them here; None: not heard yet."""
        return self._node.local.known(holder)

    @property
    def live_nodes(self) -> int:
        """Nodes on the store, as it was last heard."""
        return self._node.live_nodes

    @property
    def is_draining(self) -> bool:
        """No new attempts are taken."""
        return self._node.draining

    @property
    def is_overloaded(self) -> bool:
        """The rim cannot carry more."""
        return self._node.is_overloaded

    @property
    def overload(self) -> Overload:
        """How many new calls this process takes."""
        return self._node.overload

    @property
    def asked_percent(self) -> int:
        """New calls that neighbours are asked to leave out (RFC 7339)."""
        return round(100 * self._node.feedback.reduction)

    @property
    def throttled(self) -> dict[str, int]:
        """By egress trunk: new calls that did not go there, because it had asked for fewer."""
        return self._node.oc_throttle.throttled

    @property
    def sources(self) -> SourceBudgets:
        """Who may send how much: asked before `received`."""
        return self._node.sources

    @property
    def absorbed(self) -> int:
        """Inputs without a row in the state they met."""
        return self._layer.absorbed + self.calls.absorbed

    # -- inputs ----------------------------------------------------------------------------------------------------

    def received(self, data: bytes, flow: Flow, now: float) -> None:
        """A datagram. Never raises: what cannot be read is answered 400 or counted and dropped."""
        self._node.counters.datagrams_in += 1
        if data.startswith(b"ACK ") and self._shedding.absorbs(data):
            return
        try:
            message = parse(data)
        except ParseError as error:
            self._unreadable.malformed(error, flow)
            return
        if isinstance(message, Response):
            via = message.via()
            if not self._node.listeners.is_us(via.host, via.port):
                self._node.counters.drop("response_not_ours")  # §18.1.2
                return
            sources = self._node.sources
            if not sources.is_known(flow.listener, flow.address[0]) and self._layer.awaits(message):
                sources.prove(flow.address[0])
        elif message.method == b"INVITE":
            key = keys.server_key(message, b"INVITE")
            if not self._shedding.takes(message, key, flow, now):
                self._layer.receive_request(message, key, flow, now)
            return
        self._layer.receive(message, flow, now)

    def unframed(self, fault: FramingFault, flow: Flow) -> None:
        """The next message of this connection has no certain end; the rim closes it."""
        self._unreadable.unframed(fault, flow)

    def connected(self, number: int) -> None:
        """A connection that a neighbour opened is there: it may be answered, and its dialogs followed, by it."""
        self._node.connections.add(number)

    def disconnected(self, number: int) -> None:
        """That connection is gone."""
        self._node.connections.discard(number)

    def flow_failed(self, flow: Flow, now: float) -> None:
        """The connection on which requests went by this flow is gone, and nobody will answer there."""
        self._node.counters.transport_errors += 1
        self._layer.flow_failed(flow, now)

    def transport_failed(self, txn: Transaction, now: float) -> None:
        """The socket refused a message of this transaction (§16.9, §17)."""
        self._node.counters.transport_errors += 1
        self._layer.transport_failed(txn, now)

    def resolved(self, ticket: int, addresses: tuple[Address, ...], now: float) -> None:
        """Where a host name leads, in the order to try it; nowhere where it has no address."""
        self._destinations.resolved(ticket, addresses, now)

    def limiter_answered(self, verb: Verb, outcome: Outcome, now: float) -> None:
        """The answer to a verb from the outbox."""
        if isinstance(verb, Admit):
            if isinstance(outcome, DECISIONS):
                self._attempts.decided(verb, outcome, now)
        elif isinstance(verb, Renew):
            self.calls.renewals.answered(verb, outcome, now)
        elif isinstance(verb, Answer) and not verb.is_received:
            if isinstance(outcome, Unavailable):
                self.calls.renewals.unheard(verb)
            self._attempts.answers.told(verb)
        elif isinstance(verb, Settle) and verb.outcome == REFUSED:
            if isinstance(outcome, Settled) and outcome.by:
                # Should its call come to us, it is one like any other.
                self._node.ended.is_elsewhere(verb.uid)
        elif not isinstance(verb, Answer):
            self._node.pings.heard(verb, outcome, now, self._node.outbox.facts)

    def account_changed(self, holder: str, now: float) -> None:
        """The values of this holder were changed, or money has come (empty: anybody's may have been): its running calls
        are renewed at once."""
        self.calls.renewals.changed(holder, now)

    def adopt(self, holder: str, gone: str, now_ms: int, found: tuple[Adopted, ...], now: float) -> None:
        """Calls of a node that is gone have become ours. `now_ms`: the store's clock at this instant."""
        self._adoption.adopt(holder, gone, now_ms, found, now)

    def remember(self, ended: Iterable[tuple[str, int, float]], left: Iterable[Opened]) -> None:
        """What an earlier process of this node has written: (uid, status, monotonic instant) of attempts that have
        their record, the oldest first; and what passed without a lease. Before anything is received."""
        for uid, status, at in ended:
            self._node.ended.note(uid, status, at)
        self._adoption.remember(left)

    def left(self) -> list[Opened]:
        """What passed without a lease in an earlier process, and is nobody's: ask the store about it, `close_left`."""
        return self._adoption.left()

    def close_left(self, known: Collection[str], now: float) -> list[str]:
        """The store has heard of these uids; the others are lost. Returns what need not be written down any more."""
        return self._adoption.close_left(known, now)

    def take_goodbyes(self) -> list[tuple[str, bytes, float]]:
        """(uid, tag of the sender, instant) of BYEs that passed here in calls this node does not hold."""
        return self._adoption.take_goodbyes()

    def heard_goodbye(self, uid: str, tag: bytes, at: float, now: float) -> None:
        """Such a BYE has passed through another node."""
        self._adoption.heard_goodbye(uid, tag, at, now)

    def uids(self) -> tuple[str, ...]:
        """Every call this node holds."""
        return tuple([call.uid for call in self.calls.live()])

    def has_news(self) -> bool:
        """Is there anything for `take_noted` or `take_goodbyes`?"""
        return bool(self.calls.fresh_holders or self._adoption.has_goodbyes())

    def take_noted(self) -> list[str]:
        """Holders this node has had its first call of since it was asked last."""
        fresh, self.calls.fresh_holders = self.calls.fresh_holders, []
        return fresh

    def forget_noted(self) -> None:
        """The store has forgotten them: every holder of a live call is fresh again, and so is any later one."""
        self.calls.forget_noted()

    def nodes_changed(self, live: int) -> None:
        """So many nodes share the store: what a node's share of the ceilings is, should the store go away."""
        self._node.live_nodes = live

    def policy_changed(
        self, snapshot: PolicySnapshot, now: float, *, passwords: Mapping[str, bytes] | None = None
    ) -> None:
        """New attempts pin this snapshot; calls in progress keep theirs. `passwords`: of ours, by egress trunk."""
        self._node.adopt(snapshot)
        self._node.passwords = passwords or {}
        self._trunk_probes.adopt(now)
        self._node.registrations.adopt(now)

    def drain(self) -> None:
        """Take no new attempts; OPTIONS says 503 from now on."""
        self._node.draining = True

    def undrain(self) -> None:
        """Take new attempts again."""
        self._node.draining = False

    def trunks_ordered(self, orders: Orders) -> None:
        """What an operator has ordered of egress trunks, on every node: in force for the next attempt."""
        node = self._node
        for name in sorted({*node.orders, *orders}):
            before, after = node.orders.get(name), orders.get(name)
            if before != after:
                words: dict[str, str | int | float] = {"trunk": name, "to": "in use", "by": "", "why": "resumed"}
                if after is not None:
                    words |= {"to": after.ordered.value, "by": after.by, "why": after.why}
                node.outbox.facts.append(Fact("trunk.ordered", words))
        node.orders = orders

    def unregister(self, now: float) -> None:
        """The edge stops: what it has registered at its trunks is taken back."""
        self._node.registrations.stop(now)

    def registered_elsewhere(self, states: Mapping[str, int]) -> None:
        """The worker that registers this edge at its trunks says where it is (`registered`)."""
        self._node.registrations.heard(states)

    @property
    def unregistering(self) -> int:
        """Registrations whose end the trunk has not confirmed."""
        return self._node.registrations.leaving

    def last_records(self) -> None:
        """The edge stops: what was gathered for a record of its minute goes out."""
        self._strangers.flush()

    def measured(self, measures: Measures, elapsed_s: float, now: float) -> None:
        """What the queues of this process looked like since the last time."""
        node, overload, counters = self._node, self.overload, self._node.counters
        requests, new = counters.requests_in + sum(counters.shed.values()), counters.attempts
        changed = overload.measured(measures, elapsed_s, now)
        node.feedback.measured(elapsed_s, requests - self._requests, new - self._new)
        self._requests, self._new = requests, new
        if changed:
            self._node.sources.tighten(overload.is_shedding)
            words: dict[str, str | int | float] = {
                "wait_ms": round(measures.wait_s * 1e3, 1), "lag_ms": round(measures.lag_s * 1e3, 1),
                "fill": round(measures.fill, 2), "offered": round(overload.offered), "rate": round(overload.rate),
            }  # fmt: skip
            self._node.outbox.facts.append(Fact(f"overload.{overload.state}", words))

    def refuse_attempts(self, refuse: bool) -> None:
        """The rim cannot carry more (the disk refuses CDRs): new attempts get 503 `overloaded` until it can again."""
        self._node.is_overloaded = refuse

    def hang_up_all(self, cause: str, now: float) -> None:
        """End every call this node holds; answered emergency calls are let go instead (R16)."""
        for call in self.calls.live():
            self.calls.end(call, cause, now)

    def hang_up(self, call: Call, why: str, now: float) -> bool:
        """End one call, whatever it is: an operator asked. False: it is being ended already."""
        if call.hang_up_cause or call.state not in (CallState.ADMITTING, CallState.SETUP, CallState.ANSWERED):
            return False
        call.facts.release_reason = why[:MAX_TOLD]
        self._teardown.hang_up(call, "operator", now)
        return True

    def next_timer(self) -> float | None:
        """When `handle_timer` wants to be called."""
        return self._timers.next_timer()

    def handle_timer(self, now: float) -> None:
        """Fire what is due; renewals of one account travel together."""
        self._timers.expire(now)
        self.calls.renewals.collect(now)
