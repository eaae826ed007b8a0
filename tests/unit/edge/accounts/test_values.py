"""What an operator writes about an account."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.accounts.values import (
    blank,
    check_until,
    line_of,
    lots_of,
    next_status,
    patch_of,
    show_span,
    show_stored,
    until_of,
)
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
        ("999999w", "at most ten years"),
        ("9999-12-31T23:59Z", "at most ten years"),
        ("9999-12-31T23:59-23:59", "at most ten years"),
        ("0001-01-01T00:00+23:59", "that is past"),
    ],
)
def test_until_refused(text, told):
    """And what was expected."""
    with pytest.raises(ValueError, match=told):
        until_of(text, NOON)


@pytest.mark.parametrize("text", ["2h", "999999w", "2020-01-01T00:00Z", "9999-12-31T23:59Z"])
def test_a_time_at_all(text):
    """Whether it is to come is the store's to say: its clock counts."""
    check_until(text)


@pytest.mark.parametrize("text", ["soon", "", "2h30m", "2026-11-30T13:00", "1e3s", "٣h"])
def test_no_time_at_all(text):
    """Told before the store is asked."""
    with pytest.raises(ValueError, match="--until"):
        check_until(text)


@given(st.text(max_size=20))
def test_any_text_is_a_time_or_a_sentence(text):
    """Never anything else than ValueError; a time is after now and within ten years."""
    with suppress(ValueError):
        assert 0 < until_of(text, NOON) - NOON <= 3660 * 86_400_000


@pytest.mark.parametrize("text", ["", "trade fair: +10", "café", "x" * 9])
def test_a_line(text):
    """Kept as it is written."""
    assert line_of("--reason", text, most=15) == text


@pytest.mark.parametrize("text", ["x" * 16, "two\nlines", "\x1b[31m", "\udcff", "a\u2028b"])
def test_no_line(text):
    """Too long, or not printable: refused, and shown harmlessly."""
    with pytest.raises(ValueError, match="--reason: expected at most 15 printable characters on one line") as fault:
        line_of("--reason", text, most=15)
    assert str(fault.value).isprintable()


@pytest.mark.parametrize(
    ("holder", "found"),
    [("acme", ("prepaid", 1, 10)), ("group:pool", ("none", 1, 10)), ("trunk:a", ("none", 1_000_000, 1_000_000))],
)
def test_a_new_account(holder, found):
    """Groups and trunks have no credit of their own; a trunk has no ceiling but those it is given."""
    account = blank(holder)
    assert (account.credit, account.caps, account.calls) == found


@pytest.mark.parametrize(
    ("field", "stored", "shown"),
    [
        ("floor_micros", "-100000000", "-100.00"), ("max_rate_micros", "", "none"),
        ("max_rate_micros", "12500", "0.0125"),
        ("balance_micros", "spoilt\x07", "spoilt?"), ("is_cut", "1", "yes"), ("is_cut", "0", "no"),
        ("caps_base", "5", "5"),
        ("group", "", "none"), ("group", "a\x1b[2Jb", "a?[2Jb"), ("shadow", "calls caps", "calls,caps"),
        ("prefix_ceilings", "+33:2:1 +44::9", "+33:2:1,+44::9"),
    ],
)  # fmt: skip
def test_stored_values_for_a_reader(field, stored, shown):
    """As `set` takes them; nothing moves the cursor."""
    assert show_stored(field, stored) == shown


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
