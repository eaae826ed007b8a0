"""limits.foresight: by what was read alone; against the scripts: tests/contract/test_foresight.py"""

import pytest

from limits import Account, AccountId, Admit, Admitted, Denied
from limits.fields import to_fields
from limits.foresight import FORESEEN, Foreseen, Sight, foresee
from limits.frequency import Frequency, SpendGuard
from limits.rates import Price

NOW = 1_700_000_000_000
ONE = AccountId("one")
ASKED = Admit(ONE, "call", "n")


def sight(*, in_use: int = 0, account: Account | None = None, **fields: object) -> Sight:
    """A holder in the store."""
    flat = to_fields(account or Account(ONE))
    kept = {**dict(zip(flat[::2], flat[1::2], strict=True)), "generation": "7"}
    return Sight(NOW, in_use, {**kept, **{name: str(value) for name, value in fields.items()}})


def asked(verb: Admit, seen: Sight) -> Foreseen:
    return foresee(ONE, verb, seen)


def test_the_calls_of_others_and_the_one_that_is_judged() -> None:
    """The ninth of ten passes as the tenth; where ten run, none."""
    passed, full = asked(ASKED, sight(in_use=9)).outcome, asked(ASKED, sight(in_use=10)).outcome
    assert isinstance(passed, Admitted)
    assert isinstance(full, Denied)
    assert (passed.in_use, passed.ceiling, passed.generation) == (10, 10, 7)
    assert (full.limit, full.in_use, full.ceiling) == ("calls", 10, 10)


@pytest.mark.parametrize(("age_ms", "passes"), [(0, False), (999, False), (1_000, True)])
def test_the_bucket_at_this_instant(age_ms: int, passes: bool) -> None:
    """Its content and the instant of that content: a second fills one token."""
    found = asked(ASKED, sight(tokens_micro=0, refilled_ms=NOW - age_ms))
    assert isinstance(found.outcome, Admitted) is passes


def test_money_of_this_hour_only() -> None:
    """What was spent under a guard in another hour is no matter."""
    price = Price(0, 6_000_000, 60, 60, 60)
    verb = ASKED._replace(price=price, guard=SpendGuard("dear", 7_000_000))
    hour = NOW // 3_600_000
    kept = {"balance_micros": 90_000_000, "gspent:dear": 2_000_000, "gheld:dear": 0}
    now, before = [asked(verb, sight(**kept, **{"ghour:dear": each})) for each in (hour, hour - 1)]

    assert isinstance(now.outcome, Denied)
    assert isinstance(before.outcome, Admitted)
    assert (now.outcome.name, now.spent("dear"), before.spent("dear")) == ("dear", (2_000_000, 0), (0, 0))


def test_what_is_counted_in_the_window() -> None:
    """Older ones are no matter, nor what is counted under another key."""
    two = Frequency("two", "k", 2, 10_000)
    seen = sight()._replace(counted=((two, {"a": NOW - 1, "b": NOW - 10_000}), (two._replace(key="l"), {"c": NOW})))
    found = asked(ASKED._replace(frequencies=(two,)), seen)

    assert found.used(two) == 1
    assert isinstance(found.outcome, Admitted)


def test_the_uid_is_nobodys() -> None:
    """A call that was is judged as one that comes: its own lease is not in the way."""
    assert FORESEEN != "call"
    assert isinstance(asked(ASKED, sight(in_use=1)).outcome, Admitted)


def test_what_is_no_account_is_told() -> None:
    """Values that nobody of us wrote."""
    with pytest.raises(ValueError, match="AccountStatus"):
        asked(ASKED, sight()._replace(fields={"generation": "1", "status": "asleep"}))
