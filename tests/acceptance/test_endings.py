"""Calls that nobody ends: the edge ends them, or, when the edge is gone too, their leases run out."""

import signal

import pytest
from lab import Lab, laboratory, until

LEASE_S = 3


@pytest.fixture
def short_lab(tmp_path):
    """An edge whose calls last two seconds at most."""
    with laboratory(tmp_path, options=("--max-duration-s", "2", "--lease-s", str(LEASE_S), "--renew-s", "1")) as lab:
        yield lab


@pytest.fixture
def embedded_lab(tmp_path):
    """An edge on its embedded store, with leases as short as may be."""
    with laboratory(tmp_path, options=("--lease-s", str(LEASE_S), "--renew-s", "1"), store_url="embedded") as lab:
        yield lab


def test_a_call_that_lasts_too_long_is_ended_on_both_sides(short_lab: Lab):
    """At its maximum duration each side gets a BYE in the other's name; the CDR says that the edge did it."""
    uas = short_lab.uas("uas_holds__bye_from_edge")
    uac = short_lab.uac("uac_holds__bye_from_edge")
    uac.finish()
    uas.finish()
    cdr = short_lab.cdr(uac)
    assert (cdr["outcome"], cdr["release_side"]) == ("answered", "edge")
    assert 1900 <= cdr["duration_ms"] <= 4000
    short_lab.assert_no_lease_is_left()


def test_the_lease_of_a_caller_that_vanished_with_the_edge_expires(short_lab: Lab):
    """Caller gone, callee gone, edge killed: the slot is free one lease time later, by itself."""
    uas = short_lab.uas("uas_holds__lease_expires")
    uac = short_lab.uac("uac_vanishes__lease_expires")
    uac.finish()
    uas.finish()
    short_lab.wait_leases("retail", 1)
    short_lab.edge.stop(by=signal.SIGKILL)
    until(lambda: short_lab.store.live_leases("retail") == 0, what="the lease to run out", bound_s=LEASE_S + 2)


def test_killed_in_mid_load_and_started_again(embedded_lab: Lab):
    """SIGKILL of edge and store under 50 CPS, whose callers know nothing of it: the edge that comes back goes on with
    its calls. No number of a CDR comes twice, no call has two, and when the callers have hung up no lease is left."""
    lab = embedded_lab
    uas = lab.uas("uas_answer_forever__200", calls=100_000, bound_s=60)
    # Nobody answers an INVITE any more whose 100 has come from the edge that is killed: such a caller gives up.
    load = lab.uac("uac_invite__200", calls=100_000, rate=50, hold_ms=1_000, bound_s=60, patience_ms=8_000)
    before = lab.edge.wait_cdrs(load.call, 50)
    running = lab.store.leases("retail")
    lab.edge.stop(by=signal.SIGKILL)
    lab.edge = lab.start_edge()
    adopted = until(
        lambda: [record for record in lab.edge.cdrs(load.call) if record["adopted_from"]], what="a call that went on"
    )
    assert running > 0
    assert {record["node"] for record in adopted} == {record["adopted_from"] for record in adopted}
    assert lab.edge.cdrs(load.call)[: len(before)] == before
    lab.edge.wait_cdrs(load.call, len(lab.edge.cdrs(load.call)) + 50)
    load.end_in_order()
    lab.assert_no_lease_is_left()
    uas.stop()
    records = lab.edge.cdrs(load.call)
    assert sum(1 for record in records if record["outcome"] == "answered") >= 100
    uids = [record["uid"] for record in records]
    assert len(uids) == len(set(uids))
    sequence = [record["seq"] for record in lab.edge.cdrs()]
    assert sequence == sorted(set(sequence))
    lab.assert_nothing_escaped()


def test_an_edge_that_is_told_to_stop_drains(short_lab: Lab):
    """SIGTERM: the running call goes on to its BYE, its CDR is written, and the edge ends with status 0."""
    uas = short_lab.uas("uas_answer__200")
    uac = short_lab.uac("uac_invite__200", hold_ms=1000)
    short_lab.wait_leases("retail", 1)
    assert short_lab.edge.stop() == 0
    uac.finish()
    uas.finish()
    assert short_lab.cdr(uac)["outcome"] == "answered"
    short_lab.assert_no_lease_is_left()
