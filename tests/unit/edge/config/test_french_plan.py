"""edge.config.french_plan"""

import re

from edge.config.french_plan import CATEGORIES, COUNTRY_CODES, FIXED, MOBILE, NATIONAL_OVERSEAS, RULES, STATES
from edge.config.schema import CliRuleEntry


def test_prefixes_are_of_the_plan() -> None:
    """Every category prefix is E.164 without its plus and begins with one of the six country codes."""
    for prefixes in CATEGORIES.values():
        for prefix in prefixes:
            assert re.fullmatch("[1-9][0-9]{2,7}", prefix)
            assert prefix.startswith(COUNTRY_CODES)


def test_no_prefix_in_two_categories() -> None:
    """A number has one category."""
    prefixes = [prefix for group in CATEGORIES.values() for prefix in group]
    assert len(prefixes) == len(set(prefixes))


def test_overseas_roots_lead_to_their_code() -> None:
    """A national overseas root has its territory's code, which is one of the plan."""
    assert all(root[0] == "0" and code in COUNTRY_CODES for root, code in NATIONAL_OVERSEAS.items())


def test_rules_are_sound() -> None:
    """The built-in rules fit the schema of the document's own, and name categories that exist."""
    for rule in RULES:
        entry = CliRuleEntry.model_validate(rule)
        assert set(entry.when.categories) <= {*CATEGORIES, *STATES}


def test_derogations_are_not_mobiles() -> None:
    """M2M numbers and verified numbers are categories of their own: automated callers may show them."""
    assert not {"fr-mobile-extended", "fr-verified", "fr-overseas-verified"} & set(MOBILE)
    assert {"fr-verified", "fr-overseas-verified"} <= set(FIXED)
