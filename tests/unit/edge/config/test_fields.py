"""Sections of what an operator writes, as they are where nothing is written of them."""

import pytest

from edge.config import schema as schema
from edge.config import static as static
from edge.config.fields import Section


def _sections(kind: type[Section] = Section) -> list[type[Section]]:
    return [one for sub in kind.__subclasses__() for one in (sub, *_sections(sub))]


OPTIONAL = sorted(
    {one for one in _sections() if not any(field.is_required() for field in one.model_fields.values())},
    key=lambda one: one.__qualname__,
)


def test_there_are_such_sections():
    """Those of both files."""
    assert {"AlertSettings", "Calling", "Quality", "Digest"} <= {one.__name__ for one in OPTIONAL}


@pytest.mark.parametrize("section", OPTIONAL, ids=lambda one: one.__name__)
def test_what_is_not_written_is_as_if_it_were_empty(section):
    """Defaults are not checked when a process starts: each is what the check would make of an empty section."""
    try:
        read = section.model_validate({})
    except ValueError:
        return  # it cannot be empty, so nothing takes it as a default
    assert section.unwritten() == read
    assert section.unwritten().model_dump() == read.model_dump()
