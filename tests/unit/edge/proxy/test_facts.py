"""What is known of an attempt."""

from edge.proxy.facts import CallFacts


def test_an_attempt_begins_with_nothing_known():
    """But its uid and its instant."""
    facts = CallFacts("u", 1.0)
    known = {name: getattr(facts, name) for name in CallFacts.__slots__ if getattr(facts, name)}
    assert {"uid": "u", "received_at": 1.0} == known


def test_how_it_ended():
    """Four columns together."""
    facts = CallFacts("u", 1.0)
    facts.end(486, "busy", 17, "egress")
    assert (486, "busy", 17, "egress") == (facts.status, facts.reason, facts.q850, facts.release_side)


def test_the_latest_try_of_a_trunk_gets_the_status():
    """An unknown trunk gets none."""
    facts = CallFacts("u", 1.0)
    facts.candidates = [("a", 0), ("b", 0), ("a", 0)]
    facts.note("a", 503)
    facts.note("x", 500)
    assert [("a", 0), ("b", 0), ("a", 503)] == facts.candidates
