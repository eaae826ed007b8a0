"""Verbs as values."""

from limits import Settle
from limits.frequency import Frequency
from limits.rates import Price

MARK = Frequency("ping", "33100000001", 3, 1_000)
RETURNED = MARK._replace(name="called")


def test_a_signed_settlement_is_the_same_but_for_the_name_of_its_record() -> None:
    settle = Settle("acme", "u", "answered", 7, Price(1, 2, 3, 4, 5), True, (MARK,), (RETURNED,), "a/1", 9, 8.5)
    assert settle.signed("b/2") == settle._replace(by="b/2")
