"""edge.cdr.delivery.table"""

import pytest

from edge.cdr.delivery.table import missing, month_bounds, month_of, table_columns
from edge.cdr.record import COLUMNS, Column


def test_every_column_of_the_record_is_in_the_table():
    """In their order; a list of pairs makes two columns."""
    columns = table_columns()
    assert [column.name for column in COLUMNS] == list(dict.fromkeys(column.source for column in columns))
    names = [column.name for column in columns]
    assert len(set(names)) == len(names)
    kinds = {column.name: column.type for column in columns}
    assert ("bigint", "text", "boolean", "timestamptz", "text[]") == tuple(
        kinds[name] for name in ("seq", "uid", "emergency", "answered_at", "shadowed")
    )
    assert ("text[]", "integer[]") == (kinds["candidates"], kinds["candidate_statuses"])
    assert ("timestamptz[]", "timestamptz[]") == (kinds["tries_sent_at"], kinds["tries_ended_at"])


@pytest.mark.parametrize(
    ("name", "value", "cells"),
    [
        ("uid", "u", ["u"]),
        ("call_id", "a\0b", ["a�b"]),
        ("seq", 7, [7]),
        ("seq", None, [None]),
        ("emergency", True, [True]),
        ("answered_at", None, [None]),
        ("answered_at", "2026-07-01T12:00:00.000001Z", ["2026-07-01T12:00:00.000001Z"]),
        ("shadowed", ["caps", "x\0"], [["caps", "x�"]]),
        ("shadowed", None, [None]),
        ("candidates", [["out", 503], ["other", 200]], [["out", "other"], [503, 200]]),
        ("candidates", [], [[], []]),
        ("tries", [[None, "2026-07-01T12:00:00.000001Z"]], [[None], ["2026-07-01T12:00:00.000001Z"]]),
        ("tries", "nonsense", [None, None]),
        ("headers", [["privacy", "id"], ["diversion", "a\0"]], [["privacy", "diversion"], ["id", "a�"]]),
        ("candidate_causes", [17, 0], [[17, 0]]),
    ],
)
def test_a_value_becomes_what_the_column_holds(name, value, cells):
    """What a record of an older edge does not have is null."""
    assert cells == [column.cell(value) for column in table_columns() if column.source == name]


def test_what_an_older_table_lacks_is_known():
    """New columns come at the end of the record, and are added to the table."""
    old = table_columns(COLUMNS[:-2])
    grown = table_columns((*COLUMNS, Column("moon", "integer", "", "its phase")))
    assert ["moon"] == [c.name for c in missing(grown, [c.name for c in table_columns()])]
    assert [c.name for c in COLUMNS[-2:]] == [c.name for c in missing(table_columns(), [c.name for c in old])]


@pytest.mark.parametrize(
    ("instant", "month", "bounds"),
    [
        ("2026-07-31T23:59:59.999999Z", "2026-07", ("2026-07-01 00:00:00+00", "2026-08-01 00:00:00+00")),
        ("2026-12-01T00:00:00.000001Z", "2026-12", ("2026-12-01 00:00:00+00", "2027-01-01 00:00:00+00")),
    ],
)
def test_a_month_is_a_partition(instant, month, bounds):
    """Of UTC, from its first instant to that of the next."""
    assert (month, bounds) == (month_of(instant), month_bounds(month))
