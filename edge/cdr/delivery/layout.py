"""Records as lines of a file: JSON lines as they stand in the log, CSV after RFC 4180. Pure; standard library, orjson.

CSV: `true` and `false`, an empty field for what did not happen, lists as JSON text, lines end with CR LF. Texts stand
as they came, quoted where they must be: a reader that takes a field for a formula must be told not to.
"""

import csv
import io
from collections.abc import Sequence
from typing import Protocol

import orjson

from edge.cdr.delivery.consumer import Entry, Json


class Layout(Protocol):
    """How records stand in a file."""

    suffix: str
    header: bytes
    """First line of every file; empty: none."""

    def rows(self, entries: Sequence[Entry]) -> bytes:
        """Their lines."""


class JsonLines:
    """The bytes of the log."""

    suffix = "jsonl"
    header = b""

    def rows(self, entries: Sequence[Entry]) -> bytes:
        """Joined."""
        return b"".join([entry.line for entry in entries])


class Csv:
    """Chosen columns in their order."""

    suffix = "csv"

    def __init__(self, columns: Sequence[str], *, delimiter: str = ",", has_header: bool = True) -> None:
        self._columns = tuple(columns)
        self._delimiter = delimiter
        self.header = self._lines([list(columns)]) if has_header else b""

    def rows(self, entries: Sequence[Entry]) -> bytes:
        """One line each."""
        columns = self._columns
        records = [entry.record for entry in entries]
        return self._lines([[field(record.get(column)) for column in columns] for record in records])

    def _lines(self, rows: list[list[str]]) -> bytes:
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=self._delimiter, lineterminator="\r\n").writerows(rows)
        return text.getvalue().encode()


def field(value: Json) -> str:
    """One value as CSV has it, before quoting."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return orjson.dumps(value).decode()
