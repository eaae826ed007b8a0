"""What enters the core and what it answers by itself: §16.3, OPTIONS, other methods, CANCEL, malformed input."""

import pytest
from network import (
    CALLER,
    NOTHING,
    POLICY,
    STRANGER,
    TRUNK_A,
    Callee,
    Caller,
    Established,
    Ringing,
    Wire,
    hang_up,
    reply,
)

from edge.config.parsing import parse_policy
from edge.config.snapshot import PolicySnapshot
from edge.proxy.listeners import Listener
from edge.sip.flow import Flow
from edge.sip.message import parse

OURS = "sip:192.0.2.10:5060"

# -- §16.3 -------------------------------------------------------------------------------------------------------------

FAULTS = [
    ("no hops left", {"hops": "Max-Forwards: 0"}, 483, "too_many_hops", {}),
    ("hops that are none", {"hops": "Max-Forwards: 300"}, 400, "bad_request", {}),
    ("Proxy-Require", {"extra": "Proxy-Require: foo, bar"}, 420, "bad_extension", {b"unsupported": [b"foo, bar"]}),
    ("scheme", {"uri": "http://example/"}, 416, "unsupported_scheme", {}),
    ("Request-URI", {"uri": "sip:@"}, 400, "bad_request", {}),
    ("Route", {"extra": "Route: <sip:x"}, 400, "bad_request", {}),
    ("Route of another scheme", {"extra": "Route: <tel:+331>"}, 400, "bad_request", {}),
    ("Contact", {"extra": "Contact: <sip:x"}, 400, "bad_request", {}),
    ("Max-Breadth", {"extra": "Max-Breadth: 0"}, 400, "bad_request", {}),
    (
        "lists without end",
        {"extra": "Via: " + ",".join(["SIP/2.0/UDP h;branch=z9hG4bK1"] * 200)},
        400,
        "bad_request",
        {},
    ),
]


@pytest.mark.parametrize(
    ("options", "status", "reason", "headers"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS]
)
def test_requests_that_16_3_does_not_let_in(wire, options, status, reason, headers):
    """Answered with a Reason and what the status asks for; an INVITE leaves its record; nothing is forwarded."""
    caller = Caller(wire)
    wire.send(caller.request("INVITE", **options))
    (answer,) = wire.responses_to(CALLER)
    assert (status, True) == (answer.status, b'text="%b"' % reason.encode() in answer.value(b"reason"))
    assert headers == {name: answer.values(name) for name in headers}
    (facts,) = wire.ended
    assert (reason, status, "edge", caller.call_id) == (facts.reason, facts.status, facts.release_side, facts.call_id)
    assert ({reason: 1}, 1) == (wire.core.counters.refused, wire.core.counters.attempts)
    assert wire.requests_to(TRUNK_A) == []
    caller.ack_failure(answer)
    wire.advance(200)
    assert wire.held == NOTHING


def test_a_fault_inside_a_dialog_is_no_attempt(wire):
    """483 to an INFO or a re-INVITE: no record, and the call goes on."""
    call = Established(wire)
    for method in ("INFO", "INVITE"):
        wire.send(call.caller.in_dialog(method).replace(b"Max-Forwards: 70", b"Max-Forwards: 0"))
    assert (wire.statuses_to(CALLER), wire.ended, wire.core.counters.attempts) == ([483, 483], [], 1)


@pytest.mark.parametrize(
    ("old", "new"), [(b"From: <sip:", b"From: <sip"), (b"To: <sip:", b"To: sip <"), (b"To: <", b'To: "x <')]
)
def test_an_address_that_cannot_be_read(wire, old, new):
    """400, counted with the fault's name; there are no tags to make a record of."""
    wire.send(Caller(wire).request("INVITE").replace(old, new))
    assert (wire.statuses_to(CALLER), sum(wire.core.counters.malformed.values())) == ([400], 1)
    assert wire.told("message.malformed")[0]["source"] == "192.0.2.1:5060"


def test_one_hop_left_is_enough(wire):
    """It leaves with none."""
    wire.send(Caller(wire).request("INVITE", hops="Max-Forwards: 1"))
    assert [b"0"] == wire.requests_to(TRUNK_A)[0].values(b"max-forwards")


def test_a_request_without_max_forwards_passes(wire):
    """RFC 2543 had none."""
    wire.send(Caller(wire).request("INVITE", hops=""))
    assert [b"70"] == wire.requests_to(TRUNK_A)[0].values(b"max-forwards")


def test_without_rport_the_answer_goes_to_the_port_of_the_via(wire):
    """§18.2.2: to the address it came from, and the port the sender names; 5060 where it names none."""
    data = Caller(wire).request("OPTIONS", uri=OURS).replace(b";rport", b"")
    for via, port in ((b"192.0.2.1:5062", 5062), (b"192.0.2.1", 5060), (b"pc.example:5063", 5063)):
        wire.send(data.replace(b"192.0.2.1:5060;branch=", via + b";branch=" + b"z9hG4bK%d" % port), ("192.0.2.1", 7777))
        assert wire.statuses_to(("192.0.2.1", port)) == [200]


def test_a_loop_is_refused(wire):
    """482, with a record."""
    wire.send(Caller(wire).request("INVITE"))
    (sent,) = wire.requests_to(TRUNK_A)
    sent.set_uri(b"sip:+33170000001@192.0.2.10:5060")
    sent.remove(b"record-route")
    sent.prepend(b"Via", b"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKback")
    wire.send(sent.render())
    assert (wire.statuses_to(CALLER), [f.reason for f in wire.ended]) == ([100, 482], ["loop"])


def test_an_ack_that_loops_is_dropped(wire):
    """It cannot be answered."""
    call = Established(wire)
    ack = call.caller.in_dialog("ACK", cseq=1)
    wire.send(ack)
    (sent,) = wire.requests_to(TRUNK_A)
    via = b"Via: " + sent.values(b"via")[0] + b"\r\nMax-Forwards"
    wire.send(ack.replace(b"Max-Forwards", via))
    assert (wire.sent, wire.core.counters.drops) == ([], {"ack_looped": 1})


# -- OPTIONS and other methods -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("uri", [OURS, "sip:ping@192.0.2.10"])
@pytest.mark.parametrize("hops", ["Max-Forwards: 70", "Max-Forwards: 0"])
def test_options_to_the_edge(wire, uri, hops):
    """200 with our capabilities (§11.2), from anyone, also with no hops left; a retransmission is answered again."""
    caller = Caller(wire, source=STRANGER)
    for _ in range(2):
        # A stranger gets no more than it sent: this one asks with many words.
        wire.send(caller.request("OPTIONS", uri=uri, hops=f"{hops}\nSubject: {'x' * 200}"), STRANGER)
    answer, again = wire.responses_to(STRANGER)
    assert (200, True) == (answer.status, answer.render() == again.render())
    assert b"PRACK" in answer.list_values(b"allow")
    assert (b"application/sdp", 1) == (answer.value(b"accept"), wire.core.counters.options)
    assert answer.to().tag
    wire.advance(200)
    assert wire.held == NOTHING


def test_options_through_the_edge_to_the_edge(wire):
    """A Route that names us is taken off first (an outbound proxy)."""
    wire.send(Caller(wire).request("OPTIONS", uri=OURS, extra="Route: <sip:192.0.2.10;lr>"))
    assert wire.statuses_to(CALLER) == [200]


def test_options_while_draining(wire):
    """503 with Retry-After: send your calls elsewhere."""
    wire.core.drain()
    wire.send(Caller(wire).request("OPTIONS", uri=OURS))
    (answer,) = wire.responses_to(CALLER)
    assert (answer.status, answer.value(b"retry-after")) == (503, b"1")


@pytest.mark.parametrize(("hops", "status"), [("Max-Forwards: 70", 405), ("Max-Forwards: 0", 483)])
def test_options_to_somebody_else(wire, hops, status):
    """The edge is no open proxy."""
    wire.send(Caller(wire).request("OPTIONS", uri="sip:bob@203.0.113.1", hops=hops))
    assert (wire.statuses_to(CALLER), wire.requests_to(("203.0.113.1", 5060))) == ([status], [])


@pytest.mark.parametrize("method", ["REGISTER", "MESSAGE", "SUBSCRIBE", "NOTIFY", "PUBLISH", "INFO", "UPDATE", "X-NEW"])
def test_other_methods_outside_a_dialog(wire, method):
    """405 with Allow."""
    wire.send(Caller(wire).request(method))
    (answer,) = wire.responses_to(CALLER)
    assert (405, b"INVITE, ACK, CANCEL, OPTIONS") == (answer.status, answer.value(b"allow"))
    assert (wire.ended, wire.core.counters.attempts, wire.core.counters.refused) == ([], 0, {})


def test_methods_that_policy_forbids():
    """403 without Allow."""
    wire = Wire(POLICY + '[methods]\nforbidden = ["REGISTER"]\n')
    wire.send(Caller(wire).request("REGISTER"))
    (answer,) = wire.responses_to(CALLER)
    assert (403, None) == (answer.status, answer.value(b"allow"))


def test_a_bye_of_no_dialog(wire):
    """481 (§15.1.2)."""
    wire.send(Caller(wire).request("BYE"))
    assert (wire.statuses_to(CALLER), wire.core.counters.indialog_unknown) == ([481], 1)


# -- CANCEL ------------------------------------------------------------------------------------------------------------

FOREIGN_CANCELS = [
    ("another branch", {"branch": "z9hG4bKelse"}, b"", b"", CALLER),
    ("another host", {}, b"", b"", STRANGER),
    ("another Call-ID", {}, b"Call-ID: ", b"Call-ID: x", CALLER),
    ("another CSeq", {"cseq": 2}, b"", b"", CALLER),
]


@pytest.mark.parametrize(
    ("options", "old", "new", "source"), [row[1:] for row in FOREIGN_CANCELS], ids=[row[0] for row in FOREIGN_CANCELS]
)
def test_a_cancel_of_nothing(wire, options, old, new, source):
    """481; the call rings on: nobody cancels what he has not sent (§9.1, §22.1)."""
    call = Ringing(wire)
    wire.send(call.caller.request("CANCEL", **options).replace(old, new), source)
    assert (wire.statuses_to(source), wire.requests_to(TRUNK_A)) == ([481], [])
    assert (wire.core.counters.cancels_unmatched, len(wire.core.calls)) == (1, 1)


def test_a_cancel_of_another_method(wire):
    """The CSeq says otherwise than the request line: 400."""
    call = Ringing(wire)
    wire.send(call.caller.request("CANCEL").replace(b"1 CANCEL", b"1 INVITE"))
    assert (wire.statuses_to(CALLER), wire.requests_to(TRUNK_A)) == ([400], [])


def test_a_cancel_of_a_refused_request(wire):
    """200, and nothing more: its final response has gone."""
    caller = Caller(wire)
    wire.send(caller.request("INVITE", hops="Max-Forwards: 0"))
    caller.cancel()
    assert wire.statuses_to(CALLER) == [483, 200]


def test_a_caller_of_rfc_2543(wire):
    """No magic cookie: the INVITE is found by its fields, for its retransmission, its CANCEL and its ACK."""
    call = Ringing(wire)
    old = Caller(wire)
    old.branch = "1"
    old.start()
    (invite,) = wire.requests_to(TRUNK_A)
    old.start()
    Callee(wire, invite).answer(180)
    old.cancel()
    assert (wire.methods_to(TRUNK_A), len(wire.core.calls)) == ([b"CANCEL"], 2)
    Callee(wire, invite).answer(487)
    answer = wire.responses_to(CALLER)[-1]
    wire.requests_to(TRUNK_A)
    old.ack_failure(answer)
    call.callee.answer(486)
    call.caller.ack_failure(wire.responses_to(CALLER)[-1])
    wire.advance(200)
    assert wire.held == NOTHING


# -- malformed ---------------------------------------------------------------------------------------------------------

HEAD = (
    "INVITE sip:+33170000001@192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:99;branch=z9hG4bK1;rport\r\n"
    "From: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n"
)
MALFORMED = [
    ("version", HEAD.replace("SIP/2.0\r", "SIP/3.0\r") + "\r\n", 505),
    ("request line", HEAD.replace("INVITE sip:", "INVITE  sip:", 1) + "\r\n", 400),
    ("no Call-ID", HEAD.replace("Call-ID: c\r\n", "") + "\r\n", 400),
    ("two CSeqs", HEAD + "CSeq: 2 INVITE\r\n\r\n", 400),
    ("short body", HEAD + "Content-Length: 5\r\n\r\nabc", 400),
    ("a line without colon", HEAD + "what\r\n\r\n", 400),
    ("bare LF", HEAD.replace("tag=1", "tag=1\nX: y") + "\r\n", 400),
    ("unterminated", HEAD, 400),
    ("a long line", HEAD + "X: " + "y" * 9000 + "\r\n\r\n", 413),
]


@pytest.mark.parametrize(("data", "status"), [row[1:] for row in MALFORMED], ids=[row[0] for row in MALFORMED])
def test_malformed_requests_are_answered(wire, data, status):
    """Without a transaction, once for each copy, where the sender's rport says; counted and told by name."""
    for _ in range(2):
        wire.send(data.encode(), ("192.0.2.1", 7777))
    answers = wire.unreadable + [(answer.render(), flow) for answer, flow in wire.sent]
    assert [("192.0.2.1", 7777)] * 2 == [flow.address for _, flow in answers]
    assert {b"SIP/2.0 %d" % status} == {data[:11] for data, _ in answers}
    assert b";branch=z9hG4bK1;rport=7777;received=192.0.2.1\r\n" in answers[0][0]
    assert (wire.core.transactions, wire.ended) == (0, [])
    (fault,) = wire.core.counters.malformed
    assert fault == wire.told("message.malformed")[0]["fault"]


DROPPED = [
    ("ping", b"\r\n\r\n", 0),
    ("nothing", b"", 0),
    ("noise", b"\x00\x01\x02" * 20, 1),
    ("no Via", HEAD.replace("Via", "X-Via").encode() + b"\r\n", 1),
    ("a malformed response", b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h\r\n\r\n", 1),
    ("a malformed ACK", HEAD.replace("INVITE", "ACK").replace("Call-ID: c\r\n", "").encode() + b"\r\n", 1),
    ("too long", b"x" * 70_000, 1),
]


@pytest.mark.parametrize(("data", "counted"), [row[1:] for row in DROPPED], ids=[row[0] for row in DROPPED])
def test_what_cannot_be_answered_is_dropped(wire, data, counted):
    """A ping is not even counted."""
    wire.send(data)
    assert (wire.sent, sum(wire.core.counters.malformed.values()), wire.core.counters.datagrams_in) == ([], counted, 1)


def test_names_of_faults_are_bounded(wire):
    """The counter has a bounded number of labels, whatever comes."""
    counters = wire.core.counters
    counters.malformed.update({f"fault {number}": 1 for number in range(64)})
    wire.send(b"noise")
    wire.send(b"noise")
    assert (len(counters.malformed), counters.malformed["other"]) == (65, 2)


# -- responses ---------------------------------------------------------------------------------------------------------


def test_a_stray_response_is_not_forwarded(wire):
    """It matches no branch of ours (RFC 6026 §7.3): counted."""
    call = Ringing(wire)
    wire.send(reply(call.invite, 200).replace(b"z9hG4bKf", b"z9hG4bKg"), TRUNK_A)
    assert (wire.sent, wire.core.counters.stray_responses) == ([], 1)


def test_a_response_to_somebody_else_is_dropped(wire):
    """§18.1.2: the sent-by of its top Via is not ours, even if the branch were."""
    call = Ringing(wire)
    wire.send(reply(call.invite, 200).replace(b"UDP 192.0.2.10:5060", b"UDP 192.0.2.99:5060"), TRUNK_A)
    assert (wire.sent, wire.core.counters.drops) == ([], {"response_not_ours": 1})


def test_a_response_with_a_to_that_cannot_be_read(wire):
    """A final one counts as a failed trunk, a provisional one as a sign of life."""
    call = Ringing(wire)
    for status in (183, 486):
        wire.send(reply(call.invite, status).replace(b"To: <", b"To: <<"), TRUNK_A)
    assert wire.statuses_to(CALLER) == []
    assert [call.facts.candidates for call in wire.core.calls.live()] == [[("a", 503), ("b", 0)]]
    assert sum(wire.core.counters.malformed.values()) == 2


def test_the_answer_to_our_own_bye_needs_no_second_via(wire):
    """It was our request: the response is for us alone."""
    Established(wire)
    wire.core.hang_up_all("operator", wire.now)
    wire.pump()
    for address in (TRUNK_A, CALLER):
        wire.send(reply(*wire.requests_to(address), 200), address)
    assert (len(wire.ended), wire.core.counters.malformed) == (1, {})


def test_a_server_transaction_whose_answer_cannot_leave_stays(wire):
    """RFC 6026 §8.8: the retransmitted INVITE may find the way open again."""
    call = Ringing(wire)
    wire.unreachable.add(CALLER)
    call.callee.answer(486)
    wire.unreachable.clear()
    wire.advance(0.6)
    assert (wire.statuses_to(CALLER), wire.core.counters.transport_errors) == ([486], 1)


# -- the rest of the rim's door ----------------------------------------------------------------------------------------


def test_a_policy_change_holds_for_new_attempts(wire):
    """The call that was judged before keeps its candidates and its generation."""
    caller = Caller(wire)
    caller.start()
    wire.core.policy_changed(
        PolicySnapshot(parse_policy(POLICY.replace('trunks = ["a", "b"]', 'trunks = ["b"]')), generation=8),
        wire.now,
    )
    (invite,) = wire.requests_to(TRUNK_A)
    Callee(wire, invite).answer(486)
    Caller(wire).start()
    assert (len(wire.requests_to(TRUNK_A, b"INVITE")), wire.ended[0].policy_generation) == (0, 7)


def test_what_the_metrics_page_reads(wire):
    """Plain integers, back at zero when it is over."""
    call = Established(wire)
    counters = wire.core.counters
    assert (1, 1, 1) == (counters.calls_live, counters.leases_live, counters.attempts)
    assert (wire.core.transactions, wire.core.leases, wire.core.timers > 0) == (2, 1, True)
    hang_up(call)
    assert (3, 3, 0) == (counters.requests_in, counters.responses_in, counters.calls_live)
    assert wire.core.absorbed == 0


def test_nothing_happens_without_an_input(wire):
    """No timer, no action."""
    assert (wire.core.next_timer(), wire.held) == (None, NOTHING)
    wire.core.handle_timer(wire.now)
    wire.core.resolved(99, ("192.0.2.1",), wire.now)
    wire.core.received(b"\r\n", Flow(0, CALLER), wire.now)
    assert wire.core.outbox.sends == []


def test_ipv6_callers_are_stamped_without_brackets():
    """`received` takes an IPv6 address as it is (RFC 5118 §4.5 would read brackets too)."""
    wire = Wire(listeners=[Listener("6", b"UDP", "2001:db8::10", 5060, "2001:db8::10", 5060)])
    source = ("2001:db8::1", 7777)
    wire.send(Caller(wire, source=source).request("OPTIONS", uri="sip:[2001:DB8::10]"), source)
    (answer,) = wire.responses_to(source)
    assert (200, b"received=2001:db8::1" in answer.values(b"via")[0]) == (answer.status, True)
    assert parse(answer.render()).via().rport == 7777
