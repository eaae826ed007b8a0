"""Request, Response, and how a datagram becomes one, or else a ParseError (RFC 3261 §7, §18.3).

Standard library only. Structure is judged here: start line, header lines, required and repeated fields, body length,
and the two values without which no transaction can be found, top Via and CSeq. All other meaning is judged in
`edge.sip.validation`, so that a bad request can still get its answer. Two roads with one result: a message whose
layout is known needs one comparison (`edge.sip.layout`); every other one is surveyed line by line.
"""

from typing import Final

from edge.sip.errors import FieldError, LocalError, ParseError
from edge.sip.fields import CSeq, cut_first, parse_cseq, parse_via, read_via
from edge.sip.grammar import COMMA, LWS, NUL, SIP_VERSION, SPACE, TAB, TOKEN, is_clean, is_token, value_on
from edge.sip.headers import Message
from edge.sip.layout import Layout, guessed, remember, survey

__all__ = ["MAX_DATAGRAM", "MAX_HEADERS", "MAX_LINE", "Message", "Request", "Response", "parse"]

MAX_DATAGRAM: Final = 65_535
"""Bytes; the most that UDP carries."""

MAX_HEADERS: Final = 256
"""Header lines. Sound traffic has under 40; folds count."""

MAX_LINE: Final = 8192
"""Bytes of the start line, and of a header line with its folds; what common SIP and HTTP servers allow."""

_STATUSES: Final = {b"%d" % status: status for status in range(100, 700)}

_STRAY_IN_FIRST: Final = "bare CR, LF or NUL in the start line"

_NOTHING: Final = Layout(())
_CONTACT: Final = Layout((b"Contact:",))

_BAD_LENGTH: Final = -1
_SHORT_BODY: Final = -2

_lengths_seen: Final[dict[bytes, int]] = {}
_LENGTHS_SEEN_MAX: Final = 4096

_cseqs_seen: Final[dict[bytes, CSeq]] = {}
_CSEQS_SEEN_MAX: Final = 4096


class Request(Message):
    """§7.1."""

    __slots__ = ("method", "uri")

    def __init__(
        self,
        data: bytes,
        first: bytes,
        rows: list[bytes],
        body: bytes,
        layout: Layout,
        wire: bytes | None,
        method: bytes,
        uri: bytes,
    ) -> None:
        # Not through `Message.__init__`: one call less a message.
        self.data = data
        self.first = first
        self.body = body
        self._rows = rows
        self.layout = layout
        self._wire = wire
        self._via = self._cseq = self._from = self._to = self._call_id = None
        self.method = method
        """As it came: methods compare with case."""
        self.uri = uri

    def set_uri(self, uri: bytes) -> None:
        """Another Request-URI; the rest of the start line stays."""
        if not uri or not is_clean(uri) or NUL in uri or SPACE in uri or TAB in uri:
            raise LocalError("a Request-URI is one word")
        start = len(self.method) + 1
        self.first = self.first[:start] + uri + self.first[start + len(self.uri) :]
        self.uri = uri
        self._wire = None

    def copy(self) -> "Request":
        """A request of its own with the same bytes: edits of one never touch the other."""
        twin = Request(
            self.data, self.first, self._rows.copy(), self.body, self.layout, self._wire, self.method, self.uri
        )
        twin._via, twin._cseq, twin._from = self._via, self._cseq, self._from
        twin._to, twin._call_id = self._to, self._call_id
        return twin

    def remains(self) -> "Request":
        """What is left of a request whose answer is out: method, Call-ID and CSeq, by which a CANCEL is judged. No
        lines, no body and none of the bytes that came."""
        twin = Request(b"", b"", [], b"", _NOTHING, None, self.method, b"")
        twin._call_id = self.call_id()
        twin._cseq = self.cseq()
        return twin

    def dialog_remains(self) -> "Request":
        """What is left of an INVITE that has its 2xx, for one more of another fork: what the caller's side of that
        dialog is made of (§12.1.2), Request-URI, CSeq and Contact."""
        contact = self.value(b"contact")
        rows, layout = ([], _NOTHING) if contact is None else ([b"Contact: " + contact], _CONTACT)
        twin = Request(b"", b"", rows, b"", layout, None, self.method, self.uri)
        twin._cseq = self.cseq()
        return twin


class Response(Message):
    """§7.2."""

    __slots__ = ("reason", "status")

    def __init__(
        self,
        data: bytes,
        first: bytes,
        rows: list[bytes],
        body: bytes,
        layout: Layout,
        wire: bytes | None,
        status: int,
        reason: bytes,
    ) -> None:
        # Not through `Message.__init__`: one call less a message.
        self.data = data
        self.first = first
        self.body = body
        self._rows = rows
        self.layout = layout
        self._wire = wire
        self._via = self._cseq = self._from = self._to = self._call_id = None
        self.status = status
        self.reason = reason
        """The phrase as it came, any bytes; may be empty."""

    def set_status(self, status: int, phrase: bytes) -> None:
        """Another status; all else stays."""
        if not 100 <= status <= 699 or not is_clean(phrase) or NUL in phrase:
            raise LocalError("no such status line")
        self.first = b"SIP/2.0 %d %b" % (status, phrase)
        self.status = status
        self.reason = phrase
        self._wire = None

    def copy(self) -> "Response":
        """A response of its own with the same bytes: edits of one never touch the other."""
        twin = Response(
            self.data, self.first, self._rows.copy(), self.body, self.layout, self._wire, self.status, self.reason
        )
        twin._via, twin._cseq, twin._from = self._via, self._cseq, self._from
        twin._to, twin._call_id = self._to, self._call_id
        return twin


def parse(data: bytes) -> Request | Response:
    """The message in this datagram. Raises ParseError and nothing else, whatever the bytes are."""
    head, end, body = data.partition(b"\r\n\r\n")
    lines = head.splitlines()
    # `splitlines` also breaks at a bare CR or LF: then the lines do not make the head again.
    if not end or not lines or b"\r\n".join(lines) != head or len(data) > MAX_LINE or NUL in head:
        return _parse_oddly(data)
    first = lines.pop(0)
    words = first.split(b" ", 2)
    if len(words) != 3:
        return _parse_oddly(data)
    word, middle, last = words
    status = 0
    if last != b"SIP/2.0" or not middle:
        status = _STATUSES.get(middle, 0)
        if not status or word != b"SIP/2.0":
            return _parse_oddly(data)
        word = middle
    layout = guessed(word, lines)
    if layout is None:
        return _parse_oddly(data)
    wire = data
    if layout.length_at >= 0:
        line = lines[layout.length_at]
        length = _lengths_seen.get(line)
        if length is None:
            length = _content_length(line)
        if length != len(body):
            if length < 0 or length > len(body):
                return _parse_oddly(data)
            body = body[:length]
            wire = data[: len(head) + 4 + length]
    line = lines[layout.cseq_at]
    top = value_on(lines[layout.via_at], layout.via_start)
    try:
        cseq = _cseqs_seen.get(line) or _read_cseq(line)
        if COMMA in top:
            top = cut_first(top)[0].rstrip(LWS)
        # Our own Vias come back with responses; a branch of somebody else nearly always is a new one.
        via = parse_via(top) if status else read_via(top)
    except FieldError:
        return _parse_oddly(data)
    if status:
        response = Response(data, first, lines, body, layout, wire, status, last)
        response._cseq, response._via = cseq, via
        return response
    request = Request(data, first, lines, body, layout, wire, word, middle)
    request._cseq, request._via = cseq, via
    return request


def _parse_oddly(data: bytes) -> Request | Response:
    """A message of unknown layout, or one that the short road will not judge."""
    size = len(data)
    if size > MAX_DATAGRAM:
        raise ParseError("datagram too long", offset=MAX_DATAGRAM)
    start = 0
    if data[:1] in (b"\r", b"\n"):
        # §7.5: line ends before the start line are ignored.
        start = size - len(data.lstrip(b"\r\n"))
    end = data.find(b"\r\n\r\n", start)
    if end < 0:
        raise _unterminated(data, start)
    lines = data[start:end].split(b"\r\n")
    first = lines.pop(0)
    return _parse_completely(data, start, end, first, lines)


def _read_cseq(line: bytes) -> CSeq:
    cseq = parse_cseq(line.partition(b":")[2].strip(LWS))
    if len(line) <= 40:
        if len(_cseqs_seen) >= _CSEQS_SEEN_MAX:
            _cseqs_seen.clear()
        _cseqs_seen[line] = cseq
    return cseq


def _parse_completely(data: bytes, start: int, end: int, first: bytes, lines: list[bytes]) -> Request | Response:
    """The slow, complete road."""
    surveyed = survey(lines[:MAX_HEADERS])
    rows, layout = surveyed.rows, surveyed.layout
    body_at = end + 4
    stop = _body_end(data, body_at, rows, layout)
    if _is_response(first):
        word, last = _status_words(first)
        fault, hint = _response_fault(first, word)
        message: Request | Response = Response(
            data, first, rows, data[body_at:stop], layout, data[start:stop], _STATUSES.get(word, 0), last
        )
    else:
        word, last = _request_words(first)
        fault, hint = _request_fault(first, word, last)
        message = Request(data, first, rows, data[body_at:stop], layout, data[start:stop], word, last)
    at = start
    if not fault and surveyed.fault:
        fault, at = surveyed.fault, _offset(start, first, rows, surveyed.fault_at)
    if not fault and (len(lines) > MAX_HEADERS or max(map(len, rows)) > MAX_LINE):
        fault, hint = "too many header lines" if len(lines) > MAX_HEADERS else "header line too long", 413
    if not fault and stop < 0:
        fault, at = "bad Content-Length header" if stop == _BAD_LENGTH else "body shorter than Content-Length", body_at
    if not fault:
        try:
            message.via()
            message.cseq()
        except FieldError as error:
            fault = f"bad {error.field} header"
    if fault:
        raise _refused(fault, at, hint, message)
    if len(rows) == len(lines):
        remember(word, layout)
    return message


def _status_words(first: bytes) -> tuple[bytes, bytes]:
    """Status digits and phrase, whatever of them is there."""
    words = first.split(b" ", 2)
    return words[1] if len(words) > 1 else b"", words[2] if len(words) > 2 else b""


def _response_fault(first: bytes, digits: bytes) -> tuple[str, int]:
    if digits not in _STATUSES or first[:8].upper() != b"SIP/2.0 ":
        return "bad status line", 0
    if not is_clean(first) or b"\0" in first:
        return _STRAY_IN_FIRST, 0
    return ("start line too long", 0) if len(first) > MAX_LINE else ("", 0)


def _request_words(first: bytes) -> tuple[bytes, bytes]:
    """Method and Request-URI; empty where there is none."""
    words = first.split(b" ")
    method = words[0] if is_token(words[0]) else b""
    return method, words[1] if len(words) == 3 else b""


def _request_fault(first: bytes, method: bytes, uri: bytes) -> tuple[str, int]:
    """What is wrong with the request line, and the status of any later fault."""
    if not is_clean(first) or b"\0" in first:
        return _STRAY_IN_FIRST, 400
    if len(first) > MAX_LINE:
        return "start line too long", 413
    version = SIP_VERSION.fullmatch(first.rpartition(b" ")[2])
    if version is None or not method or not uri:
        return "bad request line", 400
    return ("", 400) if version.groups() == (b"2", b"0") else ("SIP version not 2.0", 505)


def _unterminated(data: bytes, start: int) -> ParseError:
    """The header has no end. What stands there may still be enough for a 400."""
    if start == len(data):
        return ParseError("keep-alive")
    lines = data[start : start + MAX_LINE].removesuffix(b"\r\n").split(b"\r\n")
    first = lines.pop(0)
    if _is_response(first):
        return ParseError("no end of the header", offset=len(data))
    rows, layout, _, _ = survey(lines[:MAX_HEADERS])
    word = TOKEN.match(first)
    method = b"" if word is None else word.group()
    return _refused("no end of the header", len(data), 400, Request(data, first, rows, b"", layout, None, method, b""))


def _refused(reason: str, offset: int, hint: int, salvage: Request | Response) -> ParseError:
    """The error. Nothing answers a response or an ACK (§17), and without a top Via there is nowhere to answer."""
    if isinstance(salvage, Response) or salvage.method == b"ACK":
        return ParseError(reason, offset=offset)
    try:
        salvage.via()
    except FieldError:
        return ParseError(reason, offset=offset)
    return ParseError(reason, offset=offset, status_hint=hint, salvage=salvage)


def _is_response(first: bytes) -> bool:
    return first[:4].upper() == b"SIP/"


def _offset(start: int, first: bytes, rows: list[bytes], row: int) -> int:
    return start + len(first) + 2 + sum([len(line) + 2 for line in rows[:row]])


def _content_length(row: bytes) -> int:
    """The number on this Content-Length line; -1 if it is none."""
    value = row.partition(b":")[2].strip(b" \t\r\n")
    if not value.isdigit() or len(value) > 10:
        return -1
    length = int(value)
    if len(row) <= 40:
        if len(_lengths_seen) >= _LENGTHS_SEEN_MAX:
            _lengths_seen.clear()
        _lengths_seen[row] = length
    return length


def _body_end(data: bytes, body_at: int, rows: list[bytes], layout: Layout) -> int:
    """Where the body ends (§18.3); negative: a fault."""
    if layout.length_at < 0:
        return len(data)
    length = _content_length(rows[layout.length_at])
    if length < 0:
        return _BAD_LENGTH
    return body_at + length if body_at + length <= len(data) else _SHORT_BODY
