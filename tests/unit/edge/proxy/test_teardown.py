"""The edge ends a call itself: two BYEs, one in each side's name (§12.2.1.1, §15)."""

import pytest
from network import (
    CALLER,
    NOTHING,
    TRUNK_A,
    TRUNK_B,
    Callee,
    Caller,
    Established,
    Ringing,
    Wire,
    hang_up,
    reply,
)

from edge.proxy.node import Settings
from limits.model import Settle

SHORT = Settings(node="e", max_duration_s=60, renew_s=10)


def end_all(wire, cause="operator"):
    wire.core.hang_up_all(cause, wire.now)
    wire.pump()


def byes(wire):
    """(toward the callee, toward the caller), one each."""
    (down,), (up,) = wire.requests_to(TRUNK_A, b"BYE"), wire.requests_to(CALLER, b"BYE")
    return down, up


def test_a_call_that_lasts_too_long_is_ended_on_both_sides():
    """At `max_duration_s`, to the second: tags, CSeq, targets and Reason as each side expects them of the other."""
    wire = Wire(settings=SHORT)
    call = Established(wire)
    wire.advance(59.9)
    assert wire.sent == []
    wire.advance(0.2)
    down, up = byes(wire)
    assert (call.callee.contact.encode(), 2, None) == (down.uri, down.cseq().number, down.value(b"route"))
    assert (call.invite.values(b"from"), call.answer.values(b"to")) == (down.values(b"from"), down.values(b"to"))
    assert (b"sip:caller@192.0.2.1:5060", 1, None) == (up.uri, up.cseq().number, up.value(b"route"))
    assert (call.answer.values(b"to"), call.invite.values(b"from")) == (up.values(b"from"), up.values(b"to"))
    assert [b'Q.850;cause=102;text="max_duration"'] * 2 == [down.value(b"reason"), up.value(b"reason")]
    assert call.caller.call_id.encode() == down.call_id() == up.call_id()
    assert (1, 1) == (len(down.vias()), len(up.vias()))
    wire.send(reply(down, 200), TRUNK_A)
    assert wire.in_use() == 1
    wire.send(reply(up, 200), CALLER)
    (facts,) = wire.ended
    assert ("max_duration", 200, 102, "edge") == (facts.reason, facts.status, facts.q850, facts.release_side)
    assert 1060.0 == pytest.approx(facts.released_at, abs=0.02)
    assert isinstance(wire.asked[-1], Settle)
    assert (wire.in_use(), [t["cause"] for t in wire.told("call.hung_up")]) == (0, ["max_duration"])
    assert (wire.responses_to(CALLER), wire.responses_to(TRUNK_A)) == ([], [])
    wire.advance(200)
    assert wire.held == NOTHING


def test_the_cseq_of_each_side_goes_on():
    """One above the highest number seen from the side we speak for, whichever method it was."""
    wire = Wire()
    call = Established(wire)
    call.caller.cseq = 40
    call.caller.say("INFO")
    call.callee.say("UPDATE")
    wire.send(call.caller.in_dialog("INFO", cseq=5))  # overtaken on its way
    wire.send(call.callee.in_dialog("INFO", cseq=7), TRUNK_A)
    wire.requests_to(TRUNK_A)
    wire.requests_to(CALLER)
    end_all(wire)
    down, up = byes(wire)
    assert (42, 102) == (down.cseq().number, up.cseq().number)


def test_the_route_set_of_each_side():
    """Toward the callee what stands behind us, toward the caller what stood before us, in the right order."""
    wire = Wire()
    caller = Caller(wire)
    caller.start(extra="Record-Route: <sip:203.0.113.2;lr>, <sip:203.0.113.1;lr>")
    (invite,) = wire.requests_to(TRUNK_A)
    behind = b"Record-Route: <sip:203.0.113.9;lr>,<sip:203.0.113.8;lr>\r\nRecord-Route: "
    answer = reply(invite, 200, contact="sip:callee@10.0.0.1").replace(b"Record-Route: ", behind, 1)
    wire.send(answer, TRUNK_A)
    caller.learn(wire.responses_to(CALLER)[-1])
    caller.routes = caller.routes[2:]
    caller.ack()
    wire.sent.clear()
    end_all(wire)
    (down,) = wire.requests_to(("203.0.113.8", 5060))
    (up,) = wire.requests_to(("203.0.113.2", 5060))
    assert [b"<sip:203.0.113.8;lr>", b"<sip:203.0.113.9;lr>"] == down.list_values(b"route")
    assert [b"<sip:203.0.113.2;lr>", b"<sip:203.0.113.1;lr>"] == up.list_values(b"route")


def test_the_way_to_the_caller_is_what_the_invite_recorded(wire):
    """§12.1.1: the callee's route set comes from the INVITE, even if it sends back less of it in its answer."""
    caller = Caller(wire)
    caller.start(extra="Record-Route: <sip:203.0.113.2;lr>")
    (invite,) = wire.requests_to(TRUNK_A)
    answer = reply(invite, 200, contact="sip:callee@198.51.100.1")
    wire.send(answer.replace(b"Record-Route: <sip:203.0.113.2;lr>\r\n", b""), TRUNK_A)
    caller.learn(wire.responses_to(CALLER)[-1])
    caller.ack()
    wire.sent.clear()
    end_all(wire)
    (up,) = wire.requests_to(("203.0.113.2", 5060))
    assert (b"BYE", [b"<sip:203.0.113.2;lr>"]) == (up.method, up.list_values(b"route"))


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize("is_from_caller", [True, False])
def test_target_refresh(wire, method, is_from_caller):
    """After its 2xx a re-INVITE or UPDATE has moved both remote targets; a refused one has moved none."""
    call = Established(wire)
    speaker, there = (call.caller, TRUNK_A) if is_from_caller else (call.callee, CALLER)
    source = CALLER if is_from_caller else TRUNK_A
    for host, status in (("192.0.2.77", 488), ("192.0.2.7", 200)):
        data = speaker.in_dialog(method)
        old = b"Contact: <sip:caller@192.0.2.1:5060>" if is_from_caller else b"Contact: <sip:callee@198.51.100.1:5060>"
        wire.send(data.replace(old, b"Contact: <sip:new@" + host.encode() + b">"), source)
        (request,) = wire.requests_to(there, method.encode())
        wire.send(reply(request, status, contact=f"sip:other@{host}9"), there)
    wire.sent.clear()
    end_all(wire)
    targets = {request.uri for request, _ in wire.sent}
    assert {b"sip:new@192.0.2.7", b"sip:other@192.0.2.79"} == targets


def test_the_bye_toward_the_caller_waits_for_the_ack(wire):
    """§15: the callee may not send BYE on an answer that was not acknowledged, so we may not in its name."""
    call = Ringing(wire)
    call.callee.answer(200)
    call.caller.learn(*wire.responses_to(CALLER))
    wire.advance(3)
    end_all(wire)
    assert (wire.methods_to(TRUNK_A), wire.requests_to(CALLER)) == ([b"BYE"], [])
    call.caller.ack()
    assert (wire.methods_to(TRUNK_A), wire.methods_to(CALLER)) == ([b"ACK"], [b"BYE"])


def test_without_an_ack_the_bye_goes_when_the_transaction_would_have_ended(wire):
    """64*T1 after the 2xx, not after our BYE."""
    call = Ringing(wire)
    call.callee.answer(200)
    wire.advance(3)
    end_all(wire)
    wire.advance(28.9)
    assert wire.requests_to(CALLER) == []
    wire.advance(0.2)
    assert wire.methods_to(CALLER) == [b"BYE"]


def test_a_caller_that_never_acknowledges_is_hung_up(wire):
    """§13.3.1.4: 64*T1 after the answer, both sides at once."""
    call = Ringing(wire)
    call.callee.answer(200)
    wire.advance(31.9)
    assert (wire.requests_to(TRUNK_A), wire.in_use()) == ([], 1)
    wire.advance(0.2)
    down, up = byes(wire)
    wire.send(reply(down, 200), TRUNK_A)
    wire.send(reply(up, 481), CALLER)
    (facts,) = wire.ended
    assert ("no_ack", 102, "edge", 0) == (facts.reason, facts.q850, facts.release_side, wire.in_use())


def test_an_acknowledged_call_is_left_alone(wire):
    """The same with an ACK."""
    Established(wire)
    wire.advance(100)
    assert (wire.sent, wire.in_use()) == ([], 1)


def test_a_bye_that_crosses_ours_is_relayed(wire):
    """And answered; our own BYEs' ends end the call, also a 481."""
    call = Established(wire)
    end_all(wire)
    down, up = byes(wire)
    wire.send(reply(down, 100), TRUNK_A)
    call.caller.say("BYE")
    call.callee.say("BYE")
    (theirs_down,), (theirs_up,) = wire.requests_to(TRUNK_A), wire.requests_to(CALLER)
    wire.send(reply(theirs_down, 200), TRUNK_A)
    wire.send(reply(theirs_up, 200), CALLER)
    assert (wire.statuses_to(CALLER), wire.statuses_to(TRUNK_A), len(wire.core.calls)) == ([200], [200], 1)
    wire.send(reply(down, 481), TRUNK_A)
    wire.send(reply(up, 481), CALLER)
    assert (len(wire.ended), wire.ended[0].reason, wire.in_use()) == (1, "operator", 0)


def test_a_bye_in_flight_is_not_overtaken(wire):
    """The caller is hanging up already: the edge's wish changes nothing."""
    call = Established(wire)
    call.caller.say("BYE")
    (bye,) = wire.requests_to(TRUNK_A)
    end_all(wire)
    assert wire.sent == []
    wire.send(reply(bye, 200), TRUNK_A)
    assert (wire.ended[0].reason, wire.ended[0].release_side) == ("answered", "ingress")


def test_byes_that_nobody_answers(wire):
    """After their time-outs the call is over and nothing is left."""
    Established(wire)
    end_all(wire)
    wire.advance(33)
    assert (len(wire.ended), wire.in_use()) == (1, 0)
    wire.advance(200)
    assert wire.held == NOTHING


def test_byes_that_cannot_leave(wire):
    """The socket refuses both: over at once."""
    Established(wire)
    wire.unreachable |= {CALLER, TRUNK_A}
    end_all(wire)
    assert (len(wire.ended), wire.in_use()) == (1, 0)


@pytest.mark.parametrize("contact", ["tel:+331", "sip:x@[2001:db8::9]", "sip:x@192.0.2.99;transport=tcp"])
def test_a_target_that_cannot_be_reached(wire, contact):
    """That half is over at once; the other side is told all the same."""
    call = Ringing(wire)
    call.callee.answer(200, contact=contact)
    call.caller.learn(*wire.responses_to(CALLER))
    wire.send(call.caller.in_dialog("ACK", cseq=1))
    wire.sent.clear()
    end_all(wire)
    wire.advance(70)
    assert set(wire.methods_to(CALLER)) == {b"BYE"}
    assert (wire.methods_to(TRUNK_A), len(wire.ended)) == ([], 1)


def test_a_cseq_that_cannot_go_on(wire):
    """The caller has used 2**31 - 1: there is no next number to speak with."""
    call = Established(wire)
    wire.send(call.caller.in_dialog("INFO", cseq=2**31 - 1))
    wire.sent.clear()
    end_all(wire)
    assert (wire.requests_to(TRUNK_A), wire.methods_to(CALLER)) == ([], [b"BYE"])


def test_an_answer_whose_routes_cannot_be_read(wire):
    """There is no way to either side: the call is over, and its lease goes back."""
    call = Ringing(wire)
    data = reply(call.invite, 200, contact=call.callee.contact).replace(b"Record-Route: ", b"Record-Route: <", 1)
    wire.send(data, TRUNK_A)
    wire.sent.clear()
    end_all(wire)
    assert (wire.sent, len(wire.ended), wire.in_use()) == ([], 1, 0)


def test_both_dialogs_of_a_fork_are_ended(wire):
    """Four BYEs; the call is over with the last of them. An early dialog needs none."""
    call = Ringing(wire)
    wire.send(reply(call.invite, 183, tag="early"), TRUNK_A)
    wire.responses_to(CALLER)
    call.callee.answer(200)
    Callee(wire, call.invite, tag="other").answer(200)
    for answer in wire.responses_to(CALLER):
        call.caller.learn(answer)
        call.caller.ack()
    wire.sent.clear()
    end_all(wire)
    down, up = wire.requests_to(TRUNK_A), wire.requests_to(CALLER)
    assert [{b"callee", b"other"}] * 2 == [{b.to().tag for b in down}, {b.from_().tag for b in up}]
    for bye in down:
        wire.send(reply(bye, 200), TRUNK_A)
    wire.send(reply(up[0], 200), CALLER)
    assert wire.ended == []
    wire.send(reply(up[1], 200), CALLER)
    assert len(wire.ended) == 1


def test_a_fork_that_answers_into_the_teardown_is_ended_too(wire):
    """It never reaches the caller."""
    call = Established(wire)
    end_all(wire)
    wire.sent.clear()
    Callee(wire, call.invite, tag="late").answer(200)
    assert (wire.methods_to(TRUNK_A), wire.responses_to(CALLER)) == ([b"ACK", b"BYE"], [])


# -- before the answer -------------------------------------------------------------------------------------------------


def test_hung_up_while_it_rings(wire):
    """CANCEL down with our Reason; the caller gets 503 with it; no other trunk is tried."""
    call = Ringing(wire)
    end_all(wire, "edge_stopped")
    (cancel,) = wire.requests_to(TRUNK_A)
    assert (cancel.method, cancel.value(b"reason")) == (b"CANCEL", b'Q.850;cause=31;text="edge_stopped"')
    call.callee.answer(487)
    (answer,) = wire.responses_to(CALLER)
    assert (answer.status, answer.value(b"reason")) == (503, b'Q.850;cause=31;text="edge_stopped"')
    (facts,) = wire.ended
    assert ("edge_stopped", 503, "edge", 0) == (facts.reason, facts.status, facts.release_side, wire.in_use())
    assert wire.requests_to(TRUNK_B) == []


def test_hung_up_before_any_response(wire):
    """The CANCEL waits for a 1xx; silence ends it."""
    Caller(wire).start()
    end_all(wire)
    assert wire.methods_to(TRUNK_A) == [b"INVITE"]
    wire.advance(4.1)
    assert (wire.statuses_to(CALLER)[-1], wire.requests_to(TRUNK_B), wire.in_use()) == (503, [], 0)


def test_hung_up_while_the_store_is_asked(wire):
    """503 when the answer comes; the lease goes back, nothing is forwarded. A CANCEL meanwhile has its 200."""
    wire.holding = []
    caller = Caller(wire)
    caller.start()
    end_all(wire)
    caller.cancel()
    assert wire.statuses_to(CALLER) == [200]
    wire.release_store()
    assert (wire.statuses_to(CALLER), wire.requests_to(TRUNK_A), wire.in_use()) == ([503], [], 0)
    assert wire.ended[0].reason == "operator"


def test_hung_up_while_a_name_is_looked_up(wire):
    """503 at once."""
    Caller(wire, called="+33190000001").start()
    end_all(wire)
    assert (wire.statuses_to(CALLER), wire.in_use()) == ([100, 503], 0)


def test_hung_up_while_it_is_being_cancelled(wire):
    """It is ending already."""
    call = Ringing(wire)
    call.caller.cancel()
    end_all(wire)
    call.callee.answer(487)
    assert (wire.statuses_to(CALLER), wire.ended[0].reason) == ([200, 487], "cancelled")


def test_the_answer_crosses_the_hang_up(wire):
    """Relayed, since it is an answer, and then ended on both sides as was wished."""
    call = Ringing(wire)
    end_all(wire)
    wire.requests_to(TRUNK_A)
    call.callee.answer(200)
    call.caller.learn(*wire.responses_to(CALLER))
    assert wire.methods_to(TRUNK_A) == [b"BYE"]
    call.caller.ack()
    assert wire.methods_to(CALLER) == [b"BYE"]
    wire.advance(33)
    assert ("operator", 0) == (wire.ended[0].reason, wire.in_use())


def test_hanging_up_an_ended_call_changes_nothing(wire):
    """The rim may hold on to a call longer than it lasts."""
    call = Established(wire)
    (held,) = wire.core.calls.live()
    hang_up(call)
    wire.sent.clear()
    wire.core.hang_up(held, "operator", wire.now)
    wire.pump()
    assert (wire.sent, len(wire.ended)) == ([], 1)


def test_emergency_calls_outlive_the_process(wire):
    """At the stop an answered emergency call is let go, not cut: its record is closed, nobody hears of it (R16)."""
    caller = Caller(wire, called="112")
    caller.start()
    Callee(wire, *wire.requests_to(TRUNK_A)).answer(200)
    ringing = Caller(wire, called="112")
    ringing.start()
    wire.sent.clear()
    end_all(wire, "edge_stopped")
    assert (wire.sent, [(f.reason, f.status) for f in wire.ended]) == ([], [("lost", 200)])
    assert [told["cause"] for told in wire.told("call.lost")] == ["edge_stopped"]


def test_an_operator_may_end_an_emergency_call(wire):
    """One call, named: somebody decided."""
    caller = Caller(wire, called="112")
    caller.start()
    Callee(wire, *wire.requests_to(TRUNK_A)).answer(200)
    (call,) = wire.core.calls.live()
    wire.core.hang_up(call, "operator", wire.now)
    wire.pump()
    assert wire.methods_to(TRUNK_A) == [b"BYE"]


@pytest.mark.parametrize("contact", ["tel:+331", "sip:x@[2001:db8::9]"])
def test_a_late_answer_that_cannot_be_reached(wire, contact):
    """Nothing can be sent to it; nothing else happens."""
    call = Established(wire)
    hang_up(call)
    wire.sent.clear()
    Callee(wire, call.invite, tag="late").answer(200, contact=contact)
    assert wire.sent == []
