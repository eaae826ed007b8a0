"""Whatever a caller, a trunk or an operator writes: no value becomes a header line of its own (CRLF injection)."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from network import CALLER, POLICY, TRUNK_A, Callee, Caller, Established, Ringing, Wire, policy, reply

from edge.sip.message import Message, parse

RULES = (
    policy(boundary='{ headers_to = "out", reason = "q850" }')
    + """
[header_rules.out]
add = [{ name = "X-Call", value = "{account}/{called}/{call_uid}", into = ["requests", "responses"] }]
"""
)
HIDING = policy(boundary="{ hide_topology = true }")


def lines_of(message: Message) -> list[bytes]:
    """As the most credulous reader would split them: at each CR and at each LF, folds joined."""
    head = message.render().partition(b"\r\n\r\n")[0]
    return re.split(rb"\r\n(?![ \t])|\r(?!\n)|(?<!\r)\n", head)


def assert_nothing_is_injected(wire: Wire) -> None:
    for message, _ in wire.sent:
        assert not [line for line in lines_of(message) if line.lower().startswith(b"injected")]
        assert parse(message.render()).lines == message.lines


ESCAPED = ["%0d%0aInjected:%201", "%0D%0AInjected:1", "%0aInjected:1", "%0dInjected:1", "%00", "%0d%0a%0d%0aINVITE"]


@pytest.mark.parametrize("text", [POLICY, RULES, HIDING])
@pytest.mark.parametrize("escape", ESCAPED)
def test_escapes_in_uris_stay_escaped(text: str, escape: str) -> None:
    """In the Request-URI, From, To, Contact and P-Asserted-Identity: what policy reads of them goes into headers of
    ours, into the BYE that the edge makes itself, and nowhere as a line end."""
    wire = Wire(text + "\n[numbers]\nrules = 'off'\n")
    caller = Caller(wire, user="+33199001234" + escape, called="+33170000001" + escape)
    caller.start(
        extra=f"P-Asserted-Identity: <sip:+331{escape}@h>\nDiversion: <sip:a{escape}@h>\nReply-To: <sip:{escape}@h>"
    )
    assert_nothing_is_injected(wire)
    invites = wire.requests_to(TRUNK_A, b"INVITE")
    if not invites:
        return  # refused: a number that cannot be read
    callee = Callee(wire, invites[0])
    callee.contact = f"sip:x{escape}@{TRUNK_A[0]}:{TRUNK_A[1]}"
    callee.answer(200)
    assert_nothing_is_injected(wire)
    wire.core.hang_up_all("max_duration", wire.now)
    wire.advance(40)
    assert_nothing_is_injected(wire)


NAMES = ['"a\r\n Injected: 1" ', '"a\\\r\n Injected: 1" ', "a\r\n\tInjected: 1 ", '"\\"\r\n Injected: 1" ']


@pytest.mark.parametrize("text", [POLICY, RULES, HIDING])
@pytest.mark.parametrize("name", NAMES)
def test_folded_names_stay_one_header(text: str, name: str) -> None:
    """A display name that is folded so that its second line looks like a header: it goes on folded or joined, and the
    messages that the edge makes in that name are sound."""
    wire = Wire(text)
    caller = Caller(wire)
    data = caller.request("INVITE").replace(b"From: <", b"From: " + name.encode() + b"<")
    wire.send(data.replace(b"Contact: <", b"Contact: " + name.encode() + b"<"), CALLER)
    assert_nothing_is_injected(wire)
    invites = wire.requests_to(TRUNK_A, b"INVITE")
    if invites:
        Callee(wire, invites[0]).answer(200)
        assert_nothing_is_injected(wire)
        wire.core.hang_up_all("max_duration", wire.now)
        wire.advance(40)
        assert_nothing_is_injected(wire)
        assert wire.methods_to(TRUNK_A)[:1] == [b"BYE"]


@pytest.mark.parametrize("text", [POLICY, RULES, HIDING])
@pytest.mark.parametrize("stray", ["\r", "\n", "\0", "\n\r"])
@pytest.mark.parametrize("place", ["From: <", "To: <", "Contact: <", "Call-ID: ", "CSeq: ", "Via: SIP/2.0/UDP "])
def test_a_bare_line_end_is_no_message(text: str, stray: str, place: str) -> None:
    """Refused at once: nothing of it reaches a trunk."""
    wire = Wire(text)
    data = Caller(wire).request("INVITE")
    wire.send(
        data.replace(place.encode(), place.encode() + stray.encode() + b"Injected: 1" + stray.encode(), 1), CALLER
    )
    assert wire.requests_to(TRUNK_A) == []
    assert not wire.core.calls.live()


@pytest.mark.parametrize("text", [POLICY, RULES, HIDING])
@pytest.mark.parametrize(
    "phrase", ["Busy\rInjected: 1", "Busy\nInjected: 1", "Busy\0", "Busy%0d%0aInjected: 1", "é\x85Injected: 1"]
)
def test_a_reason_phrase_stays_on_its_line(text: str, phrase: str) -> None:
    """Of a trunk's failure: such a response is none, or its phrase goes up as it is."""
    wire = Wire(text)
    call = Ringing(wire)
    wire.send(reply(call.invite, 486, phrase=phrase).replace(phrase.encode(), phrase.encode("latin-1")), TRUNK_A)
    assert_nothing_is_injected(wire)


@pytest.mark.parametrize("reason", ['Q.850;cause=16;text="a\r\n Injected: 1"', "Q.850;cause=16%0d%0aInjected: 1"])
def test_a_reason_of_the_caller(reason: str) -> None:
    """Its Reason goes into a CANCEL that we make ourselves."""
    wire = Wire(RULES)
    call = Ringing(wire)
    data = call.caller.request("CANCEL").replace(
        b"Max-Forwards", b"Reason: " + reason.encode() + b"\r\nMax-Forwards", 1
    )
    wire.send(data, CALLER)
    assert_nothing_is_injected(wire)
    (cancel,) = wire.requests_to(TRUNK_A, b"CANCEL")
    assert len(cancel.values(b"reason")) == 1


HOSTILE = st.lists(
    st.sampled_from(
        ["\r\n", "\r\n ", "\r", "\n", "\0", "%0d%0a", "Injected: 1", ":", "<", ">", '"', ";", ",", "@", "a", " ", "\\"]
    ),
    max_size=10,
).map("".join)
PLACES = st.sampled_from(
    ["Subject: ", "From: ", "To: ", "Contact: ", "Route: ", "Reason: ", "Privacy: ", "Record-Route: "]
)


@given(PLACES, HOSTILE, st.sampled_from([POLICY, RULES, HIDING]), st.sampled_from(["INVITE", "BYE", "INFO", "ACK"]))
def test_whatever_stands_anywhere(place: str, text: str, rules: str, method: str) -> None:
    """What leaves has only lines that the edge read as lines: the same again when it is read again."""
    wire = Wire(rules)
    is_opening = method == "INVITE"
    data = Caller(wire).request("INVITE") if is_opening else Established(wire).caller.in_dialog(method)
    where = place.encode()
    data = (
        data.replace(where, where + text.encode())
        if where in data
        else data.replace(b"Max-Forwards", where + text.encode() + b"\r\nMax-Forwards", 1)
    )
    wire.send(data, CALLER)
    was_read = b"\r\nInjected" in data  # then it was a header of the caller's own, and may pass as one
    if not was_read:
        assert_nothing_is_injected(wire)
