"""Whom a URI names: the user part, the number in it, or the service. Pure.

RFC 3261 §19.1 (sip, sips), RFC 3966 (tel), RFC 5031 (`urn:service:sos`: help, of whatever kind). Read once for each URI
and plan: the same callers come again.
"""

import re
from typing import Final

from edge.config.plan import CACHE_LIMIT, UNREADABLE, Named, NumberPlan
from edge.policy.spelling import MAX_CACHED_LENGTH, MAX_TEXT, read_anew, read_bare
from edge.sip.errors import FieldError
from edge.sip.uri import SipUri, TelUri, emergency_service, parse_uri

_ANONYMOUS_HOST: Final = b"anonymous.invalid"
_USUAL_URI: Final = re.compile(rb"sip:(\+?[0-9]{1,20})@[0-9.]{7,15}(?::[0-9]{1,5})?(?:;user=phone)?")
"""Nearly every URI of a trunk: digits at an IPv4 address. Read without taking the rest apart."""
_DIGIT: Final = re.compile(rb"[0-9]")


def name_in(uri: bytes, plan: NumberPlan, *, bare_international: bool = False) -> Named:
    """Whom this URI names. `bare_international`: see `spelling.read_user`."""
    found = plan.named.get(uri)
    if found is None:
        found = _read(uri, plan)
        if len(uri) <= MAX_CACHED_LENGTH:
            if len(plan.named) >= CACHE_LIMIT:
                plan.named.clear()
            plan.named[uri] = found
    if bare_international and found.reading.state == UNREADABLE:
        return found._replace(reading=read_bare(found.reading))
    return found


def _read(uri: bytes, plan: NumberPlan) -> Named:
    usual = _USUAL_URI.fullmatch(uri)
    if usual is not None:
        user = usual.group(1)
        reading = read_anew(user, plan)
        # Not through Named's own constructor, which costs three times as much.
        return tuple.__new__(Named, (user, reading.text, reading, False, ""))
    user, is_anonymous_host = _user_of(uri)
    original = user[:MAX_TEXT].decode("utf-8", "replace")
    return Named(user, original, read_anew(user, plan), is_anonymous_host, emergency_service(uri))


def _user_of(uri: bytes) -> tuple[bytes, bool]:
    """(user part or subscriber with its parameters, host is anonymous.invalid); what is neither sip nor tel, or cannot
    be read, is its own user: the rules shall see the digits in it."""
    try:
        parsed = parse_uri(uri)
    except FieldError:
        return uri, False
    if isinstance(parsed, SipUri):
        user = parsed.user or b""
        if parsed.password and _DIGIT.search(user) is None:
            user += b":" + parsed.password  # sip:tel:+33…@h: the number would be the password
        return user, parsed.host.lower().endswith(_ANONYMOUS_HOST)
    if isinstance(parsed, TelUri):
        return parsed.number + parsed.params, False
    return uri, False
