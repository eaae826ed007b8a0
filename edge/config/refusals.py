"""Why the edge refuses, and what each reason is told as: the stable tokens and the two built-in profiles (R5).

Data only; imports the standard library only. Causes are those of ITU-T Q.850; RFC 3398 §8.2.6.1 pairs them with SIP
statuses. A policy document may replace any line of a profile, or add profiles of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple


class Reason(StrEnum):
    """The stable tokens: in the answer's Reason header, in the CDR, in the metrics. Never renamed."""

    UNKNOWN_SOURCE = "unknown_source"
    UNKNOWN_ACCOUNT = "unknown_account"
    CREDENTIALS_MISSING = "credentials_missing"
    CREDENTIALS_STALE = "credentials_stale"
    CREDENTIALS_REFUSED = "credentials_refused"
    LOCKED_OUT = "locked_out"
    ACCOUNT_SUSPENDED = "account_suspended"
    ACCOUNT_CLOSED = "account_closed"
    CLI_REFUSED = "cli_refused"
    CLI_WITHHELD = "cli_withheld"
    CLI_INVALID = "cli_invalid"
    CLI_NOT_OWNED = "cli_not_owned"
    CLI_MISMATCH = "cli_mismatch"
    CLI_DO_NOT_ORIGINATE = "cli_do_not_originate"
    CALLED_INVALID = "called_invalid"
    CAPS = "caps"
    CALLS = "calls"
    CREDIT = "credit"
    SPEND_CAP = "spend_cap"
    MAX_RATE = "max_rate"
    NO_RATE = "no_rate"
    PREFIX_CAPS = "prefix_caps"
    PREFIX_CALLS = "prefix_calls"
    GROUP_CAPS = "group_caps"
    GROUP_CALLS = "group_calls"
    GROUP_SPEND = "group_spend"
    GROUP_SUSPENDED = "group_suspended"
    TRUNK_CEILINGS = "trunk_ceilings"
    NO_MARGIN = "no_margin"
    CALLING_HOURS = "calling_hours"
    CONTACT_REFUSED = "contact_refused"
    CONSENT_MISSING = "consent_missing"
    CONTACT_ATTEMPTS = "contact_attempts"
    CALLED_TOO_OFTEN = "called_too_often"
    PING_CALLS = "ping_calls"
    INTERNATIONAL_BARRED = "international_barred"
    DESTINATION_CALLS = "destination_calls"
    DESTINATION_SPEND = "destination_spend"
    DESTINATION_BARRED = "destination_barred"
    NO_ROUTE = "no_route"
    ROUTE_NOT_ALLOWED = "route_not_allowed"
    PRIVACY_UNAVAILABLE = "privacy_unavailable"
    TRUNKS_FAILED = "trunks_failed"
    TRUNKS_DRAINED = "trunks_drained"
    STORE_AWAY = "store_away"
    OVERLOADED = "overloaded"
    DRAINING = "draining"
    DUPLICATE = "duplicate"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    METHOD_FORBIDDEN = "method_forbidden"
    BAD_REQUEST = "bad_request"
    TOO_MANY_HOPS = "too_many_hops"
    LOOP = "loop"
    BAD_EXTENSION = "bad_extension"
    SESSION_INTERVAL = "session_interval"
    UNSUPPORTED_SCHEME = "unsupported_scheme"
    # RFC 8224 §6.2.2: kept for the verification of Identity headers, so that no profile changes its shape then.
    IDENTITY_MISSING = "identity_missing"
    IDENTITY_STALE = "identity_stale"
    IDENTITY_INFO = "identity_info"
    IDENTITY_CREDENTIAL = "identity_credential"
    IDENTITY_INVALID = "identity_invalid"


SILENT_TOKENS: Final = (
    Reason.UNKNOWN_SOURCE,
    Reason.METHOD_NOT_ALLOWED,
    Reason.METHOD_FORBIDDEN,
    Reason.BAD_REQUEST,
    Reason.TOO_MANY_HOPS,
    Reason.LOOP,
    Reason.BAD_EXTENSION,
    Reason.UNSUPPORTED_SCHEME,
)
"""What an address that no trunk names may be left without an answer for."""
FINAL_REASONS: Final = (
    Reason.UNKNOWN_SOURCE,
    Reason.UNKNOWN_ACCOUNT,
    Reason.CREDENTIALS_MISSING,
    Reason.CREDENTIALS_STALE,
    Reason.CREDENTIALS_REFUSED,
    Reason.LOCKED_OUT,
    Reason.CALLED_INVALID,
    Reason.NO_ROUTE,
    Reason.ROUTE_NOT_ALLOWED,
    Reason.PRIVACY_UNAVAILABLE,
    Reason.NO_RATE,
)
"""Where policy says one of these the attempt lacks what it takes to go on: nothing to put in the shadow."""
OPTIONS: Final = "options"
"""The same of an OPTIONS to the edge itself, which is otherwise answered whoever asks."""


class RefusalRow(NamedTuple):
    """One line of a profile."""

    status: int
    phrase: bytes
    q850: int
    retry_after: bool = False
    """Does the answer carry Retry-After? Only where waiting is a cure."""
    retry_least_s: int = 1
    """Retry-After is never less."""


RETRY_SPREAD_S: Final = 4


@dataclass(frozen=True, slots=True)
class RefusalProfile:
    """Which answer each reason becomes for one kind of neighbour; every reason has its line."""

    name: str
    rows: Mapping[Reason, RefusalRow] = field(repr=False)
    retry_spread_s: int = RETRY_SPREAD_S
    """Retry-After is spread over so many seconds, so that those refused together do not come back together."""


_CHALLENGE: Final = RefusalRow(407, b"Proxy Authentication Required", 21)
_FORBIDDEN: Final = RefusalRow(403, b"Forbidden", 21)
_PAYMENT: Final = RefusalRow(402, b"Payment Required", 21)
_UNAVAILABLE: Final = b"Service Unavailable"

CARRIER: Final = RefusalProfile(
    "carrier",
    {
        Reason.UNKNOWN_SOURCE: _FORBIDDEN,
        Reason.UNKNOWN_ACCOUNT: _FORBIDDEN,
        Reason.CREDENTIALS_MISSING: _CHALLENGE,
        Reason.CREDENTIALS_STALE: _CHALLENGE,
        Reason.CREDENTIALS_REFUSED: _CHALLENGE,
        Reason.LOCKED_OUT: _FORBIDDEN,
        Reason.ACCOUNT_SUSPENDED: _FORBIDDEN,
        Reason.ACCOUNT_CLOSED: _FORBIDDEN,
        Reason.CLI_REFUSED: _FORBIDDEN,
        Reason.CLI_WITHHELD: RefusalRow(433, b"Anonymity Disallowed", 21),  # RFC 5079
        Reason.CLI_INVALID: RefusalRow(403, b"Forbidden", 28),
        Reason.CLI_NOT_OWNED: _FORBIDDEN,
        Reason.CLI_MISMATCH: _FORBIDDEN,
        Reason.CLI_DO_NOT_ORIGINATE: _FORBIDDEN,
        Reason.CALLED_INVALID: RefusalRow(484, b"Address Incomplete", 28),
        # 503 makes a carrier reroute, which is what capacity asks for, and nothing else may (RFC 3261 §21.5.4).
        Reason.CAPS: RefusalRow(503, _UNAVAILABLE, 42, retry_after=True),
        Reason.CALLS: RefusalRow(503, _UNAVAILABLE, 34),
        Reason.PREFIX_CAPS: RefusalRow(503, _UNAVAILABLE, 42, retry_after=True),
        Reason.PREFIX_CALLS: RefusalRow(503, _UNAVAILABLE, 34),
        Reason.GROUP_CAPS: RefusalRow(503, _UNAVAILABLE, 42, retry_after=True),
        Reason.GROUP_CALLS: RefusalRow(503, _UNAVAILABLE, 34),
        Reason.TRUNK_CEILINGS: RefusalRow(503, _UNAVAILABLE, 34),
        Reason.CREDIT: _PAYMENT,
        Reason.SPEND_CAP: _PAYMENT,
        Reason.GROUP_SPEND: _PAYMENT,
        Reason.GROUP_SUSPENDED: _FORBIDDEN,
        Reason.MAX_RATE: _FORBIDDEN,
        Reason.NO_RATE: _FORBIDDEN,
        Reason.NO_MARGIN: _FORBIDDEN,
        # Whom, when, how often, where to: no other way makes it right, so nothing here may make a carrier reroute.
        Reason.CALLING_HOURS: _FORBIDDEN,
        Reason.CONTACT_REFUSED: _FORBIDDEN,
        Reason.CONSENT_MISSING: _FORBIDDEN,
        Reason.CONTACT_ATTEMPTS: _FORBIDDEN,
        Reason.CALLED_TOO_OFTEN: _FORBIDDEN,
        Reason.PING_CALLS: _FORBIDDEN,
        Reason.INTERNATIONAL_BARRED: _FORBIDDEN,
        Reason.DESTINATION_CALLS: _FORBIDDEN,
        Reason.DESTINATION_SPEND: _FORBIDDEN,
        Reason.DESTINATION_BARRED: _FORBIDDEN,
        Reason.NO_ROUTE: RefusalRow(404, b"Not Found", 3),
        Reason.ROUTE_NOT_ALLOWED: _FORBIDDEN,
        Reason.PRIVACY_UNAVAILABLE: RefusalRow(500, b"Privacy Not Available", 63),  # RFC 3323 §5
        Reason.TRUNKS_FAILED: RefusalRow(503, _UNAVAILABLE, 41),
        Reason.TRUNKS_DRAINED: RefusalRow(503, _UNAVAILABLE, 41, retry_after=True),
        Reason.STORE_AWAY: RefusalRow(503, _UNAVAILABLE, 41),
        Reason.OVERLOADED: RefusalRow(503, _UNAVAILABLE, 42, retry_after=True),
        Reason.DRAINING: RefusalRow(503, _UNAVAILABLE, 41, retry_after=True),
        Reason.DUPLICATE: RefusalRow(482, b"Request Merged", 25),
        Reason.METHOD_NOT_ALLOWED: RefusalRow(405, b"Method Not Allowed", 63),
        Reason.METHOD_FORBIDDEN: _FORBIDDEN,
        Reason.BAD_REQUEST: RefusalRow(400, b"Bad Request", 41),
        Reason.TOO_MANY_HOPS: RefusalRow(483, b"Too Many Hops", 25),
        Reason.LOOP: RefusalRow(482, b"Loop Detected", 25),
        Reason.BAD_EXTENSION: RefusalRow(420, b"Bad Extension", 127),
        Reason.SESSION_INTERVAL: RefusalRow(422, b"Session Interval Too Small", 127),
        Reason.UNSUPPORTED_SCHEME: RefusalRow(416, b"Unsupported URI Scheme", 127),
        Reason.IDENTITY_MISSING: RefusalRow(428, b"Use Identity Header", 21),
        Reason.IDENTITY_STALE: RefusalRow(403, b"Stale Date", 21),
        Reason.IDENTITY_INFO: RefusalRow(436, b"Bad Identity Info", 21),
        Reason.IDENTITY_CREDENTIAL: RefusalRow(437, b"Unsupported Credential", 21),
        Reason.IDENTITY_INVALID: RefusalRow(438, b"Invalid Identity Header", 21),
    },
)
"""For a neighbour that reroutes by itself: capacity is 503, everything else says `do not try elsewhere`."""

PBX: Final = RefusalProfile(
    "pbx",
    {
        **CARRIER.rows,
        # Many a PBX takes its trunk out of service on 503: it is told about the call only.
        Reason.CAPS: RefusalRow(480, b"Temporarily Unavailable", 42, retry_after=True),
        Reason.CALLS: RefusalRow(480, b"Temporarily Unavailable", 34, retry_after=True),
        Reason.PREFIX_CAPS: RefusalRow(480, b"Temporarily Unavailable", 42, retry_after=True),
        Reason.PREFIX_CALLS: RefusalRow(480, b"Temporarily Unavailable", 34, retry_after=True),
        Reason.GROUP_CAPS: RefusalRow(480, b"Temporarily Unavailable", 42, retry_after=True),
        Reason.GROUP_CALLS: RefusalRow(480, b"Temporarily Unavailable", 34, retry_after=True),
    },
)
"""For a customer's PBX, which has nowhere else to send the call."""

BUILT_IN: Final = {profile.name: profile for profile in (CARRIER, PBX)}
