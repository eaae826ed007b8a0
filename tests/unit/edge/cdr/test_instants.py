"""Instants as text: what the short road writes is what `datetime` makes of them."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge.cdr.instants import Instants


@given(st.floats(0.0, 4e6))
@example(1 / 128)  # half a microsecond beyond an even one
@example(3 / 128)  # and beyond an odd one
@example(0.0)
@example(0.9999999)
def test_the_text_is_that_of_the_moment(at: float) -> None:
    """To the microsecond, those rounded that lie between two; never without a fraction."""
    instants = Instants(1.7e9)

    assert instants.text(at) == f'"{instants.moment(at).isoformat(timespec="microseconds")[:26]}Z"'


@pytest.mark.parametrize(("at", "text"), [(None, "null"), (0.25, '"2023-11-14T22:13:20.250000Z"')])
def test_what_readers_see(at: float | None, text: str) -> None:
    """A JSON string in UTC, or null."""
    assert Instants(1.7e9).text(at) == text
