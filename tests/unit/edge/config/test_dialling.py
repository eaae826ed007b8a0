"""Digits before called numbers: which beginning counts, and what is put in its place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.dialling import PrefixTable, RewriteEntry, rewrites, rewritten

FRANCE = (
    RewriteEntry(prefix="+33", replace="0"),
    RewriteEntry(prefix="+", replace="00"),
    RewriteEntry(prefix="3000", replace="*3000#"),
)


@pytest.mark.parametrize(
    ("called", "sent"),
    [
        ("+33170000001", "0170000001"),
        ("+442079460000", "00442079460000"),
        ("3000", "*3000#"),
        ("112", ""),
        ("", ""),
    ],
)
def test_the_longest_beginning_is_replaced(called, sent):
    """What no line is about stays as the caller wrote it."""
    assert rewritten(called, rewrites(FRANCE)) == sent


@pytest.mark.parametrize(
    ("prefix", "replace", "sent"),
    [
        ("+", "", "33170000001"),
        ("", "9901", "9901+33170000001"),
        ("+", "9901", "990133170000001"),
        ("+33", "+34", "+34170000001"),
    ],
)
def test_one_line_strips_prepends_or_replaces(prefix, replace, sent):
    """Every wish of a trunk is a beginning and what stands in its place."""
    assert rewritten("+33170000001", rewrites((RewriteEntry(prefix=prefix, replace=replace),))) == sent


def test_without_lines_nothing_is_rewritten():
    assert rewritten("+33170000001", PrefixTable({})) == ""


@given(
    st.dictionaries(st.text("0123456789*#", min_size=1, max_size=5), st.text("ab", max_size=3), max_size=12),
    st.text("0123456789*#"),
)
def test_found_is_the_longest_that_fits(values, text):
    """Prefixes that collide are no fault: the longer one is meant."""
    fitting = [prefix for prefix in values if text.startswith(prefix)]
    found = PrefixTable(values).find(text)
    assert found == ((longest := max(fitting, key=len)), values[longest]) if fitting else found is None
