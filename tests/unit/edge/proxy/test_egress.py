"""One trunk, several addresses, several transports: which is tried, in which order, and what the copy says."""

import pytest
from network import CALLER, NOTHING, POLICY, TRUNK_A, TRUNK_B, Caller, Ringing, Wire, policy, reply

from edge.proxy.listeners import Listener
from edge.sip.flow import Flow
from edge.sip.locating import Address
from edge.sip.message import Request

UDP = Listener("udp:192.0.2.10:5060", b"UDP", "192.0.2.10", 5060, "192.0.2.10", 5060)
TCP = Listener("tcp:192.0.2.10:5060", b"TCP", "192.0.2.10", 5060, "192.0.2.10", 5060)
TLS = Listener("tls:192.0.2.10:5061", b"TLS", "192.0.2.10", 5061, "192.0.2.10", 5061)
V6 = Listener("tcp:[2001:db8::10]:5060", b"TCP", "2001:db8::10", 5060, "2001:db8::10", 5060)
ONE, TWO, B = ("198.51.100.11", 5060), ("198.51.100.12", 5060), ("198.51.100.2", 5070)
TO_NAMED = "+33199000001"
LARGE = "v=0\r\n" + "a=x\r\n" * 300


def wire(policy=POLICY, listeners=(UDP, TCP, TLS, V6)):
    return Wire(policy, listeners=list(listeners))


def by(uri, *more, listeners=(UDP, TCP, TLS, V6)):
    """A network whose trunk a has this URI."""
    lines = "\n".join([f'uri = "{uri}"', *more])
    return wire(POLICY.replace('uri = "sip:198.51.100.1:5060"', lines), listeners)


def start(network, **more):
    caller = Caller(network, **({"called": TO_NAMED} | more.pop("caller", {})))
    caller.start(**more)
    return caller


# -- RFC 3263 §4.3 -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failure", ["transport", "silence", "503"])
def test_each_address_of_a_trunk_before_the_next_trunk(failure):
    """A transport failure, silence and a 503 lead on; the last address of a trunk leads to the next trunk."""
    network = wire()
    if failure == "transport":
        network.unreachable |= {ONE, TWO}
    start(network)
    network.resolve(ONE[0], TWO[0])
    for address in (ONE, TWO):
        invites = network.requests_to(address, b"INVITE")
        assert len(invites) == (0 if failure == "transport" else 1)
        if failure == "silence":
            network.advance(4.1)
        elif failure == "503":
            network.send(reply(invites[0], 503), address)
    (invite,) = network.requests_to(B, b"INVITE")
    network.send(reply(invite, 486), B)
    status = {"transport": 503, "silence": 408, "503": 503}[failure]
    (facts,) = network.ended
    assert [("named", status), ("named", status), ("b", 486)] == facts.candidates
    assert len(network.told("trunk.next_address")) == 1
    network.advance(300)
    assert (network.in_use(), network.held["transactions"]) == (0, 0)


@pytest.mark.parametrize("status", [486, 404, 500, 603])
def test_what_the_far_end_says_is_not_asked_twice(status):
    """Only what speaks of the address leads to another one."""
    network = wire()
    start(network)
    network.resolve(ONE[0], TWO[0])
    (invite,) = network.requests_to(ONE, b"INVITE")
    network.send(reply(invite, status), ONE)
    assert (network.requests_to(TWO), network.ended[0].status) == ([], status)


def test_a_cancelled_call_tries_no_further_address():
    """The caller has gone."""
    network = wire()
    caller = start(network)
    network.resolve(ONE[0], TWO[0])
    (invite,) = network.requests_to(ONE, b"INVITE")
    network.send(reply(invite, 180), ONE)
    caller.cancel()
    network.send(reply(invite, 503), ONE)
    assert (network.requests_to(TWO), network.ended[0].reason) == ([], "cancelled")


def test_addresses_of_several_transports():
    """NAPTR may lead to TLS first and UDP at last; each copy says its own transport, with two Record-Routes."""
    network = wire()
    network.unreachable.add(ONE)
    start(network)
    ticket, _ = network.resolves.pop(0)
    found = (Address("tls", *ONE), Address("tcp", "2001:db8::5", 5060), Address("udp", *TWO))
    network.core.resolved(ticket, found, network.now)
    network.pump()
    (invite,) = network.requests_to(("2001:db8::5", 5060), b"INVITE")
    assert invite.via().raw.startswith(b"SIP/2.0/TCP [2001:db8::10]:5060;")
    first, second = invite.list_values(b"record-route")
    assert first.endswith(b"@[2001:db8::10]:5060;transport=tcp;lr>")
    assert second.endswith(b"@192.0.2.10:5060;lr>")


# -- transports --------------------------------------------------------------------------------------------------------

BRIDGES = [
    ("sip:198.51.100.1:5060;transport=tcp", Flow(1, ("198.51.100.1", 5060), 0, 5060), b"TCP 192.0.2.10:5060"),
    ("sip:198.51.100.1;transport=tcp", Flow(1, ("198.51.100.1", 5060), 0, 5060), b"TCP 192.0.2.10:5060"),
    (
        "sip:198.51.100.1;transport=tls",
        Flow(2, ("198.51.100.1", 5061), 0, 5061, ("198.51.100.1",)),
        b"TLS 192.0.2.10:5061",
    ),
    ("sip:[2001:db8::1];transport=tcp", Flow(3, ("2001:db8::1", 5060), 0, 5060), b"TCP [2001:db8::10]:5060"),
]


@pytest.mark.parametrize(("uri", "flow", "via"), BRIDGES)
def test_a_call_crosses_from_udp_to_the_transport_of_the_trunk(uri, flow, via):
    """Via, Record-Route and flow are those of the listener it leaves by; a missing Content-Length is written."""
    network = by(uri)
    caller = Caller(network)
    data = caller.request("INVITE").replace(b"Content-Length: 0\r\n", b"")
    network.send(data)
    (message, sent_by), *_ = [(m, f) for m, f in network.sent if f.listener]
    assert (flow, b"0") == (sent_by, message.value(b"content-length"))
    assert message.via().raw.startswith(b"SIP/2.0/" + via)
    assert len(message.list_values(b"record-route")) == 2


def test_names_that_the_trunks_certificate_must_prove():
    """`tls_names` in the place of the host."""
    network = by("sip:198.51.100.1;transport=tls", 'tls_names = ["SIP.carrier.example", "*.carrier.example"]')
    Caller(network).start()
    assert [f.names for _, f in network.sent if f.listener == 2] == [("sip.carrier.example", "*.carrier.example")]


def test_a_trunk_whose_transport_is_not_listened_on_is_passed_over():
    """Nothing could come back."""
    network = by("sip:198.51.100.1:5060;transport=tcp", listeners=(UDP,))
    Caller(network).start()
    assert (len(network.requests_to(B, b"INVITE")), len(network.told("trunk.unreachable"))) == (1, 1)


def test_over_tcp_nothing_is_repeated():
    """§17.1.1.2: the transport does that. (The next trunk is tried after its silence all the same.)"""
    network = by("sip:198.51.100.1:5060;transport=tcp", "silence_s = 60")
    Caller(network).start()
    network.advance(31)
    assert [m for m, f in network.sent if f.listener == 1 and m.method == b"INVITE"] == [
        m for m, f in network.sent if f.listener == 1
    ][:1]


def test_a_lost_connection_leads_to_the_next_trunk_unless_the_trunk_has_answered():
    """Without a response nobody has the call; with one the answer may come by another connection (§18.2.2)."""
    network = by("sip:198.51.100.1:5060;transport=tcp")
    flow = Flow(1, ("198.51.100.1", 5060), 0, 5060)
    caller = Caller(network)
    caller.start()
    network.core.flow_failed(flow, network.now)
    network.pump()
    assert len(network.requests_to(B, b"INVITE")) == 1

    network = by("sip:198.51.100.1:5060;transport=tcp")
    ringing = Ringing(network)
    network.core.flow_failed(flow, network.now)
    network.pump()
    assert network.requests_to(B) == []
    ringing.callee.answer(200)
    assert network.statuses_to(CALLER) == [200]


# -- §18.1.1 -----------------------------------------------------------------------------------------------------------


def flows(network):
    """Listener of each INVITE that left, in order."""
    return [f.listener for m, f in network.sent if getattr(m, "method", b"") == b"INVITE"]


def test_a_large_request_goes_by_tcp_where_the_trunk_allows():
    """And says TCP in Via and Record-Route; a small one stays on UDP."""
    network = by("sip:198.51.100.1:5060", 'large_requests = "tcp"')
    Caller(network).start(body=LARGE)
    (invite,) = [m for m, f in network.sent if f.listener == 1]
    assert invite.via().transport == b"TCP"
    assert b";transport=tcp;lr>" in invite.list_values(b"record-route")[0]
    Caller(network).start()
    assert (flows(network), network.core.counters.oversize_sent) == ([1, 0], 0)


def test_a_large_request_stays_on_udp_where_nothing_else_is_allowed():
    """By default, and where no TCP is listened on. It is counted."""
    for network in (
        by("sip:198.51.100.1:5060"),
        by("sip:198.51.100.1:5060", 'large_requests = "tcp"', listeners=(UDP,)),
    ):
        Caller(network).start(body=LARGE)
        assert (flows(network), network.core.counters.oversize_sent) == ([0], 1)


def test_a_large_request_falls_back_to_udp_when_tcp_is_refused():
    """The same address, at once; for a while the next one does not ask for TCP again."""
    network = by("sip:198.51.100.1:5060", 'large_requests = "tcp"')
    Caller(network).start(body=LARGE)
    network.core.flow_failed(Flow(1, ("198.51.100.1", 5060), 0, 5060), network.now)
    network.pump()
    assert flows(network) == [1, 0]
    Caller(network).start(body=LARGE)
    assert flows(network) == [1, 0, 0]
    network.advance(61)
    network.sent.clear()
    Caller(network).start(body=LARGE)
    assert flows(network) == [1]


def established(network):
    """A small call over UDP, answered."""
    caller = Caller(network)
    caller.start()
    ((invite, flow),) = [(m, f) for m, f in network.sent if getattr(m, "method", b"") == b"INVITE"]
    assert flow.listener == 0
    network.sent.clear()
    network.send(reply(invite, 200, contact="sip:callee@198.51.100.1:5060"), ("198.51.100.1", 5060))
    (answer,) = network.responses_to(CALLER)
    caller.learn(answer)
    caller.ack()
    network.sent.clear()
    return caller


@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "MESSAGE"])
def test_a_large_request_in_the_dialog_goes_by_tcp_too(method):
    """As the INVITE would; and by UDP to the same address where that is refused, this one and the next."""
    network = by("sip:198.51.100.1:5060", 'large_requests = "tcp"')
    caller = established(network)
    caller.say(method, body=LARGE)
    ((request, flow),) = [(m, f) for m, f in network.sent if isinstance(m, Request)]
    assert (flow.listener, flow.address, request.via().transport) == (1, ("198.51.100.1", 5060), b"TCP")
    network.sent.clear()
    network.core.flow_failed(Flow(1, ("198.51.100.1", 5060), 0, 5060), network.now)
    network.pump()
    ((again, flow),) = [(m, f) for m, f in network.sent if isinstance(m, Request)]
    assert (flow.listener, again.cseq(), again.via().transport) == (0, request.cseq(), b"UDP")
    network.sent.clear()
    network.send(reply(again, 200, tag=""), ("198.51.100.1", 5060))
    assert network.statuses_to(CALLER)[-1] == 200
    network.sent.clear()
    caller.say("INFO", body=LARGE)
    assert [f.listener for m, f in network.sent if isinstance(m, Request)] == [0]


def test_small_ones_and_those_of_the_callee_stay_where_they_are():
    """Only what is large, and only toward the trunk that allows it."""
    network = by("sip:198.51.100.1:5060", 'large_requests = "tcp"')
    established(network).say("INFO", body="x" * 100)
    assert [f.listener for m, f in network.sent if isinstance(m, Request)] == [0]
    network = by("sip:198.51.100.1:5060")
    established(network).say("INFO", body=LARGE)
    assert [f.listener for m, f in network.sent if isinstance(m, Request)] == [0]


# -- SIPS --------------------------------------------------------------------------------------------------------------


def secure(network, called="+33170000001"):
    caller = Caller(network)
    data = caller.request("INVITE", uri=f"sips:{called}@192.0.2.10:5061").replace(b"SIP/2.0/UDP", b"SIP/2.0/TLS")
    network.core.connected(9)
    network.core.received(data, Flow(2, CALLER, 9), network.now)
    network.pump()
    return [(m, f) for m, f in network.sent if getattr(m, "method", b"") == b"INVITE"]


def test_sips_goes_by_tls_with_sips_in_every_uri():
    """§16.6 item 4, §26.2.2: Request-URI and Record-Route stay SIPS."""
    ((message, flow),) = secure(by("sip:198.51.100.1;transport=tls"))
    assert (2, b"sips:+33170000001@198.51.100.1:5061") == (flow.listener, message.uri)
    (route,) = message.list_values(b"record-route")
    assert route.startswith(b"<sips:")
    assert route.endswith(b"@192.0.2.10:5061;lr>")


@pytest.mark.parametrize("uri", ["sip:198.51.100.1:5060", "sip:198.51.100.1:5060;transport=tcp"])
def test_sips_goes_to_no_trunk_that_takes_less(uri):
    """The caller asked for TLS all the way: a call that cannot have it fails."""
    network = by(uri)
    assert secure(network) == []
    assert (network.ended[0].status, network.ended[0].reason) == (503, "trunks_failed")


def test_an_emergency_call_goes_anywhere():
    """R16, and by a plain URI."""
    ((message, flow),) = secure(by("sip:198.51.100.1:5060"), "112")
    assert (0, b"sip:112@198.51.100.1:5060") == (flow.listener, message.uri)


def test_without_sips_a_call_may_cross_from_tls_to_udp():
    """Two Record-Routes, neither of them SIPS (§16.6 item 4)."""
    network = wire()
    caller = Caller(network)
    network.core.connected(9)
    network.core.received(caller.request("INVITE"), Flow(2, CALLER, 9), network.now)
    network.pump()
    ((message, flow),) = [(m, f) for m, f in network.sent if getattr(m, "method", b"") == b"INVITE"]
    outer, inner = message.list_values(b"record-route")
    assert flow.listener == 0
    assert outer.endswith(b"@192.0.2.10:5060;lr>")
    assert inner.endswith(b"@192.0.2.10:5061;transport=tls;lr>")


def test_a_response_without_a_length_gets_one_on_a_stream():
    """§18.3: a trunk on UDP may leave it out, the caller on TCP could not tell where the message ends."""
    network = wire()
    caller = Caller(network)
    network.core.connected(9)
    network.core.received(caller.request("INVITE"), Flow(1, CALLER, 9), network.now)
    network.pump()
    (invite,) = network.requests_to(("198.51.100.1", 5060), b"INVITE")
    lines = reply(invite, 486).split(b"\r\n")
    bare = b"\r\n".join([line for line in lines if not line.lower().startswith(b"content-length")])
    assert bare.count(b"ontent-") == 0
    network.send(bare, ("198.51.100.1", 5060))
    *_, response = network.responses_to(CALLER)
    assert (response.status, response.value(b"content-length")) == (486, b"0")


# -- digits ----------------------------------------------------------------------------------------------------------


def test_each_trunk_gets_the_number_as_it_wants_it():
    """The Request-URI alone; the record says what was sent last, To is the caller's."""
    text = policy(called='[{ prefix = "+33", replace = "00" }, { prefix = "+", replace = "+" }]')
    network = Wire(text)
    Caller(network, called="0170000001").start()
    (invite,) = network.requests_to(TRUNK_A, b"INVITE")
    assert invite.uri == b"sip:00170000001@198.51.100.1:5060"
    assert invite.to().uri == b"sip:0170000001@192.0.2.10:5060"
    network.send(reply(invite, 503), TRUNK_A)
    (invite,) = network.requests_to(TRUNK_B, b"INVITE")
    assert invite.uri == b"sip:0170000001@198.51.100.2:5070"
    network.send(reply(invite, 486), TRUNK_B)
    (facts,) = network.ended
    assert (facts.called, facts.called_rewritten) == ("+33170000001", "")


@pytest.mark.parametrize(
    ("rules", "sent"), [("", "+33170000001"), ('called = [{ prefix = "+", replace = "" }]', "33170000001")]
)
def test_a_tech_prefix_stays_on_the_ingress_side(rules, sent):
    """It is no part of the number; the record has it in what was dialled."""
    text = POLICY.replace('account = "acme"', 'tech_prefixes = { "9901" = "acme" }', 1).replace(
        'uri = "sip:198.51.100.1:5060"', f'uri = "sip:198.51.100.1:5060"\n{rules}'
    )
    network = Wire(text)
    caller = Caller(network, called="9901+33170000001")
    caller.start()
    (invite,) = network.requests_to(TRUNK_A, b"INVITE")
    assert invite.uri == f"sip:{sent}@198.51.100.1:5060".encode()
    caller.cancel()
    network.send(reply(invite, 180), TRUNK_A)
    (cancel,) = network.requests_to(TRUNK_A, b"CANCEL")
    assert cancel.uri == invite.uri
    network.send(reply(invite, 487), TRUNK_A)
    (facts,) = network.ended
    assert (facts.account, facts.called_original) == ("acme", "9901+33170000001")
    assert (facts.called, facts.called_rewritten) == ("+33170000001", sent)
    network.advance(300)
    assert network.held == NOTHING
