"""limits.errors: what they say."""

from limits.errors import EmbeddedStoreError, LimitsError, StaleGeneration, StoreUnavailable, UnknownAccount


def test_errors_carry_what_a_caller_needs():
    """Text for people, fields for code, and whether it is worth asking again."""
    stale = StaleGeneration("a", expected=3, found=5)
    unknown = UnknownAccount("b")

    assert str(stale) == "account 'a' is at generation 5, not 3"
    assert (stale.account, stale.expected, stale.found) == ("a", 3, 5)
    assert (str(unknown), unknown.account) == ("no account 'b' in the store", "b")
    assert StoreUnavailable("x").retryable
    assert not any(error.retryable for error in (stale, unknown, EmbeddedStoreError("x"), LimitsError("x")))
