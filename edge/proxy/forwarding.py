"""Request forwarding: RFC 3261 §16.4 (route preprocessing) and §16.6 (the copy that leaves). Pure.

Everything here edits a message or reads one; nothing is decided about who may call.
"""

from typing import NamedTuple

from edge.proxy.identifiers import MAGIC_COOKIE, Identifiers, loop_part, loop_part_of
from edge.proxy.listeners import DEFAULT_PORT, Listeners
from edge.sip.errors import FieldError
from edge.sip.fields import parse_via, stamp_via
from edge.sip.flow import Flow
from edge.sip.message import Message, Request
from edge.sip.uri import SipUri, parse_uri

DEFAULT_MAX_FORWARDS = b"70"
MAX_BREADTH = 60
"""RFC 5393 §5.3.3: recommended value and our maximum."""
MAX_UDP_REQUEST = 1300
"""RFC 3261 §18.1.1: larger requests belong on a congestion-controlled transport."""


class Hop(NamedTuple):
    """Where a request goes next."""

    host: bytes
    port: int
    transport: bytes
    """Lower case; `udp` where the URI says nothing (RFC 3263 §4.1 for numeric targets)."""


class Preprocessed(NamedTuple):
    """A request after §16.4: our own routes are off it."""

    tokens: tuple[bytes, ...]
    """User parts of the routes that named us, outermost first."""
    routed_out: int | None
    """Listener named by the second of two Record-Routes of ours (RFC 5658), where there were two."""
    had_route: bool


def stamp_top_via(request: Message, flow: Flow) -> None:
    """Write received and rport into the top Via (RFC 3261 §18.2.1, RFC 3581 §4)."""
    line = request.values(b"via")[0]
    host, port = flow.address
    if b"," in line:
        first = request.pop_first(b"via")
        request.prepend(b"Via", stamp_via(first, host.encode(), port, False))
        return
    stamped = stamp_via(line, host.encode(), port, False)
    if stamped != line:
        request.replace(b"via", stamped)


def reply_flow(request: Message, flow: Flow) -> Flow:
    """Where the responses to this request go (RFC 3261 §18.2.2, RFC 3581 §4).

    A maddr in Via is not obeyed: it would let a sender aim our answers at anyone."""
    via = request.via()
    if via.rport is not None:
        return flow
    return Flow(flow.listener, (flow.address[0], via.port or DEFAULT_PORT))


def preprocess(request: Request, listeners: Listeners) -> Preprocessed:
    """§16.4: undo a strict router's exchange of Request-URI and Route, drop our maddr, take our own routes off."""
    uri = parse_uri(request.uri)
    had_route = request.value(b"route") is not None
    tokens: list[bytes] = []
    if isinstance(uri, SipUri) and listeners.is_us(uri.host, uri.port):
        if had_route and uri.user is not None and uri.is_lr:
            # A strict router put our Record-Route value into the Request-URI; the real one is the last Route.
            tokens.append(uri.user)
            last = request.list_values(b"route")[-1]
            request.set_uri(request.routes()[-1].uri)
            _drop_last_route(request, last)
        elif uri.maddr is not None and listeners.is_us(uri.maddr, uri.port):
            request.set_uri(_without_maddr(request.uri))
    routed_out: int | None = None
    while request.value(b"route") is not None:
        top = parse_uri(request.routes()[0].uri)
        if not isinstance(top, SipUri) or not listeners.is_us(top.host, top.port):
            break
        request.pop_first(b"route")
        if tokens:
            routed_out = _listener_named(top, listeners)
        tokens.append(top.user or b"")
    return Preprocessed(tuple(tokens), routed_out, had_route)


def is_looped(request: Request, listeners: Listeners) -> bool:
    """§16.3 item 4 as RFC 5393 §4.2.2 has it: our sent-by in a Via whose loop part is the one we would make again."""
    lines = request.values(b"via")
    if not any(sent_by in line for line in lines for sent_by in listeners.sent_bys):
        return False
    mine = loop_part(request, request.uri, tuple(request.list_values(b"route")))
    for value in request.list_values(b"via")[:]:
        try:
            via = parse_via(value)
        except FieldError:
            continue
        if via.branch is None or not listeners.is_us(via.host, via.port) or not via.branch.startswith(MAGIC_COOKIE):
            continue
        if loop_part_of(via.branch) == mine:
            return True
    return False


def add_hop(request: Request, *, listener: int, listeners: Listeners, identifiers: Identifiers, loop: bytes) -> bytes:
    """§16.6 items 3 and 8, RFC 5393 §5.3.3: Max-Forwards, Max-Breadth, our Via. Returns the branch."""
    hops = request.max_forwards()
    if hops is None:
        request.append(b"Max-Forwards", DEFAULT_MAX_FORWARDS)
    else:
        request.replace(b"max-forwards", b"%d" % (hops - 1))
    breadth = request.value(b"max-breadth")
    if breadth is None:
        request.append(b"Max-Breadth", b"%d" % MAX_BREADTH)
    elif not breadth.isdigit() or not 0 < int(breadth[:9]) <= MAX_BREADTH:
        request.remove(b"max-breadth")
        request.append(b"Max-Breadth", b"%d" % MAX_BREADTH)
    branch = identifiers.branch(loop)
    request.prepend(b"Via", listeners.via_prefixes[listener] + branch)
    return branch


def record_route(request: Request, token: bytes, *, inbound: int, outbound: int, listeners: Listeners) -> None:
    """§16.6 item 4; two values where the call enters and leaves by different listeners (RFC 5658)."""
    request.prepend(b"Record-Route", b"<sip:" + token + listeners.record_routes[inbound])
    if inbound != outbound:
        request.prepend(b"Record-Route", b"<sip:" + token + listeners.record_routes[outbound])


def next_hop(request: Request) -> Hop:
    """§16.6 items 6 and 7: the first Route or the Request-URI; a strict router's route is exchanged with the URI.

    Raises FieldError where no SIP URI says where to go."""
    if request.value(b"route") is None:
        return hop_of(request.uri)
    first = request.routes()[0].uri
    uri = parse_uri(first)
    if isinstance(uri, SipUri) and not uri.is_lr:
        # Item 6: the next element is a strict router; it wants its own URI in the request line.
        request.pop_first(b"route")
        rest = request.list_values(b"route")
        request.remove(b"route")
        request.append(b"Route", b", ".join([*rest, b"<" + request.uri + b">"]))
        request.set_uri(first)
    return hop_of(first)


def hop_of(raw: bytes) -> Hop:
    """Host, port and transport a URI names (§18.1.1, RFC 3263 §4). Raises FieldError for what is not a SIP URI."""
    uri = parse_uri(raw)
    if not isinstance(uri, SipUri):
        raise FieldError("Request-URI", "not a SIP URI: no host to send to")
    transport = (uri.transport or (b"tls" if uri.scheme == b"sips" else b"udp")).lower()
    return Hop(uri.maddr or uri.host, uri.port or DEFAULT_PORT, transport)


def _listener_named(uri: SipUri, listeners: Listeners) -> int | None:
    for index, listener in enumerate(listeners.all):
        if (uri.host.lower(), uri.port or DEFAULT_PORT) in (
            (listener.advertised_host.lower().encode(), listener.advertised_port),
            (listener.host.encode(), listener.port),
        ):
            return index
    return None


def _drop_last_route(request: Request, last: bytes) -> None:
    """Take the last value off the Route header; the earlier ones keep their order."""
    values = request.list_values(b"route")[:-1]
    request.remove(b"route")
    if values:
        request.append(b"Route", b", ".join(values))


def _without_maddr(raw: bytes) -> bytes:
    """§16.4: the maddr that names us, with the port and transport that came with it, goes."""
    head, _, headers = raw.partition(b"?")
    address, *params = head.split(b";")
    kept = [param for param in params if param.split(b"=")[0].lower() not in (b"maddr", b"transport")]
    return b";".join([address, *kept]) + (b"?" + headers if headers else b"")
