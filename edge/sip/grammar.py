"""RFC 3261 §25 as compiled patterns, and the names of header fields.

Standard library only. Each pattern carries the name of its rule; where one is laxer than the text the comment says
why. Every pattern is matched against bytes from outside, so none may backtrack more than linearly: in each
repetition the alternatives start with different bytes, and runs of one class are
possessive. (Possessive groups are avoided: some interpreters of 3.11 match them wrongly.)
"""

import re
from ipaddress import AddressValueError, IPv6Address
from typing import Final

LWS: Final = b" \t"
"""White space within a line. Folds are undone before a pattern sees the value."""

CR: Final = 0x0D
LF: Final = 0x0A
NUL: Final = 0x00
TAB: Final = 0x09
SPACE: Final = 0x20
QUOTE: Final = 0x22
COMMA: Final = 0x2C
LESS: Final = 0x3C
"""To ask whether a byte stands in a text: with a number `in` is one `memchr`, with bytes it first fails to read a
number, which costs six times as much."""

TOKEN_CHARS: Final = rb"A-Za-z0-9\-.!%*_+`'~"
TOKEN: Final = re.compile(rb"[" + TOKEN_CHARS + rb"]+")
TOKEN_BYTES: Final = bytes([byte for byte in range(256) if TOKEN.match(bytes([byte])) is not None])
"""The same characters: a text is a token where `lstrip` of them leaves nothing of it."""

QUOTED: Final = rb'"[^"\\]*+(?:\\.[^"\\]*+)*"'
QUOTED_STRING: Final = re.compile(QUOTED, re.DOTALL)

HEADER_NAME: Final = re.compile(rb"([" + TOKEN_CHARS + rb"]++)[ \t]*+:")
"""header-name HCOLON. White space before the colon is legal (§7.3.1)."""

SIP_VERSION: Final = re.compile(rb"SIP/([0-9]+)\.([0-9]+)", re.IGNORECASE)

HOST: Final = rb"\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,253}[A-Za-z0-9_.])?"
"""host. Laxer than the text: `_` is no hostname character, but names with it are in use."""

_GEN_VALUE: Final = rb"(?:" + QUOTED + rb"|[^ \t;,\"<>\0]++)"
GENERIC_PARAMS: Final = re.compile(
    rb"(?:[ \t]*+;[ \t]*+[" + TOKEN_CHARS + rb"\[\]/:&$]++(?:[ \t]*+=[ \t]*+" + _GEN_VALUE + rb"?)?)*[ \t]*+",
    re.DOTALL,
)
"""*( SEMI generic-param ). Laxer: a value may be empty or hold `=` and host characters, as peers send them."""

VIA_PARAMS: Final = re.compile(
    rb"(?:[ \t]*+;[ \t]*+(?:[" + TOKEN_CHARS + rb"\[\]/:&$]++(?:[ \t]*+=[ \t]*+" + _GEN_VALUE + rb"?)?)?)*[ \t]*+",
    re.DOTALL,
)
"""As GENERIC_PARAMS, and empty ones too: the top Via is all that leads an answer back (RFC 4475 §3.1.2.1)."""

VIA_PARM: Final = re.compile(
    rb"SIP[ \t]*+/[ \t]*+[0-9]{1,3}\.[0-9]{1,3}[ \t]*+/[ \t]*+([" + TOKEN_CHARS + rb"]++)[ \t]++(" + HOST + rb")"
    rb"(?:[ \t]*+:[ \t]*+([0-9]{1,5}))?[ \t]*+(;.*)?",
    re.IGNORECASE | re.DOTALL,
)
"""via-parm of SIP. Laxer: any version, so that a 505 finds its way back (RFC 4475 §3.1.2.16)."""

USUAL_SENT_BY: Final = re.compile(
    rb"SIP/2\.0/([A-Z]{2,4}) ([A-Za-z0-9](?:[A-Za-z0-9.-]{0,253}[A-Za-z0-9.])?)(?::([0-9]{1,5}))?"
)
USUAL_VIA_PARAMS: Final = re.compile(
    rb"(rport;)?branch=([" + TOKEN_CHARS + rb"]++)(?:;(rport)(?:=([0-9]{1,5}))?)?(?:;received=([0-9.]++))?"
)
"""The two halves of the via-parm nearly everyone sends, as it comes and as we stamp it; a short cut through VIA_PARM,
never a wider one."""

USUAL_DISPLAY: Final = re.compile(rb"(\"[^\"\\]*+\"|[A-Za-z0-9._-]*+) ?")
"""What stands before the angle bracket in the name-addr nearly everyone sends; a short cut as well."""

CSEQ: Final = re.compile(rb"0*([0-9]{1,10})[ \t]++([" + TOKEN_CHARS + rb"]++)")

LIST_PIECE: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*(?:\\\Z)?"?|<[^>]*+>?|[^",<]++|,', re.DOTALL)
"""Pieces of a comma list. An open quote or angle bracket runs to the end, so that no byte is read twice."""

PARAM_PIECE: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*(?:\\\Z)?"?|[^";]++|;', re.DOTALL)

DISPLAY_WORDS: Final = re.compile(rb"[^\",<>;\0]*")
"""Unquoted display-name. Laxer than *(token LWS): UTF-8 and dots stand there unquoted in the field."""

SCHEME: Final = re.compile(rb"([A-Za-z][A-Za-z0-9+.-]*):")

COMPACT: Final = {
    b"a": b"accept-contact",
    b"b": b"referred-by",
    b"c": b"content-type",
    b"d": b"request-disposition",
    b"e": b"content-encoding",
    b"f": b"from",
    b"i": b"call-id",
    b"j": b"reject-contact",
    b"k": b"supported",
    b"l": b"content-length",
    b"m": b"contact",
    b"n": b"identity-info",
    b"o": b"event",
    b"r": b"refer-to",
    b"s": b"subject",
    b"t": b"to",
    b"u": b"allow-events",
    b"v": b"via",
    b"x": b"session-expires",
    b"y": b"identity",
}
"""Compact forms (§7.3.3, §20 and the IANA registry)."""

_USUAL_NAMES: Final = (
    b"Via", b"Max-Forwards", b"From", b"To", b"Call-ID", b"CSeq", b"Contact", b"Content-Length", b"Content-Type",
    b"Route", b"Record-Route", b"Allow", b"Supported", b"Require", b"Proxy-Require", b"Unsupported", b"User-Agent",
    b"Server", b"Reason", b"Retry-After", b"P-Asserted-Identity", b"Privacy", b"Session-Expires", b"Min-SE",
    b"RSeq", b"RAck", b"Timestamp", b"Accept", b"Date", b"Subject", b"Diversion", b"Remote-Party-ID", b"Identity",
)  # fmt: skip
_CANONICAL: Final = {spelling: name.lower() for name in _USUAL_NAMES for spelling in (name, name.lower())}


def canonical(name: bytes) -> bytes:
    """The name under which a header field is indexed: long form, lower case (names compare without case, §7.3.1)."""
    known = _CANONICAL.get(name)
    if known is not None:
        return known
    lower = name.lower()
    return COMPACT.get(lower, lower)


def value_on(line: bytes, start: int) -> bytes:
    """What stands on this header line from `start` on, without white space around it. Folds stay."""
    if len(line) > start + 1 and line[start] == SPACE and line[start + 1] > SPACE and line[-1] > SPACE:
        return line[start + 1 :]  # nearly everyone's; stripping costs four times as much
    return line[start:].strip(LWS)


def is_token(text: bytes) -> bool:
    """Does the whole text match `token`?"""
    return TOKEN.fullmatch(text) is not None


def is_clean(text: bytes) -> bool:
    """May these bytes stand on one line? No CR or LF; a NUL only as a quoted-pair (§25.1; RFC 4475 §3.1.1.2)."""
    if LF in text or CR in text:
        return False
    return NUL not in text or text.count(b"\0") == text.count(b"\\\0")


_IPV6_SEEN: Final[dict[bytes, str | None]] = {}
_IPV6_SEEN_MAX: Final = 1024


def ipv6_text(text: bytes) -> str | None:
    """The canonical spelling of an IPv6 address without brackets; None where the text is none (RFC 5118 §4.10)."""
    try:
        return _IPV6_SEEN[text]
    except KeyError:
        pass
    try:
        spelling: str | None = str(IPv6Address(text.decode("ascii")))
    except (AddressValueError, UnicodeDecodeError):
        spelling = None
    if len(text) <= 45:
        if len(_IPV6_SEEN) >= _IPV6_SEEN_MAX:
            _IPV6_SEEN.clear()
        _IPV6_SEEN[text] = spelling
    return spelling
