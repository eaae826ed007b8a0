"""edge.config.law"""

from datetime import date

import pytest

from edge.config.law import law_on, numbers_text, span_text
from edge.config.rulebook import RuleBook
from edge.config.rulesets import built_in_ruleset

BOOK = RuleBook(built_in_ruleset("fr-arcep"), switches={"unsigned": "deny"})


def test_a_day() -> None:
    """What holds on a day, since when, and until when nothing changes."""
    law = law_on(BOOK, date(2025, 12, 31))
    assert (law.changed, law.changes) == (date(2024, 10, 1), date(2026, 1, 1))
    assert "npv_overseas_2026" not in [category.id for category in law.categories]
    assert law.always == ("+33800112112",)
    later = law_on(BOOK, date(2026, 8, 11))
    assert (later.changed, later.changes) == (date(2026, 1, 1), date(2028, 1, 1))
    first = law_on(BOOK, date(2000, 1, 1))
    assert (first.changed, first.always) == (None, ())
    assert law_on(BOOK, date(2030, 1, 1)).changes is None


def test_a_line() -> None:
    """Each context of each category has one line, with a switch already turned."""
    law = law_on(BOOK, date(2026, 8, 11))
    for category in law.categories:
        assert sorted(line.context for line in law.lines if line.category == category.id) == [
            "automated", "intl_unauth", "manual", "natl_unsigned",
        ]  # fmt: skip
    unsigned = next(line for line in law.lines if (line.category, line.context) == ("mobile", "natl_unsigned"))
    assert (unsigned.action, unsigned.switch, unsigned.since) == ("deny", "unsigned", date(2024, 10, 1))
    before = law_on(BOOK, date(2025, 12, 31)).lines
    none = next(line for line in before if (line.category, line.context) == ("mobile", "intl_unauth"))
    assert (none.action, none.basis) == ("allow", "")


@pytest.mark.parametrize(
    ("since", "until", "text"),
    [
        (None, None, "always"),
        (date(2026, 1, 1), None, "from 2026-01-01"),
        (None, date(2026, 1, 1), "until 2025-12-31"),
        (date(2019, 8, 1), date(2021, 2, 12), "2019-08-01 to 2021-02-11"),
    ],
)
def test_span_text(since: date | None, until: date | None, text: str) -> None:
    """Both days named are days on which it holds."""
    assert text == span_text(since, until)


def test_numbers_text() -> None:
    """Prefixes, short numbers, or why there are none."""
    texts = {category.id: numbers_text(category) for category in built_in_ruleset("fr-arcep").categories}
    assert texts["special_premium_089"] == "+3389"
    assert texts["short_free_30_31"] == "3000-3007 3009-3169 3180-3199"
    assert (texts["foreign"], texts["withheld"]) == ("every number outside the plan", "not a number")
    assert texts["mobile_saint_martin"] == "none"
