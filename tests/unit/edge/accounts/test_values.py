"""What an operator writes about an account."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.accounts.values import lots_of, next_status, patch_of, show_span, until_of
from limits.account import Account, AccountStatus, PrefixCeiling

NOON = 1_796_040_000_000
"""2026-11-30 12:00 UTC."""


@pytest.mark.parametrize(
    ("text", "present", "found"),
    [("+1", 2, (3, True)), ("-2", 2, (0, True)), ("3", 9, (3, False)), ("=0", 9, (0, False)), ("+0", 4, (4, True))],
)
def test_lots(text, present, found):
    """(how many in all, relative to what there is?)."""
    assert lots_of(text, present) == found


@pytest.mark.parametrize("text", ["", "+", "-", "one", "1.5", "+=1", "--1", " 1", "99999999"])
def test_what_is_no_number_of_lots(text):
    """A sentence that says what was expected."""
    with pytest.raises(ValueError, match=r"expected \+N or -N lots"):
        lots_of(text, 1)


@given(present=st.integers(0, 1000), less=st.integers(0, 2000))
def test_no_lots_below_zero(present, less):
    """Refused, or exactly so many less."""
    if less > present:
        with pytest.raises(ValueError, match="cannot be taken away"):
            lots_of(f"-{less}", present)
    else:
        assert lots_of(f"-{less}", present) == (present - less, True)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("45m", 45), ("2h", 120), ("3d", 4320), ("90s", 1.5), ("1w", 10080), ("2026-11-30T12:30Z", 30),
        ("2026-11-30T14:00+01:00", 60), ("2026-12-01T12:00:00+00:00", 1440),
    ],
)  # fmt: skip
def test_until(text, minutes):
    """A time from now, or an instant with its zone."""
    assert until_of(text, NOON) == NOON + minutes * 60_000


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("soon", "expected a time from now"),
        ("2h30m", "expected a time from now"),
        ("-2h", "expected a time from now"),
        ("0s", "that is past"),
        ("2026-11-30T12:00Z", "that is past"),
        ("2026-11-30T13:00", "in which zone"),
        ("999999d", "at most ten years"),
        ("9999-12-31T23:59Z", "at most ten years"),
    ],
)
def test_until_refused(text, told):
    """And what was expected."""
    with pytest.raises(ValueError, match=told):
        until_of(text, NOON)


def test_a_patch():
    """Names of the document, values as the store's words."""
    words = ["caps_base=5", "floor=-1.5", "max_rate=none", "credit=none", "group=pool", "shadow=caps,calls"]
    assert patch_of([*words, "prefix_ceilings=+3389:2:1,3000::4"]) == {
        "caps_base": 5,
        "floor_micros": -1_500_000,
        "max_rate_micros": None,
        "credit": "none",
        "group": "pool",
        "shadow": frozenset({"caps", "calls"}),
        "prefix_ceilings": (PrefixCeiling("+3389", 2, 1), PrefixCeiling("3000", None, 4)),
    }
    assert patch_of(["group=none", "shadow=", "prefix_ceilings=none"]) == {
        "group": "", "shadow": frozenset(), "prefix_ceilings": (),
    }  # fmt: skip


@given(st.lists(st.text(max_size=30), max_size=3))
def test_any_words_are_a_patch_or_a_sentence(words):
    """Never anything else than ValueError."""
    with suppress(ValueError):
        assert patch_of(words)


def test_a_closed_account_is_opened_on_purpose_only():
    """`resume` alone is refused; suspending it too."""
    closed = Account("acme", status=AccountStatus.CLOSED)
    for wanted in (AccountStatus.ACTIVE, AccountStatus.SUSPENDED):
        with pytest.raises(ValueError, match="is closed"):
            next_status(closed, wanted)
    assert next_status(closed, AccountStatus.ACTIVE, reopen=True) is AccountStatus.ACTIVE


@pytest.mark.parametrize(("ms", "text"), [(0, "0:00"), (65_999, "1:05"), (3_723_000, "1:02:03"), (-5, "0:00")])
def test_spans(ms, text):
    """Minutes and seconds; hours where there are any."""
    assert show_span(ms) == text
