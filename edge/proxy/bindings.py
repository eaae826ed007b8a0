"""What a registrar's response says of the time it grants (RFC 3261 §10.2.4, §10.3). Pure; what it says is bounded."""

from typing import Final

from edge.proxy.listeners import default_port
from edge.sip.errors import FieldError
from edge.sip.fields import parse_name_addr
from edge.sip.message import Response
from edge.sip.uri import SipUri, parse_uri

MAX_EXPIRES_S: Final = 86_400
"""No registration is asked for longer, nor believed to last longer."""


def granted_s(response: Response, contact: bytes, *, asked_s: int) -> int:
    """Seconds that our Contact is bound, never more than was asked for; 0: it is not.

    A 2xx lists every binding of the address (§10.3 item 8): ours is found by its URI. Where none is, as somebody on
    the way has rewritten it, a list of one is taken for ours; where there is no list, Expires decides."""
    general = _seconds(response.value(b"expires"))
    try:
        values = response.list_values(b"contact")
        bindings = [parse_name_addr(value) for value in values]
    except FieldError:
        return 0
    if not bindings:
        return 0 if general is None else min(general, asked_s)
    ours = [one for one in bindings if _is_same(one.uri, contact)] or (bindings if len(bindings) == 1 else [])
    if not ours:
        return 0
    own = _seconds(ours[0].param(b"expires"))
    found = own if own is not None else general if general is not None else asked_s
    return min(found, asked_s)


def least_s(response: Response) -> int:
    """Min-Expires of a 423 (§20.23), as far as we go along with it; 0: it has none, or one that is too long."""
    found = _seconds(response.value(b"min-expires")) or 0
    return found if found <= MAX_EXPIRES_S else 0


def retry_after_s(response: Response) -> int:
    """Seconds any failure asks to be left alone (§20.33); 0: it does not say, or not legibly."""
    value = response.value(b"retry-after") or b""
    return _seconds(value.partition(b";")[0].partition(b"(")[0]) or 0


def _seconds(value: bytes | None) -> int | None:
    """delta-seconds (§25.1); None: absent or illegible."""
    text = b"" if value is None else value.strip()
    return int(text) if text.isdigit() and len(text) <= 10 else None


def _is_same(one: bytes, other: bytes) -> bool:
    """The same place: user, host and port (§19.1.4, as far as a registrar that prints it anew keeps to it)."""
    try:
        first, second = parse_uri(one), parse_uri(other)
    except FieldError:
        return False
    if not isinstance(first, SipUri) or not isinstance(second, SipUri):
        return False
    return first.user == second.user and _place(first) == _place(second)


def _place(uri: SipUri) -> tuple[bytes, int]:
    return uri.host.lower(), uri.port or default_port(uri.transport or b"udp")
