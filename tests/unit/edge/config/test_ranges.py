"""edge.config.ranges"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.ranges import expand, range_size


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("acme", ["acme"]),
        ("a8..a8", ["a8"]),
        ("a08..a11", ["a08", "a09", "a10", "a11"]),
        ("1..3", ["1", "2", "3"]),
        ("b-1.9..b-1.9", ["b-1.9"]),
    ],
)
def test_expand(text: str, expected: list[str]) -> None:
    """Names keep the width of their digits."""
    assert expected == expand(text)
    assert len(expected) == range_size(text)


@pytest.mark.parametrize("text", ["a..b", "a1..b2", "a1..a10", "a2..a1", "a..a1"])
def test_no_range(text: str) -> None:
    """Two names that differ in more than their final digits make no range."""
    with pytest.raises(ValueError, match="expected"):
        range_size(text)


@given(st.integers(0, 9999), st.integers(0, 50))
def test_every_name_once(first: int, more: int) -> None:
    """Size, order and uniqueness hold for any range."""
    names = expand(f"acc{first:05d}..acc{first + more:05d}")
    assert names == sorted(set(names))
    assert more + 1 == len(names) == range_size(f"acc{first:05d}..acc{first + more:05d}")
