"""edge.proxy.concealment: whatever header spells a masked number, no byte that leaves for the callee does."""

import re
from base64 import urlsafe_b64encode
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from network import EDGE, FOREIGN, POLICY, TRUNK_A, Callee, Caller, Wire, reply

from edge.proxy.concealment import numbers_of, spells
from edge.proxy.identifiers import Identifiers
from edge.proxy.node import Settings
from edge.sip.message import Request, Response, parse

NSN = b"612345678"
SPELLINGS = (
    "+33612345678", "0612345678", "0033612345678", "33612345678", "06.12.34.56.78", "+33(0)6-12-34-56-78",
    "%2B33%36%31%32345678", "612345678;phone-context=+33", "5678;phone-context=+3361234", "0612345678;isub=1",
    "+33612345678;tgrp=x;trunk-context=y", "0 6 1 2 3 4 5 6 7 8",
)  # fmt: skip
OF_URIS = [text for text in SPELLINGS if " " not in text]
WORDS = ("+33612345678", "0612345678", "0033612345678", "33612345678", "06.12.34.56.78", "06-12-34-56-78")
"""Spellings a token may have: for Call-ID, tag, branch and host."""
HEADERS = (
    "P-Asserted-Identity: <sip:{uri}@h>", "Remote-Party-ID: \"{text}\" <sip:{uri}@h>;party=calling;privacy=off",
    "P-Preferred-Identity: <tel:{uri}>", "Diversion: <sip:{uri}@h>;reason=unconditional, <sip:+33199001234@h>",
    "History-Info: <sip:{uri}@h>;index=1, <sip:+33170000001@h>;index=1.1", "Reply-To: \"{text}\" <sip:{uri}@h>",
    "Referred-By: <sip:{uri}@h>", "Call-Info: <http://h/{uri}.png>;purpose=icon", "Subject: {text} calls",
    "Organization: {text}", "User-Agent: PBX {text}", "In-Reply-To: {word}@h", "X-Caller: {text}", "x-{word}: y",
    "Proxy-Authorization: Digest username=\"{word}\", realm=\"r\", nonce=\"n\", uri=\"sip:h\", response=\"0\"",
    "P-Charging-Vector: icid-value={word}", "Alert-Info: <http://h/{uri}>", "Warning: 399 h \"{text}\"",
    "Reason: SIP;cause=200;text=\"{text}\"", "X-Folded: {text}\r\n more", "Identity: {passport};info=<http://h/c>;alg=ES256",
)  # fmt: skip
CONTACTS = (
    "<sip:{uri}@{host}:5060>",
    "\"{text}\" <sip:{uri}@{host}:5060;transport=udp;x={word}>;+sip.instance=\"<urn:{word}>\"",
    "<sips:{word}:secret@{host}:5061>;expires=60", "<sip:{word}.example.com>", "sip:{word}@{host}:5060;q=0.5",
)  # fmt: skip


class Spelled(Caller):
    """A caller that writes its number wherever it can."""

    def __init__(self, wire: Wire, *, user: str, contact: str, call_id: str, tag: str, via: str) -> None:
        super().__init__(wire, source=FOREIGN, user=user)
        self.call_id, self.from_tag = call_id or self.call_id, tag or self.from_tag
        self.contact, self.via = contact, via

    def dressed(self, data: bytes) -> bytes:
        """With its own Contact, and a Via that spells the number below the top one."""
        usual = f"Contact: <sip:caller@{FOREIGN[0]}:{FOREIGN[1]}>".encode()
        data = data.replace(usual, f"Contact: {self.contact}".encode())
        if not self.via:
            return data
        return data.replace(
            b";rport\r\n", f";rport\r\nVia: SIP/2.0/UDP {self.via};branch=z9hG4bK-{self.via}\r\n".encode(), 1
        )

    def request(self, *args: object, **named: object) -> bytes:
        return self.dressed(super().request(*args, **named))  # type: ignore[arg-type]


def filled(template: str, spelling: str, word: str) -> str:
    passport = ".".join(urlsafe_b64encode(part.encode()).decode() for part in ('{"alg":"ES256"}', spelling, "s"))
    return template.format(text=spelling, uri=spelling.replace(" ", ""), word=word, host=FOREIGN[0], passport=passport)


lines = st.lists(
    st.builds(filled, st.sampled_from(HEADERS), st.sampled_from(SPELLINGS), st.sampled_from(WORDS)), max_size=8
).map("\r\n".join)
callers = st.fixed_dictionaries(
    {
        "user": st.sampled_from(OF_URIS[:6]),
        "contact": st.builds(filled, st.sampled_from(CONTACTS), st.sampled_from(SPELLINGS), st.sampled_from(WORDS)),
        "call_id": st.sampled_from(["", *[f"{word}@h" for word in WORDS], *[f"a@{word}" for word in WORDS]]),
        "tag": st.sampled_from(["", "0612345678", "t-33612345678"]),
        "via": st.sampled_from(["", "0612345678.example.com"]),
    }
)


def tells(data: bytes) -> list[bytes]:
    """The lines of the head in which the number stands: escapes undone, everything but digits taken out; a local number
    is completed by its context."""
    found = []
    for line in data.partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ").split(b"\r\n"):
        text = unquote_to_bytes(line)
        completed = re.sub(rb"([0-9.]+);phone-context=\+([0-9]+)", rb"\2\1", text)
        is_token = line[:9].lower() == b"identity:"
        if is_token or any(NSN in re.sub(rb"[^0-9]", b"", one) for one in (text, completed)):
            found.append(line)
    return found


def toward_callee(wire: Wire) -> list[Request | Response]:
    """Everything that has left for the trunk, taken off; none of it tells the number."""
    sent: list[Request | Response] = [*wire.requests_to(TRUNK_A), *wire.responses_to(TRUNK_A)]
    for message in sent:
        assert tells(message.render()) == []
    return sent


def one(wire: Wire, method: bytes) -> Request:
    found = [message for message in toward_callee(wire) if isinstance(message, Request) and message.method == method]
    (request,) = found
    return request


def answered_as_asked(wire: Wire, asked: bytes) -> Response:
    """The newest response to the caller: From, Call-ID, CSeq and Vias are those of its request (RFC 3261 §8.2.6.2)."""
    response = wire.responses_to(FOREIGN)[-1]
    request = parse(asked)
    for name in (b"from", b"call-id", b"cseq"):
        assert response.value(name) == request.value(name)
    assert [via.host for via in response.vias()] == [via.host for via in request.vias()]
    assert [via.branch for via in response.vias()] == [via.branch for via in request.vias()]
    return response


def of_caller(wire: Wire, caller: Spelled, callee: Callee, method: str, extra: str) -> None:
    """A request of the caller inside the dialog, and its answer."""
    data = caller.in_dialog(method, extra=extra)
    wire.send(data, FOREIGN)
    request = one(wire, method.encode())
    assert request.from_().uri == b"sip:anonymous@anonymous.invalid"
    wire.send(reply(request, 200, contact=callee.contact), TRUNK_A)
    assert answered_as_asked(wire, data).status == 200
    if method == "INVITE":
        wire.send(caller.in_dialog("ACK", cseq=caller.cseq, extra=extra), FOREIGN)
        one(wire, b"ACK")


def of_callee(wire: Wire, caller: Spelled, callee: Callee, method: str, extra: str) -> None:
    """A request of the callee inside the dialog reaches the Contact the caller wrote, and its answer tells nothing."""
    data = callee.in_dialog(method)
    wire.send(data, TRUNK_A)
    sent = [message for message, flow in wire.sent if isinstance(message, Request)]
    wire.sent.clear()
    if sent:
        (request,) = sent
        assert request.method == method.encode()
        written = parse(caller.request("INVITE")).contact()
        assert written is not None
        assert (request.uri, request.call_id()) == (written.uri, caller.call_id.encode())
        assert request.to().tag == caller.from_tag.encode()
        answer = reply(request, 200, tag="", extra=f"Contact: {caller.contact}\n" + extra.replace("\r\n ", " "))
        wire.send(answer, FOREIGN)
        (response,) = [message for message in toward_callee(wire) if isinstance(message, Response)]
        asked = parse(data)
        for name in (b"from", b"to", b"call-id", b"cseq"):
            assert response.value(name) == asked.value(name)
    else:
        wire.resolves.clear()  # its Contact is a name: somebody else finds that


def call_of(wire: Wire, who: dict[str, str], extra: str) -> tuple[Spelled, Callee]:
    """The call, up to its ACK."""
    caller = Spelled(wire, **who)
    data = caller.request("INVITE", extra=extra)
    wire.send(data, FOREIGN)
    invite = one(wire, b"INVITE")
    assert invite.from_().uri == b"sip:anonymous@anonymous.invalid"
    callee = Callee(wire, invite)
    callee.answer(180)
    assert answered_as_asked(wire, data).status == 180
    callee.answer(200)
    caller.learn(answered_as_asked(wire, data))
    wire.send(caller.in_dialog("ACK", cseq=1, extra=extra), FOREIGN)
    one(wire, b"ACK")
    return caller, callee


@settings(deadline=None, max_examples=40)
@given(who=callers, first=lines, later=lines, ends=st.sampled_from(["caller", "callee", "edge"]))
def test_no_spelling_of_a_masked_number_leaves(who: dict[str, str], first: str, later: str, ends: str) -> None:
    """In no header of the INVITE, nor of any request or response of the dialog, in either direction: nor after another
    node has taken the call over, nor through one that knows nothing of it."""
    wire = Wire(POLICY)
    caller, callee = call_of(wire, who, first)
    for method in ("INFO", "INVITE", "UPDATE"):
        of_caller(wire, caller, callee, method, later)
    of_callee(wire, caller, callee, "INFO", later)

    wire.settings = Settings(node="edge2")
    wire.new_core()  # it knows the token in the route, and no more
    of_caller(wire, caller, callee, "INFO", later)
    of_callee(wire, caller, callee, "OPTIONS", later)

    found = tuple(wire.limiter.adopt("acme", gone="edge1", heir="edge2", lease_ms=30_000))
    wire.core.adopt("acme", "edge1", int(wire.now * 1_000), found, wire.now)
    wire.pump()
    of_caller(wire, caller, callee, "INVITE", later)
    of_callee(wire, caller, callee, "INFO", later)
    if ends == "caller":
        of_caller(wire, caller, callee, "BYE", later)
    elif ends == "callee":
        of_callee(wire, caller, callee, "BYE", later)
    else:
        wire.core.hang_up_all("max_duration", wire.now)
        wire.pump()
        bye = one(wire, b"BYE")
        assert (bye.call_id(), bye.from_().tag) == (callee.invite.call_id(), callee.invite.from_().tag)


@settings(deadline=None, max_examples=40)
@given(who=callers, extra=lines, status=st.sampled_from([486, 503]))
def test_nor_in_a_call_that_is_given_up(who: dict[str, str], extra: str, status: int) -> None:
    """CANCEL, its Reason, and the ACK to a failure."""
    wire = Wire(POLICY)
    caller = Spelled(wire, **who)
    data = caller.request("INVITE", extra=extra)
    wire.send(data, FOREIGN)
    callee = Callee(wire, one(wire, b"INVITE"))
    callee.answer(180)
    if status == 486:
        callee.answer(486)
        one(wire, b"ACK")
        assert answered_as_asked(wire, data).status == 486
        return
    wire.send(caller.request("CANCEL", extra='Reason: SIP;cause=200;text="0612345678"'), FOREIGN)
    one(wire, b"CANCEL")
    callee.answer(487)
    one(wire, b"ACK")
    assert answered_as_asked(wire, data).status == 487


def test_what_tells_nothing_stays(wire: Wire) -> None:
    """Entries of others in Diversion and History-Info, headers of other matters, Call-ID, tag and Vias."""
    caller = Spelled(wire, user="+33612345678", contact="<sip:pbx@192.0.2.2:5060;ob>;+sip.instance=\"<urn:x>\"",
                     call_id="", tag="", via="")  # fmt: skip
    extra = (
        "Diversion: <sip:+33612345678@h>, <sip:+33199001234@h>;reason=user-busy\n"
        "History-Info: <sip:0612345678@h>;index=1, <sip:+33170000001@h>;index=1.1\n"
        "X-Order: 42\nSupported: timer"
    )
    wire.send(caller.request("INVITE", extra=extra), FOREIGN)
    invite = one(wire, b"INVITE")
    anonymous = b"<sip:anonymous@anonymous.invalid>"
    assert invite.values(b"diversion") == [anonymous, b"<sip:+33199001234@h>;reason=user-busy"]
    assert invite.values(b"history-info") == [anonymous + b";index=1", b"<sip:+33170000001@h>;index=1.1"]
    assert (invite.value(b"x-order"), invite.value(b"supported")) == (b"42", b"timer")
    assert (invite.call_id(), invite.from_().tag) == (caller.call_id.encode(), caller.from_tag.encode())
    assert [via.host for via in invite.vias()][1:] == [b"192.0.2.2"]
    contact = invite.value(b"contact") or b""
    assert re.fullmatch(rb'<sip:hidden-[A-Za-z0-9_-]+@192\.0\.2\.2:5060;ob>;\+sip\.instance="<urn:x>"', contact)


def test_a_refresh_shows_the_same_contact(wire: Wire) -> None:
    """The callee would take another one for another target (RFC 3261 §12.2.1.2)."""
    caller = Spelled(wire, user="+33612345678", contact="<sip:+33612345678@192.0.2.2>", call_id="", tag="", via="")
    wire.send(caller.request("INVITE"), FOREIGN)
    invite = one(wire, b"INVITE")
    callee = Callee(wire, invite)
    callee.answer(200)
    caller.learn(wire.responses_to(FOREIGN)[-1])
    caller.ack()
    caller.say("UPDATE")
    wire.requests_to(TRUNK_A, b"ACK")
    assert one(wire, b"UPDATE").value(b"contact") == invite.value(b"contact")


def test_a_substituted_number_is_hidden_as_well() -> None:
    """Contract 9.1.8: Contact and the other headers do not tell what was replaced; User-Agent and the like stay."""
    own = 'cli = { numbers = ["+33199001200..+33199001299"], default = "+33199001200", unowned = "substitute" }'
    wire = Wire(
        POLICY.replace('id = "acme"', f'id = "acme"\n{own}', 1).replace('class = "international"', 'class = "x"')
    )
    caller = Spelled(wire, user="0612345678", contact="<sip:0612345678@192.0.2.2>", call_id="", tag="", via="")
    wire.send(caller.request("INVITE", extra="User-Agent: PBX\nX-Caller: 06 12 34 56 78"), FOREIGN)
    invite = one(wire, b"INVITE")
    assert invite.from_().uri == b"sip:+33199001200@192.0.2.2;user=phone"
    assert (invite.value(b"user-agent"), invite.value(b"x-caller")) == (b"PBX", None)
    wire.new_core()
    callee = Callee(wire, invite)
    wire.send(callee.in_dialog("INFO"), TRUNK_A)
    assert wire.requests_to(FOREIGN, b"INFO")[0].uri == b"sip:0612345678@192.0.2.2"


def test_a_sealed_word_opens_for_its_call_alone() -> None:
    """Changed, cut, of another call or secret: it does not open; the Request-URI then stays as it came."""
    one, other = [Identifiers(secret=secret * 16, fresh=lambda: b"x") for secret in (b"a", b"b")]
    word = one.seal(b"sip:0612345678@h", b"call-1")
    assert one.unseal(word, b"call-1") == b"sip:0612345678@h"
    assert [one.unseal(word, b"call-2"), other.unseal(word, b"call-1"), one.unseal(word[:-2], b"call-1")] == [None] * 3
    assert [one.unseal(odd) for odd in (b"", b"!", b"A" * 9_000, b"\xff\xff")] == [None] * 4


@pytest.mark.parametrize(
    ("text", "is_told"),
    [
        (b"0 6-12.34(56)78", True), (b"%36%31%32345678", True), (b"678;phone-context=+33612345", True),
        (b"5678;x=1;phone-context=+3361234", True), (b"61234567", False), (b"612.345.679", False), (b"", False),
    ],
)  # fmt: skip
def test_spellings_of_a_number(text: bytes, is_told: bool) -> None:
    """Separators, escapes and contexts hide no number."""
    assert spells(text, (NSN,)) == is_told
    assert not spells(text, ())


def test_numbers_by_which_a_caller_is_known(wire: Wire) -> None:
    """Numbers of the plan by their significant digits, others by their last eight; a short one would be everywhere."""
    head = f"INVITE sip:1@{EDGE} SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nTo: <sip:1@h>\r\n"
    head += "Call-ID: c\r\nCSeq: 1 INVITE\r\n"
    head += (
        'From: "01 99 00 12 34" <sip:0612345678@h>;tag=1\r\nP-Asserted-Identity: <tel:+442079460123>, <sip:3000@h>\r\n'
    )
    head += "Remote-Party-ID: <sip:alice42@h>\r\nP-Preferred-Identity: not one\r\n\r\n"
    message = parse(head.encode())
    assert numbers_of(message, wire.snapshot.plan) == (b"612345678", b"199001234", b"79460123")
    assert numbers_of(message, wire.snapshot.plan, but="+33612345678") == (b"199001234", b"79460123")
