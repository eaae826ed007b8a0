"""Meaning of a request, as far as it can be judged without knowing who we are (RFC 3261 §16.3, §8.1.1).

Standard library only. `message.parse` has judged the structure: the method is a token, top Via and CSeq can be read,
required fields are there, once. Loop detection and authorisation need to know more and live in `edge.proxy`.
"""

from typing import Final, NamedTuple

from edge.sip.errors import FieldError
from edge.sip.fields import parse_name_addr
from edge.sip.headers import Message
from edge.sip.message import Request
from edge.sip.uri import OtherUri, SipUri, emergency_service, parse_uri

NOTHING_SUPPORTED: Final[frozenset[bytes]] = frozenset()


class Fault(NamedTuple):
    """Why this request goes no further, and the answer it gets. Nothing answers an ACK: the caller drops that one."""

    status: int
    phrase: bytes
    reason: str
    """Stable phrase, fit for a counter's label."""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """Printed names and values that the answer needs."""


def check(request: Request, supported: frozenset[bytes] = NOTHING_SUPPORTED) -> Fault | None:
    """The first fault in the order of §16.3, or None. `supported`: option tags a Proxy-Require may name.

    Max-Forwards 0 is a fault here; whoever answers OPTIONS for itself looks at `max_forwards()` first (§16.3 item 3).
    """
    # 1. Reasonable syntax
    try:
        uri = parse_uri(request.uri)
        request.from_()
        request.to()
        hops = request.max_forwards()
        if request.cseq().method != request.method:
            return Fault(400, b"Bad Request", "CSeq method differs")
        _check_lists(request)
    except FieldError as error:
        return Fault(400, b"Bad Request", "bad Request-URI" if error.field == "URI" else f"bad {error.field} header")
    # 2. URI scheme. A call for help in words (RFC 5031) is answered by its trunk, not by a 416.
    if isinstance(uri, OtherUri) and not emergency_service(request.uri):
        return Fault(416, b"Unsupported URI Scheme", "unknown Request-URI scheme")
    if isinstance(uri, SipUri) and uri.headers:
        # §19.1.1: not allowed in a Request-URI, and nobody may act on them (RFC 4475 §3.1.2.11).
        return Fault(400, b"Bad Request", "header fields in the Request-URI")
    # 3. Max-Forwards. A request without one passes (RFC 2543); forwarding adds it.
    if hops == 0:
        return Fault(483, b"Too Many Hops", "Max-Forwards is 0")
    # 5. Proxy-Require; ignored in ACK and CANCEL (§8.2.2.3)
    if request.has(b"proxy-require") and request.method not in (b"ACK", b"CANCEL"):
        return _check_proxy_require(request, supported)
    return None


def _check_lists(request: Message) -> None:
    """Lists that others will read, or we at the next step: each value must be readable."""
    positions = request.layout.positions
    if b"contact" in positions:
        for value in request.list_values(b"contact"):
            parse_name_addr(value, "Contact")
    if b"route" in positions:
        for value in request.list_values(b"route"):
            if not isinstance(parse_uri(parse_name_addr(value, "Route").uri), SipUri):
                raise FieldError("Route", "no SIP URI")
    if b"record-route" in positions:
        request.record_routes()
    if request.has_more_vias():
        request.vias()


def _check_proxy_require(request: Request, supported: frozenset[bytes]) -> Fault | None:
    try:
        unknown = [tag for tag in request.list_values(b"proxy-require") if tag and tag.lower() not in supported]
    except FieldError:
        return Fault(400, b"Bad Request", "bad Proxy-Require header")
    if not unknown:
        return None
    return Fault(420, b"Bad Extension", "Proxy-Require", ((b"Unsupported", b", ".join(unknown)),))
