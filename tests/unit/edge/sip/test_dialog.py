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


@pytest.mark.parametrize(
    "contact",
    [
        b"Contact: <sip:a@192.0.2.1>\r\n",
        b'm :\r\n "A, B" <sip:a@192.0.2.1>;q=1,\r\n\t<sip:b@c>\r\n',
        b"Contact: <sip:a@192.0.2.1>\r\nX: y\r\nContact: <sip:b@c>\r\n",
        b"Contact: *\r\n",
        b"Contact: broken\r\n",
        b"Contact:\r\n",
        b"",
    ],
)
def test_the_dialog_of_a_late_answer(contact: bytes) -> None:
    """What is kept of an INVITE makes the same dialog as the INVITE, and is less."""
    invite = request(INVITE.replace(b"Contact: <sip:a@192.0.2.1>\r\n", contact))
    kept = invite.dialog_remains()

    assert dialog.from_answer(kept, response(), is_own) == dialog.from_answer(invite, response(), is_own)
    assert len(kept.lines) == min(1, len(invite.header_lines(b"contact")))
    assert (kept.data, kept.body, kept.method) == (b"", b"", b"INVITE")


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
