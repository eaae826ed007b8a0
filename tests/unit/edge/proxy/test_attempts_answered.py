"""An attempt that is answered: once, again, by several, too late."""

from network import (
    CALLER,
    TRUNK_A,
    TRUNK_B,
    Callee,
    Caller,
    Established,
    Ringing,
    hang_up,
    reply,
)

from limits.model import Unavailable


def test_every_copy_of_the_answer_is_relayed(wire):
    """Until the ACK comes the callee repeats its 2xx, and the edge each copy; it is one answer."""
    call = Ringing(wire)
    for _ in range(3):
        call.callee.answer(200)
        wire.advance(1)
    assert wire.statuses_to(CALLER) == [200, 200, 200]
    assert wire.core.calls.live()[0].facts.answered_at == 1000.0


def test_bodies_pass_and_are_not_kept(wire):
    """What was offered and answered is of no use to the edge once the call is up."""
    call = Ringing(wire, body="v=0 offer")
    call.callee.answer(200, body="v=0 answer")

    assert (call.invite.body, wire.responses_to(CALLER)[0].body) == (b"v=0 offer", b"v=0 answer")
    (live,) = wire.core.calls.live()
    kept = [live.invite, *[dialog.answer for dialog in live.dialogs.values()]]
    assert all(message.endswith(b"\r\n\r\n") for message in kept)
    assert not any(b"v=0" in message or b"Content-Length" in message for message in kept)


def waiting_answer(wire) -> Ringing:
    """A call that the callee has just answered, which the store is being told."""
    call = Ringing(wire)
    wire.holding = []
    call.callee.answer(200)
    assert wire.statuses_to(CALLER) == []
    return call


def test_nobody_talks_before_the_store_has_the_answer(wire):
    """Another node that takes the call over would think that it still rings, and give its place to the next one."""
    waiting_answer(wire)
    wire.release_store()
    assert wire.statuses_to(CALLER) == [200]
    wire.advance(60)
    assert wire.statuses_to(CALLER) == [], "once"


def test_what_comes_after_the_first_answer_waits_behind_it(wire):
    """Its repeats, and the 2xx of a second callee: in the order in which they came, and nobody talks before."""
    call = waiting_answer(wire)
    Callee(wire, call.invite, tag="other").answer(200)
    call.callee.answer(200)
    assert wire.statuses_to(CALLER) == []
    wire.release_store()
    assert [b"callee", b"other", b"callee"] == [answer.to().tag for answer in wire.responses_to(CALLER)]
    Callee(wire, call.invite, tag="other").answer(200)
    assert wire.statuses_to(CALLER) == [200]


def test_an_answer_waits_no_longer_than_the_store_has_time(wire):
    """Past its deadline it goes up all the same; the record is owed with the next renewal."""
    waiting_answer(wire)
    for verb in wire.holding:
        wire.core.limiter_answered(verb, Unavailable("too late"), wire.now)
    wire.pump()
    assert wire.statuses_to(CALLER) == [200]
    assert wire.core.calls.live()[0].is_record_owed


def test_a_caller_who_gives_up_while_the_store_is_told_has_the_answer(wire):
    """The answer has won (RFC 3261 §9.2): nothing is cancelled at the callee, who has answered."""
    call = waiting_answer(wire)
    call.caller.cancel()
    assert (wire.statuses_to(CALLER), wire.methods_to(TRUNK_A)) == ([200], []), "of the CANCEL"
    wire.release_store()
    (answer,) = wire.responses_to(CALLER)
    assert (answer.status, answer.cseq().method) == (200, b"INVITE")


def test_hung_up_while_the_store_is_told(wire):
    """By an operator: the caller has the answer first, and the BYE when he has acknowledged it (§15)."""
    call = waiting_answer(wire)
    (live,) = wire.core.calls.live()
    assert wire.core.hang_up(live, "operator", wire.now)
    wire.pump()
    (bye,) = wire.requests_to(TRUNK_A, b"BYE")
    assert (wire.statuses_to(CALLER), wire.methods_to(CALLER)) == ([], [])
    wire.release_store()
    (answer,) = wire.responses_to(CALLER)
    call.caller.learn(answer)
    call.caller.ack()
    wire.send(reply(bye, 200), TRUNK_A)
    (to_caller,) = wire.requests_to(CALLER, b"BYE")
    wire.send(reply(to_caller, 200), CALLER)
    assert (answer.status, wire.in_use(), len(wire.ended)) == (200, 0, 1)


def test_forked_answers_are_all_relayed_and_share_the_lease(wire):
    """Two To tags: two dialogs of one call; it is over when both are."""
    call = Ringing(wire)
    other = Callee(wire, call.invite, tag="other")
    call.callee.answer(200)
    other.answer(200)
    answers = wire.responses_to(CALLER)
    assert [b"callee", b"other"] == [answer.to().tag for answer in answers]
    for answer in answers:
        call.caller.learn(answer)
        call.caller.ack()
    acks = wire.requests_to(TRUNK_A)
    assert [b"callee", b"other"] == [ack.to().tag for ack in acks]
    for answer in answers:
        assert wire.in_use() == 1
        call.caller.learn(answer)
        call.caller.say("BYE")
        wire.send(reply(wire.requests_to(TRUNK_A)[-1], 200), TRUNK_A)
    assert (wire.in_use(), len(wire.ended)) == (0, 1)


def test_both_dialogs_left_at_once(wire):
    """Two BYEs in flight before either has its answer: the call ends with the second answer."""
    call = Ringing(wire)
    other = Callee(wire, call.invite, tag="other")
    call.callee.answer(200)
    other.answer(200)
    for answer in wire.responses_to(CALLER):
        call.caller.learn(answer)
        call.caller.ack()
        call.caller.say("BYE")
    first, second = wire.requests_to(TRUNK_A, b"BYE")
    wire.send(reply(first, 200), TRUNK_A)
    assert len(wire.core.calls) == 1
    wire.send(reply(second, 200), TRUNK_A)
    assert (len(wire.ended), wire.in_use(), wire.ended[0].release_side) == (1, 0, "ingress")


def test_early_dialogs_of_forks_are_relayed(wire):
    """Each 1xx with its own tag; the ringing instant is the first one's."""
    caller = Caller(wire)
    caller.start()
    (invite,) = wire.requests_to(TRUNK_A)
    for number in range(40):
        wire.send(reply(invite, 183, tag=f"fork{number}"), TRUNK_A)
        wire.advance(0.01)
    assert len(wire.responses_to(CALLER)) == 41
    (call,) = wire.core.calls.live()
    assert (len(call.dialogs), call.facts.ringing_at) == (32, 1000.0)
    wire.send(reply(invite, 200, tag="fork39"), TRUNK_A)  # for the answer there is always room
    assert (b"fork39" in call.dialogs, len(call.dialogs), wire.statuses_to(CALLER)) == (True, 32, [200])


def test_answers_beyond_the_dialogs_kept_are_ended(wire):
    """A callee that answers with 33 tags: what the edge cannot keep an eye on may not run."""
    call = Ringing(wire)
    for number in range(33):
        wire.send(reply(call.invite, 200, tag=f"fork{number}", contact="sip:x@198.51.100.1"), TRUNK_A)
    assert len(wire.responses_to(CALLER)) == 32
    assert [(b"ACK", b"fork32"), (b"BYE", b"fork32")] == [(r.method, r.to().tag) for r in wire.requests_to(TRUNK_A)]


def test_a_fork_that_answers_during_the_bye_keeps_the_call(wire):
    """The first dialog is being left when the second begins: somebody is still talking."""
    call = Established(wire)
    call.caller.say("BYE")
    (bye,) = wire.requests_to(TRUNK_A)
    other = Callee(wire, call.invite, tag="other")
    other.answer(200)
    (answer,) = wire.responses_to(CALLER)
    wire.send(reply(bye, 200), TRUNK_A)
    assert (len(wire.core.calls), wire.in_use()) == (1, 1)
    facts = wire.core.calls.live()[0].facts
    assert (None, "") == (facts.released_at, facts.release_side)
    call.caller.learn(answer)
    call.caller.ack()
    wire.advance(3)
    other.say("BYE")
    wire.send(reply(*wire.requests_to(CALLER), 200), CALLER)
    (facts,) = wire.ended
    assert ("egress", 1003.0, 1) == (facts.release_side, facts.released_at, len(wire.ended))


def test_a_repeated_answer_during_the_bye_changes_nothing(wire):
    """The 2xx again (its ACK was lost) while the BYE is on its way: relayed, and the call still ends."""
    call = Established(wire)
    call.caller.say("BYE")
    (bye,) = wire.requests_to(TRUNK_A)
    call.callee.answer(200)
    assert wire.statuses_to(CALLER) == [200]
    wire.send(reply(bye, 200), TRUNK_A)
    assert (len(wire.ended), wire.in_use()) == (1, 0)


def test_a_fork_that_answers_after_the_call_is_ended_by_the_edge(wire):
    """No dialog outlives the lease of its call: ACK and BYE, in the caller's name."""
    call = Established(wire)
    hang_up(call)
    wire.responses_to(CALLER)
    Callee(wire, call.invite, tag="late").answer(200)
    assert (wire.responses_to(CALLER), wire.methods_to(TRUNK_A)) == ([], [b"ACK", b"BYE"])
    assert len(wire.ended) == 1


def test_a_late_answer_of_a_silent_trunk_is_ended(wire):
    """Given up for silence, answered after the caller had his 486: each copy gets its ACK, one BYE is sent."""
    caller = Caller(wire)
    caller.start(extra="Record-Route: <sip:before.example;lr>")
    first = wire.requests_to(TRUNK_A)[0]
    wire.advance(4.1)
    Callee(wire, *wire.requests_to(TRUNK_B), address=TRUNK_B).answer(486)
    wire.requests_to(TRUNK_A)
    late = Callee(wire, first)
    late.invite = first
    for _ in range(2):
        wire.send(
            reply(first, 200, contact="sip:late@198.51.100.1:5060").replace(
                b"\r\nRecord-Route: <sip:", b"\r\nRecord-Route: <sip:behind.example;lr>\r\nRecord-Route: <sip:", 1
            ),
            TRUNK_A,
        )
        wire.resolve("198.51.100.1")
        wire.advance(0.5)
    assert {100, 486} == set(wire.statuses_to(CALLER))
    wire.resolve("198.51.100.1")
    sent = wire.requests_to(TRUNK_A)
    assert {b"ACK", b"BYE"} == {request.method for request in sent}
    assert len([request for request in sent if request.method == b"ACK"]) == 2
    assert len({request.via().branch for request in sent if request.method == b"BYE"}) == 1
    bye = next(r for r in sent if r.method == b"BYE")
    ack = next(r for r in sent if r.method == b"ACK")
    assert (b"sip:late@198.51.100.1:5060", [b"<sip:behind.example;lr>"], 2) == (
        bye.uri, bye.list_values(b"route"), bye.cseq().number,
    )  # fmt: skip
    assert (ack.cseq().number, ack.to().tag, ack.from_().tag) == (1, b"callee", caller.from_tag.encode())
    assert len(wire.told("call.late_answer")) == 1
    assert (len(wire.ended), wire.in_use()) == (1, 0)


def test_a_late_answer_wins_over_the_trunk_that_rings(wire):
    """Given up for silence, it answers while the next one still rings: that one is cancelled, the caller talks."""
    caller = Caller(wire)
    caller.start()
    first = wire.requests_to(TRUNK_A)[0]
    wire.advance(4.1)
    second = Callee(wire, *wire.requests_to(TRUNK_B), address=TRUNK_B)
    second.answer(180)
    late = Callee(wire, first)
    late.answer(200)
    assert wire.statuses_to(CALLER) == [100, 180, 200]
    (cancel,) = wire.requests_to(TRUNK_B)
    assert (cancel.method, b"cause=200" in cancel.value(b"reason")) == (b"CANCEL", True)
    second.answer(487)
    assert wire.methods_to(TRUNK_B) == [b"ACK"]
    (call,) = wire.core.calls.live()
    assert ("a", [("a", 200), ("b", 0)]) == (call.facts.egress_trunk, call.facts.candidates)


def test_a_silent_trunk_that_rings_late_is_cancelled(wire):
    """Its 180 does not reach the caller, and its 603 does not end the other trunk's ringing."""
    Caller(wire).start()
    first = Callee(wire, wire.requests_to(TRUNK_A)[0])
    wire.advance(4.1)
    second = Callee(wire, *wire.requests_to(TRUNK_B), address=TRUNK_B)
    second.answer(180)
    wire.requests_to(TRUNK_A)
    first.answer(180)
    assert wire.methods_to(TRUNK_A) == [b"CANCEL"]
    first.answer(603)
    assert (wire.statuses_to(CALLER), wire.requests_to(TRUNK_B)) == ([100, 180], [])
    second.answer(200)
    assert wire.statuses_to(CALLER) == [200]


def test_an_answer_for_us_alone_is_no_answer(wire):
    """A callee that strips the caller's Via: nobody can be told, so it counts as a failed trunk (§16.7 item 3)."""
    Caller(wire).start()
    (invite,) = wire.requests_to(TRUNK_A)
    _, theirs = invite.header_lines(b"via")
    wire.send(reply(invite, 180).replace(theirs + b"\r\n", b""), TRUNK_A)
    assert wire.statuses_to(CALLER) == [100]
    wire.send(reply(invite, 200).replace(theirs + b"\r\n", b""), TRUNK_A)
    assert wire.methods_to(TRUNK_B) == [b"INVITE"]
    assert {"Via: none below ours": 2} == wire.core.counters.malformed


def test_a_ringing_without_a_tag(wire):
    """RFC 2543 again: relayed; it makes no early dialog."""
    caller = Caller(wire)
    caller.start()
    (invite,) = wire.requests_to(TRUNK_A)
    wire.send(reply(invite, 180, tag=""), TRUNK_A)
    (call,) = wire.core.calls.live()
    assert (wire.statuses_to(CALLER), call.dialogs, call.facts.ringing_at) == ([100, 180], {}, 1000.0)


def test_an_answer_after_the_caller_s_transaction_is_ended(wire):
    """The trunk given up rings late, is cancelled, and answers when nobody repeats a 2xx to the caller any more."""
    caller = Caller(wire)
    caller.start()
    first = Callee(wire, wire.requests_to(TRUNK_A)[0], tag="late")
    wire.advance(4.1)
    Callee(wire, *wire.requests_to(TRUNK_B), address=TRUNK_B).answer(200)
    caller.learn(wire.responses_to(CALLER)[-1])
    caller.ack()
    wire.advance(1)
    first.answer(180)
    wire.advance(31.5)
    wire.sent.clear()
    first.answer(200)
    assert (wire.responses_to(CALLER), wire.methods_to(TRUNK_A), wire.in_use()) == ([], [b"ACK", b"BYE"], 1)


def test_an_answered_call_keeps_no_more_than_it_needs(wire):
    """Context and attempt belong to the set-up; a long call does not hold them."""
    Established(wire)
    (call,) = wire.core.calls.live()
    assert (call.context, call.attempt) == (None, None)


def test_a_call_asks_the_store_three_times(wire):
    """Admit, answer, settle: no more scripts than these for a call shorter than a renewal."""
    hang_up(Established(wire))
    assert [type(verb).__name__ for verb in wire.asked] == ["Admit", "Answer", "Settle"]
