"""Who has proved that it gets what the edge sends is no stranger any more: through the whole core."""

from network import CALLER, STRANGER, TRUNK_A, Callee, Caller, Wire, reply

ELSEWHERE = ("203.0.113.77", 5060)
"""Of the trunk's network, but no address that policy names."""


def passes(wire: Wire, host: str = ELSEWHERE[0]) -> int:
    return sum(wire.core.sources.passes(0, host, b"OPTIONS x", wire.now) for _ in range(100))


def test_an_answer_to_a_request_of_ours_is_proof():
    """Nobody can know the branch who did not get it; the trunk may send from more addresses than it has named."""
    wire = Wire()
    Caller(wire).start()
    (invite,) = wire.requests_to(TRUNK_A)
    assert passes(wire) == 20
    wire.send(reply(invite, 180), ELSEWHERE)

    assert wire.core.sources.proved == (ELSEWHERE[0],)
    assert passes(wire) == 100
    assert 180 in wire.statuses_to(CALLER)


def test_an_answer_to_nothing_is_none():
    """The edge's address in Via is known to everybody."""
    wire = Wire()
    Caller(wire).start()
    (invite,) = wire.requests_to(TRUNK_A)
    forged = reply(invite, 200).replace(b"branch=z9hG4bK", b"branch=z9hG4bKx", 1)
    wire.send(forged, ELSEWHERE)

    assert wire.core.sources.proved == ()


def test_a_request_with_our_token_is_proof():
    """Only what we sent has carried it: the callee hangs up from an address of its own."""
    wire = Wire()
    caller = Caller(wire)
    caller.start()
    (invite,) = wire.requests_to(TRUNK_A)
    callee = Callee(wire, invite)
    callee.answer(200)
    caller.learn(wire.responses_to(CALLER)[-1])
    caller.ack()
    forged = caller.in_dialog("INFO").replace(caller.routes[0][5:20], b"0123456789abcde")
    wire.send(forged, STRANGER)
    assert wire.core.sources.proved == ()
    wire.send(caller.in_dialog("BYE"), ELSEWHERE)
    (request,) = wire.requests_to(TRUNK_A, b"BYE")
    wire.send(reply(request, 200, extra="Server: " + "x" * 2_000), TRUNK_A)

    assert wire.core.sources.proved == (ELSEWHERE[0],)
    assert wire.statuses_to(ELSEWHERE) == [200]


def test_a_neighbour_needs_no_proof():
    """What policy names fills no table."""
    wire = Wire()
    caller = Caller(wire)
    wire.core.sources.passes(0, CALLER[0], b"", wire.now)
    wire.core.sources.passes(0, TRUNK_A[0], b"", wire.now)
    caller.start()
    (invite,) = wire.requests_to(TRUNK_A)
    Callee(wire, invite).answer(200)
    caller.learn(wire.responses_to(CALLER)[-1])
    caller.ack()
    caller.say("BYE")

    assert wire.core.sources.proved == ()
