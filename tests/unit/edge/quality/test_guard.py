"""edge.quality.guard: the table of a breach"""

import pytest

from edge.quality.guard import NOTIFYING, RESTRICTING, Effect, Input, Standing, State, look
from edge.quality.rules import Judgement, Metric, Rule

NOTIFY = Rule("asr", Metric.ASR, 60)
THROTTLE = NOTIFY._replace(action="throttle", rest_s=600)
NOW = 1_000_000


def step(rule: Rule, standing: Standing, judgement: str, *, amount: int = 30, now: int = NOW):
    move = look(rule, standing, Judgement(judgement), amount=amount, now_s=now)
    return None if move is None else (str(move.to.state), [str(effect) for effect in move.effects])


@pytest.mark.parametrize(
    ("state", "judgement", "expected"),
    [
        ("normal", "bad", ("breached", ["tell_breach"])),
        ("normal", "between", None),
        ("normal", "good", None),
        ("normal", "thin", None),
        ("breached", "bad", None),
        ("breached", "between", None),  # hysteresis: not better by the margin
        ("breached", "thin", None),
        ("breached", "good", ("normal", ["tell_recovered"])),
    ],
)
def test_a_rule_that_notifies(state, judgement, expected):
    """Told once when it begins and once when it is over."""
    assert step(NOTIFY, Standing(State(state), NOW - 60, 0), judgement) == expected


@pytest.mark.parametrize(
    ("state", "judgement", "is_over", "expected"),
    [
        ("normal", "bad", False, ("resting", ["tell_breach", "restrict"])),
        ("resting", "bad", False, None),
        ("resting", "good", False, None),
        ("resting", "bad", True, ("probing", ["tell_probing", "half_open"])),
        ("resting", "thin", True, ("probing", ["tell_probing", "half_open"])),
        ("probing", "thin", False, None),
        ("probing", "between", False, None),
        ("probing", "bad", False, ("resting", ["tell_breach", "restrict"])),
        ("probing", "good", False, ("normal", ["tell_recovered"])),
        ("probing", "thin", True, ("normal", ["tell_recovered"])),
        ("probing", "bad", True, ("resting", ["tell_breach", "restrict"])),
    ],
)
def test_a_rule_that_restricts(state, judgement, is_over, expected):
    """Restricted, rested without judgement, half open, over or again."""
    standing = Standing(State(state), NOW - 600, NOW if is_over else NOW + 1)
    assert step(THROTTLE, standing, judgement) == expected


def test_a_state_lasts_as_long_as_the_rule_rests():
    """Resting and probing end by themselves."""
    move = look(THROTTLE, Standing(), Judgement.BAD, amount=30, now_s=NOW)
    assert move is not None
    assert move.to == Standing(State.RESTING, NOW, NOW + 600)


def test_a_breach_without_any_call_left_is_over():
    """Nobody stays on the list for ever."""
    assert step(NOTIFY, Standing(State.BREACHED, 1, 0), "thin", amount=0) == ("normal", ["tell_recovered"])


@pytest.mark.parametrize("state", list(State))
def test_a_rule_whose_action_changed_leads_out_of_every_state(state):
    """Both tables have a way on from each state that the other one can leave behind."""
    for table in (NOTIFYING, RESTRICTING):
        assert table[state]


def test_every_restriction_is_told():
    """No row restricts in silence, and no row goes to a restricted state without restricting."""
    rows = [
        (row, at)
        for at, table in (("n", NOTIFYING), ("r", RESTRICTING))
        for by in table.values()
        for row in by.values()
    ]
    for row, _ in rows:
        assert (Effect.RESTRICT in row.effects) == (row.next is State.RESTING)
        assert (Effect.HALF_OPEN in row.effects) == (row.next is State.PROBING)
        assert Effect.RESTRICT not in row.effects or Effect.TELL_BREACH in row.effects


def test_inputs_are_the_judgements_and_time():
    """A judgement is an input by its own word."""
    assert {str(one) for one in Judgement} < {str(one) for one in Input}


@pytest.mark.parametrize("standing", [Standing(State.RESTING, 5, 9), Standing(State.BREACHED, 5, 0), Standing()])
def test_a_state_survives_the_store(standing):
    """As one text; normal is no text at all."""
    assert Standing.from_text(standing.to_text()) == standing


@pytest.mark.parametrize("text", ["", "resting", "sleeping 1 2", "resting x 2"])
def test_what_is_no_state_is_normal(text):
    """A newer version's state does not stop an older node."""
    assert Standing.from_text(text) == Standing()
