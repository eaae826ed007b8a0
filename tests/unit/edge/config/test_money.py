"""Amounts: written by people, counted as integers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.money import format_money, parse_money


@pytest.mark.parametrize(
    ("written", "micros"),
    [
        ("12.50", 12_500_000), ("0", 0), ("0.000001", 1), ("-250", -250_000_000), ("+1.5", 1_500_000), (5, 5_000_000),
        (-1, -1_000_000), ("999999999999.999999", 999_999_999_999_999_999),
    ],
)  # fmt: skip
def test_amounts(written, micros):
    """Text with at most six decimals, or a whole number."""
    assert parse_money(written) == micros


@pytest.mark.parametrize(
    "written",
    [
        "",
        "1.",
        ".5",
        "1,5",
        "1.0000001",
        "1e3",
        " 1",
        "1 ",
        "EUR 1",
        "--1",
        "1234567890123",
        "\u0661",
        "0x1",
        1.5,
        True,
        None,
    ],
)
def test_what_is_no_amount_is_refused(written):
    """A float is never what was written; nor is a comma, a currency or a space."""
    with pytest.raises(ValueError, match="expected an amount in quotes"):
        parse_money(written)


@given(st.integers(-(10**17), 10**17))
def test_round_trip(micros):
    """What is printed can be read again, to the micro-unit."""
    assert parse_money(format_money(micros)) == micros


@pytest.mark.parametrize(
    ("micros", "text"), [(0, "0.00"), (12_500_000, "12.50"), (12_500, "0.0125"), (-1, "-0.000001"), (10**6, "1.00")]
)
def test_printed(micros, text):
    """Two decimals at least, no more than it takes."""
    assert format_money(micros) == text
