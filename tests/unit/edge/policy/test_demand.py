"""edge.policy.demand"""

from collections.abc import Callable

import pytest

from edge.config.snapshot import PolicySnapshot
from edge.policy.attempt import CallAttempt
from edge.policy.demand import OF_NUMBERS, ask, hidden, read
from edge.policy.pipeline import judge
from edge.policy.verdicts import Reason, Refuse
from limits.frequency import Counts, Frequency
from limits.model import Admit, Admitted, Denied, Limit, Outcome, Unavailable

AWAY = Unavailable("no answer in time")


def test_ask(snapshot: PolicySnapshot, attempt_of: Callable[..., CallAttempt]) -> None:
    """The question names account, call, node and lease."""
    attempt = attempt_of()
    assert judge(attempt, snapshot) is None
    asked = ask(attempt, uid="u1", node="n1", digest=str, lease_ms=9000, record=b"r")
    assert Admit("acme", "u1", "n1", 9000, called=attempt.called, record=b"r") == asked


@pytest.mark.parametrize("headers", [[], ["X-Account: nobody"]])
def test_emergency_asks_nothing(
    snapshot: PolicySnapshot, attempt_of: Callable[..., CallAttempt], headers: list[str]
) -> None:
    """No limit is asked for an emergency call, and none could hold it back (R16)."""
    attempt = attempt_of(source="198.51.100.1", called="sip:112@h", headers=headers)
    assert judge(attempt, snapshot) is None
    assert ask(attempt, uid="u1", node="n1", digest=str) is None
    assert read(Denied(Limit.SUSPENDED, 0, 0, 0), attempt) is None
    assert read(AWAY, attempt) is None


@pytest.mark.parametrize(
    ("source", "outcome", "refusal", "degraded"),
    [
        ("192.0.2.1", Admitted(1, 1, 1), None, False),
        ("192.0.2.1", Denied(Limit.CAPS, 1, 0, 700), Refuse(Reason.CAPS, 700), False),
        ("192.0.2.1", Denied(Limit.CALLS, 10, 10, 0), Refuse(Reason.CALLS), False),
        ("192.0.2.1", Denied(Limit.UNKNOWN, 0, 0, 0), Refuse(Reason.UNKNOWN_ACCOUNT), False),
        ("192.0.2.1", AWAY, Refuse(Reason.STORE_AWAY), False),
        ("192.0.2.200", AWAY, None, True),
    ],
)
def test_read(
    snapshot: PolicySnapshot,
    attempt_of: Callable[..., CallAttempt],
    source: str,
    outcome: Outcome,
    refusal: Refuse | None,
    degraded: bool,
) -> None:
    """A denial keeps its token and its Retry-After; a silent store is the account's choice (R11)."""
    attempt = attempt_of(source=source, cli="sip:+442079460000@h")
    assert judge(attempt, snapshot) is None
    assert (refusal, degraded) == (read(outcome, attempt), attempt.degraded)


@pytest.mark.parametrize("name", [*sorted(OF_NUMBERS), "small_system"])
@pytest.mark.parametrize("counts", [Counts.ATTEMPTS, Counts.DISTINCT])
def test_no_number_reaches_the_store_and_nothing_else_is_lost(name: str, counts: str) -> None:
    """Digests stand where numbers stood; every other word of the question is the same."""
    one = Frequency(name, "+33199001234", 7, 60_000, counts, "+33145000009", "shadow", 30)
    found = hidden(one, lambda text: f"d{text[-4:]}")
    if name in OF_NUMBERS:
        assert found == one._replace(key="d1234")
    else:
        assert found == (one._replace(item="d0009") if counts == Counts.DISTINCT else one)
