"""Causes and statuses, either way, and what a neighbour is told of them. Pure tables: RFC 3398 §8.2.6.1, §7.2.4.1.

The tables stand as they stand in the RFC, row by row; what it leaves open is said beside them.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from edge.sip.errors import FieldError
from edge.sip.fields import param
from edge.sip.message import Message, Response

UNSPECIFIED: Final = 31
"""§8.2.6.1: for statuses that are not listed; "normal, unspecified"."""
BEARER_UNAVAILABLE: Final = 65
NORMAL_CLEARING: Final = 16
"""Q.850 cause of a call that ended because a party hung up."""

CAUSE_OF_STATUS: Final[Mapping[int, int]] = {
    400: 41, 401: 21, 402: 21, 403: 21, 404: 1, 405: 63, 406: 79, 407: 21, 408: 102, 410: 22, 413: 127, 414: 127,
    415: 79, 416: 127, 420: 127, 421: 127, 423: 127, 480: 18, 481: 41, 482: 25, 483: 25, 484: 28, 485: 1, 486: 17,
    500: 41, 501: 79, 502: 38, 503: 41, 504: 102, 505: 127, 513: 127, 600: 17, 603: 21, 604: 1,
}  # fmt: skip
"""§8.2.6.1. Its second 504 ("Version Not Supported") is 505. 487 has no mapping there: a call that was given up
ended by normal clearing, as CANCEL says itself. 488 and 606 go by their Warning."""

_BEARER_WARNINGS: Final = (b"304", b"305")
"""RFC 3261 §20.43: a media type or format that is not available, which is a bearer capability in §8.2.6.1's words."""


class ToldStatus(NamedTuple):
    """A row of §7.2.4.1."""

    status: int
    phrase: bytes


_NOT_FOUND: Final = ToldStatus(404, b"Not Found")
_UNAVAILABLE: Final = ToldStatus(480, b"Temporarily Unavailable")
_FORBIDDEN: Final = ToldStatus(403, b"Forbidden")
_SERVICE: Final = ToldStatus(503, b"Service Unavailable")
_NOT_HERE: Final = ToldStatus(488, b"Not Acceptable Here")
_NOT_IMPLEMENTED: Final = ToldStatus(501, b"Not Implemented")
OTHERWISE: Final = ToldStatus(500, b"Server Internal Error")
"""§7.2.4.1: for a cause that is not listed."""

STATUS_OF_CAUSE: Final[Mapping[int, ToldStatus]] = {
    1: _NOT_FOUND, 2: _NOT_FOUND, 3: _NOT_FOUND, 17: ToldStatus(486, b"Busy Here"),
    18: ToldStatus(408, b"Request Timeout"), 19: _UNAVAILABLE, 20: _UNAVAILABLE, 21: _FORBIDDEN,
    22: ToldStatus(410, b"Gone"), 23: ToldStatus(410, b"Gone"), 26: _NOT_FOUND, 27: ToldStatus(502, b"Bad Gateway"),
    28: ToldStatus(484, b"Address Incomplete"), 29: _NOT_IMPLEMENTED, 31: _UNAVAILABLE,
    34: _SERVICE, 38: _SERVICE, 41: _SERVICE, 42: _SERVICE, 47: _SERVICE,
    55: _FORBIDDEN, 57: _FORBIDDEN, 58: _SERVICE,
    65: _NOT_HERE, 70: _NOT_HERE, 79: _NOT_IMPLEMENTED,
    87: _FORBIDDEN, 88: _SERVICE,
    102: ToldStatus(504, b"Server Time-out"), 111: OTHERWISE, 127: OTHERWISE,
}  # fmt: skip
"""§7.2.4.1. Cause 22 with a diagnostic would be a 301; a Reason header carries none. 16 (normal clearing) and 44 have
no status: the one that came stays."""
_UNTOLD: Final = frozenset((NORMAL_CLEARING, 44))

_TOKENS: Final = {
    404: "not_found", 408: "no_answer", 410: "not_found", 480: "no_answer", 481: "failed", 482: "failed", 483: "failed",
    484: "not_found", 485: "not_found", 486: "busy", 487: "cancelled", 600: "busy", 604: "not_found",
}  # fmt: skip
_TOKEN_OF_CLASS: Final = {3: "redirected", 4: "rejected", 5: "failed", 6: "rejected"}
_REDIRECTED: Final = 23
"""A redirection that is not followed here."""

_WORDS: Final = {
    1: b"Unallocated number", 16: b"Normal call clearing", 17: b"User busy", 18: b"No user responding",
    21: b"Call rejected", 22: b"Number changed", 23: b"Redirection to new destination",
    25: b"Exchange routing error", 28: b"Invalid number format", 31: b"Normal, unspecified",
    38: b"Network out of order", 41: b"Temporary failure", 63: b"Service or option not available",
    65: b"Bearer capability not implemented", 79: b"Service or option not implemented",
    102: b"Recovery on timer expiry", 127: b"Interworking, unspecified",
}  # fmt: skip


def cause_of(status: int, warning: bytes = b"") -> tuple[str, int]:
    """(token, Q.850 cause) of a final failure response; `warning`: value of its Warning header."""
    token = _TOKENS.get(status) or _TOKEN_OF_CLASS.get(status // 100, "failed")
    if status == 487:
        return token, NORMAL_CLEARING
    if status in (488, 606):
        return token, BEARER_UNAVAILABLE if warning[:3] in _BEARER_WARNINGS else UNSPECIFIED
    return token, CAUSE_OF_STATUS.get(status) or (_REDIRECTED if status < 400 else UNSPECIFIED)


def q850_of(message: Message, default: int) -> int:
    """The cause the other side gave in its Reason header (RFC 3326), else the default."""
    try:
        for value in message.list_values(b"reason"):
            protocol, _, params = value.partition(b";")
            if protocol.strip().lower() == b"q.850":
                cause = param(b";" + params, b"cause")
                if cause is not None and cause.isdigit() and len(cause) <= 3 and 0 < int(cause) < 128:
                    return int(cause)
    except FieldError:
        return default
    return default


def reason_value(cause: int) -> bytes:
    """A Reason header with this cause (RFC 3326)."""
    return b'Q.850;cause=%d;text="%b"' % (cause, _WORDS.get(cause, b""))


def tell(message: Message, how: str, cause: int) -> None:
    """What the receiver is told of the cause: as it came (`pass`), always a cause of Q.850 (`q850`), or nothing
    (`strip`)."""
    if how == "strip":
        message.remove(b"reason")
    elif how == "q850" and not q850_of(message, 0):
        message.append(b"Reason", reason_value(cause))


def tell_cancel(reason: bytes | None, how: str) -> bytes | None:
    """The same of a CANCEL that is about to be made: its Reason."""
    if how == "strip":
        return None
    return reason_value(NORMAL_CLEARING) if how == "q850" and reason is None else reason


def tell_status(response: Response, unspecific: frozenset[int]) -> None:
    """A failure whose status says too little gets the one that its cause stands for."""
    if response.status in unspecific:
        cause = q850_of(response, 0)
        if cause and cause not in _UNTOLD:
            response.set_status(*STATUS_OF_CAUSE.get(cause, OTHERWISE))
