"""What `edge quality` tells of an account: its hours, their figures and breaches, the rolling hour now. I/O, by the
store."""

from typing import NamedTuple

from edge.quality.batches import ALL, hour_bucket, minutes_bucket, notes_bucket
from edge.quality.counts import Counts
from edge.quality.guard import Standing, State
from edge.quality.hours import HOUR_S, hours_until
from edge.quality.penalties import breach_of
from edge.quality.rules import Rule
from edge.quality.terms import Terms
from edge.quality.windows import Minutes, Window, buckets_for, minutes_of, rolling
from limits.tallies import TallyStore


class Breach(NamedTuple):
    """An hour that breaks a rule."""

    rule: Rule
    window: Window


class HourReport(NamedTuple):
    """One clock hour."""

    hour: int
    counts: Counts
    late: int
    """Records that came after it was closed: in no figure."""
    is_closed: bool
    breaches: tuple[Breach, ...]
    examples: dict[str, list[str]]
    """What they are examples of (`failed`, `short`, `answered`, `cli`) -> call uids, the first few."""


class Report(NamedTuple):
    """Of one account or trunk."""

    holder: str
    trunk: str
    """Only what this egress trunk carried; empty: everything."""
    now_s: int
    hours: tuple[HourReport, ...]
    rolling: Window
    standing: dict[str, Standing]
    """rule -> its state, where it is not normal."""


async def report(tallies: TallyStore, holder: str, terms: Terms, *, trunk: str, hours: int) -> Report:
    """The last so many clock hours, the oldest first; those without a call are left out. Raises StoreUnavailable."""
    now_s = await tallies.now_ms() // 1_000
    field = f"trunk:{trunk}" if trunk else ALL
    # A rule is about the whole account: a part of it breaks none.
    rules = () if trunk else terms.rules_for(holder)
    told = [
        one
        for hour in hours_until(now_s, hours, terms.zone)
        if (one := await _hour(tallies, holder, field, hour, rules)) is not None
    ]
    minutes = await minutes_between(tallies, holder, field, now_s - HOUR_S, now_s + 1)
    states = {} if trunk else await tallies.states(holder)
    standing = {name: Standing.from_text(text) for name, text in states.items()}
    return Report(
        holder,
        trunk,
        now_s,
        tuple(told),
        rolling(minutes, now_s),
        {name: one for name, one in standing.items() if one.state is not State.NORMAL},
    )


async def _hour(tallies: TallyStore, holder: str, field: str, hour: int, rules: tuple[Rule, ...]) -> HourReport | None:
    bucket = await tallies.read(holder, hour_bucket(hour))
    if field not in bucket.fields:
        return None
    counts = Counts.from_text(bucket.fields[field])
    is_rolling = any(rule.window == "rolling" for rule in rules)
    minutes = await minutes_between(tallies, holder, field, hour - HOUR_S, hour + HOUR_S) if is_rolling else {}
    breaches = [
        Breach(rule, window)
        for rule in rules
        if (window := breach_of(rule, hour, hour + HOUR_S, counts, minutes)) is not None
    ]
    examples = {} if field != ALL else await tallies.notes(holder, notes_bucket(hour))
    is_closed = await tallies.is_sealed(holder, hour)
    return HourReport(hour, counts, bucket.late, is_closed, tuple(breaches), examples)


async def minutes_between(tallies: TallyStore, holder: str, field: str, begin_s: int, end_s: int) -> Minutes:
    """Counts by minute of a stretch of time, as far as they are kept."""
    buckets = [
        (hour, (await tallies.read(holder, minutes_bucket(hour))).fields) for hour in buckets_for(begin_s, end_s)
    ]
    return minutes_of(buckets, field)
