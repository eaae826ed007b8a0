"""edge.sip.message: a datagram becomes a Request or a Response, or a ParseError that says what may be answered."""

import pytest

from edge.sip import layout
from edge.sip import message as room
from edge.sip.errors import LocalError, ParseError
from edge.sip.message import MAX_DATAGRAM, MAX_HEADERS, MAX_LINE, Request, Response, parse

LINES = (
    b"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1",
    b"Max-Forwards: 70",
    b"From: <sip:a@b>;tag=1",
    b"To: <sip:c@d>",
    b"Call-ID: x@y",
    b"CSeq: 1 INVITE",
    b"Content-Length: 4",
)


@pytest.fixture(autouse=True)
def _nothing_known() -> None:
    layout._guesses.clear()
    layout._layouts.clear()


def wire(first: bytes = b"INVITE sip:c@d SIP/2.0", *, body: bytes = b"body", **changed: bytes | None) -> bytes:
    """A datagram; `to=b"To: x"` changes a line, `to=None` takes it out, any other name adds one."""
    names = ("via", "hops", "from_", "to", "call_id", "cseq", "length")
    lines = [changed.pop(name, line) for name, line in zip(names, LINES, strict=True)]
    kept = [line for line in (*lines, *changed.values()) if line is not None]
    return b"\r\n".join([first, *kept, b"", body])


def refused(data: bytes) -> ParseError:
    """The error, the same on both roads."""
    with pytest.raises(ParseError) as first:
        parse(data)
    parse(wire())
    with pytest.raises(ParseError) as second:
        parse(data)
    assert str(first.value) == str(second.value)
    return first.value


def test_a_request() -> None:
    """Start line, body and what arrived."""
    request = parse(wire())

    assert isinstance(request, Request)
    assert (request.method, request.uri, request.first, request.body) == (
        b"INVITE",
        b"sip:c@d",
        b"INVITE sip:c@d SIP/2.0",
        b"body",
    )
    assert (request.data, request.lines) == (wire(), list(LINES))


@pytest.mark.parametrize(
    ("first", "status", "reason"),
    [
        (b"SIP/2.0 200 OK", 200, b"OK"),
        (b"SIP/2.0 180 Is ringing \xc3\xa9", 180, b"Is ringing \xc3\xa9"),
        (b"SIP/2.0 100 ", 100, b""),
        (b"SIP/2.0 699", 699, b""),
        (b"sip/2.0 404  x", 404, b" x"),
    ],
)
def test_a_response(first: bytes, status: int, reason: bytes) -> None:
    """Status and phrase; the phrase may be anything."""
    for _ in range(2):
        response = parse(wire(first))

        assert isinstance(response, Response)
        assert (response.status, response.reason, response.render()) == (status, reason, wire(first))


def test_copies_keep_what_their_class_adds() -> None:
    """Method and URI; status and phrase."""
    request, response = parse(wire()).copy(), parse(wire(b"SIP/2.0 200 OK")).copy()

    assert isinstance(request, Request)
    assert isinstance(response, Response)
    assert (request.method, request.uri, response.status, response.reason) == (b"INVITE", b"sip:c@d", 200, b"OK")


def test_another_request_uri() -> None:
    """Method and version stay as printed."""
    request = parse(wire(b"INVITE sip:c@d sip/2.0"))
    assert isinstance(request, Request)
    request.set_uri(b"sip:e@f")

    assert request.render() == wire(b"INVITE sip:e@f sip/2.0")
    with pytest.raises(LocalError):
        request.set_uri(b"sip:e f")


@pytest.mark.parametrize("extra", [b"", b"\r\n", b"INVITE sip:z SIP/2.0\r\n\r\n"])
def test_surplus_bytes_are_dropped(extra: bytes) -> None:
    """Content-Length rules on datagrams (§18.3)."""
    for _ in range(2):
        message = parse(wire() + extra)

        assert (message.body, message.render(), message.data) == (b"body", wire(), wire() + extra)


def test_without_a_length_the_datagram_is_the_body() -> None:
    """§18.3 again."""
    for _ in range(2):
        assert parse(wire(length=None, body=b"all\r\n\r\nof it")).body == b"all\r\n\r\nof it"


@pytest.mark.parametrize("ends", [b"\r\n", b"\r\n\r\n", b"\n", b"\r\n" * 300])
def test_line_ends_before_the_start_line_are_skipped(ends: bytes) -> None:
    """§7.5; they do not travel on."""
    for _ in range(2):
        assert parse(ends + wire()).render() == wire()


@pytest.mark.parametrize("data", [b"", b"\r\n", b"\r\n\r\n", b"\n"])
def test_keep_alives(data: bytes) -> None:
    """Nothing but line ends: no message, no fault worth an answer."""
    error = refused(data)

    assert (error.reason, error.status_hint) == ("keep-alive", 0)


@pytest.mark.parametrize(
    ("data", "reason", "hint"),
    [
        (wire(to=None), "no To header", 400),
        (wire(via=None), "no Via header", 0),
        (wire(via=b"Via: x"), "bad Via header", 0),
        (wire(cseq=b"CSeq: x"), "bad CSeq header", 400),
        (wire(extra=b"i: z"), "more than one Call-ID header", 400),
        (wire(extra=b"nonsense"), "no colon in a header line", 400),
        (wire(extra=b"a b: c"), "bad header name", 400),
        (wire(extra=b"X: a\nb"), "bare CR, LF or NUL in a header", 400),
        (wire(extra=b"X: a\rb"), "bare CR, LF or NUL in a header", 400),
        (wire(extra=b"X: a\r"), "bare CR, LF or NUL in a header", 400),
        (wire(extra=b"X: a\n"), "bare CR, LF or NUL in a header", 400),
        (wire(extra=b"X: a\0"), "bare CR, LF or NUL in a header", 400),
        (wire(length=b"Content-Length: 5"), "body shorter than Content-Length", 400),
        (wire(length=b"l: -4"), "bad Content-Length header", 400),
        (wire(length=b"l: 99999999999"), "bad Content-Length header", 400),
        (wire(b"INVITE sip:c@d"), "bad request line", 400),
        (wire(b"INVITE  sip:c@d SIP/2.0"), "bad request line", 400),
        (wire(b"INVITE sip:c@d SIP/2.0 "), "bad request line", 400),
        (wire(b"IN@VITE sip:c@d SIP/2.0"), "bad request line", 400),
        (wire(b"INVITE sip:c@d SIP/2"), "bad request line", 400),
        (wire(b"INVITE  SIP/2.0"), "bad request line", 400),
        (wire(b"INVITE sip:c\0@d SIP/2.0"), "bare CR, LF or NUL in the start line", 400),
        (wire(b"INVITE sip:c\n@d SIP/2.0"), "bare CR, LF or NUL in the start line", 400),
        (wire(b"INVITE sip:c@d SIP/3.0"), "SIP version not 2.0", 505),
        (wire(b"INVITE sip:" + b"c" * MAX_LINE + b" SIP/2.0"), "start line too long", 413),
        (wire(extra=b"X: " + b"c" * MAX_LINE), "header line too long", 413),
        (wire(extra=b"\r\n".join([b"X: y"] * MAX_HEADERS)), "too many header lines", 413),
        (wire(b"SIP/2.0 99 Low"), "bad status line", 0),
        (wire(b"SIP/2.0"), "bad status line", 0),
        (wire(b"SIP/2.0 2000 OK"), "bad status line", 0),
        (wire(b"SIP/3.0 200 OK"), "bad status line", 0),
        (wire(b"SIP/2.0 200 O\0K"), "bare CR, LF or NUL in the start line", 0),
        (wire(b"SIP/2.0 200 OK", to=None), "no To header", 0),
        (wire(b"SIP/2.0 200 OK", via=b"v: x"), "bad Via header", 0),
        (wire(b"SIP/2.0 200 OK", length=b"l: 5"), "body shorter than Content-Length", 0),
        (wire(b"ACK sip:c@d SIP/2.0", to=None), "no To header", 0),
        (wire(b"ACK sip:c@d SIP/9.0"), "SIP version not 2.0", 0),
        (wire()[: wire().index(b"\r\n\r\n") + 2], "no end of the header", 400),
        (wire(b"SIP/2.0 200 OK")[:100], "no end of the header", 0),
        (wire(b"ACK sip:c@d SIP/2.0")[:120], "no end of the header", 0),
        (b"\x00\x01\x00\x00!\x12\xa4B" + b"x" * 12, "no end of the header", 0),
        (b"x" * (MAX_DATAGRAM + 1), "datagram too long", 0),
    ],
)
def test_faults(data: bytes, reason: str, hint: int) -> None:
    """Each with its phrase, and an answer only where one can and may be given."""
    error = refused(data)

    assert (error.reason, error.status_hint) == (reason, hint)
    assert (error.salvage is None) == (hint == 0)


def test_the_offset_points_at_the_line() -> None:
    """Where a log line should point."""
    data = wire(extra=b"nonsense")

    assert refused(data).offset == data.index(b"nonsense")


def test_the_salvage_holds_what_could_be_read() -> None:
    """Everything but the lines that are no header."""
    salvage = refused(wire(b"INVITE  sip:c@d  SIP/2.0", extra=b"nonsense")).salvage

    assert salvage is not None
    assert (salvage.via().host, salvage.call_id(), salvage.value(b"to")) == (b"192.0.2.1", b"x@y", b"<sip:c@d>")


def test_limits_are_passed_exactly() -> None:
    """The largest message of each kind."""
    longest = b"X-Y: " + b"c" * (MAX_LINE - 5)
    most = b"\r\n".join([b"X: y"] * (MAX_HEADERS - len(LINES)))
    largest = wire(length=None, body=b"")

    assert parse(wire(extra=longest)).value(b"x-y") == longest[5:]
    assert len(parse(wire(extra=most)).lines) == MAX_HEADERS
    assert parse(largest + b"x" * (MAX_DATAGRAM - len(largest))).body[:1] == b"x"


def test_a_known_layout_is_not_surveyed_again() -> None:
    """The short road is taken: a second message has the very layout of the first, which a survey could not find any
    more; a line more, and it is surveyed."""
    request, response = parse(wire()), parse(wire(b"SIP/2.0 200 OK"))
    layout._layouts.clear()

    again = parse(wire(call_id=b"Call-ID: other", to=b"To: sip:x"))
    assert (again.layout is request.layout, again.call_id()) == (True, b"other")
    assert parse(wire(b"SIP/2.0 200 Fine")).layout is response.layout
    assert parse(wire(extra=b"X: y")).layout is not request.layout
    assert len(layout._layouts) == 1


def test_memories_are_bounded() -> None:
    """Ever new CSeq and Content-Length lines cost time, not memory, and no stranger fills it for good."""
    for number in range(room._CSEQS_SEEN_MAX + 50):
        blanks = bytes([9 if number >> place & 1 else 32 for place in range(13)])
        parse(wire(cseq=b"CSeq: %d INVITE" % number, length=b"l:" + blanks + b"4"))

    assert 0 < len(room._cseqs_seen) <= room._CSEQS_SEEN_MAX
    assert 0 < len(room._lengths_seen) <= room._LENGTHS_SEEN_MAX
    assert b"l:" + blanks + b"4" in room._lengths_seen


def test_long_lines_are_read_but_not_remembered() -> None:
    """A sender cannot fill the memories with long lines either; nor do folded messages teach a layout."""
    long_cseq, long_length = b"CSeq:" + b" " * 40 + b"7 INVITE", b"l:" + b" " * 40 + b"4"
    folded = b"To:\r\n <sip:c@d>"
    for _ in range(2):
        assert parse(wire(cseq=long_cseq, length=long_length)).cseq() == (7, b"INVITE")
        assert parse(wire(to=folded)).lines[3] == folded

    assert long_cseq not in room._cseqs_seen
    assert long_length not in room._lengths_seen
    assert all(b"To:" in known.names for known in layout._layouts.values())


def test_a_known_layout_with_a_bad_length() -> None:
    """The short road gives up where the complete one must speak."""
    parse(wire())

    assert refused(wire(length=b"Content-Length: 5")).reason == "body shorter than Content-Length"
    assert refused(wire(length=b"Content-Length: x")).reason == "bad Content-Length header"


@pytest.mark.parametrize("stray", [b"\r", b"\n", b"\0", b"\rx", b"\nx", b"\0x"])
@pytest.mark.parametrize("name", ["to", "extra"])
def test_stray_bytes_in_a_known_layout(name: str, stray: bytes) -> None:
    """The short road sees them too, at the very end of the header as well."""
    extra = {"extra": b"X: a"}
    parse(wire(**extra))

    line = LINES[3] if name == "to" else extra["extra"]
    assert refused(wire(**{**extra, name: line + stray})).reason == "bare CR, LF or NUL in a header"


@pytest.mark.parametrize("first", [b"INVITE sip:c@d SIP/2.0", b"SIP/2.0 200 OK"])
def test_a_known_layout_without_its_end(first: bytes) -> None:
    """All header lines are there, the empty one is not: no message."""
    parse(wire(first, length=None))
    data = wire(first, length=None)

    for cut in (1, 2, 3, 4):
        assert refused(data[: data.index(b"\r\n\r\n") + 4 - cut]).reason == "no end of the header"


def test_the_remains_of_a_request() -> None:
    """What a CANCEL is compared with, and nothing else."""
    invite = parse(wire())
    assert isinstance(invite, Request)
    remains = invite.remains()

    assert (remains.method, remains.call_id(), remains.cseq()) == (b"INVITE", b"x@y", (1, b"INVITE"))
    assert (remains.data, remains.lines, remains.body, remains.uri) == (b"", [], b"", b"")
    assert invite.lines == list(LINES)


def test_limits_are_broken_by_one() -> None:
    """The smallest message of each kind that is too large."""
    most = b"\r\n".join([b"X-Y: y"] * (MAX_HEADERS - len(LINES) + 1))

    assert refused(wire(extra=most)).reason == "too many header lines"
    assert refused(wire(extra=b"X-Y: " + b"c" * (MAX_LINE - 4))).reason == "header line too long"
    assert refused(wire(b"INVITE " + b"c" * (MAX_LINE - 14) + b" SIP/2.0")).reason == "start line too long"
