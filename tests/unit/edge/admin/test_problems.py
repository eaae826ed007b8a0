"""edge/admin/problems.py: types of problem, and the field that is pointed at."""

from pathlib import Path

import pytest

from edge.admin.metrics import ROWS
from edge.admin.problems import KINDS, of_document, of_value
from edge.admin.shapes.accounts import AccountPatch
from edge.config.errors import Problem

PAGE = (Path(__file__).parents[4] / "docs" / "api.md").read_text()


def test_the_page_tells_every_problem():
    """docs/api.md has name, status, title and meaning, word for word."""
    rows = {f"| `{name}` | {kind.status} | {kind.title} | {kind.meaning} |" for name, kind in KINDS.items()}
    told = {line for line in PAGE.splitlines() if line.startswith("| `") and "/problems" not in line}
    assert set() == rows - told
    statuses = {line for line in told if line.split(" | ")[1].isdecimal()}
    assert rows == statuses


def test_the_page_tells_every_metric():
    """The same of the metrics of this process."""
    for row in ROWS:
        labels = ", ".join(f"`{label}`" for label in row.labels)
        assert f"| `{row.name}` | {row.type} | {labels} | {row.meaning} |" in PAGE


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("caps_base = 1000001: expected 0 to 1000000", "/caps_base"),
        ("--until 2x: expected a time", "/until"),
        ("floor: expected an amount", "/floor_micros"),
        ("reason: expected at most 500 printable characters", "/reason"),
        ("of 3 lots 4 cannot be taken away", ""),
        ("prefix_ceilings +33 calls = -1: expected", "/prefix_ceilings"),
    ],
)
def test_the_field_of_a_fault(text, pointer):
    """What the rooms below say begins with the name of the value."""
    (error,) = of_value(ValueError(text), AccountPatch.model_fields).errors
    assert pointer == error.pointer


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ("policy.toml: routes[2].trunks[0]", "/document/routes/2/trunks/0"),
        ("policy.toml: numbers", "/document/numbers"),
        ("policy.toml", "/document"),
        ("deck.csv:7: rate", "/files/deck.csv"),
        ("numbers.csv:3", "/files/numbers.csv"),
    ],
)
def test_the_place_of_a_fault_in_a_document(path, pointer):
    """A JSON pointer into the document as an object."""
    (error,) = of_document([Problem(path, "wrong")], below="").errors
    assert pointer == error.pointer
