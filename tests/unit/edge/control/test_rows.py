"""How the numbers of a call are compared."""

import pytest

from edge.control.rows import is_same_number, significant


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("+33612345678", "0612345678", True),
        ("0033612345678", "+33 6 12 34 56 78", True),
        ("06.12.34.56.78", "+33612345678", True),
        ("345678", "+33612345678", True),
        ("45678", "+33612345678", False),
        ("112", "112", True),
        ("112", "+33170000112", False),
        ("+33170000112", "112", False),
        ("17", "017", False),
        ("anonymous", "anonymous", True),
        ("", "0612345678", False),
    ],
)
def test_a_number_is_known_in_any_spelling(one, other, expected):
    """Its end is enough, from six digits on: a short code is nobody else's end."""
    assert is_same_number(significant(one), other) is expected
