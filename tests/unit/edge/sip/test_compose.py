"""edge.sip.compose: messages born here."""

import pytest

from edge.sip import compose
from edge.sip.errors import LocalError, ParseError
from edge.sip.headers import Message
from edge.sip.message import Request, Response, parse

INVITE = (
    b"INVITE sip:c@d;x=1 SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP us;branch=z9hG4bK2\r\n"
    b"v: SIP/2.0/UDP h1;branch=z9hG4bK1,\r\n SIP/2.0/UDP h0\r\n"
    b"Route: <sip:r1;lr>\r\n"
    b"Route: <sip:r2;lr>\r\n"
    b'f: "A"\r\n <sip:a@b>;tag=1\r\n'
    b"To : <sip:c@d> \r\n"
    b"i:x@y\r\n"
    b"cseq: 0007 INVITE\r\n"
    b"Timestamp: 54\r\n"
    b"Contact: <sip:a@b>\r\n\r\n"
)


def invite() -> Request:
    """As parsed."""
    made = parse(INVITE)
    assert isinstance(made, Request)
    return made


def test_a_response_copies_what_8_2_6_names() -> None:
    """Vias, From, To, Call-ID, CSeq: the lines as they came, To with a tag."""
    answer = compose.response(invite(), 486, b"Busy Here", to_tag=b"t1")

    assert answer == (
        b"SIP/2.0 486 Busy Here\r\n"
        b"Via: SIP/2.0/UDP us;branch=z9hG4bK2\r\n"
        b"v: SIP/2.0/UDP h1;branch=z9hG4bK1,\r\n SIP/2.0/UDP h0\r\n"
        b'f: "A"\r\n <sip:a@b>;tag=1\r\n'
        b"To : <sip:c@d>;tag=t1\r\n"
        b"i:x@y\r\n"
        b"cseq: 0007 INVITE\r\n"
        b"Content-Length: 0\r\n\r\n"
    )


@pytest.mark.parametrize("gone", [b"", b"Timestamp: 54\r\n", b"To : <sip:c@d> \r\n", b"i:x@y\r\n"])
def test_the_100_made_at_once_is_the_100(gone: bytes) -> None:
    """Byte for byte, of what could not be parsed too."""
    data = INVITE.replace(gone, b"")
    try:
        made: Message | None = parse(data)
    except ParseError as error:
        made = error.salvage
    assert made is not None
    assert compose.trying(made) == compose.response(made, 100, b"Trying")


def test_a_100_gets_no_tag_and_gives_the_timestamp_back() -> None:
    """§8.2.6.1."""
    answer = compose.response(invite(), 100, b"Trying", to_tag=b"t1")

    assert b"To : <sip:c@d> \r\n" in answer
    assert b"\r\nTimestamp: 54\r\n" in answer
    assert b"Timestamp" not in compose.response(invite(), 180, b"Ringing")


@pytest.mark.parametrize(
    ("to", "line"),
    [(b"<sip:c@d>;tag=old", b"<sip:c@d>;tag=old"), (b"garbage <", b"garbage <"), (b"sip:c@d", b"sip:c@d;tag=new")],
)
def test_a_tag_goes_where_one_is_missing(to: bytes, line: bytes) -> None:
    """Not on top of another, and not onto what nobody can read."""
    request = invite()
    request.replace(b"to", to)

    assert b"\r\nTo : %b" % line in compose.response(request, 404, b"Not Found", to_tag=b"new")


def test_an_answer_to_what_could_not_be_parsed() -> None:
    """All that is there goes back as it came: two To lines, no Call-ID."""
    broken = INVITE.replace(b"i:x@y\r\n", b"t: <sip:e@f>\r\n")
    with pytest.raises(ParseError) as caught:
        parse(broken)
    assert caught.value.salvage is not None
    answer = compose.response(caught.value.salvage, caught.value.status_hint, b"Bad Request", to_tag=b"new")

    assert b"\r\nTo : <sip:c@d> \r\nt: <sip:e@f>\r\ncseq: 0007 INVITE\r\nContent-Length: 0\r\n\r\n" in answer


def test_a_response_with_headers_and_a_body() -> None:
    """In the order given, the length last."""
    answer = compose.response(
        invite(), 200, b"OK", to_tag=b"t", headers=((b"Content-Type", b"text/plain"), (b"Allow", b"INVITE")), body=b"hi"
    )

    assert answer.endswith(b"\r\nContent-Type: text/plain\r\nAllow: INVITE\r\nContent-Length: 2\r\n\r\nhi")
    assert parse(answer).body == b"hi"


def test_the_ack_to_a_failure() -> None:
    """§17.1.1.3: the INVITE's URI, top Via alone, Route, From, Call-ID and number; the response's To."""
    response = parse(compose.response(invite(), 486, b"Busy Here", to_tag=b"t1"))
    assert isinstance(response, Response)

    assert compose.ack(invite(), response) == (
        b"ACK sip:c@d;x=1 SIP/2.0\r\n"
        b"Via: SIP/2.0/UDP us;branch=z9hG4bK2\r\n"
        b"Route: <sip:r1;lr>\r\nRoute: <sip:r2;lr>\r\n"
        b"Max-Forwards: 70\r\n"
        b'f: "A"\r\n <sip:a@b>;tag=1\r\n'
        b"i:x@y\r\n"
        b"CSeq: 7 ACK\r\n"
        b"To : <sip:c@d>;tag=t1\r\n"
        b"Content-Length: 0\r\n\r\n"
    )


def test_a_cancel() -> None:
    """§9.1: as the INVITE, top Via alone, its To, CSeq method CANCEL."""
    assert compose.cancel(invite()) == (
        b"CANCEL sip:c@d;x=1 SIP/2.0\r\n"
        b"Via: SIP/2.0/UDP us;branch=z9hG4bK2\r\n"
        b"Route: <sip:r1;lr>\r\nRoute: <sip:r2;lr>\r\n"
        b"Max-Forwards: 70\r\n"
        b'f: "A"\r\n <sip:a@b>;tag=1\r\n'
        b"i:x@y\r\n"
        b"CSeq: 7 CANCEL\r\n"
        b"To : <sip:c@d> \r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    assert b"\r\nReason: Q.850;cause=16\r\n" in compose.cancel(invite(), reason=b"Q.850;cause=16")


def test_an_invite_as_we_sent_it() -> None:
    """ACK and CANCEL carry the Via we put on top, and the URI we wrote."""
    sent = invite()
    sent.set_uri(b"sip:target")
    sent.prepend(b"Via", b"SIP/2.0/UDP edge;branch=z9hG4bK3")
    sent.pop_first(b"route")

    cancel = parse(compose.cancel(sent))
    assert isinstance(cancel, Request)
    assert (cancel.uri, cancel.via().branch, len(cancel.vias()), len(cancel.routes())) == (
        b"sip:target",
        b"z9hG4bK3",
        1,
        1,
    )


def test_a_request() -> None:
    """§8.1.1, all that a BYE needs."""
    bye = compose.request(
        b"BYE",
        b"sip:c@d",
        via=b"SIP/2.0/UDP us;branch=z9hG4bK9",
        from_=b"<sip:a@b>;tag=1",
        to=b"<sip:c@d>;tag=2",
        call_id=b"x@y",
        cseq=8,
        routes=(b"<sip:r1;lr>", b"<sip:r2;lr>"),
        headers=((b"Reason", b"Q.850;cause=31"),),
        max_forwards=10,
    )

    assert bye == (
        b"BYE sip:c@d SIP/2.0\r\n"
        b"Via: SIP/2.0/UDP us;branch=z9hG4bK9\r\n"
        b"Route: <sip:r1;lr>\r\nRoute: <sip:r2;lr>\r\n"
        b"Max-Forwards: 10\r\n"
        b"From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\n"
        b"Call-ID: x@y\r\nCSeq: 8 BYE\r\n"
        b"Reason: Q.850;cause=31\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    assert parse(bye).max_forwards() == 10


@pytest.mark.parametrize(
    ("status", "phrase", "tag"),
    [
        (99, b"x", b"t"),
        (700, b"x", b"t"),
        (400, b"a\r\nb", b"t"),
        (400, b"a\nb", b"t"),
        (400, b"a\0", b"t"),
        (400, b"x", b"a b"),
        (400, b"x", b""),
    ],
)
def test_responses_are_guarded(status: int, phrase: bytes, tag: bytes) -> None:
    """Our own misuse is said."""
    with pytest.raises(LocalError):
        compose.response(invite(), status, phrase, to_tag=tag)


def test_inserted_headers_are_guarded() -> None:
    """No value makes a second line, in any composed message."""
    with pytest.raises(LocalError):
        compose.response(invite(), 400, b"x", headers=((b"X", b"a\r\nb"),))
    with pytest.raises(LocalError):
        compose.cancel(invite(), reason=b"a\nb")


@pytest.mark.parametrize(
    ("method", "uri", "cseq", "hops", "call_id"),
    [
        (b"B E", b"sip:c", 1, 70, b"x"),
        (b"BYE", b"", 1, 70, b"x"),
        (b"BYE", b"sip:c d", 1, 70, b"x"),
        (b"BYE", b"sip:c", -1, 70, b"x"),
        (b"BYE", b"sip:c", 2**31, 70, b"x"),
        (b"BYE", b"sip:c", 1, 256, b"x"),
        (b"BYE", b"sip:c", 1, 70, b"x\r\ny"),
    ],
)
def test_requests_are_guarded(method: bytes, uri: bytes, cseq: int, hops: int, call_id: bytes) -> None:
    """Request line, numbers and values."""
    with pytest.raises(LocalError):
        compose.request(
            method,
            uri,
            via=b"SIP/2.0/UDP us",
            from_=b"<sip:a>",
            to=b"<sip:c>",
            call_id=call_id,
            cseq=cseq,
            max_forwards=hops,
        )
