"""The slot of a key, against what Redis itself answers (CLUSTER KEYSLOT)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limits.keys import account_keys
from limits.slots import SLOTS, slot_of


@pytest.mark.parametrize(
    ("key", "slot"),
    [
        ("", 0), ("foo", 12182), ("123456789", 12739), ("{user1000}.following", 3443), ("foo{}{bar}", 8363),
        ("foo{{bar}}zap", 4015), ("foo{bar}{zap}", 5061),
    ],
)  # fmt: skip
def test_known_slots(key, slot):
    """Those of the cluster specification and its own examples."""
    assert slot_of(key) == slot


@given(st.text(st.characters(min_codepoint=33, max_codepoint=122), min_size=1, max_size=20))
def test_all_keys_of_a_holder_share_one_slot(name):
    """So that one script can take them all (R7)."""
    keys = account_keys(name)
    assert len({slot_of(key) for key in keys}) == 1
    assert 0 <= slot_of(keys.account) < SLOTS
