"""Settlements that wait: in their order, a slice at a time, and only where the store is to be asked."""

import time

import pytest

from limits import Admit, Admitted, Settle, Settled, Unavailable
from limits.asked import Asked
from limits.journal import SettlementJournal
from limits.kept import SLICE, Kept
from limits.model import GIVEN_BACK, REFUSED
from limits.pending import Pending
from limits.wire import Encoder


@pytest.fixture
def encoder() -> Encoder:
    return Encoder()


@pytest.fixture
def pending(encoder) -> Pending:
    return Pending(encoder)


@pytest.fixture
def kept(pending, encoder) -> Kept:
    return Kept(SettlementJournal(), pending, encoder.encode)


def settle(number: int) -> Settle:
    return Settle("acme", f"u{number}", "answered", number)


def sent(pending: Pending) -> list[Asked]:
    """What is on the wire, taken off it."""
    found = []
    while (asked := pending.next()) is not None:
        found.append(asked)
    return found


def test_they_are_sent_a_slice_at_a_time_in_their_order(kept, pending):
    """The next slice when the last reply of the one before has come: fresh verbs go in between."""
    for number in range(SLICE + 1):
        kept.keep(settle(number))

    kept.send(1.0)
    kept.send(1.0)
    *first, last = sent(pending)
    assert [(asked.verb, asked.own, asked.done) for asked in (*first, last)] == [
        (settle(number), True, True) for number in range(SLICE)
    ]
    for asked in first:
        kept.ended(asked)
    kept.send(1.0)
    assert sent(pending) == []

    kept.ended(last)
    kept.send(1.0)
    assert [asked.verb for asked in sent(pending)] == [settle(SLICE)]
    assert len(kept.journal) == 0


def test_what_was_under_way_when_the_connection_was_lost_is_made_good(kept, pending):
    """A settlement may have been applied; an attempt may have taken a lease that nobody heard of."""
    kept.outlive(Asked(settle(1), 1.0))
    kept.outlive(Asked(Admit("acme", "u2", "n"), 1.0))
    kept.outlive(Asked(settle(3), 1.0))

    kept.send(2.0)

    found = [asked.verb for asked in sent(pending)]
    assert [one._replace(maybe_since=0.0) for one in found] == [
        settle(1),
        Settle("acme", "u2", GIVEN_BACK, 0),
        settle(3),
    ]
    assert [one.maybe_since > 0 for one in found] == [True, False, True]
    assert kept.given_back == 1


def test_what_may_have_been_applied_long_ago_is_doubtful_however_often_it_was_lost_since(kept, pending, monkeypatch):
    """Its tombstone lives as long as it does from the first time, not from the last."""
    start = time.time()
    doubtful = []
    kept.outlive(Asked(settle(1), 1.0))
    for seconds in (0.0, 40.0, 80.0):
        monkeypatch.setattr("limits.journal.time.time", lambda at=start + seconds: at)
        kept.send(seconds)
        (asked,) = sent(pending)
        doubtful.append(asked.verb.doubtful)
        kept.outlive(asked)
        kept.lost()
    assert doubtful == [False, False, True]


def test_after_a_loss_nothing_of_ours_is_under_way(kept, pending):
    """The next connection begins with what waits."""
    kept.keep(settle(1))
    kept.send(1.0)
    (asked,) = sent(pending)
    kept.outlive(asked)
    kept.lost()

    kept.send(2.0)

    assert [asked.verb._replace(maybe_since=0.0) for asked in sent(pending)] == [settle(1)]


def test_a_name_nobody_can_have_is_not_sent(kept, pending):
    """It would wait for ever."""
    kept.keep(Settle("{nobody}", "u", "answered", 1))
    kept.keep(settle(1))

    kept.send(1.0)

    assert [asked.verb for asked in sent(pending)] == [settle(1)]


def test_what_comes_from_another_master_counts_until_it_ends(kept, pending):
    """Else the next slice would be sent beside it."""
    asked = Asked(settle(1), 1.0, done=True)
    asked.own = True
    kept.taken_over(asked)
    kept.keep(settle(2))
    kept.send(1.0)
    assert sent(pending) == []
    kept.ended(asked)
    kept.send(1.0)
    assert [one.verb for one in sent(pending)] == [settle(2)]


def test_the_last_word_on_a_settlement_is_heard(pending, encoder, monkeypatch):
    """Its answer, or that there will be none; what other verbs are answered late is nobody's business."""
    heard = []
    kept = Kept(SettlementJournal(), pending, encoder.encode, lambda verb, outcome: heard.append((verb, outcome)))
    kept.heard(settle(1), Settled(already=False))
    kept.heard(Admit("acme", "u", "n"), Unavailable("late"))
    assert (heard, kept.given_back) == ([(settle(1), Settled(already=False))], 0)

    monkeypatch.setattr("limits.journal.CAPACITY", 2)
    for number in range(2, 5):
        kept.keep(settle(number))
    assert [(verb, type(outcome)) for verb, outcome in heard[1:]] == [(settle(2), Unavailable)]


def test_a_lease_that_came_too_late_is_given_back(kept, pending):
    """Whoever asked has gone on without it."""
    kept.heard(Admit("acme", "u", "n"), Admitted(1, 1, 1))
    kept.heard(settle(1), Settled(already=False))
    kept.send(1.0)
    assert [asked.verb for asked in sent(pending)] == [Settle("acme", "u", GIVEN_BACK, 0)]
    assert kept.given_back == 1


def test_a_refusal_waits_for_no_store(pending):
    """Its record stands at once: an outage must not be filled with what was turned away in it."""
    heard: list[tuple[object, object]] = []
    kept = Kept(SettlementJournal(), pending, Encoder().encode, lambda verb, outcome: heard.append((verb, outcome)))
    refusal = Settle("acme", "u", REFUSED, 0, by="n/1")
    kept.keep(refusal)
    kept.outlive(Asked(refusal, 1.0))
    assert (len(kept.journal), [(verb, type(outcome)) for verb, outcome in heard]) == (0, [(refusal, Unavailable)] * 2)
