"""edge.proxy.opening: what takes the short road would have passed every question of the complete one, untouched."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from network import Wire

from edge.proxy import opening, session_timers
from edge.proxy.forwarding import Preprocessed, is_looped, preprocess
from edge.proxy.identifiers import loop_part
from edge.sip import validation
from edge.sip.errors import FieldError
from edge.sip.message import Request, parse

WIRE = Wire()
USUAL = {
    "Via": "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa",
    "Max-Forwards": "Max-Forwards: 70",
    "From": "From: <sip:+33145000001@192.0.2.1>;tag=1",
    "To": "To: <sip:+33145000002@192.0.2.10>",
    "Call-ID": "Call-ID: c",
    "CSeq": "CSeq: 1 INVITE",
    "Contact": "Contact: <sip:a@192.0.2.1:5060>",
    "Last": "Content-Length: 0",
}
URI = "sip:+33145000002@192.0.2.10"
STILL_USUAL = st.sampled_from([
    ("Via", "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa;rport"),
    ("Via", "v: SIP/2.0/TCP caller.example;branch=1"),
    ("To", 'To: "A, B" <sip:+33145000002@192.0.2.10>'),
    ("Call-ID", "Call-ID: hidden-abc"),
    ("Contact", "m: sip:a@192.0.2.1"),
    ("Last", "Proxy-Authorization: Digest x=1"),
    ("Last", "X-Account: acme"),
    ("Last", "Supported: timer"),
])  # fmt: skip
UNUSUAL = [
    ("Via", "Via: SIP/2.0/UDP h;branch=z9hG4bKa, SIP/2.0/UDP g;branch=z9hG4bKb"),
    ("Via", "Via: SIP/2.0/UDP h;branch=z9hG4bKa\r\nVia: SIP/2.0/UDP g;branch=z9hG4bKb"),
    ("Via", "Via: SIP/2.0/UDP h;branch=z9hG4bKa\r\nVia: nothing"),
    ("Via", "Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKa.{loop}"),
    ("Max-Forwards", "Max-Forwards: 0"),
    ("Max-Forwards", "Max-Forwards: many"),
    ("Max-Forwards", ""),
    ("From", "From: <sip:x@y"),
    ("To", "To: <sip:x@y>;tag=t"),
    ("To", "To: <sip:x@y>;tag=hidden-t"),
    ("To", "To: x y"),
    ("CSeq", "CSeq: 1 BYE"),
    ("Contact", "Contact: <sip:a"),
    ("Contact", "Contact: <sip:a@b>, <sip:c"),
    ("Contact", "Contact: <sip:a@b>\r\nContact: <sip:c"),
    ("Contact", "Contact: <sip:a@b>;x=1,\r\n <sip:c"),
    ("Contact", ""),
    ("Last", "Route: <sip:192.0.2.10;lr>"),
    ("Last", "Route: nothing"),
    ("Last", "Record-Route: nothing"),
    ("Last", "Proxy-Require: foo"),
    ("Last", "Max-Breadth: 0"),
    ("Last", "Session-Expires: 10\r\nSupported: timer"),
]
ODD_URIS = [
    "sip:a@192.0.2.10;maddr=192.0.2.10", "sip:a@h?Subject=x", "sip:a@h;lr", "tel:+331", "urn:service:sos", "http:x",
    "sip:",
]  # fmt: skip


def invite(changes: list[tuple[str, str]], uri: str = URI) -> Request:
    lines = {**USUAL, **dict(changes)}
    first = f"INVITE {uri} SIP/2.0"
    loop = ""
    if any("{loop}" in line for line in lines.values()):
        loop = loop_part(invite([], uri), "192.0.2.1").decode()
    text = "\r\n".join([first, *[line for line in lines.values() if line], "", ""]).replace("{loop}", loop)
    message = parse(text.encode())
    assert isinstance(message, Request)
    return message


def passes(request: Request) -> bool:
    """All that is asked of any other request, in the order of the core."""
    before, identifiers = request.render(), WIRE.core._node.identifiers
    try:
        if validation.check(request) or session_timers.fault(request, 90) or request.value(b"max-breadth") == b"0":
            return False
        if is_looped(request, loop_part(request, "192.0.2.1"), WIRE.listeners) or request.to().tag is not None:
            return False
        pre = preprocess(request, WIRE.listeners, identifiers)
    except FieldError:
        return False
    return pre == Preprocessed(None, None) and request.render() == before


@given(st.lists(STILL_USUAL, max_size=3))
def test_what_nearly_everyone_sends_takes_the_short_road(changes):
    """And passes the complete one, which does nothing to it."""
    request = invite(changes)
    assert opening.is_usual(request, WIRE.listeners)
    assert passes(request)


@settings(max_examples=8)
@pytest.mark.parametrize("odd", UNUSUAL)
@given(usual=st.lists(STILL_USUAL, max_size=2), uri=st.sampled_from([URI, "sips:a@h", "sip:h"]))
def test_whatever_is_odd_takes_the_complete_road(odd, usual, uri):
    """Sound or not: the complete road says which."""
    assert not opening.is_usual(invite([*usual, odd], uri), WIRE.listeners)


@settings(max_examples=8)
@pytest.mark.parametrize("uri", ODD_URIS)
@given(usual=st.lists(STILL_USUAL, max_size=2))
def test_so_does_a_called_address_with_more_in_it(uri, usual):
    """What names us, other schemes, header fields, a defect."""
    assert not opening.is_usual(invite(usual, uri), WIRE.listeners)


@pytest.mark.parametrize("secret", [None, "Call-ID: hidden-abc"])
def test_nothing_is_edited(secret):
    """The bytes stay as they came."""
    request = invite([] if secret is None else [("Call-ID", secret)])
    before = request.render()
    assert opening.is_usual(request, WIRE.listeners)
    assert request.render() is before
