"""From a next hop to a flow: which listener, which address. Pure; a host name is asked of the rim (RFC 3263)."""

from collections.abc import Callable
from ipaddress import ip_address

from edge.proxy.actions import Resolve
from edge.proxy.forwarding import Hop
from edge.proxy.node import Node
from edge.sip.flow import Flow

Then = Callable[[Flow | None, float], None]
"""Called with the flow, or None where no address of the hop can be reached from here."""

_NUMERIC_LIMIT = 10_000
_PENDING_LIMIT = 10_000
"""Host names being looked up at once; beyond it a hop counts as unreachable."""


class Destinations:
    """Turns hops into flows."""

    __slots__ = ("_next_ticket", "_node", "_numeric", "_pending")

    def __init__(self, node: Node) -> None:
        self._node = node
        self._numeric: dict[bytes, str | None] = {}
        self._pending: dict[int, tuple[Hop, int, Then]] = {}
        self._next_ticket = 0

    def locate(self, hop: Hop, listener: int, now: float, then: Then) -> None:
        """Find the flow for this hop, preferably from `listener`; `then` is called now or when the name is known."""
        if hop.transport != b"udp":
            then(None, now)
            return
        host = self._numeric.get(hop.host, "")
        if host == "":
            host = self._remember(hop.host)
        if host is not None:
            then(self._flow(host, hop.port, listener), now)
            return
        if len(self._pending) >= _PENDING_LIMIT:
            then(None, now)
            return
        self._next_ticket += 1
        self._pending[self._next_ticket] = (hop, listener, then)
        self._node.outbox.resolves.append(Resolve(self._next_ticket, hop.host.decode("ascii", "replace"), hop.port))

    def resolved(self, ticket: int, addresses: tuple[str, ...], now: float) -> None:
        """The rim's answer; no address: the name does not exist or the look-up took too long."""
        pending = self._pending.pop(ticket, None)
        if pending is None:
            return
        hop, listener, then = pending
        for address in addresses:
            flow = self._flow(address, hop.port, listener)
            if flow is not None:
                then(flow, now)
                return
        then(None, now)

    def _flow(self, host: str, port: int, listener: int) -> Flow | None:
        index = self._node.listeners.for_family(preferred=listener, ipv6=":" in host)
        return None if index is None or not 0 < port < 65536 else Flow(index, (host, port))

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
