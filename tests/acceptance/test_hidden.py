"""Whole calls with a trunk that is told nothing of who stands behind the edge (`hide_topology`), by SIPp and
baresip."""

import pytest
from lab import RETAIL, Lab, Sipp, free_port, stop, udp_port_is_held, until
from test_peers import start_peer, told

GUARDED = "127.0.0.19"
"""Calls from here come by a trunk that is told nothing of the callees."""

POLICY = """
[[accounts]]
id = "retail"
caps_base = 1000
calls_base = 1000

[[ingress]]
id = "retail-pbx"
sources = ["127.0.0.0/24"]
account = "retail"

[[ingress]]
id = "guarded"
sources = ["127.0.0.19"]
account = "retail"
boundary = { hide_topology = true }

[[egress]]
id = "first"
uri = "sip:127.0.0.1:@FIRST@"
boundary = { hide_topology = true }

[[egress]]
id = "second"
uri = "sip:127.0.0.1:@SECOND@"

[[routes]]
id = "hidden"
prefixes = ["+33145"]
trunks = ["first"]

[[routes]]
id = "open"
prefixes = ["+33146"]
trunks = ["second"]
"""

PAIRS = [
    ("uac_invite__200", "uas_answer__200", "ingress"),
    ("uac_no_ack_to_2xx__uas_resends", "uas_answer__200", "ingress"),
    ("uac_reinvite__200", "uas_reinvite__200", "ingress"),
    ("uac_reinvite_cancelled__487", "uas_reinvite_rings__cancelled", "ingress"),
    ("uac_prack_update__200", "uas_prack_update__200", "ingress"),
    ("uac_in_dialog_requests__200", "uas_in_dialog_requests__200", "ingress"),
    ("uac_early_media__183", "uas_early_media__183", "ingress"),
    ("uac_bye_from_callee__200", "uas_hangs_up__200", "egress"),
    ("uac_forked_2xx__both_relayed", "uas_forked_2xx__acked", "ingress"),
]


class Hidden(Lab):
    """A laboratory whose first egress trunk, and one ingress trunk, are told nothing."""

    def write_policy(self) -> None:
        text = POLICY.replace("@FIRST@", str(self.trunks["first"])).replace("@SECOND@", str(self.trunks["second"]))
        self.policy.write_text(text)


@pytest.fixture(scope="module")
def module_lab(tmp_path_factory):
    lab = Hidden(tmp_path_factory.mktemp("hidden"), options=("--drain-s", "1"))
    try:
        yield lab
    finally:
        lab.stop()


def lines_seen(run: Sipp) -> list[str]:
    """What crossed the wire there, but for the addresses of the media."""
    trace = (run.folder / "messages").read_text(errors="replace")
    return [line for line in trace.splitlines() if not line.startswith(("o=", "c="))]


@pytest.mark.parametrize(("caller", "callee", "release_side"), PAIRS, ids=[pair[0] for pair in PAIRS])
def test_a_call_to_a_trunk_that_is_told_nothing(lab: Hidden, caller, callee, release_side):
    """Each scenario goes as it goes without hiding; nothing that the trunk sees names the caller's host, port or
    Call-ID."""
    uas = lab.uas(callee)
    uac = lab.uac(caller)
    uac.finish()
    uas.finish()
    cdr = lab.cdr(uac)
    assert (cdr["outcome"], cdr["release_side"], cdr["egress_trunk"]) == ("answered", release_side, "first")
    assert [line for line in lines_seen(uas) if RETAIL in line or uac.call in line] == []
    assert any("hidden-" in line for line in lines_seen(uas))
    lab.assert_no_lease_is_left()


@pytest.mark.parametrize(("caller", "callee", "release_side"), PAIRS, ids=[pair[0] for pair in PAIRS])
def test_a_call_of_a_trunk_that_is_told_nothing(lab: Hidden, caller, callee, release_side):
    """The same, and nothing names the callee's port."""
    uas = lab.uas(callee, trunk="second")
    uac = lab.uac(caller, source=GUARDED, called="+33146000009")
    uac.finish()
    uas.finish()
    assert (lab.cdr(uac)["outcome"], lab.cdr(uac)["release_side"]) == ("answered", release_side)
    assert [line for line in lines_seen(uac) if f":{lab.trunks['second']}" in line] == []
    lab.assert_no_lease_is_left()


def test_a_caller_that_gives_up(lab: Hidden):
    """CANCEL and 487."""
    uas = lab.uas("uas_rings__cancelled")
    uac = lab.uac("uac_cancel_while_ringing__487")
    uac.finish()
    uas.finish()
    assert lab.cdr(uac)["outcome"] == "cancelled"
    assert [line for line in lines_seen(uas) if RETAIL in line or uac.call in line] == []
    lab.assert_no_lease_is_left()


def test_a_telephone_calls_through(lab: Hidden):
    """baresip on both sides, with the trunk told nothing: the call stands and ends."""
    callee = start_peer(lab, "baresip", "baresip_pair.py", "callee", f"127.0.0.1:{lab.trunks['first']}")
    before = len(lab.edge.cdrs())
    try:
        until(lambda: udp_port_is_held(lab.trunks["first"]), what="the callee to listen")
        here = f"127.0.0.1:{free_port()}"
        caller = start_peer(lab, "baresip", "baresip_pair.py", "caller", lab.edge.address, here, "+33145000009")
        assert told(lab, caller) == {"call": "established"}
        assert told(lab, callee) == {"call": "answered"}
    finally:
        stop(callee)
    cdr = lab.edge.wait_cdrs("", before + 1)[-1]
    assert (cdr["outcome"], cdr["egress_trunk"]) == ("answered", "first")
    lab.assert_no_lease_is_left()
