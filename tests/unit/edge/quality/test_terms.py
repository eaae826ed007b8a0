"""edge.quality.terms: what is in force, between the policy and the store"""

import pytest

from edge.config.errors import PolicyError
from edge.config.parsing import parse_policy
from edge.quality.terms import Terms, read_terms, terms_of

POLICY = """
currency = "USD"
[[accounts]]
id = "acme"
[quality]
time_zone = "UTC"
short_s = 6
uncounted = ["refused", "abandoned", "emergency", "lost", "cancelled"]
[[quality.rules]]
id = "asr"
metric = "asr"
threshold = 50
minimum = 1
penalty = "0.015"
action = "throttle"
accounts = ["acme"]
[[quality.rules]]
id = "slow"
metric = "pdd"
threshold = 4000
of = "trunks"
action = "suspend"
[penalties]
complaint = "250.50"
[billing]
lots_by = "day"
minimum_month = "0"
"""


def test_terms_survive_the_store():
    """Written by one node, read by all."""
    terms = terms_of(parse_policy(POLICY))
    found = read_terms(terms.to_text())
    assert found == terms
    assert found.to_text() == terms.to_text()


def test_a_rule_of_the_policy_takes_the_place_of_the_contract_s():
    """The others stay."""
    terms = terms_of(parse_policy(POLICY))
    assert [(rule.id, rule.threshold, rule.penalty_micros) for rule in terms.rules] == [
        ("asr", 50, 15_000),
        ("slow", 4_000, 0),
        ("acd", 15, 20_000),
        ("short_calls", 10, 20_000),
    ]
    assert [rule.id for rule in terms.rules_for("acme")] == ["asr", "acd", "short_calls"]
    assert [rule.id for rule in terms.rules_for("other")] == ["acd", "short_calls"]
    assert [(rule.id, rule.action) for rule in terms.rules_for("trunk:out")] == [("slow", "notify")]
    assert (terms.case_micros("complaint"), terms.case_micros("support")) == (250_500_000, 100_000_000)
    assert terms.definition.short_ms == 6_000
    assert "cancelled" in terms.definition.uncounted


@pytest.mark.parametrize("text", [None, "", "{}", "[]", '{"quality": 1}', '{"currency": "EUR", "quality": {"x": 1}}'])
def test_nothing_readable_means_the_contract(text):
    """A store that is new, or of a newer version."""
    assert read_terms(text) == Terms()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[quality]\ntime_zone = "Mars/Olympus"', "quality.time_zone: expected a time zone of the IANA list"),
        ('[[quality.rules]]\nid = "cli"\nmetric = "asr"\nthreshold = 1', "is the name of another kind of entry"),
        ('[[quality.rules]]\nid = "x"\nmetric = "short"\nthreshold = 1\nmargin = 2', "expected at most the threshold"),
        ('[[quality.rules]]\nid = "x"\nmetric = "asr"\nthreshold = 1\naccounts = ["nobody"]', "no account named"),
        ('[[quality.rules]]\nid = "x"\nmetric = "mos"\nthreshold = 1', "quality.rules[0].metric"),
        ("[penalties]\ncomplaint = 1.5", "penalties.complaint: expected an amount in quotes"),
        ("[billing]\nidle_month = 3", "billing.idle_month"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_place(text, problem):
    """As every other one of the document."""
    with pytest.raises(PolicyError) as caught:
        parse_policy(text)
    assert problem in "\n".join(map(str, caught.value.problems))
