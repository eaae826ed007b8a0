"""Which egress trunks work: the table, row by row; then calls that meet a trunk that does not."""

from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from network import CALLER, NOTHING, POLICY, TRUNK_A, TRUNK_B, Callee, Caller, Wire, policy, reply

from edge.config.parsing import parse_policy
from edge.config.snapshot import PolicySnapshot
from edge.proxy.actions import Outbox
from edge.proxy.trunk_health import (
    HEALTH_TABLE,
    MAX_PAUSE_S,
    MAX_RETRY_FACTOR,
    Health,
    HealthInput,
    TrunkHealth,
    retry_after_of,
)
from edge.sip.message import Response, parse

TERMS = {"down_after": 3, "retry_s": 10, "up_after": 2}


def trunks(text: str = "") -> list:
    return list(PolicySnapshot(parse_policy(text or policy(**TERMS))).trunks.values())[:2]


def ours() -> tuple[TrunkHealth, Outbox]:
    outbox = Outbox()
    return TrunkHealth(outbox), outbox


def test_every_row_names_states_and_inputs_that_are_there():
    """No row leads to where it is; what changes nothing is not written."""
    assert set(HEALTH_TABLE) == set(Health)
    for state, row in HEALTH_TABLE.items():
        assert row
        assert all(what in HealthInput and after in Health and after is not state for what, after in row.items())


def test_the_life_of_a_trunk():
    """Failures in a row take it down; time makes a trial of it; answers in a row bring it back; facts tell of it."""
    health, outbox = ours()
    (a, b) = trunks()
    seen = []
    for now in (0, 1):
        health.failed(a, "503", now)
        seen.append((health.health(a), health.choose([a, b], now)))
    assert seen == [(Health.DEGRADED, [a, b])] * 2
    health.failed(a, "503", 2)
    assert (health.health(a), health.choose([a, b], 11.9)) == (Health.DOWN, [b])
    assert (health.choose([a, b], 12), health.health(a)) == ([a, b], Health.TRIAL)
    health.took(a, 12.5)
    health.took(a, 12.6)
    assert health.health(a) is Health.UP
    assert [(fact.fields["from"], fact.fields["to"], fact.fields["why"]) for fact in outbox.facts] == [
        ("degraded", "down", "503"),
        ("down", "trial", "waited"),
        ("trial", "up", "answered"),
    ]


def test_a_success_in_between_begins_the_count_anew():
    """Two failures, an answer, two failures: degraded, never down."""
    health, outbox = ours()
    (a, _) = trunks()
    for _ in range(3):
        health.failed(a, "silent", 0)
        health.failed(a, "silent", 0)
        health.took(a, 0)
        assert health.health(a) is Health.UP
    assert outbox.facts == []


def test_trials_come_one_by_one_and_faster():
    """The first at once, then 1 s, then half a second later, as long as they are answered."""
    health, _ = ours()
    (a, b) = trunks(policy(down_after=1, retry_s=10, up_after=9))
    health.failed(a, "silent", 0)
    first = {now: health.choose([a, b], now)[0].id for now in (10, 10.5, 10.99, 11)}
    assert first == {10: "a", 10.5: "b", 10.99: "b", 11: "a"}
    health.took(a, 11.2)
    first = {now: health.choose([a, b], now)[0].id for now in (12, 12.4, 12.5)}
    assert first == {12: "a", 12.4: "b", 12.5: "a"}


def test_a_trial_that_fails_waits_longer_each_time():
    """Twice as long, to a bound; an hour of it ends with one trial every `retry_s` x 16."""
    health, _ = ours()
    (a, b) = trunks(policy(down_after=1, retry_s=10, up_after=2))
    now, waits = 0.0, []
    health.failed(a, "silent", now)
    for _ in range(7):
        began = now
        while health.choose([a, b], now)[0] is not a:
            now += 1
        waits.append(now - began)
        health.failed(a, "silent", now)
    assert waits == [10, 20, 40, 80, 160, 160, 160]
    assert waits[-1] == 10 * MAX_RETRY_FACTOR


def test_retry_after_is_a_pause_and_no_judgement():
    """RFC 3261 §21.5.4: it is left alone for so long, to a bound, and stands where it stood."""
    health, _ = ours()
    (a, b) = trunks()
    health.failed(a, "503", 0, retry_after_s=20)
    assert [health.choose([a, b], now)[0].id for now in (1, 19.9, 20)] == ["b", "b", "a"]
    health.failed(a, "503", 20, retry_after_s=10**6)
    assert [health.choose([a, b], now)[0].id for now in (20 + MAX_PAUSE_S - 1, 20 + MAX_PAUSE_S)] == ["b", "a"]


def test_where_nobody_is_left_everybody_is_tried():
    """A judgement must not stop calls that might pass."""
    health, _ = ours()
    (a, b) = trunks(
        policy(down_after=1, retry_s=100, up_after=2).replace(
            'uri = "sip:198.51.100.2:5070"', 'uri = "sip:198.51.100.2:5070"\nmaintenance = true'
        )
    )
    health.failed(a, "silent", 0)
    assert health.choose([a, b], 1) == [a, b]
    assert health.choose([b], 1) == [b]
    assert health.choose([], 1) == []


def test_maintenance_is_passed_over():
    """As long as another one can take the call."""
    health, _ = ours()
    (a, b) = trunks(policy(maintenance="true"))
    assert health.choose([a, b], 0) == [b]


def test_a_new_policy_keeps_what_is_known():
    """Of trunks it keeps; others are forgotten."""
    health, _ = ours()
    (a, b) = trunks()
    for _ in range(3):
        health.failed(a, "silent", 0)
    health.adopt({"a": a, "c": b})
    assert health.states() == {"a": 0, "c": 3}


@pytest.mark.parametrize(
    ("status", "line", "seconds"),
    [
        (503, "Retry-After: 18\r\n", 18),
        (503, "Retry-After: 18 (in a meeting);duration=60\r\n", 18),
        (503, "Retry-After: soon\r\n", 0),
        (503, "Retry-After: 99999999\r\n", 0),
        (503, "", 0),
        (480, "Retry-After: 18\r\n", 0),
    ],
)
def test_what_retry_after_says(status, line, seconds):
    """RFC 3261 §20.33; of a 503 only."""
    text = (
        f"SIP/2.0 {status} X\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>;tag=2\r\n"
    )
    message = parse(f"{text}Call-ID: c\r\nCSeq: 1 INVITE\r\n{line}Content-Length: 0\r\n\r\n".encode())
    assert isinstance(message, Response)
    assert retry_after_of(message) == seconds


class Judgement(RuleBasedStateMachine):
    """Any history of two trunks."""

    NAMES: ClassVar = ["a", "b"]

    @initialize(down_after=st.integers(1, 4), up_after=st.integers(1, 4))
    def begin(self, down_after: int, up_after: int) -> None:
        self.trunks = trunks(policy(down_after=down_after, retry_s=10, up_after=up_after))
        self.health, self.outbox = ours()
        self.now = 0.0
        self.failures = [0, 0]

    @rule(index=st.integers(0, 1))
    def took(self, index: int) -> None:
        self.health.took(self.trunks[index], self.now)
        self.failures[index] = 0

    @rule(index=st.integers(0, 1), seconds=st.sampled_from([0, 0, 5]))
    def failed(self, index: int, seconds: int) -> None:
        self.health.failed(self.trunks[index], "503", self.now, retry_after_s=seconds)
        self.failures[index] += 1

    @rule(seconds=st.floats(0.1, 30))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def a_call_always_has_somewhere_to_go(self) -> None:
        if hasattr(self, "health"):
            chosen = self.health.choose(self.trunks, self.now)
            assert chosen
            assert [trunk for trunk in self.trunks if trunk in chosen] == chosen

    @invariant()
    def who_answered_last_is_not_down(self) -> None:
        if hasattr(self, "health"):
            for trunk, failures in zip(self.trunks, self.failures, strict=True):
                assert failures or self.health.health(trunk) is not Health.DOWN

    @invariant()
    def who_fails_all_the_time_is_not_up(self) -> None:
        if hasattr(self, "health"):
            for trunk, failures in zip(self.trunks, self.failures, strict=True):
                assert not failures or self.health.health(trunk) is not Health.UP


TestJudgement = Judgement.TestCase


@given(st.lists(st.booleans(), max_size=30))
def test_states_are_on_the_scale(history):
    """Whatever happened."""
    health, _ = ours()
    (a, _) = trunks()
    for now, good in enumerate(history):
        if good:
            health.took(a, now)
        else:
            health.failed(a, "silent", now)
    assert set(health.states().values()) <= {0, 1, 2, 3}


# -- calls -------------------------------------------------------------------------------------------------------------


def fail_first(wire, status=503, extra=""):
    """A call whose first trunk answers so; the second one takes it."""
    caller = Caller(wire)
    caller.start()
    (invite,) = wire.requests_to(TRUNK_A, b"INVITE")
    wire.send(reply(invite, status, extra=extra), TRUNK_A)
    wire.requests_to(TRUNK_A)
    for invite in wire.requests_to(TRUNK_B, b"INVITE"):
        wire.send(reply(invite, 486), TRUNK_B)
    wire.responses_to(CALLER)
    wire.requests_to(TRUNK_B)
    wire.advance(1)


def test_a_trunk_that_says_503_again_and_again_is_spared_the_next_call():
    """And its caller the wait; the fact says why."""
    wire = Wire(policy(**TERMS))
    for _ in range(3):
        fail_first(wire)
    assert [fields["to"] for fields in wire.told("trunk.health")] == ["down"]
    assert wire.core.trunk_states["a"] == 0
    Caller(wire).start()
    assert (wire.methods_to(TRUNK_A), wire.methods_to(TRUNK_B)) == ([], [b"INVITE"])


@pytest.mark.parametrize("status", [486, 404, 500, 603])
def test_who_says_anything_else_is_there(status):
    """A callee that is busy is no fault of the trunk."""
    wire = Wire(policy(**TERMS))
    for _ in range(5):
        fail_first(wire, status)
    assert wire.core.trunk_states["a"] == 3


def test_a_503_with_retry_after_sends_the_next_call_elsewhere_at_once():
    """For as long as it says."""
    wire = Wire(policy(**TERMS))
    fail_first(wire, extra="Retry-After: 30")
    Caller(wire).start()
    assert (wire.methods_to(TRUNK_A), wire.methods_to(TRUNK_B)) == ([], [b"INVITE"])
    wire.advance(40)
    wire.requests_to(TRUNK_B)
    Caller(wire).start()
    assert wire.methods_to(TRUNK_A) == [b"INVITE"]


def test_a_trunk_that_stays_silent():
    """Its silence timer counts; a caller that gives up before does not."""
    wire = Wire(policy(down_after=2, silence_s=2))
    for _ in range(3):
        caller = Caller(wire)
        caller.start()
        wire.advance(0.5)
        caller.cancel()
        wire.advance(40)
    assert wire.core.trunk_states["a"] == 3
    for _ in range(2):
        Caller(wire).start()
        wire.advance(3)
        for invite in wire.requests_to(TRUNK_B, b"INVITE"):
            wire.send(reply(invite, 486), TRUNK_B)
        wire.advance(40)
    assert wire.core.trunk_states["a"] == 0


def test_an_answered_call_brings_it_back():
    """Ringing and answer each count; nothing is left afterwards."""
    wire = Wire(policy(down_after=1, retry_s=5, up_after=2))
    fail_first(wire)
    wire.advance(40)
    caller = Caller(wire)
    caller.start()
    (invite,) = wire.requests_to(TRUNK_A, b"INVITE")
    callee = Callee(wire, invite)
    callee.answer(180)
    assert wire.core.trunk_states["a"] == 1
    callee.answer(200)
    assert wire.core.trunk_states["a"] == 3
    caller.learn(wire.responses_to(CALLER)[-1])
    caller.ack()
    caller.wire = wire
    caller.say("BYE")
    wire.send(reply(wire.requests_to(TRUNK_A, b"BYE")[0], 200), TRUNK_A)
    wire.advance(64)
    assert wire.held == NOTHING


def test_a_trunk_that_nobody_can_reach():
    """The socket refuses: as good as silence, and at once."""
    wire = Wire(policy(down_after=1))
    wire.unreachable.add(TRUNK_A)
    Caller(wire).start()
    assert wire.core.trunk_states["a"] == 0
    assert wire.methods_to(TRUNK_B) == [b"INVITE"]


# -- probes ------------------------------------------------------------------------------------------------------------


def test_probes_find_a_dead_trunk_before_a_call_does():
    """OPTIONS each `probe_s`; no answer takes it down, an answer makes a trial of it."""
    wire = Wire(policy(down_after=2, retry_s=1000, up_after=2, probe_s=60))
    wire.advance(0.1)
    (probe,) = wire.requests_to(TRUNK_A, b"OPTIONS")
    assert (probe.uri, probe.to().tag) == (b"sip:198.51.100.1:5060", None)
    wire.advance(94)
    wire.advance(0)
    assert wire.core.trunk_states["a"] == 0
    wire.advance(30)
    latest = wire.requests_to(TRUNK_A, b"OPTIONS")[-1]
    wire.send(reply(latest, 405), TRUNK_A)
    assert wire.core.trunk_states["a"] == 1
    assert wire.requests_to(TRUNK_B, b"OPTIONS") == []


def test_a_new_policy_begins_and_ends_probes():
    """At once where it asks for them; no more where it does not."""
    wire = Wire()
    wire.advance(1)
    assert wire.requests_to(TRUNK_A, b"OPTIONS") == []
    asked = PolicySnapshot(parse_policy(policy(probe_s=30)), generation=8)
    wire.core.policy_changed(asked, wire.now)
    wire.advance(0.1)
    assert len(wire.requests_to(TRUNK_A, b"OPTIONS")) == 1
    wire.core.policy_changed(PolicySnapshot(parse_policy(POLICY), generation=9), wire.now)
    wire.advance(40)
    wire.requests_to(TRUNK_A)
    wire.advance(600)
    assert (wire.requests_to(TRUNK_A, b"OPTIONS"), wire.held) == ([], NOTHING)
