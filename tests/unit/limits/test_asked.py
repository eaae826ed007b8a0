"""Requests on the wire: which of them are words of the contract."""

import pytest

from limits.asked import Request, is_verb
from limits.model import Admit, Answer, Renew, Settle
from limits.wire import Asking, Epoch, Load, Peek, Probe


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (Admit("a", "u", "n"), True),
        (Answer("a", "u"), True),
        (Renew("a", ("u",), "n"), True),
        (Settle("a", "u", "failed", 0), True),
        (Peek("a"), False),
        (Load("admit"), False),
        (Epoch("fresh", "key"), False),
        (Probe(), False),
        (Asking(), False),
    ],
)
def test_verbs_are_told_from_what_we_ask_for_ourselves(request_: Request, expected: bool) -> None:
    """A reply to the one is an outcome, to the other it is not."""
    assert is_verb(request_) is expected
