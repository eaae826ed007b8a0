"""edge.proxy.pings"""

import pytest

from edge.config.telemarketing import PingCalls
from edge.proxy.facts import CallFacts, Fact
from edge.proxy.pings import TAG, Pings, is_ping
from limits.frequency import Counts, Frequency
from limits.model import Settle, Settled

PING = PingCalls(ring_s=5, talk_s=3, most=2, window_s=60)


def facts_of(
    *,
    ringing: float | None = None,
    answered: float | None = None,
    released: float = 10.0,
    reason: str = "cancelled",
    emergency: bool = False,
) -> CallFacts:
    facts = CallFacts("u", 0.0)
    facts.ringing_at, facts.answered_at, facts.released_at = ringing, answered, released
    facts.reason, facts.emergency, facts.account, facts.cli_presented = reason, emergency, "acme", "+33199001234"
    return facts


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (facts_of(ringing=5.0), True),
        (facts_of(ringing=4.99), False),
        (facts_of(ringing=None), False),
        (facts_of(ringing=9.0, reason="busy"), False),
        (facts_of(ringing=1.0, answered=7.001, reason="answered"), True),
        (facts_of(ringing=1.0, answered=7.0, reason="answered"), False),
        (facts_of(answered=9.9, reason="answered", emergency=True), False),
    ],
)
def test_what_is_one_9_2_3(facts: CallFacts, expected: bool) -> None:
    """Contract 9.2.3: given up within 5 s of ringing, or answered for less than 3 s; never an emergency call."""
    assert expected is is_ping(facts, PING)
    assert not is_ping(facts, PING.model_copy(update={"mode": "off"}))


def test_marks_and_tag() -> None:
    """The limits get a digest, the record a tag."""
    pings, facts = Pings(), facts_of(ringing=9.0)
    marks = pings.marks_of(facts, PING, lambda number: f"<{number}>")
    assert marks == (Frequency("ping", "<+33199001234>", 2, 60_000, Counts.MARKS),)
    assert facts.tags == (TAG,)
    assert pings.marks_of(facts_of(ringing=1.0), PING, str) == ()


def test_told_once_in_a_window() -> None:
    """Too many is more than `most`, and a log that repeats itself is not read."""
    pings, facts = Pings(), list[Fact]()
    settle = Settle("acme", "u", "cancelled", 0, marks=(Frequency("ping", "k", 2, 60_000, Counts.MARKS),))
    for marked, now in ((2, 0.0), (3, 1.0), (3, 60.9), (3, 61.0)):
        pings.heard(settle, Settled(False, 0, marked), now, facts)
    assert [fact.fields["calls"] for fact in facts] == [3, 3]
    assert facts[0] == Fact("calls.ping", {"account": "acme", "calls": 3, "window_s": 60, "call_uid": "u"})
