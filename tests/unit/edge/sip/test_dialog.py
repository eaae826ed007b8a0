"""edge.sip.dialog: what it takes to speak to one side in the other's name."""

import pytest

from edge.sip import dialog
from edge.sip.dialog import Dialog, DialogId, Side
from edge.sip.message import Request, Response, parse

SHARED = b"Via: SIP/2.0/UDP h\r\nFrom: A <sip:a@b>;tag=1\r\nCall-ID: x\r\nCSeq: 7 INVITE\r\n"
INVITE = b"INVITE sip:c@d SIP/2.0\r\n" + SHARED + b"To: <sip:c@d>\r\nContact: <sip:a@192.0.2.1>\r\n\r\n"
ANSWER = (
    b"SIP/2.0 200 OK\r\n" + SHARED + b"To: <sip:c@d>;tag=2\r\n"
    b"Record-Route: <sip:down2;lr>, <sip:down1;lr>\r\n"
    b"Record-Route: <sip:edge;lr;o=2>\r\n"
    b"Record-Route: <sip:edge;lr;o=1>, <sip:up2;lr>\r\n"
    b"Record-Route: <sip:up1;lr>\r\n"
    b"Contact: <sip:c@192.0.2.2>;x=1\r\n\r\n"
)


def is_own(uri: bytes) -> bool:
    """The edge names itself so."""
    return uri.startswith(b"sip:edge")


def request(data: bytes = INVITE) -> Request:
    """As parsed."""
    made = parse(data)
    assert isinstance(made, Request)
    return made


def response(data: bytes = ANSWER) -> Response:
    """As parsed."""
    made = parse(data)
    assert isinstance(made, Response)
    return made


def test_a_dialog_from_an_answer() -> None:
    """Each side with its tag, its target, and the routes from us to it, ours left out."""
    made = dialog.from_answer(request(), response(), is_own)

    assert made == Dialog(
        DialogId(b"x", b"1", b"2"),
        Side(7, b"1", b"sip:a@b", b"A <sip:a@b>;tag=1", (b"<sip:up2;lr>", b"<sip:up1;lr>"), b"sip:a@192.0.2.1"),
        Side(0, b"2", b"sip:c@d", b"<sip:c@d>;tag=2", (b"<sip:down1;lr>", b"<sip:down2;lr>"), b"sip:c@192.0.2.2"),
    )


def test_without_a_route_of_ours() -> None:
    """Everyone recorded is taken to stand before the egress side."""
    made = dialog.from_answer(request(), response(), lambda uri: False)

    assert (made.ingress.routes, len(made.egress.routes), made.egress.routes[-1]) == ((), 6, b"<sip:down2;lr>")


@pytest.mark.parametrize("contact", [b"", b"Contact: *\r\n", b"Contact: broken\r\n"])
def test_without_a_usable_contact(contact: bytes) -> None:
    """Each side can still be reached somehow; tags may be missing (RFC 2543)."""
    made = dialog.from_answer(
        request(INVITE.replace(b"Contact: <sip:a@192.0.2.1>\r\n", contact)),
        response(
            ANSWER.replace(b"Contact: <sip:c@192.0.2.2>;x=1\r\n", contact)
            .replace(b";tag=2", b"")
            .replace(b";tag=1", b"")
        ),
        is_own,
    )

    assert (made.ingress.target, made.egress.target, made.id) == (b"sip:a@b", b"sip:c@d", (b"x", b"", b""))


@pytest.mark.parametrize(
    ("method", "number", "cseq", "target"),
    [
        (b"BYE", 8, 8, b"sip:old"),
        (b"BYE", 6, 7, b"sip:old"),
        (b"UPDATE", 6, 7, b"sip:a@192.0.2.1"),
        (b"UPDATE", 9, 9, b"sip:a@192.0.2.1"),
        (b"INVITE", 9, 9, b"sip:a@192.0.2.1"),
        (b"INFO", 9, 9, b"sip:old"),
    ],
)
def test_what_a_side_says_moves_it(method: bytes, number: int, cseq: int, target: bytes) -> None:
    """CSeq only counts up; only target refreshes move the target (§12.2)."""
    side = Side(7, b"1", b"sip:a@b", b"<sip:a@b>;tag=1", (), b"sip:old")
    data = INVITE.replace(b"INVITE", method).replace(b"CSeq: 7", b"CSeq: %d" % number)

    after = dialog.heard(side, request(data))

    assert (after.cseq, after.target, after.routes) == (cseq, target, ())
    assert (after is side) == (after == side)


def test_an_answer_moves_the_target() -> None:
    """§12.2.1.2; the same Contact changes nothing."""
    side = Side(0, b"2", b"sip:c@d", b"<sip:c@d>;tag=2", (), b"sip:old")
    after = dialog.answered(side, response())

    assert after == side._replace(target=b"sip:c@192.0.2.2")
    assert dialog.answered(after, response()) is after


@pytest.mark.parametrize(
    ("routes", "uri", "left"),
    [
        ((), b"sip:t", ()),
        ((b"<sip:r1;lr>", b"<sip:r2>"), b"sip:t", (b"<sip:r1;lr>", b"<sip:r2>")),
        ((b'"x" <sip:r1?a=b>;p', b"<sip:r2;lr>"), b"sip:r1", (b"<sip:r2;lr>", b"<sip:t>")),
        ((b"sip:r1",), b"sip:r1", (b"<sip:t>",)),
        ((b"<garbage>",), b"sip:t", (b"<garbage>",)),
    ],
)
def test_where_a_request_to_a_side_goes(routes: tuple[bytes, ...], uri: bytes, left: tuple[bytes, ...]) -> None:
    """A strict router on top takes the Request-URI's place (§12.2.1.1)."""
    side = Side(0, b"2", b"sip:c@d", b"<sip:c@d>;tag=2", routes, b"sip:t")

    assert dialog.destination(side) == (uri, left)
