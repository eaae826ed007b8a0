"""More new calls than policy or process take: 503 with Retry-After at the door, and a record each."""

from collections import Counter

from lab import Lab

SPARING = "127.0.0.63"
"""Its trunk may place five new calls a second."""
CALLS = 60


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
