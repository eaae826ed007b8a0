"""From a hop to a flow: numeric hosts at once, names by way of the rim."""

import pytest
from network import Wire

from edge.proxy import destinations
from edge.proxy.destinations import Destinations
from edge.proxy.forwarding import Hop
from edge.proxy.listeners import Listener
from edge.sip.flow import Flow

V4 = Listener("4", b"UDP", "192.0.2.10", 5060, "192.0.2.10", 5060)
V6 = Listener("6", b"UDP", "2001:db8::10", 5060, "2001:db8::10", 5060)


@pytest.fixture
def wire():
    return Wire(listeners=[V4, V6])


@pytest.fixture
def rooms(wire):
    return Destinations(wire.core._node)


def ask(rooms, host, port=5060, transport=b"udp", listener=0):
    heard = []
    rooms.locate(Hop(host, port, transport), listener, 1.0, lambda flow, now: heard.append(flow))
    return heard


@pytest.mark.parametrize(
    ("host", "flow"),
    [(b"192.0.2.1", Flow(0, ("192.0.2.1", 5060))), (b"2001:DB8::1", Flow(1, ("2001:db8::1", 5060)))],
)
def test_a_numeric_host_needs_no_look_up(rooms, wire, host, flow):
    """The listener is the one of its family."""
    for _ in range(2):
        assert [flow] == ask(rooms, host)
    assert wire.core.outbox.resolves == []


@pytest.mark.parametrize(
    "hop", [(b"192.0.2.1", 5060, b"tcp"), (b"h", 5060, b"tls"), (b"192.0.2.1", 0), (b"192.0.2.1", 65536)]
)
def test_no_way(rooms, hop):
    """A transport we do not speak, a port that is none."""
    assert [None] == ask(rooms, *hop)


def test_a_name_is_asked_of_the_rim(rooms, wire):
    """And the first address that we can reach is taken."""
    heard = ask(rooms, b"trunk.example", 5070)
    (resolve,) = wire.core.outbox.resolves
    assert (heard, resolve.host, resolve.port) == ([], "trunk.example", 5070)
    rooms.resolved(resolve.ticket, ("2001:db8::7", "192.0.2.7"), 2.0)
    assert [Flow(1, ("2001:db8::7", 5070))] == heard
    rooms.resolved(resolve.ticket, ("192.0.2.7",), 2.0)
    assert len(heard) == 1


def test_addresses_of_a_family_we_do_not_have_are_passed_over():
    """The next one is taken."""
    wire = Wire(listeners=[V4])
    rooms = Destinations(wire.core._node)
    heard = ask(rooms, b"trunk.example")
    rooms.resolved(wire.core.outbox.resolves[0].ticket, ("2001:db8::7", "192.0.2.7"), 2.0)
    assert [Flow(0, ("192.0.2.7", 5060))] == heard


def test_a_name_without_address(rooms, wire):
    """None."""
    heard = ask(rooms, b"trunk.example")
    rooms.resolved(wire.core.outbox.resolves[0].ticket, (), 2.0)
    assert [None] == heard


def test_look_ups_are_bounded(rooms, wire, monkeypatch):
    """Beyond the limit a name counts as unreachable at once."""
    monkeypatch.setattr(destinations, "_PENDING_LIMIT", 2)
    heard = [ask(rooms, b"trunk%d.example" % number) for number in range(3)]
    assert ([[], [], [None]], 2) == (heard, len(wire.core.outbox.resolves))


def test_what_is_remembered_is_bounded(rooms, monkeypatch):
    """Hosts come from outside."""
    monkeypatch.setattr(destinations, "_NUMERIC_LIMIT", 4)
    for number in range(50):
        ask(rooms, b"192.0.2.%d" % number)
    assert len(rooms._numeric) <= 4
    assert [Flow(0, ("192.0.2.1", 5060))] == ask(rooms, b"192.0.2.1")


@pytest.mark.parametrize("host", [b"\xff\xfe", b"", b"192.0.2.1%eth0", b"fe80::1%1"])
def test_odd_hosts_are_no_exception(rooms, host):
    """Whatever stands there."""
    assert ask(rooms, host) in ([], [Flow(1, ("fe80::1%1", 5060))])
