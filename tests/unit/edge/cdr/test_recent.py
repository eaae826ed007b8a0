"""The newest records of a log: attempts whose INVITE may come again."""

from datetime import UTC, datetime

from edge.cdr.builder import CdrBuilder
from edge.cdr.recent import Recent, recent
from edge.cdr.writer import CdrWriter
from edge.proxy.ended import KEPT_S
from edge.proxy.facts import CallFacts

WALL = datetime(2026, 11, 26, 12, tzinfo=UTC).timestamp()


def test_those_of_the_last_seconds_the_oldest_first(tmp_path):
    """With the status that was told and the instant of the end; over segments."""
    writer = CdrWriter(tmp_path, wall0=WALL, mono0=0.0, tell=lambda fact: None, segment_bytes=2_000)
    builder = CdrBuilder("n1", wall0=WALL, mono0=0.0)
    for number in range(60):
        facts = CallFacts(f"u{number}", float(number))
        facts.released_at, facts.status = number + 0.5, 486
        writer.append(builder.line(facts, writer.take_seq()))
        writer.flush(0.0)
    writer.close(0.0)
    assert len(list(tmp_path.glob("cdr-*"))) > 10
    now = WALL + 60
    found = recent(tmp_path, now)
    assert [one.uid for one in found] == [f"u{number}" for number in range(int(60 - KEPT_S), 60)]
    assert found[-1] == Recent("u59", 486, WALL + 59.5)
    assert recent(tmp_path, now + KEPT_S) == []


def test_one_that_was_lost_hides_nobody(tmp_path):
    """It is written when it is found, which may be long after it ended."""
    writer = CdrWriter(tmp_path, wall0=WALL, mono0=0.0, tell=lambda fact: None)
    builder = CdrBuilder("n1", wall0=WALL, mono0=0.0)
    for uid, released_at, lost in (
        ("old", 0.0, False),
        ("young", 99.0, False),
        ("found", 1.0, True),
        ("last", 99.5, False),
    ):
        facts = CallFacts(uid, released_at)
        facts.released_at, facts.lost = released_at, lost
        writer.append(builder.line(facts, writer.take_seq()))
    writer.close(0.0)
    assert [one.uid for one in recent(tmp_path, WALL + 100)] == ["young", "last"]
