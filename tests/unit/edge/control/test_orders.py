"""What a node does with a question: looks, or gives its core an input, and says who wanted it."""

import asyncio

import pytest
from network import CALLER, TRUNK_A, WALL_OFFSET, Caller, Established, Ringing

from edge.control.orders import SLICE, Orders
from edge.control.questions import (
    CallFilter,
    Done,
    Drain,
    HangUp,
    LiftBan,
    ListBans,
    ListCalls,
    Question,
    ShowCall,
    Undrain,
)
from edge.control.tracing import Tap


class Desk:
    """Somebody who asks this node."""

    def __init__(self, wire):
        self.wire = wire
        self.stopping = False
        self.orders = Orders(
            wire.core,
            Tap(wire.core, wire.listeners, node="edge1", wall_offset=WALL_OFFSET),
            node="edge1",
            wall_offset=WALL_OFFSET,
            now=lambda: wire.now,
            turn=wire.pump,
            tell=wire.facts.append,
            is_stopping=lambda: self.stopping,
        )

    def ask(self, ask):
        return asyncio.run(self.orders.carry_out(Question("0af", ask, "ops", "complaint 4411")))


@pytest.fixture
def desk(wire):
    return Desk(wire)


def live(wire):
    return [call.uid for call in wire.core.calls.live()]


def test_calls_are_listed_the_newest_first_and_no_more_than_asked_for(desk, wire):
    """And whether there are more."""
    for _ in range(3):
        Established(wire)
    found = desk.ask(ListCalls(limit=2)).found
    assert [row.uid for row in found.calls] == live(wire)[:0:-1]
    assert (found.more, found.held) == (True, 3)
    found = desk.ask(ListCalls(limit=3)).found
    assert (len(found.calls), found.more) == (3, False)


def test_a_filter_chooses_among_more_calls_than_one_slice(desk, wire):
    """Every slice is looked at."""
    wire.limiter.provision([], opening={})
    first = Established(wire)
    call = wire.core.calls.live()[0]
    for number in range(SLICE + 10):
        wire.core.calls._by_uid[f"x{number}"] = call
    found = desk.ask(ListCalls(CallFilter(call_id=first.caller.call_id), 1_000)).found
    assert (len(found.calls), found.more) == (SLICE + 11, False)


def test_one_call_is_shown_or_is_not_here(desk, wire):
    """Unknown is no fault for the journal: every node is asked."""
    Established(wire)
    (uid,) = live(wire)
    assert desk.ask(ShowCall(uid)).found.row.uid == uid
    reply = desk.ask(ShowCall("0af"))
    assert (reply.outcome.fault, reply.found, reply.entry) == ("unknown_call", None, None)


def test_an_operator_hangs_up(desk, wire):
    """BYE to both sides at once; record, fact and journal say who and why."""
    call = Established(wire)
    (uid,) = live(wire)
    reply = desk.ask(HangUp(uid))
    assert (wire.methods_to(TRUNK_A), wire.methods_to(CALLER)) == ([b"BYE"], [b"BYE"])
    assert reply.found == Done(1, True, "acme")
    expected = {"call_uid": uid, "account": "acme", "by": "ops", "why": "complaint 4411"}
    assert wire.told("operator.hung_up") == [expected]
    assert (reply.entry.verb, reply.entry.call_uid, reply.entry.account) == ("hang_up", uid, "acme")
    assert desk.ask(HangUp(uid)).outcome.fault == "ending"
    wire.advance(33)
    (facts,) = wire.ended
    assert (facts.reason, facts.release_side, facts.q850, facts.release_reason) == (
        "operator", "edge", 16, "complaint 4411",
    )  # fmt: skip
    assert desk.ask(HangUp(uid)).outcome.fault == "unknown_call"
    assert call.caller.call_id == facts.call_id


def test_a_ringing_call_is_cancelled_and_its_caller_told(desk, wire):
    """503 with the reason; a second time there is nothing more to do."""
    call = Ringing(wire)
    (uid,) = live(wire)
    desk.ask(HangUp(uid))
    assert wire.methods_to(TRUNK_A) == [b"CANCEL"]
    assert desk.ask(HangUp(uid)).outcome.fault == "ending"
    call.callee.answer(487)
    assert wire.statuses_to(CALLER) == [503]
    assert (wire.ended[0].reason, wire.ended[0].release_reason) == ("operator", "complaint 4411")


def test_a_drained_node_refuses_and_says_so_until_it_is_undrained(desk, wire):
    """Running calls go on; draining twice changes nothing and is told once."""
    Established(wire)
    assert desk.ask(Drain()).found == Done(1, True)
    assert desk.ask(Drain()).found == Done(1, False)
    Caller(wire).start()
    assert wire.statuses_to(CALLER) == [503]
    assert (len(live(wire)), wire.ended[-1].reason) == (1, "draining")
    reply = desk.ask(Undrain())
    assert (reply.found, reply.entry.verb) == (Done(1, True), "undrain")
    Ringing(wire)
    assert [len(wire.told(name)) for name in ("operator.drained", "operator.undrained")] == [1, 1]


def test_a_node_that_stops_takes_nothing_again(desk, wire):
    """Its way out is not the operator's any more."""
    desk.stopping = True
    wire.core.drain()
    reply = desk.ask(Undrain())
    assert (reply.outcome.fault, wire.core.is_draining) == ("stopping", True)
    assert desk.ask(Drain()).found == Done(0, False)


def banned(wire, *sources):
    for source in sources:
        for _ in range(3):
            wire.core.sources.passes(0, source, b"OPTIONS sip:x SIP/2.0\r\nUser-Agent: friendly-scanner\r\n", wire.now)


def test_who_is_not_heard_and_is_heard_again_by_an_operators_word(desk, wire):
    """An address of IPv6 stands for its /64. Who and why go to the log and the journal; nobody else is heard by it."""
    banned(wire, "203.0.113.7", "2001:db8:7::1")
    found = desk.ask(ListBans()).found.bans
    assert [(one.node, one.source, one.why, one.times) for one in found] == [
        ("edge1", "203.0.113.7", "scanner", 1),
        ("edge1", "2001:db8:7::/64", "scanner", 1),
    ]
    assert all(one.left_s > 0 for one in found)
    reply = desk.ask(LiftBan("2001:db8:7::9"))
    assert reply.found == Done(0, True)
    assert (reply.entry.verb, reply.entry.source, reply.entry.why) == ("lift_ban", "2001:db8:7::9", "complaint 4411")
    assert wire.told("operator.ban_lifted") == [{"source": "2001:db8:7::9", "by": "ops", "why": "complaint 4411"}]
    assert [one.source for one in desk.ask(ListBans()).found.bans] == ["203.0.113.7"]
    for nonsense in ("2001:db8:7::9", "203.0.113.8", ":::", "x/y"):
        assert desk.ask(LiftBan(nonsense)).found == Done(0, False)
    assert wire.core.sources.passes(0, "2001:db8:7::1", b"SIP/2.0 200", wire.now)
    assert not wire.core.sources.passes(0, "203.0.113.7", b"SIP/2.0 200", wire.now)
