"""More new calls than policy or process take: 503 with Retry-After at the door, and a record each."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import UPSTREAM, Lab, laboratory, until

SPARING = "127.0.0.63"
"""Its trunk may place five new calls a second."""
CALLS = 60
SENSITIVE = ("--overload-wait-ms", "1", "--overload-floor", "5", "--drain-s", "1")
"""An edge that a queue of a millisecond makes refuse calls."""
CROWD_RATE, EMERGENCY_CALLS = 2_000, 10
"""New calls a second, beyond what one process carries; and emergency calls in the midst of them."""


@pytest.fixture
def sensitive(tmp_path: Path) -> Iterator[Lab]:
    with laboratory(tmp_path, options=SENSITIVE) as lab:
        yield lab
        lab.end_runs()
        lab.assert_nothing_escaped()


def test_every_call_over_the_budget_has_its_503_and_its_record(lab: Lab):
    """Sixty at once: each is answered, or refused with a Retry-After of at least 1 (the scenario accepts nothing else);
    a hundred per cent of them are in the records, and an emergency call passes in the midst of it."""
    lab.uas("uas_answer_forever__200", calls=CALLS + 1, trace=False)
    crowd = lab.uac(
        "uac_overload__200_or_503", source=SPARING, table="accounts", calls=CALLS, rate=60, trace=False, bound_s=40
    )
    emergency = lab.uac(
        "uac_load__200", source=SPARING, table="accounts", called="112", calls=1, trace=False, bound_s=40
    )
    emergency.finish()
    crowd.finish()
    ends = Counter((cdr["outcome"], cdr["reason"], cdr["status"]) for cdr in lab.cdrs(crowd, CALLS))

    assert set(ends) == {("answered", "answered", 200), ("refused", "overloaded", 503)}
    assert ends["refused", "overloaded", 503] >= CALLS // 2
    assert lab.cdr(emergency)["outcome"] == "answered"
    lab.assert_no_lease_is_left()


def test_emergency_calls_pass_while_the_edge_sheds_load(sensitive: Lab):
    """R16, CPCE L33-1 f: more calls than the process carries, ordinary ones get their 503 all the while, and 112
    answers every time, from a neighbour of low rank too."""

    def told() -> str:
        return sensitive.edge.log.read_text()

    sensitive.uas("uas_answer_forever__200", calls=1_000_000, trace=False, bound_s=120)
    crowd = sensitive.uac(
        "uac_overload__200_or_503", source=UPSTREAM, table="accounts", calls=1_000_000, rate=CROWD_RATE, trace=False,
        bound_s=120,
    )  # fmt: skip
    until(lambda: "overload.shedding" in told(), what="the edge to shed load", bound_s=60)
    sensitive.edge.wait_cdrs(crowd.call, 1)
    emergency = sensitive.uac(
        "uac_load__200", source=SPARING, table="accounts", called="112", calls=EMERGENCY_CALLS, rate=10, trace=False,
        bound_s=60,
    )  # fmt: skip
    emergency.finish()
    assert "overload.calm" not in told()
    crowd.end_in_order()

    answered = sensitive.cdrs(emergency, EMERGENCY_CALLS)
    assert {(cdr["outcome"], cdr["emergency"], cdr["status"]) for cdr in answered} == {("answered", True, 200)}
    ordinary = sensitive.edge.wait_cdrs(crowd.call, crowd.statistic("TotalCallCreated"), bound_s=60)
    refused = [cdr for cdr in ordinary if cdr["outcome"] == "refused"]
    assert {(cdr["reason"], cdr["status"]) for cdr in refused} == {("overloaded", 503)}
    instants = sorted(cdr["received_at"] for cdr in refused)
    assert all(instants[0] < cdr["received_at"] < instants[-1] for cdr in answered)
    sensitive.assert_no_lease_is_left()
