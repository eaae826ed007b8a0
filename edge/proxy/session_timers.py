"""Session timers, a proxy's part of them (RFC 4028 §8). Pure: edits of a refresh request and of its 2xx.

A session refresh request is an INVITE, in or outside a dialog, or an UPDATE. What cannot be read is left as it came:
the two user agents will say what they think of it.
"""

import re
from typing import Final

from edge.sip.errors import FieldError
from edge.sip.message import Message, Request, Response
from edge.sip.validation import Fault

LEAST_S: Final = 90
"""No minimum may be lower (RFC 4028 §5), and none is meant where Min-SE is absent."""

_ABOUT_IT: Final = frozenset((b"session-expires", b"min-se", b"supported"))
REFRESHES: Final = frozenset((b"INVITE", b"UPDATE"))

_DELTA: Final = re.compile(rb"[ \t]*([0-9]{1,9})[ \t]*(;[^\r\n]*)?\Z")


class Asked:
    """What is remembered from the request to its answer (§8.1)."""

    __slots__ = ("interval_s", "is_supported")

    def __init__(self, interval_s: int, is_supported: bool) -> None:
        self.interval_s = interval_s
        """Session-Expires as it was forwarded."""
        self.is_supported = is_supported
        """Did the sender's Supported name `timer`?"""


def fault(request: Request, least_s: int) -> Fault | None:
    """§8.1: a sender that understands 422 and asks for a shorter interval than ours. `least_s`: 90 or more."""
    if request.method not in REFRESHES or not request.has(b"session-expires"):
        return None
    interval = _delta(request, b"session-expires")
    if interval is None or interval >= least_s or not _supports(request):
        return None
    return Fault(422, b"Session Interval Too Small", "session interval", ((b"Min-SE", b"%d" % least_s),))


def ask(onward: Request, wanted_s: int, least_s: int) -> Asked | None:
    """Edit the request that leaves; None: no session timer is asked for. `wanted_s`: the longest interval we want, 0:
    only what others ask for. The refresher parameter is never ours to write (§8.1)."""
    if not onward.has_any(_ABOUT_IT):
        if not wanted_s:
            return None
        interval = max(wanted_s, LEAST_S)
        onward.add_line(b"Session-Expires:", b"Session-Expires: %d" % interval)
        return Asked(interval, False)
    is_asked = onward.has(b"session-expires")
    if not is_asked and not wanted_s:
        return None
    is_supported = _supports(onward)
    least = _delta(onward, b"min-se")
    floor = max(LEAST_S, least or 0)
    if not is_asked:
        interval = max(wanted_s, floor)
        onward.append(b"Session-Expires", b"%d" % interval)
        return Asked(interval, is_supported)
    found = _delta(onward, b"session-expires")
    if found is None:
        return None
    if not is_supported and found < least_s:
        # It would not understand a 422; Min-SE may be raised, never lowered.
        floor = max(floor, least_s)
        if least is None or least < floor:
            onward.remove(b"min-se")
            onward.append(b"Min-SE", b"%d" % floor)
        least = floor
    interval = found
    if least is not None and found < least:
        interval = least
    elif wanted_s and found > wanted_s:
        interval = min(found, max(wanted_s, floor))
    if interval != found:
        _, separator, params = onward.values(b"session-expires")[0].partition(b";")
        onward.replace(b"session-expires", b"%d" % interval + separator + params)
    return Asked(interval, is_supported)


def answered(response: Response, asked: Asked | None) -> int:
    """Edit a 2xx on its way up (§8.2); the session interval in seconds, 0: the session does not expire."""
    if response.has(b"session-expires"):
        interval = _delta(response, b"session-expires")
        return max(LEAST_S, interval) if interval else 0
    if asked is None or not asked.is_supported:
        return 0
    # The answering side knows no timers: the asking one refreshes alone.
    response.append(b"Session-Expires", b"%d;refresher=uac" % asked.interval_s)
    if not _names_timer(response, b"require"):
        response.append(b"Require", b"timer")
    return asked.interval_s


def _supports(request: Request) -> bool:
    return request.has(b"supported") and _names_timer(request, b"supported")


def _names_timer(message: Message, name: bytes) -> bool:
    try:
        return any(tag.lower() == b"timer" for tag in message.list_values(name))
    except FieldError:
        return False


def _delta(message: Message, name: bytes) -> int | None:
    """delta-seconds of a field; None where it is absent, there twice, or unreadable."""
    values = message.values(name)
    match = _DELTA.match(values[0]) if len(values) == 1 else None
    return None if match is None else int(match[1])
