"""Lines of a log: for a collector, for a terminal, and for a file that is read without one."""

import io
import json
import re

import pytest

from edge.telemetry.lines import lines_to

INSTANT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"


class Stream(io.TextIOWrapper):
    """A stream in memory that can be read back, a terminal or not."""

    def __init__(self, *, is_terminal: bool = False) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8")
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal

    def text(self) -> str:
        return self.buffer.getvalue().decode()


def test_a_json_line_has_when_how_bad_what_and_the_fields():
    """One object a line, at once in the stream."""
    stream = Stream()
    lines_to(stream, "json", "info")("warning", "trunk.health", {"trunk": "a", "status": 503})
    line = json.loads(stream.text())

    assert list(line) == ["at", "level", "event", "trunk", "status"]
    assert re.fullmatch(INSTANT, line["at"])
    assert (line["level"], line["event"], line["trunk"], line["status"]) == ("warning", "trunk.health", "a", 503)
    assert stream.text().endswith("}\n")


def test_a_line_for_a_reader():
    """In columns, as far as there are any."""
    stream = Stream()
    write = lines_to(stream, "console", "info")
    write("info", "edge.started", {"node": "a", "listeners": 1})
    write("error", "store.away", {})
    first, second = stream.text().splitlines()

    assert re.fullmatch(rf"{INSTANT} \[info     \] edge\.started {{19}}node=a listeners=1", first)
    assert re.fullmatch(rf"{INSTANT} \[error    \] store\.away", second)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a b", "'a b'"), ("a=b", "'a=b'"), ("it's", '"it\'s"'), ("", "''"), ("plain", "plain"), (3, "3"), (0.5, "0.5"),
        ("a\nb", "'a\\nb'"), ("a\tb", "'a\\tb'"), ("\x1b[2J", "'\\x1b[2J'"), ("\x9b2J", "'\\x9b2J'"), ("é", "é"),
        ("\u202e", "'\\u202e'"), ("\udc80", "'\\udc80'"),
    ],
)  # fmt: skip
def test_a_text_that_could_be_the_next_field_is_quoted(value, shown):
    """A value cannot pass for a field of its own."""
    stream = Stream()
    lines_to(stream, "console", "info")("info", "x.y", {"why": value, "z": 1})

    assert stream.text().endswith(f" why={shown} z=1\n")


def test_a_terminal_gets_colours():
    """The level and the names stand out; taken away, it is the same line."""
    stream = Stream(is_terminal=True)
    lines_to(stream, "console", "info")("error", "store.away", {"why": "deadline"})
    plain = re.sub(r"\x1b\[\d+m", "", stream.text())

    assert "\x1b[31merror" in stream.text()
    assert re.fullmatch(rf"{INSTANT} \[error    \] store\.away {{21}}why=deadline\n", plain)


@pytest.mark.parametrize("form", ["json", "console"])
def test_what_is_less_than_the_level_is_not_written(form):
    """The level itself is."""
    stream = Stream()
    write = lines_to(stream, form, "warning")
    write("info", "a.b", {})
    write("warning", "c.d", {})

    assert stream.text().count("\n") == 1
    assert "c.d" in stream.text()


def test_what_cannot_be_written_is_an_error():
    """The owner counts it: the stream is gone, or the value is none that a line holds."""
    stream = Stream()
    write = lines_to(stream, "json", "info")
    with pytest.raises(TypeError):
        write("info", "a.b", {"why": object()})
    stream.close()
    with pytest.raises(ValueError, match=r"detached|closed"):
        write("info", "a.b", {})
