"""edge.policy.lawfulness"""

from collections.abc import Callable

import pytest

from edge.config.rulesets import parse_ruleset
from edge.config.schema import PolicyDocument
from edge.config.snapshot import PolicySnapshot
from edge.policy.attempt import CallAttempt
from edge.policy.identity import identify
from edge.policy.lawfulness import obey_law
from edge.policy.marking import mark
from edge.policy.numbers import read_numbers
from edge.policy.screening import screen
from edge.policy.verdicts import Reason, Refuse

ABROAD = "203.0.113.1"
DIALLER = "192.0.2.200"
CUSTOMER = "192.0.2.1"


@pytest.fixture
def screened(attempt_of: Callable[..., CallAttempt]) -> Callable[..., tuple[Refuse | None, CallAttempt]]:
    """An attempt taken up to the law."""

    def run(snapshot: PolicySnapshot, **of: object) -> tuple[Refuse | None, CallAttempt]:
        attempt = attempt_of(**of)
        assert identify(attempt, snapshot) is None
        assert mark(attempt, snapshot) is None
        assert read_numbers(attempt, snapshot) is None
        assert screen(attempt, snapshot) is None
        return obey_law(attempt, snapshot), attempt

    return run


Screened = Callable[..., tuple[Refuse | None, CallAttempt]]

FIXED_SPELLINGS = [
    "sip:+33199001234@h",
    "sip:0033199001234@h",
    "sip:33199001234@h",
    "sip:0199001234@h",
    "sip:%2B33199001234@h",
    "sip:+33(0)199001234@h",
    "sip:+330199001234@h",
    "sip:01-99-00-12-34@h",
    "sip:0199001234;phone-context=+33@h;user=phone",
    "sip:199001234;phone-context=+33@h",
    "sip:+33199001234;npdi@h",
    "sip:+33199001234:secret@h",
    "sips:+33199001234@h",
    "tel:+33-1-99-00-12-34",
    "tel:0199001234;phone-context=+33",
    "sip:+33261910000@h",
    "sip:+33353010000@h",
    "sip:+33465710000@h",
    "sip:+33536490000@h",
    "sip:0912345678@h",
    "sip:+33912345678@h",
    "sip:+33162123456@h",
    "sip:+339010123456789@h",
    "sip:0262123456@h",
    "sip:+262262123456@h",
    "sip:+590590123456@h",
    "sip:+594594123456@h",
    "sip:+596596123456@h",
    "sip:+508508412345@h",
    "sip:+508412345@h",
    "sip:+2629478123456@h".replace("3456", "345"),
]


@pytest.mark.parametrize("uri", FIXED_SPELLINGS)
def test_international_fixed_from(snapshot: PolicySnapshot, screened: Screened, uri: str) -> None:
    """A French fixed CLI in From, in any spelling, is refused on international ingress (contract 7.1.1)."""
    refusal, attempt = screened(snapshot, source=ABROAD, cli=uri)
    assert Refuse(Reason.CLI_REFUSED) == refusal
    assert attempt.rule.endswith(".intl_unauth")


@pytest.mark.parametrize("uri", FIXED_SPELLINGS)
@pytest.mark.parametrize("cli", ["sip:+442079460000@h", "sip:anonymous@anonymous.invalid"])
def test_international_fixed_asserted(snapshot: PolicySnapshot, screened: Screened, uri: str, cli: str) -> None:
    """The same in P-Asserted-Identity, though the trunk is not trusted: somebody downstream may show it."""
    refusal, _ = screened(snapshot, source=ABROAD, cli=cli, headers=[f"P-Asserted-Identity: <{uri}>"])
    assert Refuse(Reason.CLI_REFUSED) == refusal


@pytest.mark.parametrize("uri", FIXED_SPELLINGS)
def test_national_fixed_passes(snapshot: PolicySnapshot, screened: Screened, uri: str) -> None:
    """The same numbers pass on national ingress, by hand."""
    assert screened(snapshot, source=CUSTOMER, cli=uri)[0] is None


def test_second_asserted_identity_counts(snapshot: PolicySnapshot, screened: Screened) -> None:
    """Hiding the French number behind a foreign one does not help."""
    headers = ["P-Asserted-Identity: <sip:+442079460000@h>, <tel:+33199001234>"]
    refusal, _ = screened(snapshot, source=ABROAD, cli="sip:+442079460000@h", headers=headers)
    assert Refuse(Reason.CLI_REFUSED) == refusal
    headers = ["P-Asserted-Identity: <sip:+442079460000@h>", "P-Asserted-Identity: 0199001234"]
    assert screened(snapshot, source=ABROAD, cli="sip:+442079460000@h", headers=headers)[0] is not None


@pytest.mark.parametrize(
    "uri",
    [
        "sip:+442079460000@h",
        "sip:+33639980012@h",
        "sip:0639980012@h",
        "sip:+262692123456@h",
        "sip:+33800112112@h",
        "sip:+687123456@h",
        "sip:+1@h",
        "sip:alice@h",
        "sip:anonymous@anonymous.invalid",
        "sip:h",
    ],
)
def test_international_passes(snapshot: PolicySnapshot, screened: Screened, uri: str) -> None:
    """Foreign numbers, French mobiles (roaming), special numbers and calls without a number pass."""
    assert screened(snapshot, source=ABROAD, cli=uri)[0] is None


@pytest.mark.parametrize("uri", ["sip:+331990012@h", "sip:x0199001234@h", "sip:0700012345@h"])
@pytest.mark.parametrize("source", [ABROAD, DIALLER])
def test_disguised_numbers(snapshot: PolicySnapshot, screened: Screened, uri: str, source: str) -> None:
    """A number of the plan that hides from the rules is refused as invalid."""
    assert Refuse(Reason.CLI_INVALID) == screened(snapshot, source=source, cli=uri)[0]


@pytest.mark.parametrize(
    "uri",
    [
        "sip:0639980012@h",
        "sip:+33639980012@h",
        "sip:0033639980012@h",
        "sip:33639980012@h",
        "sip:+33(0)639980012@h",
        "tel:+33-6-39-98-00-12",
        "sip:+33712345678@h",
        "sip:0712345678@h",
        "sip:0692123456@h",
        "sip:+590690123456@h",
    ],
)
def test_automated_mobile(snapshot: PolicySnapshot, screened: Screened, uri: str) -> None:
    """No mobile CLI from automated systems (contract 9.2.3), in From or P-Asserted-Identity; by hand it passes."""
    refusal, attempt = screened(snapshot, source=DIALLER, cli=uri)
    assert (Refuse(Reason.CLI_REFUSED), "mobile.automated") == (refusal, attempt.rule)
    headers = [f"P-Asserted-Identity: <{uri}>"]
    assert Refuse(Reason.CLI_REFUSED) == screened(snapshot, source=DIALLER, headers=headers)[0]
    assert screened(snapshot, source=CUSTOMER, cli=uri)[0] is None


@pytest.mark.parametrize(
    "uri",
    ["sip:+337000123456789@h", "sip:07004123456789@h", "sip:0162123456@h", "sip:0948123456@h", "sip:+590947512345@h"],
)
def test_automated_derogations(snapshot: PolicySnapshot, screened: Screened, uri: str) -> None:
    """M2M numbers of 14 digits and verified numbers are made for automated systems."""
    assert screened(snapshot, source=DIALLER, cli=uri)[0] is None


def test_rules_off(snapshot_with: Callable[..., PolicySnapshot], screened: Screened) -> None:
    """With `rules = "off"` only the document's own rules are asked."""
    assert screened(snapshot_with('[numbers]\nrules = "off"'), source=ABROAD)[0] is None


def test_own_category(snapshot_with: Callable[..., PolicySnapshot], screened: Screened) -> None:
    """A category of the document takes numbers from a built-in one where its prefix is longer."""
    snapshot = snapshot_with('[[categories]]\nid = "ours"\nprefixes = ["+3319900"]')
    assert screened(snapshot, source=ABROAD)[0] is None
    assert screened(snapshot, source=ABROAD, cli="sip:+33261910000@h")[0] is not None


DNO = '[numbers]\ndo_not_originate = ["+33199001200..+33199001209", "3000", "+44207946*"]\n'


@pytest.mark.parametrize("source", [ABROAD, DIALLER, CUSTOMER])
@pytest.mark.parametrize("cli", ["0199001205", "3000", "+442079460000"])
def test_do_not_originate(
    snapshot_with: Callable[..., PolicySnapshot], screened: Screened, source: str, cli: str
) -> None:
    """A number that is only called is nobody's to show, in From or P-Asserted-Identity, whatever else is said of it."""
    refusal, attempt = screened(snapshot_with(DNO), source=source, cli=f"sip:{cli}@h")
    assert (Refuse(Reason.CLI_DO_NOT_ORIGINATE), "do_not_originate", "") == (refusal, attempt.rule, attempt.ruleset)
    headers = [f"P-Asserted-Identity: <sip:{cli}@h>"]
    asserted, _ = screened(snapshot_with(DNO), source=source, cli="sip:+4930123456@h", headers=headers)
    assert Refuse(Reason.CLI_DO_NOT_ORIGINATE) == asserted


@pytest.mark.parametrize("cli", ["+33199001210", "3001", "9" * 5000, "\u0663" * 4])
def test_other_numbers_may_originate(
    snapshot_with: Callable[..., PolicySnapshot], screened: Screened, cli: str
) -> None:
    """And no text, however long or odd, is taken for a number."""
    assert screened(snapshot_with(DNO), source=CUSTOMER, cli=f"sip:{cli}@h".encode())[0] is None


def test_shadow_mode(snapshot_with: Callable[..., PolicySnapshot], screened: Screened) -> None:
    """`rules = "shadow"`: what would have been refused or masked is noted, each once; the call passes as it came."""
    snapshot = snapshot_with('[numbers]\nrules = "shadow"')
    for cli, source, noted in (
        ("+33199001234", ABROAD, ["geographic.intl_unauth"]),
        ("+33639980001", ABROAD, ["mobile.intl_unauth"]),
        ("+33639980001", DIALLER, ["mobile.automated"]),
        ("+442079460000", ABROAD, []),
    ):
        headers = [f"P-Asserted-Identity: <sip:{cli}@h>"]
        refusal, attempt = screened(snapshot, source=source, cli=f"sip:{cli}@h", headers=headers)
        assert (None, noted, "", "") == (refusal, attempt.shadow, attempt.treatment, attempt.rule)


def test_a_tag_is_put_once(snapshot_with: Callable[..., PolicySnapshot], screened: Screened) -> None:
    """From and P-Asserted-Identity of one sort: one tag."""
    snapshot = snapshot_with(
        '[[ingress]]\nid = "n"\nsources = ["192.0.2.99"]\naccount = "acme"\nclass = "interconnect"'
    )
    headers = ["P-Asserted-Identity: <sip:+33199001235@h>", "Identity: e30.e30.c2ln;info=<https://h/c>"]
    _, attempt = screened(snapshot, source="192.0.2.99", cli="sip:+33199001234@h", headers=headers)
    assert attempt.tags == ["geographic.natl_unverified"]


SUBSTITUTE = parse_ruleset(
    """
ruleset = "swap"
title = "A country where every town number is replaced"
version = 2020-01-01
reviewed = 2020-01-01
timezone = "UTC"
contexts = [{ id = "any", title = "every call", kinds = ["human"] }]
plan = { codes = [{ code = "33", digits = [9] }], trunk_prefix = "0" }
emergency = { numbers = ["15"], basis = "law", conf = "P" }

[[categories]]
id = "town"
title = "town"
prefixes = ["33"]
basis = "law"
conf = "P"
rules = [{ contexts = ["any"], action = "substitute", basis = "law", conf = "P" }]

[[categories]]
id = "secret"
title = "numbers nobody may see"
prefixes = ["337"]
basis = "law"
conf = "P"
rules = [{ contexts = ["any"], action = "mask", basis = "law", conf = "P" }]
"""
)


def test_substitution_by_law(account_document: Callable[[str], PolicyDocument], screened: Screened) -> None:
    """The account's default number goes in its place; without one the call cannot be made lawful."""
    snapshot = PolicySnapshot(account_document('cli = { default = "+33199001200" }'), ruleset=SUBSTITUTE)
    refusal, attempt = screened(snapshot, cli="sip:0261910000@h")
    assert (None, "substitute", "+33199001200") == (refusal, attempt.treatment, attempt.substitute)
    none = PolicySnapshot(account_document(""), ruleset=SUBSTITUTE)
    assert Refuse(Reason.CLI_REFUSED) == screened(none, cli="sip:0261910000@h")[0]


def test_general_interest_numbers_are_for_listed_bodies(
    account_with: Callable[..., PolicySnapshot], screened: Screened
) -> None:
    """Law 2025-594 article 16: the account must carry the tag `arrete_listed_body`."""
    cli = 'cli = { numbers = ["+33151000001"] }'
    assert Refuse(Reason.CLI_REFUSED) == screened(account_with(cli), cli="sip:0151000001@h")[0]
    assert screened(account_with(cli + '\ntags = ["arrete_listed_body"]'), cli="sip:0151000001@h")[0] is None


@pytest.mark.parametrize(("cli", "asserted"), [("0730000001", "0199001234"), ("0199001234", "0730000001")])
def test_a_mask_is_harder_than_a_substitution(
    account_document: Callable[[str], PolicyDocument], screened: Screened, cli: str, asserted: str
) -> None:
    """One number is to be replaced and another to be hidden: the caller is hidden, in whatever order they come."""
    snapshot = PolicySnapshot(account_document('cli = { default = "+33199001200" }'), ruleset=SUBSTITUTE)
    headers = [f"P-Asserted-Identity: <sip:{asserted}@h>"]
    refusal, attempt = screened(snapshot, cli=f"sip:{cli}@h", headers=headers)
    assert (None, "mask") == (refusal, attempt.treatment)
