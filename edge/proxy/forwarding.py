"""Request forwarding: RFC 3261 §16.4 (route preprocessing) and §16.6 (the copy that leaves). Pure.

Everything here edits a message or reads one; nothing is decided about who may call.
"""

from typing import Final, NamedTuple

from edge.proxy.identifiers import MAGIC_COOKIE, Identifiers, loop_part_of
from edge.proxy.listeners import Listeners, default_port
from edge.proxy.topology import open_routes, sealed_routes
from edge.sip.errors import FieldError
from edge.sip.fields import cut_first, parse_name_addr, parse_via, stamp_via
from edge.sip.flow import Flow
from edge.sip.grammar import COMMA, LWS
from edge.sip.message import Message, Request
from edge.sip.uri import SipUri, parse_uri

DEFAULT_MAX_FORWARDS: Final = b"70"
MAX_BREADTH: Final = 60
"""RFC 5393 §5.3.3: recommended value and our maximum."""
_BREADTH: Final = b"Max-Breadth: %d" % MAX_BREADTH
MAX_UDP_REQUEST: Final = 1300
"""RFC 3261 §18.1.1: larger requests belong on a congestion-controlled transport."""


class Hop(NamedTuple):
    """Where a request goes next."""

    host: bytes
    port: int | None
    """None where nothing says it: then RFC 3263 finds it, or the transport's default is meant."""
    transport: bytes
    """Lower case; empty where nothing says it."""
    secure: bool = False
    """A SIPS URI: TLS, or nothing (§26.2.2)."""
    names: tuple[str, ...] = ()
    """Names of which a TLS neighbour must prove one; none: the host's."""
    also: tuple[str, ...] = ()
    """Names that do as well as the host's."""


class Preprocessed(NamedTuple):
    """What a request's own routes said of us before they were taken off (§16.4)."""

    token: bytes | None
    """User part of the route that named us; None: no route did."""
    routed_out: int | None
    """Listener named by the second of two Record-Routes of ours (RFC 5658), where there were two."""
    side: bytes = b""
    """From which side it comes, where that side is not shown the other one (`topology`)."""


def stamp_top_via(request: Message, flow: Flow) -> None:
    """Write received and rport into the top Via (RFC 3261 §18.2.1, RFC 3581 §4)."""
    host, port = flow.address
    via = request.via()
    if via.rport != 0 and via.received is None and via.host == host.encode():
        return  # nothing to be said: most neighbours are where they say
    line = request.values(b"via")[0]
    if COMMA in line:
        first = request.pop_first(b"via")
        request.prepend(b"Via", stamp_via(first, host.encode(), port, False))
        return
    stamped = stamp_via(line, host.encode(), port, False)
    if stamped != line:
        request.replace(b"via", stamped)


def reply_flow(request: Message, flow: Flow, listeners: Listeners) -> Flow:
    """Where the responses to this request go (RFC 3261 §18.2.2, RFC 3581 §4).

    Over a stream: the connection it came by, and another one to the sender's address should that be gone. A maddr in
    Via is not obeyed: it would let a sender aim our answers at anyone."""
    via = request.via()
    if listeners.reliable[flow.listener]:
        port = via.port or default_port(listeners.transports[flow.listener])
        return flow._replace(port=port, names=(via.host.decode("ascii", "replace"),))
    if via.rport is not None:
        return flow
    host, port = flow.address
    wanted = via.port or default_port(b"udp")
    return flow if wanted == port else Flow(flow.listener, (host, wanted))


def preprocess(request: Request, listeners: Listeners, identifiers: Identifiers) -> Preprocessed:
    """§16.4: undo a strict router's exchange of Request-URI and Route, drop a maddr that names us, take our own route
    off. Raises FieldError; nothing is edited then."""
    uri = parse_uri(request.uri)
    has_route = request.has(b"route")
    token: bytes | None = None
    if isinstance(uri, SipUri) and uri.params:
        user = uri.user or b""
        if has_route and uri.is_lr and identifiers.read_token(user, request.call_id()) is not None:
            # A strict router put our Record-Route value into the Request-URI; the real one is the last Route.
            _restore_uri(request)
            token = user
            has_route = request.has(b"route")
        elif uri.maddr is not None and listeners.is_us(uri.maddr, uri.port):
            request.set_uri(_without_maddr(request.uri))
    routed_out: int | None = None
    side = b""
    while has_route and routed_out is None:
        named = _read_route(cut_first(request.value(b"route") or b"")[0].strip(LWS), listeners)
        if named is None:
            break
        user, index = named
        if token is not None:
            # Two values of ours from one pass carry one token (RFC 5658). A route of ours with another token belongs
            # to another pass of a spiral: it brings the request back to us, and that pass must see it too.
            if user != token:
                break
            routed_out = index
        sealed = sealed_routes(request.pop_first(b"route"))
        if sealed:
            side = sealed[:1]
            for route in reversed(open_routes(sealed, request.call_id(), identifiers)):
                request.prepend(b"Route", route)
        token = user
        has_route = request.has(b"route")
    return Preprocessed(token, routed_out, side)


def _read_route(value: bytes, listeners: Listeners) -> tuple[bytes, int] | None:
    """User part and listener of a route that names us; None where it names somebody else."""
    if value.startswith(b"<sip:"):
        # Nearly always it is our own Record-Route as we printed it: no need to take it apart.
        for index, ending in enumerate(listeners.record_routes):
            if value.endswith(ending):
                user = value[5 : -len(ending)]
                if user.replace(b"-", b"").isalnum():
                    return user, index
    uri = parse_uri(parse_name_addr(value, "Route").uri)
    if not isinstance(uri, SipUri):
        return None
    found = listeners.index_of(uri)
    return None if found is None else (uri.user or b"", found)


def is_looped(request: Request, mine: bytes, listeners: Listeners) -> bool:
    """§16.3 item 4 as RFC 5393 §4.2.2 has it: our sent-by in a Via whose loop part is the one we would make again."""
    if not _may_have_been_here(request, listeners):
        return False
    for value in request.list_values(b"via"):
        try:
            via = parse_via(value)
        except FieldError:
            continue  # §4.2.3: what another element wrote there must not make us fail
        if via.branch is None or not listeners.is_us(via.host, via.port) or not via.branch.startswith(MAGIC_COOKIE):
            continue
        if loop_part_of(via.branch) == mine:
            return True
    return False


def _may_have_been_here(request: Request, listeners: Listeners) -> bool:
    """Does our sent-by stand in its Vias, as we print it? Most requests are here for the first time."""
    lines = request.lines
    return any(listeners.may_be_in(lines[at]) for at in request.layout.positions[b"via"])


def put_hop(
    request: Request, token: bytes, branch: bytes, *, inbound: int, outbound: int, listeners: Listeners
) -> None:
    """`record_route` and `add_hop`, which for nearly every request is one step."""
    if inbound == outbound and request.uri[:4] == b"sip:" and not listeners.reliable[outbound]:
        route = b"Record-Route: <sip:" + token + listeners.record_routes[inbound]
        if request.put_hop(route, listeners.via_prefixes[outbound], branch, _BREADTH):
            return
    record_route(request, token, inbound=inbound, outbound=outbound, listeners=listeners)
    add_hop(request, branch, listener=outbound, listeners=listeners)


def add_hop(request: Request, branch: bytes, *, listener: int, listeners: Listeners) -> None:
    """§16.6 items 3 and 8, RFC 5393 §5.3.3: Max-Forwards, Max-Breadth, our Via."""
    if not request.spend_hop():
        request.append(b"Max-Forwards", DEFAULT_MAX_FORWARDS)
    if not request.has(b"max-breadth"):
        request.add_line(b"Max-Breadth:", _BREADTH)
    else:
        breadth = request.value(b"max-breadth") or b""
        if not breadth.isdigit() or int(breadth[:9]) > MAX_BREADTH or len(request.values(b"max-breadth")) > 1:
            request.remove(b"max-breadth")
            request.add_line(b"Max-Breadth:", _BREADTH)
    if listeners.reliable[listener]:
        say_length(request)
    request.push_via(listeners.via_prefixes[listener], branch)


def one_hop_on(request: Request, via: bytes) -> bytes:
    """The bytes of a request with a plain layout one hop further, by a datagram: what `add_hop` makes of it without its
    one Route. The request stays as it is. Raises FieldError where its Max-Forwards is no number."""
    first = request.layout.first
    hops_at, route_at, via_at = first[b"max-forwards"][0], first[b"route"][0], first[b"via"][0]
    lines = request.lines.copy()
    lines[hops_at] = request.hop_less() or b""
    lines[via_at] = b"Via: " + via + b"\r\n" + lines[via_at]
    del lines[route_at]
    return b"\r\n".join([request.first, *lines, _BREADTH, b"", request.body])


def say_length(message: Message) -> None:
    """§18.3: over a stream Content-Length must stand there; a datagram may have come without."""
    if message.value(b"content-length") is None:
        message.append(b"Content-Length", b"%d" % len(message.body))


def record_route(request: Request, token: bytes, *, inbound: int, outbound: int, listeners: Listeners) -> None:
    """§16.6 item 4; two values where the call enters and leaves by different listeners (RFC 5658)."""
    secure = is_secure(request)
    line = b"Record-Route: " + listeners.record_route(inbound, token, secure=secure)
    request.put_above(b"record-route", b"Record-Route:", line)
    if inbound != outbound:
        line = b"Record-Route: " + listeners.record_route(outbound, token, secure=secure)
        request.put_above(b"record-route", b"Record-Route:", line)


def is_secure(request: Request) -> bool:
    """Does the Request-URI ask for TLS all the way (§26.2.2)?"""
    uri = request.uri
    return uri[:4] != b"sip:" and uri[:5].lower() == b"sips:"


def next_hop(request: Request) -> Hop:
    """§16.6 items 6 and 7: the first Route or the Request-URI; a strict router's route is exchanged with the URI.

    Raises FieldError where no SIP URI says where to go."""
    if not request.has(b"route"):
        return hop_of(request.uri)
    first = request.routes()[0].uri
    uri = parse_uri(first)
    if isinstance(uri, SipUri) and not uri.is_lr:
        # Item 6: the next element is a strict router; it wants its own URI in the request line.
        request.pop_first(b"route")
        request.append(b"Route", b"<" + request.uri + b">")
        request.set_uri(first)
    return hop_of(first)


def hop_of(raw: bytes) -> Hop:
    """Host, port and transport a URI names (§18.1.1, RFC 3263 §4). Raises FieldError for what is not a SIP URI."""
    uri = parse_uri(raw)
    if not isinstance(uri, SipUri):
        raise FieldError("Request-URI", "not a SIP URI: no host to send to")
    secure = uri.scheme == b"sips"
    if not uri.params:
        return Hop(uri.host, uri.port, b"", secure)
    transport = uri.transport or b""
    # §26.2.2: the transport of a SIPS URI is what TLS runs over.
    return Hop(uri.maddr or uri.host, uri.port, b"tls" if secure and transport == b"tcp" else transport, secure)


def with_number(uri: bytes, number: str) -> bytes:
    """This SIP or tel URI with another telephone number; what follows the number in the user part stays, but for a
    `phone-context`, which spoke of the old one (RFC 3966 §5.1.5)."""
    scheme, _, rest = uri.partition(b":")
    user, at, where = (rest, b"", b"") if scheme.lower() == b"tel" else rest.rpartition(b"@")
    _, *params = user.split(b";")
    kept = [b";" + param for param in params if not param.lower().startswith(b"phone-context=")]
    # §25.1: of these characters only `#` must be escaped in a user part, and it may not stand in a URI at all.
    return scheme + b":" + number.replace("#", "%23").encode() + b"".join(kept) + at + where


def _restore_uri(request: Request) -> None:
    """§16.4: the last Route value becomes the Request-URI; the earlier ones keep their order."""
    uri = request.routes()[-1].uri
    values = request.list_values(b"route")[:-1]
    request.set_uri(uri)
    request.remove(b"route")
    if values:
        request.append(b"Route", b", ".join(values))


def _without_maddr(raw: bytes) -> bytes:
    """§16.4: the maddr that names us goes, with the port and transport that came with it."""
    head, _, headers = raw.partition(b"?")
    user, at, where = head.rpartition(b"@")
    address, *params = where.split(b";")
    kept = [param for param in params if param.partition(b"=")[0].lower() not in (b"maddr", b"transport")]
    host, _, port = address.rpartition(b":")
    if port.isdigit() and host.lower() not in (b"", b"sip", b"sips"):
        address = host
    return user + at + b";".join([address, *kept]) + (b"?" + headers if headers else b"")
