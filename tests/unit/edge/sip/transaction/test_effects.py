"""What goes over the wire and when: the schedules of A, E and G, their caps, and the ends that the other timers set."""

import pytest

from edge.sip.message import parse
from edge.sip.timers import Durations


def instants(stage, start, word):
    """When `word` was sent, in seconds after `start`, as time goes on timer by timer."""
    seen = []
    count = 0
    while True:
        for data, _, _ in stage.sends[count:]:
            if word in data.split(b"\r\n", 1)[0]:
                seen.append(round(stage.now - start, 3))
        count = len(stage.sends)
        due = stage.wheel.next_timer()
        if due is None:
            return seen
        stage.now = due
        stage.wheel.expire(due)


def test_timer_a_doubles_without_a_cap_until_b(stage):
    """§17.1.1.2: seven INVITEs in 64*T1, the last interval 16 s; then the user hears of it."""
    start = stage.now
    stage.client()
    assert instants(stage, start, b"INVITE") == [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert (round(stage.now - start, 2), stage.taken()[-2:]) == (32.0, ["timeout to TU", "gone"])


def test_timer_e_doubles_up_to_t2_until_f(stage):
    """§17.1.2.2: 500 ms, 1 s, 2 s, 4 s, 4 s ..."""
    start = stage.now
    stage.client("OPTIONS")
    expected = [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert expected == instants(stage, start, b"OPTIONS")
    assert (round(stage.now - start, 2), stage.taken()[-2:]) == (32.0, ["timeout to TU", "gone"])


def test_timer_e_is_t2_after_a_provisional_response(stage, a_response):
    """§17.1.2.2: E goes on as it was set, and from its next firing on it is T2; F still ends it."""
    start = stage.now
    stage.client("OPTIONS")
    stage.wait(0.1)
    stage.receive(a_response(100, "OPTIONS"))
    assert [0.0, *instants(stage, start, b"OPTIONS")[1:]] == [0.0, 0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5]
    assert (round(stage.now - start, 2), stage.taken()[-2:]) == (32.0, ["timeout to TU", "gone"])


def test_timer_g_doubles_up_to_t2_until_h(stage):
    """§17.2.1: as Timer E; H ends it, and the user hears that no ACK came."""
    start = stage.now
    stage.respond(stage.server(), 486)
    expected = [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert expected == instants(stage, start, b"486")
    assert (round(stage.now - start, 2), stage.taken()[-2:]) == (32.0, ["timeout to TU", "gone"])


@pytest.mark.parametrize(
    ("t2", "expected"),
    [(0.5, [0.0, 0.5, 1.0, 1.5, 2.0]), (1.0, [0.0, 0.5, 1.5]), (0.7, [0.0, 0.5, 1.2, 1.9])],
)
def test_t2_is_the_cap_whatever_it_is(make_stage, t2, expected):
    """MIN(2*T1, T2) from the first reset on."""
    for start_one in (lambda stage: stage.client("OPTIONS"), lambda stage: stage.respond(stage.server(), 500)):
        stage = make_stage(durations=Durations(t2=t2))
        start = stage.now
        start_one(stage)
        while stage.now < start + 2:
            stage.wait(0.01)
        seen = [title for title in stage.sent() if title in ("OPTIONS", "500")]
        assert len([at for at in expected if at <= 2.0]) == len(seen)


def test_no_request_is_resent_over_a_reliable_transport(reliable_stage):
    """§17.1: B and F count all the same."""
    reliable_stage.client()
    reliable_stage.client("OPTIONS")
    reliable_stage.wait(32.1)
    assert reliable_stage.sent() == ["INVITE", "OPTIONS"]
    assert reliable_stage.taken().count("timeout to TU") == 2


def test_a_failure_is_sent_once_over_a_reliable_transport(reliable_stage):
    """§17.2.1: G is not set, H is."""
    reliable_stage.respond(reliable_stage.server(), 486)
    reliable_stage.wait(31.9)
    assert reliable_stage.sent() == ["486"]
    reliable_stage.wait(0.2)
    assert reliable_stage.taken()[-2:] == ["timeout to TU", "gone"]


def test_zero_seconds_end_a_transaction_at_the_next_turn_of_the_wheel(reliable_stage, a_request, a_response):
    """D, I, J and K over a reliable transport."""
    stage = reliable_stage
    stage.client()
    stage.receive(a_response(486))
    stage.client("OPTIONS", branch="z9hG4bKother")
    stage.receive(a_response(200, "OPTIONS", branch="z9hG4bKother"))
    stage.respond(stage.server(branch="z9hG4bK3"), 486)
    stage.receive(a_request("ACK", branch="z9hG4bK3"))
    stage.respond(stage.server("BYE", branch="z9hG4bK4"), 200)
    assert len(stage.layer) == 4
    stage.wait(0.01)
    assert len(stage.layer) == 0


@pytest.mark.parametrize(("timeout_s", "sent"), [(0.3, 1), (2.0, 3), (40.0, 7)])
@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
def test_the_caller_may_set_the_time_out(stage, method, timeout_s, sent):
    """`timeout_s` stands for B and F; retransmissions go on until then."""
    stage.client(method, timeout_s=timeout_s)
    stage.wait(timeout_s - 0.01)
    assert len(stage.layer) == 1
    stage.wait(0.02)
    assert (len(stage.layer), stage.taken()[-2:]) == (0, ["timeout to TU", "gone"])
    assert sent <= stage.sent().count(method)


def test_b_does_not_end_an_invite_that_rings(stage, a_response):
    """§17.1.1.2: only in Calling; how long it may ring is the proxy's to say (Timer C)."""
    stage.client()
    stage.receive(a_response(180))
    stage.wait(1000)
    assert (len(stage.layer), stage.sent(), len(stage.wheel)) == (1, ["INVITE"], 0)


def test_the_100_of_the_layer_comes_after_200_ms_and_has_no_to_tag(stage):
    """§17.2.1, §8.2.6.2."""
    txn = stage.server()
    stage.wait(0.19)
    assert stage.sent() == []
    stage.wait(0.02)
    assert (stage.sent(), txn.status) == (["100"], 100)
    trying = parse(stage.sends[0][0])
    assert (trying.to().tag, trying.values(b"cseq")) == (None, [b"1 INVITE"])


def test_a_request_again_gets_the_100_of_the_layer_again(stage, a_request):
    """§17.2.1: the most recent provisional response, whoever made it."""
    stage.server()
    stage.wait(0.3)
    stage.receive(a_request())
    assert stage.sent() == ["100", "100"]


@pytest.mark.parametrize("status", [100, 180, 200, 486])
def test_a_user_who_answers_at_once_needs_no_100(stage, status):
    """No 100-timer is even set."""
    stage.reaction = lambda txn, request: stage.respond(txn, status)
    stage.server()
    assert not [event for event in stage.taken() if event.startswith("100=")]


def test_a_user_who_answers_within_200_ms_needs_no_100(stage):
    """The timer finds that something was sent."""
    txn = stage.server()
    stage.wait(0.1)
    stage.respond(txn, 183)
    stage.wait(1.0)
    assert stage.sent() == ["183"]


def test_a_repeated_invite_gets_the_latest_provisional_response(stage, a_request):
    """§17.2.1."""
    txn = stage.server()
    for status in (100, 180, 183):
        stage.respond(txn, status)
    stage.receive(a_request())
    assert stage.sent() == ["100", "180", "183", "183"]


def test_the_layer_does_not_repeat_a_2xx_by_itself(stage, a_request):
    """RFC 6026 §7.1: the user repeats it; what the layer sees of the INVITE is swallowed until L."""
    txn = stage.server()
    stage.respond(txn, 200)
    stage.wait(31.9)
    stage.receive(a_request())
    assert stage.sent() == ["200"]
    stage.respond(txn, 200)
    assert stage.sent() == ["200", "200"]
    stage.wait(0.2)
    assert len(stage.layer) == 0


def test_a_non_invite_that_nobody_answers_gets_100_after_3_5_s_and_no_408(stage, a_request):
    """RFC 4320 §4: the 100, never a 408; the transaction ends by itself (N) and tells nobody but `on_gone`."""
    start = stage.now
    stage.server("BYE")
    stage.wait(3.4)
    stage.receive(a_request("BYE"))
    assert stage.sent() == []
    stage.wait(0.2)
    stage.receive(a_request("BYE"))
    assert stage.sent() == ["100", "100"]
    stage.wait(33.3)
    assert len(stage.layer) == 1
    stage.wait(0.2)
    assert (len(stage.layer), stage.taken()[-1]) == (0, "gone")
    assert round(stage.now - start - 0.1, 3) == 37.0


@pytest.mark.parametrize("method", ["INVITE", "BYE"])
def test_what_is_answered_in_time_leaves_nothing_in_the_wheel(stage, a_request, a_response, method):
    """One timer of A and B, of E and F, of G and H waits at a time: none outlives its transaction by 64*T1."""
    stage.client(method, branch="z9hG4bKx")
    stage.receive(a_response(486, method, branch="z9hG4bKx"))
    stage.respond(stage.server(method), 486)
    if method == "INVITE":
        stage.receive(a_request("ACK"))
    stage.wait(32.1)
    assert (len(stage.layer), len(stage.wheel)) == (0, 0)


def test_the_ack_of_a_failure_is_the_invites_own(stage, a_response):
    """§17.1.1.3: same Request-URI, top Via, From, Call-ID and CSeq number; To of the response; to the same place."""
    txn = stage.client(cseq=7, uri="sip:bob@192.0.2.9")
    stage.receive(a_response(486, to_tag="zz", cseq=7))
    data, flow, owner = stage.sends[-1]
    ack = parse(data)
    assert (b"ACK", b"sip:bob@192.0.2.9", txn.flow, txn) == (ack.method, ack.uri, flow, owner)
    assert ack.values(b"via") == [b"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK74bf9"]
    assert (ack.value(b"cseq"), ack.value(b"to")) == (b"7 ACK", b"<sip:bob@example.com>;tag=zz")
    assert (ack.call_id(), ack.value(b"from")) == (b"c1", b"<sip:alice@example.com>;tag=a1")


def test_every_repeat_of_a_failure_gets_the_same_ack_and_does_not_reach_the_user(stage, a_response):
    """§17.1.1.2, also one with another To tag or another status."""
    stage.client()
    stage.receive(a_response(486))
    stage.taken()
    stage.receive(a_response(486))
    stage.receive(a_response(603, to_tag="other"))
    acks = [data for data, _, _ in stage.sends[1:]]
    assert (stage.taken(), len(set(acks))) == (["ACK sent", "ACK sent"], 1)


def test_no_ack_is_made_for_a_2xx(stage, a_response):
    """RFC 6026 §8.4: it is the user's."""
    stage.client()
    stage.receive(a_response(200))
    stage.receive(a_response(200, to_tag="fork"))
    assert (stage.sent(), [e for e in stage.taken() if e.endswith("TU")]) == (["INVITE"], ["200 to TU", "200 to TU"])


def test_a_server_answers_where_its_user_says(stage):
    """§18.2.2: `reply_to` may be set before the first response; G goes there too."""
    elsewhere = stage.client("OPTIONS", branch="z9hG4bKx").flow._replace(address=("192.0.2.77", 5099))
    stage.forget_sends()
    txn = stage.server()
    txn.reply_to = elsewhere
    stage.respond(txn, 486)
    stage.wait(0.6)
    assert [elsewhere, elsewhere] == [flow for data, flow, _ in stage.sends if b"486" in data]
