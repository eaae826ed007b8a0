"""edge.proxy.presentation: a caller that is masked or shown by another number, over the whole dialog."""

import pytest
from network import (
    CALLER,
    FOREIGN,
    NOTHING,
    POLICY,
    SBC,
    TRUNK_A,
    TRUNK_B,
    Callee,
    Caller,
    Established,
    Ringing,
    Wire,
    hang_up,
    reply,
)

from edge.proxy.node import Settings
from edge.sip.fields import parse_name_addr
from edge.sip.message import Request, Response

ANONYMOUS = b"sip:anonymous@anonymous.invalid"
TRUSTED = POLICY.replace('uri = "sip:198.51.100.1:5060"', 'uri = "sip:198.51.100.1:5060"\ntrusted = true')
OWNER = POLICY.replace(
    'id = "acme"',
    'id = "acme"\ncli = { numbers = ["+33199001200..+33199001299"], default = "+33199001200", unowned = "substitute", '
    'forwarded = "allow" }',
    1,
)
OWNER_TRUSTED = OWNER.replace('uri = "sip:198.51.100.1:5060"', 'uri = "sip:198.51.100.1:5060"\ntrusted = true')


def from_of(message: Request | Response) -> bytes:
    return message.from_().uri


def to_of(message: Request | Response) -> bytes:
    return message.to().uri


def masked(wire: Wire) -> Established:
    """A French mobile from abroad (ruleset 2026): the callee may not see it."""
    call = Established(wire, source=FOREIGN)
    assert from_of(call.invite) == ANONYMOUS
    return call


def test_the_callee_sees_nobody_and_the_caller_itself(wire: Wire) -> None:
    """Arcep 2025-2215: From anonymous and Privacy id; each response has the From that was sent; the tag stays."""
    caller = Caller(wire, source=FOREIGN)
    caller.start()
    (invite,) = wire.requests_to(TRUNK_A, b"INVITE")
    assert invite.value(b"from") == f'"Anonymous" <sip:anonymous@anonymous.invalid>;tag={caller.from_tag}'.encode()
    assert invite.value(b"privacy") == b"id"
    callee = Callee(wire, invite)
    callee.answer(180)
    callee.answer(200)
    mine = f"<sip:+33612345678@{FOREIGN[0]}>;tag={caller.from_tag}".encode()
    answers = wire.responses_to(FOREIGN)
    assert [answer.status for answer in answers] == [100, 180, 200]
    assert {answer.value(b"from") for answer in answers} == {mine}


@pytest.mark.parametrize("status", [404, 486, 503, 603])
def test_failures_go_up_with_the_callers_own_name(wire: Wire, status: int) -> None:
    """Whatever the trunk or the edge answers. The ACK to it names whom the INVITE named."""
    caller = Caller(wire, source=FOREIGN)
    caller.start()
    for address in (TRUNK_A, TRUNK_B):
        for invite in wire.requests_to(address, b"INVITE"):
            assert from_of(invite) == ANONYMOUS
            wire.send(reply(invite, status), address)
            assert from_of(wire.requests_to(address, b"ACK")[0]) == ANONYMOUS
    final = wire.responses_to(FOREIGN)[-1]
    assert final.status == status
    assert from_of(final) == b"sip:+33612345678@192.0.2.2"


def test_ack_and_bye_of_the_caller(wire: Wire) -> None:
    """Every request of the caller names nobody; the answer to it names the caller."""
    call = masked(wire)
    assert from_of(call.ack) == ANONYMOUS
    assert call.ack.from_().tag == call.caller.from_tag.encode()
    call.caller.say("BYE")
    (bye,) = wire.requests_to(TRUNK_A, b"BYE")
    assert from_of(bye) == ANONYMOUS
    wire.send(reply(bye, 200), TRUNK_A)
    (done,) = wire.responses_to(FOREIGN)
    assert from_of(done) == b"sip:+33612345678@192.0.2.2"
    assert wire.ended[0].cli_rewritten == "anonymous"
    wire.advance(200)
    assert wire.held == NOTHING


@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "INFO"])
def test_requests_of_the_callee(wire: Wire, method: str) -> None:
    """The caller is called by its own name; the callee's answer has the To it wrote."""
    call = masked(wire)
    call.callee.say(method)
    (request,) = wire.requests_to(FOREIGN)
    assert to_of(request) == b"sip:+33612345678@192.0.2.2"
    assert request.to().tag == call.caller.from_tag.encode()
    wire.send(reply(request, 200, tag=""), FOREIGN)
    (answer,) = wire.responses_to(TRUNK_A)
    assert (to_of(answer), answer.to().tag) == (ANONYMOUS, call.caller.from_tag.encode())
    if method == "INVITE":
        ack = call.callee.in_dialog("ACK", cseq=call.callee.cseq)
        wire.send(ack, TRUNK_A)
        (acked,) = wire.requests_to(FOREIGN, b"ACK")
        assert to_of(acked) == b"sip:+33612345678@192.0.2.2"


def test_reinvite_of_the_caller(wire: Wire) -> None:
    """A re-INVITE hides as the INVITE did, and its answer is restored."""
    call = masked(wire)
    call.caller.say("INVITE")
    (reinvite,) = wire.requests_to(TRUNK_A, b"INVITE")
    assert from_of(reinvite) == ANONYMOUS
    wire.send(reply(reinvite, 200, contact=call.callee.contact), TRUNK_A)
    assert {from_of(answer) for answer in wire.responses_to(FOREIGN)} == {b"sip:+33612345678@192.0.2.2"}
    call.caller.ack(cseq=call.caller.cseq)
    assert from_of(wire.requests_to(TRUNK_A, b"ACK")[0]) == ANONYMOUS


def test_cancel_of_a_masked_call(wire: Wire) -> None:
    """The CANCEL goes on in the name the INVITE went in."""
    call = Ringing(wire, source=FOREIGN)
    call.caller.cancel()
    (cancel,) = wire.requests_to(TRUNK_A, b"CANCEL")
    assert from_of(cancel) == ANONYMOUS
    assert {from_of(answer) for answer in wire.responses_to(FOREIGN)} == {b"sip:+33612345678@192.0.2.2"}


def test_the_edge_hangs_up_in_both_names(wire: Wire) -> None:
    """Teardown: each side hears the other by the name it knows."""
    masked(wire)
    wire.core.hang_up_all("max_duration", wire.now)
    wire.pump()
    (down,), (up,) = wire.requests_to(TRUNK_A, b"BYE"), wire.requests_to(FOREIGN, b"BYE")
    assert (from_of(down), to_of(up)) == (ANONYMOUS, b"sip:+33612345678@192.0.2.2")


def test_probes_know_the_names_too() -> None:
    """OPTIONS inside the dialog goes in the names of the dialog."""
    wire = Wire(settings=Settings(node="edge1", probe_s=10.0))
    masked(wire)
    wire.advance(25)
    assert from_of(wire.requests_to(TRUNK_A, b"OPTIONS")[0]) == ANONYMOUS
    assert to_of(wire.requests_to(FOREIGN, b"OPTIONS")[0]) == b"sip:+33612345678@192.0.2.2"


def test_an_edge_that_forgot_the_call_hides_on(wire: Wire) -> None:
    """After a crash the token in the route still says that the caller is hidden; the callee may be named."""
    call = masked(wire)
    wire.new_core()
    call.caller.say("INFO")
    (info,) = wire.requests_to(TRUNK_A, b"INFO")
    assert from_of(info) == ANONYMOUS
    wire.send(reply(info, 200), TRUNK_A)
    assert from_of(wire.responses_to(FOREIGN)[0]) == b"sip:+33612345678@192.0.2.2"
    call.callee.say("BYE")
    (bye,) = wire.requests_to(FOREIGN, b"BYE")
    assert from_of(bye) == call.invite.to().uri
    call.caller.ack(cseq=1)
    assert from_of(wire.requests_to(TRUNK_A, b"ACK")[0]) == ANONYMOUS


def test_asserted_identity_of_a_hidden_caller() -> None:
    """RFC 3325 §7: to a trusted trunk it goes on, to another it does not. From an untrusted neighbour it never does."""
    lines = "P-Asserted-Identity: <sip:+33612345678@h>\nRemote-Party-ID: <sip:+33612345678@h>\nPrivacy: session;none"
    for policy, kept in ((TRUSTED, b"<sip:+33612345678@h>"), (POLICY, None)):
        wire = Wire(policy.replace('sources = ["192.0.2.2/32"]', 'sources = ["192.0.2.2/32"]\ntrusted = true'))
        Caller(wire, source=FOREIGN).start(extra=lines)
        (invite,) = wire.requests_to(TRUNK_A, b"INVITE")
        assert (invite.value(b"p-asserted-identity"), invite.value(b"remote-party-id")) == (kept, None)
        assert invite.value(b"privacy") == b"session;id"
    wire = Wire(TRUSTED)
    Caller(wire, source=FOREIGN).start(extra=lines)
    (invite,) = wire.requests_to(TRUNK_A, b"INVITE")
    assert invite.value(b"p-asserted-identity") is None


@pytest.mark.parametrize(
    ("policy", "privacy", "kept"),
    [(POLICY, "id", False), (TRUSTED, "id", True), (POLICY, "none", True), (POLICY, "session", True)],
)
def test_privacy_asked_by_the_caller(policy: str, privacy: str, kept: bool) -> None:
    """The same where the caller itself asks to be hidden: From is its own affair, the assertion ours."""
    wire = Wire(policy)
    extra = f"X-Account: acme\nP-Asserted-Identity: <sip:+33199001234@h>\nPrivacy: {privacy}"
    Caller(wire, source=SBC).start(extra=extra)
    (invite,) = wire.requests_to(TRUNK_A, b"INVITE")
    assert kept == (invite.value(b"p-asserted-identity") is not None)
    assert from_of(invite) == b"sip:+33612345678@192.0.2.3"


def test_an_assertion_nobody_vouches_for_is_taken_off(wire: Wire) -> None:
    """RFC 3325 §5: what a neighbour outside the trust domain asserts is no assertion of ours; its own number is."""
    Caller(wire).start(extra="P-Asserted-Identity: <sip:+33612345678@h>")
    assert wire.requests_to(TRUNK_A, b"INVITE")[0].value(b"p-asserted-identity") is None
    owner = Wire(OWNER)
    Caller(owner, user="+33199001234").start(extra="P-Asserted-Identity: <sip:+33199001250@h>")
    assert owner.requests_to(TRUNK_A, b"INVITE")[0].value(b"p-asserted-identity") == b"<sip:+33199001250@h>"


def test_substituted_number() -> None:
    """Contract 9.1.8: another's number is replaced by the account's default, in From and P-Asserted-Identity."""
    wire = Wire(OWNER)
    call = Established(wire, extra="P-Asserted-Identity: <sip:+33612345678@h>")
    assert call.invite.value(b"from") == (
        f"<sip:+33199001200@{CALLER[0]};user=phone>;tag={call.caller.from_tag}".encode()
    )
    assert call.invite.value(b"p-asserted-identity") == b"<sip:+33199001200@192.0.2.1;user=phone>"
    assert call.invite.value(b"privacy") is None
    assert from_of(call.answer) == b"sip:+33612345678@192.0.2.1"
    assert from_of(call.ack) == b"sip:+33199001200@192.0.2.1;user=phone"
    call.callee.say("INFO")
    assert to_of(wire.requests_to(CALLER, b"INFO")[0]) == b"sip:+33612345678@192.0.2.1"
    hang_up(call)
    facts = wire.ended[0]
    assert (facts.cli_original, facts.cli_rewritten) == ("+33612345678", "+33199001200")
    assert "cli_unowned" in facts.tags


def test_a_withheld_number_is_asserted_to_a_trusted_trunk() -> None:
    """Nothing is shown, and the network learns who it is from us, where the caller asserted nothing."""
    for policy, asserted in ((OWNER_TRUSTED, b"<sip:+33199001200@198.51.100.1:5060;user=phone>"), (OWNER, None)):
        wire = Wire(policy)
        caller = Caller(wire, user="anonymous")
        data = caller.request("INVITE", extra="Privacy: id").replace(
            b"anonymous@192.0.2.1", b"anonymous@anonymous.invalid"
        )
        wire.send(data, CALLER)
        (invite,) = wire.requests_to(TRUNK_A, b"INVITE")
        assert invite.value(b"p-asserted-identity") == asserted
        assert from_of(invite) == ANONYMOUS


def test_a_forwarded_call_keeps_its_first_caller() -> None:
    """Diversion names one of the account's numbers: the first caller's number passes, as configured."""
    wire = Wire(OWNER)
    Caller(wire).start(extra="Diversion: <sip:+33199001210@h>;reason=unconditional")
    assert from_of(wire.requests_to(TRUNK_A, b"INVITE")[0]) == b"sip:+33612345678@192.0.2.1"


def test_an_emergency_call_is_not_touched() -> None:
    """Whoever is called in need shall see who calls, whatever the rules and the privacy asked for."""
    wire = Wire(TRUSTED)
    caller = Caller(wire, called="112", source=FOREIGN)
    caller.start(extra="Privacy: id\nP-Asserted-Identity: <sip:+33612345678@h>")
    (invite,) = wire.requests_to(TRUNK_A, b"INVITE")
    assert from_of(invite) == b"sip:+33612345678@192.0.2.2"
    assert invite.value(b"p-asserted-identity") == b"<sip:+33612345678@h>"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (b"tel:+33612345678", b"tel:+33199001200"),
        (b"sips:+33612345678@192.0.2.1:5061;transport=tls", b"sips:+33199001200@192.0.2.1:5061;user=phone"),
        (b"sip:+33612345678@[2001:db8::1]", b"sip:+33199001200@[2001:db8::1];user=phone"),
        (b"im:alice@h", b"sip:+33199001200@198.51.100.1:5060;user=phone"),
    ],
)
def test_the_callers_address_with_another_number(written: bytes, shown: bytes) -> None:
    """Scheme, host and port of the caller stay; what is no telephone address gets the trunk's."""
    wire = Wire(OWNER)
    data = Caller(wire).request("INVITE").replace(b"sip:+33612345678@192.0.2.1", written)
    wire.send(data, CALLER)
    (invite,) = wire.requests_to(TRUNK_A, b"INVITE")
    assert parse_name_addr(invite.value(b"from") or b"").uri == shown


OTHER = "+33639980001"
"""A mobile number that the caller may not show."""


def renamed(call: Established, method: str, *, extra: str = "", body: str = "") -> Request:
    """A request of the caller inside the dialog by which it names itself otherwise, as it reaches the callee."""
    mine, call.caller.user = call.caller.user, OTHER
    call.caller.say(method, extra=extra, body=body)
    call.caller.user = mine
    (request,) = call.wire.requests_to(TRUNK_A, method.encode())
    return request


@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "INFO", "MESSAGE"])
def test_another_name_inside_the_dialog_is_not_shown(wire: Wire, method: str) -> None:
    """RFC 4916: what policy let pass is what the callee goes on to see; the caller gets its own From back."""
    call = Established(wire)
    request = renamed(call, method, extra="Identity: new;info=<https://x>\n")
    assert from_of(request) == b"sip:+33612345678@192.0.2.1"
    assert request.from_().tag == call.caller.from_tag.encode()
    assert not request.has(b"identity")
    wire.responses_to(CALLER)
    wire.send(reply(request, 200, contact=call.callee.contact), TRUNK_A)
    (answer,) = wire.responses_to(CALLER)
    assert from_of(answer) == f"sip:{OTHER}@192.0.2.1".encode()
    assert [told["method"] for told in wire.told("call.identity_kept")] == [method]


@pytest.mark.parametrize(
    "written",
    [
        f'"{OTHER}" <sip:+33612345678@192.0.2.1>',
        f"<tel:{OTHER}>",
        f"<sip:{OTHER}@192.0.2.1;user=phone>",
        "<sip:+33612345678@192.0.2.1:5062>",
    ],
)
def test_any_other_from_is_another_name(wire: Wire, written: str) -> None:
    """A display name is read as a number too: the whole line goes on as it was."""
    call = Established(wire)
    came = f"From: <sip:+33612345678@192.0.2.1>;tag={call.caller.from_tag}"
    data = call.caller.in_dialog("UPDATE").replace(
        came.encode(), f"From: {written};tag={call.caller.from_tag}".encode()
    )
    wire.send(data, CALLER)
    (request,) = wire.requests_to(TRUNK_A, b"UPDATE")
    assert request.value(b"from") == came.removeprefix("From: ").encode()


def test_a_line_in_the_body_or_another_header_is_no_judged_name() -> None:
    """What stands there was judged by nobody."""
    wire = Wire()
    caller = Caller(wire)
    forged = f"From: <sip:{OTHER}@192.0.2.1>;tag={caller.from_tag}"
    body = f"v=0\r\n{forged}\r\n"
    caller.start(extra=f"X-Order: {forged}\n", body=body)
    (invite,) = wire.requests_to(TRUNK_A, b"INVITE")
    callee = Callee(wire, invite)
    callee.answer(200)
    caller.learn(wire.responses_to(CALLER)[-1])
    caller.ack()
    wire.requests_to(TRUNK_A)
    caller.user = OTHER
    caller.say("UPDATE")
    (request,) = wire.requests_to(TRUNK_A, b"UPDATE")
    assert from_of(request) == b"sip:+33612345678@192.0.2.1"


@pytest.mark.parametrize("name", ["P-Asserted-Identity", "Remote-Party-ID", "P-Preferred-Identity"])
def test_another_identity_of_a_trusted_neighbour(name: str) -> None:
    """What it asserted in the INVITE may come again; what it did not goes."""
    wire = Wire(TRUSTED)
    first, other = f"{name}: <sip:+33199001200@h>\n", f"{name}: <sip:{OTHER}@h>\n"
    call = Established(wire, source=SBC, extra=f"X-Account: acme\n{first}")
    call.caller.say("UPDATE", extra=first)
    call.caller.say("INFO", extra=other)
    (same,), (changed,) = wire.requests_to(TRUNK_A, b"UPDATE"), wire.requests_to(TRUNK_A, b"INFO")
    assert same.value(name.lower().encode()) == b"<sip:+33199001200@h>"
    assert not changed.has(name.lower().encode())


def test_the_same_name_goes_on_as_it_came(wire: Wire) -> None:
    """Nothing is touched, nothing is told; ACK and BYE too."""
    call = Established(wire)
    call.caller.say("UPDATE")
    (request,) = wire.requests_to(TRUNK_A, b"UPDATE")
    assert request.value(b"from") == f"<sip:+33612345678@192.0.2.1>;tag={call.caller.from_tag}".encode()
    assert wire.told("call.identity_kept") == []


def test_however_the_invite_was_written(wire: Wire) -> None:
    """The compact form, or other spaces: it is read, and the same name passes."""
    caller = Caller(wire)
    data = caller.request("INVITE").replace(b"\r\nFrom: ", b"\r\nFROM :  ")
    wire.send(data, CALLER)
    (invite,) = wire.requests_to(TRUNK_A, b"INVITE")
    Callee(wire, invite).answer(200)
    caller.learn(wire.responses_to(CALLER)[-1])
    caller.ack()
    caller.say("UPDATE")
    assert from_of(wire.requests_to(TRUNK_A, b"UPDATE")[0]) == b"sip:+33612345678@192.0.2.1"
    assert wire.told("call.identity_kept") == []


def test_where_no_number_is_read_all_passes() -> None:
    """`normalise = false`: no rule was asked, so none is kept."""
    call = Established(Wire("[numbers]\nnormalise = false\n" + POLICY))
    assert from_of(renamed(call, "UPDATE")) == f"sip:{OTHER}@192.0.2.1".encode()
