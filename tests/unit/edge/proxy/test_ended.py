"""What the next process of a node knows of the one before: which attempts have their record, and which passed without
a lease."""

import pytest
from network import CALLER, SBC, TRUNK_A, Caller, Established, Ringing, Wire

from edge.proxy.ended import KEPT_S, MOST, Ended
from limits.model import GIVEN_BACK, Settle


def test_it_remembers_as_long_as_an_invite_may_come_again():
    """And not a moment longer, nor more than it has room for."""
    ended = Ended()
    ended.note("a", 404, 0.0)
    ended.note("b", 200, KEPT_S)
    assert (ended.status_of("a"), ended.status_of("b"), ended.status_of("c")) == (404, 200, None)
    ended.note("c", 0, KEPT_S + 0.1)
    assert (ended.status_of("a"), len(ended)) == (None, 2)
    for number in range(MOST):
        ended.note(f"n{number}", 486, KEPT_S + 1)
    assert (len(ended), ended.status_of("b"), ended.status_of("n0")) == (MOST, None, 486)


def test_a_second_word_on_one_uid_takes_no_second_place():
    """Else it would be forgotten while it is still there."""
    ended = Ended()
    ended.note("a", 404, 0.0)
    ended.note("a", 486, 1.0)
    ended.note("b", 200, KEPT_S + 0.5)
    assert (ended.status_of("a"), len(ended)) == (None, 1)


@pytest.mark.parametrize(("told", "status"), [(404, 404), (603, 603), (0, 482), (200, 482)])
def test_an_invite_that_has_its_record_gets_no_second_one_from_the_next_process(told, status):
    """It failed: the same again. Else it is a merged request (RFC 3261 §8.2.2.2)."""
    wire = Wire()
    call = Ringing(wire)
    (uid,) = wire.core.uids()
    wire.new_core().remember([(uid, told, wire.now - 3)], ())
    wire.responses_to(CALLER)
    call.caller.start()
    assert (wire.statuses_to(CALLER), wire.requests_to(TRUNK_A, b"INVITE")) == ([status], [])
    assert (wire.ended, wire.core.counters.attempts) == ([], 0)


def test_nor_one_that_was_refused_before_policy_saw_it():
    """RFC 3261 §16.3: no hops left. The answer is the same, the record is there already."""
    wire = Wire()
    caller = Caller(wire)
    invite = caller.request("INVITE", hops="Max-Forwards: 0")
    wire.send(invite, CALLER)
    (facts,) = wire.ended
    assert wire.statuses_to(CALLER) == [483]
    wire.new_core().remember([(facts.uid, 483, wire.now)], ())
    wire.send(invite, CALLER)
    assert (wire.statuses_to(CALLER), len(wire.ended)) == ([483], 1)


def test_a_lease_that_came_too_late_is_given_back_and_has_no_second_record():
    """The attempt was refused, since the store was silent; then the same node, started again, finds its lease."""
    wire = Wire()
    Ringing(wire)
    (uid,) = wire.core.uids()
    heir = wire.new_core()
    heir.remember([(uid, 503, wire.now)], ())
    found = tuple(wire.limiter.adopt("acme", gone="edge1", heir="edge1", lease_ms=30_000))
    heir.adopt("acme", "edge1", int(wire.now * 1_000), found, wire.now)
    wire.pump()
    assert (wire.ended, wire.in_use()) == ([], 0)
    assert wire.asked[-1] == Settle("acme", uid, GIVEN_BACK, 0)


def unleased(wire: Wire, *, answered: bool) -> str:
    """A call that the store was not asked about in time; its uid."""
    wire.is_store_away = True
    kind = Established if answered else Ringing
    kind(wire, source=SBC, extra="X-Account: fragile")
    (uid,) = wire.core.uids()
    return uid


@pytest.mark.parametrize("answered", [False, True])
def test_what_passes_without_a_lease_is_written_down_before_it_is_sent(answered):
    """Again when it is answered; the next process closes it as lost, to the last instant it is known to have lived."""
    wire = Wire()
    uid = unleased(wire, answered=answered)
    assert [one.uid for one in wire.opened] == [uid] * (1 + answered)
    wire.advance(5)
    heir = wire.new_core()
    heir.remember((), wire.opened)
    (left,) = heir.left()
    assert (left.uid, left.account) == (uid, "fragile")
    assert heir.close_left((), wire.now) == [uid]
    wire.pump()
    (facts,) = wire.ended
    assert (facts.uid, facts.lost, facts.degraded, facts.reason) == (uid, True, True, "lost")
    assert (facts.answered_at is not None, facts.duration_ms, facts.account) == (answered, 0, "fragile")
    assert (facts.decided_by, facts.adopted_from) == ("store_away", "edge1")
    assert heir.left() == []
    outcome = "answered" if answered else "failed"
    assert wire.asked[-1] == Settle("fragile", uid, outcome, 0, facts.price)


def test_it_is_not_closed_where_others_know_of_it():
    """The store has a lease of it, or it was settled; its INVITE came again and runs here; its record is written."""
    wire = Wire()
    uid = unleased(wire, answered=False)
    kept = list(wire.opened)
    heir = wire.new_core()
    heir.remember((), kept)
    assert heir.close_left((uid,), wire.now) == [uid]
    heir = wire.new_core()
    heir.remember([(uid, 487, wire.now)], kept)
    assert (heir.left(), heir.close_left((), wire.now)) == ([], [uid])
    wire.pump()
    assert wire.ended == []


def test_an_emergency_call_has_no_lease_and_is_written_down():
    """R16: the limits are not asked; its record must come all the same."""
    wire = Wire()
    Caller(wire, called="112").start()
    (opened,) = wire.opened
    heir = wire.new_core()
    heir.remember((), [opened])
    heir.close_left((), wire.now)
    wire.pump()
    (facts,) = wire.ended
    assert (facts.emergency, facts.lost, facts.is_billed) == (True, True, False)
