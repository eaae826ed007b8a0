"""Calls that do not pass: the answer on the wire, the reason in the CDR, and nothing taken."""

import pytest
from lab import FIVE_CAPS, GUESSING, INTERNATIONAL, ONE_CALL, RETAIL, ROBOT, STRANGER, SUSPENDED, Lab, rows

SINGLE = [
    (
        "uac_invite_unknown_source__403",
        STRANGER,
        "+33145000009",
        {"reason": "unknown_source", "status": 403, "q850": 21, "account": ""},
    ),
    (
        "uac_invite_suspended__403",
        SUSPENDED,
        "+33145000009",
        {"reason": "account_suspended", "status": 403, "account": "suspended"},
    ),
    ("uac_invite_no_route__404", RETAIL, "+442079460000", {"reason": "no_route", "status": 404, "q850": 3}),
    (
        "uac_session_interval__422",
        RETAIL,
        "+33145000009",
        {"reason": "session_interval", "status": 422, "account": ""},
    ),
    ("uac_max_forwards_0__483", RETAIL, "+33145000009", {"status": 483}),
    ("uac_proxy_require__420", RETAIL, "+33145000009", {"status": 420}),
]


@pytest.mark.parametrize(("scenario", "source", "called", "told"), SINGLE, ids=[row[0] for row in SINGLE])
def test_a_refusal(lab: Lab, scenario, source, called, told):
    """No callee is there to be called: the edge answers by itself and leaves one CDR."""
    uac = lab.uac(scenario, source=source, called=called)
    uac.finish()
    cdr = lab.cdr(uac)
    assert told | {"outcome": "refused", "candidates": []} == {
        key: cdr[key] for key in [*told, "outcome", "candidates"]
    }
    lab.assert_no_lease_is_left()


TABLES = [
    ("uac_invite_intl_fixed_cli__403", INTERNATIONAL, "french_fixed_clis"),
    ("uac_invite_intl_fixed_pai__403", INTERNATIONAL, "french_fixed_pais"),
    ("uac_invite_automated_mobile_cli__403", ROBOT, "french_mobile_clis"),
]


@pytest.mark.parametrize(("scenario", "source", "table"), TABLES, ids=[row[0] for row in TABLES])
def test_a_caller_number_is_refused_in_every_spelling(lab: Lab, scenario, source, table):
    """Each line of the table is one attempt, refused with cause 21; one CDR each says by which rule."""
    count = rows(table)
    uac = lab.uac(scenario, source=source, table=table, calls=count)
    uac.finish()
    cdrs = lab.cdrs(uac, count)
    assert {("refused", 403, 21)} == {(cdr["outcome"], cdr["status"], cdr["q850"]) for cdr in cdrs}
    assert all(cdr["rule"] for cdr in cdrs)
    lab.assert_no_lease_is_left()


def test_a_foreign_caller_passes_the_international_trunk(lab: Lab):
    """The rule asks for French fixed numbers only; a robot with a foreign number and a human with a mobile one pass."""
    for source, cli in ((INTERNATIONAL, "+442079460000"), (INTERNATIONAL, "+33612345678"), (RETAIL, "+33145000001")):
        uas = lab.uas("uas_answer__200")
        uac = lab.uac("uac_invite__200", source=source, cli=cli)
        uac.finish()
        uas.finish()
        assert ("answered", cli) == (lab.cdr(uac)["outcome"], lab.cdr(uac)["cli_presented"])
    lab.assert_no_lease_is_left()


def test_concurrent_calls_over_the_ceiling(lab: Lab):
    """While the one call of the account runs, the next is refused; when it has ended, the next passes."""
    uas = lab.uas("uas_answer__200", calls=2)
    running = lab.uac("uac_invite__200", source=ONE_CALL, hold_ms=1500)
    lab.wait_leases("one-call", 1)
    refused = lab.uac("uac_invite_over_calls__503", source=ONE_CALL)
    refused.finish()
    cdr = lab.cdr(refused)
    assert tuple(cdr[k] for k in ("reason", "limit", "ceiling", "in_use", "q850")) == ("calls", "calls", 1, 1, 34)
    running.finish()
    lab.wait_leases("one-call", 0)
    again = lab.uac("uac_invite__200", source=ONE_CALL)
    again.finish()
    uas.finish()
    lab.cdr(again)
    lab.wait_leases("one-call", 0)


def test_a_burst_over_caps(lab: Lab):
    """20 attempts at once: the bucket of 5 CAPS and what refills meanwhile pass, the rest is told when to come back."""
    uas = lab.uas("uas_answer_forever__200", calls=20)
    uac = lab.uac("uac_burst_over_caps__503", source=FIVE_CAPS, calls=20, rate=1000)
    uac.finish()
    cdrs = lab.cdrs(uac, 20)
    passed = [cdr for cdr in cdrs if cdr["outcome"] == "answered"]
    refused = [cdr for cdr in cdrs if cdr["outcome"] == "refused"]
    assert len(passed) + len(refused) == 20
    assert 5 <= len(passed) <= 7
    assert {("caps", 503, 5)} == {(cdr["reason"], cdr["status"], cdr["ceiling"]) for cdr in refused}
    uas.stop()
    lab.assert_no_lease_is_left()


def test_a_loop_is_found(lab: Lab):
    """A trunk that is the edge itself: the second passage is refused as a loop, and the caller is told so."""
    uac = lab.uac("uac_loop__482", called="+33145999001")
    uac.finish()
    assert lab.cdrs(uac, len(lab.edge.wait_cdrs(uac.call, 1)))[-1]["status"] == 482
    lab.assert_no_lease_is_left()


OUTSIDE = ["uac_options__200", "uac_register__405", "uac_stray_bye__481", "uac_stray_cancel__481", "uac_malformed__400"]


@pytest.mark.parametrize("scenario", OUTSIDE)
def test_what_is_no_call_takes_nothing(lab: Lab, scenario):
    """Requests that open no call are answered by the edge and hold nothing."""
    uac = lab.uac(scenario)
    uac.finish()
    lab.assert_no_lease_is_left()


def test_guesses_at_a_password_end(lab: Lab):
    """Three wrong ones are asked again and are on record; then the right one is not looked at either."""
    uac = lab.uac("uac_digest_guesses__403", source=GUESSING)
    uac.finish()
    cdrs = lab.cdrs(uac, 4)
    assert [(cdr["status"], cdr["reason"]) for cdr in cdrs] == [(407, "credentials_refused")] * 3 + [
        (403, "locked_out")
    ]
    lab.assert_no_lease_is_left()
