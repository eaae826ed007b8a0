"""limits.keys: one hash tag an account."""

from hypothesis import given
from hypothesis import strategies as st

from limits.account import is_holder_id
from limits.keys import BOOK_FIELDS, VALUE_FIELDS, account_keys
from limits.model import COUNTERS

NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="{}"), min_size=1, max_size=20)


def test_every_key_of_an_account_carries_its_tag():
    """So that one script may take them all in a cluster."""
    assert tuple(account_keys("acc1")) == (
        "{acct:acc1}",
        "{acct:acc1}:leases",
        "{acct:acc1}:calls",
        "{acct:acc1}:records",
        "{acct:acc1}:expired",
        "{acct:acc1}:done:",
        "{acct:acc1}:audit",
        "{acct:acc1}:refs",
        "{acct:acc1}:reverts",
        "{acct:acc1}:contact:",
        "{acct:acc1}:freq:",
    )


def test_groups_and_trunks_have_tags_of_their_own():
    """An account of the same name is another holder."""
    assert [account_keys(name).account for name in ("a", "group:a", "trunk:a")] == [
        "{acct:a}",
        "{group:a}",
        "{trunk:a}",
    ]


@given(NAMES, NAMES)
def test_two_accounts_never_share_a_key(one, other):
    """Whatever their names, and whatever the names of their calls."""
    assert is_holder_id(one)
    if one != other:
        assert not any(mine.startswith(account_keys(other).account) for mine in account_keys(one))


def test_no_field_has_two_meanings():
    """Values, bookkeeping and counters are different names."""
    names = [*VALUE_FIELDS, *BOOK_FIELDS, *COUNTERS]

    assert len(set(names)) == len(names)
