"""edge.policy.identity"""

from collections.abc import Callable

import pytest

from edge.config.snapshot import PolicySnapshot
from edge.policy.attempt import CallAttempt
from edge.policy.identity import identify, known_by
from edge.policy.verdicts import Reason, Refuse


@pytest.mark.parametrize(
    ("source", "ingress", "ingress_class", "account"),
    [
        ("192.0.2.1", "customer", "national", "acme"),
        ("192.0.2.129", "dialler", "national", "robot"),
        ("198.51.100.1", "neighbour", "national", "acme"),
        ("203.0.113.9", "abroad", "international", "acme"),
        ("::ffff:203.0.113.9", "abroad", "international", "acme"),
        ("2001:db8:1::9", "abroad", "international", "acme"),
    ],
)
def test_known_source(
    snapshot: PolicySnapshot,
    attempt_of: Callable[..., CallAttempt],
    source: str,
    ingress: str,
    ingress_class: str,
    account: str,
) -> None:
    """The longest network names the trunk, the trunk its class and account."""
    attempt = attempt_of(source=source)
    assert identify(attempt, snapshot) is None
    assert attempt.ingress is not None
    assert attempt.account is not None
    assert (ingress, ingress_class, account) == (attempt.ingress.id, attempt.ingress_class, attempt.account.id)


@pytest.mark.parametrize("source", ["192.0.3.1", "2001:db9::1", "::1", "", "not an address"])
def test_unknown_source(snapshot: PolicySnapshot, attempt_of: Callable[..., CallAttempt], source: str) -> None:
    """A source in no network is refused, an emergency call too: it is no neighbour's."""
    assert Refuse(Reason.UNKNOWN_SOURCE) == identify(attempt_of(source=source), snapshot)
    assert Refuse(Reason.UNKNOWN_SOURCE) == identify(attempt_of(source=source, called="sip:112@h"), snapshot)


@pytest.mark.parametrize(
    ("source", "header", "account"),
    [
        ("198.51.100.1", "X-Account: robot", "robot"),
        ("198.51.100.1", "x-account:   robot ", "robot"),
        ("198.51.100.2", "X-Account: acme", "acme"),
        ("192.0.2.1", "X-Account: robot", "acme"),
    ],
)
def test_header_names_the_account(
    snapshot: PolicySnapshot, attempt_of: Callable[..., CallAttempt], source: str, header: str, account: str
) -> None:
    """From a trusted trunk the header decides; from any other it is not read."""
    attempt = attempt_of(source=source, headers=[header])
    assert identify(attempt, snapshot) is None
    assert attempt.account is not None
    assert account == attempt.account.id


@pytest.mark.parametrize(
    ("source", "headers"),
    [
        ("198.51.100.1", ["X-Account: nobody"]),
        ("198.51.100.1", ["X-Account: "]),
        ("198.51.100.1", [b"X-Account: \xff\xfe"]),
        ("198.51.100.1", ["X-Account: acme, robot"]),
        ("198.51.100.2", []),
    ],
)
def test_unknown_account(
    snapshot: PolicySnapshot, attempt_of: Callable[..., CallAttempt], source: str, headers: list[str | bytes]
) -> None:
    """A name nobody knows is refused, even where the trunk has an account of its own; so is no name at all."""
    attempt = attempt_of(source=source, headers=headers)
    assert Refuse(Reason.UNKNOWN_ACCOUNT) == identify(attempt, snapshot)


def test_emergency_call_of_an_unknown_account(snapshot: PolicySnapshot, attempt_of: Callable[..., CallAttempt]) -> None:
    """A known trunk's emergency call passes whatever account it names (R16)."""
    attempt = attempt_of(source="198.51.100.1", headers=["X-Account: nobody"], called="sip:112@198.51.100.254")
    assert identify(attempt, snapshot) is None
    assert attempt.account is None


PROVED = """
[[ingress]]
id = "certified"
tls_names = ["SIP.peer.example", "b.peer.example"]
trusted = true
account_header = "X-Account"

[[ingress]]
id = "phones"
sources = ["198.51.100.7"]
digest = true

[[ingress]]
id = "shared"
sources = ["198.51.100.8"]
tech_prefixes = { "9901" = "acme" }

[[credentials]]
id = "pbx-1"
account = "acme"
md5 = "00000000000000000000000000000000"
"""


@pytest.mark.parametrize(
    ("source", "names", "username", "called", "headers", "expected"),
    [
        ("192.0.2.1", (), "", "+33261910000", [], "source"),
        ("192.0.2.1", ("other.example",), "pbx-1", "+33261910000", ["X-Account: robot"], "source"),
        ("198.51.100.1", (), "", "+33261910000", ["X-Account: robot"], "source header:x-account"),
        ("198.51.100.9", ("a.example", "sip.peer.example"), "", "+33261910000", ["X-Account: acme"],
         "tls:sip.peer.example header:x-account"),
        ("198.51.100.9", ("b.peer.example", "sip.peer.example"), "", "+33261910000", ["X-Account: acme"],
         "tls:b.peer.example header:x-account"),
        ("198.51.100.7", (), "pbx-1", "+33261910000", [], "source digest:pbx-1"),
        ("198.51.100.7", (), "", "112", [], "source"),
        ("198.51.100.8", (), "", "9901+33261910000", [], "source prefix:9901"),
        ("100.64.0.1", ("a.example",), "pbx-1", "+33261910000", [], ""),
    ],
)  # fmt: skip
def test_what_told_whose_call_it_is(
    snapshot_with: Callable[..., PolicySnapshot],
    attempt_of: Callable[..., CallAttempt],
    source: str,
    names: tuple[str, ...],
    username: str,
    called: str,
    headers: list[str],
    expected: str,
) -> None:
    """For the record: the trunk's name or address, then what named the account besides; nothing that was not asked."""
    attempt = attempt_of(source=source, called=f"sip:{called}@h", headers=headers)
    attempt.tls_names, attempt.username = names, username
    identify(attempt, snapshot_with(PROVED))
    assert known_by(attempt) == expected
