"""The columns of the record and the page that tells of them."""

import re
from pathlib import Path

import pytest

from edge.cdr.record import COLUMNS, SCHEMA_VERSION, CallOutcome

PAGE = Path(__file__).parents[4] / "docs" / "cdr.md"
ROW = re.compile(r"^\| `(\w+)` \| ([^|]*) \| ([^|]*) \| (.*) \|$", re.MULTILINE)


def test_the_page_has_a_row_for_each_column_in_order():
    """docs/cdr.md tells name, type, unit and meaning of every column, word for word."""
    rows = [tuple(cell.strip() for cell in row) for row in ROW.findall(PAGE.read_text())]

    assert [(c.name, c.type, c.unit, c.meaning) for c in COLUMNS] == rows


def test_names_are_unique():
    """A reader may turn the record into a mapping."""
    assert len(COLUMNS) == len({column.name for column in COLUMNS})


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
def test_a_type_is_one_of_the_few(column):
    """Only types that the page explains."""
    assert column.type.removesuffix(" or null") in {"string", "integer", "boolean", "instant", "list"}


@pytest.mark.parametrize("outcome", CallOutcome)
def test_each_outcome_is_told_in_its_column(outcome):
    """The meaning of `outcome` lists its words."""
    meaning = next(column.meaning for column in COLUMNS if column.name == "outcome")

    assert f"`{outcome}`" in meaning


def test_the_page_names_the_version():
    """The page belongs to this schema version."""
    assert f"`v` is {SCHEMA_VERSION}" in PAGE.read_text()
