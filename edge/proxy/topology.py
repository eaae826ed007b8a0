"""What is hidden of one side of a call from the trunk on its other side: who stands behind the edge. Pure.

RFC 3323 §5.1 (what a privacy service hides and must be able to restore), RFC 5853 §3.1 (topology hiding at a border).
Toward a trunk that hides: no Via, no Record-Route and no Contact of the other side, no Call-ID that names a host, and
no numeric address in any other header but that trunk's own and ours. The body stays: media does not pass here, and a
proxy may not touch it (RFC 3261 §16.6).

What the trunk must send back is sealed into what it sends back (`Identifiers.seal`): the Contact into the user part of
ours, the route set into our Record-Route, as a URI parameter. So any node with the secret leads its requests, after a
crash or a takeover too, and a call without hiding pays nothing. Vias, From, To and Call-ID of a response are those of
the request it answers.
"""

import re
from functools import partial
from typing import Final, NamedTuple

from edge.proxy.concealment import reveal_target, set_values
from edge.proxy.hygiene import Crossing
from edge.proxy.identifiers import SEALED, UID_LENGTH, Identifiers
from edge.proxy.listeners import Listeners
from edge.proxy.node import Node
from edge.proxy.presentation import Mend
from edge.proxy.referral import hide_dialogs, hide_place, reveal_dialogs, reveal_place
from edge.sip.errors import FieldError
from edge.sip.fields import parse_name_addr
from edge.sip.flow import Flow
from edge.sip.grammar import canonical, ipv6_text
from edge.sip.message import Message, Request, Response
from edge.sip.uri import SipUri, parse_uri

HIDDEN_ROUTES: Final = b"th"
"""URI parameter of our Record-Route: the routes behind it, after a letter that says which side was shown it."""
TOWARD_INGRESS: Final = b"i"
TOWARD_EGRESS: Final = b"e"
_ABOUT_ROUTES: Final = b"routes\0"

_ESCAPED: Final = rb"(?<=%[0-9A-Fa-f]{2})"
_IPV4: Final = rb"(?:(?<![0-9.])|" + _ESCAPED + rb")(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9]|\.[0-9A-Za-z])"
_GROUPS: Final = rb"[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![0-9A-Za-z:])"
_IPV6: Final = rb"\[[0-9A-Fa-f:.]{2,45}\]|(?:(?<![0-9A-Za-z:.])|" + _ESCAPED + rb")" + _GROUPS
_ADDRESS: Final = re.compile(_IPV6 + rb"|" + _IPV4)

_STAYS: Final = frozenset((
    b"via", b"route", b"record-route", b"contact", b"from", b"to", b"call-id", b"cseq", b"max-forwards", b"rack",
    b"rseq", b"content-length", b"content-type", b"authorization", b"proxy-authorization", b"www-authenticate",
    b"identity", b"proxy-authenticate", b"authentication-info", b"timestamp", b"date",
))  # fmt: skip
"""Treated one by one, or spoilt by a change: what proves somebody is computed over what stands in it."""


class Shown(NamedTuple):
    """What one side of a call is shown of the other."""

    identifiers: Identifiers
    listeners: Listeners
    side: bytes
    """`TOWARD_INGRESS` or `TOWARD_EGRESS`."""
    call_id: bytes
    """As the caller chose it."""
    ours: int
    """The listener toward that side."""
    theirs: int
    """The listener toward the side that is hidden."""
    token: bytes
    spared: tuple[bytes, ...]
    """Addresses of that side itself."""

    @property
    def host(self) -> bytes:
        """Our host as that side knows it; an IPv6 one in brackets."""
        return self.listeners.sent_bys[self.ours].rpartition(b":")[0]


def toward_egress(node: Node, call_id: bytes, crossing: Crossing, flow: Flow, theirs: int, token: bytes) -> Shown:
    """What the egress trunk is shown, by this flow to it."""
    spared = (crossing.spared, flow.address[0].encode())
    return Shown(node.identifiers, node.listeners, TOWARD_EGRESS, call_id, flow.listener, theirs, token, spared)


def toward_ingress(node: Node, call_id: bytes, flow: Flow, theirs: int, token: bytes) -> Shown:
    """What the ingress trunk is shown, by this flow to it or from it."""
    spared = (flow.address[0].encode(),)
    return Shown(node.identifiers, node.listeners, TOWARD_INGRESS, call_id, flow.listener, theirs, token, spared)


def hide_opening(request: Request, shown: Shown, came: Request, *, secure: bool) -> Mend:
    """The INVITE toward the egress trunk; `came`: as the ingress side sent it. Our Record-Route is on it afterwards,
    our Via is not."""
    mend = hide_request(request, shown, came)
    routes = came.list_values(b"record-route")
    behind = [shown.listeners.record_route(shown.theirs, shown.token, secure=secure), *routes]
    request.prepend(b"Record-Route", _our_route(shown, behind, secure=secure))
    return mend


def both(first: Mend | None, second: Mend | None) -> Mend | None:
    """One after the other."""
    if first is None or second is None:
        return first or second

    def mend(response: Response) -> None:
        first(response)
        second(response)

    return mend


def name_as_known(request: Request, invite: Request) -> None:
    """A request of the egress side, for a caller whose address it was shown otherwise: each side as the caller's own
    `invite` named it. The tags are those that came."""
    callee, tag = invite.value(b"to") or b"", request.from_().tag
    request.replace(b"from", callee if tag is None else callee + b";tag=" + tag)
    request.replace(b"to", invite.value(b"from") or b"")


def hide_answers(shown: Shown, came: Request, *, is_opening: bool, secure: bool = False) -> Mend:
    """What is done to the responses that go to the side that is shown nothing; `came`: its request."""
    return partial(_hide_answer, shown=shown, came=came, is_opening=is_opening, secure=secure)


def reveal(request: Request, identifiers: Identifiers) -> None:
    """A request of that side: where it is to go was sealed in its Request-URI. FieldError where it was not: nobody is
    to aim at a host behind us."""
    if not reveal_target(request, identifiers):
        raise FieldError("Request-URI", "not a Contact of ours")
    reveal_dialogs(request, identifiers)
    reveal_place(request, identifiers)


def sealed_routes(value: bytes) -> bytes:
    """The sealed routes of a Route or Record-Route value of ours, with the letter before them; empty: there are
    none."""
    if b";" + HIDDEN_ROUTES + b"=" not in value:
        return b""
    uri = parse_uri(parse_name_addr(value, "Route").uri)
    return (uri.param(HIDDEN_ROUTES) or b"") if isinstance(uri, SipUri) else b""


def open_routes(sealed: bytes, call_id: bytes, identifiers: Identifiers) -> list[bytes]:
    """The Route values behind ours. FieldError where they are not ours, or of another call."""
    opened = identifiers.unseal(sealed[1:], _ABOUT_ROUTES + sealed[:1] + call_id)
    if opened is None:
        raise FieldError("Route", "not sealed here")
    return opened.split(b"\0")


def _our_route(shown: Shown, behind: list[bytes], *, secure: bool) -> bytes:
    sealed = shown.identifiers.seal(b"\0".join(behind), _ABOUT_ROUTES + shown.side + shown.call_id)
    plain = shown.listeners.record_route(shown.ours, shown.token, secure=secure)
    return plain[:-1] + b";" + HIDDEN_ROUTES + b"=" + shown.side + sealed + b">"


def hide_request(request: Request, shown: Shown, came: Request) -> Mend:
    """A request toward the side that is shown nothing; what is done to its responses on their way back."""
    request.remove(b"via")
    request.remove(b"record-route")
    _seal_contact(request, shown)
    if shown.side == TOWARD_EGRESS:
        for name in (b"from", b"to"):
            _sweep_address(request, name, shown)
        call_id = request.call_id()
        if not call_id.startswith(SEALED) and _names_host(call_id):
            request.replace(b"call-id", SEALED + shown.identifiers.seal(call_id))
    _hide_places(request, came, shown)
    _sweep(request, shown)
    return partial(_restore, shown=shown, came=came)


def _restore(response: Response, *, shown: Shown, came: Request) -> None:
    """The response to a hidden request goes back to the side that was hidden (RFC 3261 §8.2.6.2)."""
    set_values(response, b"via", came.values(b"via"))
    for name in (b"from", b"call-id"):
        response.replace(name, came.value(name) or b"")
    tag, to = response.to().tag, came.value(b"to") or b""
    if came.to().tag is None and tag is not None:
        to += b";tag=" + tag
    response.replace(b"to", to)
    routes = response.list_values(b"record-route")
    if not any([sealed_routes(route) for route in routes]):
        return
    restored: list[bytes] = []
    for route in routes:
        sealed = sealed_routes(route)
        if not sealed:
            restored.append(route)
            continue
        behind = open_routes(sealed, shown.call_id, shown.identifiers)
        secure = route.startswith(b"<sips:")
        plain = shown.listeners.record_route(shown.ours, shown.token, secure=secure)
        restored += behind if behind[0] == plain else [plain, *behind]
    set_values(response, b"record-route", restored)


def _hide_answer(response: Response, *, shown: Shown, came: Request, is_opening: bool, secure: bool) -> None:
    routes = response.list_values(b"record-route")
    if routes:
        response.remove(b"record-route")
        own = [at for at, route in enumerate(routes) if shown.token[:UID_LENGTH] in route]
        if is_opening and own:
            before = routes[own[-1] + 1 :]
            behind = [
                shown.listeners.record_route(shown.theirs, shown.token, secure=secure),
                *reversed(routes[: own[0]]),
            ]
            set_values(response, b"record-route", [_our_route(shown, behind, secure=secure), *before])
    if response.status < 300:
        _seal_contact(response, shown)
    set_values(response, b"via", came.values(b"via"))
    for name in (b"from", b"call-id"):
        response.replace(name, came.value(name) or b"")
    if came.to().tag is not None:
        response.replace(b"to", came.value(b"to") or b"")
    _sweep(response, shown)


def _seal_contact(message: Message, shown: Shown) -> None:
    """Our own address, with the true one in its user part; display name and parameters with addresses go."""
    if not message.has(b"contact"):
        return
    contact = message.contact()
    message.remove(b"contact")
    if contact is None or contact.uri == b"*":
        return
    word = SEALED + shown.identifiers.seal(contact.uri, shown.call_id)
    transport = shown.listeners.transports[shown.ours]
    scheme, params = b"sip:", b"" if transport == b"udp" else b";transport=" + transport
    if contact.uri[:5].lower() == b"sips:" and transport == b"tls":
        scheme, params = b"sips:", b""
    rest = b"" if _ADDRESS.search(contact.params) else contact.params
    where = shown.listeners.sent_bys[shown.ours]
    message.append(b"Contact", b"<" + scheme + word + b"@" + where + params + b">" + rest)


def _hide_places(request: Request, came: Request, shown: Shown) -> None:
    def names_host(call_id: bytes) -> bool:
        """A Call-ID of the side that is hidden; one with that side's own address is its own."""
        is_named = shown.side == TOWARD_EGRESS and _names_host(call_id) and not _ADDRESS.search(call_id)
        return is_named or _swept(call_id, shown) != call_id

    hide_dialogs(request, shown.identifiers, names_host)
    if not request.has(b"refer-to"):
        return
    own = _host_of_contact(came)

    def is_hidden(host: bytes) -> bool:
        """Where whoever refers is itself, and any address that is not that side's."""
        return host.lower() == own or _swept(host, shown) != host

    transport = shown.listeners.transports[shown.ours]
    ours = shown.listeners.sent_bys[shown.ours] + (b"" if transport == b"udp" else b";transport=" + transport)
    hide_place(request, shown.identifiers, names_host, is_hidden, lambda text: _swept(text, shown), ours)


def _host_of_contact(message: Message) -> bytes:
    """In lower case; empty where nobody can read it."""
    try:
        contact = message.contact()
        uri = None if contact is None else parse_uri(contact.uri)
    except FieldError:
        return b""
    return uri.host.lower() if isinstance(uri, SipUri) else b""


def _sweep(message: Message, shown: Shown) -> None:
    """Every other header: addresses that are not that side's own become ours."""
    for at, line in enumerate(message.lines):
        if (line.count(b".") < 3 and line.count(b":") < 3) or _ADDRESS.search(line) is None:
            continue  # three dots, or the header's colon and two more, are the least that an address has
        name = canonical(line.partition(b":")[0].rstrip(b" \t"))
        if name not in _STAYS:
            message.put_line(at, _swept(line, shown))
    if isinstance(message, Response) and _ADDRESS.search(message.reason):
        message.set_status(message.status, _swept(message.reason, shown))


def _sweep_address(message: Message, name: bytes, shown: Shown) -> None:
    """From or To: the address before the parameters, so that no tag is changed."""
    value = message.value(name) or b""
    address, semicolon, rest = value.partition(b">")
    if not semicolon:
        address, semicolon, rest = value.partition(b";")
    swept = _swept(address, shown)
    if swept != address:
        message.replace(name, swept + semicolon + rest)


def _swept(text: bytes, shown: Shown) -> bytes:
    host = shown.host
    spared = {_spelling(one) for one in (*shown.spared, host)}

    def ours(found: re.Match[bytes]) -> bytes:
        address = found.group()
        if b":" in address and ipv6_text(address.strip(b"[]")) is None:
            return address
        if _spelling(address) in spared:
            return address
        return host

    return _ADDRESS.sub(ours, text)


def _spelling(address: bytes) -> bytes:
    bare = address.strip(b"[]")
    return (ipv6_text(bare) or "").encode() if b":" in bare else bare


def _names_host(call_id: bytes) -> bool:
    return b"@" in call_id or _ADDRESS.search(call_id) is not None
