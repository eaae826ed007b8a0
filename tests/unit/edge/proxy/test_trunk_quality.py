"""The guard over a trunk's ASR: the table, row by row; then trunks that answer too little, or that nobody calls."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from network import TRUNK_A, TRUNK_B, Caller, Wire, policy, reply

from edge.config.parsing import parse_policy
from edge.config.snapshot import PolicySnapshot
from edge.proxy.actions import Outbox
from edge.proxy.trunk_quality import GUARD_TABLE, SAMPLE, Guarded, GuardInput, TrunkQuality, Window

GUARD = "{ asr = 50, window_s = 100, sample = 10, retry_s = 20, trial = 4 }"
ROWS = {
    (Guarded.GOOD, GuardInput.TOO_FEW): Guarded.TRIPPED,
    (Guarded.TRIPPED, GuardInput.DUE): Guarded.HALF_OPEN,
    (Guarded.HALF_OPEN, GuardInput.PASSED): Guarded.GOOD,
    (Guarded.HALF_OPEN, GuardInput.MISSED): Guarded.TRIPPED,
}


@pytest.mark.parametrize("state", Guarded)
@pytest.mark.parametrize("happening", GuardInput)
def test_every_cell(state, happening):
    """What is not in a row changes nothing."""
    assert GUARD_TABLE[state].get(happening) == ROWS.get((state, happening))


def trunk_a(text):
    return PolicySnapshot(parse_policy(text)).trunks["a"]


@pytest.fixture
def guarded():
    return TrunkQuality(Outbox()), trunk_a(policy(guard=GUARD))


def tell(quality, trunk, answers, now=0.0):
    for answered in answers:
        quality.sent(trunk)
        quality.ended(trunk, now, answered=answered)


def test_a_small_sample_says_nothing(guarded):
    """Nine failures are no ten."""
    quality, trunk = guarded
    tell(quality, trunk, [False] * 9)
    assert quality.why_not(trunk, 0) == ""
    tell(quality, trunk, [False])
    assert quality.why_not(trunk, 0) == "asr"


@pytest.mark.parametrize(("answered", "is_good"), [(5, True), (4, False), (10, True), (0, False)])
def test_the_least_asr(guarded, answered, is_good):
    """Half of ten is enough, less is not."""
    quality, trunk = guarded
    tell(quality, trunk, [True] * answered + [False] * (10 - answered))
    assert (quality.why_not(trunk, 0) == "") is is_good


def test_what_is_long_ago_counts_no_more(guarded):
    """The window moves on; a trunk that nobody calls is never judged."""
    quality, trunk = guarded
    tell(quality, trunk, [False] * 9, now=0)
    tell(quality, trunk, [False] * 9, now=101)
    assert quality.why_not(trunk, 101) == ""
    assert quality.asr(101) == {"a": 0}
    assert quality.asr(300) == {}
    assert quality.why_not(trunk, 10_000) == ""


def test_single_calls_decide_whether_it_is_back(guarded):
    """After the pause four calls may try it, no fifth; those four decide, and a failure doubles the pause."""
    quality, trunk = guarded
    tell(quality, trunk, [False] * 10)
    assert [quality.why_not(trunk, now) for now in (1, 19.9)] == ["asr", "asr"]
    for _ in range(4):
        assert quality.why_not(trunk, 20) == ""
        quality.sent(trunk)
    assert quality.why_not(trunk, 20) == "asr"
    for answered in (True, False, False, False):
        quality.ended(trunk, 21, answered=answered)
    assert [quality.why_not(trunk, now) for now in (60.9, 61)] == ["asr", ""]
    tell(quality, trunk, [True, True, False, False], now=62)
    assert quality.why_not(trunk, 62) == ""
    tell(quality, trunk, [False] * 9, now=63)
    assert quality.why_not(trunk, 63) == ""  # it begins anew
    facts = [(fact.fields["to"], fact.fields["why"]) for fact in quality._outbox.facts]
    assert facts == [
        ("tripped", "0 of 10 answered"),
        ("half_open", "waited"),
        ("tripped", "1 of 4 answered in the trial"),
        ("half_open", "waited"),
        ("good", "2 of 4 answered in the trial"),
    ]


def test_calls_sent_before_it_tripped_are_no_trial(guarded):
    """Their ends, which come late, do not spoil the trial."""
    quality, trunk = guarded
    tell(quality, trunk, [False] * 10)
    assert quality.why_not(trunk, 20) == ""
    for _ in range(5):
        quality.ended(trunk, 20, answered=False)
    assert quality.why_not(trunk, 20) == ""


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 40)), max_size=200))
def test_a_guard_never_forgets_to_come_back(steps):
    """Whatever happens: after the longest pause a call may try it again."""
    quality, trunk, now = TrunkQuality(Outbox()), trunk_a(policy(guard=GUARD)), 0.0
    for answered, wait in steps:
        now += wait
        if not quality.why_not(trunk, now):
            quality.sent(trunk)
            quality.ended(trunk, now, answered=answered)
    assert quality.why_not(trunk, now + 16 * 20) == ""


def test_a_window_adds_up():
    window = Window(100)
    window.add(answered=True, pdd_s=2.0, now=5)
    window.add(answered=False, pdd_s=None, now=50)
    window.add(answered=False, pdd_s=4.0, now=99)
    assert (window.counts(99), window.pdd_s(99)) == ((3, 1), 3.0)
    assert (window.counts(110), window.pdd_s(110)) == ((2, 0), 4.0)
    assert (window.counts(1000), window.pdd_s(1000)) == ((0, 0), 0.0)


def test_quality_is_told_apart_in_steps():
    """Five per cent and half a second; too small a sample is as good as any."""
    quality, trunk = TrunkQuality(Outbox()), trunk_a(policy())
    for number in range(SAMPLE):
        quality.ended(trunk, 0, answered=number < 12, pdd_s=1.2)
        expected = (0, 0) if number < SAMPLE - 1 else (8, 2)
        assert quality.rank(trunk, 0) == expected


# -- calls -------------------------------------------------------------------------------------------------------------


def fail_calls(wire, count):
    for _ in range(count):
        Caller(wire).start()
        (invite,) = wire.requests_to(TRUNK_A, b"INVITE")
        wire.send(reply(invite, 486), TRUNK_A)


@pytest.mark.parametrize(("action", "then"), [("skip", []), ("degrade", [TRUNK_A])])
def test_a_guarded_trunk_gets_fewer_calls(action, then):
    """Skipped: the other one alone; degraded: after the other one."""
    wire = Wire(policy(guard=GUARD.replace("}", f', action = "{action}" }}')))
    fail_calls(wire, 10)
    Caller(wire).start()
    (invite,) = wire.requests_to(TRUNK_B, b"INVITE")
    wire.send(reply(invite, 503), TRUNK_B)
    assert [TRUNK_A] * len(wire.requests_to(TRUNK_A, b"INVITE")) == then
    assert wire.told("trunk.guard")[0]["to"] == "tripped"


def test_the_only_trunk_is_tried_all_the_same():
    """A low ASR stops no call that has nowhere else to go."""
    wire = Wire(policy(guard=GUARD).replace('trunks = ["a", "b"]', 'trunks = ["a"]'))
    fail_calls(wire, 12)
    assert wire.told("trunk.guard")[0]["to"] == "tripped"


def test_the_better_one_first():
    """`order = "quality"`: once enough is known, the trunk that answers more."""
    wire = Wire(policy().replace('trunks = ["a", "b"]', 'trunks = ["a", "b"]\norder = "quality"'))
    fail_calls(wire, SAMPLE)
    Caller(wire).start()
    assert len(wire.requests_to(TRUNK_B, b"INVITE")) == 1
