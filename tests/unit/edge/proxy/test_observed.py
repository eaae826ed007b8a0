"""Where a caller really is, and how a token carries it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from network import CALLER, EDGE, POLICY, TRUNK_A, Callee, Established, Wire, reply

from edge.proxy.forwarding import stamp_top_via
from edge.proxy.listeners import Listener
from edge.proxy.observed import flow_from, flow_text, is_elsewhere, mark_in
from edge.sip.flow import Flow
from edge.sip.message import parse

SOURCE = ("203.0.113.7", 40_000)


def invite(via="SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bK1;rport", contact="<sip:a@10.0.0.5:5060>", *more):
    lines = ["INVITE sip:b@h SIP/2.0", f"Via: {via}", *more, "From: <sip:a@h>;tag=1", "To: <sip:b@h>", "Call-ID: c"]
    lines += ["CSeq: 1 INVITE", *([f"Contact: {contact}"] if contact else []), "", ""]
    message = parse("\r\n".join(lines).encode())
    stamp_top_via(message, Flow(0, SOURCE))
    return message


HERE = "SIP/2.0/UDP 203.0.113.7:40000;branch=z9hG4bK1;rport"
CASES = [
    ("behind translation", invite(), "auto", False, True),
    ("without rport", invite("SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bK1"), "auto", False, True),
    ("another port only", invite("SIP/2.0/UDP 203.0.113.7:5060;branch=z9hG4bK1;rport", "<sip:a@203.0.113.7:5060>"),
     "auto", False, True),
    ("where it says", invite(HERE, "<sip:a@203.0.113.7:40000>"), "auto", False, False),
    ("another port, and it did not ask", invite("SIP/2.0/UDP 203.0.113.7:5060;branch=z9hG4bK1", "<sip:a@203.0.113.7>"),
     "auto", False, False),
    ("a Contact elsewhere on purpose", invite(contact="<sip:a@198.51.100.99>"), "auto", False, False),
    ("no Contact", invite(contact=""), "auto", False, False),
    ("a Contact nobody can read", invite(contact="<sip:a@"), "auto", False, False),
    ("a Contact that is no SIP URI", invite(contact="<tel:+331>"), "auto", False, False),
    ("switched off", invite(), "off", True, False),
    ("always", invite(HERE, "<sip:a@203.0.113.7:40000>"), "always", False, True),
    ("a connection", invite(HERE, "<sip:a@203.0.113.7:40000>"), "auto", True, True),
    ("a proxy before it", invite("SIP/2.0/UDP p, SIP/2.0/UDP 10.0.0.5"), "always", True, False),
    ("a proxy that stays in the way", invite(HERE, "<sip:a@h>", "Record-Route: <sip:p;lr>"), "always", True, False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("message", "nat", "is_reliable", "elsewhere"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_is_it_elsewhere(message, nat, is_reliable, elsewhere):
    """Both Via and Contact name an address other than the one it sends from; or it stands behind a connection."""
    assert elsewhere is is_elsewhere(message, Flow(0, SOURCE), nat, is_reliable=is_reliable)


@given(
    address=st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str),
    port=st.integers(0, 65535),
    connection=st.integers(0, 2**40),
)
def test_a_flow_comes_back_from_its_text(address, port, connection):
    """Letters and digits only, as a token's quick road wants it."""
    flow = Flow(3, (address, port), connection)
    text = flow_text(flow)
    assert text.isalnum()
    assert flow == flow_from(text, 3)


@pytest.mark.parametrize("text", [b"", b"5", b"4", b"4zz", b"6c0000201", b"4c00002011", b"4c0000201138zcz"])
def test_what_is_no_flow(text):
    """None, and no exception."""
    found = flow_from(text, 0)
    assert found is None or found.address[1] < 65536


def test_an_address_with_a_zone_is_not_written_down():
    """It means nothing to anybody else."""
    assert flow_text(Flow(0, ("fe80::1%eth0", 5060))) == b""


# -- the whole way -----------------------------------------------------------------------------------------------------

NATTED = POLICY.replace('sources = ["192.0.2.1/32", "2001:db8::1/128"]', 'sources = ["203.0.113.7"]')
UDP = Listener("udp:192.0.2.10:5060", b"UDP", "192.0.2.10", 5060, "192.0.2.10", 5060)
TCP = Listener("tcp:192.0.2.10:5060", b"TCP", "192.0.2.10", 5060, "192.0.2.10", 5060)


class Behind:
    """A call of a caller that names 192.0.2.1 and sends from another address; it has been answered."""

    def __init__(self, wire, source=SOURCE, connection=0):
        self.wire, self.source, self.connection = wire, source, connection
        self.call = None

    def send(self, data):
        listener = 1 if self.connection else 0
        self.wire.core.received(data, Flow(listener, self.source, self.connection), self.wire.now)
        self.wire.pump()


def answered(wire, behind):
    from network import Caller

    if behind.connection:
        wire.core.connected(behind.connection)
    caller = Caller(wire)
    behind.send(caller.request("INVITE"))
    (found,) = wire.requests_to(TRUNK_A, b"INVITE")
    callee = Callee(wire, found)
    callee.answer(200)
    *_, answer = wire.responses_to(behind.source)
    caller.learn(answer)
    behind.send(caller.in_dialog("ACK", cseq=1))
    wire.requests_to(TRUNK_A)
    return caller, callee


@pytest.mark.parametrize("restarted", [False, True])
def test_the_callees_bye_goes_where_the_caller_is(restarted):
    """Not to its Contact; after a restart the token tells."""
    wire = Wire(NATTED)
    caller, callee = answered(wire, Behind(wire))
    if restarted:
        wire.new_core()
    callee.say("BYE")
    (bye,) = wire.requests_to(SOURCE, b"BYE")
    assert wire.requests_to(CALLER) == []
    wire.send(reply(bye, 200), SOURCE)
    assert wire.statuses_to(TRUNK_A) == [200]
    behind = Behind(wire)
    behind.send(caller.in_dialog("INFO", cseq=2))
    assert wire.methods_to(TRUNK_A) == [b"INFO"]


def test_the_edges_own_bye_goes_there_too():
    """Teardown."""
    wire = Wire(NATTED)
    answered(wire, Behind(wire))
    wire.core.hang_up_all("edge_stopped", wire.now)
    wire.pump()
    assert (wire.methods_to(SOURCE), wire.methods_to(CALLER)) == ([b"BYE"], [])


def test_a_caller_that_moves_is_followed():
    """Its re-INVITE comes from another address: the translator has forgotten the old one."""
    wire = Wire(NATTED)
    caller, callee = answered(wire, Behind(wire))
    moved = Behind(wire, ("203.0.113.7", 41_000))
    moved.send(caller.in_dialog("INFO", cseq=2))
    callee.say("BYE")
    assert (wire.methods_to(SOURCE), wire.methods_to(moved.source)) == ([], [b"BYE"])


@pytest.mark.parametrize("is_up", [True, False])
def test_a_caller_behind_a_connection(is_up):
    """By the connection of its INVITE while that is up; then by its Contact."""
    wire = Wire(NATTED, listeners=[UDP, TCP])
    behind = Behind(wire, connection=77)
    _, callee = answered(wire, behind)
    if not is_up:
        wire.core.disconnected(77)
    callee.say("BYE")
    flows = [flow for message, flow in wire.sent if getattr(message, "method", b"") == b"BYE"]
    assert [Flow(1, SOURCE, 77) if is_up else Flow(0, CALLER)] == flows


def test_a_forged_flow_in_a_token_leads_nowhere():
    """The signature covers it: nobody can aim the edge at an address of his choice."""
    wire = Wire(NATTED)
    caller, _ = answered(wire, Behind(wire))
    genuine = caller.routes[0]
    token = genuine.split(b":", 1)[1].split(b"@")[0]
    uid, flow, signature = token.split(b"-")
    forged = b"-".join((uid, flow_text(Flow(0, ("198.51.100.66", 5060))), signature))
    wire.new_core()
    caller.routes = [genuine.replace(token, forged)]
    wire.send(caller.in_dialog("BYE", cseq=9), TRUNK_A)
    assert (wire.requests_to(("198.51.100.66", 5060)), wire.statuses_to(TRUNK_A)) == ([], [481])
    assert flow == flow_text(Flow(0, SOURCE))


def test_a_caller_that_is_where_it_says_has_a_short_token():
    """No flow in it: nothing is added to the way of most calls."""
    call = Established(Wire())
    assert call.invite.list_values(b"record-route")[0].count(b"-") == 1
    assert EDGE.encode() in call.invite.list_values(b"record-route")[0]


def test_always_answers_where_the_request_came_from():
    """A caller that does not ask (RFC 3581) and is known to need it."""
    wire = Wire(NATTED.replace('account = "acme"', 'account = "acme"\nnat = "always"', 1))
    from network import Caller

    caller = Caller(wire)
    Behind(wire).send(caller.request("INVITE").replace(b";rport", b""))
    assert wire.statuses_to(SOURCE) == [100]


@pytest.mark.parametrize("flow", [None, Flow(0, ("192.0.2.1", 5060)), Flow(0, ("2001:db8::1", 65535), 12)])
def test_a_mark_of_the_trunks_beside_a_flow(flow: Flow | None) -> None:
    """Each is read without the other, and there may be either alone."""
    text = b"" if flow is None else flow_text(flow)
    assert (flow_from(text, 0), mark_in(text)) == (flow, b"")
    assert (flow_from(text + b"t0123456789abcdef", 0), mark_in(text + b"t0123456789abcdef")) == (
        flow,
        b"0123456789abcdef",
    )
