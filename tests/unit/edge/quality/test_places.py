"""edge.quality.places"""

import pytest

from edge.quality.places import HOME, place_of, places_bucket


@pytest.mark.parametrize(
    ("called", "zone", "expected"),
    [
        ("+33199001234", "", "+33"),
        ("+12025550100", "", "+1"),
        ("+79161234567", "", "+7"),
        ("+881612345678", "", "+881"),
        ("+262262000001", "", "+262"),
        ("+590590000001", "", "+590"),
        ("+85212345678", "", "+852"),
        ("+8613800000000", "", "+86"),
        ("+33899001234", "premium", "premium"),
        ("112", "", HOME),
        ("", "", HOME),
        ("+33*", "", HOME),
        ("0199001234", "", HOME),
    ],
)
def test_the_zone_of_the_rate_else_the_country(called: str, zone: str, expected: str) -> None:
    """E.164: one to three digits, by the first of them."""
    assert place_of(called, zone) == expected


def test_names_are_bounded() -> None:
    """A zone's name is the operator's own; a field of the store is not longer for it."""
    assert len(place_of("+33", "z" * 500)) == 64


def test_a_bucket_for_each_day() -> None:
    """Of UTC."""
    assert places_bucket(20_000) == "places:20000"
