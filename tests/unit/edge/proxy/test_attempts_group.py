"""An attempt of an account that belongs to a group: both must say yes, or neither holds anything."""

import pytest
from network import CALLER, POLICY, TRUNK_A, Caller, Established, Wire, hang_up

GROUPED = (
    POLICY.replace('id = "acme"\n', 'id = "acme"\ngroup = "pool"\ncalls_reserved = 1\n', 1)
    + """
[[groups]]
id = "pool"
calls_base = 2
caps_base = 50
"""
)
POOL = "group:pool"


@pytest.fixture
def grouped() -> Wire:
    """Account acme (3 calls, 1 of them reserved) in a pool of two."""
    return Wire(GROUPED)


def test_account_then_group(grouped):
    """Two leases, two questions, in that order; BYE gives both back and the record names the group."""
    call = Established(grouped)
    assert (grouped.in_use(), grouped.in_use(POOL)) == (1, 1)
    assert [verb.account for verb in grouped.asked[:2]] == ["acme", POOL]
    hang_up(call)
    assert (grouped.in_use(), grouped.in_use(POOL)) == (0, 0)
    assert grouped.ended[0].group == "pool"


def test_what_the_group_refuses_the_account_gets_back(grouped):
    """Third call: within the account's ceiling, over the group's. Its own token from the refusals, its lease back."""
    Established(grouped), Established(grouped)
    Caller(grouped).start()
    assert (grouped.in_use(), grouped.in_use(POOL)) == (2, 2)
    assert grouped.statuses_to(CALLER) == [503]
    (facts,) = grouped.ended
    assert (facts.reason, facts.limit, facts.ceiling) == ("group_calls", "calls", 2)
    assert grouped.requests_to(TRUNK_A) == []


def test_the_group_is_not_asked_where_the_account_says_no(grouped):
    """A refused account costs its group nothing."""
    book = grouped.limiter
    book.change("acme", generation=1, patch={"calls_base": 0})
    Caller(grouped).start()
    assert [verb.account for verb in grouped.asked] == ["acme"]


def test_a_caller_who_gives_up_in_between_leaves_nothing(grouped):
    """CANCEL while the group is asked: 487, and both leases go back when the group has answered."""
    caller = Caller(grouped)
    grouped.holding = []
    caller.start()
    held, grouped.holding = grouped.holding, []
    grouped.limiter.submit(held[0])
    grouped.limiter.flush()
    grouped.pump()
    caller.cancel()
    assert grouped.in_use() == 1
    grouped.release_store()
    assert (grouped.in_use(), grouped.in_use(POOL)) == (0, 0)
    assert grouped.statuses_to(CALLER) == [200, 487]


def test_a_caller_who_gives_up_before_the_account_has_answered_never_reaches_the_group(grouped):
    """The account's lease goes back at once."""
    caller = Caller(grouped)
    grouped.holding = []
    caller.start()
    caller.cancel()
    grouped.release_store()
    assert [type(verb).__name__ for verb in grouped.asked] == ["Admit", "Settle"]
    assert (grouped.in_use(), grouped.in_use(POOL)) == (0, 0)


def test_renewals_go_to_both(grouped):
    """A call that runs longer than a lease keeps both."""
    Established(grouped)
    grouped.advance(65)
    assert (grouped.in_use(), grouped.in_use(POOL)) == (1, 1)
