"""What a decision leaves in the record of an attempt."""

import pytest
from network import CALLER, EDGE, POLICY, TRUNK_A, TRUNK_B, Caller, Established, Ringing, Wire, fail, reply

from edge.config.account_policy import AccountPolicy
from edge.proxy import record
from edge.proxy.adoption import Adoption
from edge.proxy.decisions import note_account, note_decided
from edge.proxy.facts import CallFacts
from limits.model import Admitted, Denied, InForce, Limit, Unavailable

YES = Admitted(9, 3, 7, 40, 11, 11, 5, 60, 600, "g", 0, ("caps",), 1, 2)


def decided(*answers: tuple[str, Admitted | Denied | Unavailable]) -> CallFacts:
    facts = CallFacts("u", 1.0)
    for holder, answer in answers:
        note_decided(facts, holder, answer, 2.0)
    return facts


def test_a_yes_tells_what_was_in_force():
    """Generation, CAPS, calls, lots, calls in use, the hold; the group's yes adds its name and its shadows only."""
    facts = decided(
        ("acme", YES), ("group:g", YES._replace(in_use=99, generation=1, held_micros=1, shadowed=("calls",)))
    )
    assert InForce(7, 11, 40, 1, 2) == facts.in_force
    assert (facts.in_use, facts.hold_micros, facts.holds, facts.decided_at) == (3, 600, 1, 2.0)
    assert (facts.group, facts.shadowed, facts.decided_by, facts.limit_holder) == ("g", ("caps", "calls"), "limits", "")


@pytest.mark.parametrize(
    ("holder", "limit", "in_use"), [("acme", Limit.CALLS, 5), ("acme", Limit.CAPS, 0), ("group:g", Limit.CALLS, 0)]
)
def test_a_no_tells_whose_ceiling_it_was(holder, limit, in_use):
    """`in_use` is concurrent calls of the account, or not known; what stood against the ceiling has its own column."""
    facts = decided((holder, Denied(limit, 4, 5, 0, InForce(7, 1, 4, 0, 0))))
    assert (facts.limit, facts.ceiling, facts.limit_in_use, facts.limit_holder) == (limit.value, 4, 5, holder)
    assert facts.in_use == in_use
    assert facts.in_force.generation == (7 if holder == "acme" else 0)


def test_no_answer_is_told():
    """By whom it was decided then is the account's choice."""
    assert decided(("acme", Unavailable("deadline"))).decided_by == "store_away"


def test_the_account_is_named_for_the_books():
    """Tags, its name elsewhere, its kind."""
    profile = Wire().core._node.snapshot.default_profile
    facts = CallFacts("u", 1.0)
    note_account(facts, AccountPolicy("a", "automated", profile, "refuse", ("gold",), "C-1"))
    assert (facts.account, facts.tags, facts.external_id) == ("a", ("gold",), "C-1")
    assert (facts.account_kind, facts.automated) == ("automated", True)


def test_an_answered_call_tells_each_try_with_its_instants():
    """Sent, ended, the way it came; and the words of the BYE that ended it."""
    wire = Wire()
    call = Established(wire)
    began = wire.now
    wire.advance(5.0)
    call.callee.say("BYE", extra='Reason: Q.850;cause=31;text="bad line"')
    (bye,) = wire.requests_to(CALLER, b"BYE")
    wire.send(reply(bye, 200), CALLER)
    (facts,) = wire.ended
    assert (facts.candidates, facts.tries) == ([("a", 200)], [(facts.sent_at, began)])
    assert (facts.q850, facts.release_side) == (31, "egress")
    assert facts.release_reason == 'Q.850;cause=31;text="bad line"'
    assert (facts.listener, facts.route, facts.decided_by) == (f"udp:{EDGE}", "all", "limits")
    assert (facts.in_force.generation > 0, facts.in_force.calls) == (True, 3)


def test_each_failed_try_has_its_instants_and_the_reason_of_the_last():
    """Trunk a fails after a while, trunk b a while later."""
    wire = Wire()
    Caller(wire).start()
    sent = wire.now
    wire.advance(0.25)
    fail(wire, 503)
    wire.advance(0.25)
    (invite,) = wire.requests_to(TRUNK_B, b"INVITE")
    wire.send(reply(invite, 486, extra="Reason: SIP;cause=600"), TRUNK_B)
    (facts,) = wire.ended
    assert [(trunk, status) for trunk, status in facts.candidates] == [("a", 503), ("b", 486)]
    assert facts.tries == [(sent, sent + 0.25), (sent + 0.25, sent + 0.5)]
    assert facts.release_reason == "SIP;cause=600"


def test_a_caller_that_gives_up_may_say_why():
    """The Reason header of its CANCEL."""
    wire = Wire()
    call = Ringing(wire)
    call.caller.cancel(extra="Reason: SIP;cause=200")
    (cancel,) = wire.requests_to(TRUNK_A, b"CANCEL")
    wire.send(reply(cancel, 200), TRUNK_A)
    wire.send(reply(call.invite, 487), TRUNK_A)
    (facts,) = wire.ended
    assert (facts.reason, facts.release_reason) == ("cancelled", "SIP;cause=200")


def test_what_a_takeover_needs_not_carry_is_looked_up():
    """The name in the books is the same on every node; tags of the attempt itself are carried."""
    document = POLICY.replace('id = "acme"\n', 'id = "acme"\ntags = ["gold"]\nexternal_id = "C-1"\n')
    wire = Wire(document)
    Ringing(wire)
    (call,) = wire.core.calls.live()
    found = record.read(record.of_attempt(call.facts, wire.core._node))
    assert found is not None
    kept = record.facts_of("u", found, 0.0)
    assert kept is not None
    Adoption(wire.core._node, wire.core.calls)._note_account(kept)
    assert (kept.external_id, kept.account_kind) == ("C-1", "human")
    assert kept.tags == call.facts.tags
    assert kept.tags[0] == "gold"
