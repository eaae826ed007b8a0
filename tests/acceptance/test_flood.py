"""Strangers flood the edge while neighbours call: nothing of theirs fails, and nothing of the junk is kept or told."""

import json
import subprocess
import sys
from pathlib import Path

from lab import RETAIL, Lab, until

JUNK = Path(__file__).resolve().parents[2] / "scripts" / "junk"
CALLS = 100


def flood(lab: Lab, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(JUNK), lab.edge.address, "--rate", "5000", *options]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)


def test_calls_of_neighbours_pass_under_a_flood(lab: Lab):
    """Scanners, garbage, forged responses from forty addresses: a hundred calls are all answered, some of the senders
    are banned, and no name or number of the junk is in the log or, as anybody's call, in a record."""
    lab.uas("uas_answer_forever__200", calls=CALLS, trace=False)
    junk = flood(lab, "--seconds", "8", "--sources", "40")
    try:
        until(lambda: "source.banned" in lab.edge.log.read_text(), what="a ban")
        uac = lab.uac("uac_load__200", source=RETAIL, table="accounts", calls=CALLS, rate=20, trace=False, bound_s=40)
        uac.finish()
        said, _ = junk.communicate(timeout=30)
    finally:
        junk.kill()
        junk.wait()
    cdrs = lab.cdrs(uac, CALLS)
    log = lab.edge.log.read_text()

    assert {("answered", 200)} == {(cdr["outcome"], cdr["status"]) for cdr in cdrs}
    assert json.loads(said)["sent"] > 10_000
    assert "PRIVATE-NAME" not in log
    assert "33700009999" not in log
    assert not [cdr for cdr in lab.edge.cdrs() if cdr["source"].startswith("127.1.") and cdr["ingress_trunk"]]


def test_an_emergency_call_passes_under_a_flood(lab: Lab):
    """R16."""
    lab.uas("uas_answer_forever__200", calls=1, trace=False)
    junk = flood(lab, "--seconds", "5", "--sources", "40", "--first", "127.2.0.1")
    try:
        uac = lab.uac("uac_load__200", source=RETAIL, table="accounts", called="112", trace=False, bound_s=30)
        uac.finish()
    finally:
        junk.kill()
        junk.wait()

    assert lab.cdr(uac)["emergency"] is True
