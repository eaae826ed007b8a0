"""Calls that pass: whatever the two sides say inside them, the edge keeps one lease and writes one CDR."""

import pytest
from lab import ONE_CALL, ROAMING, Lab

ANSWERED = {
    "outcome": "answered",
    "status": 200,
    "account": "retail",
    "ingress_trunk": "retail-pbx",
    "egress_trunk": "first",
}

PAIRS = [
    ("uac_invite__200", "uas_answer__200", "ingress"),
    ("uac_invite_twice__one_call", "uas_answers_late__200", "ingress"),
    ("uac_no_ack_to_2xx__uas_resends", "uas_answer__200", "ingress"),
    ("uac_session_timer__refresher_uac", "uas_answer__200", "ingress"),
    ("uac_reinvite__200", "uas_reinvite__200", "ingress"),
    ("uac_reinvite_cancelled__487", "uas_reinvite_rings__cancelled", "ingress"),
    ("uac_prack_update__200", "uas_prack_update__200", "ingress"),
    ("uac_in_dialog_requests__200", "uas_in_dialog_requests__200", "ingress"),
    ("uac_early_media__183", "uas_early_media__183", "ingress"),
    ("uac_bye_from_callee__200", "uas_hangs_up__200", "egress"),
    ("uac_compact_folded__200", "uas_compact_folded__verbatim", "ingress"),
    ("uac_preloaded_route__200", "uas_preloaded_route__gone", "ingress"),
    ("uac_behind_proxy__route_kept", "uas_behind_proxy__route_kept", "egress"),
    ("uac_forked_2xx__both_relayed", "uas_forked_2xx__acked", "ingress"),
]


@pytest.mark.parametrize(("caller", "callee", "release_side"), PAIRS, ids=[pair[0] for pair in PAIRS])
def test_a_call_passes(lab: Lab, caller, callee, release_side):
    """Both sides see on the wire what their scenario says; one CDR tells it; no lease is left."""
    uas = lab.uas(callee)
    uac = lab.uac(caller)
    uac.finish()
    uas.finish()
    cdr = lab.cdr(uac)
    assert ANSWERED | {"release_side": release_side} == {key: cdr[key] for key in [*ANSWERED, "release_side"]}
    assert cdr["candidates"] == [["first", 200]]
    assert cdr["received_at"] <= cdr["decided_at"] <= cdr["sent_at"] <= cdr["answered_at"] <= cdr["released_at"]
    lab.assert_no_lease_is_left()


def test_a_caller_from_anywhere_proves_who_it_is(lab: Lab):
    """407, credentials, a call of the account behind the user name: one CDR, and no credentials at the callee."""
    uas = lab.uas("uas_answer__200")
    uac = lab.uac("uac_digest__200", source=ROAMING)
    uac.finish()
    uas.finish()
    cdr = lab.cdr(uac)
    assert (cdr["outcome"], cdr["account"], cdr["ingress_trunk"]) == ("answered", "retail", "roaming")
    assert not uas.seen("Proxy-Authorization")
    lab.assert_no_lease_is_left()


def test_the_slow_caller_saw_every_copy_of_the_answer(lab: Lab):
    """The callee's repeated 200 is relayed each time: the edge does not repeat it itself and does not swallow it."""
    uas = lab.uas("uas_answer__200")
    uac = lab.uac("uac_no_ack_to_2xx__uas_resends")
    uac.finish()
    uas.finish()
    assert uac.received("SIP/2.0 200 OK") >= 3  # two copies at least, and the 200 to BYE
    lab.cdr(uac)
    lab.assert_no_lease_is_left()


def test_both_hang_up_at_once(lab: Lab):
    """Two BYEs cross: each is answered, the lease is given back once, one CDR says that the caller was first."""
    uas = lab.uas("uas_hangs_up_too__200")
    uac = lab.uac("uac_bye_both__200")
    uac.finish()
    uas.finish()
    assert (lab.cdr(uac)["outcome"], lab.cdr(uac)["release_side"]) == ("answered", "ingress")
    lab.assert_no_lease_is_left()


def test_a_running_call_holds_one_lease(lab: Lab):
    """From admission to BYE the account has one call in use, and none after it."""
    uas = lab.uas("uas_answer__200")
    uac = lab.uac("uac_invite__200", source=ONE_CALL, hold_ms=400)
    lab.wait_leases("one-call", 1)
    uac.finish()
    uas.finish()
    cdr = lab.cdr(uac)
    assert (cdr["account"], cdr["in_use"], cdr["outcome"]) == ("one-call", 1, "answered")
    assert 400 <= cdr["duration_ms"] < 5000
    lab.wait_leases("one-call", 0)


def test_an_emergency_call_passes_every_ceiling(lab: Lab):
    """An account without a single concurrent call still reaches 112."""
    uas = lab.uas("uas_answer__200")
    uac = lab.uac("uac_invite__200", source="127.0.0.18", called="112")
    uac.finish()
    uas.finish()
    cdr = lab.cdr(uac)
    assert (cdr["account"], cdr["emergency"], cdr["outcome"], cdr["called"]) == ("no-calls", True, "answered", "112")
    lab.assert_no_lease_is_left()
