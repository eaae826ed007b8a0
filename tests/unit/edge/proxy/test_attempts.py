"""An attempt from its INVITE to its final response, as both sides and the record see it."""

import pytest
from network import (
    CALLER,
    FOREIGN,
    NOTHING,
    POLICY,
    SBC,
    STRANGER,
    TRUNK_A,
    TRUNK_B,
    Callee,
    Caller,
    Established,
    Ringing,
    Wire,
    fail,
    hang_up,
    policy,
    reply,
)

from edge.config.refusals import Reason
from edge.proxy.node import Settings
from edge.sip.locating import Target
from edge.sip.message import parse
from limits.model import Settle

BODY = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=\0\xff-\r\n"
ODD_HEADERS = "s :  A subject ,with a comma\nX-Odd:\tvalue\n  folded\nSupported: 100rel , timer\nk:replaces"


def test_a_call_runs_from_invite_to_bye(wire):
    """100, 180 and 200 reach the caller, ACK and BYE the callee; one lease while it lasts, one record in the end."""
    caller = Caller(wire)
    caller.start()
    callee = Callee(wire, *wire.requests_to(TRUNK_A))
    assert (wire.statuses_to(CALLER), wire.in_use()) == ([100], 1)
    wire.advance(0.1)
    callee.answer(100)
    callee.answer(180)
    assert wire.statuses_to(CALLER) == [180]  # a 100 is hop by hop
    wire.advance(0.3)
    callee.answer(200)
    (answer,) = wire.responses_to(CALLER)
    caller.learn(answer)
    caller.ack()
    assert wire.methods_to(TRUNK_A) == [b"ACK"]
    wire.advance(5)
    caller.say("BYE")
    (bye,) = wire.requests_to(TRUNK_A)
    wire.advance(0.5)
    wire.send(reply(bye, 200), TRUNK_A)
    assert (wire.statuses_to(CALLER), wire.in_use()) == ([200], 0)

    (facts,) = wire.ended
    assert ("answered", 200, 16, "ingress") == (facts.reason, facts.status, facts.q850, facts.release_side)
    assert ("acme", "acme-pbx", "a", [("a", 200)]) == (
        facts.account, facts.ingress_trunk, facts.egress_trunk, facts.candidates,
    )  # fmt: skip
    assert (1000.0, 1000.0, 1000.0) == (facts.received_at, facts.decided_at, facts.sent_at)
    assert pytest.approx([1000.1, 1000.4, 1005.4]) == [facts.ringing_at, facts.answered_at, facts.released_at]
    assert (caller.call_id, caller.from_tag, "callee") == (facts.call_id, facts.from_tag, facts.to_tag)
    assert ("192.0.2.1:5060", 7, 1, False) == (facts.source, facts.policy_generation, facts.in_use, facts.degraded)
    assert wire.asked[-1] == Settle("acme", facts.uid, "answered", 5000)
    assert (wire.core.counters.attempts, wire.core.counters.refused) == (1, {})


def test_what_is_not_edited_leaves_as_it_came(wire):
    """Every header line but Via, Record-Route, Max-Forwards and Max-Breadth, and the body, byte for byte, in order."""
    caller = Caller(wire)
    data = caller.request("INVITE", extra=ODD_HEADERS, body="@").replace(
        b"\r\n\r\n@", b"\r\n\r\n" + BODY.encode("latin-1")
    )
    data = data.replace(b"Content-Length: 1", b"Content-Length: %d" % len(BODY.encode("latin-1")))
    wire.send(data)
    (sent,) = wire.requests_to(TRUNK_A)
    edited = (b"Via:", b"Record-Route:", b"Max-Forwards:", b"Max-Breadth:")
    came = [line for line in parse(data).lines if not line.startswith(edited)]
    assert came == [line for line in sent.lines if not line.startswith(edited)]
    assert BODY.encode("latin-1") == sent.body


def test_the_edits_of_the_invite(wire):
    """Request-URI of the trunk, our Via over the stamped one, Record-Route with a token, one hop less, a breadth."""
    caller = Caller(wire)
    wire.send(caller.request("INVITE", extra="Record-Route: <sip:before.example;lr>"))
    (sent,) = wire.requests_to(TRUNK_A)
    assert sent.first == b"INVITE sip:+33170000001@198.51.100.1:5060 SIP/2.0"
    ours, theirs = sent.values(b"via")
    assert ours.startswith(b"SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKf")
    assert theirs == f"SIP/2.0/UDP 192.0.2.1:5060;branch={caller.branch};rport=5060;received=192.0.2.1".encode()
    ours, theirs = sent.values(b"record-route")
    assert ours.startswith(b"<sip:")
    assert ours.endswith(b"@192.0.2.10:5060;lr>")
    assert theirs == b"<sip:before.example;lr>"
    assert (sent.values(b"max-forwards"), sent.values(b"max-breadth")) == ([b"69"], [b"60"])


def test_responses_lose_our_via_and_nothing_else(wire):
    """A response with odd headers and a body goes up as it came, less our Via."""
    caller = Caller(wire)
    caller.start()
    (invite,) = wire.requests_to(TRUNK_A)
    data = reply(invite, 183, contact="sip:x@h", extra="s:odd\nX-A: b ,c", body="early", phrase="Sitzung l\xe4uft")
    wire.send(data, TRUNK_A)
    sent = wire.responses_to(CALLER)[-1]
    top = invite.header_lines(b"via")[0]
    assert data.replace(top + b"\r\n", b"") == sent.render()


def test_vias_joined_by_commas_come_apart(wire):
    """A callee that joins Vias on one line loses only our value of it."""
    caller = Caller(wire)
    caller.start()
    (invite,) = wire.requests_to(TRUNK_A)
    ours, theirs = invite.values(b"via")
    data = reply(invite, 180).replace(b"Via: " + ours + b"\r\nVia: " + theirs, b"v:" + ours + b" , " + theirs)
    wire.send(data, TRUNK_A)
    assert wire.responses_to(CALLER)[-1].header_lines(b"via") == [b"v:" + theirs]


def test_a_retransmitted_invite_is_one_attempt(wire):
    """It is answered with what was sent last, goes nowhere, and spends nothing."""
    call = Ringing(wire)
    for _ in range(3):
        call.caller.start()
    assert wire.statuses_to(CALLER) == [180, 180, 180]
    assert (wire.requests_to(TRUNK_A), wire.admits(), wire.core.counters.attempts) == ([], 1, 1)


def test_a_retransmission_before_the_store_has_answered_is_absorbed(wire):
    """Nothing to resend yet; after 200 ms the transaction says 100 by itself."""
    wire.holding = []
    caller = Caller(wire)
    caller.start()
    caller.start()
    assert wire.sent == []
    wire.advance(0.25)
    assert wire.statuses_to(CALLER) == [100]
    wire.release_store()
    assert (wire.admits(), len(wire.requests_to(TRUNK_A))) == (1, 1)


def test_the_same_invite_after_its_transaction_is_merged(wire):
    """A copy that comes while the call still runs, but its transaction does not, gets 482 and no second lease."""
    call = Established(wire)
    wire.advance(40)
    call.caller.start()
    assert (wire.statuses_to(CALLER), wire.in_use(), wire.requests_to(TRUNK_A)) == ([482], 1, [])
    assert (wire.ended, wire.core.counters.attempts) == ([], 1)


def test_the_same_invite_after_the_call_is_no_new_call(wire):
    """A late copy of its INVITE is told the same again, spends no token and has no record of its own: that of the call
    is there, under the same uid. The store remembers it longer than this node, and then it is a merged request."""
    call = Ringing(wire)
    call.callee.answer(486)
    call.caller.ack_failure(*wire.responses_to(CALLER))
    wire.advance(39)
    assert wire.core.transactions == 0
    call.caller.start()
    (again,) = wire.responses_to(CALLER)
    assert (again.status, wire.requests_to(TRUNK_A, b"INVITE")) == (486, [])
    call.caller.ack_failure(again)
    wire.advance(10)
    wire.core._node.ended.note("another", 200, wire.now)
    call.caller.start()
    assert (wire.statuses_to(CALLER), wire.requests_to(TRUNK_A, b"INVITE")) == ([482], [])
    assert [facts.reason for facts in wire.ended] == ["busy"]
    assert (wire.core.counters.refused[Reason.DUPLICATE], len(wire.core.calls)) == (1, 0)


REFUSED = [
    ("unknown source", STRANGER, {}, "", 403, "unknown_source"),
    ("unknown account", SBC, {}, "X-Account: nobody", 403, "unknown_account"),
    ("no account named", SBC, {}, "", 403, "unknown_account"),
    ("suspended or closed", SBC, {}, "X-Account: closed", 403, "account_closed"),
    ("French fixed number from abroad", FOREIGN, {"user": "+33123456789"}, "", 403, "cli_refused"),
    ("the same, asserted", FOREIGN, {}, "P-Asserted-Identity: <tel:0033-1-23-45-67-89>", 403, "cli_refused"),
    ("preloaded route", CALLER, {}, "Route: <sip:203.0.113.1;lr>", 403, "route_not_allowed"),
    ("preloaded route behind ours", CALLER, {}, "Route: <sip:192.0.2.10;lr>, <sip:h;lr>", 403, "route_not_allowed"),
    ("nobody called", CALLER, {"called": "%20"}, "", 484, "called_invalid"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "names", "extra", "status", "reason"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_refused_bypolicy(wire, source, names, extra, status, reason):
    """The answer carries Reason with its token; one record; no lease, nothing downstream, nothing left."""
    caller = Caller(wire, source=source, **names)
    caller.start(extra=extra)
    (answer,) = wire.responses_to(source)
    assert answer.status == status
    assert b'text="' + reason.encode() + b'"' in answer.value(b"reason")
    assert answer.to().tag
    (facts,) = wire.ended
    assert (reason, status, "edge") == (facts.reason, facts.status, facts.release_side)
    assert facts.q850 > 0
    assert facts.decided_at == facts.released_at == wire.now
    assert {reason: 1} == wire.core.counters.refused
    assert wire.requests_to(TRUNK_A) == []
    caller.ack_failure(answer)
    wire.advance(200)
    assert wire.held == NOTHING


def test_caps_refuses_with_retry_after(wire):
    """The second attempt in a second of an account with one CAPS; the third, after the wait, passes."""
    first, second, third = (Caller(wire, source=SBC) for _ in range(3))
    first.start(extra="X-Account: slow")
    wire.requests_to(TRUNK_A)
    second.start(extra="X-Account: slow")
    answer = wire.responses_to(SBC)[-1]
    assert (answer.status, answer.value(b"retry-after")) == (503, b"1")
    assert ("caps", "caps", 1, 503) == (
        wire.ended[0].reason,
        wire.ended[0].limit,
        wire.ended[0].ceiling,
        wire.ended[0].status,
    )
    assert wire.ended[0].account == "slow"
    wire.advance(1)
    third.start(extra="X-Account: slow")
    assert len(wire.requests_to(TRUNK_A, b"INVITE")) >= 1


def test_concurrent_calls_are_refused_and_leave_no_lease(wire):
    """The fourth call of an account with three."""
    calls = [Established(wire) for _ in range(3)]
    caller = Caller(wire)
    caller.start()
    (answer,) = wire.responses_to(CALLER)
    assert (answer.status, b'text="calls"' in answer.value(b"reason")) == (503, True)
    assert (3, 3, 3) == (wire.ended[0].ceiling, wire.ended[0].in_use, wire.in_use())
    hang_up(calls[0])
    assert wire.in_use() == 2
    Established(wire)


def test_store_away_refuses(wire):
    """An account that says so: 503, reason `store_away`."""
    wire.is_store_away = True
    Caller(wire).start()
    assert (wire.statuses_to(CALLER), wire.ended[0].reason, wire.core.leases) == ([503], "store_away", 0)
    wire.advance(200)
    assert wire.held == NOTHING


def test_store_away_admits_and_marks_the_record(wire):
    """An account that says so: the call runs, its lease is taken by the next renewal, and it is settled in the end."""
    wire.is_store_away = True
    call = Established(wire, extra="X-Account: fragile", source=SBC)
    assert (wire.in_use("fragile"), wire.core.leases) == (0, 1)
    wire.is_store_away = False
    wire.advance(10)
    assert (wire.in_use("fragile"), len(wire.told("lease.reasserted"))) == (1, 1)
    hang_up(call)
    assert (wire.ended[0].degraded, wire.ended[0].reason, wire.in_use("fragile")) == (True, "answered", 0)


def test_a_header_that_names_the_account_stays_with_us(wire):
    """It would name an account to the next edge that trusts us, whoever wrote it."""
    Caller(wire, source=SBC).start(extra="X-Account: fragile")
    Caller(wire).start(extra="x-account: root\nX-Other: stays")
    sent = wire.requests_to(TRUNK_A)
    assert [None, None] == [invite.value(b"x-account") for invite in sent]
    assert sent[1].value(b"x-other") == b"stays"


@pytest.mark.parametrize("extra", ["Route: <sip:192.0.2.10:5060;lr>", "Route: <sip:edge@192.0.2.10;lr>"])
def test_a_route_that_names_the_edge_is_an_outbound_proxy(wire, extra):
    """A caller configured with us as its outbound proxy: our route goes, the call passes."""
    Caller(wire).start(extra=extra)
    (invite,) = wire.requests_to(TRUNK_A)
    assert invite.value(b"route") is None


def test_an_emergency_call_passes_every_ceiling(wire):
    """Calls at the ceiling, edge draining and overloaded, route preloaded: it passes, without a lease (R16)."""
    for _ in range(3):
        Established(wire)
    wire.core.drain()
    wire.core.refuse_attempts(True)
    caller = Caller(wire, called="112")
    caller.start(extra="Route: <sip:203.0.113.1;lr>")
    (invite,) = wire.requests_to(TRUNK_A, b"INVITE")
    assert (invite.value(b"route"), wire.in_use(), wire.admits()) == (None, 3, 3)
    callee = Callee(wire, invite)
    callee.answer(200)
    caller.learn(wire.responses_to(CALLER)[-1])
    caller.ack()
    wire.requests_to(TRUNK_A)
    caller.say("BYE")
    wire.send(reply(*wire.requests_to(TRUNK_A), 200), TRUNK_A)
    (facts,) = wire.ended
    assert (True, "answered", "112") == (facts.emergency, facts.reason, facts.called)
    assert not any(isinstance(verb, Settle) for verb in wire.asked)


def test_an_emergency_call_is_never_cut(wire):
    """Not without an ACK, not after the longest duration: then it is let go, and its record says so."""
    wire = Wire(settings=Settings(node="e", max_duration_s=60, renew_s=10))
    caller = Caller(wire, called="112")
    caller.start()
    Callee(wire, *wire.requests_to(TRUNK_A)).answer(200)
    wire.responses_to(CALLER)
    wire.advance(59)
    assert (wire.requests_to(TRUNK_A), len(wire.core.calls)) == ([], 1)
    wire.advance(2)
    (facts,) = wire.ended
    assert ("lost", "edge", 1060.0) == (facts.reason, facts.release_side, round(facts.released_at))
    wire.advance(200)
    assert (wire.requests_to(TRUNK_A), wire.requests_to(CALLER), wire.held) == ([], [], NOTHING)


def test_room_is_kept_for_emergency_calls():
    """A full process refuses with `overloaded` and Retry-After, but not whoever calls 15; and that has an end too."""
    wire = Wire(settings=Settings(node="e", max_calls=1))
    Ringing(wire)
    Caller(wire).start()
    (answer,) = wire.responses_to(CALLER)
    assert (answer.status, answer.value(b"retry-after") is not None) == (503, True)
    for _ in range(9):
        Caller(wire, called="15").start()
    assert [facts.reason for facts in wire.ended] == ["overloaded", "overloaded"]
    assert len(wire.core.calls) == 9


def test_draining_refuses_attempts_and_serves_calls(wire):
    """503 `draining` for a new call; the running one says BYE as always."""
    call = Established(wire)
    wire.core.drain()
    Caller(wire).start()
    (answer,) = wire.responses_to(CALLER)
    assert (answer.status, wire.ended[0].reason) == (503, "draining")
    hang_up(call)
    assert wire.ended[1].reason == "answered"


def test_an_overloaded_rim_refuses_until_it_is_well_again(wire):
    """The rim says that it cannot write records, then that it can."""
    wire.core.refuse_attempts(True)
    Caller(wire).start()
    assert wire.ended[0].reason == "overloaded"
    wire.core.refuse_attempts(False)
    Established(wire)


def test_the_callees_refusal_is_final(wire):
    """486 goes up as it came, with its cause and side in the record; no other trunk is tried."""
    call = Ringing(wire)
    call.callee.answer(486, extra='Reason: SIP;cause=486, Q.850 ;cause=17;text="busy"\nX-Why: late')
    (answer,) = wire.responses_to(CALLER)
    assert (answer.status, answer.value(b"x-why"), wire.methods_to(TRUNK_A)) == (486, b"late", [b"ACK"])
    (facts,) = wire.ended
    assert ("busy", 486, 17, "egress", [("a", 486)]) == (
        facts.reason, facts.status, facts.q850, facts.release_side, facts.candidates,
    )  # fmt: skip
    assert (wire.requests_to(TRUNK_B), wire.in_use()) == ([], 0)
    assert wire.asked[-1].outcome == "failed"


@pytest.mark.parametrize("status", [302, 404, 480, 486, 488, 500, 600, 603])
def test_no_failover_on_what_the_callee_says(wire, status):
    """Only 503, 408 and our own verdicts move on."""
    call = Ringing(wire)
    call.callee.answer(status)
    assert (wire.statuses_to(CALLER), wire.requests_to(TRUNK_B)) == ([status], [])


def _fail_by_silence(wire):
    wire.advance(4.1)


FAILURES = {
    "503": (fail, 503),
    "408": (lambda wire: fail(wire, 408), 408),
    "silence": (_fail_by_silence, 408),
}


@pytest.mark.parametrize(("fail", "status"), FAILURES.values(), ids=FAILURES)
def test_the_next_trunk_takes_the_call(wire, fail, status):
    """503, 408, silence: the next candidate gets its own branch and URI; one lease, one record with both tries."""
    caller = Caller(wire)
    caller.start()
    fail(wire)
    (invite,) = wire.requests_to(TRUNK_B)
    assert invite.uri == b"sip:+33170000001@198.51.100.2:5070"
    assert len(invite.values(b"via")) == 2
    Callee(wire, invite, TRUNK_B).answer(200)
    assert (wire.statuses_to(CALLER), wire.admits()) == ([100, 200], 1)
    assert [{"trunk": "a", "status": status}] == [
        {key: told[key] for key in ("trunk", "status")} for told in wire.told("trunk.failed_over")
    ]
    assert len(wire.core.calls) == 1
    (call,) = wire.core.calls.live()
    assert ([("a", status), ("b", 200)], "b") == (call.facts.candidates, call.facts.egress_trunk)


def test_a_transport_failure_moves_on_at_once(wire):
    """The socket says no: as if a 503 had come (§16.9), whatever `failover_on` says."""
    wire.unreachable.add(TRUNK_A)
    Caller(wire).start()
    (invite,) = wire.requests_to(TRUNK_B)
    Callee(wire, invite, TRUNK_B).answer(486)
    assert wire.ended[0].candidates == [("a", 503), ("b", 486)]
    assert wire.core.counters.transport_errors == 1


def test_all_trunks_failed(wire):
    """503 of our own with the token; the lease goes back."""
    Caller(wire).start()
    fail(wire)
    (invite,) = wire.requests_to(TRUNK_B)
    wire.send(reply(invite, 503, extra="X-Theirs: 1"), TRUNK_B)
    answer = wire.responses_to(CALLER)[-1]
    assert (answer.status, answer.value(b"x-theirs")) == (503, None)
    assert b'text="trunks_failed"' in answer.value(b"reason")
    (facts,) = wire.ended
    assert ("trunks_failed", [("a", 503), ("b", 503)], "edge") == (facts.reason, facts.candidates, facts.release_side)
    assert (wire.in_use(), wire.core.counters.refused) == (0, {"trunks_failed": 1})


def test_a_trunk_that_keeps_the_uri():
    """`request_uri = "keep"`: the trunk is the next hop only."""
    wire = Wire(policy(request_uri='"keep"'))
    Caller(wire).start()
    (invite,) = wire.requests_to(TRUNK_A)
    assert invite.uri == b"sip:+33170000001@192.0.2.10:5060"


def test_a_large_invite_is_sent_and_counted(wire):
    """Over 1,300 bytes on a trunk that speaks UDP only (§18.1.1)."""
    Caller(wire).start(body="x" * 1400)
    assert (len(wire.requests_to(TRUNK_A)), wire.core.counters.oversize_sent) == (1, 1)


# -- names of trunks ---------------------------------------------------------------------------------------------------

NAMED = "+33190000001"


def test_a_trunk_by_name_waits_for_its_address(wire):
    """The rim is asked; the INVITE leaves when it answers."""
    Caller(wire, called=NAMED).start()
    assert ([(1, Target("trunk.example", 5060, "udp"))], wire.statuses_to(CALLER)) == (wire.resolves, [100])
    wire.resolve("198.51.100.1")
    assert wire.methods_to(TRUNK_A) == [b"INVITE"]


def test_a_name_without_address_is_a_failed_trunk(wire):
    """The next one is tried, and the record says 503 for this one."""
    Caller(wire, called=NAMED).start()
    wire.resolve()
    Callee(wire, *wire.requests_to(TRUNK_B), address=TRUNK_B).answer(486)
    assert (wire.ended[0].candidates, len(wire.told("trunk.unreachable"))) == ([("named", 503), ("b", 486)], 1)


def test_cancel_while_a_name_is_looked_up(wire):
    """487 at once; the late answer of the look-up starts nothing."""
    caller = Caller(wire, called=NAMED)
    caller.start()
    caller.cancel()
    assert (wire.statuses_to(CALLER), wire.ended[0].reason, wire.in_use()) == ([100, 200, 487], "cancelled", 0)
    wire.resolve("198.51.100.1")
    assert wire.requests_to(TRUNK_A) == []


def test_every_name_fails():
    """No address for any trunk: 503 `trunks_failed`."""
    wire = Wire(POLICY.replace('trunks = ["named", "b"]', 'trunks = ["named"]'))
    Caller(wire, called=NAMED).start()
    wire.resolve("2001:db8::9")  # no listener of ours speaks IPv6
    assert (wire.statuses_to(CALLER), wire.ended[0].reason) == ([100, 503], "trunks_failed")


def test_no_trunk_at_all(wire):
    """Admitted, and nobody to take it: 404 `no_route`; the lease goes back."""
    wire.holding = []
    Caller(wire).start()
    (call,) = wire.core.calls.live()
    call.attempt.candidates.clear()
    wire.release_store()
    assert (wire.statuses_to(CALLER), wire.ended[0].reason, wire.in_use()) == ([100, 404], "no_route", 0)
