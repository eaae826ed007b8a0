"""Which URIs name us, and what we call ourselves."""

import pytest

from edge.proxy.listeners import Listener, Listeners, default_port
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
    assert index == LISTENERS.index_of(parsed)
    assert (index is not None) is LISTENERS.is_our_uri(parsed)
    assert (index is not None) is LISTENERS.is_us(parsed.host, parsed.port)


@pytest.mark.parametrize("uri", [b"tel:+331", b"mailto:x@edge.example"])
def test_no_other_scheme_names_us(uri):
    """Only SIP URIs have a host."""
    assert not LISTENERS.is_our_uri(parse_uri(uri))


def test_a_host_with_colons_that_is_no_address():
    """Compared as it is, without an exception."""
    assert LISTENERS.is_us(b"::zz", None) is False


def test_what_is_printed():
    """sent-by with its port always, IPv6 in brackets; a transport that is not UDP is named (RFC 5658 §6.2)."""
    assert (b"Edge.Example:5060", b"10.0.0.1:5070", b"[2001:db8::1]:5060") == LISTENERS.sent_bys
    assert LISTENERS.via_prefixes[2] == b"SIP/2.0/UDP [2001:db8::1]:5060;branch="
    assert LISTENERS.record_routes[1] == b"@10.0.0.1:5070;lr>"
    assert MIXED.via_prefixes[1:3] == (
        b"SIP/2.0/TCP 10.0.0.1:5060;branch=",
        b"SIP/2.0/TLS 10.0.0.1:5061;branch=",
    )
    assert MIXED.record_route(0, b"t", secure=True) == b"<sip:t@10.0.0.1:5060;lr>"
    assert MIXED.record_route(1, b"t", secure=False) == b"<sip:t@10.0.0.1:5060;transport=tcp;lr>"
    assert MIXED.record_route(2, b"t", secure=False) == b"<sip:t@10.0.0.1:5061;transport=tls;lr>"
    assert MIXED.record_route(2, b"t", secure=True) == b"<sips:t@10.0.0.1:5061;lr>"


MIXED = Listeners(
    [
        Listener("u", b"UDP", "10.0.0.1", 5060, "10.0.0.1", 5060),
        Listener("t", b"TCP", "10.0.0.1", 5060, "10.0.0.1", 5060),
        Listener("s", b"TLS", "10.0.0.1", 5061, "10.0.0.1", 5061),
        Listener("t2", b"TCP", "10.0.0.2", 5060, "10.0.0.2", 5060),
        Listener("u2", b"UDP", "10.0.0.2", 5060, "10.0.0.2", 5060),
        Listener("t6", b"TCP", "2001:db8::1", 5060, "2001:db8::1", 5060),
    ]
)

TRANSPORTS = [
    ("sip:10.0.0.1", 0),
    ("sip:10.0.0.1;transport=udp", 0),
    ("sip:10.0.0.1;transport=tcp", 1),
    ("sip:10.0.0.1:5061;transport=tls", 2),
    ("sip:10.0.0.1;transport=tls", 2),
    ("sips:10.0.0.1", 2),
    ("sip:10.0.0.1:5061", 2),
    ("sip:10.0.0.2;transport=TCP", 3),
    ("sip:10.0.0.1;transport=sctp", 0),
    ("sip:[2001:db8::1]", 5),
    ("sip:10.0.0.3;transport=tcp", None),
]


@pytest.mark.parametrize(("uri", "index"), TRANSPORTS)
def test_the_transport_tells_listeners_of_one_address_apart(uri, index):
    """UDP and TCP share 5060; TLS has 5061; what we do not speak there still names us."""
    parsed = parse_uri(uri.encode())
    assert index == MIXED.index_of(parsed)
    assert (index is not None) is MIXED.is_our_uri(parsed)


HOPS = [
    (0, False, b"udp", 0),
    (0, False, b"tcp", 1),
    (0, False, b"tls", 2),
    (1, False, b"udp", 0),
    (3, False, b"udp", 4),
    (4, False, b"tcp", 3),
    (3, False, b"tls", 2),
    (0, True, b"tcp", 5),
    (0, True, b"udp", None),
    (0, False, b"sctp", None),
]


@pytest.mark.parametrize(("preferred", "ipv6", "transport", "index"), HOPS)
def test_the_listener_to_send_from(preferred, ipv6, transport, index):
    """The preferred one where it fits, else one on its host, else the first that fits; None: there is no way."""
    assert index == MIXED.for_hop(preferred=preferred, ipv6=ipv6, transport=transport)


def test_what_we_speak():
    """Asked of the DNS is only what can be used."""
    assert {("udp", False), ("tcp", False), ("tls", False), ("tcp", True)} == MIXED.paths
    assert (False, True, True, True, False, True) == MIXED.reliable


@pytest.mark.parametrize(("transport", "port"), [(b"udp", 5060), (b"tcp", 5060), (b"tls", 5061)])
def test_default_ports(transport, port):
    """RFC 3261 §19.1.2."""
    assert port == default_port(transport)


def test_behind_a_translator_the_advertised_name_decides():
    """Two listeners advertised apart, bound alike on the same port of different machines' views."""
    pair = Listeners(
        [
            Listener("a", b"UDP", "10.0.0.1", 5060, "203.0.113.1", 5060),
            Listener("b", b"UDP", "10.0.0.2", 5060, "10.0.0.1", 5060),
        ]
    )
    assert pair.index_of(parse_uri(b"sip:10.0.0.1:5060")) == 1


def test_the_listener_a_trunk_is_called_from():
    """By its name; where this process has none of that name, the other one."""
    assert LISTENERS.toward("udp:10.0.0.1:5070", 2) == 1
    assert LISTENERS.toward("udp:10.9.9.9:5070", 2) == 2
    assert LISTENERS.toward("", 2) == 2
