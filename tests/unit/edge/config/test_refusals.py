"""edge.config.refusals"""

import pytest

from edge.config.refusals import BUILT_IN, CARRIER, PBX, Reason, RefusalProfile


@pytest.mark.parametrize("profile", BUILT_IN.values(), ids=lambda profile: profile.name)
def test_every_reason_has_an_answer(profile: RefusalProfile) -> None:
    """No refusal without a line: a 4xx, 5xx or 6xx and a Q.850 cause."""
    assert set(Reason) == set(profile.rows)
    for row in profile.rows.values():
        assert 400 <= row.status < 700
        assert 1 <= row.q850 <= 127


@pytest.mark.parametrize(
    ("reason", "status", "q850"),
    [
        (Reason.UNKNOWN_SOURCE, 403, 21),
        (Reason.ACCOUNT_SUSPENDED, 403, 21),
        (Reason.CLI_REFUSED, 403, 21),
        (Reason.CLI_WITHHELD, 433, 21),
        (Reason.CLI_INVALID, 403, 28),
        (Reason.CAPS, 503, 42),
        (Reason.CALLS, 503, 34),
        (Reason.CREDIT, 402, 21),
        (Reason.DESTINATION_BARRED, 403, 21),
        (Reason.NO_ROUTE, 404, 3),
        (Reason.TRUNKS_FAILED, 503, 41),
        (Reason.STORE_AWAY, 503, 41),
        (Reason.OVERLOADED, 503, 42),
    ],
)
def test_carrier(reason: Reason, status: int, q850: int) -> None:
    """The carrier's table is ruling R5."""
    row = CARRIER.rows[reason]
    assert (status, q850) == (row.status, row.q850)


def test_pbx_differs_in_capacity_only() -> None:
    """A PBX hears 480 with Retry-After for CAPS and concurrent calls, and all else as a carrier does."""
    different = {reason for reason in Reason if PBX.rows[reason] != CARRIER.rows[reason]}
    shared = {Reason.PREFIX_CAPS, Reason.PREFIX_CALLS, Reason.GROUP_CAPS, Reason.GROUP_CALLS}
    assert {Reason.CAPS, Reason.CALLS} | shared == different
    assert all(PBX.rows[reason].status == 480 and PBX.rows[reason].retry_after for reason in different)


def test_503_is_for_capacity_and_failure_only() -> None:
    """An upstream reroutes on 503: no judgement of the caller may say it."""
    assert {
        Reason.CAPS,
        Reason.CALLS,
        Reason.PREFIX_CAPS,
        Reason.PREFIX_CALLS,
        Reason.GROUP_CAPS,
        Reason.GROUP_CALLS,
        Reason.TRUNK_CEILINGS,
        Reason.TRUNKS_FAILED,
        Reason.STORE_AWAY,
        Reason.OVERLOADED,
        Reason.DRAINING,
    } == {reason for reason, row in CARRIER.rows.items() if row.status == 503}
