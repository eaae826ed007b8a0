"""What can go wrong between us and the store. A refusal is not an error: it is an answer (`limits.model.Denied`)."""


class LimitsError(Exception):
    """Everything this package raises on purpose."""

    retryable = False


class StoreUnavailable(LimitsError):
    """The store did not answer, or answered with something that is not ours. Nothing is known; ask again later."""

    retryable = True


class SpoiltKey(LimitsError, ValueError):
    """A key holds something of another kind, put there by hand: asking again is no cure."""


class UnknownAccount(LimitsError):
    """The store holds no account of this name."""

    def __init__(self, account: str) -> None:
        super().__init__(f"no account {account!r} in the store")
        self.account = account


class StaleGeneration(LimitsError):
    """Somebody else changed the account first: read it again, then decide again."""

    def __init__(self, account: str, *, expected: int, found: int) -> None:
        super().__init__(f"account {account!r} is at generation {found}, not {expected}")
        self.account = account
        self.expected = expected
        self.found = found


class StaleDocument(LimitsError):
    """Somebody else brought a version first: look at it, then decide again."""

    def __init__(self, *, expected: int, found: int) -> None:
        super().__init__(f"generation {found} is in force, not {expected}")
        self.expected = expected
        self.found = found


class UsedReference(LimitsError):
    """This reference stands for a top-up of another amount already: nothing was booked."""

    def __init__(self, account: str, reference: str, amount_micros: int) -> None:
        super().__init__(f"account {account!r}: reference {reference!r} is booked already, with another amount")
        self.account = account
        self.reference = reference
        self.amount_micros = amount_micros


class EmbeddedStoreError(LimitsError):
    """The embedded store cannot run here; the text says what the operator can do about it."""
