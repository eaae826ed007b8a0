"""edge.policy.reasons"""

import pytest

from edge.config.basis import Origin
from edge.policy.reasons import BASIS, WORDS, told
from edge.policy.verdicts import Reason


def test_every_reason_is_told() -> None:
    """No refusal without what it rests on and a sentence for the customer."""
    assert set(Reason) == set(BASIS) == set(WORDS)


@pytest.mark.parametrize("reason", Reason)
def test_sentence(reason: Reason) -> None:
    """A whole sentence, whatever of the call is known; no token and no bracket of ours is left in it."""
    for sentence in (
        told(reason),
        told(reason, account="acme", source="192.0.2.1", cli="+331", called="15", ceiling=0),
    ):
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert "{" not in sentence
        assert "_" not in sentence


@pytest.mark.parametrize(
    ("reason", "origin"),
    [
        (Reason.CAPS, Origin.CONTRACT),
        (Reason.CREDIT, Origin.CONTRACT),
        (Reason.UNKNOWN_SOURCE, Origin.HOUSE),
        (Reason.LOOP, Origin.PROTOCOL),
    ],
)
def test_basis(reason: Reason, origin: Origin) -> None:
    """Capacity and money are the contract's (articles 25 and 12.7), a loop is the protocol's."""
    assert BASIS[reason].origin is origin


def test_what_was_in_force_is_told() -> None:
    """The ceiling and the account stand in the sentence."""
    assert told(Reason.CALLS, account="acme", ceiling=10).startswith("The account acme may hold 10 calls at once")


@pytest.mark.parametrize("reason", [Reason.CONTACT_ATTEMPTS, Reason.CALLED_TOO_OFTEN, Reason.DESTINATION_CALLS])
def test_no_window_is_told_that_a_document_may_change(reason: Reason) -> None:
    """How long it counts is data: a sentence that names a span would be wrong for another document."""
    sentence = told(reason, account="acme", called="+33199001234", ceiling=7)
    assert "7" in sentence
    assert not any(word in sentence for word in ("30", "hour", "minute", "week"))


@pytest.mark.parametrize(
    ("days", "said"), [(60, "before 60 full calendar days have"), (90, "90 full"), (0, "the full")]
)
def test_a_refusal_is_told_with_the_days_in_force(days: int, said: str) -> None:
    """D223-9: sixty, unless the document's own rule says otherwise."""
    assert said in told(Reason.CONTACT_REFUSED, called="+33639980001", days=days)
