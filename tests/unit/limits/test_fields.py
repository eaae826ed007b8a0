"""limits.fields: an account as fields of a hash, and patches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limits.fields import at_generation, digest, from_fields, patched, to_fields
from limits.model import Account, AccountStatus

ACCOUNTS = st.builds(
    Account,
    id=st.just("a"),
    status=st.sampled_from(AccountStatus),
    caps_base=st.integers(0, 1_000),
    caps_lots=st.integers(0, 100),
    caps_lot_size=st.integers(0, 100),
    caps_burst=st.none() | st.integers(0, 1_000),
    calls_base=st.integers(0, 1_000),
    call_lots=st.integers(0, 100),
    call_lot_size=st.integers(0, 100),
)


@given(ACCOUNTS, st.integers(1, 10**9))
def test_fields_and_back_is_the_same_account(account, generation):
    """Nothing is lost in the store."""
    flat = to_fields(account)
    fields = dict(zip(flat[::2], flat[1::2], strict=True)) | {"generation": str(generation)}

    assert at_generation(account, generation) == from_fields("a", fields)


@given(ACCOUNTS, ACCOUNTS)
def test_the_digest_tells_values_apart_and_nothing_else(one, other):
    """A generation is not a value."""
    assert (digest(one) == digest(other)) is (one == other)
    assert digest(one) == digest(at_generation(one, 77))


def test_only_what_a_patch_names_is_written():
    """The audit shows what was changed."""
    assert to_fields(Account("a", caps_base=7, caps_burst=None), only={"caps_base", "caps_burst"}) == [
        "caps_base",
        "7",
        "caps_burst",
        "",
    ]


def test_a_patch_changes_what_it_names():
    """And keeps the generation: that is the store's to count."""
    account = Account("a", caps_base=3, caps_burst=9, generation=4)

    changed = patched(account, {"caps_burst": None, "calls_base": 2, "status": "suspended"})

    assert changed == Account("a", AccountStatus.SUSPENDED, caps_base=3, calls_base=2, generation=4)


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ({"generation": 5}, "generation: no such value; known: status, caps_base"),
        ({"caps_base": None}, "caps_base = None: expected a whole number"),
        ({"caps_base": True}, "caps_base = True: expected a whole number"),
        ({"caps_base": "5"}, "caps_base = '5': expected a whole number"),
        ({"caps_base": -1}, "caps_base = -1: expected 0 to 1000000"),
        ({"status": "merry"}, "'merry' is not a valid AccountStatus"),
    ],
)
def test_a_patch_that_cannot_be_says_what_was_expected(patch, message):
    """In words an operator can use."""
    with pytest.raises(ValueError, match="^" + message):
        patched(Account("a"), patch)


@pytest.mark.parametrize(
    "fields", [{}, {"status": "active", "caps_base": "many"}, {"status": "active", "caps_base": "-1"}]
)
def test_a_hash_that_is_no_account_is_refused(fields):
    """It may have been written by hand."""
    with pytest.raises(ValueError, match=r"AccountStatus|invalid literal|expected"):
        from_fields("a", fields)
