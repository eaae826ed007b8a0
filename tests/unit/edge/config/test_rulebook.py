"""edge.config.rulebook"""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.plan import CACHE_LIMIT, NUMBER, UNREADABLE, WITHHELD, Reading
from edge.config.rulebook import ALWAYS, RuleBook, days_of
from edge.config.rulesets import built_in_ruleset, parse_ruleset

BOOK = RuleBook(built_in_ruleset("fr-arcep"))
NOWHERE = """
ruleset = "nl-nowhere"
title = "A country that does not exist"
version = 2030-01-01
reviewed = 2030-01-01
timezone = "UTC"
contexts = [{ id = "any", title = "every call", kinds = ["human", "automated"] }]

[plan]
codes = [{ code = "999", digits = [6, 7] }]
trunk_prefix = "8"
international_prefixes = ["810"]

[emergency]
numbers = ["01-04"]
basis = "law: of nowhere"
conf = "P"

[[categories]]
id = "town"
title = "town"
prefixes = ["9991"]
basis = "law: of nowhere"
conf = "P"
rules = [{ contexts = ["any"], action = "mask", from = 2030-06-01, basis = "law: of nowhere", conf = "P" }]
"""


def wall(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("instant", "action"),
    [
        ("2025-12-31T22:59:59", "allow"),
        ("2025-12-31T23:00:00", "mask"),
        ("2027-07-01T12:00:00", "mask"),
    ],
)
def test_a_day_begins_at_midnight_in_paris(instant: str, action: str) -> None:
    """The masking of mobiles begins on 2026-01-01 at midnight, which is 23:00 UTC of the day before."""
    assert action == BOOK.at(wall(instant)).ruling("mobile", "international", "human").action


def test_eras_meet() -> None:
    """Each era ends where the next begins: no instant without law, none with two."""
    assert BOOK.eras[0].start == -ALWAYS
    assert BOOK.eras[-1].end == ALWAYS
    for earlier, later in zip(BOOK.eras, BOOK.eras[1:], strict=False):
        assert earlier.end == later.start
    assert len(BOOK.eras) == len(days_of(BOOK.document))


@given(st.floats(allow_nan=False))
def test_the_era_of_an_instant_holds_it(instant: float) -> None:
    """Whatever the instant, its era is the one it lies in."""
    era = BOOK.at(instant)
    assert era.start <= instant
    assert instant < era.end or instant == ALWAYS == era.end


def test_on_a_day() -> None:
    """A day is asked for at its beginning, in the ruleset's own time zone."""
    assert BOOK.on(date(2026, 1, 1)) is BOOK.at(wall("2025-12-31T23:00:00"))
    assert BOOK.on(date(2025, 12, 31)) is BOOK.at(wall("2025-12-31T22:59:59"))


@pytest.mark.parametrize(
    ("reading", "category"),
    [
        (Reading("+33199001234", NUMBER, "0199001234"), "geographic"),
        (Reading("", UNREADABLE, "3000"), "short_free_30_31"),
        (Reading("", UNREADABLE, "3008"), "short_other"),
        (Reading("", UNREADABLE, "118218"), "short_other"),
        (Reading("", UNREADABLE, "112"), "emergency_as_cli"),
        (Reading("", UNREADABLE, "alice"), "unreadable"),
        (Reading("", WITHHELD, "anonymous"), "withheld"),
        (Reading("+4930123456", NUMBER, "+4930123456"), "foreign"),
    ],
)
def test_category_of_reading(reading: Reading, category: str) -> None:
    """Numbers by their prefix, short ones by the list, all else by its state."""
    assert category == BOOK.eras[-1].category_of_reading(reading)


def test_categories_have_their_days() -> None:
    """Verified numbers were plain geographic ones before there were any."""
    assert BOOK.on(date(2022, 12, 31)).category_of("+33162000000") == "geographic"
    assert BOOK.on(date(2023, 1, 1)).category_of("+33162000000") == "npv"


@pytest.mark.parametrize(
    ("ingress_class", "kind", "contexts"),
    [
        ("national", "human", ["manual"]),
        ("national", "automated", ["automated"]),
        ("international", "human", ["intl_unauth"]),
        ("international", "automated", ["intl_unauth", "automated"]),
        ("interconnect", "human", ["natl_unsigned"]),
    ],
)
def test_contexts(ingress_class: str, kind: str, contexts: list[str]) -> None:
    """The class says first; a machine is one on whatever trunk."""
    assert contexts == [context.id for context in BOOK.eras[-1].contexts_of(ingress_class, kind)]


def test_the_hardest_ruling_decides() -> None:
    """A robot's mobile from abroad is refused and not only masked."""
    ruling = BOOK.eras[-1].ruling("mobile", "international", "automated")
    assert (ruling.action, ruling.id) == ("deny", "mobile.automated")


def test_switches_and_own_prefixes() -> None:
    """An operator's choices are in the compiled book."""
    book = RuleBook(
        built_in_ruleset("fr-arcep"),
        switches={"premium_manual": "allow_if_listed"},
        categories={"mobile_saint_martin": ["+5906901"], "ours": ["+3319900"]},
    )
    era = book.eras[-1]
    assert era.ruling("special_premium_081_082", "national", "human").action == "allow_if_listed"
    assert BOOK.eras[-1].ruling("special_premium_081_082", "national", "human").action == "deny"
    assert era.category_of("+590690123456") == "mobile_saint_martin"
    assert era.ruling("ours", "international", "human").action == "allow"
    assert era.ruling("ours", "national", "human").action == "allow_if_listed"
    assert (book.choice("premium_manual", "x"), book.choice("no such", "x")) == ("allow_if_listed", "x")
    assert era.category("ours") is None


def test_saint_martin_has_two_more_years() -> None:
    """Where the document names ranges of Saint-Martin, they are masked from 2028."""
    assert BOOK.on(date(2027, 12, 31)).ruling("mobile_saint_martin", "international", "human").action == "allow"
    assert BOOK.on(date(2028, 1, 1)).ruling("mobile_saint_martin", "international", "human").action == "mask"


def test_another_country_is_another_document() -> None:
    """No code knows France: an invented country has its plan, its categories and its days."""
    book = RuleBook(parse_ruleset(NOWHERE))
    assert (book.plan.home, book.plan.trunk_prefix, book.plan.emergency) == ("999", "8", {"01", "02", "03", "04"})
    assert book.on(date(2030, 5, 31)).ruling("town", "national", "human").action == "allow"
    assert book.on(date(2030, 6, 1)).ruling("town", "national", "human").action == "mask"
    assert book.eras[-1].category_of("+33199001234") == "foreign"
    assert book.name == "nl-nowhere 2030-01-01"


def test_the_cache_is_bounded() -> None:
    """Callers cannot fill the memory with their numbers."""
    era = BOOK.eras[-1]
    for number in range(CACHE_LIMIT + 5):
        era.category_of(f"+4470{number}")
    assert len(era._seen) <= CACHE_LIMIT
