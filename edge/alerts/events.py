"""What a webhook gets: one JSON object for each thing that is told. Pure; docs/alerts.md tells each member."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import orjson

from edge.alerts.kinds import Kind, Level
from edge.alerts.standing import Condition, Standing, Told

VERSION = 1
Value = int | float | str


class AlertEvent(NamedTuple):
    """One event."""

    v: int
    id: str
    """Of this event: the same on every try."""
    event: str
    """`raised`, `worse`, `reminder`, `cleared` or `test`."""
    alert: str
    """Of the alert: what clears it has the same."""
    kind: str
    level: str
    subject: str
    text: str
    """A sentence for people."""
    at_ms: int
    since_ms: int
    """When the alert began."""
    node: str
    """Who told it."""
    fields: Mapping[str, Value]

    def to_text(self) -> str:
        """JSON on one line."""
        return orjson.dumps(self._asdict()).decode()


def event_of(
    told: Told, standing: Standing, seen: Condition | None, *, key: str, node: str, now_ms: int, id_: str
) -> AlertEvent:
    """What is told of a move."""
    text = f"over: {standing.text}" if told is Told.CLEARED else standing.text
    return AlertEvent(
        VERSION, id_, told, key, standing.kind, standing.level, standing.subject, text, now_ms, standing.since_ms,
        node, {} if seen is None else dict(seen.fields),
    )  # fmt: skip


def trial_event(*, node: str, by: str, now_ms: int, id_: str) -> AlertEvent:
    """What `edge alerts test` sends."""
    text = f"a test by {by}: nothing is wrong"
    return AlertEvent(VERSION, id_, Told.TEST, "test", Kind.NODE, Level.WARNING, node, text, now_ms, now_ms, node, {})


class Wanted(NamedTuple):
    """What a webhook is told of."""

    kinds: tuple[str, ...] = ()
    """Empty: all."""
    least: Literal["warning", "critical"] = "warning"

    def takes(self, event: Mapping[str, object]) -> bool:
        """Is this one for it? The end of what it was told, or may have been told, is."""
        if self.kinds and event.get("kind") not in self.kinds:
            return False
        return self.least == "warning" or event.get("level") == "critical"
