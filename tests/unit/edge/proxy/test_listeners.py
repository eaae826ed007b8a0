"""Which URIs name us, and what we call ourselves."""

import pytest

from edge.proxy.listeners import Listener, Listeners
from edge.sip.uri import parse_uri

LISTENERS = Listeners(
    [
        Listener("udp:10.0.0.1:5060", b"UDP", "10.0.0.1", 5060, "Edge.Example", 5060),
        Listener("udp:10.0.0.1:5070", b"UDP", "10.0.0.1", 5070, "10.0.0.1", 5070),
        Listener("udp:[2001:db8::1]:5060", b"UDP", "2001:db8::1", 5060, "2001:db8::1", 5060),
    ]
)

NAMES = [
    ("sip:edge.example", 0),
    ("sip:x@EDGE.EXAMPLE:5060;lr", 0),
    ("sip:10.0.0.1", 0),
    ("sip:10.0.0.1:5070", 1),
    ("sip:[2001:db8::1]", 2),
    ("sip:[2001:0DB8:0:0::1]:5060", 2),
    ("sips:edge.example", 0),
    ("sip:edge.example:5070", None),
    ("sip:10.0.0.2", None),
    ("sip:[2001:db8::2]", None),
]


@pytest.mark.parametrize(("uri", "index"), NAMES)
def test_who_is_named(uri, index):
    """By host and port, 5060 where none is given; names without case, IPv6 in any spelling."""
    parsed = parse_uri(uri.encode())
    assert index == LISTENERS.index_of(parsed.host, parsed.port)
    assert (index is not None) is LISTENERS.is_our_uri(parsed)
    assert (index is not None) is LISTENERS.is_us(parsed.host, parsed.port)


@pytest.mark.parametrize("uri", [b"tel:+331", b"mailto:x@edge.example"])
def test_no_other_scheme_names_us(uri):
    """Only SIP URIs have a host."""
    assert not LISTENERS.is_our_uri(parse_uri(uri))


def test_a_host_with_colons_that_is_no_address():
    """Compared as it is, without an exception."""
    assert LISTENERS.index_of(b"::zz", None) is None


def test_what_is_printed():
    """sent-by with its port always, IPv6 in brackets."""
    assert (b"Edge.Example:5060", b"10.0.0.1:5070", b"[2001:db8::1]:5060") == LISTENERS.sent_bys
    assert LISTENERS.via_prefixes[2] == b"SIP/2.0/UDP [2001:db8::1]:5060;branch="
    assert LISTENERS.record_routes[1] == b"@10.0.0.1:5070;lr>"


@pytest.mark.parametrize(("preferred", "ipv6", "index"), [(0, False, 0), (1, False, 1), (1, True, 2), (2, False, 0)])
def test_the_listener_to_send_from(preferred, ipv6, index):
    """The preferred one where its family fits, else the first that does."""
    assert index == LISTENERS.for_family(preferred=preferred, ipv6=ipv6)


def test_no_listener_of_that_family():
    """None: there is no way."""
    assert Listeners([LISTENERS.all[0]]).for_family(preferred=0, ipv6=True) is None


def test_behind_a_translator_the_advertised_name_decides():
    """Two listeners advertised apart, bound alike on the same port of different machines' views."""
    pair = Listeners(
        [
            Listener("a", b"UDP", "10.0.0.1", 5060, "203.0.113.1", 5060),
            Listener("b", b"UDP", "10.0.0.2", 5060, "10.0.0.1", 5060),
        ]
    )
    assert pair.index_of(b"10.0.0.1", 5060) == 1
