"""edge.policies.foresight_view"""

import pytest

from edge.policies.foresight_view import account_words, contacted_words, denial_words, trunk_words
from limits.foresight import Foreseen, Sight
from limits.frequency import Contact, Contacted, Frequency, SpendGuard
from limits.model import Admit, Admitted, Denied, Limit
from limits.rates import Price

NOW_MS = 1_764_000_000_000
PASSED = Admitted(NOW_MS, 3, 1, 10, 5, 5, 4_500_000, 60, 1_500_000)


def words(verb: Admit, outcome: Admitted | Denied, *, wall: float = NOW_MS / 1_000) -> str:
    return account_words(verb, Foreseen(outcome, Sight(NOW_MS, 2, {"gheld:dear": "250000"})), wall)


def test_room_is_told_in_numbers() -> None:
    """Calls, tokens, the hold."""
    assert words(Admit("acme", "-", "n"), PASSED) == (
        "acme: call 3 of 10, 4.5 CAPS tokens left after it; 1.50 held for 60 s"
    )


def test_what_is_counted_and_guarded_is_told_beside_it() -> None:
    """Of whoever is called, of the number, of the destination."""
    verb = Admit(
        "acme", "-", "n", price=Price(0, 1, 1, 1, 1), contact=Contact("k", 1), guard=SpendGuard("dear", 5_000_000),
        frequencies=(Frequency("telemarketing", "k", 4, 30 * 86_400_000), Frequency("premium", "all", 20, 3_600_000)),
    )  # fmt: skip
    assert words(verb, PASSED).split("; ")[2:] == [
        "the person called: nothing recorded",
        "0 of 4 attempts to this person in 30 days",
        "0 of 20 calls under premium in 3600 s",
        "guard dear: 0.00 spent and 0.25 held of 5.00 in this hour (UTC)",
    ]


def test_another_instant_is_not_pretended() -> None:
    """The limits are those of now, whatever day was asked for."""
    assert words(Admit("acme", "-", "n"), PASSED, wall=0.0).endswith(
        "as things stand now, not at the instant asked for"
    )


@pytest.mark.parametrize(
    ("denied", "expected"),
    [
        (Denied(Limit.SUSPENDED, 0, 0, 0), "suspended"),
        (Denied(Limit.CAPS, 5, 5, 120), "CAPS 5: no token left, the next in 120 ms"),
        (Denied(Limit.CALLS, 10, 10, 0), "calls: 10 of 10"),
        (Denied(Limit.FREQUENCY, 4, 4, 9, name="telemarketing"), "frequency telemarketing: 4 of 4"),
        (Denied(Limit.CONTACT, 0, 0, 0, name="refused"), "contact refused"),
        (Denied(Limit.CREDIT, 250_000, 1_000_000, 0), "credit: 0.25 free, 1.00 for the shortest call"),
        (Denied(Limit.GUARD, 5_000_000, 4_900_000, 9, name="dear"), "guard dear: 4.90 against 5.00"),
    ],
)
def test_what_says_no(denied: Denied, expected: str) -> None:
    """What it is, and where it stands."""
    assert denial_words(denied) == expected


def test_trunks() -> None:
    """Open, resting, full."""
    assert trunk_words("a", None, is_resting=False) == "a: may be tried"
    assert trunk_words("a", None, is_resting=True) == "a: in maintenance, tried where nothing else is left"
    assert trunk_words("a", Denied(Limit.CALLS, 1, 1, 0), is_resting=False) == "a: calls: 1 of 1"


def test_what_is_recorded_of_a_person() -> None:
    """In the order of what weighs most."""
    found = contacted_words(Contacted(refused_ms=NOW_MS, consent_ms=NOW_MS))
    assert found == "the person called: refused 2025-11-24 16:00:00Z, consented 2025-11-24 16:00:00Z"
