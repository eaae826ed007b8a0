"""What may be added to the sums of a holder (`limits.tallies`), in words. Pure."""

from typing import NamedTuple


class Addition(NamedTuple):
    """Numbers for one field of one bucket."""

    bucket: str
    field: str
    hour: int
    """The hour (its first second, UTC) that must not be sealed; 0: always added."""
    ttl_s: int
    """The bucket is forgotten so long after the last addition."""
    numbers: tuple[int, ...]


class Note(NamedTuple):
    """Words to remember, so many at most for each field: the first ones stay."""

    bucket: str
    field: str
    ttl_s: int
    most: int
    words: tuple[str, ...]


class Batch(NamedTuple):
    """What the records `first` to `last` of a source add to one holder."""

    holder: str
    source: str
    first: int
    last: int
    additions: tuple[Addition, ...]
    notes: tuple[Note, ...] = ()
    records: int = 0
    """How many of them are of this holder."""
