"""What is counted of calls, and the figures made of it. Pure; integers only.

Counts of two nodes, two minutes or two trunks are added, number by number: no figure is ever averaged. The store keeps
them in the order of `COUNTERS`; a new one goes at the end, what is missing counts as 0.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

PDD_BOUNDS_MS = (250, 500, 1_000, 1_500, 2_000, 3_000, 4_000, 6_000, 8_000, 12_000, 20_000, 30_000)
"""Upper bounds of the buckets of the post-dial delay; one more bucket takes what is longer."""

COUNTERS = (
    "told",
    "attempts",
    "answered",
    "short",
    "effective",
    "answered_ms",
    "rang",
    "pdd_ms",
    "cancelled",
    "refused",
    "emergency",
    "lost",
    "cli",
    "billed_s",
    "cost_micros",
    *(f"pdd_le_{bound}" for bound in PDD_BOUNDS_MS),
    "pdd_longer",
)
"""Order in the store. `told`: every record. `attempts`, and of them `answered`, `short`, `effective` (NER),
`answered_ms` (sum), `rang`, `pdd_ms` (sum), `pdd_…`: those that count, see `sampling`. `cancelled`, `refused`
(abandoned too), `emergency`, `lost`, `cli` (refused for the caller's number), `billed_s`, `cost_micros`: of every
record."""

INDEX = {name: index for index, name in enumerate(COUNTERS)}
SIZE = len(COUNTERS)
JUDGED = INDEX["pdd_ms"] + 1
"""The first so many are those that rules look at."""
_FIRST_BUCKET = INDEX[f"pdd_le_{PDD_BOUNDS_MS[0]}"]


@dataclass(frozen=True, slots=True)
class Counts:
    """One sum."""

    numbers: tuple[int, ...] = (0,) * SIZE
    """SIZE integers, in the order of COUNTERS."""

    def __getitem__(self, name: str) -> int:
        """By its name in COUNTERS."""
        return self.numbers[INDEX[name]]

    @classmethod
    def of(cls, **numbers: int) -> "Counts":
        """Some by name, all others 0."""
        flat = [0] * SIZE
        for name, number in numbers.items():
            flat[INDEX[name]] = number
        return cls(tuple(flat))

    @classmethod
    def from_text(cls, text: str, *, first: int = SIZE) -> "Counts":
        """As the store keeps it; `first`: only so many of them, the others are 0. Raises ValueError."""
        flat = tuple(map(int, text.split(None, first)[:first]))
        return cls(flat + (0,) * (SIZE - len(flat)))

    def named(self) -> dict[str, int]:
        """name -> number."""
        return dict(zip(COUNTERS, self.numbers, strict=True))


def total(counts: Iterable[Counts]) -> Counts:
    """The sum."""
    return Counts(tuple(map(sum, zip((0,) * SIZE, *[one.numbers for one in counts], strict=True))))


def pdd_bucket(pdd_ms: int) -> int:
    """Index in COUNTERS of the bucket that takes this delay."""
    return _FIRST_BUCKET + bisect_left(PDD_BOUNDS_MS, pdd_ms)


def pdd_percentile(counts: Counts, percent: int) -> int | None:
    """Upper bound, in ms, of the bucket that holds this percentile (nearest rank); None: no delay, or a longer one than
    the last bound."""
    buckets = counts.numbers[_FIRST_BUCKET:SIZE]
    amount = sum(buckets)
    rank = -(-amount * percent // 100)
    seen = 0
    for bound, number in zip(PDD_BOUNDS_MS, buckets, strict=False):
        seen += number
        if amount and seen >= rank:
            return bound
    return None


class Figures(NamedTuple):
    """What people ask for. Ratios in hundredths of a percent, durations in ms, rounded down; None: nothing to divide
    by."""

    asr: int | None
    ner: int | None
    acd_ms: int | None
    short_share: int | None
    pdd_mean_ms: int | None
    pdd_p50_ms: int | None
    pdd_p95_ms: int | None
    pdd_p99_ms: int | None


def figures(counts: Counts) -> Figures:
    """The figures of a sum. Never used to judge: `rules` compares the integers themselves."""
    attempts, answered, rang = counts["attempts"], counts["answered"], counts["rang"]
    return Figures(
        asr=_ratio(counts["answered"] * 10_000, attempts),
        ner=_ratio(counts["effective"] * 10_000, attempts),
        acd_ms=_ratio(counts["answered_ms"], answered),
        short_share=_ratio(counts["short"] * 10_000, answered),
        pdd_mean_ms=_ratio(counts["pdd_ms"], rang),
        pdd_p50_ms=pdd_percentile(counts, 50),
        pdd_p95_ms=pdd_percentile(counts, 95),
        pdd_p99_ms=pdd_percentile(counts, 99),
    )


def add_to(sum_: list[int], numbers: Sequence[int]) -> None:
    """Adds in place."""
    for index, number in enumerate(numbers):
        if number:
            sum_[index] += number


def _ratio(numerator: int, denominator: int) -> int | None:
    return numerator // denominator if denominator else None
