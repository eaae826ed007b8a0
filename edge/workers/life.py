"""The life of one worker as its supervisor sees it: a table, and what each row asks for. Pure.

A worker that dies is started again: at once where it had lived, since messages wait for it, and after growing pauses
where it dies again and again. While it rests, others do its work.
"""

from enum import StrEnum
from typing import NamedTuple

PAUSES_S = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""By deaths in a row before; the last one stays."""
SETTLED_S = 60.0
"""One that was up for so long begins to count anew."""


class State(StrEnum):
    """Where it is."""

    STARTING = "starting"
    UP = "up"
    RESTING = "resting"
    STOPPING = "stopping"
    OVER = "over"


class Event(StrEnum):
    """What happens to it."""

    READY = "ready"
    """It has said that it serves."""
    DIED = "died"
    """The process has ended."""
    DUE = "due"
    """Its pause is over."""
    STOP = "stop"
    """The edge stops."""


class Deed(StrEnum):
    """What the supervisor does."""

    START = "start"
    REST = "rest"
    """Start it again after the pause; meanwhile others do its work."""
    WAIT = "wait"
    """It knows no signals yet: they would kill it."""
    SIGNAL = "signal"
    """Have it drain and end."""
    NOTHING = "nothing"


class Row(NamedTuple):
    """What comes of an event."""

    next: State
    deed: Deed


_TABLE: dict[State, dict[Event, Row]] = {
    State.STARTING: {
        Event.READY: Row(State.UP, Deed.NOTHING),
        Event.DIED: Row(State.RESTING, Deed.REST),
        Event.STOP: Row(State.STOPPING, Deed.WAIT),
    },
    State.UP: {
        Event.DIED: Row(State.RESTING, Deed.REST),
        Event.STOP: Row(State.STOPPING, Deed.SIGNAL),
    },
    State.RESTING: {
        Event.DUE: Row(State.STARTING, Deed.START),
        Event.STOP: Row(State.OVER, Deed.NOTHING),
    },
    State.STOPPING: {
        Event.READY: Row(State.STOPPING, Deed.SIGNAL),
        Event.DIED: Row(State.OVER, Deed.NOTHING),
        Event.STOP: Row(State.STOPPING, Deed.SIGNAL),
    },
    State.OVER: {},
}


def move(state: State, event: Event) -> Row:
    """The row; what has none changes nothing."""
    return _TABLE[state].get(event, Row(state, Deed.NOTHING))


def pause_s(deaths: int) -> float:
    """How long it rests after so many deaths in a row, the latest included."""
    return PAUSES_S[min(max(deaths, 1), len(PAUSES_S)) - 1]


def deaths_after(deaths: int, *, lived_s: float) -> int:
    """Deaths in a row, one more of a worker that was up for so long."""
    return 1 if lived_s >= SETTLED_S else deaths + 1
