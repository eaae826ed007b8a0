"""edge.policy.marking"""

from collections.abc import Callable

import pytest

from edge.config.errors import PolicyError
from edge.config.parsing import parse_policy
from edge.config.snapshot import PolicySnapshot
from edge.policy.attempt import CallAttempt
from edge.policy.identity import identify
from edge.policy.marking import mark
from edge.policy.pipeline import judge
from edge.policy.verdicts import Reason, Refuse

TRUNKS = """
[[accounts]]
id = "seller"
purpose = "telemarketing-b2c"

[[ingress]]
id = "robots"
sources = ["192.0.2.77"]
account = "acme"
automated = true

[[ingress]]
id = "marking"
sources = ["198.51.100.77"]
account = "acme"
trusted = true
account_header = "X-Account"
automated_header = "X-Automated"
purpose_header = "X-Purpose"
"""
MARKING = "198.51.100.77"
Snapshots = Callable[..., PolicySnapshot]
Attempts = Callable[..., CallAttempt]


def _marked(snapshot_with: Snapshots, attempt_of: Attempts, source: str, headers: list[str]) -> tuple[bool, str]:
    snapshot = snapshot_with(TRUNKS)
    attempt = attempt_of(source=source, headers=headers)
    assert identify(attempt, snapshot) is None
    assert mark(attempt, snapshot) is None
    return attempt.automated, attempt.purpose


@pytest.mark.parametrize(
    ("source", "headers", "expected"),
    [
        ("192.0.2.1", [], False),
        ("192.0.2.200", [], True),
        ("192.0.2.77", [], True),
        (MARKING, [], False),
        (MARKING, ["X-Automated: yes"], True),
        (MARKING, ["X-Automated: predictive-dialler"], True),
        (MARKING, ["X-Automated: 1"], True),
        (MARKING, ["x-automated:   YES "], True),
        (MARKING, ["X-Automated: no"], False),
        (MARKING, ["X-Automated: False"], False),
        (MARKING, ["X-Automated: 0"], False),
        (MARKING, ["X-Automated:"], False),
        (MARKING, ["X-Automated: no", "X-Automated: yes"], True),
        # A customer's own trunk is not trusted to mark anything.
        ("192.0.2.1", ["X-Automated: yes"], False),
        # What an account has declared itself to be, no message undoes.
        (MARKING, ["X-Account: robot", "X-Automated: no"], True),
    ],
)
def test_automated_9_2_3(
    snapshot_with: Snapshots, attempt_of: Attempts, source: str, headers: list[str], expected: bool
) -> None:
    """Contract 9.2.3: the account's kind, the trunk, or a header of a trusted trunk makes a call automated."""
    assert expected is _marked(snapshot_with, attempt_of, source, headers)[0]


@pytest.mark.parametrize(
    ("source", "headers", "expected"),
    [
        (MARKING, [], "none"),
        (MARKING, ["X-Purpose: telemarketing-b2c"], "telemarketing-b2c"),
        (MARKING, ["X-Purpose: Telemarketing-B2C "], "telemarketing-b2c"),
        (MARKING, ["X-Account: seller"], "telemarketing-b2c"),
        (MARKING, ["X-Account: seller", "X-Purpose: none"], "none"),
        (MARKING, ["X-Account: seller", "X-Purpose: charity"], "telemarketing-b2c"),
        ("192.0.2.1", ["X-Purpose: telemarketing-b2c"], "none"),
    ],
)
def test_purpose(
    snapshot_with: Snapshots, attempt_of: Attempts, source: str, headers: list[str], expected: str
) -> None:
    """The account's purpose, unless a trusted trunk names another one that is known."""
    assert expected == _marked(snapshot_with, attempt_of, source, headers)[1]


def test_a_marked_call_shows_no_mobile_9_2_3(snapshot_with: Snapshots, attempt_of: Attempts) -> None:
    """Contract 9.2.3: a mobile CLI is refused to a call marked as automated, though its account is a human one."""
    snapshot = snapshot_with(TRUNKS)
    mobile = "sip:+33639980001@h"
    assert judge(attempt_of(source=MARKING, cli=mobile), snapshot) is None
    marked = attempt_of(source=MARKING, cli=mobile, headers=["X-Automated: yes"])
    assert Refuse(Reason.CLI_REFUSED) == judge(marked, snapshot)
    assert Refuse(Reason.CLI_REFUSED) == judge(attempt_of(source="192.0.2.77", cli=mobile), snapshot)


def test_own_headers(snapshot_with: Snapshots) -> None:
    """All three headers are between the trunk and the edge alone."""
    trunk = next(trunk for trunk in snapshot_with(TRUNKS).ingress if trunk.id == "marking")
    assert (b"x-account", b"x-automated", b"x-purpose") == trunk.own_headers


@pytest.mark.parametrize("name", ["automated_header", "purpose_header"])
def test_only_a_trusted_trunk_marks(name: str) -> None:
    """A stranger that may write the header could name its calls as it likes."""
    text = f'[[accounts]]\nid = "a"\n[[ingress]]\nid = "i"\nsources = ["192.0.2.1"]\naccount = "a"\n{name} = "X-Mark"\n'
    with pytest.raises(PolicyError, match="only a trusted trunk may mark its calls: expected trusted = true beside it"):
        parse_policy(text)
