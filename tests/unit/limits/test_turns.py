"""Renewals take turns: one on the wire, the rest in their order."""

from limits import Renew
from limits.turns import MAX_RENEWS, RenewTurns


def renew(number: int) -> Renew:
    return Renew(f"a{number}", ("u",), "n")


def test_one_at_a_time_in_the_order_they_came():
    """So that a long one delays what is asked behind it by one round trip, and not by all of them."""
    turns = RenewTurns()

    taken = [turns.take() for _ in range(3)]
    assert taken == [True, False, False]
    assert [turns.wait(renew(number)) for number in range(2)] == [True, True]

    assert (turns.next(), turns.is_taken) == (renew(0), True)
    assert not turns.take()
    assert (turns.next(), turns.is_taken) == (renew(1), True)
    assert (turns.next(), turns.is_taken) == (None, False)
    assert turns.take()


def test_the_queue_is_bounded():
    """Beyond, a renewal is Unavailable at once: the next look asks again."""
    turns = RenewTurns()

    assert [turns.wait(renew(number)) for number in range(MAX_RENEWS + 1)] == [True] * MAX_RENEWS + [False]


def test_nobody_waits_for_a_store_that_is_away():
    """Those that waited are told; the turn of the one on the wire ends by itself."""
    turns = RenewTurns()
    turns.take()
    turns.wait(renew(0))

    assert turns.give_up() == [renew(0)]
    assert (len(turns), turns.next()) == (0, None)
