"""Messages born here: responses (RFC 3261 §8.2.6), the ACK to a failure (§17.1.1.3), CANCEL (§9.1), BYE and the like.

Standard library only. What is copied from a message is copied as bytes, folds and spelling with it; what we insert is
guarded against CR, LF and NUL. Plain joins, since most of these leave on the hot path.
"""

from collections.abc import Sequence
from typing import Final

from edge.sip.errors import FieldError, LocalError
from edge.sip.grammar import is_clean, is_token
from edge.sip.headers import Message, header_line
from edge.sip.message import Request, Response

Headers = Sequence[tuple[bytes, bytes]]
"""Printed names with their values."""

DEFAULT_MAX_FORWARDS: Final = 70
"""§8.1.1.6."""

_MAX_FORWARDS: Final = b"Max-Forwards: %d" % DEFAULT_MAX_FORWARDS
_status_lines: Final[dict[tuple[int, bytes], bytes]] = {}
_STATUS_LINES_MAX: Final = 256
_TRYING: Final = b"SIP/2.0 100 Trying"
_NO_BODY: Final = b"Content-Length: 0\r\n\r\n"


def response(
    request: Message,
    status: int,
    phrase: bytes,
    *,
    to_tag: bytes | None = None,
    headers: Headers = (),
    body: bytes = b"",
) -> bytes:
    """A response to this request (§8.2.6): its Vias, From, To, Call-ID and CSeq as they came.

    `to_tag` goes on To if none is there, but never on a 100. Works on `ParseError.salvage` too, with what it has.
    A body needs its Content-Type among `headers`.
    """
    first = _status_lines.get((status, phrase)) or status_line(status, phrase)
    copied, to_at = request.answered_lines()
    if to_tag is not None and status != 100 and to_at >= 0 and _lacks_tag(request):
        if not to_tag.isalnum() and not is_token(to_tag):
            raise LocalError("a tag is a token")
        copied[to_at] = copied[to_at].rstrip(b" \t\r\n") + b";tag=" + to_tag
    lines = [first, *copied]
    if status == 100 and request.has(b"timestamp"):
        # §8.2.6.1: the sender measures the way with it.
        lines += request.header_lines(b"timestamp")
    for header, value in headers:
        lines.append(header_line(header, value))
    if not body:
        lines.append(_NO_BODY)
        return b"\r\n".join(lines)
    lines += (b"Content-Length: %d" % len(body), b"", body)
    return b"\r\n".join(lines)


def trying(request: Message) -> bytes:
    """`response(request, 100, b"Trying")`, at a third of its price where no Timestamp came."""
    if request.has(b"timestamp"):
        return response(request, 100, b"Trying")
    copied, _ = request.answered_lines()
    return b"\r\n".join((_TRYING, *copied, _NO_BODY))


def tail(headers: Headers) -> bytes:
    """How a response without a body ends, from the line end before these headers on: to be made once and used for
    many (`with_tail`)."""
    return b"\r\n".join([b"", *[header_line(header, value) for header, value in headers], _NO_BODY])


def with_tail(request: Message, first: bytes, ending: bytes, *, to_tag: bytes) -> bytes:
    """As `response`, of a status line (`status_line`) and a tail that are ready. `to_tag`: a token; goes on To if none
    is there."""
    copied, to_at = request.answered_lines()
    if to_at >= 0 and _lacks_tag(request):
        copied[to_at] = copied[to_at].rstrip(b" \t\r\n") + b";tag=" + to_tag
    copied.insert(0, first)
    return b"\r\n".join(copied) + ending


def status_line(status: int, phrase: bytes) -> bytes:
    """The first line of a response. LocalError where it would be none."""
    if not is_clean(phrase) or not 100 <= status <= 699:
        raise LocalError("no such status line")
    line = b"SIP/2.0 %d %b" % (status, phrase)
    if len(_status_lines) < _STATUS_LINES_MAX:
        _status_lines[status, phrase] = line
    return line


def _lacks_tag(request: Message) -> bool:
    try:
        return request.to().tag is None
    except FieldError:
        # A To nobody can read gets nothing added: the sender would not find it again.
        return False


def ack(invite: Request, response: Response) -> bytes:
    """The ACK to a failure response (§17.1.1.3), hop by hop. `invite` as we sent it."""
    lines = _same_hop(invite, b"ACK")
    lines += response.header_lines(b"to")
    lines.append(_NO_BODY)
    return b"\r\n".join(lines)


def cancel(invite: Request, *, reason: bytes | None = None) -> bytes:
    """The CANCEL of this INVITE (§9.1); may leave once a provisional response has come. `invite` as we sent it.

    `reason`: value of a Reason header (RFC 3326).
    """
    lines = _same_hop(invite, b"CANCEL")
    lines += invite.header_lines(b"to")
    if reason is not None:
        lines.append(header_line(b"Reason", reason))
    lines.append(_NO_BODY)
    return b"\r\n".join(lines)


def _same_hop(invite: Request, method: bytes) -> list[bytes]:
    """What ACK and CANCEL share with their INVITE: URI, top Via alone, Route, From, Call-ID, CSeq number."""
    return [
        b"%b %b SIP/2.0" % (method, invite.uri),
        b"Via: " + invite.via().raw,
        *invite.header_lines(b"route"),
        _MAX_FORWARDS,
        *invite.header_lines(b"from"),
        *invite.header_lines(b"call-id"),
        b"CSeq: %d %b" % (invite.cseq().number, method),
    ]


def request(
    method: bytes,
    uri: bytes,
    *,
    via: bytes,
    from_: bytes,
    to: bytes,
    call_id: bytes,
    cseq: int,
    routes: Sequence[bytes] = (),
    headers: Headers = (),
    max_forwards: int = DEFAULT_MAX_FORWARDS,
) -> bytes:
    """A request of our own without a body (§8.1.1). All values in their printed form."""
    if not is_token(method) or not uri or any(byte <= 0x20 for byte in uri):
        raise LocalError("no such request line")
    if not 0 <= cseq < 2**31 or not 0 <= max_forwards <= 255:
        raise LocalError("CSeq or Max-Forwards out of range")
    lines = [b"%b %b SIP/2.0" % (method, uri), header_line(b"Via", via)]
    lines += [header_line(b"Route", route) for route in routes]
    lines += (
        b"Max-Forwards: %d" % max_forwards,
        header_line(b"From", from_),
        header_line(b"To", to),
        header_line(b"Call-ID", call_id),
        b"CSeq: %d %b" % (cseq, method),
    )
    lines += [header_line(header, value) for header, value in headers]
    lines.append(_NO_BODY)
    return b"\r\n".join(lines)
