"""Every message of the corpus meets the verdict of its folder, and accepted ones leave as they came."""

from pathlib import Path

import pytest

from edge.sip import compose
from edge.sip.errors import FieldError, ParseError
from edge.sip.message import Message, Request, Response, parse
from edge.sip.validation import check

CORPUS = Path(__file__).parent
FILES = sorted(CORPUS.glob("*/*.sip"))
ACCEPTED = [path for path in FILES if path.parent.name == "valid" or path.parent.name.startswith("refused_")]
SURPLUS = {"rfc4475_3.1.1.08_dblreq", "field_surplus_bytes_after_body"}
HINTS = {0: "drop", 400: "bad_400", 413: "too_large_413", 505: "unsupported_505"}

LACKS = {"", "no From", "no To", "no Call-ID", "no CSeq", "bad CSeq"} | {
    f"more than one {name}" for name in ("From", "To", "Call-ID", "CSeq")
}
"""What an answer may lack: what its request lacked. It holds nothing else that we composed."""

corpus = pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
accepted = pytest.mark.parametrize("path", ACCEPTED, ids=lambda path: path.stem)


def verdict(data: bytes) -> str:
    """The folder this message belongs to."""
    try:
        message = parse(data)
    except ParseError as error:
        return HINTS[error.status_hint]
    fault = check(message) if isinstance(message, Request) else None
    return "valid" if fault is None else f"refused_{fault.status}"


def fault_of(data: bytes) -> str:
    """Why these bytes are no message; empty if they are one."""
    try:
        parse(data)
    except ParseError as error:
        return error.reason
    return ""


def span(path: Path) -> bytes:
    """What of the datagram is the message: no line ends before it (§7.5), no surplus after it (§18.3)."""
    data = path.read_bytes().lstrip(b"\r\n")
    if path.stem not in SURPLUS:
        return data
    head, _, rest = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split()[0])
    return head + b"\r\n\r\n" + rest[:length]


def changed(before: bytes, after: bytes) -> tuple[bytes, bytes]:
    """The bytes that went and the bytes that came, between the longest common ends."""
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    return before[start : len(before) - end], after[start : len(after) - end]


def test_the_corpus_is_here() -> None:
    """All of RFC 4475 and RFC 5118, and what the field sends."""
    names = [path.name for path in FILES]

    assert (
        sum(name.startswith("rfc4475") for name in names),
        sum(name.startswith("rfc5118") for name in names),
        len(names) > 150,
    ) == (49, 11, True)


@corpus
def test_verdict(path: Path) -> None:
    """The folder names the verdict, the first time and once the layout is known."""
    data = path.read_bytes()

    assert (path.parent.name, path.parent.name) == (verdict(data), verdict(data))


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if path.parent.name in ("bad_400", "too_large_413", "unsupported_505")],
    ids=lambda path: path.stem,
)
def test_a_refused_structure_can_be_answered(path: Path) -> None:
    """What could be read of it is enough for a response that we would parse, or that lacks only what was lacking."""
    with pytest.raises(ParseError) as caught:
        parse(path.read_bytes())
    salvage = caught.value.salvage
    assert salvage is not None

    answer = compose.response(salvage, caught.value.status_hint, b"No", to_tag=b"edge")

    assert answer.startswith(b"SIP/2.0 %d No\r\nv" % caught.value.status_hint) or b"\r\nVia" in answer
    assert b"\n" not in answer.replace(b"\r\n", b"")
    assert fault_of(answer).partition(" header")[0] in LACKS


@accepted
def test_renders_byte_for_byte(path: Path) -> None:
    """What nobody edited leaves as it came."""
    message = parse(path.read_bytes())
    lines = message.lines

    assert span(path) == message.render()
    assert span(path) == b"\r\n".join([message.first, *lines, b"", message.body])


@accepted
def test_prepend_adds_its_line_alone(path: Path) -> None:
    """A Via on top, and Record-Route, are the only bytes that come; the original is untouched."""
    message = parse(path.read_bytes())
    edited = message.copy()
    edited.prepend(b"Via", b"SIP/2.0/UDP 192.0.2.99;branch=z9hG4bK!edge!")
    with_via = edited.render()
    edited.prepend(b"Record-Route", b"<sip:192.0.2.99;lr;edge>")

    via = b"Via: SIP/2.0/UDP 192.0.2.99;branch=z9hG4bK!edge!\r\n"
    before, _, after = with_via.partition(via)
    assert span(path) == before + after == message.render()
    before, _, after = edited.render().partition(b"Record-Route: <sip:192.0.2.99;lr;edge>\r\n")
    assert with_via == before + after
    assert edited.via().branch == b"z9hG4bK!edge!"
    assert message.list_values(b"record-route") == edited.list_values(b"record-route")[1:]
    assert message.list_values(b"via") == edited.list_values(b"via")[1:]


@accepted
def test_append_adds_its_line_alone(path: Path) -> None:
    """The last header line, and nothing else."""
    message = parse(path.read_bytes())
    edited = message.copy()
    edited.append(b"X-Edge", b"1")

    head, _, _ = message.render().partition(b"\r\n\r\n")
    assert head + b"\r\nX-Edge: 1\r\n\r\n" + message.body == edited.render()


@accepted
def test_replace_changes_its_span_alone(path: Path) -> None:
    """Only bytes of the old value go; only bytes of the new one come."""
    message = parse(path.read_bytes())
    for name in (b"call-id", b"max-forwards", b"to", b"contact", b"subject"):
        old = message.header_lines(name)
        if not old:
            continue
        edited = message.copy()
        edited.replace(name, b"replaced")
        gone, come = changed(message.render(), edited.render())

        assert gone in old[0]
        assert come in b": replaced"
        assert edited.value(name) == b"replaced"
        assert message.values(name)[1:] == edited.values(name)[1:]


@accepted
def test_pop_first_takes_one_value(path: Path) -> None:
    """Values come off one by one, in order; what is put on and taken off leaves no trace."""
    message = parse(path.read_bytes())
    for name in (b"via", b"route", b"record-route"):
        try:
            values = message.list_values(name)
        except FieldError:  # a list over its limit is refused elsewhere
            continue
        edited = message.copy()
        taken = []
        while edited.list_values(name):
            lines = edited.lines.copy()
            taken.append(edited.pop_first(name))
            left = edited.lines
            assert sum(line not in lines for line in left) <= 1
        assert values == taken
        assert edited.header_lines(name) == []
    message.prepend(b"Via", b"SIP/2.0/UDP 192.0.2.99;branch=z9hG4bK1")
    message.pop_first(b"via")
    assert span(path) == message.render()


@accepted
def test_remove_takes_all_lines_of_a_name(path: Path) -> None:
    """Those lines go, the others stay in their order."""
    message = parse(path.read_bytes())
    for name in (b"via", b"contact", b"content-type", b"x-absent"):
        gone = message.header_lines(name)
        edited = message.copy()
        edited.remove(name)

        assert [line for line in message.lines if line not in gone] == edited.lines


@accepted
def test_set_uri_changes_the_request_uri_alone(path: Path) -> None:
    """The start line keeps its method and version as printed."""
    message = parse(path.read_bytes())
    if not isinstance(message, Request):
        return
    first, _, rest = message.render().partition(b"\r\n")
    edited = message.copy()
    edited.set_uri(b"sip:elsewhere.example.com")

    method, _, version = first.split(b" ")
    assert method + b" sip:elsewhere.example.com " + version + b"\r\n" + rest == edited.render()


@pytest.mark.parametrize("path", [path for path in ACCEPTED if path.parent.name == "valid"], ids=lambda path: path.stem)
def test_typed_readings_of_valid_messages(path: Path) -> None:
    """Nothing in a valid message is unreadable."""
    message = parse(path.read_bytes())

    readings: list[object] = [
        message.vias(), message.from_(), message.to(), message.cseq(), message.max_forwards(), message.routes(),
        message.record_routes(), message.contact(), message.contacts(),
    ]  # fmt: skip
    assert message.via() == message.vias()[0]
    assert message.call_id()
    assert len(readings) == 9


@pytest.mark.parametrize("path", [path for path in ACCEPTED if path.parent.name == "valid"], ids=lambda path: path.stem)
def test_born_messages_of_valid_requests_parse(path: Path) -> None:
    """A response, an ACK and a CANCEL composed from a valid request are valid messages."""
    message: Message = parse(path.read_bytes())
    if not isinstance(message, Request):
        return
    response = parse(
        compose.response(message, 486, b"Busy Here", to_tag=b"edge", headers=((b"Reason", b"Q.850;cause=17"),))
    )
    assert isinstance(response, Response)
    ack = parse(compose.ack(message, response))
    cancel = parse(compose.cancel(message))

    assert message.vias() == response.vias()
    assert (message.call_id(), message.cseq(), message.from_().raw) == (
        response.call_id(),
        response.cseq(),
        response.from_().raw,
    )
    assert (b"ACK", message.via(), response.to()) == (ack.cseq().method, ack.via(), ack.to())
    assert (b"CANCEL", message.via(), message.to()) == (cancel.cseq().method, cancel.via(), cancel.to())
    if message.uri.startswith(b"sip:") and check(message) is None:
        assert isinstance(ack, Request)
        assert isinstance(cancel, Request)
        assert (check(ack), check(cancel)) == (None, None)
