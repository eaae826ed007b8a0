"""SIP, SIPS and tel URIs and their parts (RFC 3261 §19.1, RFC 3966, RFC 5118).

Standard library only. Parts stay raw, escaped as they came.
"""

import re
from typing import Final, NamedTuple

from edge.sip.errors import FieldError
from edge.sip.fields import SEEN_LENGTH, SEEN_MAX, param
from edge.sip.grammar import HOST, SCHEME, ipv6_text

MAX_URI: Final = 4096
"""Bytes. Long URIs with embedded header fields stay under 2,000."""

MAX_SERVICE: Final = 128
"""Bytes of the URN of a service."""

_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")

_USER: Final = re.compile(rb"[^\x00-\x20\x7f-\xff<>\":@\\]++")
"""user. Laxer than the text by `#` and a few more that peers leave unescaped; never a delimiter."""

_PASSWORD: Final = re.compile(rb"[^\x00-\x20\x7f-\xff<>\"@\\]*+")

_HOST_AND_REST: Final = re.compile(
    rb"(" + HOST + rb")(?::([0-9]{1,5}))?"
    rb"((?:;[^\x00-\x20\x7f-\xff<>\"?@;\\]++)*)(\?[^\x00-\x20\x7f-\xff<>\"@\\]*+)?"
)

_TEL: Final = re.compile(rb"(\+[().-]*+[0-9][0-9().-]*+|[0-9A-Fa-f*#().-]++)((?:;[^\x00-\x20\x7f-\xff<>\"?@;\\]++)*)")

_USUAL: Final = re.compile(
    rb"sip:(?:([A-Za-z0-9+._*#-]++)@)?([A-Za-z0-9](?:[A-Za-z0-9.-]{0,253}[A-Za-z0-9.])?)(?::([0-9]{1,5}))?"
    rb"((?:;[A-Za-z0-9=.-]++)*)"
)
"""The SIP URI nearly everyone sends; a short cut, never wider than the complete road."""


class SipUri(NamedTuple):
    """sip: or sips: (§19.1.1)."""

    scheme: bytes
    """b"sip" or b"sips"."""
    user: bytes | None
    """As it came, escapes kept; parameters within it (`;phone-context=…`) too."""
    password: bytes | None
    host: bytes
    """An IPv6 address without its brackets."""
    is_ipv6: bool
    port: int | None
    params: bytes
    """As they came, from the first `;`."""
    headers: bytes
    """As they came, without the `?`."""

    def param(self, name: bytes) -> bytes | None:
        """A URI parameter: its bytes, b"" for a flag, None if absent. `name` in lower case."""
        return param(self.params, name)

    @property
    def is_lr(self) -> bool:
        """Does this route name a loose router? (§19.1.1; `lr=on` and the like count too.)"""
        return param(self.params, b"lr") is not None

    @property
    def transport(self) -> bytes | None:
        """Lower case; None if absent."""
        value = param(self.params, b"transport")
        return None if value is None else value.lower()

    @property
    def maddr(self) -> bytes | None:
        """None if absent; an IPv6 address without its brackets."""
        value = param(self.params, b"maddr")
        return value[1:-1] if value is not None and value[:1] == b"[" and value[-1:] == b"]" else value


class TelUri(NamedTuple):
    """tel: (RFC 3966)."""

    number: bytes
    """As it came, visual separators kept; global numbers start with `+`."""
    params: bytes

    def param(self, name: bytes) -> bytes | None:
        """A parameter: its bytes, b"" for a flag, None if absent. `name` in lower case."""
        return param(self.params, name)


class OtherUri(NamedTuple):
    """Any other scheme: sound as far as we can say, and not for us to route."""

    scheme: bytes
    """Lower case."""
    raw: bytes


Uri = SipUri | TelUri | OtherUri

_LABEL: Final = rb"[A-Za-z0-9](?:[A-Za-z0-9-]{0,25}[A-Za-z0-9])?"
_SOS: Final = re.compile(rb"urn:service:(sos(?:\." + _LABEL + rb")*)", re.IGNORECASE)
"""RFC 5031 §4.1; labels compare without case."""

_seen: Final[dict[bytes, Uri]] = {}


def parse_uri(raw: bytes) -> Uri:
    """The parts of a URI. FieldError where it is none, or breaks its own scheme's rules."""
    uri = _seen.get(raw)
    if uri is None:
        uri = _parse_usual_uri(raw) or _parse_uri_completely(raw)
        if len(raw) <= SEEN_LENGTH:
            if len(_seen) >= SEEN_MAX:
                _seen.clear()
            _seen[raw] = uri
    return uri


def emergency_service(raw: bytes) -> str:
    """`sos` or `sos.fire` of `urn:service:sos.fire`, in lower case; empty: it asks for no help (RFC 5031 §4.2)."""
    found = _SOS.fullmatch(raw) if len(raw) <= MAX_SERVICE else None
    return "" if found is None else found.group(1).decode().lower()


def _parse_usual_uri(raw: bytes) -> SipUri | None:
    usual = _USUAL.fullmatch(raw)
    if usual is None or len(raw) > MAX_URI:
        return None
    user, host, digits, params = usual.groups()
    port = None
    if digits is not None:
        port = int(digits)
        if port > 65535:
            return None
    # Not through SipUri's own constructor, which costs three times as much.
    return tuple.__new__(SipUri, (b"sip", user, None, host, False, port, params, b""))


def _parse_uri_completely(raw: bytes) -> Uri:
    if len(raw) > MAX_URI:
        raise FieldError("URI", f"longer than {MAX_URI} bytes")
    match = SCHEME.match(raw)
    if match is None:
        raise FieldError("URI", "no scheme")
    scheme = match.group(1).lower()
    if scheme == b"sip" or scheme == b"sips":
        return _parse_sip(scheme, raw[match.end() :])
    if scheme == b"tel":
        number = _TEL.fullmatch(raw, match.end())
        if number is None:
            raise FieldError("URI", "not a telephone number")
        return TelUri(number.group(1), number.group(2))
    if any(byte <= 0x20 or byte >= 0x7F or byte in b'<>"' for byte in raw):
        raise FieldError("URI", "white space, delimiters or non-ASCII bytes")
    return OtherUri(scheme, raw)


def _parse_sip(scheme: bytes, rest: bytes) -> SipUri:
    if b"%" in rest and _BAD_ESCAPE.search(rest) is not None:
        raise FieldError("URI", "'%' without two hexadecimal digits")
    user = password = None
    userinfo, at, where = rest.rpartition(b"@")
    if at:
        user, colon, secret = userinfo.partition(b":")
        if _USER.fullmatch(user) is None:
            raise FieldError("URI", "bad user part")
        if colon:
            password = secret
            if _PASSWORD.fullmatch(secret) is None:
                raise FieldError("URI", "bad password")
    match = _HOST_AND_REST.fullmatch(where)
    if match is None:
        raise FieldError("URI", "bad host, port or parameters")
    host, port, params, headers = match.groups()
    is_ipv6 = host[:1] == b"["
    if is_ipv6:
        host = host[1:-1]
        if ipv6_text(host) is None:
            raise FieldError("URI", "bad IPv6 address")
    number = None if port is None else int(port)
    if number is not None and number > 65535:
        raise FieldError("URI", "port over 65535")
    return SipUri(scheme, user, password, host, is_ipv6, number, params, headers[1:] if headers else b"")
