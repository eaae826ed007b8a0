"""The life of a worker, row by row."""

import pytest

from edge.workers.life import PAUSES_S, SETTLED_S, Deed, Event, Row, State, deaths_after, move, pause_s

ROWS = {
    (State.STARTING, Event.READY): Row(State.UP, Deed.NOTHING),
    (State.STARTING, Event.DIED): Row(State.RESTING, Deed.REST),
    (State.STARTING, Event.STOP): Row(State.STOPPING, Deed.WAIT),
    (State.UP, Event.DIED): Row(State.RESTING, Deed.REST),
    (State.UP, Event.STOP): Row(State.STOPPING, Deed.SIGNAL),
    (State.RESTING, Event.DUE): Row(State.STARTING, Deed.START),
    (State.RESTING, Event.STOP): Row(State.OVER, Deed.NOTHING),
    (State.STOPPING, Event.READY): Row(State.STOPPING, Deed.SIGNAL),
    (State.STOPPING, Event.DIED): Row(State.OVER, Deed.NOTHING),
    (State.STOPPING, Event.STOP): Row(State.STOPPING, Deed.SIGNAL),
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Event)
def test_every_row(state, event):
    """What has no row changes nothing. Signals reach only who has said that it serves: before that they would kill."""
    assert move(state, event) == ROWS.get((state, event), Row(state, Deed.NOTHING))


def test_the_first_start_again_is_at_once_and_then_ever_later():
    """Messages wait for one that had lived; one that dies at once again is not worth the processor."""
    assert [pause_s(deaths) for deaths in range(1, 9)] == [*PAUSES_S, PAUSES_S[-1]]


@pytest.mark.parametrize(
    ("deaths", "lived_s", "after"), [(0, 0.1, 1), (3, SETTLED_S - 1, 4), (3, SETTLED_S, 1), (0, SETTLED_S, 1)]
)
def test_one_that_has_lived_begins_to_count_anew(deaths, lived_s, after):
    """A death a day is no row of them."""
    assert deaths_after(deaths, lived_s=lived_s) == after
