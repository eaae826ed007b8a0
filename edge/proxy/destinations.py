"""From a next hop to the flows that lead there: which listener, which address. Pure; the rim is asked for names."""

from collections.abc import Callable
from ipaddress import ip_address
from typing import Final

from edge.config.snapshot import PolicySnapshot
from edge.config.trunks import EgressTrunk
from edge.proxy.actions import Resolve
from edge.proxy.forwarding import Hop, hop_of
from edge.proxy.listeners import default_port
from edge.proxy.node import Node
from edge.sip.flow import Flow
from edge.sip.locating import Address, Target
from edge.sip.message import Request

Flows = tuple[Flow, ...]
"""In the order in which they are to be tried (RFC 3263 §4.3)."""
Then = Callable[[Flows, float], None]
"""Called with the flows; with none where no address of the hop can be reached from here."""

NOWHERE: Final[Flows] = ()
NO_TCP_S: Final = 60.0
"""How long an address that refused TCP gets its large requests by UDP at once."""
_NO_TCP_LIMIT: Final = 1_000
_NUMERIC_LIMIT: Final = 10_000
_URI_LENGTH: Final = 256
"""Bytes of a URI worth remembering."""
_PENDING_LIMIT: Final = 10_000
"""Host names being looked up at once; beyond it a hop counts as unreachable."""


def names_of_ingress(snapshot: PolicySnapshot, trunk: str) -> tuple[str, ...]:
    """What whoever brought a call may prove over TLS where a request inside it goes to them. Their routes most often
    name numeric addresses, which few certificates hold."""
    found = snapshot.ingress_by_id.get(trunk)
    return () if found is None else tuple(sorted(found.tls_names))


def names_of_egress(snapshot: PolicySnapshot, trunk: str) -> tuple[str, ...]:
    """The same of who took it: what was asked of them for the INVITE."""
    found = snapshot.trunks.get(trunk)
    return () if found is None else found.tls_names or (found.host,)


class Destinations:
    """Turns hops into flows."""

    __slots__ = ("_by_trunk", "_by_uri", "_next_ticket", "_no_tcp", "_node", "_numeric", "_pending")

    def __init__(self, node: Node) -> None:
        self._node = node
        self._numeric: dict[bytes, str | None] = {}
        self._by_uri: dict[tuple[bytes, int], Flows] = {}
        """Where URIs with a numeric host lead from a listener."""
        self._by_trunk: dict[tuple[str, int, bool], tuple[EgressTrunk, Hop | Flows, int]] = {}
        self._pending: dict[int, tuple[Hop, int, Then]] = {}
        self._next_ticket = 0
        self._no_tcp: dict[tuple[str, int], float] = {}
        """Addresses that refused TCP, and until when they are not asked again."""

    def locate(self, hop: Hop | Flows, listener: int, now: float, then: Then, *, caller: Flow | None = None) -> None:
        """Find the flows for this hop, preferably from `listener`; `then` is called now or when the name is known.

        `hop`: or what `at_once` has found. `caller`: the hop is a caller that really is there. Its connection may be
        gone; then its own word counts."""
        if caller is not None and (not caller.connection or caller.connection in self._node.connections):
            then((caller,), now)
            return
        if not isinstance(hop, Hop):
            then(hop, now)
            return
        host = self._numeric.get(hop.host, "")
        if host == "":
            host = self._remember(hop.host)
        if host is not None:
            flow = self._flow(hop, host, listener)
            then(NOWHERE if flow is None else (flow,), now)
            return
        if len(self._pending) >= _PENDING_LIMIT:
            then(NOWHERE, now)
            return
        self._next_ticket += 1
        self._pending[self._next_ticket] = (hop, listener, then)
        target = Target(
            hop.host.decode("ascii", "replace"),
            hop.port,
            hop.transport.decode("ascii", "replace"),
            hop.secure,
            self._node.listeners.all[listener].is_ipv6,
        )
        self._node.outbox.resolves.append(Resolve(self._next_ticket, target))

    def at_once(self, request: Request, listener: int) -> Flows | None:
        """The flows for a request without Route whose URI has a numeric host: what `locate` would find for
        `forwarding.next_hop`. None: ask them. Raises FieldError."""
        return None if request.has(b"route") else self.of_uri(request.uri, listener)

    def of_uri(self, uri: bytes, listener: int) -> Flows | None:
        """The flows for a URI with a numeric host where no TLS is spoken (its names are for `locate`); None:
        it is another one. Raises FieldError."""
        flows = self._by_uri.get((uri, listener))
        if flows is None:
            hop = hop_of(uri)
            if self._node.listeners.has_tls and (hop.secure or hop.transport):
                return None
            host = self._numeric.get(hop.host, "")
            if host == "":
                host = self._remember(hop.host)
            if host is None:
                return None
            flow = self._flow(hop, host, listener)
            flows = NOWHERE if flow is None else (flow,)
            if len(uri) <= _URI_LENGTH:
                if len(self._by_uri) >= _NUMERIC_LIMIT:
                    self._by_uri.clear()
                self._by_uri[uri, listener] = flows
        return flows

    def toward_trunk(self, trunk: EgressTrunk, inbound: int, *, secure: bool) -> tuple[Hop | Flows, int]:
        """The flows to this trunk for a call that came in by the listener `inbound`, or the hop to be located, and from
        which listener. `secure`: TLS, or nothing."""
        known = self._by_trunk.get((trunk.id, inbound, secure))
        if known is None or known[0] is not trunk:
            transport = trunk.transport or (b"" if trunk.port is None else b"udp")
            hop = Hop(trunk.host.encode(), trunk.port, transport, secure, trunk.tls_names)
            listener = self._node.listeners.toward(trunk.listener, inbound)
            host = self._remember(hop.host)
            flow = None if host is None else self._flow(hop, host, listener)
            way: Hop | Flows = hop if host is None else NOWHERE if flow is None else (flow,)
            known = trunk, way, listener
            if len(self._by_trunk) >= _NUMERIC_LIMIT:
                self._by_trunk.clear()
            self._by_trunk[trunk.id, inbound, secure] = known
        return known[1], known[2]

    def resolved(self, ticket: int, addresses: tuple[Address, ...], now: float) -> None:
        """The rim's answer, in the order to try it; empty: there is no such name, or the look-up took too long."""
        pending = self._pending.pop(ticket, None)
        if pending is None:
            return
        hop, listener, then = pending
        flows = [
            self._flow(hop._replace(transport=address.transport.encode(), port=address.port), address.host, listener)
            for address in addresses
        ]
        then(tuple([flow for flow in flows if flow is not None]), now)

    def by_tcp(self, flow: Flow, now: float) -> Flow | None:
        """The same address by TCP (§18.1.1); None where we do not speak it, or it was refused a short time ago."""
        host, _ = address = flow.address
        if self._no_tcp.get(address, 0.0) > now:
            return None
        index = self._node.listeners.for_hop(preferred=flow.listener, ipv6=":" in host, transport=b"tcp")
        return None if index is None else Flow(index, address, 0, address[1])

    def refused_tcp(self, flow: Flow, now: float) -> None:
        """This address takes no TCP: not asked again for a while."""
        if len(self._no_tcp) >= _NO_TCP_LIMIT:
            self._no_tcp.clear()
        self._no_tcp[flow.address] = now + NO_TCP_S

    def _flow(self, hop: Hop, host: str, listener: int) -> Flow | None:
        """RFC 3263 §4.1: a numeric target is UDP where nothing else is said, TLS for SIPS."""
        transport = hop.transport or (b"tls" if hop.secure else b"udp")
        if hop.secure and transport != b"tls":
            return None
        index = self._node.listeners.for_hop(preferred=listener, ipv6=":" in host, transport=transport)
        port = default_port(transport) if hop.port is None else hop.port
        if index is None or not 0 < port < 65536:
            return None
        if transport == b"udp":
            return Flow(index, (host, port))
        name = self._numeric.get(hop.host) or hop.host.decode("ascii", "replace")  # an address in its one spelling
        names = (hop.names or (name, *hop.also)) if transport == b"tls" else ()
        return Flow(index, (host, port), 0, port, names)

    def _remember(self, host: bytes) -> str | None:
        """The address where `host` is numeric, None where it is a name; bounded, since names come from outside."""
        text: str | None
        try:
            text = str(ip_address(host.decode("ascii")))
        except ValueError:
            text = None
        if len(self._numeric) >= _NUMERIC_LIMIT:
            self._numeric.clear()
        self._numeric[host] = text
        return text
