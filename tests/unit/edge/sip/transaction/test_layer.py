"""The stores: what makes a transaction, what finds one, what is astray, and what the user may not do."""

import pytest

from edge.sip.errors import LocalError
from edge.sip.flow import Flow
from edge.sip.transaction.machine import State

ELSEWHERE = Flow(1, ("198.51.100.9", 5070))


# -- requests ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["INVITE", "BYE", "CANCEL", "OPTIONS", "NEWMETHOD"])
def test_a_new_request_makes_a_server_transaction(stage, method):
    """Any method but ACK."""
    txn = stage.server(method)
    assert (True, method.encode(), b"z9hG4bK74bf9", 1) == (txn.is_server, txn.method, txn.branch, len(stage.layer))
    assert (txn.flow, method.encode()) == (txn.reply_to, txn.request.method)


@pytest.mark.parametrize("method", ["INVITE", "BYE"])
@pytest.mark.parametrize("branch", ["z9hG4bK1", "1", None])
def test_a_repeat_does_not_reach_the_user(stage, a_request, method, branch):
    """§17.2.3, and with the rules of RFC 2543; the source address may change meanwhile."""
    stage.server(method, branch=branch)
    stage.receive(a_request(method, branch=branch), ELSEWHERE)
    assert (len(stage.servers), len(stage.layer)) == (1, 1)


def test_equal_branches_of_two_clients_are_two_transactions(stage):
    """§17.2.3 rule 2: sent-by tells them apart, by accident or malice of equal branches."""
    one = stage.server(sent_by="192.0.2.1:5060")
    two = stage.server(sent_by="192.0.2.2:5060")
    stage.respond(one, 486)
    assert (one.state, two.state, len(stage.layer)) == (State.COMPLETED, State.PROCEEDING, 2)


def test_an_rfc_2543_invite_with_another_cseq_is_new(stage):
    """A re-INVITE of such a client has no branch to tell it."""
    stage.server(branch=None)
    stage.server(branch=None, cseq=2)
    assert len(stage.layer) == 2


def test_a_request_after_the_end_of_its_transaction_is_new(stage, a_request):
    """The end is the end: nothing is remembered."""
    stage.respond(stage.server("OPTIONS"), 200)
    stage.wait(32.1)
    stage.receive(a_request("OPTIONS"))
    assert (len(stage.servers), len(stage.layer)) == (2, 1)


def test_a_user_that_fails_to_take_a_request_leaves_nothing(stage):
    """The error goes on, the transaction does not: no timer, no entry."""

    def fail(txn, request):
        raise RuntimeError

    stage.reaction = fail
    for method, branch in (("INVITE", "z9hG4bK1"), ("BYE", "z9hG4bK2"), ("INVITE", None)):
        with pytest.raises(RuntimeError):
            stage.server(method, branch=branch)
    assert (len(stage.layer), len(stage.wheel), stage.taken().count("gone")) == (0, 0, 3)


def test_a_user_that_fails_after_its_answer_leaves_a_working_transaction(stage):
    """The answer stands, and ends by its own timers."""

    def answer_and_fail(txn, request):
        stage.respond(txn, 486)
        raise RuntimeError

    stage.reaction = answer_and_fail
    with pytest.raises(RuntimeError):
        stage.server()
    assert len(stage.layer) == 1
    stage.wait(32.1)
    assert (len(stage.layer), len(stage.wheel)) == (0, 0)


# -- ACK ---------------------------------------------------------------------------------------------------------------


def test_an_ack_that_matches_nothing_goes_to_the_user(stage, a_request):
    """The ACK to a 2xx has a branch of its own; no transaction is made for it, no answer ever sent."""
    stage.respond(stage.server(), 200)
    ack = a_request("ACK", branch="z9hG4bKown")
    stage.receive(ack, ELSEWHERE)
    assert ([(ack, ELSEWHERE)], ["200"], 1) == (stage.acks, stage.sent(), len(stage.layer))


def test_the_ack_of_a_failure_stays_here(stage, a_request):
    """Its repeats too (Confirmed); the failure is not sent again."""
    txn = stage.server()
    stage.respond(txn, 486)
    stage.receive(a_request("ACK", to_tag="b1"))
    stage.receive(a_request("ACK", to_tag="b1"))
    stage.wait(4.9)
    assert (txn.state, stage.acks, stage.sent()) == (State.CONFIRMED, [], ["486"])


def test_an_ack_before_any_final_response_is_absorbed(stage, a_request):
    """Proceeding has no row for it."""
    stage.server()
    stage.receive(a_request("ACK"))
    assert (stage.acks, stage.layer.absorbed) == ([], 1)


def test_the_ack_to_a_2xx_with_the_branch_of_its_invite_goes_to_the_user(stage, a_request):
    """RFC 6026 Figure 7, Accepted."""
    stage.respond(stage.server(), 200)
    stage.receive(a_request("ACK"), ELSEWHERE)
    assert [flow for _, flow in stage.acks] == [ELSEWHERE]


def test_an_ack_does_not_end_a_non_invite_transaction(stage, a_request):
    """An ACK belongs to an INVITE only."""
    stage.server("BYE")
    stage.receive(a_request("ACK"))
    assert len(stage.acks) == 1


def failure(tag):
    return (
        f"SIP/2.0 486 Busy Here\r\nVia: SIP/2.0/UDP 192.0.2.1:5060\r\nFrom: <sip:alice@example.com>;tag=a1\r\n"
        f"To: <sip:bob@example.com>;tag={tag}\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def test_an_rfc_2543_ack_is_known_by_the_to_tag_of_the_failure(stage, a_request):
    """§17.2.3: with that tag it is ours, with another (of a 2xx that went another way) it is the user's."""
    txn = stage.server(branch=None)
    stage.layer.respond(txn, 486, failure("ours"), stage.now)
    stage.receive(a_request("ACK", branch=None, to_tag="theirs"))
    assert (txn.state, len(stage.acks)) == (State.COMPLETED, 1)
    stage.receive(a_request("ACK", branch=None, to_tag="ours"))
    assert (txn.state, len(stage.acks)) == (State.CONFIRMED, 1)


def test_an_rfc_2543_ack_to_a_2xx_goes_to_the_user(stage, a_request):
    """RFC 6026 §6: key and state would absorb it, Accepted passes it on."""
    stage.respond(stage.server(branch=None), 200)
    stage.receive(a_request("ACK", branch=None, to_tag="b1"))
    assert len(stage.acks) == 1


def test_an_rfc_2543_ack_chooses_between_invites_that_differ_in_the_to_tag(stage, a_request):
    """Two transactions under one ACK key: the tag of the response decides."""
    first = stage.server(branch=None, to_tag="one")
    second = stage.server(branch=None, to_tag="two")
    for txn, tag in ((first, "one"), (second, "two")):
        stage.layer.respond(txn, 486, failure(tag), stage.now)
    stage.receive(a_request("ACK", branch=None, to_tag="two"))
    assert (first.state, second.state) == (State.COMPLETED, State.CONFIRMED)
    stage.wait(40)
    stage.receive(a_request("ACK", branch=None, to_tag="one"))
    assert (len(stage.layer), len(stage.acks)) == (0, 1)


def test_an_rfc_2543_ack_to_an_unanswered_invite_is_the_users(stage, a_request):
    """No response was sent that it could acknowledge."""
    stage.server(branch=None)
    stage.receive(a_request("ACK", branch=None))
    stage.receive(a_request("ACK", branch="z9hG4bKother"))
    stage.receive(a_request("ACK", branch=None, call_id="other"))
    assert (len(stage.acks), stage.layer.absorbed) == (2, 1)


# -- CANCEL ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("branch", ["z9hG4bK1", "1", None])
@pytest.mark.parametrize("status", [None, 180, 200, 486])
def test_a_cancel_names_its_invite_in_any_state(stage, a_request, branch, status):
    """§9.2: it is a transaction of its own; whether it still has an effect is the user's to judge."""
    invite = stage.server(branch=branch)
    if status:
        stage.respond(invite, status)
    cancel = stage.server("CANCEL", branch=branch)
    assert cancel is not invite
    assert invite is stage.layer.matching_invite(cancel.request)


@pytest.mark.parametrize(
    "changes",
    [{"branch": "z9hG4bKother"}, {"sent_by": "192.0.2.2:5060"}, {"branch": None}],
)
def test_a_cancel_of_another_branch_or_sender_names_nothing(stage, a_request, changes):
    """The user answers 481."""
    stage.server()
    assert None is stage.layer.matching_invite(a_request("CANCEL", **changes))


def test_a_cancel_names_nothing_once_its_invite_is_gone(stage, a_request):
    """And nothing where only a BYE has that branch."""
    stage.server("BYE")
    assert None is stage.layer.matching_invite(a_request("CANCEL"))
    txn = stage.server()
    stage.respond(txn, 200)
    stage.wait(32.1)
    assert None is stage.layer.matching_invite(a_request("CANCEL"))


def test_a_cancel_of_ours_shares_the_branch_of_its_invite(stage, a_request, a_response):
    """§17.1.3: the CSeq method tells their responses apart."""
    invite, cancel = stage.client(), stage.client("CANCEL")
    stage.receive(a_response(200, "CANCEL"))
    stage.receive(a_response(487))
    assert (invite.state, invite.status) == (State.COMPLETED, 487)
    assert (cancel.state, cancel.status) == (State.COMPLETED, 200)


# -- responses ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{"branch": "z9hG4bKother"}, {"method": "BYE"}])
def test_a_response_that_matches_nothing_is_astray(stage, a_response, changes):
    """RFC 6026 §7.3: the user counts it, and that is all."""
    stage.client()
    stage.forget_sends()
    stray = a_response(200, **changes)
    stage.receive(stray, ELSEWHERE)
    assert ([(stray, ELSEWHERE)], []) == (stage.stray, list(stage.sends))


def test_a_response_after_the_end_is_astray(stage, a_response):
    """Terminated is out of the store at once."""
    stage.client("OPTIONS")
    stage.receive(a_response(200, "OPTIONS"))
    stage.wait(5.1)
    stage.receive(a_response(200, "OPTIONS"))
    assert len(stage.stray) == 1


def test_a_response_does_not_reach_a_server_transaction_of_its_branch(stage, a_response):
    """Two stores: what we got and what we sent."""
    stage.server()
    stage.receive(a_response(200))
    assert len(stage.stray) == 1


@pytest.mark.parametrize("status", [300, 404, 503, 603, 699])
def test_every_failure_of_a_non_invite_is_passed_up_once(stage, a_response, status):
    """§17.1.2.2: the repeats are buffered."""
    stage.client("BYE")
    stage.taken()
    for _ in range(3):
        stage.receive(a_response(status, "BYE"))
    assert ["K=5", f"{status} to TU"] == stage.taken()


def test_each_2xx_of_a_forked_invite_is_passed_up(stage, a_response):
    """RFC 6026: for 64*T1 from the first."""
    txn = stage.client()
    for tag in ("x", "y", "x"):
        stage.receive(a_response(200, to_tag=tag))
    stage.wait(31.9)
    stage.receive(a_response(200, to_tag="z"))
    assert stage.taken().count("200 to TU") == 4
    stage.wait(0.2)
    assert txn.state == State.TERMINATED


# -- what the user may not do ------------------------------------------------------------------------------------------


def test_a_branch_is_used_once_for_a_method(stage):
    """Its responses could not be told apart."""
    stage.client()
    with pytest.raises(LocalError):
        stage.client()
    assert len(stage.layer) == 1


def test_no_client_transaction_for_an_ack_or_without_a_branch(stage):
    """§17.1: ACK goes to the transport directly."""
    with pytest.raises(LocalError):
        stage.client("ACK")
    with pytest.raises(LocalError):
        stage.client(branch=None)
    assert (len(stage.layer), stage.events) == (0, [])


def test_a_second_final_response_is_our_own_mistake(stage):
    """But a 2xx repeated (RFC 6026), and any final to a non-INVITE, which §17.2.2 discards."""
    for first, second in ((200, 486), (486, 200), (486, 486), (200, 180), (486, 180)):
        txn = stage.server(branch=f"z9hG4bK{first}{second}")
        stage.respond(txn, first)
        with pytest.raises(LocalError):
            stage.respond(txn, second)
        assert first == txn.status
    bye = stage.server("BYE")
    stage.respond(bye, 200)
    stage.respond(bye, 404)
    assert (stage.sent()[-1:], bye.status) == (["200"], 200)


@pytest.mark.parametrize("status", [99, 0, 700])
def test_a_status_that_is_none_is_our_own_mistake(stage, status):
    """100 to 699."""
    with pytest.raises(LocalError):
        stage.respond(stage.server(), status)


def test_a_client_transaction_is_not_answered(stage):
    """Only servers respond."""
    with pytest.raises(LocalError):
        stage.respond(stage.client(), 200)


def test_a_response_after_the_end_is_absorbed(stage):
    """RFC 6026 §8.3: simply discarded."""
    txn = stage.server("BYE")
    stage.wait(37.1)
    stage.forget_sends()
    absorbed = stage.layer.absorbed
    stage.respond(txn, 200)
    assert (list(stage.sends), stage.layer.absorbed - absorbed) == ([], 1)


@pytest.mark.parametrize("status", [101, 180, 183, 199, 408])
def test_rfc_4320_forbids_answers_to_a_non_invite(stage, reliable_stage, status):
    """No provisional but 100 and never 408, whatever the transport; the transaction goes on and may be answered."""
    for one in (stage, reliable_stage):
        txn = one.server("BYE")
        one.respond(txn, status)
        assert (one.sent(), one.layer.absorbed, txn.status) == ([], 1, 0)
        one.respond(txn, 200)
        assert one.sent() == ["200"]


def test_rfc_4320_lets_no_early_100_over_an_unreliable_transport(stage, reliable_stage):
    """Not before Timer E of the client is T2; over a reliable one at any time."""
    early, timely = stage.server("BYE"), reliable_stage.server("BYE")
    stage.respond(early, 100)
    reliable_stage.respond(timely, 100)
    assert (stage.sent(), reliable_stage.sent()) == ([], ["100"])
    stage.wait(3.6)
    assert stage.sent() == ["100"]
    stage.respond(early, 100)
    assert stage.sent() == ["100", "100"]


@pytest.mark.parametrize("status", [100, 183, 408])
def test_rfc_4320_is_not_about_invite(stage, status):
    """There they are ordinary."""
    stage.respond(stage.server(), status)
    assert [str(status)] == stage.sent()


def test_only_an_unfinished_invite_can_be_abandoned(stage, a_response):
    """§9.1. What has its final response ends by itself; what is gone is gone."""
    ringing = stage.client()
    stage.receive(a_response(180))
    stage.layer.abandon(ringing)
    stage.layer.abandon(ringing)
    stage.receive(a_response(487))
    assert (ringing.state, len(stage.stray)) == (State.TERMINATED, 1)
    answered = stage.client(branch="z9hG4bK2")
    stage.receive(a_response(200, branch="z9hG4bK2"))
    with pytest.raises(LocalError):
        stage.layer.abandon(answered)


def test_a_transport_failure_that_comes_late_is_absorbed(stage, a_response):
    """After a 1xx the INVITE has arrived; an ICMP error of an earlier copy says nothing."""
    txn = stage.client()
    stage.receive(a_response(180))
    stage.layer.transport_failed(txn, stage.now)
    stage.layer.abandon(txn)
    stage.layer.transport_failed(txn, stage.now)
    assert stage.layer.absorbed == 2


def test_every_send_names_its_transaction(stage, a_response):
    """So that a failure of the transport finds its way back."""
    server, client = stage.server(), stage.client("OPTIONS", branch="z9hG4bKx")
    stage.respond(server, 180)
    assert [client, server] == [owner for _, _, owner in stage.sends]


def test_a_lost_flow_ends_the_requests_that_had_no_response(reliable_stage, a_response):
    """§18.4: nobody will answer there. Where a response has come, the rest may come by another connection (§18.2.2)."""
    stage = reliable_stage
    silent, other = stage.client("OPTIONS", branch="z9hG4bK1"), stage.client("BYE", branch="z9hG4bK2")
    ringing = stage.client("INVITE", branch="z9hG4bK3")
    stage.receive(a_response(180, "INVITE", branch="z9hG4bK3"))
    trying = stage.client("OPTIONS", branch="z9hG4bK4")
    stage.receive(a_response(100, "OPTIONS", branch="z9hG4bK4"))
    elsewhere = Flow(0, ("192.0.2.2", 5060))
    other.flow = elsewhere
    stage.layer.flow_failed(silent.flow, stage.now)
    assert (silent.state, other.state, ringing.state) == (State.TERMINATED, State.TRYING, State.PROCEEDING)
    assert trying.state is State.PROCEEDING
    assert stage.taken()[-2:] == ["transport error to TU", "gone"]
    stage.layer.flow_failed(elsewhere, stage.now)
    assert other.state is State.TERMINATED
