"""Other stacks on the way in: Kamailio as upstream neighbour, baresip telephones, aiosip as a sloppy legacy UA."""

import json
import subprocess
from pathlib import Path

import pytest
from lab import RETAIL, UPSTREAM, Lab, free_port, options_status, stop, udp_port_is_held, until

PEERS = Path(__file__).resolve().parent / "peers"
ENVIRONMENTS = PEERS.parents[2] / "build"
"""`scripts/test` makes peer-aiosip and peer-baresip there: what they depend on must not touch our environment."""


def start_peer(lab: Lab, environment: str, script: str, *arguments: object) -> subprocess.Popen[bytes]:
    python = ENVIRONMENTS / f"peer-{environment}" / "bin" / "python"
    assert python.exists(), f"{python} is not there: run scripts/test acceptance"
    command = [str(python), str(PEERS / script), *map(str, arguments)]
    errors = (lab.folder / f"{script}-{arguments[0]}.err").open("wb")
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors)


def told(lab: Lab, process: subprocess.Popen[bytes], bound_s: float = 25) -> dict:
    """What the peer printed at its end."""
    try:
        output, _ = process.communicate(timeout=bound_s)
    finally:
        stop(process)
    errors = "\n".join(path.read_text(errors="replace") for path in lab.folder.glob("*.err"))
    assert process.returncode == 0, errors
    return json.loads(output.splitlines()[-1])


@pytest.fixture
def kamailio(lab: Lab):
    """Kamailio on the trusted upstream address, relaying to the edge; its port."""
    port = free_port(UPSTREAM)
    config = lab.folder / "kamailio.cfg"
    text = (PEERS / "kamailio.cfg").read_text()
    config.write_text(text.replace("@PORT@", str(port)).replace("@EDGE@", str(lab.edge.port)))
    command = ["/usr/sbin/kamailio", "-f", str(config), "-DD", "-E", "-m", "32", "-M", "4", "-Y", str(lab.folder)]
    with (lab.folder / "kamailio.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
    try:
        until(lambda: options_status(port, host=UPSTREAM, bound_s=0.2) == 200, what="Kamailio")
        yield port
    finally:
        stop(process)


def test_a_call_through_an_upstream_proxy(lab: Lab, kamailio):
    """Kamailio record-routes, names the account and relays: INVITE, ACK, re-INVITE and BYE cross both proxies."""
    uas = lab.uas("uas_reinvite__200")
    uac = lab.uac("uac_reinvite__200", source="127.0.0.30", target=f"{UPSTREAM}:{kamailio}")
    uac.finish()
    uas.finish()
    cdr = lab.cdr(uac)
    assert tuple(cdr[key] for key in ("outcome", "account", "ingress_trunk", "release_side")) == (
        "answered",
        "acc1",
        "upstream-proxy",
        "ingress",
    )
    assert not uas.seen("X-Account")  # it was for us alone
    lab.assert_no_lease_is_left()


def test_the_callee_hangs_up_through_an_upstream_proxy(lab: Lab, kamailio):
    """BYE from the callee takes the recorded route back through the edge and Kamailio."""
    uas = lab.uas("uas_hangs_up__200")
    uac = lab.uac("uac_bye_from_callee__200", source="127.0.0.30", target=f"{UPSTREAM}:{kamailio}")
    uac.finish()
    uas.finish()
    assert (lab.cdr(uac)["outcome"], lab.cdr(uac)["release_side"]) == ("answered", "egress")
    lab.assert_no_lease_is_left()


def test_an_upstream_proxy_cancels(lab: Lab, kamailio):
    """Kamailio's CANCEL ends the call that rings behind the edge."""
    uas = lab.uas("uas_rings__cancelled")
    uac = lab.uac("uac_cancel_at_proxy__487", source="127.0.0.30", target=f"{UPSTREAM}:{kamailio}")
    uac.finish()
    uas.finish()
    assert lab.cdr(uac)["outcome"] == "cancelled"
    lab.assert_no_lease_is_left()


def test_one_telephone_calls_another(lab: Lab):
    """baresip on both sides of the edge: the call stands, the caller hangs up, one CDR, no lease."""
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
    assert (cdr["outcome"], cdr["release_side"], cdr["account"]) == ("answered", "ingress", "retail")
    lab.assert_no_lease_is_left()


def test_a_sloppy_legacy_caller_passes(lab: Lab):
    """aiosip sends ACK and BYE to the called number, without a Route, on its INVITE's branch: the call ends well."""
    uas = lab.uas("uas_answer_forever__200")  # its ACK says `CSeq: 1 INVITE`, which no callee can take for an ACK
    caller = start_peer(
        lab, "aiosip", "aiosip_caller.py", "call", lab.edge.port, RETAIL, free_port(RETAIL), "legacy-call"
    )
    assert told(lab, caller) == {"invite": 200, "bye": 200}
    uas.finish()
    (cdr,) = lab.edge.wait_cdrs("legacy-call", 1)
    assert (cdr["outcome"], cdr["release_side"]) == ("answered", "ingress")
    lab.assert_no_lease_is_left()


def test_a_cancel_with_a_branch_of_its_own_matches_nothing(lab: Lab):
    """aiosip's faulty CANCEL gets 481 and cancels nothing: the callee's 486 ends the attempt; nothing leaks."""
    uas = lab.uas("uas_busy_late__486")
    caller = start_peer(
        lab, "aiosip", "aiosip_caller.py", "cancel", lab.edge.port, RETAIL, free_port(RETAIL), "legacy-cancel"
    )
    assert told(lab, caller) == {"cancel": 481, "invite": 486}
    uas.finish()
    (cdr,) = lab.edge.wait_cdrs("legacy-cancel", 1)
    assert (cdr["outcome"], cdr["status"]) == ("failed", 486)
    lab.assert_no_lease_is_left()
