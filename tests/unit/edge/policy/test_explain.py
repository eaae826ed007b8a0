"""edge.policy.explain"""

from collections.abc import Callable

import pytest

from edge.config.parsing import parse_policy
from edge.config.snapshot import PolicySnapshot
from edge.policy.explain import explain, imagine
from edge.policy.verdicts import Reason, Refuse
from edge.sip.errors import LocalError, ParseError


@pytest.mark.parametrize(
    ("source", "cli", "called", "steps"),
    [
        (
            "192.0.2.1",
            "01 99 00 12 34",
            "+33261910000",
            [
                "192.0.2.1 is ingress trunk customer, class national; account acme, human",
                "called +33261910000; From +33199001234 (geographic); presented +33199001234",
                "0 rules, none applies",
                "fr-arcep 2026-01-01: allow_if_listed +33199001234 by geographic.manual",
                "no list of numbers is kept for acme",
                "route any: a, b",
                "no price",
            ],
        ),
        ("9.9.9.9", "0199001234", "15", ["9.9.9.9 belongs to no ingress trunk: refused, unknown_source"]),
        (
            "203.0.113.1",
            "tel:+33-1-99-00-12-34",
            "3000",
            [
                "203.0.113.1 is ingress trunk abroad, class international; account acme, human",
                "called 3000; From +33199001234 (geographic); presented +33199001234",
                "0 rules, none applies",
                "fr-arcep 2026-01-01: deny +33199001234 by geographic.intl_unauth: refused, cli_refused",
            ],
        ),
        (
            "203.0.113.1",
            "anonymous",
            "112",
            [
                "203.0.113.1 is ingress trunk abroad, class international; account acme, human",
                "called 112, emergency; From anonymous (withheld); presented withheld",
                "an emergency call is not screened",
                "no rule is asked of an emergency call",
                "the account's list is not asked",
                "route any: a, b",
                "no price",
            ],
        ),
        (
            "198.51.100.2",
            "anonymous",
            "3000",
            [
                "198.51.100.2 is ingress trunk named-only, class national; no account: refused, unknown_account",
            ],
        ),
        (
            "192.0.2.1",
            "sip:edge.example",
            "sip:edge.example",
            [
                "192.0.2.1 is ingress trunk customer, class national; account acme, human",
                "no called number: refused, called_invalid",
            ],
        ),
    ],
)
def test_steps(snapshot: PolicySnapshot, source: str, cli: str, called: str, steps: list[str]) -> None:
    """Each stage says what it found, up to the one that refused."""
    explanation = explain(imagine(source=source, listener="", cli=cli, called=called), snapshot)
    assert steps == [step.found for step in explanation.steps]


def test_refusal_has_its_answer(snapshot: PolicySnapshot) -> None:
    """What the caller would be told, in the words of the profile that applies."""
    attempt = imagine(
        source="192.0.2.200", listener="", cli="+33199001234", called="*31#(x)", asserted=["0639980012", "+33199001234"]
    )
    explanation = explain(attempt, snapshot)
    assert Refuse(Reason.CLI_REFUSED) == explanation.refusal
    assert explanation.answer is not None
    assert explanation.answer.status == 403
    assert "P-Asserted-Identity +33639980012 (mobile)" in explanation.steps[1].found


def test_a_mark_is_told(snapshot_with: Callable[..., PolicySnapshot]) -> None:
    """What the trunk or a header says of the call; nothing where the account's line has said it."""
    more = """
[[ingress]]
id = "robots"
sources = ["192.0.2.77"]
account = "acme"
trusted = true
automated = true
purpose_header = "X-Purpose"
"""
    attempt = imagine(
        source="192.0.2.77",
        listener="",
        cli="0199001234",
        called="0261910000",
        headers=[("X-Purpose", "telemarketing-b2c")],
    )
    told = {step.stage: step.found for step in explain(attempt, snapshot_with(more)).steps}
    assert told["mark"] == "automated, as this call is marked; purpose telemarketing-b2c"


def test_header_and_no_refusal(snapshot: PolicySnapshot) -> None:
    """A header names the account, as it would on the wire."""
    attempt = imagine(
        source="198.51.100.2", listener="", cli="+442079460000", called="0261910000", headers=[("X-Account", "robot")]
    )
    explanation = explain(attempt, snapshot)
    assert (explanation.refusal, explanation.answer) == (None, None)
    assert "account robot, automated" in explanation.steps[0].found


def test_shadow_route_and_numbers_off(snapshot_with: Callable[..., PolicySnapshot]) -> None:
    """Shadow rules, barred routes and unread numbers are told too."""
    more = """
[[cli_rules]]
id = "watch"
when = { prefixes = ["+33"] }
action = "shadow-refuse"
[[routes]]
id = "premium"
prefixes = ["+3389"]
mode = "barred"
"""
    attempt = imagine(source="192.0.2.1", listener="", cli="0199001234", called="0891234567")
    steps = explain(attempt, snapshot_with(more)).steps
    assert "would be refused by watch" in steps[2].found
    assert steps[5].found == "route premium: refused, destination_barred"
    off = explain(
        imagine(source="192.0.2.1", listener="", cli="x", called="y"), snapshot_with("[numbers]\nnormalise = false")
    )
    assert off.steps[1].found == "called y; numbers are not read"


@pytest.mark.parametrize(("cli", "called"), [("sip:a<b", "3000"), ("3000", "sip:a\r\nX: y")])
def test_what_no_message_can_carry(cli: str, called: str) -> None:
    """A value that fits no message is an error of whoever asks, not of the edge."""
    with pytest.raises((LocalError, ParseError)):
        imagine(source="192.0.2.1", listener="", cli=cli, called=called)


def test_how_long_a_refusal_holds_is_that_of_the_instant() -> None:
    """The document's own days where it has some; none before the law."""
    text = """
[telemarketing]
refusals = [{ id = "own", from = 2024-01-01, days = 90 }]
"""
    snapshot = PolicySnapshot(parse_policy(text))
    for wall, days in ((1_700_000_000, 0), (1_764_000_000, 90)):
        attempt = imagine(source="192.0.2.1", listener="", cli="0199001234", called="0261910000", wall=wall)
        assert explain(attempt, snapshot).refusal_days == days
