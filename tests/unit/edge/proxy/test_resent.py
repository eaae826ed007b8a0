"""The process that had the INVITE is gone between a 2xx and its ACK: the callee's next copy finds its way."""

import pytest
from network import (
    CALLER,
    FOREIGN,
    NOTHING,
    POLICY,
    TRUNK_A,
    Callee,
    Caller,
    Ringing,
    Wire,
    hang_up,
    policy,
    reply,
)

from edge.proxy.listeners import Listener
from edge.proxy.node import Settings

RULES = """
[header_rules.out]
add = [{ name = "X-Call", value = "{call_uid}" }]

[header_rules.back]
strip = ["X-Internal"]
"""
RULED = policy(boundary='{ headers_to = "out", headers_from = "back" }') + RULES
HIDDEN = policy(boundary="{ hide_topology = true }")
EXTRA = "X-Internal: yes"
UDP = Listener("udp:192.0.2.10:5060", b"UDP", "192.0.2.10", 5060, "192.0.2.10", 5060)
TCP = Listener("tcp:192.0.2.10:5060", b"TCP", "192.0.2.10", 5060, "192.0.2.10", 5060)


class Answered(Ringing):
    """A call whose answer has come to a process that ends before the ACK comes; another has taken its calls over."""

    def __init__(self, wire: Wire, *, body: str = "v=0\r\n", source: tuple[str, int] = CALLER) -> None:
        super().__init__(wire, source=source)
        self.body = body
        self.say_again()
        (self.told,) = wire.responses_to(source)
        wire.new_core()
        self.adopt()

    def adopt(self, heir: str = "edge1") -> None:
        """As the rim does before it reads anything."""
        wire = self.wire
        found = wire.limiter.adopt("acme", gone="edge1", heir=heir, lease_ms=30_000)
        wire.core.adopt("acme", "edge1", int(wire.now * 1_000), tuple(found), wire.now)
        wire.pump()

    def say_again(self) -> None:
        """The callee sends its 200."""
        self.callee.answer(200, body=self.body, extra=EXTRA)


@pytest.mark.parametrize("text", [POLICY, RULED], ids=["plain", "rules"])
@pytest.mark.parametrize("body", ["v=0\r\n", ""], ids=["answer", "no_body"])
def test_the_answer_comes_again_and_the_call_goes_on(text, body):
    """The same bytes that the first process has sent; the ACK passes, the call is renewed, hung up and charged once."""
    wire = Wire(text)
    call = Answered(wire, body=body)
    wire.advance(0.5)
    call.say_again()
    (again,) = wire.responses_to(CALLER)
    assert again.data == call.told.data
    assert wire.core.counters.stray_responses == 0
    call.caller.learn(again)
    call.caller.ack()
    assert wire.methods_to(TRUNK_A) == [b"ACK"]
    wire.advance(120)
    assert wire.in_use() == 1
    hang_up(call)
    (facts,) = wire.ended
    assert (facts.status, facts.reason, facts.lost, wire.in_use()) == (200, "answered", False, 0)
    wire.advance(64)
    assert wire.held == NOTHING


def test_a_caller_who_was_not_told_goes_on_waiting(wire):
    """Its INVITE again gets no answer of ours, which would be a failure, and has no second lease; the callee's is on
    its way."""
    call = Answered(wire)
    call.caller.start()
    assert (wire.sent, wire.in_use(), wire.core.transactions) == ([], 1, 0)
    assert wire.core.counters.drops == {"answer_due": 1}
    call.say_again()
    assert wire.statuses_to(CALLER) == [200]


def test_the_heir_of_another_node(wire):
    """The callee's copies go to the address of the node that is gone: the caller, who has come to us, must not wait for
    them. Should that address have become ours, they pass all the same."""
    call = Answered(wire)
    wire.settings = Settings(node="edge2")
    wire.new_core()
    call.adopt("edge2")
    call.caller.start()
    assert wire.statuses_to(CALLER) == [482]
    call.say_again()
    assert wire.statuses_to(CALLER) == [200]


def test_only_as_long_as_a_callee_repeats_it(wire):
    """64*T1 after the answer the callee has given up (RFC 3261 §13.3.1.4): a merged request, and a stray response."""
    call = Answered(wire)
    wire.advance(32)
    call.caller.start()
    call.say_again()
    assert (wire.statuses_to(CALLER), wire.core.counters.stray_responses) == ([482], 1)


def test_a_call_that_is_over_has_no_answer(wire):
    """It was hung up meanwhile."""
    call = Answered(wire)
    call.callee.say("BYE")
    (bye,) = wire.requests_to(CALLER, b"BYE")
    wire.send(reply(bye, 200), CALLER)
    wire.responses_to(TRUNK_A)
    call.say_again()
    assert (wire.sent, wire.core.counters.stray_responses) == ([], 1)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"branch=z9hG4bK", b"branch=z9hG4bKz"),  # our branch, which nobody else can know
        (b"sip:callee@198.51.100.1", b"sip:callee@203.0.113.66"),
        (b"SIP/2.0 200", b"SIP/2.0 202"),
        (b"SIP/2.0 200", b"SIP/2.0 486"),
        (b"SIP/2.0 200", b"SIP/2.0 180"),
        (b"tag=callee", b"tag=caller"),
        (b" INVITE\r\n", b" BYE\r\n"),
        (b"CSeq: 1 ", b"CSeq: 2 "),
    ],
)
def test_nobody_can_put_another_answer_in_its_place(wire, old, new):
    """What differs in a byte from the answer that was kept is a stray response."""
    call = Answered(wire)
    data = reply(call.invite, 200, contact=call.callee.contact, extra=EXTRA, body=call.body)
    assert old in data
    wire.send(data.replace(old, new, 1), TRUNK_A)
    assert (wire.sent, wire.core.counters.stray_responses) == ([], 1)
    wire.send(data, TRUNK_A)
    assert wire.statuses_to(CALLER) == [200]


def test_a_call_of_this_process_has_its_transactions(wire):
    """Nothing was taken over: a response that belongs to none is stray, and a late INVITE is merged."""
    call = Ringing(wire)
    call.callee.answer(200)
    wire.responses_to(CALLER)
    wire.advance(40)
    call.callee.answer(200)
    call.caller.start()
    assert (wire.statuses_to(CALLER), wire.core.counters.stray_responses) == ([482], 1)


@pytest.mark.parametrize(("text", "source"), [(POLICY, FOREIGN), (HIDDEN, CALLER)], ids=["masked", "hidden"])
def test_not_where_the_two_sides_are_hidden_from_each_other(text, source):
    """A record has not what it takes to translate the answer: as ever, and nothing of the callee's leaks."""
    wire = Wire(text)
    call = Answered(wire, source=source)
    call.caller.start()
    call.say_again()
    assert (wire.statuses_to(source), wire.core.counters.stray_responses) == ([482], 1)


class Elsewhere(Answered):
    """The same, its INVITE sent by hand."""

    def __init__(self, wire: Wire, caller: Caller, source: tuple[str, int], listener: int = 0) -> None:
        self.wire, self.caller, self.body = wire, caller, ""
        wire.send(caller.request("INVITE"), source, listener)
        (self.invite,) = wire.requests_to(TRUNK_A, b"INVITE")
        self.callee = Callee(wire, self.invite)
        self.say_again()
        wire.responses_to(source)
        wire.new_core()
        self.adopt()


def test_it_goes_to_where_the_invite_came_from(wire):
    """Behind a NAT, which is not where its Via says."""
    source = (CALLER[0], 40_000)
    call = Elsewhere(wire, Caller(wire, source=("10.0.0.5", 5060)), source)
    call.say_again()
    assert (wire.statuses_to(source), wire.sent) == ([200], [])


def test_not_over_a_stream():
    """The connection ended with the process, and the caller's transaction with it."""
    wire = Wire(listeners=[UDP, TCP])
    call = Elsewhere(wire, Caller(wire), CALLER, listener=1)
    call.say_again()
    assert (wire.sent, wire.core.counters.stray_responses) == ([], 1)
