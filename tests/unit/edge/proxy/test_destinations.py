"""From a hop to a flow: numeric hosts at once, names by way of the rim."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from network import Wire

from edge.proxy import destinations
from edge.proxy.destinations import Destinations
from edge.proxy.forwarding import Hop, next_hop
from edge.proxy.listeners import Listener
from edge.sip.errors import FieldError
from edge.sip.flow import Flow
from edge.sip.locating import Address, Target
from edge.sip.message import parse

V4 = Listener("4", b"UDP", "192.0.2.10", 5060, "192.0.2.10", 5060)
V6 = Listener("6", b"UDP", "2001:db8::10", 5060, "2001:db8::10", 5060)
TCP = Listener("t", b"TCP", "192.0.2.10", 5060, "192.0.2.10", 5060)
TLS = Listener("s", b"TLS", "192.0.2.10", 5061, "192.0.2.10", 5061)


@pytest.fixture
def wire():
    return Wire(listeners=[V4, V6, TCP, TLS])


@pytest.fixture
def rooms(wire):
    return Destinations(wire.core._node)


def ask(rooms, host, port=5060, transport=b"udp", listener=0, **more):
    heard = []
    rooms.locate(Hop(host, port, transport, **more), listener, 1.0, lambda flows, now: heard.append(flows))
    return heard


@pytest.mark.parametrize(
    ("host", "flow"),
    [(b"192.0.2.1", Flow(0, ("192.0.2.1", 5060))), (b"2001:DB8::1", Flow(1, ("2001:db8::1", 5060)))],
)
def test_a_numeric_host_needs_no_look_up(rooms, wire, host, flow):
    """The listener is the one of its family."""
    for _ in range(2):
        assert [(flow,)] == ask(rooms, host)
    assert wire.core.outbox.resolves == []


AT = ("192.0.2.1", 5060)
SECURE = ("192.0.2.1", 5061)
NUMERIC = [
    (Hop(b"192.0.2.1", None, b""), Flow(0, AT)),
    (Hop(b"192.0.2.1", None, b"udp"), Flow(0, AT)),
    (Hop(b"192.0.2.1", None, b"tcp"), Flow(2, AT, 0, 5060)),
    (Hop(b"192.0.2.1", 5070, b"tcp"), Flow(2, ("192.0.2.1", 5070), 0, 5070)),
    (Hop(b"192.0.2.1", None, b"tls"), Flow(3, SECURE, 0, 5061, ("192.0.2.1",))),
    (Hop(b"192.0.2.1", None, b"", secure=True), Flow(3, SECURE, 0, 5061, ("192.0.2.1",))),
    (Hop(b"192.0.2.1", None, b"tls", names=("a", "b")), Flow(3, SECURE, 0, 5061, ("a", "b"))),
]


@pytest.mark.parametrize(("hop", "flow"), NUMERIC)
def test_transport_and_port_of_a_numeric_host(rooms, hop, flow):
    """RFC 3263 §4.1: UDP where nothing is said, TLS for SIPS; each with its port; TLS with the names to prove."""
    heard = []
    rooms.locate(hop, 0, 1.0, lambda flows, now: heard.append(flows))
    assert [(flow,)] == heard


@pytest.mark.parametrize(
    "hop",
    [
        Hop(b"2001:db8::1", 5060, b"tcp"),
        Hop(b"192.0.2.1", 5060, b"sctp"),
        Hop(b"192.0.2.1", 5060, b"udp", secure=True),
        Hop(b"192.0.2.1", 0, b"udp"),
        Hop(b"192.0.2.1", 65536, b"udp"),
    ],
)
def test_no_way(rooms, hop):
    """A transport or a family that we do not speak, SIPS over anything but TLS, a port that is none."""
    assert [()] == ask(rooms, *hop[:3], secure=hop.secure)


def test_a_name_is_asked_of_the_rim(rooms, wire):
    """And every address that we can reach is taken, in order."""
    heard = ask(rooms, b"trunk.example", 5070)
    (resolve,) = wire.core.outbox.resolves
    assert (heard, resolve.target) == ([], Target("trunk.example", 5070, "udp"))
    found = (Address("udp", "2001:db8::7", 5070), Address("tcp", "192.0.2.7", 5072))
    rooms.resolved(resolve.ticket, found, 2.0)
    assert [(Flow(1, ("2001:db8::7", 5070)), Flow(2, ("192.0.2.7", 5072), 0, 5072))] == heard
    rooms.resolved(resolve.ticket, found, 2.0)
    assert len(heard) == 1


def test_addresses_of_a_family_we_do_not_have_are_passed_over():
    """The next one is taken."""
    wire = Wire(listeners=[V4])
    rooms = Destinations(wire.core._node)
    heard = ask(rooms, b"trunk.example")
    found = (Address("udp", "2001:db8::7", 5060), Address("tls", "192.0.2.8", 5061), Address("udp", "192.0.2.7", 5060))
    rooms.resolved(wire.core.outbox.resolves[0].ticket, found, 2.0)
    assert [(Flow(0, ("192.0.2.7", 5060)),)] == heard


def test_a_name_without_address(rooms, wire):
    """Nowhere."""
    heard = ask(rooms, b"trunk.example")
    rooms.resolved(wire.core.outbox.resolves[0].ticket, (), 2.0)
    assert [()] == heard


def test_look_ups_are_bounded(rooms, wire):
    """Beyond the limit a name counts as unreachable at once."""
    most = destinations._PENDING_LIMIT
    heard = [ask(rooms, b"trunk%d.example" % number) for number in range(most + 1)]
    assert ([], [()], most) == (heard[-2], heard[-1], len(wire.core.outbox.resolves))


def test_what_is_remembered_is_bounded(rooms):
    """Hosts come from outside."""
    most = destinations._NUMERIC_LIMIT
    for number in range(most + 2):
        ask(rooms, b"10.%d.%d.1" % divmod(number, 256))
        assert len(rooms._numeric) <= most
    assert [(Flow(0, ("192.0.2.1", 5060)),)] == ask(rooms, b"192.0.2.1")


@pytest.mark.parametrize("host", [b"\xff\xfe", b"", b"192.0.2.1%eth0", b"fe80::1%1"])
def test_odd_hosts_are_no_exception(rooms, host):
    """Whatever stands there."""
    assert ask(rooms, host) in ([], [(Flow(1, ("fe80::1%1", 5060)),)])


def test_a_large_request_by_tcp(rooms):
    """§18.1.1: the same address by TCP, unless it refused that a short time ago."""
    udp = Flow(0, AT)
    by_tcp = Flow(2, AT, 0, 5060)
    assert by_tcp == rooms.by_tcp(udp, 1.0)
    rooms.refused_tcp(udp, 1.0)
    assert rooms.by_tcp(udp, 2.0) is None
    assert rooms.by_tcp(Flow(0, ("192.0.2.2", 5060)), 2.0) is not None
    assert by_tcp == rooms.by_tcp(udp, 1.0 + destinations.NO_TCP_S)


def test_no_tcp_where_there_is_no_listener_for_it():
    """Nothing to switch to."""
    assert Destinations(Wire(listeners=[V4]).core._node).by_tcp(Flow(0, AT), 1.0) is None


def test_refusals_remembered_are_bounded(rooms):
    """Addresses come from outside."""
    for number in range(destinations._NO_TCP_LIMIT + 2):
        rooms.refused_tcp(Flow(0, ("192.0.2.1", number)), 1.0)
        assert len(rooms._no_tcp) <= destinations._NO_TCP_LIMIT


HOSTS = st.sampled_from(
    [
        "192.0.2.1",
        "198.51.100.7:5070",
        "[2001:DB8::1]",
        "[2001:db8::1]:5062",
        "trunk.example",
        "192.0.2.1:0",
        "a@192.0.2.9",
    ]
)
URI_PARAMS = st.sampled_from(["", ";transport=tcp", ";transport=udp", ";transport=sctp", ";maddr=192.0.2.4", ";lr"])


@given(
    st.sampled_from(["sip:", "sips:", "tel:+33"]), HOSTS, URI_PARAMS, st.integers(0, 2), st.booleans(), st.booleans()
)
def test_at_once_is_what_locate_finds_for_the_next_hop(scheme, host, params, listener, has_tls, has_route):
    """The first time and from memory; and whatever it does not answer is a name, a Route, or a matter of TLS."""
    wire = Wire(listeners=[V4, V6, TCP, TLS] if has_tls else [V4, V6, TCP])
    rooms = Destinations(wire.core._node)
    route = b"Route: <sip:192.0.2.77;lr>\r\n" if has_route else b""
    request = parse(
        f"BYE {scheme}{host}{params} SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n".encode()
        + route
        + b"From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 BYE\r\n\r\n"
    )
    heard = []
    for _ in range(2):
        try:
            hop = next_hop(request)
        except FieldError:
            if not has_tls:
                with pytest.raises(FieldError):
                    rooms.at_once(request, listener)
            return
        flows = rooms.at_once(request, listener)
        # A neighbour may prove other names by TLS too, which the caller knows.
        assert flows is None or not has_tls or all([flow.listener < 2 for flow in flows])
        rooms.locate(hop, listener, 1.0, lambda flows, now: heard.append(flows))
        if flows is None:
            assert has_route or has_tls or "example" in host
        else:
            assert flows == heard.pop()
            rooms.locate(flows, listener, 1.0, lambda flows, now: heard.append(flows))
            assert flows == heard.pop()
            assert not wire.core.outbox.resolves


def test_what_is_remembered_of_uris_is_bounded():
    """In number and in length."""
    wire = Wire(listeners=[V4])
    rooms = Destinations(wire.core._node)
    most = destinations._NUMERIC_LIMIT
    template = "BYE sip:%s@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n"
    rest = b"To: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 BYE\r\n\r\n"
    for user in [*map(str, range(most + 2)), "u" * 300]:
        assert (Flow(0, ("192.0.2.1", 5060)),) == rooms.at_once(parse((template % user).encode() + rest), 0)
        assert len(rooms._by_uri) <= most
    assert not any(b"uuu" in uri for uri, _ in rooms._by_uri)
