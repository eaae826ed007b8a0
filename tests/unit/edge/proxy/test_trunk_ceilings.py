"""Ceilings of egress trunks: a place before the INVITE, a turn to wait for, the next trunk."""

import pytest
from network import CALLER, NOTHING, TRUNK_A, TRUNK_B, Callee, Caller, Established, Wire, fail, hang_up, policy

from edge.proxy.trunk_ceilings import MAX_PACED
from limits.model import Admit, Settle

TRUNK = "trunk:a"


def start(wire: Wire, calls: int) -> list[Caller]:
    """So many INVITEs."""
    callers = [Caller(wire, source=("192.0.2.3", 5060)) for _ in range(calls)]
    for caller in callers:
        caller.start(extra="X-Account: fragile")
    return callers


def test_a_trunk_without_ceilings_is_not_asked_for(wire):
    """One question a call: its account's."""
    Established(wire)
    assert wire.admits() == 1


def test_a_place_is_held_from_invite_to_bye():
    """The trunk's lease beside the account's; both go back."""
    wire = Wire(policy(calls=2))
    call = Established(wire)
    assert (wire.in_use(), wire.in_use(TRUNK)) == (1, 1)
    hang_up(call)
    assert (wire.in_use(), wire.in_use(TRUNK)) == (0, 0)
    wire.advance(64)
    assert wire.held == NOTHING


def test_a_trunk_has_no_money():
    """Its place is settled without a price: what the call cost is its account's alone."""
    wire = Wire(
        policy(calls=2).replace('id = "acme"\n', 'id = "acme"\nopening_balance = "1"\n', 1), deck="+33,f,0,1,1,1,0\n"
    )
    call = Established(wire)
    wire.advance(3)
    hang_up(call)
    settles = {verb.account: verb.price is None for verb in wire.asked if isinstance(verb, Settle)}
    assert settles == {"acme": False, TRUNK: True}
    assert (wire.usage().balance_micros, wire.usage(TRUNK).balance_micros) == (950_000, 0)


def test_a_full_trunk_is_passed_by():
    """The next candidate takes the call; the record says 503 of the first, which never saw the INVITE."""
    wire = Wire(policy(calls=1))
    Established(wire)
    caller = Caller(wire)
    caller.start()
    assert wire.requests_to(TRUNK_A) == []
    (invite,) = wire.requests_to(TRUNK_B, b"INVITE")
    assert wire.told("trunk.over_ceiling")[0]["limit"] == "calls"
    callee = Callee(wire, invite, TRUNK_B)
    callee.answer(486)
    assert wire.statuses_to(CALLER) == [100, 486]
    assert wire.ended[0].candidates == [("a", 503), ("b", 486)]


def test_where_every_trunk_is_full_the_caller_hears_so():
    """503 `trunk_ceilings`; nothing stays held."""
    wire = Wire(policy(calls=0).replace('trunks = ["a", "b"]', 'trunks = ["a"]'))
    Caller(wire).start()
    assert wire.statuses_to(CALLER) == [100, 503]
    assert (wire.ended[0].reason, wire.in_use(), wire.in_use(TRUNK)) == ("trunk_ceilings", 0, 0)


def test_the_place_goes_back_when_the_trunk_fails():
    """Before the next candidate is tried."""
    wire = Wire(policy(calls=1, failover_on="[503]"))
    Caller(wire).start()
    assert wire.in_use(TRUNK) == 1
    fail(wire)
    assert (wire.in_use(TRUNK), len(wire.requests_to(TRUNK_B, b"INVITE"))) == (0, 1)


def test_an_attempt_waits_its_turn():
    """CAPS of the trunk used up, and pacing allowed: the INVITE leaves as soon as the bucket has a token again."""
    wire = Wire(policy(caps=4, pacing_ms=400))
    start(wire, 5)
    assert len(wire.requests_to(TRUNK_A, b"INVITE")) == 4
    wire.advance(0.249)
    assert wire.requests_to(TRUNK_A, b"INVITE") == []
    wire.advance(0.002)
    assert len(wire.requests_to(TRUNK_A, b"INVITE")) == 1
    assert wire.requests_to(TRUNK_B) == []


@pytest.mark.parametrize("pacing", [0, 400])
def test_nobody_waits_longer_than_the_pacing_time(pacing):
    """The token would come after 500 ms: the next trunk at once."""
    wire = Wire(policy(caps=2, pacing_ms=pacing))
    start(wire, 3)
    assert len(wire.requests_to(TRUNK_B, b"INVITE")) == 1


def test_those_that_wait_share_what_the_bucket_yields():
    """Of five beyond the burst, within 400 ms one gets a token: nobody is let through early, the rest go to b."""
    wire = Wire(policy(caps=4, pacing_ms=400))
    start(wire, 9)
    wire.advance(0.45)
    assert (len(wire.requests_to(TRUNK_A, b"INVITE")), len(wire.requests_to(TRUNK_B, b"INVITE"))) == (5, 4)


def test_the_queue_is_bounded():
    """One more than may wait: the next trunk at once."""
    generous = policy(caps=1, pacing_ms=2000).replace(
        "caps_base = 100\nstore", "caps_base = 999\ncalls_base = 999\nstore"
    )
    wire = Wire(generous)
    start(wire, MAX_PACED + 2)
    assert len(wire.requests_to(TRUNK_A, b"INVITE")) == 1
    assert len(wire.requests_to(TRUNK_B, b"INVITE")) == 1


def test_a_caller_who_gives_up_while_waiting_is_answered_and_forgotten():
    """487; its turn comes and nobody is there; no place is taken."""
    wire = Wire(policy(caps=1, pacing_ms=2000))
    first, second = start(wire, 2)
    second.cancel()
    assert 487 in wire.statuses_to(("192.0.2.3", 5060))
    asked = wire.admits()
    wire.advance(3)
    assert (wire.admits(), wire.in_use(TRUNK)) == (asked, 1)
    assert first is not second


def test_a_place_that_comes_too_late_is_given_back():
    """CANCEL crosses the trunk's answer: the lease does not stay."""
    wire = Wire(policy(calls=5))
    caller = Caller(wire)
    wire.holding = []
    caller.start()
    held, wire.holding = wire.holding, []
    wire.limiter.submit(held[0])
    wire.limiter.flush()
    wire.pump()
    (question,) = wire.holding
    assert isinstance(question, Admit)
    assert question.account == TRUNK
    caller.cancel()
    wire.release_store()
    assert (wire.in_use(), wire.in_use(TRUNK)) == (0, 0)
    assert wire.requests_to(TRUNK_A) == []
    assert wire.statuses_to(CALLER) == [100, 200, 487]


def test_without_the_store_the_trunk_is_tried_and_the_call_marked():
    """The account's choice has let the call pass already: the trunk's own ceilings cannot be known."""
    wire = Wire(policy(calls=1))
    wire.is_store_away = True
    callers = start(wire, 2)
    assert [verb.account for verb in wire.asked] == ["fragile", TRUNK] * 2
    for invite in wire.requests_to(TRUNK_A, b"INVITE"):
        Callee(wire, invite).answer(486)
    assert [facts.degraded for facts in wire.ended] == [True] * len(callers)


def test_an_emergency_call_waits_for_no_trunk():
    """R16: no ceiling stands before it, not a trunk's either."""
    wire = Wire(policy(calls=0))
    Caller(wire, called="112").start()
    assert wire.admits() == 0
