"""How an attempt ended, told in one token and one Q.850 cause. Pure tables (RFC 3398 §8.2.6.1 for the causes)."""

from edge.sip.errors import FieldError
from edge.sip.fields import param
from edge.sip.message import Message

_BY_STATUS: dict[int, tuple[str, int]] = {
    400: ("rejected", 41), 401: ("rejected", 21), 402: ("rejected", 21), 403: ("rejected", 21), 404: ("not_found", 1),
    405: ("rejected", 63), 407: ("rejected", 21), 408: ("no_answer", 102), 410: ("not_found", 22),
    415: ("rejected", 79), 420: ("rejected", 127), 480: ("no_answer", 18), 481: ("failed", 41), 482: ("failed", 25),
    483: ("failed", 25), 484: ("not_found", 28), 485: ("not_found", 1), 486: ("busy", 17), 487: ("cancelled", 16),
    488: ("rejected", 88), 500: ("failed", 41), 501: ("failed", 79), 502: ("failed", 38), 503: ("failed", 41),
    504: ("failed", 102), 600: ("busy", 17), 603: ("rejected", 21), 604: ("not_found", 1), 606: ("rejected", 88),
}  # fmt: skip
_BY_CLASS = {3: ("redirected", 23), 4: ("rejected", 21), 5: ("failed", 41), 6: ("rejected", 21)}

NORMAL_CLEARING = 16
"""Q.850 cause of a call that ended because a party hung up."""


def cause_of(status: int) -> tuple[str, int]:
    """(token, Q.850 cause) of a final failure response."""
    found = _BY_STATUS.get(status)
    return found if found is not None else _BY_CLASS.get(status // 100, ("failed", 31))


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
