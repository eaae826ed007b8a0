"""A trunk that asks who we are in the middle of a call: the edge answers, and the caller hears nothing of it."""

import pytest
from network import CALLER, NOTHING, TRUNK_A, TRUNK_B, Callee, Caller, Wire, policy, reply
from registrar import LOGIN, PASSWORD, challenge, is_proved

from edge.proxy.proving import MAX_CSEQ, shift
from edge.proxy.record import of_call
from edge.sip.message import parse
from limits.model import Adopted


def asking_wire(**trunk):
    """Trunk a knows us by user name and password."""
    return Wire(policy(login=LOGIN, **trunk), passwords={"a": PASSWORD})


def the_request(wire, method, address=TRUNK_A):
    (request,) = {one.via().branch: one for one in wire.requests_to(address, method)}.values()
    return request


class Proved:
    """A call whose INVITE was challenged and proved, ringing at trunk a."""

    def __init__(self, wire, *, extra="", status=401, body=""):
        self.wire = wire
        self.caller = Caller(wire)
        self.caller.start(extra=extra, body=body)
        self.first = the_request(wire, b"INVITE")
        wire.send(challenge(self.first, status=status), TRUNK_A)
        assert the_request(wire, b"ACK").cseq().number == 1
        self.invite = the_request(wire, b"INVITE")
        self.callee = Callee(wire, self.invite)

    def answer(self):
        self.callee.answer(200)
        (answer,) = [one for one in self.wire.responses_to(CALLER) if one.status == 200]
        self.caller.learn(answer)
        self.caller.ack()
        self.ack = the_request(self.wire, b"ACK")
        return answer


@pytest.mark.parametrize(("status", "header"), [(401, b"authorization"), (407, b"proxy-authorization")])
def test_the_invite_goes_again_with_proof_and_the_next_number(status, header):
    """RFC 3261 §22.2: same Call-ID, From and To, the next CSeq number, another branch; the caller sees its own."""
    call = Proved(asking_wire(), status=status)
    first, invite = call.first, call.invite
    assert is_proved(invite, header=header)
    assert (invite.cseq().number, invite.uri, invite.call_id()) == (2, first.uri, first.call_id())
    assert (invite.from_().raw, invite.to().raw, invite.body) == (first.from_().raw, first.to().raw, first.body)
    assert invite.via().branch != first.via().branch
    call.callee.answer(180)
    responses = call.wire.responses_to(CALLER)
    assert [(one.status, one.cseq().number) for one in responses] == [(100, 1), (180, 1)]
    answer = call.answer()
    assert answer.cseq().number == 1
    assert (call.ack.cseq().number, is_proved_ack(call.ack, invite, header)) == (2, True)
    assert call.wire.core.counters.calls_live == 1
    assert call.wire.in_use() == 1


def is_proved_ack(ack, invite, header=b"authorization"):
    """§22.1: the ACK has the credentials of its INVITE, word for word."""
    return ack.value(header) is not None and ack.value(header) == invite.value(header)


def test_every_later_request_keeps_the_distance():
    """Both sides count on as they began; what the callee sends is not touched."""
    call = Proved(asking_wire())
    call.answer()
    wire, caller, callee = call.wire, call.caller, call.callee
    caller.say("INFO")
    info = the_request(wire, b"INFO")
    assert info.cseq().number == 3
    wire.send(reply(info, 200), TRUNK_A)
    assert [one.cseq().number for one in wire.responses_to(CALLER)] == [2]
    callee.say("INFO")
    (info,) = wire.requests_to(CALLER, b"INFO")
    assert info.cseq().number == 101
    wire.send(reply(info, 200), CALLER)
    assert [one.cseq().number for one in wire.responses_to(TRUNK_A)] == [101]
    caller.say("INVITE")
    invite = the_request(wire, b"INVITE")
    wire.send(reply(invite, 200, contact="sip:x@198.51.100.1"), TRUNK_A)
    caller.ack(cseq=caller.cseq)
    ack = the_request(wire, b"ACK")
    assert (invite.cseq().number, ack.cseq().number) == (4, 4)
    caller.say("BYE")
    bye = the_request(wire, b"BYE")
    assert bye.cseq().number == 5
    wire.send(reply(bye, 200), TRUNK_A)
    (facts,) = wire.ended
    assert (facts.reason, facts.candidates) == ("answered", [("a", 200)])
    wire.advance(300)
    assert wire.held == NOTHING


def test_a_request_inside_the_call_may_be_asked_too():
    """Answered once; the distance grows by one, for that request and all later ones."""
    call = Proved(asking_wire())
    call.answer()
    wire, caller = call.wire, call.caller
    wire.responses_to(CALLER)
    caller.say("INVITE", body="v=0\r\n")
    wire.send(challenge(the_request(wire, b"INVITE"), "n2"), TRUNK_A)
    invite = the_request(wire, b"INVITE")
    assert (is_proved(invite, "n2"), invite.cseq().number, invite.body) == (True, 4, b"v=0\r\n")
    assert the_request(wire, b"ACK").cseq().number == 3
    wire.send(reply(invite, 200, contact="sip:x@198.51.100.1"), TRUNK_A)
    assert [(one.status, one.cseq().number) for one in wire.responses_to(CALLER) if one.status > 100] == [(200, 2)]
    caller.ack(cseq=caller.cseq)
    ack = the_request(wire, b"ACK")
    assert (ack.cseq().number, is_proved_ack(ack, invite)) == (4, True)
    caller.say("BYE")
    bye = the_request(wire, b"BYE")
    assert bye.cseq().number == 5
    wire.send(challenge(bye, "n3"), TRUNK_A)
    bye = the_request(wire, b"BYE")
    assert (bye.cseq().number, is_proved(bye, "n3")) == (6, True)
    wire.send(reply(bye, 200), TRUNK_A)
    assert [(one.status, one.cseq().number) for one in wire.responses_to(CALLER)] == [(200, 3)]
    assert len(wire.ended) == 1


def test_a_request_inside_the_call_is_proved_once():
    """The second challenge is the caller's affair: it ends the request."""
    call = Proved(asking_wire())
    call.answer()
    wire, caller = call.wire, call.caller
    wire.responses_to(CALLER)
    caller.say("INFO")
    wire.send(challenge(the_request(wire, b"INFO"), "n2"), TRUNK_A)
    wire.send(challenge(the_request(wire, b"INFO"), "n3"), TRUNK_A)
    assert wire.requests_to(TRUNK_A) == []
    assert [one.status for one in wire.responses_to(CALLER)] == [401]


def test_what_acknowledges_a_ringing_names_the_number_that_rang():
    """RFC 3262 §7.2: RAck speaks of the INVITE as the callee knows it; a proof for the PRACK itself changes no RAck."""
    call = Proved(asking_wire(), extra="Supported: 100rel")
    wire, caller = call.wire, call.caller
    call.callee.answer(183, extra="Require: 100rel\nRSeq: 7")
    caller.learn(wire.responses_to(CALLER)[-1])
    caller.say("PRACK", extra="RAck: 7 1 INVITE")
    prack = the_request(wire, b"PRACK")
    assert (prack.value(b"rack"), prack.cseq().number) == (b"7 2 INVITE", 3)
    wire.send(challenge(prack, "n2"), TRUNK_A)
    prack = the_request(wire, b"PRACK")
    assert (prack.value(b"rack"), prack.cseq().number) == (b"7 2 INVITE", 4)
    wire.send(reply(prack, 200), TRUNK_A)
    caller.say("PRACK", extra="RAck: 8 1 INVITE")
    assert the_request(wire, b"PRACK").value(b"rack") == b"8 2 INVITE"


def test_the_edges_own_bye_counts_and_proves():
    """Ending a call from the middle: the caller's name, the callee's numbers, and a proof where it is asked for."""
    call = Proved(asking_wire())
    call.answer()
    wire = call.wire
    wire.core.hang_up_all("max_duration", wire.now)
    wire.pump()
    bye = the_request(wire, b"BYE")
    assert bye.cseq().number == 3
    wire.send(challenge(bye, "n2"), TRUNK_A)
    bye = the_request(wire, b"BYE")
    assert (bye.cseq().number, is_proved(bye, "n2")) == (4, True)
    wire.send(reply(bye, 200), TRUNK_A)
    (to_caller,) = wire.requests_to(CALLER, b"BYE")
    wire.send(reply(to_caller, 200), CALLER)
    assert [facts.reason for facts in wire.ended] == ["max_duration"]
    wire.advance(300)
    assert wire.held == NOTHING


@pytest.mark.parametrize("end", ["challenge", "silence", "transport"])
def test_the_edges_own_bye_has_an_end(end):
    """A trunk that asks for ever does not keep the call."""
    call = Proved(asking_wire())
    call.answer()
    wire = call.wire
    wire.core.hang_up_all("max_duration", wire.now)
    if end == "transport":
        wire.unreachable.add(TRUNK_A)
    wire.pump()
    (to_caller,) = wire.requests_to(CALLER, b"BYE")
    wire.send(reply(to_caller, 200), CALLER)
    for nonce in ("n2", "n3") if end == "challenge" else ():
        wire.send(challenge(the_request(wire, b"BYE"), nonce), TRUNK_A)
    wire.advance(33)
    assert len(wire.ended) == 1
    assert wire.in_use() == 0


# -- the trunk does not believe, or asks for what cannot be given ------------------------------------------------------


def test_a_password_that_is_refused_is_not_the_callers_affair():
    """One proof for one call; then the next trunk. The caller is not asked for a password of ours."""
    call = Proved(asking_wire())
    wire = call.wire
    wire.send(challenge(call.invite, "n2"), TRUNK_A)
    assert wire.requests_to(TRUNK_A, b"INVITE") == []
    other = the_request(wire, b"INVITE", TRUNK_B)
    assert (other.cseq().number, other.value(b"authorization")) == (1, None)
    assert [(fact["trunk"], fact["why"]) for fact in wire.told("trunk.login_refused")] == [("a", "refused")]
    wire.send(reply(other, 486), TRUNK_B)
    assert wire.statuses_to(CALLER) == [100, 486]
    (facts,) = wire.ended
    assert facts.candidates == [("a", 401), ("b", 486)]


@pytest.mark.parametrize(
    "answer",
    [
        'WWW-Authenticate: Digest realm="c", nonce="n", algorithm=SHA3',
        'WWW-Authenticate: Digest realm="c"',
        "WWW-Authenticate: Basic realm=c",
        'Proxy-Authenticate: Digest realm="c", nonce="n"',
        "",
    ],
)
def test_a_challenge_that_cannot_be_answered_leads_to_the_next_trunk(answer):
    wire = asking_wire()
    Caller(wire).start()
    wire.send(reply(the_request(wire, b"INVITE"), 401, extra=answer), TRUNK_A)
    assert wire.requests_to(TRUNK_A, b"INVITE") == []
    assert len(wire.requests_to(TRUNK_B, b"INVITE")) == 1
    assert [fact["why"] for fact in wire.told("trunk.login_refused")] == ["not given"]


def test_without_the_password_the_next_trunk():
    wire = Wire(policy(login=LOGIN))
    Caller(wire).start()
    wire.send(challenge(the_request(wire, b"INVITE")), TRUNK_A)
    assert len(wire.requests_to(TRUNK_B, b"INVITE")) == 1


def test_where_all_ask_in_vain_the_caller_hears_of_trunks():
    """Neither 401 nor the realm of a carrier goes up."""
    wire = asking_wire()
    Caller(wire).start()
    wire.send(reply(the_request(wire, b"INVITE"), 401), TRUNK_A)
    wire.send(reply(the_request(wire, b"INVITE", TRUNK_B), 503), TRUNK_B)
    (final,) = [one for one in wire.responses_to(CALLER) if one.status > 100]
    assert (final.status, final.value(b"www-authenticate")) == (503, None)


def test_a_trunk_without_a_login_asks_the_caller():
    """As a proxy does (§22.3)."""
    wire = Wire(policy(), passwords={"a": PASSWORD})
    Caller(wire).start()
    wire.send(challenge(the_request(wire, b"INVITE"), status=407), TRUNK_A)
    assert wire.statuses_to(CALLER) == [100, 407]


def test_a_realm_that_is_not_meant_is_not_answered():
    """A trunk that hands on another server's question gets nothing that is good there."""
    wire = Wire(policy(login=LOGIN.replace("}", ', realm = "other" }')), passwords={"a": PASSWORD})
    Caller(wire).start()
    wire.send(challenge(the_request(wire, b"INVITE")), TRUNK_A)
    assert len(wire.requests_to(TRUNK_B, b"INVITE")) == 1


def test_a_cancelled_call_is_not_begun_again():
    """The challenge crosses the CANCEL: the caller has its 487, nobody rings."""
    wire = asking_wire()
    caller = Caller(wire)
    caller.start()
    invite = the_request(wire, b"INVITE")
    wire.send(reply(invite, 100), TRUNK_A)
    caller.cancel()
    wire.send(challenge(invite), TRUNK_A)
    assert wire.requests_to(TRUNK_A, b"INVITE") == []
    assert wire.statuses_to(CALLER) == [100, 200, 487]


def test_a_proved_call_is_cancelled_with_its_own_number():
    """§9.1: CANCEL has the CSeq number of the INVITE it ends, and its branch."""
    call = Proved(asking_wire())
    call.callee.answer(180)
    call.caller.cancel()
    cancel = the_request(call.wire, b"CANCEL")
    assert (cancel.cseq().number, cancel.via().branch) == (2, call.invite.via().branch)
    call.wire.send(reply(call.invite, 487), TRUNK_A)
    assert call.wire.statuses_to(CALLER)[-1] == 487


def test_the_highest_number_has_no_next():
    """A caller at the end of the numbers (§8.1.1.5) goes to the next trunk."""
    wire = asking_wire()
    caller = Caller(wire)
    caller.cseq = MAX_CSEQ
    caller.start()
    wire.send(challenge(the_request(wire, b"INVITE")), TRUNK_A)
    assert wire.requests_to(TRUNK_A, b"INVITE") == []
    assert len(wire.requests_to(TRUNK_B, b"INVITE")) == 1


def test_an_answer_that_comes_too_late_is_ended_in_its_own_numbers():
    """A proved INVITE that is given up and answered: ACK and BYE as that callee counts."""
    call = Proved(asking_wire(silence_s=1.0))
    wire = call.wire
    wire.advance(1.1)
    wire.send(reply(the_request(wire, b"INVITE", TRUNK_B), 486), TRUNK_B)
    wire.requests_to(TRUNK_A)
    call.callee.answer(200)
    assert [(one.method, one.cseq().number) for one in wire.requests_to(TRUNK_A)] == [(b"ACK", 2), (b"BYE", 3)]


def test_another_node_goes_on_with_the_numbers():
    """The distance is in the record that the store keeps."""
    call = Proved(asking_wire())
    call.answer()
    wire, caller = call.wire, call.caller
    (live,) = wire.core.calls.live()
    record = of_call(live, wire.core._node)
    uid = live.uid
    wire.new_core()
    at = int(wire.now * 1000)
    found = Adopted(uid, False, at, at, at, 0, 0, None, "", record)
    wire.core.adopt("acme", "edge0", at, (found,), wire.now)
    wire.pump()
    caller.say("INFO")
    assert the_request(wire, b"INFO").cseq().number == 3


@pytest.mark.parametrize(
    ("rack", "shifted"),
    [("1 2 INVITE", "1 3 INVITE"), ("1 x INVITE", "1 x INVITE"), ("1", "1"), ("1 99999999999 INVITE",) * 2],
)
def test_a_rack_that_cannot_be_read_stays(rack, shifted):
    """What is not understood is passed on."""
    lines = ["PRACK sip:a@h SIP/2.0", "Via: SIP/2.0/UDP h;branch=z9hG4bK1", "From: <sip:a@h>;tag=1", "Call-ID: c"]
    lines += ["To: <sip:b@h>;tag=2", "CSeq: 5 PRACK", f"RAck: {rack}", "Content-Length: 0", "", ""]
    request = parse("\r\n".join(lines).encode())
    assert shift(request, 2, acknowledged=1) == b"5 PRACK"
    assert (request.value(b"rack"), request.cseq().number) == (shifted.encode(), 7)
