"""OPTIONS to egress trunks outside any dialog (RFC 3261 §11), so that a dead one is known before a call is. Pure.

Any answer but 503 says that somebody is there; what a neighbour thinks of OPTIONS is its own affair.
"""

from typing import Final

from edge.config.trunks import EgressTrunk
from edge.proxy.destinations import Destinations, Flows
from edge.proxy.forwarding import Hop
from edge.proxy.identifiers import MAGIC_COOKIE
from edge.proxy.node import Node
from edge.sip import compose
from edge.sip.errors import LocalError, ParseError
from edge.sip.message import Request, Response, parse

_BUSY: Final = 503


class TrunkProbes:
    """Of one core."""

    __slots__ = ("_destinations", "_node", "_rounds")

    def __init__(self, node: Node, destinations: Destinations) -> None:
        self._node = node
        self._destinations = destinations
        self._rounds: dict[str, float] = {}
        """Trunk -> when it is probed next."""

    def adopt(self, now: float) -> None:
        """A policy is in force: every trunk with `probe_s` is probed, now and then each so often."""
        rounds = {}
        for trunk in self._node.snapshot.trunks.values():
            if trunk.probe_s and not trunk.maintenance:
                at = self._rounds.get(trunk.id)
                rounds[trunk.id] = now if at is None else min(at, now + trunk.probe_s)
                if rounds[trunk.id] != at:
                    self._node.timers.schedule(rounds[trunk.id], self, "P")
        self._rounds = rounds

    def fire(self, letter: str, now: float) -> None:
        """Somebody is due."""
        for name, at in self._rounds.items():
            if at <= now:
                trunk = self._node.snapshot.trunks[name]
                self._rounds[name] = now + trunk.probe_s
                self._node.timers.schedule(now + trunk.probe_s, self, "P")
                if trunk.id not in self._node.orders:  # neither drained nor in maintenance
                    self._ask(trunk, now)

    def _ask(self, trunk: EgressTrunk, now: float) -> None:
        node = self._node

        def send(flows: Flows, now: float) -> None:
            if not flows:
                node.trunks.failed(trunk, "unreachable", now)
                return
            flow = flows[0]
            listener = node.listeners
            ours = b"<sip:%b>" % listener.sent_bys[flow.listener]
            try:
                request = parse(
                    compose.request(
                        b"OPTIONS",
                        b"sip:" + trunk.host_port,
                        via=listener.via_prefixes[flow.listener] + MAGIC_COOKIE + node.identifiers.tag() + b".0",
                        from_=ours + b";tag=" + node.identifiers.tag(),
                        to=b"<sip:%b>" % trunk.host_port,
                        call_id=node.own_call_id(b"@probe"),
                        cseq=1,
                        headers=((b"Accept", b"application/sdp"),),
                    )
                )
            except (LocalError, ParseError):
                node.trunks.failed(trunk, "unreachable", now)
                return
            assert isinstance(request, Request)
            node.layer.start(request, flow, now, user=TrunkProbe(node, trunk))

        hop = Hop(trunk.host.encode(), trunk.port, trunk.transport, names=trunk.tls_names)
        self._destinations.locate(hop, node.listeners.toward(trunk.listener, 0), now, send)


class TrunkProbe:
    """User of one OPTIONS."""

    __slots__ = ("_node", "_trunk")

    def __init__(self, node: Node, trunk: EgressTrunk) -> None:
        self._node = node
        self._trunk = trunk

    def on_response(self, response: Response, now: float) -> None:
        """Its final response."""
        if response.status == _BUSY:
            self._node.trunks.failed(self._trunk, "probe 503", now)
        elif response.status >= 200:
            self._node.trunks.took(self._trunk, now)

    def on_timeout(self, now: float) -> None:
        """Timer F."""
        self._node.trunks.failed(self._trunk, "probe unanswered", now)

    def on_transport_error(self, now: float) -> None:
        """The socket refused it."""
        self._node.trunks.failed(self._trunk, "probe refused", now)
