"""edge.quality.restrict: what the guard changes of an account"""

from dataclasses import replace

import pytest

from edge.quality.restrict import patch_of
from edge.quality.rules import Metric, Rule
from limits.account import Account, AccountId, AccountStatus
from limits.model import Usage

THROTTLE = Rule("asr", Metric.ASR, 60, action="throttle", throttle_caps=2)
SUSPEND = THROTTLE._replace(action="suspend")


def usage(*, reverts: tuple[tuple[str, int, str], ...] = (), **values) -> Usage:
    return Usage(replace(Account(AccountId("acme"), caps_base=5, caps_lots=1), **values), 0, (), 0, (), reverts=reverts)


@pytest.mark.parametrize(
    ("rule", "half_open", "values", "expected"),
    [
        (THROTTLE, False, {}, {"caps_base": 2, "caps_lots": 0}),
        (THROTTLE, True, {}, {"caps_base": 2, "caps_lots": 0}),
        (THROTTLE, False, {"caps_burst": 30}, {"caps_base": 2, "caps_lots": 0, "caps_burst": None}),
        (THROTTLE, False, {"caps_base": 1, "caps_lots": 0}, {}),  # never raised
        (THROTTLE, False, {"status": AccountStatus.SUSPENDED}, {}),  # somebody's own decision
        (SUSPEND, False, {}, {"status": AccountStatus.SUSPENDED}),
        (SUSPEND, True, {}, {"caps_base": 2, "caps_lots": 0}),
        (SUSPEND, False, {"status": AccountStatus.CLOSED}, {}),
    ],
)
def test_what_is_changed(rule, half_open, values, expected):
    """Lower, never higher; half open is a throttle."""
    assert patch_of(rule, usage(**values), half_open=half_open) == expected


def test_a_throttle_that_is_still_on_is_made_longer():
    """Its values are there already; only their return is later."""
    found = usage(caps_base=2, caps_lots=0, reverts=(("caps_base", 1, "5"), ("caps_lots", 1, "1")))
    assert patch_of(THROTTLE, found, half_open=False) == {"caps_base": 2, "caps_lots": 0}
