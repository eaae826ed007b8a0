"""edge.alerts.events: what a webhook gets, and which of it."""

import json

import pytest

from edge.alerts.events import Wanted, event_of, trial_event
from edge.alerts.kinds import Kind, Level
from edge.alerts.standing import Condition, Standing, State, Told

STANDING = Standing(State.RAISED, Kind.CALLS, "acme", "", Level.WARNING, "acme holds 8 of 10", 1_000, 2_000, 2_000)


def test_an_event_has_all_that_a_program_needs():
    """What raised it, since when, and the numbers."""
    seen = Condition(Kind.CALLS, "acme", Level.WARNING, "x", (("percent", 80),))
    event = event_of(Told.RAISED, STANDING, seen, key="calls:acme", node="n1", now_ms=3_000, id_="ab")
    assert json.loads(event.to_text()) == {
        "v": 1, "id": "ab", "event": "raised", "alert": "calls:acme", "kind": "calls", "level": "warning",
        "subject": "acme", "text": "acme holds 8 of 10", "at_ms": 3_000, "since_ms": 1_000, "node": "n1",
        "fields": {"percent": 80},
    }  # fmt: skip


def test_the_end_names_what_is_over():
    """With the key that raised it."""
    event = event_of(Told.CLEARED, STANDING, None, key="calls:acme", node="n1", now_ms=3_000, id_="ab")
    assert (event.text, event.alert, event.fields) == ("over: acme holds 8 of 10", "calls:acme", {})


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(), True),
        (Wanted(("calls", "node")), True),
        (Wanted(("node",)), False),
        (Wanted((), "critical"), False),
    ],
)
def test_a_webhook_gets_what_it_wants(wanted: Wanted, expected: bool):
    """By kind and by level."""
    event = event_of(Told.RAISED, STANDING, None, key="calls:acme", node="n1", now_ms=0, id_="ab")
    assert wanted.takes(event._asdict()) is expected
    assert wanted.takes({**event._asdict(), "level": "critical"}) is (expected or wanted.least == "critical")


def test_a_test_says_that_it_is_one():
    """Nobody is to get up for it."""
    event = trial_event(node="n1", by="ops", now_ms=5, id_="ab")
    assert (event.event, event.level, event.text) == ("test", "warning", "a test by ops: nothing is wrong")
