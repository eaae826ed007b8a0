"""Fewer attempts for a trunk that answers 503: rows, then properties, then calls."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from network import CALLER, TRUNK_A, TRUNK_B, Caller, Wire, policy, reply

from edge.config.restraint import Throttle
from edge.proxy.trunk_throttle import Pace

TERMS = Throttle(floor=1.0, decrease=0.5, increase=1.0)


def sent_at(pace, rate, seconds, begin=0.0):
    """Attempts at this rate, for so long; when it ended."""
    for number in range(int(rate * seconds)):
        pace.sent(TERMS, begin + number / rate)
    return begin + seconds


def test_without_a_503_there_is_no_limit():
    pace = Pace()
    now = sent_at(pace, 100, 5)
    assert (pace.may(TERMS, now), pace.limit) == (True, 0.0)


def test_half_of_what_it_was_sent():
    """The rate it was sent at counts, not a configured one; in one second the limit is lowered once."""
    pace = Pace()
    now = sent_at(pace, 40, 3)
    assert pace.refused(TERMS, now)
    assert 19 <= pace.limit <= 21
    assert not pace.refused(TERMS, now + 0.5)
    assert pace.refused(TERMS, now + 1.1)
    assert 10 <= pace.limit <= 11.1


def test_never_below_the_floor():
    pace = Pace()
    for number in range(20):
        pace.refused(TERMS, number * 2.0)
    assert pace.limit >= TERMS.floor


def test_it_grows_by_the_step_and_ends_at_twice_what_was_too_much():
    """A second adds one attempt a second; nobody needs to call for that."""
    pace = Pace()
    now = sent_at(pace, 10, 3)
    pace.refused(TERMS, now)
    first = pace.limit
    pace.may(TERMS, now + 4)
    assert pace.limit == pytest.approx(first + 4)
    pace.may(TERMS, now + 14)
    assert pace.limit == pytest.approx(first + 14)
    assert pace.may(TERMS, now + 16)
    assert pace.limit == 0.0


@given(
    st.lists(st.tuples(st.floats(0.001, 3), st.booleans()), min_size=1, max_size=200),
    st.floats(0.5, 20),
    st.floats(0.1, 0.9),
    st.floats(0.1, 10),
)
def test_what_is_let_through_never_exceeds_the_limit(steps, floor, decrease, increase):
    """Tokens: attempts let through in any stretch under a limit are at most its greatest rate times it, and a burst."""
    terms, pace, now = Throttle(floor, decrease, increase), Pace(), 0.0
    passed: list[float] = []
    greatest = 0.0
    for wait, is_refused in steps:
        now += wait
        if is_refused:
            before = pace.limit
            if pace.refused(terms, now):
                assert pace.limit >= floor * 0.999
                assert not before or pace.limit <= max(floor, before + increase * wait) + 1e-6
        if pace.may(terms, now):
            if pace.limit:
                passed.append(now)
                greatest = max(greatest, pace.limit)
            else:
                passed, greatest = [], 0.0
            pace.sent(terms, now)
    if passed:
        assert len(passed) <= greatest * (passed[-1] - passed[0]) + max(1.0, greatest * 0.5) + 1


def refused_at(wire):
    """Which trunk a new call is tried at; it is busy there."""
    Caller(wire).start()
    for name, address in (("a", TRUNK_A), ("b", TRUNK_B)):
        for invite in wire.requests_to(address, b"INVITE"):
            wire.send(reply(invite, 486), address)
            return name
    return ""


def test_calls_over_the_limit_go_elsewhere():
    """Two 503 leave a trickle for trunk a; the rest goes to b at once, and is told."""
    wire = Wire(policy(throttle="{ floor = 1, increase = 0.01 }", down_after=1000))
    for _ in range(2):
        Caller(wire).start()
        (invite,) = wire.requests_to(TRUNK_A, b"INVITE")
        wire.send(reply(invite, 503), TRUNK_A)
        (invite,) = wire.requests_to(TRUNK_B, b"INVITE")
        wire.send(reply(invite, 486), TRUNK_B)
        wire.advance(1.1)
    tried = [refused_at(wire) for _ in range(10)]
    assert tried.count("a") <= 2
    assert tried.count("b") >= 8
    assert {fact["why"] for fact in wire.told("trunk.skipped")} == {"throttled"}
    assert len(wire.told("trunk.throttled")) == 2
    assert wire.core.trunk_limits["a"] >= 1


def test_where_every_trunk_is_throttled_the_caller_hears_503():
    """No call goes out on top of what the trunk can bear; an emergency call does."""
    text = policy(throttle="{ floor = 1, increase = 0.01 }", down_after=1000).replace(
        'trunks = ["a", "b"]', 'trunks = ["a"]'
    )
    wire = Wire(text)
    Caller(wire).start()
    (invite,) = wire.requests_to(TRUNK_A, b"INVITE")
    wire.send(reply(invite, 503), TRUNK_A)
    wire.responses_to(CALLER)
    Caller(wire).start()
    assert wire.statuses_to(CALLER) == [100, 503]
    assert wire.ended[-1].reason == "trunk_ceilings"
    assert wire.requests_to(TRUNK_A, b"INVITE") == []
    Caller(wire, called="112").start()
    assert len(wire.requests_to(TRUNK_A, b"INVITE")) == 1
