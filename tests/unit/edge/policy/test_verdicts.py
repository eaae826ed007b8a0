"""edge.policy.verdicts"""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.refusals import BUILT_IN, CARRIER, PBX, RETRY_SPREAD_S, RefusalProfile, RefusalRow
from edge.config.snapshot import PolicySnapshot
from edge.policy.attempt import CallAttempt
from edge.policy.identity import identify
from edge.policy.verdicts import REASON_OF_LIMIT, Reason, RefusalAnswer, answer, profile_of
from limits.model import Limit


@pytest.mark.parametrize(
    ("reason", "profile", "expected"),
    [
        (
            Reason.CLI_REFUSED,
            CARRIER,
            RefusalAnswer(403, b"Forbidden", 21, ((b"Reason", b'Q.850;cause=21;text="cli_refused"'),)),
        ),
        (
            Reason.CALLS,
            CARRIER,
            RefusalAnswer(503, b"Service Unavailable", 34, ((b"Reason", b'Q.850;cause=34;text="calls"'),)),
        ),
        (
            Reason.CALLS,
            PBX,
            RefusalAnswer(
                480,
                b"Temporarily Unavailable",
                34,
                ((b"Reason", b'Q.850;cause=34;text="calls"'), (b"Retry-After", b"1")),
            ),
        ),
    ],
)
def test_answer(reason: Reason, profile: RefusalProfile, expected: RefusalAnswer) -> None:
    """Every answer carries its cause and its token (RFC 3326, RFC 6432)."""
    assert expected == answer(reason, profile)


@pytest.mark.parametrize(
    ("retry_after_ms", "jitter", "seconds"),
    [(0, 0.0, b"1"), (1, 0.0, b"1"), (1000, 0.0, b"1"), (1001, 0.0, b"2"), (5000, 0.99, b"8"), (0, 0.5, b"3")],
)
def test_retry_after(retry_after_ms: int, jitter: float, seconds: bytes) -> None:
    """The bucket's own instant, rounded up, plus the spread; never under a second."""
    headers = dict(answer(Reason.CAPS, CARRIER, retry_after_ms=retry_after_ms, jitter=jitter).headers)
    assert seconds == headers[b"Retry-After"]


@given(
    st.sampled_from(Reason),
    st.sampled_from(sorted(BUILT_IN)),
    st.integers(0, 10**9),
    st.floats(0, 1, exclude_max=True),
)
def test_invariants(reason: Reason, profile: str, retry_after_ms: int, jitter: float) -> None:
    """Never too early, never more than the spread too late; no byte that could open a new header line."""
    given_answer = answer(reason, BUILT_IN[profile], retry_after_ms=retry_after_ms, jitter=jitter)
    for name, value in ((b"", given_answer.phrase), *given_answer.headers):
        assert not {b"\r"[0], b"\n"[0], 0} & set(value)
        if name == b"Retry-After":
            assert int(value) >= 1
            assert retry_after_ms <= int(value) * 1000
            assert int(value) * 1000 < retry_after_ms + 1000 * (RETRY_SPREAD_S + 1)


def test_retry_after_is_data() -> None:
    """A profile may ask for more patience, and spread it wider; the bucket's own instant still counts."""
    rows = {**CARRIER.rows, Reason.CAPS: RefusalRow(503, b"Busy", 42, True, 20)}
    patient = RefusalProfile("patient", rows, 100)

    def told(retry_after_ms: int, jitter: float) -> bytes:
        return dict(answer(Reason.CAPS, patient, retry_after_ms=retry_after_ms, jitter=jitter).headers)[b"Retry-After"]

    assert [told(0, 0.0), told(30_001, 0.0), told(0, 0.999)] == [b"20", b"31", b"119"]


def test_every_limit_has_a_reason() -> None:
    """A denial the limits learn is a refusal the edge can tell."""
    assert set(Limit) == set(REASON_OF_LIMIT)


@pytest.mark.parametrize(
    ("source", "account", "expected"),
    [
        ("192.0.2.200", "", "pbx"),
        ("192.0.2.1", "", "carrier"),
        ("198.51.100.1", "nobody", "pbx"),
        ("198.51.100.1", "acme", "pbx"),
        ("198.51.100.1", "robot", "pbx"),
        ("9.9.9.9", "", "carrier"),
    ],
)
def test_profile_of(
    snapshot: PolicySnapshot, attempt_of: Callable[..., CallAttempt], source: str, account: str, expected: str
) -> None:
    """The account's words where it has some, else the trunk's; a stranger's are the default's."""
    attempt = attempt_of(source=source, headers=[f"X-Account: {account}"] if account else [])
    identify(attempt, snapshot)
    assert expected == profile_of(attempt, snapshot).name
