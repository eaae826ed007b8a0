"""edge.config.listing"""

import pytest

from edge.config.listing import check_defaults, listed, listed_with
from edge.config.ownership import OwnershipError
from edge.config.parsing import parse_policy
from edge.config.rulesets import built_in_ruleset, plan_of

FRANCE = plan_of(built_in_ruleset("fr-arcep"))
DOCUMENT = parse_policy(
    """
[[accounts]]
id = "acc0..acc2"
cli = { numbers = ["+33199001200..+33199001299"], default = "+33199001200" }

[[accounts]]
id = "acme"
cli = { default = "+33261910000" }
"""
)


def test_a_range_of_accounts_shares_its_list() -> None:
    """Each account of the range may present what the entry lists."""
    ownership = listed(DOCUMENT, FRANCE).build()
    assert [ownership.owns(f"acc{number}", "+33199001250") for number in range(4)] == [True, True, True, False]


def test_the_file_comes_besides() -> None:
    """Lines of the file add to what the document lists, and make a list where there was none."""
    ownership = listed_with(DOCUMENT, FRANCE, [b"acc1,+33199005000\n", b"acme,+33261910000,+33261910009"])
    assert (ownership.owns("acc1", "+33199001250"), ownership.owns("acc1", "+33199005000")) == (True, True)
    assert ownership.owns("acme", "+33261910009")
    with pytest.raises(OwnershipError):
        listed_with(DOCUMENT, FRANCE, [b"acc3,+33199005000"])


def test_a_default_number_is_the_accounts_own() -> None:
    """Where a list is kept, a default outside it is a mistake; where none is, it cannot be known."""
    assert list(check_defaults(DOCUMENT, listed(DOCUMENT, FRANCE).build())) == []
    wrong = listed_with(DOCUMENT, FRANCE, [b"acme,+33261910001"])
    assert [str(problem) for problem in check_defaults(DOCUMENT, wrong)] == [
        "accounts[1].cli.default: +33261910000 is not among the numbers of 'acme'"
    ]
