"""CANCEL at every moment, callees that refuse, trunks that fail."""

import pytest
from lab import Lab

CANCELLED = [
    ("uac_cancel_while_ringing__487", "uas_rings__cancelled"),
    ("uac_cancel_silent_callee__487", "uas_rings_late__cancelled"),
]


@pytest.mark.parametrize(("caller", "callee"), CANCELLED, ids=[pair[0] for pair in CANCELLED])
def test_the_caller_gives_up(lab: Lab, caller, callee):
    """CANCEL reaches the callee once it has said something; 487 goes up; the lease is given back."""
    uas = lab.uas(callee)
    uac = lab.uac(caller)
    uac.finish()
    uas.finish()
    cdr = lab.cdr(uac)
    assert (cdr["outcome"], cdr["status"], cdr["release_side"]) == ("cancelled", 487, "ingress")
    assert cdr["answered_at"] is None
    lab.assert_no_lease_is_left()


def test_cancel_right_behind_the_invite(lab: Lab):
    """Before any provisional: whether the INVITE has gone down or not, 487 goes up and nothing is held."""
    uas = lab.uas("uas_rings__cancelled")
    uac = lab.uac("uac_cancel_before_100__487")
    uac.finish()
    cdr = lab.cdr(uac)
    assert cdr["status"] == 487
    assert cdr["outcome"] in ("cancelled", "abandoned")
    if cdr["outcome"] == "cancelled":
        uas.finish()
    else:
        uas.stop()
    lab.assert_no_lease_is_left()


def test_the_answer_crosses_the_cancel(lab: Lab):
    """200 to CANCEL and then 200 to INVITE: the call stands until its BYE."""
    uas = lab.uas("uas_answers_after_cancel__200")
    uac = lab.uac("uac_cancel_too_late__200")
    uac.finish()
    uas.finish()
    cdr = lab.cdr(uac)
    assert (cdr["outcome"], cdr["status"], cdr["release_side"]) == ("answered", 200, "ingress")
    lab.assert_no_lease_is_left()


REFUSED_BY_CALLEE = [
    ("uac_invite_busy__486", "uas_busy__486", 486),
    ("uac_invite_declined__603", "uas_declined__603", 603),
]


@pytest.mark.parametrize(("caller", "callee", "status"), REFUSED_BY_CALLEE, ids=[row[0] for row in REFUSED_BY_CALLEE])
def test_what_the_callee_says_is_final(lab: Lab, caller, callee, status):
    """4xx and 6xx of the callee are relayed; the second trunk, which would answer, is not asked."""
    never_called = lab.uas("uas_answer__200", trunk="second")
    uas = lab.uas(callee)
    uac = lab.uac(caller)
    uac.finish()
    uas.finish()
    cdr = lab.cdr(uac)
    assert ("failed", status, "egress", [["first", status]]) == tuple(
        cdr[k] for k in ("outcome", "status", "release_side", "candidates")
    )
    assert never_called.received("INVITE") == 0
    lab.assert_no_lease_is_left()


def test_a_failure_is_sent_until_it_is_acknowledged(lab: Lab):
    """Timer G: the 486 comes again after 0.5 s and 1 s, and no more once the ACK is there."""
    uas = lab.uas("uas_busy__486")
    uac = lab.uac("uac_drop_final_response__resent")
    uac.finish()
    uas.finish()
    assert uac.received("SIP/2.0 486") in (2, 3)
    assert lab.cdr(uac)["status"] == 486
    lab.assert_no_lease_is_left()


@pytest.mark.parametrize(("trunk", "status"), [("uas_503__next_trunk", 503), ("uas_silent__next_trunk", 408)])
def test_the_next_trunk_takes_the_call(lab: Lab, trunk, status):
    """503 or silence of the first trunk moves the call to the second; the CDR names both; one lease in all."""
    first = lab.uas(trunk)
    second = lab.uas("uas_answer__200", trunk="second")
    uac = lab.uac("uac_invite__200")
    uac.finish()
    second.finish()
    first.finish()
    cdr = lab.cdr(uac)
    assert ("answered", "second", [["first", status], ["second", 200]]) == (
        cdr["outcome"],
        cdr["egress_trunk"],
        cdr["candidates"],
    )
    lab.assert_no_lease_is_left()


def test_a_trunk_that_is_not_there_at_all(lab: Lab):
    """Nobody listens on the first trunk's port: the second takes the call, sooner or later than the silence timer."""
    second = lab.uas("uas_answer__200", trunk="second")
    uac = lab.uac("uac_invite__200")
    uac.finish()
    second.finish()
    assert lab.cdr(uac)["egress_trunk"] == "second"
    lab.assert_no_lease_is_left()


def test_every_trunk_fails(lab: Lab):
    """503 of every trunk: the edge says 503 in its own name, and why."""
    first = lab.uas("uas_503__next_trunk")
    second = lab.uas("uas_503__next_trunk", trunk="second")
    uac = lab.uac("uac_invite_all_trunks_fail__503")
    uac.finish()
    first.finish()
    second.finish()
    cdr = lab.cdr(uac)
    assert (cdr["outcome"], cdr["status"], cdr["candidates"]) == ("failed", 503, [["first", 503], ["second", 503]])
    lab.assert_no_lease_is_left()
