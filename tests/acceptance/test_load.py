"""A short load with its figures printed: no call fails, and every count agrees."""

import json
import os

from lab import UPSTREAM, Lab

RATE, SECONDS = int(os.environ.get("TRUNKGATE_LOAD_CPS", "150")), int(os.environ.get("TRUNKGATE_LOAD_S", "10"))


def test_a_load_leaves_no_trace_but_its_cdrs(lab: Lab, capfd):
    """150 calls per second for 10 s: 0 failed; calls = CDRs = settled leases; no number is missing."""
    calls = RATE * SECONDS
    bound_s = SECONDS + 30
    uas = lab.uas("uas_answer_forever__200", calls=calls, bound_s=bound_s, trace=False)
    cpu = lab.edge.cpu_s()
    uac = lab.uac(
        "uac_load__200",
        source=UPSTREAM,
        table="accounts",
        calls=calls,
        rate=RATE,
        hold_ms=100,
        bound_s=bound_s,
        trace=False,
    )
    uac.finish()
    cdrs = lab.cdrs(uac, calls)
    lab.assert_no_lease_is_left()
    cpu = lab.edge.cpu_s() - cpu
    uas.finish()
    assert {("answered", 200, False)} == {(cdr["outcome"], cdr["status"], cdr["degraded"]) for cdr in cdrs}
    assert calls == len({cdr["uid"] for cdr in cdrs})
    numbers = sorted(cdr["seq"] for cdr in cdrs)
    assert numbers == list(range(numbers[0], numbers[0] + calls))
    settled = sum(lab.store.counter(f"acc{number}", "settled_answered") for number in range(10))
    assert calls == settled
    decisions = sorted(cdr["decision_us"] for cdr in cdrs)
    figures = {
        "calls": calls,
        "cps": RATE,
        "failed": 0,
        "retransmissions": uac.statistic("Retransmissions(C)"),
        "edge_cpu_us_per_call": round(cpu * 1e6 / calls),
        "decision_us_p50": decisions[calls // 2],
        "decision_us_p99": decisions[calls * 99 // 100],
    }
    with capfd.disabled():
        print(f"\nload: {json.dumps(figures)}")
