"""OPTIONS inside the dialog of a running call (R4): who is asked, with what number, and what an answer means."""

import pytest
from network import CALLER, NOTHING, TRUNK_A, Established, Wire, hang_up, reply

from edge.proxy.node import Settings

SETTINGS = Settings(node="edge1", renew_s=10, probe_s=60, probe_failures=2)
SIDES = {"caller": CALLER, "callee": TRUNK_A}


@pytest.fixture
def wire():
    return Wire(settings=SETTINGS)


def probes(wire):
    """The latest OPTIONS that left for caller and for callee."""
    return [request for address in (CALLER, TRUNK_A) for request in wire.requests_to(address, b"OPTIONS")[-1:]]


def probe_answers(wire, statuses):
    """Let time pass until the next probes; answer them so, None: not at all."""
    wire.advance(60)
    found = probes(wire)
    assert len(found) == 2
    for request, status, address in zip(found, statuses, (CALLER, TRUNK_A), strict=True):
        if status is not None:
            wire.send(reply(request, status), address)
    return found


def test_both_sides_are_asked_in_each_others_name(wire):
    """Tags, Call-ID, route set and target of the dialog; a CSeq number that moves nothing (RFC 3261 §12.2.2)."""
    call = Established(wire)
    to_caller, to_callee = probe_answers(wire, (200, 200))
    assert (to_caller.uri, to_caller.from_().tag, to_caller.to().tag) == (
        b"sip:caller@192.0.2.1:5060",
        b"callee",
        call.caller.from_tag.encode(),
    )
    assert (to_callee.uri, to_callee.from_().tag, to_callee.to().tag) == (
        b"sip:callee@198.51.100.1:5060",
        call.caller.from_tag.encode(),
        b"callee",
    )
    assert (to_caller.cseq().number, to_callee.cseq().number) == (0, 1)
    assert to_caller.call_id() == to_callee.call_id() == call.caller.call_id.encode()
    call.callee.say("UPDATE")
    (update,) = wire.requests_to(CALLER, b"UPDATE")
    wire.send(reply(update, 200), CALLER)
    to_caller, _ = probe_answers(wire, (200, 200))
    assert to_caller.cseq().number == update.cseq().number


@pytest.mark.parametrize("statuses", [(200, 200), (500, 486), (501, 405), (404, 403), (200, 500)])
def test_who_answers_is_there(wire, statuses):
    """Whatever the answer is; an error of the dialog's own numbering too."""
    call = Established(wire)
    for _ in range(5):
        probe_answers(wire, statuses)
    assert wire.ended == []
    hang_up(call)
    wire.advance(60)
    assert wire.held == NOTHING


@pytest.mark.parametrize("statuses", [(481, 200), (200, 481)])
def test_a_side_that_knows_nothing_of_it_ends_the_call(wire, statuses):
    """481: BYE to both sides, the slot comes back."""
    Established(wire)
    probe_answers(wire, statuses)
    assert [wire.methods_to(address) for address in (CALLER, TRUNK_A)] == [[b"BYE"], [b"BYE"]]
    wire.advance(64)
    assert [(record.reason, record.q850, record.release_side) for record in wire.ended] == [("dead_call", 102, "edge")]
    assert wire.in_use() == 0


@pytest.mark.parametrize("statuses", [(None, 200), (200, None), (408, 200), (200, 503)])
def test_silence_counts_until_it_is_too_much(wire, statuses):
    """Two in a row here; an answer in between begins the count anew."""
    Established(wire)
    probe_answers(wire, statuses)
    probe_answers(wire, (200, 200))
    probe_answers(wire, statuses)
    wire.advance(59)  # Timer F is over
    assert wire.ended == []
    wire.advance(1)
    for request, status, address in zip(probes(wire), statuses, (CALLER, TRUNK_A), strict=True):
        if status is not None:
            wire.send(reply(request, status), address)
    wire.advance(33)
    assert b"BYE" in wire.methods_to(TRUNK_A)


def test_a_socket_that_refuses_is_silence(wire):
    """§16.9: as if a 503 had come."""
    Established(wire)
    wire.unreachable.add(TRUNK_A)
    wire.advance(61)
    wire.advance(61)
    wire.advance(40)
    assert [record.reason for record in wire.ended] == ["dead_call"]


def test_nobody_is_asked_by_default():
    """`probe_s` 0."""
    wire = Wire()
    Established(wire)
    wire.advance(600)
    assert probes(wire) == []


def test_the_answer_to_a_call_that_has_ended_means_nothing(wire):
    """A probe on its way holds the call by name only."""
    call = Established(wire)
    wire.advance(60)
    asked = probes(wire)
    hang_up(call)
    for request, address in zip(asked, (CALLER, TRUNK_A), strict=True):
        wire.send(reply(request, 481), address)
    wire.advance(60)
    assert (len(wire.ended), wire.ended[0].reason, wire.held) == (1, "answered", NOTHING)
