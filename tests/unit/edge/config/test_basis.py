"""edge.config.basis"""

import pytest

from edge.config.basis import HOUSE, Basis, Origin, parse_basis


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("house", HOUSE),
        ("law: CPCE L44", Basis(Origin.LAW, "CPCE L44")),
        ("contract:article 25", Basis(Origin.CONTRACT, "article 25")),
        ("protocol: RFC 3261 §16.3", Basis(Origin.PROTOCOL, "RFC 3261 §16.3")),
    ],
)
def test_parse(text: str, expected: Basis) -> None:
    """Who wants it so, and after a colon where that is written."""
    assert parse_basis(text) == expected
    assert parse_basis(str(expected)) == expected


@pytest.mark.parametrize("text", ["", "me", "Law: x", "lawful: x"])
def test_unknown(text: str) -> None:
    """A word nobody knows is refused, with those that are known."""
    with pytest.raises(ValueError, match="expected law, contract, house or protocol"):
        parse_basis(text)
