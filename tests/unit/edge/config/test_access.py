"""edge/config/access.py: what a scope covers."""

import pytest

from edge.config.access import may_see


@pytest.mark.parametrize(
    ("scope", "name", "expected"),
    [((), "any", True), (("a",), "a", True), (("a",), "ab", False), (("a*",), "ab", True), (("b", "a*"), "ca", False)],
)
def test_a_scope(scope, name, expected):
    """Names, or beginnings of names."""
    assert expected is may_see(scope, name)
