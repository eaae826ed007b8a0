"""Facts become lines: limited, bounded, masked, and never an exception."""

import io
import json
import logging
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.proxy.facts import Fact
from edge.telemetry.lines import lines_to
from edge.telemetry.logs import (
    FACTS,
    LINES_PER_S,
    MAX_TEXT_CHARS,
    FactLog,
    LibraryHandler,
    mask,
    presentable,
)

ROOT = Path(__file__).parents[4]
ROW = re.compile(r"^\| `([a-z]+\.[a-z_]+)` \| (\w+) \| (yes)? ?\| (.*) \|$", re.MULTILINE)
TOLD = re.compile(r"(?:Fact|tell)\(\s*\"([a-z]+\.[a-z_]+)\"")


class Stream(io.TextIOWrapper):
    """A stream in memory that can be read back."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), write_through=True)

    def text(self) -> str:
        return self.buffer.getvalue().decode()  # type of buffer: BytesIO

    def lines(self) -> list[dict]:
        return [json.loads(line) for line in self.text().splitlines()]


@pytest.fixture
def stream() -> Stream:
    return Stream()


@pytest.fixture
def log(stream) -> FactLog:
    return FactLog(lines_to(stream, "json", "info"))


def test_the_page_has_a_row_for_each_fact_in_order():
    """docs/metrics.md tells event, level, limit and meaning, word for word."""
    rows = [(name, level, bool(limited), meaning) for name, level, limited, meaning in ROW.findall(_page())]

    assert [tuple(row) for row in FACTS] == rows


def _page() -> str:
    return (ROOT / "docs" / "metrics.md").read_text()


def test_every_fact_that_is_told_has_its_row():
    """Nothing is told that the operator cannot look up."""
    told = {name for path in (ROOT / "edge").rglob("*.py") for name in TOLD.findall(path.read_text())}

    assert told - {row.name for row in FACTS} == set()


def test_a_line_in_order(log, stream):
    """When, how bad, what, then the fields as they were told."""
    log.tell(Fact("store.away", {"why": "deadline", "accounts": 3}), 0.0)
    line = stream.lines()[0]

    assert list(line) == ["at", "level", "event", "why", "accounts"]
    assert (line["level"], line["event"], line["accounts"]) == ("error", "store.away", 3)


def test_a_console_line_is_for_a_reader(stream):
    """No JSON in a terminal, no colours where there is none."""
    FactLog(lines_to(stream, "console", "info")).tell(Fact("store.up", {"why": "reconnected"}), 0.0)

    assert "store.up" in stream.text()
    assert "why=reconnected" in stream.text()
    assert "\x1b" not in stream.text()


def test_a_level_holds_back_what_is_less(stream):
    """log_level is the least important one that is written."""
    log = FactLog(lines_to(stream, "json", "error"))
    log.tell(Fact("store.up", {}), 0.0)
    log.tell(Fact("store.away", {}), 0.0)

    assert [line["event"] for line in stream.lines()] == ["store.away"]


def test_a_hostile_fact_is_limited_and_the_rest_is_told(log, stream):
    """Ten lines of a second, then the number of those held back."""
    for _ in range(LINES_PER_S + 5):
        log.tell(Fact("message.malformed", {}), 0.5)
    log.tell(Fact("message.malformed", {}), 1.6)
    lines = stream.lines()

    assert [line["event"] for line in lines] == ["message.malformed"] * 10 + ["log.suppressed", "message.malformed"]
    assert (lines[10]["fact"], lines[10]["lines"], log.suppressed) == ("message.malformed", 5, 5)


def test_held_back_lines_are_told_when_the_storm_is_over(log, stream):
    """The number does not wait for the next line of that name, and is told once."""
    for _ in range(LINES_PER_S + 1):
        log.tell(Fact("message.malformed", {}), 0.0)
    log.tell_suppressed(0.5)
    assert len(stream.lines()) == LINES_PER_S

    log.tell_suppressed(1.0)
    log.tell_suppressed(2.0)
    assert [line["event"] for line in stream.lines()[LINES_PER_S:]] == ["log.suppressed"]


def test_each_name_has_its_own_share(log, stream):
    """A storm of one fact hides no other, and what only we cause is not limited."""
    for _ in range(LINES_PER_S * 2):
        log.tell(Fact("message.malformed", {}), 0.0)
        log.tell(Fact("cdr.failing", {}), 0.0)
    log.tell(Fact("trunk.failed_over", {}), 0.0)
    events = [line["event"] for line in stream.lines()]

    assert (events.count("message.malformed"), events.count("cdr.failing")) == (LINES_PER_S, LINES_PER_S * 2)
    assert events.count("trunk.failed_over") == 1


def test_a_fact_without_a_row_is_told_and_limited(log, stream):
    """A missing row must not cost the line, nor open a flood gate."""
    for _ in range(LINES_PER_S * 2):
        log.tell(Fact("new.thing", {}), 0.0)

    assert len(stream.lines()) == LINES_PER_S


@pytest.mark.parametrize(
    ("number", "expected"),
    [("+33612345678", "…5678"), ("0612345678", "…5678"), ("12345678", "…78"), ("112", "…12"), ("", "…")],
)
def test_a_number_shows_its_end_only(number, expected):
    """Enough to find the CDR, too little to call back."""
    assert mask(number) == expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("called", "+33612345678", "…5678"),
        ("cli_original", "", ""),
        ("source", "192.0.2.1:5060", "192.0.2.1:5060"),
        ("fault", "a\r\nb\x1b[31m", "a\\r\\nb\\x1b[31m"),
        ("fault", "x" * 300, "x" * MAX_TEXT_CHARS + "…"),
        ("trace", "x" * 300, "x" * 300),
        ("status", 503, 503),
        ("status", 2**64, "0x10000000000000000"),
    ],
)
def test_a_value_is_made_presentable(name, value, expected):
    """Masked, bounded, free of what a terminal would obey."""
    assert presentable(name, value) == expected


@given(
    st.dictionaries(
        st.sampled_from(["source", "fault", "at", "level", "event", "exc_info", "stack_info", "cli_original"]),
        st.text(st.characters()) | st.integers() | st.floats(),
    ),
    st.sampled_from(["json", "console"]),
)
def test_no_value_breaks_a_line(fields, form):
    """Whatever a stranger put there: one line, no exception, and no column of ours replaced."""
    stream = Stream()
    log = FactLog(lines_to(stream, form, "info"))
    log.tell(Fact("message.malformed", fields), 0.0)

    assert stream.text().count("\n") == 1
    assert "message.malformed" in stream.text()
    assert log.lost == 0


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_stream_that_is_gone_costs_lines_only(form):
    """A closed pipe is counted, never raised into the road of a call."""
    stream = Stream()
    log = FactLog(lines_to(stream, form, "info"))
    stream.close()
    log.tell(Fact("store.away", {}), 0.0)

    assert log.lost == 1


def test_lines_of_libraries_join_ours(log, stream):
    """The event loop's complaint about an exception names its type and the way to it."""
    library = logging.Logger("asyncio")
    library.addHandler(LibraryHandler(log))
    try:
        raise KeyError("nobody")
    except KeyError:
        library.exception("in %s", "callback")
    library.info("chatter")
    library.error("%d", "not a number")
    first, second = stream.lines()

    assert (first["event"], first["logger"], first["text"]) == ("python.log", "asyncio", "in callback")
    assert first["error"] == "KeyError: 'nobody'"
    assert "test_logs.py" in first["trace"]
    assert second["text"] == "%d"
