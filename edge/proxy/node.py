"""What every room of the proxy holds in common. Pure: collaborators and settings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge.config.snapshot import PolicySnapshot
from edge.config.trunk_orders import Orders
from edge.proxy.actions import Outbox
from edge.proxy.ended import Ended
from edge.proxy.facts import CallFacts, Counters
from edge.proxy.hygiene import Crossings
from edge.proxy.identifiers import Identifiers
from edge.proxy.listeners import Listeners
from edge.proxy.oc_feedback import OcFeedback
from edge.proxy.oc_throttle import OcThrottle
from edge.proxy.overload import Overload
from edge.proxy.pings import Pings
from edge.proxy.sources import SourceBudgets
from edge.proxy.thresholds import Thresholds
from edge.proxy.trunk_health import TrunkHealth
from edge.proxy.trunk_quality import TrunkQuality
from edge.proxy.trunk_throttle import TrunkThrottle
from edge.sip.flow import Flow
from edge.sip.timers import Durations, TimerWheel
from edge.sip.transaction.layer import TransactionLayer
from edge.workers.ownership import own_call_id
from limits.local import LocalShare
from limits.model import QUANTUM_S, REFUSED, Settle

if TYPE_CHECKING:
    from edge.proxy.registrations import Registrations


@dataclass(frozen=True, slots=True)
class Settings:
    """Numbers of this process that the core needs."""

    node: str
    """Name of this node: in leases and CDRs."""
    lease_ms: int = 30_000
    renew_s: float = 10.0
    """Leases of running calls are renewed this often; at most a third of the lease."""
    quantum_s: int = QUANTUM_S
    """Seconds of talk held at one time."""
    max_duration_s: float = 14_400.0
    """A call longer than this is ended by the edge (R4): nobody may keep a slot for ever."""
    session_expires_s: int = 0
    """Session interval asked of calls that have a longer one or none (RFC 4028); 0: only that of others counts."""
    min_session_s: int = 90
    """A shorter one is refused with 422; at least 90."""
    probe_s: float = 0.0
    """Both sides of a running call are asked so often whether they know it (OPTIONS in the dialog); 0: never."""
    probe_failures: int = 3
    """So many in a row that a side does not answer end the call."""
    max_calls: int = 50_000
    """Attempts and calls held by this process; beyond it new attempts get 503 `overloaded`."""
    keeps_records: bool = True
    """Does the store keep what another node needs to go on with a call of this one?"""
    overload_wait_s: float = 0.03
    """A datagram that waits longer for the process to read it, for a while, means too much work; 0: nothing is shed."""
    overload_floor: float = 50.0
    """So many new calls a second are never refused for overload."""
    durations: Durations = field(default_factory=Durations)
    worker: int = 0
    """Which of several processes on one address this is, from 0."""
    workers: int = 1


class Node:
    """One proxy core's shared objects."""

    __slots__ = (
        "account_headers",
        "connections",
        "counters",
        "crossings",
        "draining",
        "draw",
        "ended",
        "feedback",
        "identifiers",
        "is_overloaded",
        "layer",
        "listeners",
        "live_nodes",
        "local",
        "oc_throttle",
        "orders",
        "outbox",
        "overload",
        "passwords",
        "pings",
        "quality",
        "registrations",
        "settings",
        "snapshot",
        "sources",
        "thresholds",
        "throttle",
        "timers",
        "trunks",
        "wall_offset",
    )

    def __init__(
        self,
        *,
        settings: Settings,
        listeners: Listeners,
        identifiers: Identifiers,
        snapshot: PolicySnapshot,
        draw: Callable[[], float],
        timers: TimerWheel,
    ) -> None:
        self.outbox = Outbox()
        self.ended = Ended()
        self.trunks = TrunkHealth(self.outbox)
        self.quality = TrunkQuality(self.outbox)
        self.throttle = TrunkThrottle(self.outbox)
        self.orders: Orders = {}
        """What an operator has ordered of egress trunks."""
        self.settings = settings
        self.listeners = listeners
        self.identifiers = identifiers
        self.counters = Counters()
        self.overload = Overload(target_s=settings.overload_wait_s, floor=settings.overload_floor)
        self.feedback = OcFeedback(self.overload, lambda: self.wall_offset)
        """What neighbours that bring calls are told of it."""
        self.oc_throttle = OcThrottle()
        """What neighbours that take calls have asked of us."""
        self.sources = SourceBudgets(self.counters, listeners, self.outbox, snapshot)
        self.snapshot: PolicySnapshot
        """The policy new attempts are pinned to."""
        self.account_headers: tuple[bytes, ...]
        """Header fields in which a trusted neighbour names the account (R10) or marks a call."""
        self.crossings: Crossings
        self.adopt(snapshot)
        self.draw = draw
        """A number in [0, 1): weights and jitter."""
        self.timers = timers
        self.connections: set[int] = set()
        """Numbers of the connections opened by neighbours that are up."""
        self.local = LocalShare()
        self.live_nodes = 1
        """Nodes alive when the store was last heard."""
        self.thresholds = Thresholds()
        self.pings = Pings()
        self.wall_offset = 0.0
        """UTC seconds less monotonic seconds, for instants that another node is to understand."""
        self.draining = False
        self.is_overloaded = False
        self.passwords: Mapping[str, bytes] = {}
        """Of ours at egress trunks, by trunk. They leave this process in no form but that of a digest."""
        self.layer: TransactionLayer
        """Set by the core, which is the layer's user."""
        self.registrations: Registrations
        """Set by the core."""

    def branch(self, loop: bytes, flow: Flow) -> bytes:
        """A branch for a request that leaves by this flow, with what overload control says there (RFC 7339 §4.1)."""
        branch = self.identifiers.branch(loop)
        return branch + self.oc_throttle.params(flow.address) if self.oc_throttle.servers else branch

    def is_known(self, flow: Flow) -> bool:
        """Does a trunk name this neighbour, or has it proved itself?"""
        host, listener = flow.address[0], self.listeners.all[flow.listener].name
        return not self.snapshot.is_stranger(host, listener, flow.names) or host in self.sources.proved

    def refused_unasked(self, account: str, uid: str) -> None:
        """This attempt is refused for what is amiss with this node. Where others share the store, one of them may hold
        its call (an address that moved here): the record of this refusal stands only if nobody does."""
        if self.live_nodes > 1 and account:
            self.outbox.asks.append(Settle(account, uid, REFUSED, 0))

    def own_call_id(self, suffix: bytes) -> bytes:
        """For a request that is born here: its response finds the way to this worker."""
        return own_call_id(self.identifiers.tag, suffix, self.settings.worker, self.settings.workers)

    def adopt(self, snapshot: PolicySnapshot) -> None:
        """New attempts are pinned to this policy from now on."""
        self.snapshot = snapshot
        self.crossings = Crossings(snapshot)
        self.trunks.adopt(snapshot.trunks)
        self.quality.adopt(snapshot.trunks)
        self.throttle.adopt(snapshot.trunks)
        self.sources.adopt(snapshot)
        names = {name for trunk in snapshot.ingress for name in trunk.own_headers}
        self.account_headers = tuple(sorted(names))

    def record(self, facts: CallFacts, now: float) -> None:
        """This attempt is over: its one record."""
        self.outbox.ended.append(facts)
        self.ended.note(facts.uid, facts.status, now)
