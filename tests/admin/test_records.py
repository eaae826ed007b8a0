"""`edge.cdr.search` over real segments: what is found, in which order, and where a bounded look goes on."""

from pathlib import Path

import pytest

from edge.cdr.builder import CdrBuilder
from edge.cdr.picking import Picked
from edge.cdr.search import Wanted, search
from edge.cdr.writer import CdrWriter
from edge.proxy.facts import CallFacts

WALL0 = 1_782_900_000.0
DAY = 86_400.0
CALLS = 30


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Three days, a segment each, ten calls a day."""
    builder = CdrBuilder("n1", wall0=WALL0, mono0=0.0)
    writer = CdrWriter(tmp_path / "cdr", wall0=WALL0, mono0=0.0, tell=lambda fact: None)
    for number in range(CALLS):
        at = number // 10 * DAY + number
        facts = CallFacts(f"call-{number}", at)
        facts.account, facts.call_id = ("acme", "robo")[number % 2], f"id-{number}@pbx"
        facts.cli_presented, facts.called = f"+3361234{number:04}", "+33170000001"
        facts.released_at = at + 1
        facts.end(200, "answered", 16, "ingress")
        writer.append(builder.line(facts, writer.take_seq()))
        writer.flush(at + 1)
    writer.close(3 * DAY)
    return tmp_path / "cdr"


def found(log: Path, wanted: Wanted, **given: int) -> list[str]:
    return [entry.uid for entry in search(log, wanted, limit=given.pop("limit", 100), **given).entries]


ALL = Wanted(Picked())


def test_the_newest_come_first(log):
    """Every record once, over all segments."""
    assert [f"call-{number}" for number in reversed(range(CALLS))] == found(log, ALL)


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (Wanted(Picked(), uid="call-7"), [7]),
        (Wanted(Picked(), call_id="id-21@pbx"), [21]),
        (Wanted(Picked(), number="06 12 34 00 03"), [3]),
        (Wanted(Picked(), number="+33612340003"), [3]),
        (Wanted(Picked(accounts=frozenset(["robo"])), number="+33612340003"), [3]),
        (Wanted(Picked(accounts=frozenset(["acme"])), number="+33612340003"), []),
        (Wanted(Picked(), uid="call-7", scope=("acme",)), []),
        (Wanted(Picked(), trunk="nowhere"), []),
        (Wanted(Picked(), uid="call-"), []),
    ],
)
def test_what_is_looked_for(log, wanted, numbers):
    """All conditions hold at once."""
    assert [f"call-{number}" for number in numbers] == found(log, wanted)


@pytest.mark.parametrize("limit", [1, 7, 10, 100])
@pytest.mark.parametrize("most_bytes", [1, 1 << 30])
def test_pages_are_the_whole(log, limit, most_bytes):
    """Read page by page, in whatever bounds, each record comes once; a look that found nothing says where to go on."""
    seen, before, looks = [], None, 0
    wanted = Wanted(Picked(accounts=frozenset(["robo"])))
    while True:
        page = search(log, wanted, limit=limit, before=before, most_bytes=most_bytes)
        seen += [entry.uid for entry in page.entries]
        looks += 1
        assert looks < 100
        if page.before is None:
            break
        assert before is None or page.before < before
        before = page.before
    assert [f"call-{number}" for number in reversed(range(1, CALLS, 2))] == seen
