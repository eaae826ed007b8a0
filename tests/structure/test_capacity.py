"""docs/capacity.md: its examples are what the command prints, its figures are those of the code."""

import re
import shlex

import pytest
from typer.testing import CliRunner

from edge.capacity.view import constants_table
from edge.commands import app


@pytest.fixture
def page(root):
    return (root / "docs" / "capacity.md").read_text()


def test_the_examples_are_what_the_command_prints(page):
    """Line for line."""
    found = re.findall(r"```\n\$ edge (capacity [^\n]*)\n(.*?)\n```", page, re.DOTALL)
    assert len(found) == 2
    for words, printed in found:
        result = CliRunner().invoke(app, shlex.split(words))
        assert (words, result.output.rstrip("\n")) == (words, printed)


def test_the_figures_are_those_of_the_code(page):
    """The whole table, in its order."""
    assert "\n".join(constants_table()) in page
