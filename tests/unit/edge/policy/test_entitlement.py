"""edge.policy.entitlement"""

from collections.abc import Callable

import pytest

from edge.config.snapshot import PolicySnapshot
from edge.policy.attempt import CallAttempt
from edge.policy.entitlement import be_entitled
from edge.policy.identity import identify
from edge.policy.lawfulness import obey_law
from edge.policy.marking import mark
from edge.policy.numbers import read_numbers
from edge.policy.screening import screen

OWN, OTHER, MINE_TOO = "+33199001234", "+33261910000", "+33199001299"
LIST = 'cli = { numbers = ["+33199001200..+33199001299", "3000"], default = "+33199001200"'


def judged(snapshot: PolicySnapshot, attempt: CallAttempt) -> tuple[str, str, str, list[str]]:
    """(token of the refusal, treatment, number substituted, tags) after the stage."""
    for stage in (identify, mark, read_numbers, screen, obey_law):
        assert stage(attempt, snapshot) is None
    refusal = be_entitled(attempt, snapshot)
    return "" if refusal is None else refusal.reason.value, attempt.treatment, attempt.substitute, attempt.tags


@pytest.fixture
def run(attempt_of: Callable[..., CallAttempt], account_with: Callable[..., PolicySnapshot]) -> Callable[..., object]:
    """The customer's attempt with this CLI and these headers, its account set like this."""

    def outcome(
        settings: str, cli: str = OWN, *headers: str, source: str = "192.0.2.1"
    ) -> tuple[str, str, str, list[str]]:
        uri = "sip:anonymous@anonymous.invalid" if cli == "anonymous" else f"sip:{cli}@h"
        return judged(account_with(settings), attempt_of(source=source, cli=uri, headers=headers))

    return outcome


PASSES = ("", "", "", [])


@pytest.mark.parametrize("cli", [OWN, "0199001200", "+33199001299", "3000"])
def test_its_own_number(run, cli):
    """Any spelling of any number on the list."""
    assert run(LIST + " }", cli) == PASSES


@pytest.mark.parametrize("cli", [OTHER, "+33199001300", "alice", "3001", "+442079460000"])
@pytest.mark.parametrize(
    ("unowned", "expected"),
    [
        ("refuse", ("cli_not_owned", "", "", [])),
        ("substitute", ("", "substitute", "+33199001200", ["cli_unowned"])),
        ("mask", ("", "mask", "+33199001200", ["cli_unowned"])),
        ("tag", ("", "", "", ["cli_unowned"])),
    ],
)
def test_anothers_number(run, cli, unowned, expected):
    """Refused, replaced, masked or marked, as the account is set."""
    assert run(f'{LIST}, unowned = "{unowned}" }}', cli) == expected


def test_no_list(run):
    """Until one is kept the call passes and is marked."""
    assert run("", OTHER) == ("", "", "", ["cli_undeclared"])


@pytest.mark.parametrize(
    ("mismatch", "asserted", "reason"),
    [
        ("owned", MINE_TOO, ""),
        ("owned", OTHER, "cli_mismatch"),
        ("same", MINE_TOO, "cli_mismatch"),
        ("same", "0199001234", ""),
        ("ignore", OTHER, ""),
    ],
)
def test_asserted_beside_from(run, mismatch, asserted, reason):
    """P-Asserted-Identity, and Remote-Party-ID the same: owned, the same as From, or not looked at."""
    for header in ("P-Asserted-Identity", "Remote-Party-ID"):
        assert run(f'{LIST}, mismatch = "{mismatch}" }}', OWN, f"{header}: <sip:{asserted}@h>")[0] == reason


def test_another_number_asserted_may_be_replaced(run):
    """`unowned` says what becomes of it here too."""
    settings = f'{LIST}, unowned = "substitute" }}'
    assert run(settings, OWN, f"P-Asserted-Identity: <sip:{OTHER}@h>") == (
        "", "substitute", "+33199001200", ["cli_mismatch"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("header", "passes"),
    [
        (f"Diversion: <sip:{MINE_TOO}@h>;reason=unconditional", True),
        (f"Diversion: <sip:{OTHER}@h>, <tel:0199001299>;counter=1", True),
        (f"History-Info: <sip:{MINE_TOO}@h?Reason=SIP%3Bcause%3D302>;index=1, <sip:+33261910000@h>;index=1.1", True),
        (f"History-Info: <sip:{OTHER}@h>;index=1, <sip:{MINE_TOO}@h>;index=1.1", False),
        (f"Diversion: <sip:{OTHER}@h>", False),
        ("Diversion: nonsense", False),
        (f"X-Diversion: <sip:{MINE_TOO}@h>", False),
    ],
)
def test_forwarded_calls(run, header, passes):
    """The diverting number must be the account's; the last entry of History-Info is where the call goes, not who sent
    it there. Without leave nobody takes notice: anybody can write such a header."""
    allowed = f'{LIST}, forwarded = "allow" }}'
    expected = ("", "", "", ["cli_forwarded"]) if passes else ("cli_not_owned", "", "", [])
    assert run(allowed, OTHER, header) == expected
    assert run(LIST + " }", OTHER, header)[0] == "cli_not_owned"
    if passes:
        replaced = run(f'{LIST}, forwarded = "substitute" }}', OTHER, header)
        assert replaced == ("", "substitute", "+33199001200", ["cli_forwarded"])


def test_withheld(run):
    """RFC 3323: allowed or not; what is asserted must be its own, and where nothing is, the default number is."""
    assert run(LIST + " }", "anonymous") == ("", "", "+33199001200", [])
    assert run(LIST + " }", "anonymous", f"P-Asserted-Identity: <sip:{OWN}@h>") == PASSES
    assert run(LIST + " }", "anonymous", f"P-Asserted-Identity: <sip:{OTHER}@h>")[0] == "cli_mismatch"
    no_default = 'cli = { numbers = ["+33199001200"] }'
    assert run(no_default, "anonymous") == ("", "", "", ["cli_unidentified"])
    refusing = f'{LIST}, withheld = "refuse" }}'
    for cli, header in (("anonymous", "X: y"), (OWN, "Privacy: id"), (OWN, "Remote-Party-ID: <sip:x@h>;privacy=full")):
        assert run(refusing, cli, header)[0] == "cli_withheld"


def test_nobody_asks_other_operators(run):
    """What comes over an interconnect is no customer's number."""
    assert run(LIST + " }", "+442079460000", source="203.0.113.1") == PASSES


def test_undeclared_switch(attempt_of, snapshot_with):
    """The ruleset leaves it open: `allow`, `tag`, `deny`; in shadow mode nobody is refused."""
    for value, expected in (("allow", ""), ("tag", ""), ("deny", "cli_not_owned")):
        snapshot = snapshot_with(f'[numbers.switches]\nundeclared = "{value}"')
        reason, _, _, tags = judged(snapshot, attempt_of())
        assert (reason, tags) == (expected, ["cli_undeclared"] if value == "tag" else [])
    snapshot = snapshot_with('[numbers]\nrules = "shadow"\n[numbers.switches]\nundeclared = "deny"')
    assert judged(snapshot, attempt_of())[0] == ""


def test_rules_off_still_hold_an_account_to_its_list(attempt_of, account_with):
    """The list is the contract's; switching the law off does not lift it."""
    snapshot = account_with(LIST + " }", '[numbers]\nrules = "off"')
    assert judged(snapshot, attempt_of(cli=f"sip:{OTHER}@h"))[0] == "cli_not_owned"
    assert judged(snapshot, attempt_of(cli=f"sip:{OWN}@h"))[0] == ""


def test_a_mask_of_the_law_stays(attempt_of, account_with):
    """A robot abroad, a foreign number and a machine's mobile beside it: hidden by law, not replaced by the list."""
    settings = f'kind = "automated"\n{LIST}, unowned = "substitute" }}'
    headers = ["P-Asserted-Identity: <sip:+337000000000001@h>"]
    attempt = attempt_of(source="203.0.113.1", cli="sip:+442079460000@h", headers=headers)
    reason, treatment, _, tags = judged(account_with(settings), attempt)
    assert (reason, treatment, tags) == ("", "mask", ["cli_unowned"])
    assert attempt.rule == "mobile_extended.intl_unauth"


@pytest.mark.parametrize(
    ("cli", "tags"),
    [
        ("+33639980001", ["cli_not_delegable"]),
        ("0639980001", ["cli_not_delegable"]),
        ("+337000123456789", ["cli_not_delegable"]),
        (OWN, []),
        ("+33948001000", []),
    ],
)
def test_a_mobile_number_can_be_delegated_to_nobody(run, cli, tags):
    """Numbering plan 2.3.4 g: it names the access it belongs to. On the list it passes, and the record says so."""
    listed = 'cli = { numbers = ["+33639980001", "+337000123456789", "+33948001000", "+33199001234"] }'
    assert run(listed, cli) == ("", "", "", tags)
