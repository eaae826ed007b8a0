"""Many records become few additions: one set for each account and trunk that they touch. Pure.

Each set carries the range of sequence numbers it stands for. The store adds it whole or not at all, and only where the
range begins after what it has already added of that node: so a record that is delivered twice counts once.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from edge.quality.counts import SIZE, add_to
from edge.quality.hours import HOUR_S, MINUTE_S, minute_of, month_of
from edge.quality.sampling import Definition, Sample
from limits.additions import Addition, Batch, Note

ALL = "all"
"""Field of the whole holder; the trunks of an account are fields `trunk:ID` beside it."""
NOTED = 10
"""Call uids kept for each kind of example and hour: evidence has a bound, the records have the rest."""
MINUTES_KEPT_S = 26 * HOUR_S
"""Minutes are needed for the rolling hour and until the clock hour is closed."""
MONTHS_KEPT_S = 400 * 86_400
TRUNKS_AT_MOST = 64
"""Trunks of an account that are counted apart in one batch."""


class Place(NamedTuple):
    """Where an addition goes: a bucket of the holder and a field in it."""

    bucket: str
    field: str
    hour: int
    ttl_s: int


def hour_bucket(hour: int) -> str:
    """Counts of a clock hour."""
    return f"hour:{hour}"


def minutes_bucket(at_s: int) -> str:
    """Counts by minute, of one hour of UTC; a field is `MM` and the field of the hour's bucket."""
    return f"minutes:{at_s // HOUR_S * HOUR_S}"


def minute_field(at_s: int, field: str) -> str:
    """`07 all`."""
    return f"{at_s % HOUR_S // MINUTE_S:02} {field}"


def month_bucket(month: str) -> str:
    """Counts of a calendar month."""
    return f"month:{month}"


def notes_bucket(hour: int) -> str:
    """Call uids of a clock hour."""
    return f"calls:{hour}"


def gather(
    samples: Iterable[Sample],
    definition: Definition,
    *,
    source: str,
    keep_s: int,
    after: Mapping[str, int] | None = None,
) -> dict[str, Batch]:
    """holder -> what to add. `source`: the log they are of. `after`: what the store has of this source already, by
    holder; records up to it are left out. A holder with nothing new is not named."""
    sums: dict[str, dict[Place, list[int]]] = {}
    notes: dict[str, dict[tuple[str, str], list[str]]] = {}
    ranges: dict[str, tuple[int, int]] = {}
    for sample in samples:
        for holder, parts in _parts(sample).items():
            seq = sample.told.seq
            if after is not None and seq <= after.get(holder, 0):
                continue
            first, last = ranges.get(holder, (seq, seq))
            ranges[holder] = (min(first, seq), max(last, seq))
            places = sums.setdefault(holder, {})
            for field, numbers in parts:
                for place in _places(sample, field, definition, keep_s):
                    add_to(places.setdefault(place, [0] * SIZE), numbers)
            if not holder.startswith("trunk:"):
                _note(notes.setdefault(holder, {}), sample)
    return {
        holder: Batch(
            holder,
            source,
            first,
            last,
            tuple([Addition(*place, tuple(numbers)) for place, numbers in sums[holder].items()]),
            tuple([Note(*at, MINUTES_KEPT_S, NOTED, tuple(uids)) for at, uids in notes.get(holder, {}).items()]),
        )
        for holder, (first, last) in ranges.items()
    }


def _parts(sample: Sample) -> dict[str, list[tuple[str, tuple[int, ...]]]]:
    """holder -> (field, numbers)."""
    parts: dict[str, list[tuple[str, tuple[int, ...]]]] = {}
    account = sample.told.account
    if account:
        by_trunk = [(f"trunk:{trunk}", numbers) for trunk, numbers in sample.by_trunk[-TRUNKS_AT_MOST:]]
        parts[account] = [(ALL, sample.numbers), *by_trunk]
    for trunk, numbers in sample.by_trunk[-TRUNKS_AT_MOST:]:
        parts.setdefault(f"trunk:{trunk}", []).append((ALL, numbers))
    return parts


def _places(sample: Sample, field: str, definition: Definition, keep_s: int) -> tuple[Place, ...]:
    at_s, hour = sample.at_s, sample.hour
    minute = minute_of(at_s)
    places = (
        Place(hour_bucket(hour), field, hour, keep_s),
        Place(minutes_bucket(minute), minute_field(minute, field), hour, MINUTES_KEPT_S),
    )
    if field != ALL:
        return places
    # Money is summed by month whatever becomes of the hour: a record that came late was spoken and charged all the
    # same.
    return (*places, Place(month_bucket(month_of(at_s, definition.zone)), ALL, 0, MONTHS_KEPT_S))


def _note(notes: dict[tuple[str, str], list[str]], sample: Sample) -> None:
    for flag in sample.flags:
        uids = notes.setdefault((notes_bucket(sample.hour), flag), [])
        if len(uids) < NOTED:
            uids.append(sample.told.uid)
