"""limits.frequency: what a person's record says, and all of it as one word for the script."""

import pytest

from limits.frequency import (
    CONTACT_CONSENT,
    CONTACT_HOURS,
    CONTACT_REFUSED,
    Contact,
    Contacted,
    Counts,
    Frequency,
    SpendGuard,
    terms_of,
)

NOW = 10_000


@pytest.mark.parametrize(
    ("recorded", "asked", "expected"),
    [
        (Contacted(), Contact("k", 0), ""),
        (Contacted(refused_ms=1), Contact("k", 0), CONTACT_REFUSED),
        (Contacted(refused_ms=1), Contact("k", 2), ""),
        (Contacted(consent_ms=5), Contact("k", 0, consent_since_ms=5), ""),
        (Contacted(consent_ms=5), Contact("k", 0, consent_since_ms=6), CONTACT_CONSENT),
        (Contacted(consent_ms=5, withdrawn_ms=5), Contact("k", 0, consent_since_ms=5), CONTACT_CONSENT),
        (Contacted(contract_ms=NOW), Contact("k", 0, consent_since_ms=5), CONTACT_CONSENT),
        (Contacted(contract_ms=NOW + 1), Contact("k", 0, consent_since_ms=5), ""),
        (Contacted(contract_ms=NOW + 1), Contact("k", 0, 5, is_contract_enough=False), CONTACT_CONSENT),
        (Contacted(hours_ms=4), Contact("k", 0, hours_since_ms=5), CONTACT_HOURS),
        (Contacted(hours_ms=5), Contact("k", 0, hours_since_ms=5), ""),
        (Contacted(hours_ms=5, refused_ms=5), Contact("k", 6, hours_since_ms=5), CONTACT_HOURS),
    ],
)
def test_verdict(recorded: Contacted, asked: Contact, expected: str) -> None:
    """A refusal comes first; a contract stands for the consent and never for the hour."""
    assert expected == recorded.verdict(asked, NOW)


def test_terms() -> None:
    """A letter for each kind, true and false as digits."""
    words = terms_of(
        (Frequency("a", "k", 1, 2), Frequency("b", "l", 3, 4, Counts.DISTINCT, "i", "shadow")),
        Contact("d", 5, 6, False, 7, "shadow"),
        SpendGuard("g", 8),
    )
    assert words == b"f a k 1 2 attempts - enforce 0;f b l 3 4 distinct i shadow 0;c d 5 6 0 7 shadow;g g 8 enforce;"
    assert terms_of(()) == b""
