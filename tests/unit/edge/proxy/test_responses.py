"""Response contexts: the best response, CANCEL in every state, Timer C, silence (RFC 3261 §16.7 to §16.10)."""

import pytest
from network import (
    CALLER,
    NOTHING,
    SBC,
    TRUNK_A,
    TRUNK_B,
    Callee,
    Caller,
    Established,
    Ringing,
    Wire,
    fail,
    policy,
    reply,
)


def test_the_best_failure_of_all_trunks_goes_up():
    """Over two trunks that may both be left, the 404 of the first is better than the 503 of the second."""
    wire = Wire(policy(failover_on="[404, 503]"))
    Caller(wire).start()
    fail(wire, 404)
    (invite,) = wire.requests_to(TRUNK_B)
    wire.send(reply(invite, 503), TRUNK_B)
    assert (wire.statuses_to(CALLER), wire.ended[0].reason) == ([100, 404], "not_found")


@pytest.mark.parametrize(
    ("first", "second", "best"), [(404, 407, 407), (407, 404, 407), (404, 480, 404), (500, 486, 486)]
)
def test_which_failure_is_the_best(first, second, best):
    """§16.7 item 6: the lowest class, and in it what tells the client how to try again."""
    wire = Wire(policy(failover_on="[404, 407, 500]"))
    Caller(wire).start()
    fail(wire, first)
    (invite,) = wire.requests_to(TRUNK_B)
    wire.send(reply(invite, second), TRUNK_B)
    assert wire.statuses_to(CALLER) == [100, best]


def test_a_6xx_is_better_than_all():
    """The 603 of the second trunk, not the 486 of the first."""
    wire = Wire(policy(failover_on="[486]"))
    Caller(wire).start()
    fail(wire, 486)
    (invite,) = wire.requests_to(TRUNK_B)
    wire.send(reply(invite, 603), TRUNK_B)
    assert wire.statuses_to(CALLER) == [100, 603]


def test_challenges_of_all_trunks_go_up_together():
    """§16.7 item 7: whoever is challenged by two branches sees both challenges."""
    wire = Wire(policy(failover_on="[401, 407]"))
    Caller(wire).start()
    (invite,) = wire.requests_to(TRUNK_A)
    wire.send(reply(invite, 407, extra='Proxy-Authenticate: Digest realm="a"'), TRUNK_A)
    (invite,) = wire.requests_to(TRUNK_B)
    wire.send(reply(invite, 401, extra='WWW-Authenticate: Digest realm="b"'), TRUNK_B)
    answer = wire.responses_to(CALLER)[-1]
    assert (401, [b'Digest realm="b"'], [b'Digest realm="a"']) == (
        answer.status, answer.values(b"www-authenticate"), answer.values(b"proxy-authenticate"),
    )  # fmt: skip


def test_a_6xx_ends_it_whatever_the_policy_says():
    """§16.7 item 5: after a 6xx nothing new is tried, even if policy lists it for failover."""
    wire = Wire(policy(failover_on="[603]"))
    Caller(wire).start()
    fail(wire, 603)
    assert (wire.statuses_to(CALLER), wire.requests_to(TRUNK_B)) == ([100, 603], [])


# -- CANCEL ------------------------------------------------------------------------------------------------------------


def test_cancel_while_admission_is_in_flight(wire):
    """200 to the CANCEL, 487 to the INVITE at once; the lease that comes later is given back unused."""
    wire.holding = []
    caller = Caller(wire)
    caller.start()
    caller.cancel()
    cancelled, terminated = wire.responses_to(CALLER)
    assert (200, 487) == (cancelled.status, terminated.status)
    assert cancelled.to().tag == terminated.to().tag  # §9.2
    assert (wire.ended, len(wire.core.calls)) == ([], 1)
    wire.release_store()
    (facts,) = wire.ended
    assert ("cancelled", 487, 16, "ingress", None) == (
        facts.reason, facts.status, facts.q850, facts.release_side, facts.sent_at,
    )  # fmt: skip
    assert (wire.in_use(), wire.asked[-1].outcome, wire.requests_to(TRUNK_A)) == (0, "abandoned", [])
    caller.ack_failure(terminated)
    wire.advance(200)
    assert wire.held == NOTHING


@pytest.mark.parametrize("is_away", [False, True])
def test_cancel_and_then_the_store_says_no(wire, is_away):
    """487 has gone up already: no second final response."""
    wire.holding = []
    caller = Caller(wire, source=SBC)
    caller.start(extra="X-Account: closed")
    caller.cancel()
    assert wire.statuses_to(SBC) == [200, 487]
    if is_away:
        held, wire.holding, wire.is_store_away = wire.holding, None, True
        wire.core.outbox.asks += held
        wire.pump()
    else:
        wire.release_store()
    assert (wire.statuses_to(SBC), [f.reason for f in wire.ended], len(wire.core.calls)) == ([], ["cancelled"], 0)


def test_cancel_before_any_1xx_waits_for_one(wire):
    """§9.1: CANCEL goes down only once a provisional response has come; its 487 comes up."""
    caller = Caller(wire)
    caller.start()
    (invite,) = wire.requests_to(TRUNK_A)
    caller.cancel()
    assert (wire.statuses_to(CALLER), wire.requests_to(TRUNK_A)) == ([100, 200], [])
    wire.send(reply(invite, 100), TRUNK_A)
    (cancel,) = wire.requests_to(TRUNK_A)
    assert (b"CANCEL", invite.uri, invite.values(b"via")[:1]) == (cancel.method, cancel.uri, cancel.values(b"via"))
    wire.send(reply(cancel, 200), TRUNK_A)
    wire.send(reply(invite, 180), TRUNK_A)
    wire.send(reply(invite, 487), TRUNK_A)
    assert (wire.statuses_to(CALLER), wire.methods_to(TRUNK_A)) == ([180, 487], [b"ACK"])
    (facts,) = wire.ended
    assert ("cancelled", 487, "ingress", [("a", 487)]) == (
        facts.reason, facts.status, facts.release_side, facts.candidates,
    )  # fmt: skip
    assert (wire.in_use(), wire.asked[-1].outcome) == (0, "cancelled")


def test_cancel_of_a_trunk_that_stays_silent(wire):
    """No 1xx ever comes: the silence timer ends it with 487, no other trunk is tried, and nothing is left behind."""
    caller = Caller(wire)
    caller.start()
    caller.cancel()
    wire.advance(4.1)
    terminated = wire.responses_to(CALLER)[-1]
    assert (terminated.status, wire.requests_to(TRUNK_B), wire.in_use()) == (487, [], 0)
    caller.ack_failure(terminated)
    wire.advance(200)
    assert (b"CANCEL" in wire.methods_to(TRUNK_A), wire.held) == (False, NOTHING)


def test_cancel_while_ringing(wire):
    """CANCEL goes down at once with the caller's Reason (RFC 3326), the callee's 487 up as it came."""
    call = Ringing(wire)
    call.caller.cancel(extra='Reason: SIP;cause=200;text="Call completed elsewhere"')
    (cancel,) = wire.requests_to(TRUNK_A)
    assert cancel.value(b"reason") == b'SIP;cause=200;text="Call completed elsewhere"'
    wire.send(reply(cancel, 200), TRUNK_A)
    call.callee.answer(487, extra="X-Theirs: 1")
    cancelled, terminated = wire.responses_to(CALLER)
    assert (200, 487, b"1") == (cancelled.status, terminated.status, terminated.value(b"x-theirs"))


def test_a_second_cancel_is_answered_and_changes_nothing(wire):
    """Its retransmission by the transaction; another one (other sent-by port in no way ours) is absorbed as well."""
    call = Ringing(wire)
    call.caller.cancel()
    call.caller.cancel()
    assert (wire.statuses_to(CALLER), wire.methods_to(TRUNK_A)) == ([200, 200], [b"CANCEL"])


def test_the_answer_wins_over_the_cancel(wire):
    """2xx crosses our CANCEL: the call is answered, and the record does not speak of the CANCEL."""
    call = Ringing(wire)
    call.caller.cancel()
    call.callee.answer(200)
    cancelled, answer = wire.responses_to(CALLER)
    assert (200, 200, b"callee") == (cancelled.status, answer.status, answer.to().tag)
    call.caller.learn(answer)
    call.caller.ack()
    call.caller.say("BYE")
    wire.send(reply(wire.requests_to(TRUNK_A, b"BYE")[-1], 200), TRUNK_A)
    (facts,) = wire.ended
    assert ("answered", 200, "ingress", 16) == (facts.reason, facts.status, facts.release_side, facts.q850)
    assert wire.in_use() == 0


def test_a_failure_that_crosses_the_cancel_goes_up(wire):
    """The callee was busy before the CANCEL reached it: its 486 is the final response, the record says cancelled."""
    call = Ringing(wire)
    call.caller.cancel()
    call.callee.answer(486)
    assert (wire.statuses_to(CALLER), wire.ended[0].reason, wire.ended[0].status) == ([200, 486], "cancelled", 486)


def test_a_failure_before_the_cancel_does_not_hide_the_487(wire):
    """The first trunk failed over with 408; the 487 of the second is what the caller hears."""
    caller = Caller(wire)
    caller.start()
    fail(wire, 408)
    callee = Callee(wire, *wire.requests_to(TRUNK_B), address=TRUNK_B)
    callee.answer(180)
    caller.cancel()
    callee.answer(487)
    assert wire.statuses_to(CALLER) == [100, 180, 200, 487]


def test_a_cancelled_callee_that_never_answers(wire):
    """§9.1: 64*T1 after the CANCEL the branch is destroyed; the caller gets 487; nothing is left."""
    call = Ringing(wire)
    call.caller.cancel()
    wire.advance(31)
    assert len(wire.core.calls) == 1
    wire.advance(2)
    terminated = wire.responses_to(CALLER)[-1]
    assert (terminated.status, wire.in_use(), len(wire.core.calls)) == (487, 0, 0)
    call.caller.ack_failure(terminated)
    call.callee.answer(200)  # far too late: no transaction waits for it
    assert wire.core.counters.stray_responses == 1
    wire.advance(200)
    assert wire.held == NOTHING


def test_cancel_after_the_final_response(wire):
    """200 to the CANCEL, and nothing else happens (§9.2)."""
    call = Ringing(wire)
    call.callee.answer(486)
    call.caller.cancel()
    assert (wire.statuses_to(CALLER), wire.methods_to(TRUNK_A)) == ([486, 200], [b"ACK"])


def test_cancel_after_the_answer(wire):
    """200, and the call goes on."""
    call = Established(wire)
    call.caller.cancel()
    assert (wire.statuses_to(CALLER), wire.requests_to(TRUNK_A), wire.in_use()) == ([200], [], 1)


# -- Timer C and silence ----------------------------------------------------------------------------------------------


def test_timer_c_ends_endless_ringing():
    """§16.8: CANCEL down, 408 up; a new 18x starts it anew (§16.7 item 2), a 100 does not."""
    wire = Wire(policy(setup_s=185))
    call = Ringing(wire)
    wire.advance(100)
    call.callee.answer(180)
    wire.advance(100)
    call.callee.answer(100)
    wire.advance(84)
    assert wire.requests_to(TRUNK_A) == []
    wire.advance(2)
    assert {b"CANCEL"} == set(wire.methods_to(TRUNK_A))
    call.callee.answer(487)
    assert (wire.statuses_to(CALLER), wire.requests_to(TRUNK_B)) == ([180, 408], [])
    (facts,) = wire.ended
    assert ("no_answer", 408, 102, "edge", [("a", 487)]) == (
        facts.reason, facts.status, facts.q850, facts.release_side, facts.candidates,
    )  # fmt: skip
    assert wire.in_use() == 0


def test_after_timer_c_nothing_new_is_tried():
    """Not even where the callee never ends what was cancelled."""
    wire = Wire(policy(setup_s=185))
    Ringing(wire)
    wire.advance(220)
    assert (wire.statuses_to(CALLER)[:1], wire.requests_to(TRUNK_B), wire.in_use()) == ([408], [], 0)


def test_timer_c_without_any_response_counts_as_408():
    """A trunk with a setup time shorter than its silence: given up, the next is tried; what rings late is cancelled."""
    wire = Wire(policy(setup_s=2, silence_s=20))
    Caller(wire).start()
    first = Callee(wire, wire.requests_to(TRUNK_A)[0])
    wire.advance(2.1)
    assert wire.methods_to(TRUNK_B) == [b"INVITE"]
    wire.requests_to(TRUNK_A)
    first.answer(180)
    assert wire.methods_to(TRUNK_A) == [b"CANCEL"]


def test_timer_b_is_silence_too():
    """With a silence timer longer than 64*T1 the transaction's own time-out fails over."""
    wire = Wire(policy(silence_s=60))
    Caller(wire).start()
    wire.advance(31.9)
    assert wire.requests_to(TRUNK_B) == []
    wire.advance(0.2)
    assert wire.methods_to(TRUNK_B) == [b"INVITE"]


def test_nothing_is_left_of_silent_trunks(wire):
    """Both silent: 503, and after their time-outs no transaction, timer or call is left."""
    caller = Caller(wire)
    caller.start()
    wire.advance(8.2)
    answer = wire.responses_to(CALLER)[-1]
    assert (answer.status, wire.ended[0].candidates) == (503, [("a", 408), ("b", 408)])
    caller.ack_failure(answer)
    wire.advance(200)
    assert wire.held == NOTHING


def test_a_transport_error_after_the_failure_changes_nothing(wire):
    """The ACK to a 486 cannot leave: the attempt had ended."""
    call = Ringing(wire)
    wire.unreachable.add(TRUNK_A)
    call.callee.answer(486)
    assert (wire.statuses_to(CALLER), len(wire.ended), wire.core.counters.transport_errors) == ([486], 1, 1)


def test_one_final_response_and_no_more(wire):
    """What comes after it is not sent."""
    caller = Caller(wire)
    caller.start()
    (call,) = wire.core.calls.live()
    context = call.context
    fail(wire, 486)
    context.answer(500, b"Server Internal Error", wire.now)
    wire.pump()
    assert wire.statuses_to(CALLER) == [100, 486]
