"""edge.policy.evidence"""

from collections.abc import Callable

from edge.config.snapshot import PolicySnapshot
from edge.policy.attempt import CallAttempt
from edge.policy.evidence import MAX_FIELDS, MAX_VALUE, evidence
from edge.policy.identity import identify


def test_what_policy_reads_is_kept(attempt_of: Callable[..., CallAttempt]) -> None:
    """As it came, every line of a field, and nothing else."""
    attempt = attempt_of(
        headers=["Privacy: id", "P-Asserted-Identity: <sip:+331@h>", "p-asserted-identity: <tel:+332>", "Subject: x"]
    )
    assert evidence(attempt) == [
        ("p-asserted-identity", "<sip:+331@h>"),
        ("p-asserted-identity", "<tel:+332>"),
        ("privacy", "id"),
    ]
    assert evidence(attempt_of()) == []


def test_marks_of_a_trunk(snapshot_with: Callable[..., PolicySnapshot], attempt_of: Callable[..., CallAttempt]) -> None:
    """The header in which a trusted trunk marks a call is evidence too."""
    more = """
[[ingress]]
id = "marking"
sources = ["192.0.2.77"]
account = "acme"
trusted = true
automated_header = "X-Automated"
purpose_header = "X-Purpose"
"""
    attempt = attempt_of(source="192.0.2.77", headers=["X-Purpose: commercial", "X-Automated: yes"])
    identify(attempt, snapshot_with(more))
    assert evidence(attempt) == [("x-automated", "yes"), ("x-purpose", "commercial")]


def test_that_a_signature_was_there(attempt_of: Callable[..., CallAttempt]) -> None:
    """Not the signature: nothing of it is judged."""
    attempt = attempt_of(headers=["Identity: " + "x" * 900, "P-Identity-Bypass: ABC123-T", "Privacy: id"])
    assert evidence(attempt) == [("identity", "there"), ("p-identity-bypass", "there"), ("privacy", "id")]


def test_bounds(attempt_of: Callable[..., CallAttempt]) -> None:
    """Callers write these lines: few, short, and always text."""
    long = attempt_of(headers=["Diversion: <sip:" + "9" * 1_000 + "@h>"] * 40)
    assert [len(value) for _, value in evidence(long)] == [MAX_VALUE] * MAX_FIELDS
    assert evidence(attempt_of(headers=[b"Privacy: \xff\xfe"])) == [("privacy", "\ufffd\ufffd")]
