"""The life of a breach as a table: found, acted on, rested, probed, over. Pure.

A breach is found on the rolling hour. Where the rule only notifies, it is over once the hour is good by the margin
(hysteresis). Where the rule restricts, nobody is judged while the restriction rests: then the door is half open, for
as long again, and only calls since then are judged; bad ones restrict again, good ones or too few to tell end it.
"""

from enum import StrEnum
from typing import NamedTuple

from edge.quality.rules import Judgement, Rule

AUTHOR = "quality guard"
"""Who changed an account, in its history, where a rule restricts it."""


class State(StrEnum):
    """Of one rule for one holder."""

    NORMAL = "normal"
    BREACHED = "breached"
    """Told; nothing is restricted."""
    RESTING = "resting"
    """Restricted, not judged."""
    PROBING = "probing"
    """Half open: restricted, and judged by the calls since it began."""


class Input(StrEnum):
    """What a look found."""

    BAD = "bad"
    BETWEEN = "between"
    GOOD = "good"
    THIN = "thin"
    IDLE = "idle"
    """No sample at all in the window."""
    TIME_OVER = "time_over"
    """The instant the state was to last until has passed."""


class Effect(StrEnum):
    """What is to be done by whoever moved the state."""

    TELL_BREACH = "tell_breach"
    TELL_PROBING = "tell_probing"
    TELL_RECOVERED = "tell_recovered"
    RESTRICT = "restrict"
    HALF_OPEN = "half_open"


class Row(NamedTuple):
    """Effects and the next state."""

    effects: tuple[Effect, ...]
    next: State


_BREACH = Row((Effect.TELL_BREACH,), State.BREACHED)
_RESTRICT = Row((Effect.TELL_BREACH, Effect.RESTRICT), State.RESTING)
_OVER = Row((Effect.TELL_RECOVERED,), State.NORMAL)

NOTIFYING: dict[State, dict[Input, Row]] = {
    State.NORMAL: {Input.BAD: _BREACH},
    State.BREACHED: {Input.GOOD: _OVER, Input.IDLE: _OVER},
    # The rule restricted before the policy was changed.
    State.RESTING: {Input.TIME_OVER: _OVER},
    State.PROBING: {Input.TIME_OVER: _OVER, Input.GOOD: _OVER, Input.BAD: _BREACH},
}
RESTRICTING: dict[State, dict[Input, Row]] = {
    State.NORMAL: {Input.BAD: _RESTRICT},
    # The rule only notified before the policy was changed.
    State.BREACHED: {Input.BAD: _RESTRICT, Input.GOOD: _OVER, Input.IDLE: _OVER},
    State.RESTING: {Input.TIME_OVER: Row((Effect.TELL_PROBING, Effect.HALF_OPEN), State.PROBING)},
    State.PROBING: {Input.BAD: _RESTRICT, Input.GOOD: _OVER, Input.TIME_OVER: _OVER},
}
"""Inputs that are not in a state's row are absorbed."""


class Standing(NamedTuple):
    """A state, since when and until when (UTC seconds; 0: no end), as the store keeps it in one text."""

    state: State = State.NORMAL
    since_s: int = 0
    until_s: int = 0

    @classmethod
    def from_text(cls, text: str) -> "Standing":
        """What is not readable counts as normal."""
        words = text.split()
        try:
            return cls(State(words[0]), int(words[1]), int(words[2]))
        except (IndexError, ValueError):
            return cls()

    def to_text(self) -> str:
        """Empty where nothing is to be kept."""
        return "" if self.state is State.NORMAL else f"{self.state} {self.since_s} {self.until_s}"


class Move(NamedTuple):
    """What a look leads to."""

    to: Standing
    effects: tuple[Effect, ...]


def look(rule: Rule, standing: Standing, judgement: Judgement, *, amount: int, now_s: int) -> Move | None:
    """What follows from this judgement of `amount` samples; None: nothing."""
    row = _row(rule, standing, judgement, amount, now_s)
    if row is None:
        return None
    until = now_s + rule.rest_s if row.next in (State.RESTING, State.PROBING) else 0
    return Move(Standing(row.next, now_s, until), row.effects)


def _row(rule: Rule, standing: Standing, judgement: Judgement, amount: int, now_s: int) -> Row | None:
    rows = (NOTIFYING if rule.action == "notify" else RESTRICTING)[standing.state]
    found = rows.get(Input.IDLE if amount == 0 else Input(judgement))
    if found is None and standing.until_s and now_s >= standing.until_s:
        found = rows.get(Input.TIME_OVER)
    return found
