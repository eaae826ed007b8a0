"""Answers to senders that may be forged: never more than they sent, never by a timer."""

import pytest
from network import CALLER, NOTHING, POLICY, STRANGER, Caller, Wire

from edge.proxy.unproven import no_larger

PHONES = """
[[ingress]]
id = "phones"
sources = ["203.0.113.0/24"]
digest = true

[[credentials]]
id = "a"
account = "acme"
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
"""
LOOPBACK = ("127.0.0.1", 5060)


def sent(wire: Wire) -> list[int]:
    return [len(response.render()) for response in wire.responses_to(STRANGER)]


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS", "REGISTER", "BYE", "CANCEL", "SUBSCRIBE"])
def test_a_stranger_gets_no_more_than_it_sent_and_nothing_by_itself(method):
    """One answer to one request, and no bytes more in a minute, whether an ACK comes or not."""
    wire = Wire()
    request = Caller(wire, source=STRANGER).request(method)
    wire.send(request, STRANGER)
    wire.advance(60)

    assert len(sizes := sent(wire)) <= 1
    assert sum(sizes) <= len(request)
    assert wire.held == NOTHING


def test_an_answer_that_would_be_larger_is_none():
    """A request of the smallest kind; it is counted, and nothing of it is kept."""
    wire = Wire()
    tiny = (
        b"OPTIONS sip:192.0.2.10 SIP/2.0\r\nv:SIP/2.0/UDP a;rport;branch=z9hG4bK1\r\nf:<sip:a>;tag=1\r\nt:<sip:b>\r\n"
        b"i:1\r\nCSeq:1 OPTIONS\r\n\r\n"
    )
    wire.send(tiny, STRANGER)

    assert sent(wire) == []
    assert wire.core.counters.drops == {"amplification": 1}
    assert wire.held["transactions"] == 0


def test_what_can_be_left_out_is_left_out_first():
    """Reason, Allow and the like."""
    answer = b"SIP/2.0 200 OK\r\nVia: x\r\nAllow: INVITE, ACK\r\nReason: y\r\nContent-Length: 0\r\n\r\n"
    none: list[int] = []
    short = no_larger(b"x" * 60, lambda: none.append(1))(answer, 0.0)

    assert short == b"SIP/2.0 200 OK\r\nVia: x\r\nContent-Length: 0\r\n\r\n"
    assert no_larger(answer, lambda: none.append(1))(answer, 0.0) == answer
    assert none == []
    assert no_larger(b"x" * 20, lambda: none.append(1))(answer, 0.0) == b""
    assert none == [1]


def test_a_message_that_cannot_be_read_is_not_made_larger():
    """The 400 to a fragment of a request."""
    wire = Wire()
    wire.send(b"INVITE sip:b SIP/2.0\r\nv:SIP/2.0/UDP a;rport\r\ni:1\r\n\r\n", STRANGER)

    assert sent(wire) == []
    assert wire.unreadable == []


def test_a_question_for_a_password_is_asked_once_for_each_request():
    """Whoever needs a password may be anybody until it was right; who asks again is asked again."""
    wire = Wire(POLICY + PHONES)
    caller = Caller(wire, source=STRANGER)
    caller.start()
    wire.advance(10)
    assert wire.statuses_to(STRANGER) == [407]
    caller.start()

    assert wire.statuses_to(STRANGER) == [407]


def test_a_neighbour_is_answered_until_its_ack_comes():
    """Timer G, as ever."""
    wire = Wire()
    Caller(wire, called="+1").start()
    wire.advance(60)

    assert len(wire.statuses_to(CALLER)) > 5


def test_this_machines_own_questions_are_answered_in_full():
    """Nobody else can send from there."""
    wire = Wire()
    wire.send(Caller(wire, source=LOOPBACK).request("OPTIONS", uri="sip:192.0.2.10"), LOOPBACK)
    (answer,) = wire.responses_to(LOOPBACK)

    assert answer.value(b"allow") is not None
