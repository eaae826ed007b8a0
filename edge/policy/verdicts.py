"""What a stage may return, and what the caller is told: reason to status, phrase, Q.850 cause, Retry-After. Pure.

RFC 3326 and RFC 6432 (Reason with a Q.850 cause in a response), RFC 3261 §20.33 (Retry-After). The tables themselves
are data: `edge.config.refusals`.
"""

from typing import Final, NamedTuple

from edge.config.refusals import Reason as Reason
from edge.config.refusals import RefusalProfile
from edge.config.snapshot import PolicySnapshot
from edge.policy.attempt import CallAttempt
from limits.frequency import CONTACT_CONSENT, CONTACT_HOURS, CONTACT_REFUSED
from limits.model import Limit

TELEMARKETING: Final = "telemarketing"
CALLED_NUMBER: Final = "called-number"
PING: Final = "ping"
SMALL_SYSTEM: Final = "small-system"
"""Names of the frequencies that policy asks for (`limits.frequency.Frequency.name`)."""

REASON_OF_LIMIT: Final = {
    Limit.UNKNOWN: Reason.UNKNOWN_ACCOUNT,
    Limit.SUSPENDED: Reason.ACCOUNT_SUSPENDED,
    Limit.CLOSED: Reason.ACCOUNT_CLOSED,
    Limit.DUPLICATE: Reason.DUPLICATE,
    Limit.CAPS: Reason.CAPS,
    Limit.CONTACT: Reason.CONTACT_REFUSED,
    Limit.FREQUENCY: Reason.DESTINATION_CALLS,
    Limit.CALLS: Reason.CALLS,
    Limit.PREFIX_CAPS: Reason.PREFIX_CAPS,
    Limit.PREFIX_CALLS: Reason.PREFIX_CALLS,
    Limit.SPEND_HOUR: Reason.SPEND_CAP,
    Limit.SPEND_DAY: Reason.SPEND_CAP,
    Limit.GUARD: Reason.DESTINATION_SPEND,
    Limit.MAX_RATE: Reason.MAX_RATE,
    Limit.CREDIT: Reason.CREDIT,
}
"""Every denial of the limits has its token."""

REASON_OF_NAME: Final = {
    CONTACT_REFUSED: Reason.CONTACT_REFUSED,
    CONTACT_CONSENT: Reason.CONSENT_MISSING,
    CONTACT_HOURS: Reason.CALLING_HOURS,
    TELEMARKETING: Reason.CONTACT_ATTEMPTS,
    CALLED_NUMBER: Reason.CALLED_TOO_OFTEN,
    PING: Reason.PING_CALLS,
    SMALL_SYSTEM: Reason.CLI_REFUSED,
}
"""What the limits denied by a name; every other name is that of a destination."""

REASON_OF_GROUP: Final = {
    **REASON_OF_LIMIT,
    Limit.SUSPENDED: Reason.GROUP_SUSPENDED,
    Limit.CLOSED: Reason.GROUP_SUSPENDED,
    Limit.CAPS: Reason.GROUP_CAPS,
    Limit.CALLS: Reason.GROUP_CALLS,
    Limit.SPEND_HOUR: Reason.GROUP_SPEND,
    Limit.SPEND_DAY: Reason.GROUP_SPEND,
}
"""The same where it was the group that refused."""


class Refuse(NamedTuple):
    """The attempt may not pass."""

    reason: Reason
    retry_after_ms: int = 0
    """When the same attempt could pass; 0 where waiting is no cure."""
    detail: str = ""
    """What the phrase says besides; printable."""


class RefusalAnswer(NamedTuple):
    """A final response."""

    status: int
    phrase: bytes
    q850: int
    headers: tuple[tuple[bytes, bytes], ...]
    """Reason always, Retry-After where the profile has it."""


NO_ANSWER: Final = RefusalAnswer(0, b"", 21, ())
"""For a stranger who is to hear nothing."""


def profile_of(attempt: CallAttempt, snapshot: PolicySnapshot) -> RefusalProfile:
    """Whose words a refusal takes: the account's where it has some, else the ingress trunk's; a stranger's are the
    default."""
    if attempt.account is not None and attempt.account.refusal_profile is not None:
        return attempt.account.refusal_profile
    return snapshot.default_profile if attempt.ingress is None else attempt.ingress.refusal_profile


def answer(
    reason: Reason, profile: RefusalProfile, *, retry_after_ms: int = 0, jitter: float = 0.0, detail: str = ""
) -> RefusalAnswer:
    """The response for a reason. `jitter` is a number in [0, 1) that spreads Retry-After."""
    status, phrase, q850, has_retry_after, least_s = profile.rows[reason]
    if detail:
        phrase += b": " + detail.encode("ascii", "replace")
    cause = b'Q.850;cause=%d;text="%b"' % (q850, reason.encode())
    if not has_retry_after:
        return RefusalAnswer(status, phrase, q850, ((b"Reason", cause),))
    seconds = max(least_s, -(-retry_after_ms // 1000)) + int(jitter * profile.retry_spread_s)
    return RefusalAnswer(status, phrase, q850, ((b"Reason", cause), (b"Retry-After", b"%d" % seconds)))
