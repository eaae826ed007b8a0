"""limits.account: ceilings, and values that cannot be."""

import pytest

from limits.account import MAX_CEILING, Account, is_account_id


@pytest.mark.parametrize(
    ("values", "caps", "burst", "calls"),
    [
        ({}, 1, 1, 10),
        ({"caps_base": 5, "caps_lots": 2, "caps_lot_size": 10}, 25, 25, 10),
        ({"caps_base": 5, "caps_burst": 50}, 5, 50, 10),
        ({"caps_base": 5, "caps_burst": 0}, 5, 1, 10),
        ({"caps_base": 0, "caps_burst": 50}, 0, 0, 10),
        ({"calls_base": 0, "call_lots": 3, "call_lot_size": 30}, 1, 1, 90),
    ],
)
def test_ceilings_are_base_plus_lots(values, caps, burst, calls):
    """And a bucket holds at least one attempt, unless none may pass."""
    account = Account("a", **values)

    assert (account.caps, account.burst, account.calls) == (caps, burst, calls)


@pytest.mark.parametrize(
    "values",
    [
        {"caps_base": -1},
        {"call_lots": -1},
        {"caps_burst": -1},
        {"caps_burst": MAX_CEILING + 1},
        {"caps_lots": 1_000, "caps_lot_size": 1_001},
        {"calls_base": 1, "call_lots": MAX_CEILING, "call_lot_size": 1},
    ],
)
def test_a_ceiling_that_could_not_be_kept_exactly_is_refused(values):
    """Negative, or too large for the integers of the store's scripts."""
    with pytest.raises(ValueError, match="expected 0 to 1000000"):
        Account("a", **values)


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("acc0001", True),
        ("a:b/c|d~e@f.example!", True),
        ("x" * 128, True),
        ("x" * 129, False),
        ("", False),
        ("a b", False),
        ("a{b", False),
        ("a}b", False),
        ("a\n", False),
        ("é", False),
    ],
)
def test_a_name_must_not_move_the_hash_tag(name, good):
    """Printable ASCII without braces, bounded."""
    assert is_account_id(name) is good
    if not good:
        with pytest.raises(ValueError, match="account id"):
            Account(name)
