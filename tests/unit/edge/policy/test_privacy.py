"""edge.policy.privacy: critical privacy that cannot be had (RFC 3323 §5), asked of the pipeline as a whole."""

from collections.abc import Callable

import pytest

from edge.config.snapshot import PolicySnapshot
from edge.policy.attempt import CallAttempt
from edge.policy.pipeline import judge
from edge.policy.verdicts import Reason, answer

Attempts = Callable[..., CallAttempt]


@pytest.mark.parametrize(
    ("privacy", "missing"),
    [
        (["Privacy: session;critical"], "session"),
        (["Privacy: header;session;user;critical"], "header, session, user"),
        (["Privacy: CRITICAL , Header"], "header"),
        (["Privacy: header", "Privacy: critical"], "header"),
        (["Privacy: id;history;critical"], "history"),
        (["Privacy: " + "x" * 20 + ";critical"], ""),
        (["Privacy: a;b;c;d;e;f;critical"], "a, b, c, d"),
        (["Privacy: a\x01\xe9;session;critical"], "session"),
        (["Privacy: id;critical"], None),
        (["Privacy: critical"], None),
        (["Privacy: session"], None),
        (["Privacy: none;critical;session"], None),
        (["Privacy: id"], None),
        (["Privacy:"], None),
        ([], None),
    ],
)  # fmt: skip
def test_what_is_critical_and_cannot_be_had(
    snapshot: PolicySnapshot, attempt_of: Attempts, privacy: list[str], missing: str | None
) -> None:
    """500, and the phrase names what is missing; `id` is given; what is not critical goes on as it is."""
    refusal = judge(attempt_of(headers=[line.encode("latin-1") for line in privacy]), snapshot)
    if missing is None:
        assert refusal is None
        return
    assert refusal is not None
    assert (refusal.reason, refusal.detail) == (Reason.PRIVACY_UNAVAILABLE, missing)
    told = answer(refusal.reason, snapshot.default_profile, detail=refusal.detail)
    assert told.status == 500
    assert told.phrase == (b"Privacy Not Available: " + missing.encode() if missing else b"Privacy Not Available")


def test_inside_the_trust_domain_it_goes_on(attempt_of: Attempts, snapshot_with: Callable[..., PolicySnapshot]) -> None:
    """Another privacy service may fulfil it: only the trusted trunks are left."""
    more = '[[egress]]\nid = "own"\nuri = "sip:127.0.0.1:5072"\ntrusted = true\n'
    more += '[[routes]]\nid = "own"\nprefixes = ["+332"]\ntrunks = ["a", "own"]\n'
    attempt = attempt_of(headers=["Privacy: session;critical"])
    assert judge(attempt, snapshot_with(more)) is None
    assert [trunk.id for trunk in attempt.candidates] == ["own"]
    plain = attempt_of()
    assert judge(plain, snapshot_with(more)) is None
    assert [trunk.id for trunk in plain.candidates] == ["a", "own"]


def test_a_trunk_that_is_told_nothing_gives_header_privacy(
    attempt_of: Attempts, snapshot_with: Callable[..., PolicySnapshot]
) -> None:
    """RFC 3323 §5.1: `header`, and nothing more."""
    more = '[[egress]]\nid = "blind"\nuri = "sip:127.0.0.1:5072"\nboundary = { hide_topology = true }\n'
    more += '[[routes]]\nid = "own"\nprefixes = ["+332"]\ntrunks = ["a", "blind"]\n'
    attempt = attempt_of(headers=["Privacy: header;id;critical"])
    assert judge(attempt, snapshot_with(more)) is None
    assert [trunk.id for trunk in attempt.candidates] == ["blind"]
    refusal = judge(attempt_of(headers=["Privacy: header;session;critical"]), snapshot_with(more))
    assert refusal is not None
    assert refusal.detail == "header, session"


def test_whoever_calls_in_need_is_not_asked(snapshot: PolicySnapshot, attempt_of: Attempts) -> None:
    """R16."""
    attempt = attempt_of(called="sip:112@h", headers=["Privacy: session;critical"])
    assert judge(attempt, snapshot) is None
    assert [trunk.id for trunk in attempt.candidates] == ["a", "b"]
