"""edge.config.rulesets"""

from datetime import date
from importlib import resources

import pytest

from edge.config.errors import PolicyError
from edge.config.ruleset_schema import Dated, RulesetDocument
from edge.config.rulesets import built_in_ruleset, numbers_of, overlap, parse_ruleset, plan_of

FRENCH = (resources.files("edge.config") / "rulesets" / "fr-arcep.toml").read_text("utf-8")


def test_the_built_in_ruleset_is_read_once() -> None:
    """It is packaged data: the same object each time."""
    document = built_in_ruleset("fr-arcep")
    assert isinstance(document, RulesetDocument)
    assert document is built_in_ruleset("fr-arcep")
    assert document.ruleset == "fr-arcep"


def test_the_plan_of_france() -> None:
    """Six country codes, home first, and the emergency numbers of Arcep's public list."""
    plan = plan_of(built_in_ruleset("fr-arcep"))
    assert (plan.home, plan.codes) == ("33", ("33", "262", "590", "594", "596", "508"))
    assert plan.emergency == set(built_in_ruleset("fr-arcep").emergency.numbers)
    assert (len(plan.emergency), plan.national_length, plan.portability_digits) == (13, 10, 5)


def test_every_rule_says_what_it_rests_on() -> None:
    """Law, contract or house, and a confidence; what is uncertain is a switch or the stricter reading."""
    for category in built_in_ruleset("fr-arcep").categories:
        assert category.basis
        assert category.rules
        for rule in category.rules:
            assert rule.basis.partition(":")[0] in ("law", "contract", "house")
            assert rule.conf


def test_prefixes_lie_inside_the_plan() -> None:
    """No category claims a number that the plan does not have."""
    document = built_in_ruleset("fr-arcep")
    codes = plan_of(document).codes
    assert [
        prefix for category in document.categories for prefix in category.prefixes if not prefix.startswith(codes)
    ] == []


def test_section_10_small_system_and_emergency_numbers() -> None:
    """regulation.md section 10: `thresholds.small_system` and `emergency_destinations.numbers`, figure by figure."""
    document = built_in_ruleset("fr-arcep")
    (small,) = document.thresholds
    assert small.id == "small_system"
    assert (small.distinct_called_max, small.window_days, small.outbound_to_inbound_percent_max) == (5, 30, 20)
    unless = {category.id for category in document.categories for rule in category.rules if rule.unless}
    assert unless == {"geographic", "polyvalent", "overseas_fixed"}
    listed = "15 17 18 112 114 115 116000 116111 116117 119 191 196 197"
    assert plan_of(document).emergency == set(listed.split())
    assert document.emergency.prefixes == ()


def test_fiction_ranges_are_geographic_or_mobile() -> None:
    """The numbers of the tests and of the manual are those of regulation, and nobody's."""
    ranges = built_in_ruleset("fr-arcep").test_numbers
    assert len(ranges) == 6
    assert all(len(text) == 23 for text in ranges)


@pytest.mark.parametrize(
    ("text", "numbers"), [("15", ["15"]), ("17-18", ["17", "18"]), ("008-010", ["008", "009", "010"])]
)
def test_numbers_of(text: str, numbers: list[str]) -> None:
    """A range of short numbers, counted out."""
    assert numbers == numbers_of(text)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (("2020-01-01", "2021-01-01"), ("2021-01-01", None), False),
        (("2020-01-01", "2021-01-02"), ("2021-01-01", None), True),
        ((None, None), ("2021-01-01", "2021-01-02"), True),
        ((None, "2021-01-01"), (None, None), True),
        (("2022-01-01", None), (None, "2022-01-01"), False),
    ],
)
def test_overlap(one: tuple[str | None, str | None], other: tuple[str | None, str | None], expected: bool) -> None:
    """The last day is the first on which a thing is no longer so."""

    def dated(span: tuple[str | None, str | None]) -> Dated:
        return Dated.model_validate({"from": span[0], "until": span[1]})

    assert expected == overlap(dated(one), dated(other)) == overlap(dated(other), dated(one))


FAULTS = [
    (
        'service = "sos.fire"',
        'service = "sos.police"',
        "emergency.services[4].service: 'sos.police' is defined twice",
    ),
    ('number = "196"', 'number = "198"', "emergency.services[5].number: 198 is not among emergency.numbers"),
    ('timezone = "Europe/Paris"', 'timezone = "Europe/Lutetia"', "timezone: expected a time zone such as Europe/Paris"),
    ('{ code = "508", digits = [9, 6] }', '{ code = "33", digits = [9] }', "'33' is defined twice"),
    ('{ code = "508", roots', '{ code = "509", roots', "no country code '509'"),
    ('roots = ["0508", "0708"]', 'roots = ["508"]', "expected it to begin with the trunk prefix 0"),
    ("extended_digits = 13", "extended_digits = 0", "expected together with extended_prefixes"),
    ('default = "tag" # the first', 'default = "mask" # the first', "expected one of allow, tag, deny"),
    ('id = "unsigned"', 'id = "undeclared"', "switches[1].id: 'undeclared' is defined twice"),
    ('action = "switch:unassigned_manual"', 'action = "switch:nothing"', "no switch named 'nothing'"),
    ('unless = "small_system"', 'unless = "big_system"', "no threshold named 'big_system'"),
    ('short = ["3008",', 'short = ["3008-3001",', "expected the lower number first"),
    ('"17", "18", "112"', '"18-17", "112"', "expected the lower number first"),
    ('prefixes = ["3389"]', 'prefixes = ["3381"]', "'3381' already belongs to 'special_premium_081_082'"),
    ("until = 2021-02-12, basis", "until = 2019-08-01, basis", "expected a day after 2019-08-01"),
    ("from = 2021-11-17, basis", "from = 2021-02-11, basis", "another rule for context 'intl_unauth' is in force"),
    (
        'contexts = ["manual"], action',
        'contexts = ["manuel"], action',
        "no context named 'manuel'; did you mean manual?",
    ),
    ('id = "unavailable"\n', 'id = "lost"\n', "expected true for withheld, unavailable, malformed, unreadable"),
    ('action = "mask", from', 'action = "hide", from', "got 'hide'"),
    ('conf = "GAP"', 'conf = "sure"', "got 'sure'"),
    ('ruleset = "fr-arcep"', 'ruleset = "fr-arcep"\nlaw = 1', "law: unknown key"),
]


@pytest.mark.parametrize(("old", "new", "message"), FAULTS, ids=[message[:40] for _, _, message in FAULTS])
def test_faults(old: str, new: str, message: str) -> None:
    """Each fault is told with its place and what was expected."""
    assert old in FRENCH
    with pytest.raises(PolicyError) as caught:
        parse_ruleset(FRENCH.replace(old, new), "fr.toml")
    assert message in str(caught.value)
    assert all(problem.path.startswith("fr.toml: ") for problem in caught.value.problems)


def test_days_are_days() -> None:
    """The dates are TOML dates, no texts."""
    mobile = next(entry for entry in built_in_ruleset("fr-arcep").categories if entry.id == "mobile")
    assert date(2026, 1, 1) in [rule.since for rule in mobile.rules]
