"""What the seconds of a node add up to."""

import pytest
from network import CALLER, TRUNK_A, WALL_OFFSET, Caller, Established, fail, hang_up, reply

from edge.control.meter import ALARM_S, Identity, Meter, trunk_calls
from edge.control.questions import read, write
from edge.control.snapshot import HISTORY, MOST_ACCOUNTS, MOST_ALARMS, Snapshot
from edge.proxy.facts import CallFacts, Fact

IDENTITY = Identity("0.1", ("udp:192.0.2.10:5060",), 1000.0, WALL_OFFSET)


class Reading:
    """A meter beside a core, read whenever a second is over."""

    def __init__(self, wire, sources):
        self.wire, self.sources, self.meter = wire, sources, Meter(wire.now)
        self._seen = 0

    def second(self, draining="", seconds=1.0):
        self.wire.advance(seconds)
        for facts in self.wire.ended[self._seen :]:
            self.meter.add(facts, self.wire.now)
        self._seen = len(self.wire.ended)
        for fact in self.wire.facts:
            self.meter.heard(fact, self.wire.now)
        self.wire.facts.clear()
        counts = {}
        trunk_calls(self.wire.core.calls.live(), counts)
        snapshot = self.meter.snapshot(
            self.sources, self.wire.core, IDENTITY, counts, self.wire.now, draining=draining, traces=0
        )
        assert read(Snapshot, write(snapshot)) == snapshot
        return snapshot


@pytest.fixture
def reading(wire, sources):
    return Reading(wire, sources)


def test_a_node_at_rest_shows_itself(reading):
    """Who it is, and noughts."""
    found = reading.second()
    assert (found.node, found.version, found.listeners) == ("edge1", "0.1", ("udp:192.0.2.10:5060",))
    assert (found.at_ms, found.uptime_s) == (int((WALL_OFFSET + 1001) * 1_000), 1)
    assert (found.calls, found.attempts_per_s, found.refused_by_reason, found.accounts) == (0, 0, {}, ())
    assert [(one.trunk, one.health, one.calls) for one in found.trunks] == [
        ("a", "up", 0),
        ("b", "up", 0),
        ("named", "up", 0),
    ]
    assert (found.draining, reading.second("operator").draining) == ("", "operator")


def test_attempts_are_counted_where_they_arrived_and_where_they_were_refused(reading, wire):
    """Three calls fit, two do not: admitted and refused apart, by reason, by account, over all; and once only."""
    for _ in range(5):
        Caller(wire).start()
        wire.requests_to(TRUNK_A)
    found = reading.second()
    assert (found.attempts_per_s, found.admitted_per_s, found.refused_per_s) == (5, 3, 2)
    assert (found.refused_by_reason, found.refused_total) == ({"calls": 2}, {"calls": 2})
    (row,) = found.accounts
    assert (row.account, row.attempts_per_s, row.refused_per_s, row.calls) == ("acme", 5, 2, 3)
    assert (row.caps, row.calls_ceiling, found.accounts_active) == (100, 3, 1)
    assert (found.calls, found.leases) == (3, 3)
    found = reading.second()
    (row,) = found.accounts
    assert (found.attempts_per_s, found.refused_by_reason, found.refused_total) == (0, {}, {"calls": 2})
    assert (row.attempts_per_s, row.refused_per_s, row.calls) == (0, 0, 3)
    assert [(one.attempts, one.refused, one.calls) for one in found.history] == [(5, 2, 3), (0, 0, 3)]


def test_rates_are_by_the_second_that_passed(reading, wire):
    """A late reading makes no peak."""
    for _ in range(3):
        Caller(wire).start()
    assert reading.second(seconds=2).attempts_per_s == 1.5


def test_a_trunk_is_told_with_its_calls_and_what_it_answered(reading, wire):
    """One call answered, one that trunk a failed and b carries; nothing is forgotten before its time."""
    first = Established(wire)
    Caller(wire).start()
    fail(wire, 503)
    found = {one.trunk: one for one in reading.second().trunks}
    assert (found["a"].calls, found["b"].calls, found["a"].health) == (1, 1, "degraded")
    assert (found["a"].attempts, found["a"].answered) == (0, 0)
    hang_up(first)
    found = {one.trunk: one for one in reading.second().trunks}
    assert (found["a"].calls, found["a"].attempts, found["a"].answered) == (0, 1, 1)
    found = {one.trunk: one for one in reading.second(seconds=15 * 60 + 60).trunks}
    assert found["a"].answered == 0


def test_only_the_trunk_that_took_the_call_has_answered_it(reading, wire):
    """The one that failed before it has not."""
    facts = CallFacts("u1", wire.now)
    facts.candidates, facts.egress_trunk, facts.answered_at = [("a", 503), ("b", 200)], "b", wire.now
    reading.meter.add(facts, wire.now)
    found = {one.trunk: (one.attempts, one.answered) for one in reading.second().trunks}
    assert (found["a"], found["b"]) == ((1, 0), (1, 1))


def test_ceilings_that_are_near_are_alarms_for_a_while(reading, wire):
    """80 % of the calls: told, with its age, until it has not been told for a while."""
    for _ in range(3):
        Established(wire)
    (alarm,) = reading.second().alarms
    assert (alarm.holder, alarm.limit, alarm.percent, alarm.in_use, alarm.ceiling) == ("acme", "calls", 95, 3, 3)
    assert reading.second(seconds=ALARM_S - 2).alarms[0].age_s == int(ALARM_S) - 2
    assert reading.second(seconds=3).alarms == ()


def test_whoever_is_refused_or_cut_for_money_is_an_alarm(reading, wire):
    """Of the account, or of the holder whose ceiling it was."""
    facts = CallFacts("u1", wire.now)
    facts.account, facts.reason, facts.limit_holder, facts.ceiling = "poor", "spend_cap", "group:g", 5
    reading.meter.add(facts, wire.now)
    (alarm,) = reading.second().alarms
    assert (alarm.holder, alarm.limit, alarm.percent, alarm.ceiling) == ("group:g", "spend_cap", 100, 5)


def test_what_strangers_can_do_is_bounded(reading, wire):
    """Alarms, rows and history have an end; the newest alarm replaces none that still stands."""
    for number in range(MOST_ALARMS + 50):
        fields = {"account": f"a{number}", "limit": "caps", "percent": 80, "in_use": 8, "ceiling": 10}
        reading.meter.heard(Fact("limit.near", fields), wire.now)
        facts = CallFacts(f"u{number}", wire.now)
        facts.account, facts.attempts = f"a{number}", number + 1
        reading.meter.add(facts, wire.now)
    found = reading.second()
    assert (len(found.alarms), len(found.accounts), found.accounts_active) == (MOST_ALARMS, MOST_ACCOUNTS // 2, 150)
    assert found.accounts[0].account == "a149"
    for _ in range(HISTORY + 5):
        found = reading.second()
    assert len(found.history) == HISTORY


def test_decisions_are_told_by_their_percentiles(reading, sources):
    """Upper bounds of the buckets; of the last minute only."""
    assert reading.second().decision_p99_ms == 0
    for _ in range(98):
        sources.totals.decision.observe(700)
    for _ in range(2):
        sources.totals.decision.observe(4_000)
    found = reading.second()
    assert (found.decision_p50_ms, found.decision_p99_ms) == (1.0, 5.0)
    for _ in range(HISTORY):
        found = reading.second()
    assert (found.decision_p50_ms, found.decision_p99_ms) == (0, 0)


def test_the_worst_lag_of_a_second_is_told_once(reading):
    """In milliseconds."""
    reading.meter.worst_lag_s = 0.0123
    assert (reading.second().loop_lag_ms, reading.second().loop_lag_ms) == (12.3, 0.0)


def test_a_call_that_ends_in_the_second_it_came_in_counts_as_one_attempt(reading, wire):
    """What ended, and what is held more, are one sum."""
    call = Established(wire)
    call.callee.say("BYE")
    (bye,) = wire.requests_to(CALLER, b"BYE")
    wire.send(reply(bye, 200), CALLER)
    (row,) = reading.second().accounts
    assert (row.attempts_per_s, row.refused_per_s, row.calls) == (1, 0, 0)
