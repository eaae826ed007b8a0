"""Typed readings of header values: Via, addresses, CSeq, parameters, comma lists (RFC 3261 §20, §25; RFC 3581).

Standard library only. Values come in unfolded and stripped, as `Message.value` gives them; what is malformed raises
`FieldError`. Nothing here re-prints a value: what must change is spliced into the bytes as they came.
"""

from typing import Final, NamedTuple

from edge.sip.errors import FieldError, LocalError
from edge.sip.grammar import (
    COMMA,
    CR,
    CSEQ,
    DISPLAY_WORDS,
    GENERIC_PARAMS,
    LESS,
    LIST_PIECE,
    LWS,
    PARAM_PIECE,
    QUOTE,
    QUOTED_STRING,
    SCHEME,
    SPACE,
    TAB,
    TOKEN_BYTES,
    USUAL_DISPLAY,
    USUAL_SENT_BY,
    USUAL_VIA_PARAMS,
    VIA_PARAMS,
    VIA_PARM,
    ipv6_text,
)

MAX_LIST_VALUES: Final = 128
"""Values of one comma list. The deepest Via or Route stack of sound traffic is near 10; Max-Forwards starts at 70."""

CSEQ_LIMIT: Final = 2**31
"""RFC 3261 §8.1.1.5."""

SEEN_MAX: Final = 2048
"""Readings remembered, of each kind. The messages of one call share From, To, Contact and Route, responses bring our
own Vias back, and a neighbour names itself in the same way call after call."""

SEEN_LENGTH: Final = 256
"""Bytes of a value worth remembering; the stores are bounded in bytes too."""

_BRACKETS_AND_FOLDS: Final = b" \t\r\n"


class Via(NamedTuple):
    """One via-parm (§20.42)."""

    transport: bytes
    """Upper case."""
    host: bytes
    """sent-by host; an IPv6 address without its brackets."""
    port: int | None
    branch: bytes | None
    received: bytes | None
    rport: int | None
    """0: the flag stands there without a value (RFC 3581 §3)."""
    params: bytes
    """As they came, from the first `;`."""
    raw: bytes


class NameAddr(NamedTuple):
    """name-addr or addr-spec with the parameters of the header field (§20.10)."""

    display: bytes
    """As it came: quotes and escapes kept; empty if absent."""
    uri: bytes
    params: bytes
    """As they came, from the first `;` after the address."""
    tag: bytes | None
    raw: bytes

    def param(self, name: bytes) -> bytes | None:
        """A header parameter (not one of the URI): its bytes, b"" for a flag, None if absent."""
        return param(self.params, name)


class CSeq(NamedTuple):
    """§20.16."""

    number: int
    method: bytes


_vias_seen: Final[dict[bytes, Via]] = {}
_sent_bys_seen: Final[dict[bytes, tuple[bytes, bytes, int | None]]] = {}
_addresses_seen: Final[dict[bytes, NameAddr]] = {}
_stamps_seen: Final[dict[tuple[bytes, int], tuple[bytes, bytes, bytes]]] = {}


def unfold(value: bytes) -> bytes:
    """A header value on one line, without white space around it (§7.3.1)."""
    if CR in value:
        value = b" ".join([part.strip(LWS) for part in value.split(b"\r\n")])
    return value.strip(LWS)


def split_list(value: bytes, field: str = "list") -> list[bytes]:
    """The values of a comma list, stripped; commas in quotes and angle brackets do not count (§7.3.1)."""
    if COMMA not in value:
        return [value.strip(_BRACKETS_AND_FOLDS)]
    if QUOTE not in value and LESS not in value:
        pieces = value.split(b",")
    else:
        pieces = []
        start = 0
        for piece in LIST_PIECE.finditer(value):
            if piece.group() == b",":
                pieces.append(value[start : piece.start()])
                start = piece.end()
        pieces.append(value[start:])
    if len(pieces) > MAX_LIST_VALUES:
        raise FieldError(field, f"more than {MAX_LIST_VALUES} values")
    return [piece.strip(_BRACKETS_AND_FOLDS) for piece in pieces]


def cut_first(value: bytes) -> tuple[bytes, bytes | None]:
    """The first value of a comma list and all that stands after its comma, untouched; None if it was the only one."""
    if COMMA not in value:
        return value, None
    if QUOTE not in value and LESS not in value:
        first, _, rest = value.partition(b",")
        return first, rest
    for piece in LIST_PIECE.finditer(value):
        if piece.group() == b",":
            return value[: piece.start()], value[piece.end() :]
    return value, None


def _split_params(raw: bytes) -> list[bytes]:
    if QUOTE not in raw:
        return raw.split(b";")
    pieces = []
    start = 0
    for piece in PARAM_PIECE.finditer(raw):
        if piece.group() == b";":
            pieces.append(raw[start : piece.start()])
            start = piece.end()
    pieces.append(raw[start:])
    return pieces


def param(raw_params: bytes, name: bytes) -> bytes | None:
    """A parameter's value as it came (quotes kept), b"" for a flag, None if absent. `name` in lower case."""
    if name not in raw_params.lower():
        return None
    for piece in _split_params(raw_params):
        key, _, value = piece.partition(b"=")
        if key.strip(LWS).lower() == name:
            return value.strip(LWS)
    return None


def _count(raw_params: bytes, name: bytes) -> int:
    return sum([piece.partition(b"=")[0].strip(LWS).lower() == name for piece in _split_params(raw_params)])


def _port(text: bytes | None, field: str) -> int | None:
    if text is None:
        return None
    port = int(text)
    if port > 65535:
        raise FieldError(field, "port over 65535")
    return port


def parse_via(value: bytes) -> Via:
    """One via-parm (§20.42); of a comma list hand in the first value."""
    via = _vias_seen.get(value)
    if via is None:
        via = _parse_usual_via(value) or _parse_via_completely(value)
        remember_via(value, via)
    return via


def read_via(value: bytes) -> Via:
    """As `parse_via`, of a value that will hardly come again, as the branch of a request is another one each time: not
    remembered. Thousands of readings nobody asks for push out of the processor's caches what is asked for."""
    return _parse_usual_via(value) or _parse_via_completely(value)


def remember_via(value: bytes, via: Via) -> None:
    """This value reads so; it will come again."""
    if len(value) <= SEEN_LENGTH:
        if len(_vias_seen) >= SEEN_MAX:
            _vias_seen.clear()
        _vias_seen[value] = via


def _parse_usual_via(value: bytes) -> Via | None:
    head, _, params = value.partition(b";")
    if params.startswith(b"branch="):
        branch, flag = (params[7:-6], 0) if params.endswith(b";rport") else (params[7:], None)
        sent_by = _sent_bys_seen.get(head)
        if branch and sent_by is not None and not branch.lstrip(TOKEN_BYTES):
            # Not through Via's own constructor, which costs three times as much.
            transport, host, port = sent_by
            return tuple.__new__(Via, (transport, host, port, branch, None, flag, value[len(head) :], value))
    usual = USUAL_VIA_PARAMS.fullmatch(params)
    if usual is None:
        return None
    sent_by = _sent_bys_seen.get(head) or _parse_usual_sent_by(head)
    before, branch, after, filled, received = usual.groups()
    if sent_by is None or (before and after):
        return None
    transport, host, port = sent_by
    rport = 0 if before or after else None
    if filled is not None:
        rport = int(filled)
        if rport > 65535:
            return None
    return tuple.__new__(Via, (transport, host, port, branch, received, rport, value[len(head) :], value))


def _parse_usual_sent_by(head: bytes) -> tuple[bytes, bytes, int | None] | None:
    usual = USUAL_SENT_BY.fullmatch(head)
    if usual is None:
        return None
    transport, host, digits = usual.groups()
    port = None if digits is None else int(digits)
    if port is not None and port > 65535:
        return None
    sent_by = transport, host, port
    if len(head) <= SEEN_LENGTH:
        if len(_sent_bys_seen) >= SEEN_MAX:
            _sent_bys_seen.clear()
        _sent_bys_seen[head] = sent_by
    return sent_by


def _parse_via_completely(value: bytes) -> Via:
    match = VIA_PARM.fullmatch(value)
    if match is None:
        raise FieldError("Via", "not a via-parm of SIP")
    transport, host, port, params = match.groups()
    if host[:1] == b"[":
        host = host[1:-1]
        if ipv6_text(host) is None:
            raise FieldError("Via", "bad IPv6 address")
    branch = received = None
    rport: int | None = None
    if params is None:
        params = b""
    elif VIA_PARAMS.fullmatch(params) is None:
        raise FieldError("Via", "malformed parameters")
    else:
        seen = set()
        for piece in _split_params(params)[1:]:
            key, _, text = piece.partition(b"=")
            key = key.strip(LWS).lower()
            text = text.strip(LWS)
            if key and key in seen:
                raise FieldError("Via", "a parameter stands there twice")
            seen.add(key)
            if key == b"branch":
                branch = text
            elif key == b"received":
                received = text[1:-1] if text[:1] == b"[" and text[-1:] == b"]" else text
            elif key == b"rport":
                if not text:
                    rport = 0
                elif text.isdigit() and len(text) <= 5:
                    rport = _port(text, "Via")
                else:
                    raise FieldError("Via", "rport is no number")
    return Via(transport.upper(), host, _port(port, "Via"), branch, received, rport, params, value)


def stamp_via(value: bytes, host: bytes, port: int, force: bool) -> bytes:
    """The Via value with `received` and `rport` as this source demands; `value` itself where nothing is to be said.

    `received` where sent-by is a name or differs from the source (RFC 3261 §18.2.1), and always beside a filled
    `rport` (RFC 3581 §4). `force` fills rport even where the sender did not ask. A `received` that the sender wrote
    himself is replaced: it is ours to say. Of a comma list only the first value is touched. `host` is numeric.
    """
    top, rest = cut_first(value) if COMMA in value else (value, None)
    via = parse_via(top.strip(_BRACKETS_AND_FOLDS))
    fill = via.rport == 0 or (force and via.rport is None)
    if not fill and via.received is None and (via.host == host or _same_host(via.host, host)):
        return value
    stamp = _stamps_seen.get((host, port)) or _stamp(host, port)
    if value[-6:] == b";rport" and via.rport == 0 and via.received is None and via.raw == value and QUOTE not in value:
        # Nearly everyone's. Who stamps will read it again.
        return _remember_stamped(via, value + stamp[0], host, port)
    stamped = top.rstrip(_BRACKETS_AND_FOLDS)
    tail = top[len(stamped) :]
    head = stamped[: len(stamped) - len(via.params)]
    pieces = [head]
    for piece in _split_params(via.params)[1:]:
        key = piece.partition(b"=")[0].strip(LWS).lower()
        if key == b"received":
            continue
        pieces.append(stamp[1] if key == b"rport" and fill else piece)
    if fill and via.rport is None:
        pieces.append(stamp[1])
    pieces.append(stamp[2])
    stamped = b";".join(pieces) + tail
    return stamped if rest is None else stamped + b"," + rest


def _remember_stamped(via: Via, stamped: bytes, host: bytes, port: int) -> bytes:
    if len(stamped) <= SEEN_LENGTH and len(_vias_seen) < SEEN_MAX:
        params = stamped[len(via.raw) - len(via.params) :]
        _vias_seen[stamped] = tuple.__new__(
            Via, (via.transport, via.host, via.port, via.branch, host, port, params, stamped)
        )
    return stamped


def _stamp(host: bytes, port: int) -> tuple[bytes, bytes, bytes]:
    """What this source has added to its Vias: after a bare rport at the end, as rport, as received."""
    if b"\r" in host or b"\n" in host or b";" in host or b"," in host:
        raise LocalError("a source host is a numeric address")
    stamp = b"=%d;received=%b" % (port, host), b"rport=%d" % port, b"received=" + host
    if len(_stamps_seen) >= SEEN_MAX:
        _stamps_seen.clear()
    _stamps_seen[host, port] = stamp
    return stamp


def _same_host(sent_by: bytes, source: bytes) -> bool:
    if sent_by == source:
        return True
    if b":" not in sent_by:
        return False
    spelling = ipv6_text(sent_by)
    return spelling is not None and spelling == ipv6_text(source)


def parse_name_addr(value: bytes, field: str = "address") -> NameAddr:
    """name-addr or addr-spec with header parameters (§20.10, §20.20, §20.39). `*` passes as a URI (§20.10)."""
    address = _addresses_seen.get(value)
    if address is None:
        address = _parse_usual_name_addr(value) or _parse_name_addr_completely(value, field)
        if len(value) <= SEEN_LENGTH:
            if len(_addresses_seen) >= SEEN_MAX:
                _addresses_seen.clear()
            _addresses_seen[value] = address
    return address


def _parse_usual_name_addr(value: bytes) -> NameAddr | None:
    """The one nearly everyone sends: a URI of a common scheme in angle brackets, and no more than a tag behind them."""
    display, _, rest = value.partition(b"<")
    uri, bracket, params = rest.partition(b">")
    if not bracket or not (uri.startswith(b"sip:") or uri.startswith(b"tel:") or uri.startswith(b"sips:")):
        return None
    if SPACE in uri or TAB in uri or LESS in uri or QUOTE in uri:
        return None
    tag = None
    if params:
        tag = params[5:]
        if not params.startswith(b";tag=") or not tag or tag.lstrip(TOKEN_BYTES):
            return None
    if display:
        usual = USUAL_DISPLAY.fullmatch(display)
        if usual is None:
            return None
        display = usual.group(1)
    return tuple.__new__(NameAddr, (display, uri, params, tag, value))


def _parse_name_addr_completely(value: bytes, field: str) -> NameAddr:
    if value == b"*":
        return NameAddr(b"", b"*", b"", None, value)
    display = b""
    if value[:1] == b'"':
        quoted = QUOTED_STRING.match(value)
        if quoted is None:
            raise FieldError(field, "unterminated quoted string")
        display = quoted.group()
        after = value[quoted.end() :]
        open_at = len(value) - len(after.lstrip(LWS))
        if value[open_at : open_at + 1] != b"<":
            raise FieldError(field, "no address after the display name")
    else:
        open_at = value.find(b"<")
        if open_at > 0:
            display = value[:open_at].strip(LWS)
            if DISPLAY_WORDS.fullmatch(display) is None:
                raise FieldError(field, "bad character in the display name")
    if open_at >= 0:
        close_at = value.find(b">", open_at)
        if close_at < 0:
            raise FieldError(field, "no closing angle bracket")
        uri = value[open_at + 1 : close_at]
        params = value[close_at + 1 :].lstrip(LWS)
    else:
        semicolon = value.find(b";")
        uri, params = (value, b"") if semicolon < 0 else (value[:semicolon].rstrip(LWS), value[semicolon:])
        if b"?" in uri or b"," in uri:
            # §20: such a URI must stand in angle brackets, or its end is a guess.
            raise FieldError(field, "a URI with '?' or ',' stands without angle brackets")
    if SCHEME.match(uri) is None:
        raise FieldError(field, "no URI")
    if b" " in uri or b"\t" in uri or b"<" in uri or b'"' in uri or b">" in uri:
        raise FieldError(field, "white space or delimiters within the URI")
    tag = None
    if params:
        if params[:1] != b";" or GENERIC_PARAMS.fullmatch(params) is None:
            raise FieldError(field, "malformed parameters")
        tag = param(params, b"tag")
        if tag is not None:
            if not tag or b'"' in tag:
                raise FieldError(field, "the tag is no token")
            if params.count(b";") > 1 and _count(params, b"tag") > 1:
                raise FieldError(field, "two tags")
    return NameAddr(display, uri, params, tag, value)


def parse_cseq(value: bytes) -> CSeq:
    """§20.16: a number under 2**31 and a method."""
    match = CSEQ.fullmatch(value)
    if match is None:
        raise FieldError("CSeq", "not a number and a method")
    number = int(match.group(1))
    if number >= CSEQ_LIMIT:
        raise FieldError("CSeq", "the number is 2**31 or more")
    return CSeq(number, match.group(2))
