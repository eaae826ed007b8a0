"""The rate deck: what a call to each destination costs, from a CSV file; longest prefix. Pure.

Columns: prefix, zone, connect, rate (per minute), first, next (increments in seconds), minimum (seconds), and
optionally currency. An empty prefix is the rate of everything else. Contract articles 24.2.3 (increments) and 24.2.5
(minimum).
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from edge.config.money import parse_money
from limits.rates import MAX_INCREMENT_S, MAX_RATE_MICROS, Price

MAX_RATES = 1_000_000
MAX_DECK_BYTES = 64 << 20
COLUMNS = ("prefix", "zone", "connect", "rate", "first", "next", "minimum")
_MAX_PROBLEMS = 10
Watch = Callable[[list[str]], Iterable[str]]
"""The same lines, under the eyes of somebody who waits for them: a large deck takes seconds."""


class DeckError(Exception):
    """The deck cannot be used. `problems`: (line, column, what was expected)."""

    def __init__(self, problems: list[tuple[int, str, str]]) -> None:
        super().__init__("; ".join(f"line {line}: {column}: {text}" for line, column, text in problems))
        self.problems = problems


class Rate(NamedTuple):
    """One line of the deck."""

    prefix: str
    """With its plus; empty: everything else."""
    zone: str
    price: Price


class RateDeck:
    """Rates by longest prefix."""

    __slots__ = ("_lengths", "_rates", "currency")

    def __init__(self, rates: dict[str, Rate], currency: str) -> None:
        self._rates = rates
        self._lengths = tuple(sorted({len(prefix) for prefix in rates}, reverse=True))
        self.currency = currency

    def __len__(self) -> int:
        return len(self._rates)

    @property
    def rates(self) -> Mapping[str, Rate]:
        """Every rate by its prefix, with its plus."""
        return self._rates

    @property
    def zones(self) -> int:
        """How many different zones."""
        return len({rate.zone for rate in self._rates.values()})

    def lookup(self, called: str) -> Rate | None:
        """The rate of this number (E.164 with its plus, or as dialled); None: the deck has none."""
        rates = self._rates
        for length in self._lengths:
            found = rates.get(called[:length])
            if found is not None:
                return found
        return None


def parse_deck(text: str, *, currency: str, watch: Watch = iter) -> RateDeck:
    """Reads a deck. Raises DeckError, with the place of each fault."""
    rows = csv.reader(watch(text.splitlines()))
    header = [name.strip().lower() for name in next(rows, [])]
    missing = [name for name in COLUMNS if name not in header]
    unknown = [name for name in header if name not in (*COLUMNS, "currency")]
    if missing or unknown or len(set(header)) != len(header):
        expected = f"expected the columns {', '.join(COLUMNS)} and optionally currency"
        raise DeckError([(1, "header", f"{expected}; found {', '.join(header) or 'nothing'}")])
    places = [header.index(name) for name in COLUMNS]
    money_in = header.index("currency") if "currency" in header else None
    rates: dict[str, Rate] = {}
    problems: list[tuple[int, str, str]] = []
    zones: dict[str, str] = {}
    prices: dict[tuple[str, ...], Price] = {}
    for line, row in enumerate(_rows(rows, problems), 2):
        if not row:
            continue
        if len(row) != len(header):
            problems.append((line, "line", f"expected {len(header)} columns, found {len(row)}"))
        elif money_in is not None and row[money_in].strip() != currency:
            problems.append((line, "currency", f"expected {currency}, the document's, found {row[money_in]!r}"))
        else:
            prefix, zone, *terms = [row[place].strip() for place in places]
            key = tuple(terms)
            price = prices.get(key)
            if price is None:
                price = _price(terms, line, problems)
                if price is not None:
                    prices[key] = price
            name = _prefix(prefix)
            if name is None or not 1 <= len(zone) <= 64 or not zone.isprintable():
                column, what = ("prefix", "at most 20 digits") if name is None else ("zone", "1 to 64 characters")
                problems.append((line, column, f"expected {what}, found {(prefix if name is None else zone)!r:.40}"))
            elif name in rates:
                problems.append((line, "prefix", f"{prefix!r} has a rate already"))
            elif price is not None:
                rates[name] = Rate(name, zones.setdefault(zone, zone), price)
        if len(problems) >= _MAX_PROBLEMS or len(rates) > MAX_RATES:
            break
    if len(rates) > MAX_RATES:
        problems.append((MAX_RATES + 2, "line", f"expected at most {MAX_RATES} rates"))
    if not rates and not problems:
        problems.append((1, "header", "no rates follow"))
    if problems:
        raise DeckError(problems)
    return RateDeck(rates, currency)


def _rows(rows: Iterator[list[str]], problems: list[tuple[int, str, str]]) -> Iterator[list[str]]:
    """The reader's rows; what it cannot read is a problem of the line it stopped at."""
    line = 1
    try:
        for row in rows:
            line += 1
            yield row
    except csv.Error as error:
        problems.append((line + 1, "line", f"not CSV: {error}"))


def _prefix(text: str) -> str | None:
    """With its plus, as called numbers are; a short code stays as dialled when written with an equals sign: `=3000`."""
    if text == "":
        return ""
    if text.startswith("="):
        return text[1:] if text[1:].isdecimal() and text.isascii() and len(text) <= 21 else None
    digits = text.removeprefix("+")
    return "+" + digits if digits.isdecimal() and digits.isascii() and len(digits) <= 20 else None


def _price(terms: list[str], line: int, problems: list[tuple[int, str, str]]) -> Price | None:
    numbers: list[int] = []
    for column, text, least, most in (
        ("connect", terms[0], 0, MAX_RATE_MICROS),
        ("rate", terms[1], 0, MAX_RATE_MICROS),
        ("first", terms[2], 1, MAX_INCREMENT_S),
        ("next", terms[3], 1, MAX_INCREMENT_S),
        ("minimum", terms[4], 0, MAX_INCREMENT_S),
    ):
        is_money = column in ("connect", "rate")
        expected = "an amount from 0 to 1000" if is_money else f"whole seconds, {least} to {most}"
        try:
            number = parse_money(text) if is_money else int(text) if text.isdecimal() and len(text) < 6 else -1
        except ValueError:
            number = -1
        if not least <= number <= most:
            problems.append((line, column, f"expected {expected}, found {text!r:.40}"))
            return None
        numbers.append(number)
    return Price(*numbers)
