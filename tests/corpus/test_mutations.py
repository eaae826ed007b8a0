"""Mutated corpus messages: whatever the bytes, only ParseError and FieldError come out, and both roads agree."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edge.sip import compose, dialog, layout
from edge.sip.errors import FieldError, LocalError, ParseError
from edge.sip.fields import param, parse_cseq, parse_name_addr, parse_via, split_list, stamp_via
from edge.sip.message import MAX_DATAGRAM, Message, Request, Response, parse
from edge.sip.uri import parse_uri
from edge.sip.validation import check

MESSAGES = [path.read_bytes() for path in sorted(Path(__file__).parent.glob("*/*.sip")) if path.stat().st_size < 5000]
ATOMS = [
    b"\r\n", b"\r", b"\n", b"\0", b" ", b"\t", b":", b";", b",", b"<", b">", b'"', b"\\", b"=", b"@", b"%", b"?", b"[",
    b"]", b"*", b"\r\n ", b"\r\n\r\n", b"SIP/2.0", b"sip:", b"tel:", b";tag=", b";branch=z9hG4bK", b";rport", b"\xff",
    b";received=", b"\xc3\xa9", b"\r\nVia: ", b"\r\nv:", b"\r\nTo: ", b"\r\nRoute: ", b"\r\nContact: ", b"99999999999",
    b"\r\nContent-Length: ", b"-1", b"INVITE ", b"ACK ",
]  # fmt: skip
PLAIN = (
    b"OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a>\r\nTo: <sip:b>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n"
    b"Route: %b\r\n\r\n"
)
NAMES = (b"via", b"from", b"to", b"call-id", b"cseq", b"contact", b"route", b"record-route", b"max-forwards", b"x-none")

cuts = st.tuples(st.integers(0, 5000), st.integers(0, 12), st.sampled_from(ATOMS) | st.binary(max_size=6))


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A corpus message with up to eight cuts, insertions or replacements, perhaps crossed with another message."""
    data = draw(st.sampled_from(MESSAGES))
    for at, width, atom in draw(st.lists(cuts, max_size=8)):
        where = at % (len(data) + 1)
        data = data[:where] + atom + data[where + width :]
    if draw(st.booleans()):
        other = draw(st.sampled_from(MESSAGES))
        where = draw(st.integers(0, len(data)))
        data = data[:where] + other[draw(st.integers(0, len(other))) :]
    return data[:MAX_DATAGRAM]


def attempt(data: bytes) -> tuple[Message | None, ParseError | None]:
    """The message, or why there is none."""
    try:
        return parse(data), None
    except ParseError as error:
        return None, error


def read(reading: Callable[[], object]) -> object:
    """A typed reading, where a FieldError is an answer too."""
    try:
        return reading()
    except FieldError as error:
        return (error.field, error.reason)


def readings(message: Message) -> list[object]:
    """All that can be read from a message."""
    found = [
        read(reading)
        for reading in (
            message.vias, message.from_, message.to, message.call_id, message.max_forwards, message.routes,
            message.record_routes, message.contact, message.contacts,
        )
    ]  # fmt: skip
    found += [message.via(), message.cseq(), message.lines, message.has_more_vias()]
    for name in NAMES:
        found += [message.values(name), message.value(name), read(lambda name=name: message.list_values(name))]
    return found


def answer_of(data: bytes) -> object:
    """All that parsing makes of these bytes, in comparable form."""
    try:
        message = parse(data)
    except ParseError as error:
        return ("error", error.reason, error.offset, error.status_hint, error.salvage is None)
    return (type(message), message.first, message.body, message.render(), readings(message))


def forget_layouts() -> None:
    """Take every message down the complete road again."""
    layout._guesses.clear()
    layout._layouts.clear()


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutated())
@example(b"INVITE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nFrom: <a:b>\r\nTo: \r\nCall-ID:\r\nCSeq: 1 INVITE\r\n\r\n")
def test_only_parse_error_and_field_error_escape(data: bytes) -> None:
    """Parse, every typed reading, validation and composing."""
    message, error = attempt(data)
    if error is not None:
        assert (error.status_hint == 0) == (error.salvage is None)
        assert 0 <= error.offset <= len(data)
        if error.salvage is not None:
            answer = compose.response(error.salvage, error.status_hint, b"No", to_tag=b"t")
            assert b"\n" not in answer.partition(b"\r\n\r\n")[0].replace(b"\r\n", b"")
    if message is None:
        return

    readings(message)
    stamp_via(message.value(b"via") or b"", b"192.0.2.9", 5060, True)
    if isinstance(message, Request):
        fault = check(message)
        answer = compose.response(
            message, 400 if fault is None else fault.status, b"No", to_tag=b"t", headers=fault.headers if fault else ()
        )
        response = parse(answer)
        assert message.via() == response.via()
        assert isinstance(response, Response)
        read(lambda: parse(compose.ack(message, response)).render())
        read(lambda: parse(compose.cancel(message)).render())
        read(lambda: parse_uri(message.uri))
        read(lambda: dialog.from_answer(message, response, lambda uri: b"edge" in uri))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutated())
def test_both_roads_agree(data: bytes) -> None:
    """The complete road, and the short one that a known layout opens, make the same of the same bytes."""
    forget_layouts()
    complete = answer_of(data)
    short = answer_of(data)

    assert complete == short


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutated(), st.sampled_from(MESSAGES))
def test_a_layout_learnt_elsewhere_changes_nothing(data: bytes, teacher: bytes) -> None:
    """What other messages taught has no bearing on this one."""
    forget_layouts()
    complete = answer_of(data)
    forget_layouts()
    answer_of(teacher)

    assert complete == answer_of(data)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutated(), st.integers(0, 2**32))
def test_edits_leave_a_message_that_reads_the_same_after_a_round_trip(data: bytes, seed: int) -> None:
    """Any mix of edits: what the edited message says of itself is what a peer reads from its bytes."""
    try:
        message: Message = parse(data)
    except ParseError:
        return
    arrived = message.render()
    edited = message.copy()
    dice = random.Random(seed)
    for _ in range(dice.randrange(1, 7)):
        edit = dice.randrange(5)
        name = dice.choice((b"Via", b"Route", b"Record-Route", b"X-New", b"Subject"))
        value = {b"Via": b"SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKe"}.get(name, b"<sip:e.example.com;lr>")
        lower = name.lower()
        if edit == 0:
            edited.prepend(name, value)
        elif edit == 1:
            edited.append(name, value)
        elif edited.values(lower):
            if edit == 2:
                edited.pop_first(lower)
            elif edit == 3:
                edited.replace(lower, value)
            else:
                edited.remove(lower)
    if not edited.values(b"via"):
        edited.prepend(b"Via", b"SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKlast")

    wire = edited.render()
    if len(wire) <= 8000:
        back, error = attempt(wire)
        if error is None:
            assert back is not None
            assert readings(edited) == readings(back)
        else:
            # Taking top values away may bare a Via that nobody can read.
            assert error.reason == "bad Via header"
    assert arrived == message.render()


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.sampled_from([*ATOMS, b"a", b"1", b"SIP/2.0/UDP h", b"<sip:a@b>"]) | st.binary(max_size=4), max_size=12
    ).map(b"".join)
)
def test_field_parsers_raise_field_error_or_answer(value: bytes) -> None:
    """Any bytes as a value; no line end can be in one, but none of these cares."""
    for parser in (parse_via, parse_name_addr, parse_cseq, parse_uri, split_list):
        read(lambda parser=parser: parser(value))
    param(value, b"tag")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=30), st.sampled_from((b"prepend", b"append", b"replace", b"uri")))
@example(b"\\\0", b"uri")  # a quoted-pair may stand in a header, never in the start line
def test_no_inserted_value_makes_a_second_line(value: bytes, edit: bytes) -> None:
    """An edit with a line end in it is our own error; any other stays on its line."""
    request = parse(PLAIN % b"<sip:r;lr>")
    assert isinstance(request, Request)
    count = len(request.lines) + (edit in (b"prepend", b"append"))
    try:
        if edit == b"prepend":
            request.prepend(b"Route", value)
        elif edit == b"append":
            request.append(b"Route", value)
        elif edit == b"replace":
            request.replace(b"route", value)
        else:
            request.set_uri(value)
    except LocalError:
        return

    back = parse(request.render())
    assert count == len(back.lines)


def test_a_huge_list_is_refused_not_crunched() -> None:
    """A datagram full of commas is judged at once."""
    request = parse(PLAIN % (b"," * 8000))
    assert isinstance(request, Request)

    with pytest.raises(FieldError):
        request.routes()
    fault = check(request)
    assert fault is not None
    assert (fault.status, fault.reason) == (400, "bad Route header")
