"""What is known of an attempt."""

from edge.proxy.facts import CallFacts
from limits.model import NOTHING_IN_FORCE


def test_an_attempt_begins_with_nothing_known():
    """But its uid and its instant, and that it is one."""
    facts = CallFacts("u", 1.0)
    values = {name: getattr(facts, name) for name in dir(facts) if name[0] != "_"}
    known = {name: value for name, value in values.items() if value and not callable(value)}
    assert known.pop("in_force") == NOTHING_IN_FORCE
    assert {"uid": "u", "received_at": 1.0, "attempts": 1} == known


def test_how_it_ended():
    """Four columns together."""
    facts = CallFacts("u", 1.0)
    facts.end(486, "busy", 17, "egress")
    assert (486, "busy", 17, "egress") == (facts.status, facts.reason, facts.q850, facts.release_side)


def test_the_latest_try_of_a_trunk_gets_the_status():
    """An unknown trunk gets none."""
    facts = CallFacts("u", 1.0)
    facts.sent("a", 2.0)
    facts.passed_over("b", 3.0)
    facts.sent("a", 4.0)
    facts.note("a", 486, 5.0)
    facts.note("x", 500, 6.0)
    assert [("a", 0), ("b", 503), ("a", 486)] == facts.candidates
    assert [(2.0, None), (None, 3.0), (4.0, 5.0)] == facts.tries
    assert (2.0, "a") == (facts.sent_at, facts.egress_trunk)


def test_a_candidate_of_an_older_record_has_no_instants():
    """A call taken over from a node that did not keep them."""
    facts = CallFacts("u", 1.0)
    facts.candidates = [("a", 0)]
    facts.note("a", 200, 5.0)
    assert ([("a", 200)], []) == (facts.candidates, facts.tries)


def test_what_a_neighbour_says_of_the_end_is_bounded():
    """200 characters of its Reason header, whatever the bytes."""
    facts = CallFacts("u", 1.0)
    facts.told(b"\xff" + b"x" * 500)
    assert facts.release_reason == "\ufffd" + "x" * 199
    facts.told(None)
    assert facts.release_reason == ""
