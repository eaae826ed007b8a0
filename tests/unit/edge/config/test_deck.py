"""The rate deck: every fault has its place, and the longest prefix wins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.deck import COLUMNS, DeckError, Rate, RateDeck, parse_deck
from limits.rates import Price

HEADER = ",".join(COLUMNS)


def problems(*lines: str, header: str = HEADER) -> list[tuple[int, str, str]]:
    """What is wrong with these."""
    with pytest.raises(DeckError) as raised:
        parse_deck("\n".join((header, *lines)), currency="EUR")
    return raised.value.problems


def test_a_line_is_a_rate():
    """Spaces do not matter, a plus may be left out, columns may come in any order, an empty line is none."""
    deck = parse_deck(
        "zone,prefix,rate,connect,first,next,minimum,currency\n"
        "France fixed, +331 ,0.012,0.003,30,6,60,EUR\n\n"
        "mobile,336,0.1,0,1,1,0,EUR\n"
        "rest,,9,0,60,60,0,EUR\n",
        currency="EUR",
    )
    assert (len(deck), deck.zones, deck.currency) == (3, 3, "EUR")
    assert deck.rates["+331"] == Rate("+331", "France fixed", Price(3_000, 12_000, 30, 6, 60))
    assert deck.rates["+336"].price == Price(0, 100_000, 1, 1, 0)


@pytest.mark.parametrize(
    ("called", "prefix"),
    [
        ("+33145000001", "+331"),
        ("+33140000001", "+33140"),
        ("+3314", "+331"),
        ("+33612345678", "+33"),
        ("+442000", ""),
        ("3000", "=3000"),
        ("30001", "=3000"),
        ("", ""),
    ],
)
def test_the_longest_prefix_wins(called, prefix):
    """A short code stays as dialled where it is written with an equals sign; an empty prefix is everything else."""
    lines = [f"{one},{one or 'rest'},0,1,1,1,0" for one in ("+33", "+331", "+33140", "=3000", "")]
    found = parse_deck("\n".join((HEADER, *lines)), currency="EUR").lookup(called)
    assert found is not None
    assert found.zone == (prefix or "rest")


def test_who_waits_sees_every_line_once():
    """A bar counts them; what is read is the same."""
    seen = []

    def watch(lines):
        for line in lines:
            seen.append(line)
            yield line

    lines = [HEADER, "+33,fr,0,1,1,1,0", "+44,gb,0,1,1,1,0"]
    assert 2 == len(parse_deck("\n".join(lines), currency="EUR", watch=watch))
    assert lines == seen


def test_a_number_without_a_rate_has_none():
    """Where there is no line for everything else."""
    assert parse_deck(f"{HEADER}\n+33,fr,0,1,1,1,0", currency="EUR").lookup("+44") is None


@given(
    prefixes=st.sets(st.text("012", max_size=6), min_size=1, max_size=40),
    called=st.text("012", max_size=8),
)
def test_look_up_is_the_longest_prefix_by_definition(prefixes: set[str], called: str):
    """Against the plainest way to say it."""
    rates = {f"+{one}": Rate(f"+{one}", one or "none", Price(0, 1, 1, 1, 0)) for one in prefixes}
    found = RateDeck(rates, "EUR").lookup(f"+{called}")
    longest = max((one for one in prefixes if called.startswith(one)), key=len, default=None)
    assert found == (None if longest is None else rates[f"+{longest}"])


@pytest.mark.parametrize(
    ("line", "column", "expected"),
    [
        ("+33,fr,0,1,1,1", "line", "expected 7 columns, found 6"),
        ("+33x,fr,0,1,1,1,0", "prefix", "expected at most 20 digits, found '+33x'"),
        ("++33,fr,0,1,1,1,0", "prefix", "expected at most 20 digits, found '++33'"),
        ("=,fr,0,1,1,1,0", "prefix", "expected at most 20 digits, found '='"),
        ("+33,,0,1,1,1,0", "zone", "expected 1 to 64 characters, found ''"),
        ("+33,fr,-1,1,1,1,0", "connect", "expected an amount from 0 to 1000, found '-1'"),
        ("+33,fr,0,1000.01,1,1,0", "rate", "expected an amount from 0 to 1000, found '1000.01'"),
        ("+33,fr,0,free,1,1,0", "rate", "expected an amount from 0 to 1000, found 'free'"),
        ("+33,fr,0,1,0,1,0", "first", "expected whole seconds, 1 to 3600, found '0'"),
        ("+33,fr,0,1,1,3601,0", "next", "expected whole seconds, 1 to 3600, found '3601'"),
        ("+33,fr,0,1,1,1,1.5", "minimum", "expected whole seconds, 0 to 3600, found '1.5'"),
    ],
)
def test_a_fault_names_its_line_its_column_and_what_was_expected(line, column, expected):
    """And the lines before it are no trouble."""
    assert problems("+1,us,0,1,1,1,0", line) == [(3, column, expected)]


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("prefix,zone,connect,rate,first,next", "prefix, zone, connect, rate, first, next"),
        (f"{HEADER},colour", f"{HEADER.replace(',', ', ')}, colour"),
        (f"{HEADER},rate", f"{HEADER.replace(',', ', ')}, rate"),
        ("", "nothing"),
    ],
)
def test_the_columns_are_these(header, found):
    """None missing, none unknown, none twice."""
    expected = f"expected the columns {', '.join(COLUMNS)} and optionally currency; found {found}"
    assert problems("+33,fr,0,1,1,1,0", header=header) == [(1, "header", expected)]


def test_another_currency_is_no_rate():
    """The document has one."""
    line = "+33,fr,0,1,1,1,0,USD"
    assert problems(line, header=f"{HEADER},currency") == [(2, "currency", "expected EUR, the document's, found 'USD'")]


def test_a_prefix_has_one_rate():
    """With or without its plus."""
    assert problems("+33,fr,0,1,1,1,0", "33,fr,0,2,1,1,0") == [(3, "prefix", "'33' has a rate already")]


def test_faults_are_told_ten_at_a_time():
    """A wrong file is not told a million times."""
    assert len(problems(*["x,fr,0,1,1,1,0"] * 50)) == 10


def test_a_deck_has_rates_and_not_too_many(monkeypatch):
    """None is no deck; nor is what would fill the memory."""
    assert problems() == [(1, "header", "no rates follow")]
    monkeypatch.setattr("edge.config.deck.MAX_RATES", 2)
    lines = [f"{number},fr,0,1,1,1,0" for number in range(5)]
    assert problems(*lines) == [(4, "line", "expected at most 2 rates")]


def test_what_is_no_csv_has_its_line():
    """A field that no reader takes."""
    long = "9" * 200_000
    ((line, column, text),) = problems("+1,us,0,1,1,1,0", f"{long},fr,0,1,1,1,0")
    assert (line, column, text.startswith("not CSV: ")) == (3, "line", True)
