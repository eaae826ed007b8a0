"""Who calls, told by the digits before the called number: a tech prefix on a trunk that several accounts share. Pure.

It is taken off before anything else is asked, so that numbers, rules, routes and the request that leaves know nothing
of it. A number that is an emergency one as it came is left alone: no prefix may eat its beginning (R16).
"""

import re
from typing import Final

from edge.config.dialling import PrefixTable
from edge.config.snapshot import PolicySnapshot
from edge.policy.attempt import CallAttempt
from edge.policy.numbers import is_emergency_call

_CHARACTER: Final = re.compile(rb"%([0-9A-Fa-f]{2})|([0-9*#])")
"""Of a called number: plain, or escaped as `#` must be in a SIP URI (RFC 3261 §19.1.2)."""
_MOST: Final = 16


def take_off(attempt: CallAttempt, prefixes: PrefixTable, snapshot: PolicySnapshot) -> str:
    """The account that the prefix of the called number means, empty: it has none. `attempt.tech_prefix` is set and the
    Request-URI goes on without it; asked again, the same attempt says the same."""
    if not attempt.tech_prefix:
        _find(attempt, prefixes, snapshot)
    found = prefixes.find(attempt.tech_prefix) if attempt.tech_prefix else None
    return "" if found is None else found[1]


def _find(attempt: CallAttempt, prefixes: PrefixTable, snapshot: PolicySnapshot) -> None:
    uri = attempt.request.uri
    scheme, colon, rest = uri.partition(b":")
    if scheme.lower() != b"tel" and (scheme.lower() not in (b"sip", b"sips") or b"@" not in rest):
        return  # no number in it
    start = len(scheme) + len(colon)
    text, ends = _head(uri, start)
    found = prefixes.find(text)
    if found is None or is_emergency_call(attempt, snapshot):
        return
    end = ends[len(found[0]) - 1]
    if uri[end : end + 1] in (b"", b"@", b";", b":", b"?"):
        return  # nothing would be left to call
    attempt.tech_prefix = found[0]
    attempt.request.set_uri(uri[:start] + uri[end:])


def _head(uri: bytes, start: int) -> tuple[str, list[int]]:
    """The characters a prefix may be made of that the number begins with, and where each of them ends."""
    text, ends, at = "", list[int](), start
    while len(ends) < _MOST:
        match = _CHARACTER.match(uri, at)
        if match is None:
            break
        escaped, plain = match.groups()
        text += chr(int(escaped, 16)) if plain is None else plain.decode()
        at = match.end()
        ends.append(at)
    return text, ends
