"""edge.alerts.standing: told when it has lasted, over when it has been over for long enough, once in between."""

import pytest

from edge.alerts.kinds import KINDS, Kind, Level
from edge.alerts.standing import Condition, Standing, State, Told, look


def seen(kind: Kind = Kind.CALLS, level: Level = Level.WARNING) -> Condition:
    return Condition(kind, "acme", level, f"acme: {level}")


class Life:
    """One alert, looked at now and then."""

    def __init__(self, remind_s: int = 0) -> None:
        self.standing: Standing | None = None
        self.told: list[tuple[float, Told, Level]] = []
        self._remind_s = remind_s

    def look(self, at_s: float, condition: Condition | None) -> None:
        before = self.standing
        move = look(before, condition, now_ms=round(at_s * 1_000), remind_s=self._remind_s)
        if move is None:
            return
        self.standing = None if move.to is None else Standing.from_text(move.to.to_text())
        assert self.standing == move.to
        shown = move.to or before
        if move.told is not None:
            assert shown is not None
            self.told.append((at_s, move.told, shown.level))


def test_what_comes_and_goes_is_told_once():
    """Ten times in and out of 80 % within its minute: one `raised`, and one `cleared` a minute after the last."""
    life = Life()
    for at in range(0, 100, 10):
        life.look(at, seen())
        life.look(at + 5, None)
    life.look(154.9, None)
    assert life.told == [(0, Told.RAISED, Level.WARNING)]
    life.look(155, None)
    assert life.told[1:] == [(155, Told.CLEARED, Level.WARNING)]
    assert life.standing is None


def test_a_level_only_rises_until_it_is_over():
    """95 % is told once more; from 95 to 80 and back nothing is."""
    life = Life()
    for at, level in enumerate([Level.WARNING, Level.CRITICAL, Level.WARNING, Level.CRITICAL, Level.WARNING]):
        life.look(at, seen(level=level))
    assert life.told == [(0, Told.RAISED, Level.WARNING), (1, Told.WORSE, Level.CRITICAL)]


def test_it_may_get_worse_while_it_goes():
    """It comes back as critical: told as worse, not as new."""
    life = Life()
    life.look(0, seen())
    life.look(1, None)
    life.look(2, seen(level=Level.CRITICAL))
    assert life.told == [(0, Told.RAISED, Level.WARNING), (2, Told.WORSE, Level.CRITICAL)]
    assert life.standing is not None
    assert (life.standing.state, life.standing.since_ms) == (State.RAISED, 0)


def test_a_trunk_that_is_down_for_a_moment_is_no_alert():
    """Held back for its time; then told, with the words of that moment."""
    life, kind = Life(), Kind.TRUNK
    life.look(0, seen(kind))
    life.look(9.9, seen(kind, Level.CRITICAL))
    life.look(9.95, None)
    assert (life.told, life.standing) == ([], None)
    life.look(20, seen(kind))
    life.look(30, seen(kind, Level.CRITICAL))
    assert life.told == [(30, Told.RAISED, Level.CRITICAL)]
    assert life.standing is not None
    assert life.standing.since_ms == 20_000


def test_a_breach_of_quality_is_over_when_its_guard_says_so():
    """It has a hysteresis of its own."""
    life = Life()
    life.look(0, seen(Kind.QUALITY))
    life.look(5, None)
    assert life.told == [(0, Told.RAISED, Level.WARNING), (5, Told.CLEARED, Level.WARNING)]


def test_what_goes_on_is_told_again_where_that_is_wanted():
    """Every so many seconds, counted from the last word."""
    life = Life(remind_s=60)
    for at in range(0, 130, 5):
        life.look(at, seen())
    assert [(at, told) for at, told, _ in life.told] == [
        (0, Told.RAISED), (60, Told.REMINDER), (120, Told.REMINDER),
    ]  # fmt: skip
    silent = Life()
    for at in range(0, 10_000, 500):
        silent.look(at, seen())
    assert len(silent.told) == 1


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"state":"raised"}', '{"state":"new","kind":"calls"}', "5", "x"])
def test_damage_by_hand_is_no_standing(text):
    """It is taken away, and what is so is told anew."""
    assert Standing.from_text(text) is None


def test_every_kind_has_its_row():
    """And its key names it."""
    assert set(KINDS) == set(Kind)
    assert Condition(Kind.QUALITY, "acme", Level.WARNING, "", part="asr").key == "quality:acme:asr"
    assert seen().key == "calls:acme"
