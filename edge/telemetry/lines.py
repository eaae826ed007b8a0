"""One line of a log, as a collector or a reader in a terminal takes it (I/O).

Imports the standard library and orjson. Own code and not a logging library: every process of an edge writes lines, and
each would pay a tenth of its start for the terminals, tracebacks and processors that such a library brings along.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import BinaryIO, Literal, TextIO

import orjson

Level = Literal["debug", "info", "warning", "error"]
Value = str | int | float
LEVELS: Mapping[str, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40}
Write = Callable[[Level, str, Mapping[str, Value]], None]
"""Level, event, fields. Raises OSError, ValueError where the stream takes no more, TypeError where a value is none."""

_COLOURS: Mapping[str, str] = {"debug": "\x1b[32m", "info": "\x1b[32m", "warning": "\x1b[33m", "error": "\x1b[31m"}
_BRIGHT, _DIM, _NAME, _VALUE, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[36m", "\x1b[35m", "\x1b[0m"
_EVENT_WIDTH = 30
_QUOTED = frozenset(" =\"'")


def lines_to(stream: TextIO, form: Literal["console", "json"], level: Level) -> Write:
    """What writes to this stream what is of this level at least."""
    least = LEVELS[level]
    write = _json_to(stream.buffer) if form == "json" else _console_to(stream)

    def write_at(level: Level, event: str, fields: Mapping[str, Value]) -> None:
        if LEVELS[level] >= least:
            write(level, event, fields)

    return write_at


def _at() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def _json_to(stream: BinaryIO) -> Write:
    def write(level: Level, event: str, fields: Mapping[str, Value]) -> None:
        line = orjson.dumps({"at": _at(), "level": level, "event": event, **fields}, option=orjson.OPT_APPEND_NEWLINE)
        stream.write(line)
        stream.flush()

    return write


def _console_to(stream: TextIO) -> Write:
    is_coloured = stream.isatty()

    def write(level: Level, event: str, fields: Mapping[str, Value]) -> None:
        shown = [(name, _shown(value)) for name, value in fields.items()]
        if is_coloured:
            told = " ".join([f"{_NAME}{name}{_PLAIN}={_VALUE}{value}{_PLAIN}" for name, value in shown])
            head = (
                f"{_DIM}{_at()}{_PLAIN} [{_COLOURS[level]}{level:<9}{_PLAIN}] {_BRIGHT}{event:<{_EVENT_WIDTH}}{_PLAIN}"
            )
        else:
            told = " ".join([f"{name}={value}" for name, value in shown])
            head = f"{_at()} [{level:<9}] {event:<{_EVENT_WIDTH}}"
        stream.write(f"{head} {told}".rstrip() + "\n")
        stream.flush()

    return write


def _shown(value: Value) -> str:
    """A text that could be taken for the next field stands in quotation marks; what would speak to the terminal itself
    (ESC, and all that cannot be printed) is written out."""
    text = str(value)
    return text if text and text.isprintable() and _QUOTED.isdisjoint(text) else repr(text)
