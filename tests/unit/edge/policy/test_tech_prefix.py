"""edge.policy.tech_prefix: several accounts on one trunk, told apart by digits before the called number."""

import pytest

from edge.policy.explain import explain
from edge.policy.identity import identify
from edge.policy.pipeline import judge
from edge.policy.verdicts import Reason, Refuse

SHARED = """
[[ingress]]
id = "shared"
sources = ["203.0.114.1"]
tech_prefixes = { "9901" = "acme", "99017" = "robot", "1" = "robot", "77#" = "robot", "*5" = "acme" }

[[ingress]]
id = "shared-default"
sources = ["203.0.114.2"]
account = "acme"
tech_prefixes = { "9901" = "robot" }

[[ingress]]
id = "shared-named"
sources = ["203.0.114.3"]
trusted = true
account_header = "X-Account"
tech_prefixes = { "9901" = "robot" }
"""


@pytest.fixture(scope="module")
def shared(snapshot_with):
    return snapshot_with(SHARED)


@pytest.mark.parametrize(
    ("called", "account", "left"),
    [
        ("sip:9901+33170000001@h", "acme", "sip:+33170000001@h"),
        ("sip:99010033170000001@h:5060;user=phone", "acme", "sip:0033170000001@h:5060;user=phone"),
        ("sip:990170170000001@h", "robot", "sip:0170000001@h"),  # the longer of two that fit
        ("sip:77%230170000001@h", "robot", "sip:0170000001@h"),
        ("sip:77%23%30170000001@h", "robot", "sip:%30170000001@h"),
        ("sip:%39%390%310170000001@h", "acme", "sip:0170000001@h"),
        ("sip:*50170000001;npdi@h", "acme", "sip:0170000001;npdi@h"),
        ("sips:*5%2A31@h", "acme", "sips:%2A31@h"),
        ("tel:9901+33170000001", "acme", "tel:+33170000001"),
    ],
)
def test_the_prefix_says_who_and_goes(shared, attempt_of, called, account, left):
    """Nothing later sees it."""
    attempt = attempt_of(source="203.0.114.1", called=called)
    assert identify(attempt, shared) is None
    assert (attempt.account.id, attempt.request.uri) == (account, left.encode())


@pytest.mark.parametrize(
    "called",
    [
        "sip:0170000001@h",
        "sip:9901@h",
        "sip:9901;x=1@h",
        "sip:99@h",
        "sip:h",
        "tel:9901",
        "sip:990@9901.h",
        "urn:9901x",
    ],
)
def test_no_prefix_is_nobodys(shared, attempt_of, called):
    """Neither is one behind which nothing is called; the Request-URI stays."""
    attempt = attempt_of(source="203.0.114.1", called=called)
    assert identify(attempt, shared) == Refuse(Reason.UNKNOWN_ACCOUNT)
    assert (attempt.request.uri, attempt.tech_prefix) == (called.encode(), "")


@pytest.mark.parametrize(
    ("called", "emergency", "left"),
    [("sip:112@h", True, b"sip:112@h"), ("sip:1112@h", True, b"sip:112@h"), ("sip:15@h", True, b"sip:15@h")],
)
def test_no_prefix_eats_an_emergency_number(shared, attempt_of, called, emergency, left):
    """112 is called, though `1` is somebody's prefix; and behind a prefix too."""
    attempt = attempt_of(source="203.0.114.1", called=called)
    assert judge(attempt, shared) is None
    assert (attempt.emergency, attempt.request.uri) == (emergency, left)


@pytest.mark.parametrize(
    ("source", "headers", "called", "account"),
    [
        ("203.0.114.2", [], "sip:0170000001@h", "acme"),
        ("203.0.114.2", [], "sip:99010170000001@h", "robot"),
        ("203.0.114.3", ["X-Account: acme"], "sip:99010170000001@h", "acme"),
        ("203.0.114.3", [], "sip:99010170000001@h", "robot"),
    ],
)
def test_header_before_prefix_before_trunk(shared, attempt_of, source, headers, called, account):
    """The order of those that may say whose call it is; the prefix is taken off whoever says it."""
    attempt = attempt_of(source=source, headers=headers, called=called)
    assert identify(attempt, shared) is None
    assert (attempt.account.id, attempt.request.uri) == (account, b"sip:0170000001@h")


def test_a_header_that_names_nobody_is_not_mended_by_a_prefix(shared, attempt_of):
    attempt = attempt_of(source="203.0.114.3", headers=["X-Account: nobody"], called="sip:99010170000001@h")
    assert identify(attempt, shared) == Refuse(Reason.UNKNOWN_ACCOUNT)


def test_the_record_has_what_was_dialled_and_policy_what_is_called(shared, attempt_of):
    """Twice the same, also where the stages are walked again."""
    attempt = attempt_of(source="203.0.114.1", called="sip:9901+33170000001@h")
    for _ in range(2):
        assert judge(attempt, shared) is None
        assert (attempt.called_original, attempt.called) == ("9901+33170000001", "+33170000001")
        assert attempt.without_prefix == "+33170000001"


def test_explain_says_it(shared, attempt_of):
    found = explain(attempt_of(source="203.0.114.1", called="sip:9901+33170000001@h"), shared)
    assert "tech prefix 9901, taken off; account acme" in found.steps[0].found
