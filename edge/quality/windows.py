"""Sums over minutes: the rolling hour that ends now, and every rolling hour that ends in a clock hour. Pure.

A rolling hour is 60 whole minutes. Those that end in a clock hour end at its minutes 1 to 60: the last of them is the
clock hour itself. The rolling hour "now" is the running minute and the 59 before it.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from operator import add, sub
from typing import NamedTuple

from edge.quality.counts import SIZE, Counts, add_to, total
from edge.quality.hours import HOUR_S, MINUTE_S, minute_of
from edge.quality.rules import Judgement, Rule, is_worse, judge

Minutes = Mapping[int, Counts]
"""First second of a minute -> its counts."""


class Window(NamedTuple):
    """A stretch of minutes and its sum."""

    begin_s: int
    end_s: int
    counts: Counts


def buckets_for(begin_s: int, end_s: int) -> range:
    """First seconds of the hours of UTC whose minutes cover this stretch."""
    return range(begin_s // HOUR_S * HOUR_S, end_s, HOUR_S)


def minutes_of(fields: Iterable[tuple[int, Mapping[str, str]]], field: str, *, first: int = SIZE) -> dict[int, Counts]:
    """From buckets as the store keeps them: (hour of UTC, `MM field` -> numbers). `first`: only so many counters."""
    found = {}
    names = _names(field)
    for hour, bucket in fields:
        for after_s, name in names:
            numbers = bucket.get(name)
            if numbers is not None:
                found[hour + after_s] = Counts.from_text(numbers, first=first)
    return found


@lru_cache(maxsize=256)
def _names(field: str) -> tuple[tuple[int, str], ...]:
    """(second of the hour, field of the bucket) of each minute."""
    return tuple([(minute * MINUTE_S, f"{minute:02} {field}") for minute in range(60)])


def rolling(minutes: Minutes, now_s: int, *, since_s: int = 0) -> Window:
    """The running minute and the 59 before it, but nothing before `since_s`."""
    begin = max(minute_of(now_s) - 59 * MINUTE_S, since_s)
    counts = total(one for at, one in minutes.items() if begin <= at <= now_s)
    return Window(begin, now_s, counts)


def rolling_ahead(minutes: Minutes, now: Window, count: int) -> Iterator[Counts]:
    """The rolling hour now, and at the beginning of each of the next `count` minutes, with what there is."""
    begin, counts = minute_of(now.end_s), now.counts
    yield counts
    for at in range(begin + MINUTE_S, begin + (count + 1) * MINUTE_S, MINUTE_S):
        comes, goes = minutes.get(at), minutes.get(at - HOUR_S)
        if comes is not None:
            counts = Counts(tuple(map(add, counts.numbers, comes.numbers)))
        if goes is not None:
            counts = Counts(tuple(map(sub, counts.numbers, goes.numbers)))
        yield counts


def worst_rolling(rule: Rule, minutes: Minutes, hour: int) -> Window | None:
    """Of the rolling hours that end in this clock hour the worst one that is a breach; None: none is."""
    before = [0] * SIZE
    sums = [tuple(before)]
    for at in range(hour - HOUR_S, hour + HOUR_S, MINUTE_S):
        if at in minutes:
            add_to(before, minutes[at].numbers)
        sums.append(tuple(before))
    worst: Window | None = None
    for index in range(61, 121):
        first, last = sums[index - 60], sums[index]
        if first == last:
            continue
        counts = Counts(tuple([b - a for a, b in zip(first, last, strict=True)]))
        if judge(rule, counts) is Judgement.BAD and (worst is None or is_worse(rule, counts, worst.counts)):
            end = hour + (index - 60) * MINUTE_S
            worst = Window(end - HOUR_S, end, counts)
    return worst
