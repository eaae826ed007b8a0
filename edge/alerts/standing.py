"""The life of one alert as a table: not there, waiting to be told, told, going. Pure; time is passed in.

A level only rises until the alert is over: what goes from 95 % to 80 % and back is told once.
"""

from dataclasses import asdict, dataclass, replace
from enum import StrEnum

import orjson

from edge.alerts.kinds import KINDS, Kind, Level

WORDS_CHARS = 300


@dataclass(frozen=True, slots=True)
class Condition:
    """What is so just now."""

    kind: Kind
    subject: str
    """Account, `group:ID`, `trunk:ID`, trunk or node."""
    level: Level
    text: str
    """A sentence."""
    fields: tuple[tuple[str, int | float | str], ...] = ()
    part: str = ""
    """Where one subject may have several: the rule."""

    @property
    def key(self) -> str:
        """Names the alert."""
        return f"{self.kind}:{self.subject}" + (f":{self.part}" if self.part else "")


class State(StrEnum):
    """How it stands."""

    WAITING = "waiting"
    """So, but not for long enough to be told."""
    RAISED = "raised"
    GOING = "going"
    """Told, and not so any more, but not for long enough to be over."""


class Told(StrEnum):
    """What is told."""

    RAISED = "raised"
    WORSE = "worse"
    REMINDER = "reminder"
    CLEARED = "cleared"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Standing:
    """As the store keeps it. Instants are UTC milliseconds."""

    state: State
    kind: Kind
    subject: str
    part: str
    level: Level
    text: str
    since_ms: int
    """When it began."""
    changed_ms: int
    """When this state began."""
    told_ms: int = 0

    def to_text(self) -> str:
        """For the store."""
        return orjson.dumps(asdict(self), option=orjson.OPT_SORT_KEYS).decode()

    @staticmethod
    def from_text(text: str) -> "Standing | None":
        """None: there is none, or nothing of ours."""
        try:
            words = orjson.loads(text)
            return Standing(
                State(words["state"]),
                Kind(words["kind"]),
                str(words["subject"]),
                str(words["part"]),
                Level(words["level"]),
                str(words["text"]),
                int(words["since_ms"]),
                int(words["changed_ms"]),
                int(words["told_ms"]),
            )
        except (ValueError, KeyError, TypeError):
            return None


@dataclass(frozen=True, slots=True)
class Move:
    """Where it goes, and what is told of it."""

    to: Standing | None
    """None: it is at rest."""
    told: Told | None = None


def look(standing: Standing | None, seen: Condition | None, *, now_ms: int, remind_s: int = 0) -> Move | None:
    """What comes of a look; None: nothing changes. `seen` None: it is not so."""
    if standing is None:
        return None if seen is None else _begin(seen, now_ms)
    return _ROWS[standing.state](standing, seen, now_ms, remind_s)


def _begin(seen: Condition, now_ms: int) -> Move:
    waits = KINDS[seen.kind].hold_s > 0
    standing = Standing(
        State.WAITING if waits else State.RAISED,
        seen.kind,
        seen.subject,
        seen.part,
        seen.level,
        seen.text[:WORDS_CHARS],
        now_ms,
        now_ms,
        0 if waits else now_ms,
    )
    return Move(standing, None if waits else Told.RAISED)


def _waiting(standing: Standing, seen: Condition | None, now_ms: int, remind_s: int) -> Move | None:
    if seen is None:
        return Move(None)
    if now_ms - standing.since_ms < KINDS[standing.kind].hold_s * 1_000:
        return None
    raised = replace(_words(standing, seen), state=State.RAISED, changed_ms=now_ms, told_ms=now_ms)
    return Move(raised, Told.RAISED)


def _raised(standing: Standing, seen: Condition | None, now_ms: int, remind_s: int) -> Move | None:
    if seen is None:
        if KINDS[standing.kind].clear_s == 0:
            return Move(None, Told.CLEARED)
        return Move(replace(standing, state=State.GOING, changed_ms=now_ms))
    if seen.level is Level.CRITICAL and standing.level is Level.WARNING:
        return Move(replace(_words(standing, seen), told_ms=now_ms), Told.WORSE)
    if remind_s and now_ms - standing.told_ms >= remind_s * 1_000:
        return Move(replace(standing, text=seen.text[:WORDS_CHARS], told_ms=now_ms), Told.REMINDER)
    return None


def _going(standing: Standing, seen: Condition | None, now_ms: int, remind_s: int) -> Move | None:
    if seen is None:
        is_over = now_ms - standing.changed_ms >= KINDS[standing.kind].clear_s * 1_000
        return Move(None, Told.CLEARED) if is_over else None
    back = replace(standing, state=State.RAISED, changed_ms=now_ms)
    return _raised(back, seen, now_ms, remind_s) or Move(back)


def _words(standing: Standing, seen: Condition) -> Standing:
    return replace(standing, level=seen.level, text=seen.text[:WORDS_CHARS])


_ROWS = {State.WAITING: _waiting, State.RAISED: _raised, State.GOING: _going}
