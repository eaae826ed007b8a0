"""edge.config.addresses"""

import pytest

from edge.config.addresses import (
    Listen,
    TrunkAddress,
    address_number,
    parse_host_port,
    parse_listen,
    parse_name_server,
    parse_source,
    parse_trunk_uri,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("udp:127.0.0.1:5060", Listen("udp:127.0.0.1:5060", "udp", "127.0.0.1", 5060, "127.0.0.1", 5060)),
        ("tcp:127.0.0.1:5060", Listen("tcp:127.0.0.1:5060", "tcp", "127.0.0.1", 5060, "127.0.0.1", 5060)),
        ("tls:127.0.0.1:5061", Listen("tls:127.0.0.1:5061", "tls", "127.0.0.1", 5061, "127.0.0.1", 5061)),
        ("udp:[::1]:0", Listen("udp:[::1]:0", "udp", "::1", 0, "::1", 0)),
        (
            "udp:0.0.0.0:5060/advertise=edge.example:5062",
            Listen("udp:0.0.0.0:5060", "udp", "0.0.0.0", 5060, "edge.example", 5062),
        ),
    ],
)
def test_listen(text: str, expected: Listen) -> None:
    """A listener is named as written, without what it advertises."""
    assert expected == parse_listen(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "udp",
        "udp:",
        "sctp:127.0.0.1:5060",
        "TCP:127.0.0.1:5060",
        "127.0.0.1:5060",
        "udp:127.0.0.1",
        "udp:127.0.0.1:99999",
        "udp:localhost:5060",
        "udp:::1:5060",
        "udp:[::g]:5060",
        "udp:127.0.0.1:5060/",
        "udp:127.0.0.1:5060/advertise=",
        "udp:127.0.0.1:5060/advertise=a b:5060",
        "udp:127.0.0.1:5060/public=a:1",
    ],
)
def test_listen_says_its_form(text: str) -> None:
    """Whatever is wrong, the message shows the whole form."""
    with pytest.raises(ValueError, match=r"expected udp:HOST:PORT, tcp:HOST:PORT or tls:HOST:PORT \(an IPv6"):
        parse_listen(text)


@pytest.mark.parametrize("text", ["udp:0.0.0.0:5060", "udp:[::]:5060"])
def test_listening_everywhere_needs_a_name_to_tell(text: str) -> None:
    """Via: 0.0.0.0 would lead nowhere."""
    with pytest.raises(ValueError, match=r"needs /advertise=HOST:PORT"):
        parse_listen(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sip:198.51.100.10", TrunkAddress("198.51.100.10", None, "")),
        ("sip:198.51.100.10:5070", TrunkAddress("198.51.100.10", 5070, "")),
        ("SIP:trunk.example:5070;Transport=UDP", TrunkAddress("trunk.example", 5070, "udp")),
        ("sip:[2001:DB8::10]:5070;transport=udp", TrunkAddress("2001:db8::10", 5070, "udp")),
        ("sip:trunk.example;transport=tcp", TrunkAddress("trunk.example", None, "tcp")),
        ("sip:trunk.example;transport=TLS", TrunkAddress("trunk.example", None, "tls")),
    ],
)
def test_trunk_uri(text: str, expected: TrunkAddress) -> None:
    """What is not written is left open: it depends on the host (RFC 3263 §4); IPv6 in its canonical spelling."""
    assert expected == parse_trunk_uri(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "198.51.100.10",
        "sips:198.51.100.10",
        "sip:user@198.51.100.10",
        "sip:198.51.100.10:0",
        "sip:198.51.100.10:65536",
        "sip:198.51.100.10;transport=sctp",
        "sip:198.51.100.10;lr",
        "sip:198.51.100.10\r\nX: y",
        "sip:[198.51.100.10]",
        "sip:1.2.3",
        "sip:-",
        "sip:" + "a" * 300,
    ],
)
def test_bad_trunk_uri(text: str) -> None:
    """Nothing but a host, a port and a transport may stand in a trunk's URI."""
    with pytest.raises(ValueError, match="expected"):
        parse_trunk_uri(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.53", ("192.0.2.53", 53)),
        ("192.0.2.53:5353", ("192.0.2.53", 5353)),
        ("2001:db8::53", ("2001:db8::53", 53)),
        ("[2001:db8::53]:53", ("2001:db8::53", 53)),
    ],
)
def test_name_server(text: str, expected: tuple[str, int]) -> None:
    """Port 53 where none is written."""
    assert expected == parse_name_server(text)


@pytest.mark.parametrize("text", ["", "dns.example", "dns.example:53", "[::1]", "192.0.2.53:"])
def test_bad_name_server(text: str) -> None:
    """A name server with a name could never be found."""
    with pytest.raises(ValueError, match="expected"):
        parse_name_server(text)


@pytest.mark.parametrize("text", ["host", "host:", ":1", "a:b:1", "[::1]", "h:123456", "a b:1", "h:65536"])
def test_bad_host_port(text: str) -> None:
    """HOST:PORT needs both."""
    with pytest.raises(ValueError, match="expected"):
        parse_host_port(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.7", "192.0.2.7/32"),
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("::ffff:192.0.2.7", "192.0.2.7/32"),
        ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
        ("::/0", "::/0"),
    ],
)
def test_source(text: str, expected: str) -> None:
    """An IPv4-mapped address is the IPv4 address: a dual-stack socket names it that way."""
    assert expected == str(parse_source(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [("192.0.2.1/24", "192.0.2.0/24"), ("localhost", "an address or a network"), ("192.0.2.0/33", "an address")],
)
def test_bad_source(text: str, message: str) -> None:
    """Host bits are most often a mistyped prefix: the message offers the network."""
    with pytest.raises(ValueError, match=message):
        parse_source(text)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("192.0.2.7", (4, 0xC0000207)),
        ("::ffff:192.0.2.7", (4, 0xC0000207)),
        ("::1", (6, 1)),
        ("fe80::1%eth0", (6, 0xFE80 << 112 | 1)),
        ("localhost", None),
        ("", None),
    ],
)
def test_address_number(host: str, expected: tuple[int, int] | None) -> None:
    """A socket's name of a source, zone and mapping aside, as a number."""
    assert expected == address_number(host)
