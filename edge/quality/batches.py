"""Many records become few additions: one set for each account and trunk that they touch. Pure.

Each set carries the range of sequence numbers it stands for. The store adds it whole or not at all, and only where the
range begins after what it has already added of that node: so a record that is delivered twice counts once.
"""

from collections.abc import Container, Mapping, Sequence
from operator import add
from typing import NamedTuple

from edge.quality.counts import INDEX, SIZE, add_to
from edge.quality.hours import HOUR_S, MINUTE_S, hour_of, month_of
from edge.quality.places import DAY_S, DAYS_KEPT_S, place_of, places_bucket
from edge.quality.sampling import Definition, Told, count, failed_before, minute_of_text
from limits.account import is_holder_id
from limits.additions import Addition, Batch, Note

TOLD = INDEX["told"]
ALL = "all"
"""Field of the whole holder; the trunks of an account are fields `trunk:ID` beside it."""
NOTED = 10
"""Call uids kept for each kind of example and hour: evidence has a bound, the records have the rest."""
MINUTES_KEPT_S = 26 * HOUR_S
"""Minutes are needed for the rolling hour and until the clock hour is closed."""
MONTHS_KEPT_S = 400 * 86_400
TRUNKS_AT_MOST = 64
"""Trunks of an account that are counted apart in one batch."""


Example = tuple[str, str, str]
"""(account, bucket, what its calls are examples of)."""


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


class _Minute(NamedTuple):
    """Names of the places that one minute counts in."""

    hour: int
    in_hour: str
    in_minutes: str
    prefix: str
    in_month: str
    notes: str


class _Cell:
    """Sums of records that are counted in the same places."""

    __slots__ = ("account", "attempts", "minute", "numbers", "uids")

    def __init__(self, account: str, minute: int, uids: dict[str, list[str]]) -> None:
        self.account = account
        """Empty: they count for none."""
        self.minute = minute
        self.numbers = [0] * SIZE
        self.attempts = 0
        """At their destination."""
        self.uids = uids
        """example -> uids, of the account and its hour: shared with other cells."""


_Key = tuple[str, str, bool, bool, str, str, str]
"""(account, trunk that had the call or empty, does each of them count it, minute, day, destination)."""


def gather(
    records: Sequence[Told],
    definition: Definition,
    *,
    source: str,
    keep_s: int,
    after: Mapping[str, int] | None = None,
    noted: Container[Example] = (),
) -> dict[str, Batch]:
    """holder -> what to add. `records` in order of `seq`. `source`: the log they are of. `after`: what the store has of
    this source already, by holder; records up to it are left out. `noted`: examples that the store has enough of. A
    holder with nothing new is not named."""
    gathering = _Gathering(definition, after or {}, noted)
    for told in records:
        gathering.take(told)
    return gathering.batches(source, keep_s, records)


class _Gathering:
    """Sums of what is alike first, which is one look-up and one addition a record; the rest is made of them at the
    end."""

    def __init__(self, definition: Definition, after: Mapping[str, int], noted: Container[Example]) -> None:
        self._definition = definition
        self._after = after
        self._noted = noted
        self._cells: dict[_Key, _Cell] = {}
        self._failed: dict[tuple[str, str, bool, int], list[int]] = {}
        """(account or empty, trunk, does the trunk count it too, minute) -> tries before the last one."""
        self._notes: dict[tuple[str, str], dict[str, list[str]]] = {}
        """(account, bucket) -> example -> uids."""
        self._minutes: dict[int, _Minute] = {}

    def take(self, told: Told) -> None:
        """One record."""
        definition, after = self._definition, self._after
        account, seq, tried = told.account, told.seq, told.tried
        trunk = tried[-1][0] if tried else ""
        by_account = by_trunk = True
        if after:
            by_account, by_trunk = seq > after.get(account, 0), seq > after.get(f"trunk:{trunk}", 0)
        place = place_of(told.called, told.zone)
        key = (account, trunk, by_account, by_trunk, told.minute_text(definition), told.received_at[:10], place)
        cell = self._cells.get(key)
        if cell is None:
            cell = self._cells[key] = self._cell(told, is_counted=by_account)
        examples = count(told, definition, cell.numbers)
        if cell.account:
            for example in examples:
                uids = cell.uids.get(example)
                if uids is None:
                    uids = self._wanted(cell, example)
                if len(uids) < NOTED:
                    uids.append(told.uid)
            if not told.emergency:
                cell.attempts += 1
        if len(tried) > 1:
            for before, numbers in failed_before(told, definition)[-TRUNKS_AT_MOST:]:
                by_trunk = seq > after.get(f"trunk:{before}", 0)
                at = (cell.account, before, by_trunk, cell.minute)
                add_to(self._failed.setdefault(at, [0] * SIZE), numbers)

    def _cell(self, told: Told, *, is_counted: bool) -> _Cell:
        account = told.account if is_counted and is_holder_id(told.account) else ""
        minute = told.minute(self._definition)
        return _Cell(account, minute, self._notes.setdefault((account, self._place(minute).notes), {}))

    def _wanted(self, cell: _Cell, example: str) -> list[str]:
        """Where its uids go; full where the store has enough of them."""
        is_noted = (cell.account, self._place(cell.minute).notes, example) in self._noted
        uids = cell.uids[example] = [""] * NOTED if is_noted else []
        return uids

    def _place(self, minute: int) -> _Minute:
        found = self._minutes.get(minute)
        if found is None:
            zone = self._definition.zone
            hour = hour_of(minute, zone)
            month = month_bucket(month_of(minute, zone))
            names = (hour_bucket(hour), minutes_bucket(minute), minute_field(minute, ""), month, notes_bucket(hour))
            found = self._minutes[minute] = _Minute(hour, *names)
        return found

    def batches(self, source: str, keep_s: int, records: Sequence[Told]) -> dict[str, Batch]:
        """What came of them all. All stand for the whole range, but for what the store has: whoever has no record in a
        part of it, has none to be told again."""
        if not records:
            return {}
        first, last, after = records[0].seq, records[-1].seq, self._after
        sums: dict[str, dict[tuple[str, int], list[int]]] = {}
        places: dict[str, dict[tuple[str, str], int]] = {}
        for (_, trunk, _, by_trunk, _, day, place), cell in self._cells.items():
            account, minute, numbers = cell.account, cell.minute, cell.numbers
            if account:
                _add(sums, account, ALL, minute, numbers)
                if trunk:
                    _add(sums, account, f"trunk:{trunk}", minute, numbers)
                if cell.attempts:
                    of_account = places.setdefault(account, {})
                    of_account[day, place] = of_account.get((day, place), 0) + cell.attempts
            if trunk and by_trunk:
                _add(sums, f"trunk:{trunk}", ALL, minute, numbers)
        for (account, trunk, by_trunk, minute), numbers in self._failed.items():
            if account:
                _add(sums, account, f"trunk:{trunk}", minute, numbers)
            if by_trunk:
                _add(sums, f"trunk:{trunk}", ALL, minute, numbers)
        notes: dict[str, list[Note]] = {}
        for (account, bucket), of_hour in self._notes.items():
            for example, uids in of_hour.items():
                if uids[0]:
                    note = Note(bucket, example, MINUTES_KEPT_S, NOTED, tuple(uids))
                    notes.setdefault(account, []).append(note)
        return {
            holder: Batch(
                holder,
                source,
                max(first, after.get(holder, 0) + 1),
                last,
                (*self._additions(by_minute, keep_s), *_places(places.get(holder, {}))),
                tuple(notes.get(holder, ())),
                sum([numbers[TOLD] for (field, _), numbers in by_minute.items() if field == ALL]),
            )
            for holder, by_minute in sums.items()
        }

    def _additions(self, by_minute: Mapping[tuple[str, int], list[int]], keep_s: int) -> tuple[Addition, ...]:
        """Each minute, and the hours and months that they are parts of."""
        found: dict[tuple[str, str], Addition] = {}
        for (field, minute), numbers in by_minute.items():
            place = self._place(minute)
            kept = tuple(numbers)
            hour = place.hour
            _merge(found, Addition(place.in_hour, field, hour, keep_s, kept))
            _merge(found, Addition(place.in_minutes, place.prefix + field, hour, MINUTES_KEPT_S, kept))
            if field == ALL:
                # Money is summed by month whatever becomes of the hour: a record that came late was spoken and charged
                # all the same.
                _merge(found, Addition(place.in_month, ALL, 0, MONTHS_KEPT_S, kept))
        return tuple(found.values())


def _add(
    sums: dict[str, dict[tuple[str, int], list[int]]], holder: str, field: str, minute: int, numbers: list[int]
) -> None:
    """Shares the numbers with the others they are added to until a second sum comes: none is changed in place."""
    by_minute = sums.setdefault(holder, {})
    before = by_minute.get((field, minute))
    by_minute[field, minute] = numbers if before is None else list(map(add, before, numbers))


def _places(attempts: Mapping[tuple[str, str], int]) -> list[Addition]:
    """(day, destination) -> attempts, as the store takes them."""
    return [
        Addition(places_bucket(minute_of_text(day + "T00:00") // DAY_S), place, 0, DAYS_KEPT_S, (number,))
        for (day, place), number in attempts.items()
    ]


def _merge(found: dict[tuple[str, str], Addition], one: Addition) -> None:
    at = (one.bucket, one.field)
    before = found.get(at)
    if before is not None:
        one = one._replace(numbers=tuple(map(add, before.numbers, one.numbers)))
    found[at] = one
