"""edge.config.refusals"""

from typing import get_args

import pytest

from edge.config.fields import SilentToken
from edge.config.refusals import BUILT_IN, CARRIER, OPTIONS, PBX, SILENT_TOKENS, Reason, RefusalProfile


@pytest.mark.parametrize("profile", BUILT_IN.values(), ids=lambda profile: profile.name)
def test_every_reason_has_an_answer(profile: RefusalProfile) -> None:
    """No refusal without a line: a 4xx, 5xx or 6xx and a Q.850 cause."""
    assert set(Reason) == set(profile.rows)
    for row in profile.rows.values():
        assert 400 <= row.status < 700
        assert 1 <= row.q850 <= 127


R5 = [
    ("unknown source", Reason.UNKNOWN_SOURCE, 403, 21, False),
    ("account suspended", Reason.ACCOUNT_SUSPENDED, 403, 21, False),
    ("CLI refused", Reason.CLI_REFUSED, 403, 21, False),
    ("withheld CLI where forbidden", Reason.CLI_WITHHELD, 433, 21, False),
    ("CAPS", Reason.CAPS, 503, 42, True),
    ("concurrent calls", Reason.CALLS, 503, 34, False),
    ("credit", Reason.CREDIT, 402, 21, False),
    ("destination barred", Reason.DESTINATION_BARRED, 403, 21, False),
    ("no route", Reason.NO_ROUTE, 404, 3, False),
    ("all trunks failed", Reason.TRUNKS_FAILED, 503, 41, False),
    ("store away", Reason.STORE_AWAY, 503, 41, False),
    ("edge overloaded", Reason.OVERLOADED, 503, 42, True),
    ("Identity fault: missing", Reason.IDENTITY_MISSING, 428, 21, False),
    ("Identity fault: info", Reason.IDENTITY_INFO, 436, 21, False),
    ("Identity fault: credential", Reason.IDENTITY_CREDENTIAL, 437, 21, False),
    ("Identity fault: signature", Reason.IDENTITY_INVALID, 438, 21, False),
    # regulation.md section 10, `responses` and `man.errors`.
    ("cli_forbidden", Reason.CLI_REFUSED, 403, 21, False),
    ("cli_invalid_format", Reason.CLI_INVALID, 403, 28, False),
    ("anonymous_refused", Reason.CLI_WITHHELD, 433, 21, False),
    ("intl_fixed_blocked", Reason.CLI_REFUSED, 403, 21, False),
    ("telemarketing: days and hours", Reason.CALLING_HOURS, 403, 21, False),
    ("telemarketing: attempts", Reason.CONTACT_ATTEMPTS, 403, 21, False),
    ("telemarketing: refusal", Reason.CONTACT_REFUSED, 403, 21, False),
    ("telemarketing: consent", Reason.CONSENT_MISSING, 403, 21, False),
    ("capacity", Reason.CAPS, 503, 42, True),
    ("stale date", Reason.IDENTITY_STALE, 403, 21, False),
]


@pytest.mark.parametrize(("row", "reason", "status", "q850", "retry_after"), R5)
def test_carrier(row: str, reason: Reason, status: int, q850: int, retry_after: bool) -> None:
    """The carrier's table, row by row."""
    found = CARRIER.rows[reason]
    assert (found.status, found.q850, found.retry_after) == (status, q850, retry_after)


@pytest.mark.parametrize(("row", "reason", "status", "q850", "retry_after"), R5)
def test_pbx(row: str, reason: Reason, status: int, q850: int, retry_after: bool) -> None:
    """The same for a PBX: capacity of its own account is 480 with Retry-After, all else as a carrier hears it."""
    found = PBX.rows[reason]
    own = reason in (Reason.CAPS, Reason.CALLS)
    assert (found.status, found.q850, found.retry_after) == ((480, q850, True) if own else (status, q850, retry_after))


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
        Reason.TRUNKS_DRAINED,
        Reason.STORE_AWAY,
        Reason.OVERLOADED,
        Reason.DRAINING,
    } == {reason for reason, row in CARRIER.rows.items() if row.status == 503}


def test_silence_is_for_what_strangers_send() -> None:
    """No refusal that a known caller can meet may go unanswered, and policy knows each token by its name."""
    assert set(SILENT_TOKENS) == {Reason(token) for token in get_args(SilentToken) if token not in ("all", OPTIONS)}
    assert not set(SILENT_TOKENS) & {Reason.UNKNOWN_ACCOUNT, Reason.CAPS, Reason.CALLS, Reason.CLI_REFUSED}
