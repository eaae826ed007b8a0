"""Requests inside a dialog: routed by the signed token in our Record-Route, relayed both ways (§12.2, §16)."""

import pytest
from network import (
    CALLER,
    EDGE,
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

from edge.proxy.listeners import Listener
from edge.sip.message import parse

METHODS = ["INVITE", "UPDATE", "INFO", "REFER", "MESSAGE", "NOTIFY", "OPTIONS", "SUBSCRIBE", "PRACK", "X-NEW"]


@pytest.mark.parametrize("method", METHODS)
def test_the_caller_speaks_to_the_callee(wire, method):
    """Our Route value is taken off, one hop less, our Via on; the answer goes back; the call stays."""
    call = Established(wire)
    call.caller.say(method, body="\x00\xff binary", extra="X-Odd:  kept ")
    (request,) = wire.requests_to(TRUNK_A)
    assert (method.encode(), call.callee.contact.encode()) == (request.method, request.uri)
    assert (request.value(b"route"), request.values(b"max-forwards")) == (None, [b"69"])
    assert (request.body, b"X-Odd:  kept" in request.render()) == (b"\x00\xff binary", True)
    assert (len(request.vias()), request.value(b"record-route")) == (2, None)
    wire.send(reply(request, 200, extra="X-Back: 1"), TRUNK_A)
    (answer,) = wire.responses_to(CALLER)
    assert (200, b"1", 1, wire.in_use()) == (answer.status, answer.value(b"x-back"), len(answer.vias()), 1)


@pytest.mark.parametrize("method", METHODS)
def test_the_callee_speaks_to_the_caller(wire, method):
    """The same the other way."""
    call = Established(wire)
    call.callee.say(method)
    (request,) = wire.requests_to(CALLER)
    assert (b"sip:caller@192.0.2.1:5060", None) == (request.uri, request.value(b"route"))
    wire.send(reply(request, 202), CALLER)
    assert wire.statuses_to(TRUNK_A) == [202]


def test_bye_from_the_callee(wire):
    """Released at its arrival, settled with its answer; the side and the cause are in the record."""
    call = Established(wire)
    wire.advance(7)
    call.callee.say("BYE", extra="Reason: Q.850;cause=31")
    (bye,) = wire.requests_to(CALLER)
    wire.advance(1)
    assert (wire.in_use(), wire.ended) == (1, [])
    wire.send(reply(bye, 200), CALLER)
    (facts,) = wire.ended
    assert ("egress", 31, "answered", 1007.0) == (facts.release_side, facts.q850, facts.reason, facts.released_at)
    assert (wire.in_use(), wire.asked[-1].duration_ms) == (0, 7000)


def test_byes_that_cross(wire):
    """Both relayed, both answered; the first final ends the call, once."""
    call = Established(wire)
    call.caller.say("BYE")
    call.callee.say("BYE")
    (down,), (up,) = wire.requests_to(TRUNK_A), wire.requests_to(CALLER)
    wire.send(reply(down, 200), TRUNK_A)
    wire.send(reply(up, 481), CALLER)
    assert (wire.statuses_to(CALLER), wire.statuses_to(TRUNK_A)) == ([200], [481])
    assert (len(wire.ended), wire.ended[0].release_side, wire.in_use()) == (1, "ingress", 0)
    wire.advance(200)
    assert wire.held == NOTHING


def test_a_challenged_bye_does_not_end_the_call(wire):
    """401: the dialog lives on until BYE comes again with credentials; the record has the second one's instant."""
    call = Established(wire)
    call.caller.say("BYE")
    wire.send(reply(*wire.requests_to(TRUNK_A), 401, extra='WWW-Authenticate: Digest realm="x"'), TRUNK_A)
    assert (wire.statuses_to(CALLER), wire.in_use(), wire.ended) == ([401], 1, [])
    wire.advance(2)
    call.caller.say("BYE", extra='Authorization: Digest username="u"')
    wire.send(reply(*wire.requests_to(TRUNK_A), 200), TRUNK_A)
    (facts,) = wire.ended
    assert (1002.0, "ingress", 0) == (facts.released_at, facts.release_side, wire.in_use())


def test_a_challenged_bye_that_crosses_a_good_one(wire):
    """The other side's BYE succeeds although the first was challenged: the call ends."""
    call = Established(wire)
    call.caller.say("BYE")
    call.callee.say("BYE")
    (down,), (up,) = wire.requests_to(TRUNK_A), wire.requests_to(CALLER)
    wire.send(reply(down, 407), TRUNK_A)
    assert wire.in_use() == 1
    wire.send(reply(up, 200), CALLER)
    assert (wire.in_use(), [facts.release_side for facts in wire.ended]) == (0, ["ingress"])


def test_one_challenged_bye_of_two_dialogs(wire):
    """The challenged dialog keeps the call, although the other one's BYE succeeds."""
    call = Ringing(wire)
    call.callee.answer(200)
    Callee(wire, call.invite, tag="other").answer(200)
    for answer in wire.responses_to(CALLER):
        call.caller.learn(answer)
        call.caller.ack()
        call.caller.say("BYE")
    first, second = wire.requests_to(TRUNK_A, b"BYE")
    wire.send(reply(first, 401), TRUNK_A)
    wire.send(reply(second, 200), TRUNK_A)
    assert (wire.in_use(), wire.ended) == (1, [])


@pytest.mark.parametrize("status", [200, 202, 400, 403, 481, 500, 603])
def test_any_other_final_to_bye_ends_the_call(wire, status):
    """§15.1.1: whoever sends BYE considers the dialog over."""
    call = Established(wire)
    call.caller.say("BYE")
    wire.send(reply(*wire.requests_to(TRUNK_A), status), TRUNK_A)
    assert (wire.statuses_to(CALLER), len(wire.ended), wire.in_use()) == ([status], 1, 0)


def test_a_bye_that_nobody_answers(wire):
    """After 64*T1 the call is over; no 408 goes up (RFC 4320 §4.2), and nothing is left."""
    call = Established(wire)
    call.caller.say("BYE")
    wire.advance(31.9)
    assert len(wire.core.calls) == 1
    wire.advance(0.2)
    (facts,) = wire.ended
    assert (1000.0, "ingress", 0) == (facts.released_at, facts.release_side, wire.in_use())
    wire.advance(200)
    assert ({100} >= set(wire.statuses_to(CALLER)), wire.held) == (True, NOTHING)


def test_a_bye_that_cannot_leave(wire):
    """The socket refuses it: 500 up, since a 503 would speak of us (§16.7 item 6); the call is over."""
    call = Established(wire)
    wire.unreachable.add(TRUNK_A)
    call.caller.say("BYE")
    assert (wire.statuses_to(CALLER), len(wire.ended)) == ([500], 1)


@pytest.mark.parametrize(
    ("status", "method", "up"), [(503, "INVITE", 500), (503, "INFO", 500), (408, "INVITE", 408), (408, "INFO", None)]
)
def test_failures_that_must_not_go_up(wire, status, method, up):
    """503 becomes 500; 408 to anything but INVITE comes too late to be told."""
    call = Established(wire)
    call.caller.say(method)
    wire.send(reply(*wire.requests_to(TRUNK_A), status), TRUNK_A)
    assert wire.statuses_to(CALLER) == ([] if up is None else [up])
    assert wire.in_use() == 1
    wire.send(call.caller.in_dialog("ACK", cseq=call.caller.cseq))
    wire.advance(60)
    assert wire.core.transactions == 0


def test_a_provisional_to_a_non_invite_stays_with_us(wire):
    """RFC 4320 §4.1."""
    call = Established(wire)
    call.caller.say("INFO")
    (info,) = wire.requests_to(TRUNK_A)
    wire.send(reply(info, 183), TRUNK_A)
    assert wire.statuses_to(CALLER) == []
    wire.send(reply(info, 200), TRUNK_A)
    assert wire.statuses_to(CALLER) == [200]


def test_a_reinvite_that_nobody_answers(wire):
    """Timer B: 408 up; the call goes on."""
    call = Established(wire)
    call.caller.say("INVITE")
    wire.advance(32.1)
    assert (wire.statuses_to(CALLER)[-1], wire.in_use()) == (408, 1)


def test_a_reinvite_that_rings_for_ever(wire):
    """Timer C: CANCEL down, 408 up."""
    call = Established(wire)
    call.caller.say("INVITE")
    (invite,) = wire.requests_to(TRUNK_A)
    wire.send(reply(invite, 180), TRUNK_A)
    wire.advance(180.1)
    wire.send(reply(invite, 487), TRUNK_A)
    assert (wire.statuses_to(CALLER)[-1], b"CANCEL" in wire.methods_to(TRUNK_A)) == (408, True)


def test_cancel_of_a_reinvite(wire):
    """CANCEL down, the callee's 487 up; the call goes on."""
    call = Established(wire)
    call.caller.say("INVITE")
    (invite,) = wire.requests_to(TRUNK_A)
    wire.send(reply(invite, 180), TRUNK_A)
    cancel = call.caller.request("CANCEL", branch=f"{call.caller.branch}xINVITE2callee", cseq=2, to_tag="callee")
    wire.send(cancel)
    assert wire.methods_to(TRUNK_A) == [b"CANCEL"]
    wire.send(reply(invite, 487), TRUNK_A)
    assert (wire.statuses_to(CALLER), wire.in_use()) == ([180, 200, 487], 1)


def test_cancel_of_a_reinvite_whose_way_is_not_known_yet(wire):
    """The Contact is a name: 487 at once, and the INVITE never leaves."""
    call = Ringing(wire)
    call.callee.answer(200, contact="sip:callee@phone.example")
    call.caller.learn(*wire.responses_to(CALLER))
    call.caller.say("INVITE")
    wire.send(call.caller.request("CANCEL", branch=f"{call.caller.branch}xINVITE2callee", cseq=2, to_tag="callee"))
    assert wire.statuses_to(CALLER) == [200, 487]
    wire.resolve("198.51.100.1")
    assert wire.requests_to(TRUNK_A) == []


def test_prack_and_update_in_an_early_dialog(wire):
    """RFC 3262, RFC 3311: before the answer, both ways; the call is still being set up."""
    caller = Caller(wire)
    caller.start()
    callee = Callee(wire, *wire.requests_to(TRUNK_A))
    callee.answer(183, extra="Require: 100rel\nRSeq: 1")
    caller.learn(wire.responses_to(CALLER)[-1])
    caller.say("PRACK", extra="RAck: 1 1 INVITE")
    (prack,) = wire.requests_to(TRUNK_A)
    assert (prack.method, prack.value(b"rack")) == (b"PRACK", b"1 1 INVITE")
    wire.send(reply(prack, 200), TRUNK_A)
    caller.say("UPDATE")
    wire.send(reply(*wire.requests_to(TRUNK_A), 200), TRUNK_A)
    callee.say("UPDATE")
    wire.send(reply(*wire.requests_to(CALLER), 200), CALLER)
    assert (wire.statuses_to(CALLER), wire.statuses_to(TRUNK_A)) == ([200, 200], [200])
    callee.answer(200)
    assert wire.statuses_to(CALLER) == [200]


def test_a_bye_in_an_early_dialog(wire):
    """§15: it ends that dialog only; the final response to the INVITE ends the call."""
    call = Ringing(wire)
    call.caller.learn(parse(reply(call.invite, 180, contact=call.callee.contact)))
    call.caller.say("BYE")
    wire.send(reply(*wire.requests_to(TRUNK_A), 200), TRUNK_A)
    assert (wire.statuses_to(CALLER), len(wire.core.calls)) == ([200], 1)
    call.callee.answer(487)
    assert (wire.statuses_to(CALLER), wire.ended[0].reason) == ([487], "cancelled")


# -- ACK ---------------------------------------------------------------------------------------------------------------


def test_the_ack_follows_the_route_set(wire):
    """Our Route off, our Via on, one hop less; no transaction, no answer."""
    call = Established(wire)
    assert (call.callee.contact.encode(), None, [b"69"]) == (
        call.ack.uri,
        call.ack.value(b"route"),
        call.ack.values(b"max-forwards"),
    )
    assert (len(call.ack.vias()), wire.responses_to(CALLER)) == (2, [])


def test_copies_of_an_ack_are_copies(wire):
    """§16.11: forwarded without a transaction, the branch is a function of the ACK; another ACK has another one."""
    call = Ringing(wire)
    call.callee.answer(200)
    call.caller.learn(*wire.responses_to(CALLER))
    call.caller.ack()
    call.caller.ack()
    call.caller.ack(cseq=2)
    first, again, other = wire.requests_to(TRUNK_A)
    assert first.render() == again.render()
    assert first.via().branch != other.via().branch


def test_the_ack_with_the_branch_of_its_invite(wire):
    """RFC 6026 §6: such an ACK matches the server transaction, which hands it to us."""
    call = Ringing(wire)
    call.callee.answer(200)
    call.caller.learn(*wire.responses_to(CALLER))
    ack = call.caller.in_dialog("ACK", cseq=1).replace(b"xACK1callee", b"")
    wire.send(ack)
    assert wire.methods_to(TRUNK_A) == [b"ACK"]


def _legacy(call, method, *, uri=None, to_tag="callee", cseq=1):
    """A request inside the dialog without a Route, to the number that was called."""
    return call.caller.request(method, to_tag=to_tag, uri=uri, cseq=cseq, branch=f"z9hG4bKlegacy{method}{cseq}")


def _ack(call, old=b"", new=b"", extra=""):
    return call.caller.in_dialog("ACK", cseq=1, extra=extra).replace(old, new)


STRAY_ACKS = [
    ("no token", lambda call: call.caller.request("ACK", to_tag="other", branch="z9hG4bKother")),
    ("no token, past us", lambda call: _legacy(call, "ACK", uri=call.callee.contact)),
    ("no hops left", lambda call: _ack(call, b"Max-Forwards: 70", b"Max-Forwards: 0")),
    ("a route that is none", lambda call: _ack(call, extra="Route: <mailto:x>\n")),
    ("nowhere to go", lambda call: _ack(call, b"sip:callee@198.51.100.1:5060", b"tel:+331")),
    ("a foreign token", lambda call: _ack(call, b"Call-ID: ", b"Call-ID: other")),
]


@pytest.mark.parametrize("make", [row[1] for row in STRAY_ACKS], ids=[row[0] for row in STRAY_ACKS])
def test_a_stray_ack_is_dropped(wire, make):
    """Nothing answers an ACK (§17.1.1.3)."""
    call = Established(wire)
    wire.send(make(call))
    assert wire.sent == []


def test_an_ack_to_a_name_that_cannot_be_found(wire):
    """Counted; nobody can be told."""
    call = Ringing(wire)
    call.callee.answer(200, contact="sip:callee@phone.example")
    call.caller.learn(*wire.responses_to(CALLER))
    call.caller.ack()
    wire.resolve()
    assert (wire.sent, wire.core.counters.transport_errors) == ([], 1)


# -- tokens ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("speaker", ["caller", "callee"])
def test_after_a_restart_the_token_is_proof_enough(wire, speaker):
    """A core that knows nothing relays what carries a token made with the same secret; ACK too."""
    call = Established(wire)
    wire.new_core()
    getattr(call, speaker).say("BYE")
    there, back = (TRUNK_A, CALLER) if speaker == "caller" else (CALLER, TRUNK_A)
    wire.send(reply(*wire.requests_to(there), 200), there)
    assert wire.statuses_to(back) == [200]
    call.caller.ack()
    assert wire.methods_to(TRUNK_A) == [b"ACK"]
    wire.advance(200)
    assert wire.held == NOTHING


def _sign_otherwise(data):
    token = data.partition(b"Route: <sip:")[2].partition(b"@")[0]
    return data.replace(token, token[:-1] + (b"a" if token[-1:] != b"a" else b"b"))


def _name_nobody(data):
    token = data.partition(b"Route: <sip:")[2].partition(b"@")[0]
    return data.replace(token + b"@", b"")


FORGERIES = [
    ("no route", lambda data: data.replace(b"Route: ", b"X-Route: ")),
    ("other signature", _sign_otherwise),
    ("other uid", lambda data: data.replace(b"Route: <sip:", b"Route: <sip:a")),
    ("no user", _name_nobody),
    ("other Call-ID", lambda data: data.replace(b"Call-ID: ", b"Call-ID: x")),
]


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("forge", [row[1] for row in FORGERIES], ids=[row[0] for row in FORGERIES])
def test_without_a_token_of_ours_nothing_passes(wire, forge, restarted):
    """481, whether the call is known or not."""
    call = Established(wire)
    if restarted:
        wire.new_core()
    wire.send(forge(call.caller.in_dialog("INFO")))
    assert (wire.statuses_to(CALLER), wire.requests_to(TRUNK_A), wire.core.counters.indialog_unknown) == ([481], [], 1)


@pytest.mark.parametrize("old", [b";tag=callee", b";tag=caller"])
def test_tags_of_no_dialog(wire, old):
    """A token of a call that runs does not open a second one beside it."""
    call = Established(wire)
    wire.send(call.caller.in_dialog("INVITE").replace(old, b";tag=else"))
    assert (wire.statuses_to(CALLER), wire.requests_to(TRUNK_A)) == ([481], [])
    call.callee.wire.send(call.callee.in_dialog("INVITE").replace(b";tag=callee", b";tag=else"), TRUNK_A)
    assert (wire.statuses_to(TRUNK_A), wire.requests_to(CALLER)) == ([481], [])


def test_a_callee_without_a_tag(wire):
    """RFC 2543 (§12.1.2): the dialog has an empty To tag; ACK and BYE pass by the token, and the BYE ends the call."""
    caller = Caller(wire)
    caller.start()
    callee = Callee(wire, *wire.requests_to(TRUNK_A), tag="")
    callee.answer(200, contact="sip:old@198.51.100.1")
    caller.learn(wire.responses_to(CALLER)[-1])
    caller.ack()
    caller.say("BYE")
    ack, bye = wire.requests_to(TRUNK_A)
    assert (b"ACK", b"BYE", None) == (ack.method, bye.method, bye.to().tag)
    wire.send(reply(bye, 200, tag=""), TRUNK_A)
    assert (len(wire.ended), wire.in_use(), wire.ended[0].to_tag) == (1, 0, "")


def test_a_uri_nobody_can_route(wire):
    """A tel URI without a route behind ours: 416; and the call stays, since nothing has been relayed."""
    call = Established(wire)
    wire.send(call.caller.in_dialog("BYE").replace(b"sip:callee@198.51.100.1:5060", b"tel:+33170000001"))
    assert (wire.statuses_to(CALLER), wire.in_use()) == ([416], 1)


@pytest.mark.parametrize(
    "target", ["sip:callee@198.51.100.1;transport=tcp", "sips:callee@198.51.100.1", "sip:x@[2001:db8::9]"]
)
def test_a_transport_we_do_not_speak(wire, target):
    """500: there is no way to it from here."""
    call = Ringing(wire)
    call.callee.answer(200, contact=target)
    call.caller.learn(*wire.responses_to(CALLER))
    call.caller.say("INFO")
    assert wire.statuses_to(CALLER) == [500]


# -- routes ------------------------------------------------------------------------------------------------------------


def test_proxies_on_both_sides_stay_on_the_way(wire):
    """The rest of the route set is followed: the next proxy, not the Request-URI, is where it goes."""
    caller = Caller(wire)
    caller.start(extra="Record-Route: <sip:203.0.113.5;lr>")
    (invite,) = wire.requests_to(TRUNK_A)
    answer = reply(invite, 200, contact="sip:callee@10.0.0.9")
    wire.send(answer.replace(b"Record-Route: ", b"Record-Route: <sip:203.0.113.7;lr>\r\nRecord-Route: ", 1), TRUNK_A)
    caller.learn(wire.responses_to(CALLER)[-1])
    caller.routes.pop(0)  # the proxy before us takes its own value off
    caller.say("INFO")
    (info,) = wire.requests_to(("203.0.113.7", 5060))
    assert (b"sip:callee@10.0.0.9", [b"<sip:203.0.113.7;lr>"]) == (info.uri, info.values(b"route"))
    Callee(wire, invite).say("INFO")
    (info,) = wire.requests_to(("203.0.113.5", 5060))
    assert (b"sip:caller@192.0.2.1:5060", [b"<sip:203.0.113.5;lr>"]) == (info.uri, info.values(b"route"))


def test_a_strict_router_behind_us(wire):
    """§16.6 item 6: the next route has no lr: it goes into the Request-URI, the target to the end of the Route."""
    caller = Caller(wire)
    caller.start()
    (invite,) = wire.requests_to(TRUNK_A)
    answer = reply(invite, 200, contact="sip:callee@10.0.0.9")
    wire.send(
        answer.replace(b"Record-Route: ", b"Record-Route: <sip:203.0.113.8;lr>,<sip:203.0.113.7>\r\nRecord-Route: ", 1),
        TRUNK_A,
    )
    caller.learn(wire.responses_to(CALLER)[-1])
    caller.say("INFO")
    (info,) = wire.requests_to(("203.0.113.7", 5060))
    assert b"sip:203.0.113.7" == info.uri
    assert [b"<sip:203.0.113.8;lr>", b"<sip:callee@10.0.0.9>"] == info.list_values(b"route")


def test_a_strict_router_before_us(wire):
    """§16.4: our own value stands in the Request-URI, the target at the end of the Route: put back."""
    call = Established(wire)
    (ours,) = call.caller.routes
    uri = ours.strip(b"<>").decode()
    call.caller.routes = [b"<sip:203.0.113.7;lr>", b"<" + call.caller.remote_target + b">"]
    call.caller.remote_target = uri.encode()
    call.caller.say("INFO")
    (info,) = wire.requests_to(("203.0.113.7", 5060))
    assert (call.callee.contact.encode(), [b"<sip:203.0.113.7;lr>"]) == (info.uri, info.values(b"route"))


def test_maddr_that_names_us_goes(wire):
    """§16.4: with port and transport; what is left says where to."""
    call = Established(wire)
    wire.send(
        call.caller.in_dialog("INFO").replace(
            b"sip:callee@198.51.100.1:5060", b"sip:callee@198.51.100.1:5060;maddr=192.0.2.10;transport=udp;x=1"
        )
    )
    (info,) = wire.requests_to(TRUNK_A)
    assert info.uri == b"sip:callee@198.51.100.1;x=1"


# -- two listeners -----------------------------------------------------------------------------------------------------

INSIDE = Listener("udp:192.0.2.10:5060", b"UDP", "192.0.2.10", 5060, "192.0.2.10", 5060)
OUTSIDE = Listener("udp:[2001:db8::10]:5062", b"UDP", "2001:db8::10", 5062, "2001:db8::10", 5062)
CALLER6 = ("2001:db8::1", 5060)


def test_two_record_routes_where_the_families_differ():
    """RFC 5658: in by IPv6, out by IPv4: each side is given the address that it can reach, both ways."""
    wire = Wire(listeners=[INSIDE, OUTSIDE])
    caller = Caller(wire, source=CALLER6)
    wire.send(caller.request("INVITE"), CALLER6, listener=1)
    ((invite, flow),) = [(m, flow) for m, flow in wire.sent if flow.address == TRUNK_A]
    wire.requests_to(TRUNK_A)
    outer, inner = invite.list_values(b"record-route")
    assert (outer.endswith(b"@192.0.2.10:5060;lr>"), inner.endswith(b"@[2001:db8::10]:5062;lr>")) == (True, True)
    assert (flow.listener, invite.values(b"via")[0].startswith(b"SIP/2.0/UDP 192.0.2.10:5060;")) == (0, True)
    callee = Callee(wire, invite)
    callee.answer(200)
    caller.learn(wire.responses_to(CALLER6)[-1])
    wire.send(caller.in_dialog("ACK", cseq=1), CALLER6, listener=1)
    wire.send(caller.in_dialog("INFO"), CALLER6, listener=1)
    assert [(b"ACK", 0, None), (b"INFO", 0, None)] == [
        (m.method, flow.listener, m.value(b"route")) for m, flow in wire.sent if flow.address == TRUNK_A
    ]
    wire.sent.clear()
    callee.say("BYE")
    ((bye, flow),) = wire.sent
    assert (b"BYE", CALLER6, 1, None) == (bye.method, flow.address, flow.listener, bye.value(b"route"))
    assert bye.values(b"via")[0].startswith(b"SIP/2.0/UDP [2001:db8::10]:5062;")
    wire.sent.clear()
    wire.send(reply(bye, 200), CALLER6, listener=1)
    assert (wire.statuses_to(TRUNK_A), len(wire.ended)) == ([200], 1)


def test_the_second_record_route_names_the_listener():
    """In by the second IPv4 listener, out by IPv6: what the callee sends leaves by the second again, not the first."""
    second = Listener("udp:192.0.2.10:5070", b"UDP", "192.0.2.10", 5070, "192.0.2.10", 5070)
    far = POLICY.replace("sip:198.51.100.1:5060", "sip:[2001:db8::9]:5060")
    wire = Wire(far, listeners=[INSIDE, second, OUTSIDE])
    trunk = ("2001:db8::9", 5060)
    caller = Caller(wire)
    wire.send(caller.request("INVITE"), CALLER, listener=1)
    (invite,) = wire.requests_to(trunk)
    callee = Callee(wire, invite, trunk)
    wire.send(reply(invite, 200, contact="sip:callee@[2001:db8::9]"), trunk, listener=2)
    wire.sent.clear()
    data = callee.in_dialog("BYE").replace(b"UDP 2001:db8::9:5060", b"UDP [2001:db8::9]:5060")
    wire.send(data.replace(b"<sip:callee@2001:db8::9:5060>", b"<sip:callee@[2001:db8::9]>"), trunk, listener=2)
    ((bye, flow),) = wire.sent
    assert (b"BYE", CALLER, 1) == (bye.method, flow.address, flow.listener)
    assert bye.values(b"via")[0].startswith(b"SIP/2.0/UDP 192.0.2.10:5070;")


def test_two_listeners_of_one_family_route_by_the_second_value():
    """In by one port, out by the same: one value is enough; the answer to `which listener` is in it."""
    other = Listener("udp:192.0.2.10:5070", b"UDP", "192.0.2.10", 5070, "192.0.2.10", 5070)
    wire = Wire(listeners=[INSIDE, other])
    caller = Caller(wire)
    wire.send(caller.request("INVITE"), CALLER, listener=1)
    ((invite, flow),) = [(m, flow) for m, flow in wire.sent if flow.address == TRUNK_A]
    assert (flow.listener, len(invite.list_values(b"record-route"))) == (1, 1)


# -- spirals -----------------------------------------------------------------------------------------------------------


def test_a_spiral_is_two_calls_and_both_see_the_bye():
    """The trunk forwards to another number through us: each pass has its lease, its Record-Route, and its BYE."""
    wire = Wire()
    caller = Caller(wire)
    caller.start()
    (first,) = wire.requests_to(TRUNK_A)
    back = first.copy()  # the neighbour at 192.0.2.2 takes the call from trunk a and turns it
    back.set_uri(f"sip:+33170000009@{EDGE}".encode())
    back.prepend(b"Via", b"SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bKturn")
    wire.send(back.render(), ("192.0.2.2", 5060))
    (second,) = wire.requests_to(TRUNK_A)
    assert (wire.in_use(), len(second.list_values(b"record-route"))) == (2, 2)
    wire.send(reply(second, 200, contact="sip:callee@198.51.100.1:5060"), TRUNK_A)
    turned = wire.responses_to(("192.0.2.2", 5060))[-1]
    turned.pop_first(b"via")
    wire.send(turned.render(), TRUNK_A)
    caller.learn(wire.responses_to(CALLER)[-1])
    caller.say("BYE")
    (onward,) = wire.requests_to(("192.0.2.10", 5060))
    wire.send(onward.render(), ("192.0.2.10", 5060))
    (bye,) = wire.requests_to(TRUNK_A, b"BYE")
    wire.send(reply(bye, 200), TRUNK_A)
    (response,) = wire.responses_to(("192.0.2.10", 5060))
    wire.send(response.render(), ("192.0.2.10", 5060))
    assert (wire.in_use(), [facts.reason for facts in wire.ended]) == (0, ["answered", "answered"])


def test_requests_of_an_ended_call_are_relayed_by_their_token(wire):
    """A late INFO: it is not ours to say what the far side will think of it."""
    call = Established(wire)
    hang_up(call)
    wire.responses_to(CALLER)
    call.caller.say("INFO")
    wire.send(reply(*wire.requests_to(TRUNK_A), 481), TRUNK_A)
    assert wire.statuses_to(CALLER) == [481]


def test_a_stranger_without_a_token_gets_nowhere(wire):
    """An INVITE with any To tag."""
    caller = Caller(wire, source=STRANGER)
    wire.send(caller.request("INVITE", to_tag="x", uri="sip:victim@198.51.100.1"), STRANGER)
    assert (wire.statuses_to(STRANGER), wire.requests_to(TRUNK_A)) == ([481], [])


def test_a_refresh_whose_contact_cannot_be_read(wire):
    """Relayed; the callee's target stays where it was."""
    call = Established(wire)
    call.caller.say("INVITE")
    data = reply(*wire.requests_to(TRUNK_A), 200, contact="sip:new@203.0.113.7")
    wire.send(data.replace(b"Contact: <", b"Contact: <<"), TRUNK_A)
    assert wire.statuses_to(CALLER) == [200]
    wire.core.hang_up_all("operator", wire.now)
    wire.pump()
    assert wire.methods_to(TRUNK_A) == [b"BYE"]


def test_a_cancelled_reinvite_that_never_ends(wire):
    """64*T1 after our CANCEL the branch is destroyed: 487 up (§9.1)."""
    call = Established(wire)
    call.caller.say("INVITE")
    (invite,) = wire.requests_to(TRUNK_A)
    wire.send(reply(invite, 180), TRUNK_A)
    wire.send(call.caller.request("CANCEL", branch=f"{call.caller.branch}xINVITE2callee", cseq=2, to_tag="callee"))
    wire.advance(32.1)
    assert wire.statuses_to(CALLER)[-1] == 487


def test_a_name_that_is_found_too_late(wire):
    """The server transaction has ended: nobody is there to be told, and the BYE's call is over all the same."""
    call = Ringing(wire)
    call.callee.answer(200, contact="sip:callee@phone.example")
    call.caller.learn(*wire.responses_to(CALLER))
    wire.send(call.caller.in_dialog("ACK", cseq=1))
    wire.resolve("198.51.100.1")
    call.caller.say("BYE")
    wire.advance(60)
    wire.responses_to(CALLER)
    wire.resolve()
    assert (wire.responses_to(CALLER), len(wire.ended), wire.in_use()) == ([], 1, 0)


# -- a legacy user agent, which learns no route set --------------------------------------------------------------------


def test_a_caller_without_a_route_set_is_led_to_its_callee(wire):
    """ACK and BYE to the called number reach the callee's Contact by its own route set; the slot is free at once."""
    call = Ringing(wire)
    far = b"Record-Route: <sip:far@198.51.100.1:5060;lr>\r\n"
    answer = reply(call.invite, 200, contact=call.callee.contact)
    wire.send(answer.replace(b"Record-Route: ", far + b"Record-Route: ", 1), TRUNK_A)
    wire.responses_to(CALLER)
    wire.send(_legacy(call, "ACK"))
    wire.send(_legacy(call, "BYE", cseq=2))
    ack, bye = wire.requests_to(TRUNK_A)
    assert [(r.method, r.uri, r.list_values(b"route")) for r in (ack, bye)] == [
        (b"ACK", b"sip:callee@198.51.100.1:5060", [b"<sip:far@198.51.100.1:5060;lr>"]),
        (b"BYE", b"sip:callee@198.51.100.1:5060", [b"<sip:far@198.51.100.1:5060;lr>"]),
    ]
    wire.send(reply(bye, 200), TRUNK_A)
    assert (wire.statuses_to(CALLER), wire.in_use(), wire.ended[0].release_side) == ([200], 0, "ingress")


def test_a_callee_without_a_route_set_is_led_to_its_caller(wire):
    """The same from the other side."""
    call = Established(wire)
    bye = b"".join(line for line in call.callee.in_dialog("BYE").splitlines(True) if not line.startswith(b"Route:"))
    _, _, rest = bye.partition(b" SIP/2.0")
    wire.send(b"BYE sip:+33612345678@" + EDGE.encode() + b" SIP/2.0" + rest, TRUNK_A)
    (relayed,) = wire.requests_to(CALLER)
    assert (relayed.method, relayed.uri) == (b"BYE", b"sip:caller@192.0.2.1:5060")
    wire.send(reply(relayed, 200), CALLER)
    assert (wire.statuses_to(TRUNK_A), wire.in_use(), wire.ended[0].release_side) == ([200], 0, "egress")


@pytest.mark.parametrize(
    ("make", "status"),
    [
        (lambda call: _legacy(call, "BYE", to_tag="nobody", cseq=2), 481),
        (lambda call: _legacy(call, "BYE", cseq=2).replace(b"Call-ID: ", b"Call-ID: other"), 481),
        (lambda call: _legacy(call, "BYE", cseq=2).replace(b";tag=caller", b";tag=other"), 481),
    ],
    ids=["no such callee", "no such call", "no such caller"],
)
def test_who_knows_no_dialog_is_led_nowhere(wire, make, status):
    """Call-ID and both tags, or 481."""
    call = Established(wire)
    wire.send(make(call))
    assert (wire.statuses_to(CALLER), wire.requests_to(TRUNK_A), wire.in_use()) == ([status], [], 1)


def test_a_legacy_request_in_an_early_dialog_is_led_nowhere(wire):
    """There is no answer yet that would say where."""
    call = Ringing(wire)
    wire.send(_legacy(call, "BYE", cseq=2))
    assert (wire.statuses_to(CALLER), wire.requests_to(TRUNK_A)) == ([481], [])


def test_a_challenged_bye_beside_one_that_nobody_answers(wire):
    """Two BYEs of one side: the challenge of one does not call the other back."""
    call = Established(wire)
    call.caller.say("BYE")
    call.caller.say("BYE")
    first, _ = wire.requests_to(TRUNK_A)
    wire.send(reply(first, 401), TRUNK_A)
    wire.advance(32.1)
    (facts,) = wire.ended
    assert ("answered", "ingress", 1000.0, 0) == (facts.reason, facts.release_side, facts.released_at, wire.in_use())


@pytest.mark.parametrize("is_answered_first", [False, True])
def test_a_bye_in_an_early_dialog_that_crosses_the_answer(wire, is_answered_first):
    """The 2xx comes before or after the answer to the BYE; the call ends with what comes last, the caller's side."""
    call = Ringing(wire)
    call.caller.learn(parse(reply(call.invite, 180, contact=call.callee.contact)))
    call.caller.say("BYE")
    (bye,) = wire.requests_to(TRUNK_A)
    wire.advance(1)
    if is_answered_first:
        call.callee.answer(200)
        wire.advance(1)
        wire.send(reply(bye, 200), TRUNK_A)
    else:
        wire.send(reply(bye, 200), TRUNK_A)
        call.callee.answer(200)
        assert len(wire.core.calls) == 1  # an answer is an answer: the caller will say BYE again, or never say ACK
        wire.requests_to(TRUNK_A)
        call.caller.say("BYE")
        wire.send(reply(*wire.requests_to(TRUNK_A), 481), TRUNK_A)
    (facts,) = wire.ended
    assert ("answered", "ingress", 16, 1001.0, 0) == (
        facts.reason, facts.release_side, facts.q850, facts.released_at, wire.in_use(),
    )  # fmt: skip


def test_a_2xx_after_the_failure_that_its_sender_was_told_stays_here(wire):
    """The first 200 to a re-INVITE cannot be read, which is a failure; the next one is too late."""
    call = Established(wire)
    call.caller.say("INVITE")
    (request,) = wire.requests_to(TRUNK_A, b"INVITE")
    answer = reply(request, 200, contact="sip:callee@198.51.100.1:5060")
    wire.send(answer.replace(b"\r\nTo: <", b"\r\nTo: <<"), TRUNK_A)
    assert wire.statuses_to(CALLER)[-1] == 500
    wire.sent.clear()
    wire.send(answer, TRUNK_A)
    assert (wire.statuses_to(CALLER), wire.in_use()) == ([], 1)
