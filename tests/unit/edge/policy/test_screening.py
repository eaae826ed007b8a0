"""edge.policy.screening"""

from collections.abc import Callable

import pytest

from edge.config.snapshot import PolicySnapshot
from edge.policy.attempt import CallAttempt
from edge.policy.identity import identify
from edge.policy.marking import mark
from edge.policy.numbers import read_numbers
from edge.policy.screening import screen
from edge.policy.verdicts import Reason, Refuse

ABROAD = "203.0.113.1"
DIALLER = "192.0.2.200"
CUSTOMER = "192.0.2.1"


@pytest.fixture
def screened(attempt_of: Callable[..., CallAttempt]) -> Callable[..., tuple[Refuse | None, CallAttempt]]:
    """An attempt taken through the first three stages."""

    def run(snapshot: PolicySnapshot, **of: object) -> tuple[Refuse | None, CallAttempt]:
        attempt = attempt_of(**of)
        assert identify(attempt, snapshot) is None
        assert mark(attempt, snapshot) is None
        assert read_numbers(attempt, snapshot) is None
        return screen(attempt, snapshot), attempt

    return run


Screened = Callable[..., tuple[Refuse | None, CallAttempt]]


def test_emergency_is_not_screened(snapshot: PolicySnapshot, screened: Screened) -> None:
    """No CLI keeps an emergency call back (R16)."""
    assert screened(snapshot, source=ABROAD, called="sip:112@h")[0] is None
    assert screened(snapshot, source="198.51.100.1", called="sip:112@h", headers=["X-Account: nobody"])[0] is None


RULES = """
[[cli_rules]]
id = "own"
when = { prefixes = ["+3319900"], except_prefixes = ["+3319900999"], ingress_class = ["international"] }
action = "allow"

[[cli_rules]]
id = "watch"
when = { prefixes = ["+44"], which = "presented" }
action = "shadow-refuse"

[[cli_rules]]
id = "london"
when = { prefixes = ["+4420"], which = "presented" }
action = "allow"

[[cli_rules]]
id = "anonymous"
when = { categories = ["withheld"], account_kind = ["automated"] }
action = "refuse"
reason = "cli_withheld"

[[cli_rules]]
id = "nothing-asserted"
when = { categories = ["unavailable"], which = "network", ingress_class = ["international"] }
action = "refuse"
reason = "cli_invalid"
"""


@pytest.mark.parametrize(
    ("source", "cli", "pai", "refusal", "rule", "shadow", "withheld"),
    [
        (ABROAD, "+33199001234", "", None, "own", [], False),
        (ABROAD, "+33199009991", "+4930123456", None, "", [], False),
        (CUSTOMER, "+441134960000", "", None, "", ["watch"], False),
        (CUSTOMER, "+442079460000", "", None, "london", ["watch"], False),
        (CUSTOMER, "+33199001234", "+442079460000", None, "", [], False),
        (DIALLER, "anonymous", "", Reason.CLI_WITHHELD, "anonymous", [], True),
        (CUSTOMER, "anonymous", "", None, "", [], True),
        (ABROAD, "+4930123456", "", Reason.CLI_INVALID, "nothing-asserted", [], False),
        (ABROAD, "+4930123456", "+4930123456", None, "", [], False),
    ],
)
def test_rules_of_the_document(
    snapshot_with: Callable[..., PolicySnapshot],
    screened: Screened,
    source: str,
    cli: str,
    pai: str,
    refusal: Reason | None,
    rule: str,
    shadow: list[str],
    withheld: bool,
) -> None:
    """The document's rules come first and in order; the first match decides; a shadow rule only takes a note."""
    headers = [f"P-Asserted-Identity: <sip:{pai}@h>"] if pai else []
    verdict, attempt = screened(snapshot_with(RULES), source=source, cli=f"sip:{cli}@h", headers=headers)
    assert (None if refusal is None else Refuse(refusal)) == verdict
    assert (rule, shadow, withheld) == (attempt.rule, attempt.shadow, attempt.withheld)
