"""edge.proxy.hygiene: what crosses from one neighbour to the other, over whole dialogs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from network import (
    CALLER,
    POLICY,
    SBC,
    TRUNK_A,
    TRUNK_B,
    Callee,
    Caller,
    Established,
    Ringing,
    Wire,
    fail,
    policy,
    reply,
)

from edge.config.boundary import FACTS, Added, HeaderRules
from edge.proxy.hygiene import NO_WORDS, Crossings, Way
from edge.proxy.node import Settings
from edge.sip.message import Message, Request, parse

IDENTITY = "P-Asserted-Identity: <sip:+33199001234@h>"
OF_A_DOMAIN = "P-Charging-Vector: icid-value=1\nP-Access-Network-Info: 3GPP\nP-Preferred-Identity: <sip:a@h>"
RULES = """
[header_rules.out]
strip = ["X-*", "User-Agent", "Diversion", "History-Info", "Remote-Party-ID"]
keep = ["X-Order"]
add = [
  { name = "X-Call", value = "{call_uid}/{account}/{ingress_trunk}/{egress_trunk}/{called}@{node}" },
  { name = "User-Agent", value = "edge", into = ["requests", "responses"] },
  { name = "X-Bye", value = "yes", into = ["BYE"] },
]

[header_rules.back]
strip = ["Server", "X-*"]
add = [{ name = "Server", value = "edge", into = ["responses"] }]
"""
BOTH = policy(boundary='{ headers_to = "out", headers_from = "back" }') + RULES
TRUSTED_EGRESS = policy(trusted="true")
HEADERS = "X-Internal: 1\nUser-Agent: PBX 7\nX-Order: 9\nDiversion: <sip:a@h>\nSubject: s\nx-more: 2"


def names(message: Message) -> list[bytes]:
    return [line.partition(b":")[0].strip().lower() for line in message.lines]


def values(message: Message, *wanted: bytes) -> dict[bytes, list[bytes]]:
    return {name: message.values(name) for name in wanted}


# What the policy says of a trunk


def test_headers_are_stripped_kept_and_added_on_the_way_out() -> None:
    """In the INVITE: patterns, exceptions, values of the call; what is not named stays."""
    wire = Wire(BOTH)
    call = Ringing(wire, extra=HEADERS)
    invite = call.invite
    assert values(invite, b"x-internal", b"x-more", b"diversion") == {
        b"x-internal": [],
        b"x-more": [],
        b"diversion": [],
    }
    assert values(invite, b"x-order", b"subject") == {b"x-order": [b"9"], b"subject": [b"s"]}
    assert invite.values(b"user-agent") == [b"edge"]
    (told,) = invite.values(b"x-call")
    uid, *rest = told.decode().split("/")
    assert len(uid) == 32
    assert rest == ["acme", "acme-pbx", "a", "+33170000001@edge1"]


@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "INFO", "PRACK", "BYE", "OPTIONS"])
def test_every_request_of_the_dialog_is_treated(method: str) -> None:
    """Down by the rules for what is sent to the trunk, up by those for what it sends; answers likewise."""
    wire = Wire(BOTH)
    call = Established(wire)
    assert b"x-bye" not in names(call.ack)
    call.caller.say(method, extra=HEADERS)
    (down,) = wire.requests_to(TRUNK_A, method.encode())
    assert values(down, b"x-internal", b"x-more") == {b"x-internal": [], b"x-more": []}
    assert down.values(b"user-agent") == [b"edge"]
    assert down.values(b"x-bye") == ([b"yes"] if method == "BYE" else [])
    wire.send(reply(down, 200, contact=call.callee.contact, extra="Server: Core 5\nX-Node: 7"), TRUNK_A)
    answer = wire.responses_to(CALLER)[-1]
    assert values(answer, b"server", b"x-node") == {b"server": [b"edge"], b"x-node": []}


@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "BYE"])
def test_requests_of_the_trunk_are_treated(method: str) -> None:
    """And the caller's answers to them."""
    wire = Wire(BOTH)
    call = Established(wire)
    call.callee.say(method, extra="Server: Core 5\nX-Node: 7\nSubject: s")
    (up,) = wire.requests_to(CALLER, method.encode())
    assert values(up, b"server", b"x-node", b"subject") == {b"server": [], b"x-node": [], b"subject": [b"s"]}
    wire.send(reply(up, 200, tag="", extra=HEADERS), CALLER)
    answer = wire.responses_to(TRUNK_A)[-1]
    assert values(answer, b"x-internal", b"user-agent", b"x-order") == {
        b"x-internal": [], b"user-agent": [b"edge"], b"x-order": [b"9"],
    }  # fmt: skip
    if method == "INVITE":
        wire.send(call.callee.in_dialog("ACK", cseq=call.callee.cseq, extra="X-Node: 7"), TRUNK_A)
        (ack,) = wire.requests_to(CALLER, b"ACK")
        assert ack.values(b"x-node") == []


def test_provisional_and_failure_responses_are_treated() -> None:
    """All that goes up."""
    wire = Wire(BOTH)
    caller = Caller(wire)
    caller.start()
    callee = Callee(wire, wire.requests_to(TRUNK_A, b"INVITE")[0])
    callee.answer(183, extra="X-Node: 7\nServer: Core 5")
    callee.answer(486, extra="X-Node: 7\nServer: Core 5")
    for answer in wire.responses_to(CALLER):
        if answer.status > 100:
            assert values(answer, b"server", b"x-node") == {b"server": [b"edge"], b"x-node": []}


def test_each_trunk_has_its_own_rules() -> None:
    """The second candidate is sent what its rules say, from what the caller sent."""
    wire = Wire(BOTH)
    caller = Caller(wire)
    caller.start(extra=HEADERS)
    fail(wire)
    (invite,) = wire.requests_to(TRUNK_B, b"INVITE")
    assert values(invite, b"x-internal", b"user-agent", b"x-call") == {
        b"x-internal": [b"1"], b"user-agent": [b"PBX 7"], b"x-call": [],
    }  # fmt: skip


def test_the_rules_hold_at_another_node() -> None:
    """After a takeover the call's trunks are found in the policy by the names in its record."""
    wire = Wire(BOTH)
    call = Established(wire)
    wire.settings = Settings(node="edge2")
    core = wire.new_core()
    found = tuple(wire.limiter.adopt("acme", gone="edge1", heir="edge2", lease_ms=30_000))
    core.adopt("acme", "edge1", int(wire.now * 1_000), found, wire.now)
    wire.pump()
    call.caller.say("INFO", extra=HEADERS)
    (down,) = wire.requests_to(TRUNK_A, b"INFO")
    assert values(down, b"x-internal", b"user-agent") == {b"x-internal": [], b"user-agent": [b"edge"]}


# Trust (RFC 3325)


def test_headers_of_a_domain_stay_in_it() -> None:
    """Without a word in the policy: from and to whom is not trusted, nothing of the kind; all else as it came."""
    call = Established(Wire(), extra=OF_A_DOMAIN + "\nX-Any: 1\nUser-Agent: u")
    assert values(call.invite, b"p-charging-vector", b"p-access-network-info", b"p-preferred-identity", b"x-any") == {
        b"p-charging-vector": [], b"p-access-network-info": [], b"p-preferred-identity": [], b"x-any": [b"1"],
    }  # fmt: skip


def test_inside_the_domain_everything_crosses() -> None:
    """Between trusted neighbours nothing is touched."""
    wire = Wire(TRUSTED_EGRESS)
    call = Ringing(wire, extra=OF_A_DOMAIN + "\nX-Account: acme", source=SBC)
    assert call.invite.values(b"p-charging-vector") == [b"icid-value=1"]
    call.callee.answer(200, extra=IDENTITY)
    answer = wire.responses_to(SBC)[-1]
    assert answer.values(b"p-asserted-identity") == [b"<sip:+33199001234@h>"]


@pytest.mark.parametrize(
    ("trunk", "source", "stays"),
    [("", CALLER, False), ("", SBC, False), ("trusted = true", CALLER, True), ("trusted = true", SBC, True)],
)
def test_an_identity_in_an_answer(trunk: str, source: tuple[str, int], stays: bool) -> None:
    """§5: nobody is to believe what an untrusted trunk asserts of the callee; what a trusted one asserts goes on."""
    wire = Wire(POLICY.replace('uri = "sip:198.51.100.1:5060"', f'uri = "sip:198.51.100.1:5060"\n{trunk}'))
    call = Ringing(wire, source=source, extra="X-Account: acme" if source == SBC else "")
    call.callee.answer(200, extra=IDENTITY)
    assert (wire.responses_to(source)[-1].value(b"p-asserted-identity") is not None) is stays


@pytest.mark.parametrize(
    ("privacy", "source", "stays"),
    [
        ("id", CALLER, False), ("ID ; critical", CALLER, False), ("header,id", CALLER, False), ("none", CALLER, True),
        ("header", CALLER, True), ("", CALLER, True), ("id", SBC, True),
    ],
)  # fmt: skip
def test_privacy_of_an_answer(privacy: str, source: tuple[str, int], stays: bool) -> None:
    """§7: where `id` is asked, the identity goes to nobody outside; all of them go, and Privacy stays."""
    wire = Wire(TRUSTED_EGRESS)
    call = Ringing(wire, source=source, extra="X-Account: acme" if source == SBC else "")
    asks = f"Privacy: {privacy}\n" if privacy else ""
    call.callee.answer(200, extra=asks + IDENTITY + "\nP-Asserted-Identity: <tel:+33199001234>")
    answer = wire.responses_to(source)[-1]
    assert len(answer.values(b"p-asserted-identity")) == (2 if stays else 0)
    assert answer.values(b"privacy") == ([privacy.encode()] if privacy else [])


@pytest.mark.parametrize("method", ["UPDATE", "INFO", "INVITE"])
def test_an_identity_inside_the_dialog(method: str) -> None:
    """An untrusted caller asserts nothing later on either."""
    wire = Wire(TRUSTED_EGRESS)
    call = Established(wire)
    call.caller.say(method, extra=IDENTITY)
    (request,) = wire.requests_to(TRUNK_A, method.encode())
    assert request.values(b"p-asserted-identity") == []


@pytest.mark.parametrize("normalise", ["true", "false"])
def test_an_identity_of_an_untrusted_caller(normalise: str) -> None:
    """In the INVITE, whether or not numbers are read: removed."""
    wire = Wire(TRUSTED_EGRESS + f"\n[numbers]\nnormalise = {normalise}\nrules = 'off'\n")
    call = Ringing(wire, extra=IDENTITY)
    assert call.invite.values(b"p-asserted-identity") == []


def test_privacy_none_is_not_touched() -> None:
    """RFC 3323 §4.2: whatever the rules say; any other Privacy goes by the rules."""
    for asked, left in (("none", [b"none"]), ("header", []), ("id", [])):
        wire = Wire(policy(boundary='{ headers_to = "quiet" }') + '\n[header_rules.quiet]\nstrip = ["Privacy"]\n')
        call = Established(wire)
        call.caller.say("INFO", extra=f"Privacy: {asked}")
        (request,) = wire.requests_to(TRUNK_A, b"INFO")
        assert request.values(b"privacy") == left


def test_whoever_calls_in_need_is_named() -> None:
    """R16: the centre sees who calls, whatever Privacy says, in every request."""
    wire = Wire()
    caller = Caller(wire, called="112", source=SBC)
    caller.start(extra=IDENTITY + "\nPrivacy: id\nX-Account: acme")
    (invite,) = wire.requests_to(TRUNK_A, b"INVITE")
    assert invite.values(b"p-asserted-identity") == [b"<sip:+33199001234@h>"]


# One way by itself


def request(*lines: str) -> Request:
    head = ["INFO sip:a@h SIP/2.0", "Via: SIP/2.0/UDP h;branch=z9hG4bK1", "From: <sip:a@h>;tag=1"]
    head += ["To: <sip:b@h>;tag=2", "Call-ID: c", "CSeq: 1 INFO"]
    message = parse("\r\n".join([*head, *lines, "", ""]).encode("latin-1"))
    assert isinstance(message, Request)
    return message


def test_hostile_values_are_not_inserted() -> None:
    """A fact with a line end, a control character, or bytes outside ASCII: the header is left out, and the one that
    came goes all the same."""
    added = Added(b"X-Called", b"x-called", "<{called}>", frozenset((b"requests",)))
    way = Way(HeaderRules(added=(added,)), HeaderRules(), "pass")
    for called in ("1\r\nVia: x", "1\n2", "1\r2", "1\0", "1\x7f", "é", "", "\t"):
        message = request("X-Called: 7")
        way.cross(message, {**NO_WORDS, "called": called}, b"requests")
        assert message.values(b"x-called") == []
        assert parse(message.render()).lines == message.lines
    message = request()
    way.cross(message, {**NO_WORDS, "called": "{account}%0d%0a"}, b"requests")
    assert message.values(b"x-called") == [b"<{account}%0d%0a>"]


LINES = st.lists(
    st.sampled_from(
        ["X-A: 1", "x-b: 2", "X-Keep: 3", "User-Agent: u", "Subject: s", "s: t", "P-Asserted-Identity: <sip:a@h>",
         "Privacy: id", "Privacy: none", "X-Fold: a\r\n b", "Accept: x", "Diversion: <sip:a@h>", "X-A : 4"]
    ),
    max_size=12,
)  # fmt: skip


@given(LINES, st.booleans(), st.booleans())
def test_what_is_left_is_what_the_rules_leave(lines: list[str], is_first: bool, is_judged: bool) -> None:
    """Whatever the order: every line that a rule takes goes, every other stays, in its order and byte for byte; and the
    index is true afterwards."""
    rules = HeaderRules(
        names=frozenset((b"subject", b"diversion")), beginnings=(b"x-",), kept=frozenset((b"x-keep",)), is_boundary=True
    )
    way = Way(*((rules, HeaderRules()) if is_first else (HeaderRules(), rules)), "pass")
    message = request(*lines)
    before = list(message.lines)
    way.cross(message, NO_WORDS, b"requests", is_judged=is_judged)
    asks = [line[9:] for line in lines if line.startswith("Privacy")]
    hides = is_first or "id" in asks

    def goes(line: bytes) -> bool:
        name = line.partition(b":")[0].strip().lower()
        if name == b"p-asserted-identity":
            return hides and not is_judged
        return name in (b"x-a", b"x-b", b"x-fold", b"subject", b"s", b"diversion")

    assert message.lines == [line for line in before if not goes(line)]
    again = parse(message.render())
    assert again.lines == message.lines
    assert dict(again.layout.positions) == dict(message.layout.positions)


def test_a_pair_between_which_nothing_is_done_has_no_crossing() -> None:
    """So that nothing is asked of its messages; each pair is made once, and what is kept is bounded."""
    snapshot = Wire(TRUSTED_EGRESS).snapshot
    crossings = Crossings(snapshot)
    sbc = next(trunk for trunk in snapshot.ingress if trunk.id == "sbc")
    pbx = next(trunk for trunk in snapshot.ingress if trunk.id == "acme-pbx")
    assert crossings.between(sbc, snapshot.trunks["a"]) is None
    assert crossings.between(None, snapshot.trunks["a"]) is None
    assert crossings.between(pbx, snapshot.trunks["a"]) is crossings.between(pbx, snapshot.trunks["a"]) is not None


def test_a_layout_is_judged_once() -> None:
    """And layouts that a sender makes up fill no memory."""
    way = Way(HeaderRules(beginnings=(b"x-",)), HeaderRules(), "pass")
    for number in range(1_500):
        way.cross(request(f"X-{number}: 1", f"Y-{number}: 1"), NO_WORDS, b"requests")
    assert len(way._plans) <= 512


def test_facts_have_words() -> None:
    """Every fact that a value may name has a word, empty at least."""
    assert set(NO_WORDS) == set(FACTS)
