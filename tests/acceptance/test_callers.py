"""Who may be shown as the caller: refused, replaced, masked, on the wire and in the record."""

import pytest
from lab import INTERNATIONAL, RETAIL, SUSPENDED, Lab

LISTED, REPLACED = "127.0.0.61", "127.0.0.62"
OWN, OTHER, MOBILE = "+33199001234", "+33261910000", "+33639980001"

REFUSED = [
    ("uac_invite_not_owned_cli__403", OTHER, "cli_not_owned", 403),
    ("uac_invite_mismatched_pai__403", OWN, "cli_mismatch", 403),
    ("uac_invite_withheld_cli__433", OWN, "cli_withheld", 433),
]


def cli_tags(cdr: dict) -> list[str]:
    """What the record says of the caller's number; how short the call was is another matter."""
    return [tag for tag in cdr["tags"] if tag.startswith("cli_")]


@pytest.mark.parametrize(("scenario", "cli", "reason", "status"), REFUSED, ids=[row[0] for row in REFUSED])
def test_a_caller_that_the_list_does_not_name(lab: Lab, scenario, cli, reason, status):
    """Contract article 9.1.8: an account is held to the numbers listed for it; nothing is taken."""
    uac = lab.uac(scenario, source=LISTED, cli=cli)
    uac.finish()
    cdr = lab.cdr(uac)
    assert (reason, status, "refused", "listed") == (cdr["reason"], cdr["status"], cdr["outcome"], cdr["account"])
    lab.assert_no_lease_is_left()


def test_its_own_number_passes(lab: Lab):
    """The same account with a number on its list."""
    uas = lab.uas("uas_answer__200")
    uac = lab.uac("uac_invite__200", source=LISTED, cli=OWN)
    uac.finish()
    uas.finish()
    cdr = lab.cdr(uac)
    assert ("answered", OWN, "") == tuple(cdr[k] for k in ("outcome", "cli_presented", "cli_rewritten"))
    assert cli_tags(cdr) == []


def test_anothers_number_is_replaced(lab: Lab):
    """The callee is shown the default number; the caller sees its own."""
    uas = lab.uas("uas_substituted_cli__default")
    uac = lab.uac("uac_substituted_cli__from_kept", source=REPLACED, cli=OTHER)
    uac.finish()
    uas.finish()
    assert not uas.seen(OTHER)
    cdr = lab.cdr(uac)
    assert (OTHER, "+33199001200", ["cli_unowned"]) == (cdr["cli_presented"], cdr["cli_rewritten"], cli_tags(cdr))
    lab.assert_no_lease_is_left()


MASKED = [
    ("uac_masked_reinvites__from_kept", "uas_masked_reinvites__anonymous", "ingress"),
    ("uac_masked_bye_from_callee__from_kept", "uas_masked_hangs_up__anonymous", "egress"),
]


@pytest.mark.parametrize(("caller", "callee", "side"), MASKED, ids=[row[0] for row in MASKED])
def test_a_french_mobile_from_abroad_is_masked(lab: Lab, caller, callee, side):
    """Arcep 2025-2215: the callee never sees the number, the caller never sees anything else."""
    uas = lab.uas(callee)
    uac = lab.uac(caller, source=INTERNATIONAL, cli=MOBILE)
    uac.finish()
    uas.finish()
    assert not uas.seen(MOBILE)
    cdr = lab.cdr(uac)
    assert (MOBILE, "anonymous", "mobile.intl_unauth", "answered", side) == tuple(
        cdr[key] for key in ("cli_presented", "cli_rewritten", "rule", "outcome", "release_side")
    )
    assert cdr["ruleset"].startswith("fr-arcep ")
    lab.assert_no_lease_is_left()


def test_an_unlisted_account_is_marked(lab: Lab):
    """Where no list is kept, the call passes and the record says so."""
    uas = lab.uas("uas_answer__200")
    uac = lab.uac("uac_invite__200", source=RETAIL, cli=OWN)
    uac.finish()
    uas.finish()
    assert cli_tags(lab.cdr(uac)) == ["cli_undeclared"]


@pytest.mark.parametrize("source", [SUSPENDED, LISTED, INTERNATIONAL], ids=["suspended", "not its number", "abroad"])
def test_an_emergency_call_passes(lab: Lab, source):
    """Suspended (contract 13.1), another's number (9.1.8), a fixed number from abroad (7.1.1): 112 is reached."""
    uas = lab.uas("uas_answer__200")
    uac = lab.uac("uac_invite__200", source=source, cli=OTHER, called="112")
    uac.finish()
    uas.finish()
    cdr = lab.cdr(uac)
    assert (cdr["emergency"], cdr["outcome"], cdr["cli_rewritten"]) == (True, "answered", "")
    lab.assert_no_lease_is_left()
