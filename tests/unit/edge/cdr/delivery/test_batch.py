"""edge.cdr.delivery.batch"""

import pytest

from edge.cdr.delivery.batch import Batch, ended_at, gaps
from edge.cdr.delivery.consumer import Bounds, Entry

BOUNDS = Bounds(records=3, size=100, age_s=10.0, few=2, few_age_s=1.0)


def entries(*seqs: int, size: int = 10, **columns: str) -> list[Entry]:
    return [Entry(seq, f"u{seq}", b"x" * size, columns) for seq in seqs]


def test_it_is_full_by_records_and_by_bytes():
    """Until then there is room for the rest of either."""
    batch = Batch()
    assert (batch.is_full(BOUNDS), batch.room(BOUNDS)) == (False, (3, 100))
    batch.add(entries(1, 2), 5.0)
    assert (batch.is_full(BOUNDS), batch.room(BOUNDS)) == (False, (1, 80))
    batch.add(entries(3), 5.0)
    assert batch.is_full(BOUNDS)
    heavy = Batch()
    heavy.add(entries(1, size=100), 5.0)
    assert heavy.is_full(BOUNDS)


def test_what_is_forgotten_makes_room():
    """The first ones go, with their bytes; the others keep their order."""
    batch = Batch()
    batch.add(entries(1, 2, 3), 5.0)
    batch.forget(2)
    assert ([entry.seq for entry in batch.entries], batch.room(BOUNDS), batch.last_seq) == ([3], (2, 90), 3)
    batch.forget(1)
    assert (len(batch), batch.room(BOUNDS), batch.last_seq) == (0, (3, 100), 0)


def test_it_waits_from_its_first_record_on():
    """Few for a short time, more for a longer one; what comes later does not put it off; a full one goes at once."""
    batch = Batch()
    batch.add(entries(1), 5.0)
    assert batch.due_in_s(BOUNDS, 5.5) == 0.5
    batch.add(entries(2), 5.9)
    assert batch.due_in_s(BOUNDS, 6.0) == 9.0
    batch.add(entries(3), 6.0)
    assert batch.due_in_s(BOUNDS, 6.0) == 0.0
    batch.forget(3)
    batch.add(entries(4), 20.0)
    assert batch.due_in_s(BOUNDS, 20.0) == 1.0


@pytest.mark.parametrize(
    ("before", "seqs", "missing"),
    [
        (4, [5, 6, 7], []),
        (4, [6], [(5, 5)]),
        (4, [5, 9, 10, 12], [(6, 8), (11, 11)]),
        (0, [7, 8], []),
        (0, [7, 9], [(8, 8)]),
    ],
)
def test_numbers_that_are_missing_are_found(before, seqs, missing):
    """What came before the first record of all was never there."""
    assert gaps(before, entries(*seqs)) == missing


def test_how_long_the_oldest_waits_is_since_its_call_ended():
    """Refused at its arrival: since that; never in the future; unknown: since now."""
    assert Batch().waits_since(2e9) == 0.0
    batch = Batch()
    batch.add(entries(1, released_at="2027-01-15T08:00:00Z"), 5.0)
    batch.add(entries(2, released_at="2001-01-15T08:00:00Z"), 5.0)
    assert batch.waits_since(2e9) == 1_800_000_000.0
    (refused,) = entries(3, received_at="2027-01-15T08:00:00Z")
    assert (ended_at(refused, 2e9), ended_at(refused, 1e9), ended_at(entries(4)[0], 7.0)) == (1_800_000_000.0, 1e9, 7.0)
