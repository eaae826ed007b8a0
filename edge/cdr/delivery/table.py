"""The table of call detail records in PostgreSQL: its columns with real types, made from those of the record. Pure.

Instants are `timestamptz`, counts `bigint`, lists of words `text[]`; a list of pairs becomes two arrays of one length.
The record's columns only ever grow at the end, so does the table: `missing` says what an older one lacks.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from edge.cdr.delivery.consumer import Json
from edge.cdr.record import COLUMNS, ITEMS, Column

Cell = str | int | bool | None | list[str | int | None]
NUL_IN_ITS_PLACE = "�"
"""PostgreSQL's texts hold every character but NUL."""


class TableColumn(NamedTuple):
    """One column of the table."""

    name: str
    type: str
    source: str
    """Column of the record."""
    cell: Callable[[Json], Cell]


def _word(value: Json) -> Cell:
    return value.replace("\0", NUL_IN_ITS_PLACE) if isinstance(value, str) else None


def _number(value: Json) -> Cell:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _flag(value: Json) -> Cell:
    return value if isinstance(value, bool) else None


def _words(value: Json) -> Cell:
    if not isinstance(value, Sequence) or isinstance(value, str):
        return None
    return [str(item).replace("\0", NUL_IN_ITS_PLACE) for item in value]


def _numbers(value: Json) -> Cell:
    if not isinstance(value, Sequence) or isinstance(value, str):
        return None
    return [_whole(item) for item in value]


def _part(place: int) -> Callable[[Json], Cell]:
    def part(value: Json) -> Cell:
        if not isinstance(value, Sequence) or isinstance(value, str):
            return None
        found: list[str | int | None] = []
        for pair in value:
            item = pair[place] if isinstance(pair, Sequence) and len(pair) > place else None
            found.append(item.replace("\0", NUL_IN_ITS_PLACE) if isinstance(item, str) else _whole(item))
        return found

    return part


def _whole(value: Json) -> int | None:
    return value if isinstance(value, int) else None


_NAMES: dict[str, tuple[str, ...]] = {
    "candidates": ("candidates", "candidate_statuses"),
    "tries": ("tries_sent_at", "tries_ended_at"),
    "headers": ("headers", "header_values"),
}
"""Column of the record -> the columns of the parts of its pairs."""
_ARRAYS = {"string": "text[]", "integer": "integer[]", "instant": "timestamptz[]"}
_PLAIN: dict[str, tuple[str, Callable[[Json], Cell]]] = {
    "string": ("text", _word),
    "integer": ("bigint", _number),
    "boolean": ("boolean", _flag),
    "instant": ("timestamptz", _word),
    "list": ("text[]", _words),
}


def table_columns(columns: Iterable[Column] = COLUMNS) -> tuple[TableColumn, ...]:
    """The table of a record with these columns."""
    found: list[TableColumn] = []
    for column in columns:
        kinds = [_ARRAYS[kind.removesuffix(" or null")] for _, kind in ITEMS.get(column.name, ())]
        if len(kinds) > 1:
            for place, (name, kind) in enumerate(zip(_NAMES[column.name], kinds, strict=True)):
                found.append(TableColumn(name, kind, column.name, _part(place)))
        elif kinds:
            found.append(TableColumn(column.name, kinds[0], column.name, _numbers))
        else:
            kind, cell = _PLAIN[column.type.removesuffix(" or null")]
            found.append(TableColumn(column.name, kind, column.name, cell))
    return tuple(found)


def missing(columns: Sequence[TableColumn], present: Iterable[str]) -> list[TableColumn]:
    """What a table with these columns lacks."""
    names = set(present)
    return [column for column in columns if column.name not in names]


def month_of(instant: str) -> str:
    """`YYYY-MM` of an instant as a record has it. Raises ValueError."""
    return datetime.fromisoformat(instant).strftime("%Y-%m")


def month_bounds(month: str) -> tuple[str, str]:
    """First instant of the month and of the next one, UTC."""
    year, number = int(month[:4]), int(month[5:])
    following = f"{year + number // 12}-{number % 12 + 1:02d}"
    return f"{month}-01 00:00:00+00", f"{following}-01 00:00:00+00"
