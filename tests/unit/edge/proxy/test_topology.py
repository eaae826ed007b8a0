"""edge.proxy.topology: no byte that goes to a hiding trunk tells who stands behind the edge, over whole dialogs."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from network import NOTHING, Address, Callee, Caller, Wire, reply

from edge.proxy.listeners import Listener
from edge.proxy.node import Settings
from edge.sip.errors import FieldError
from edge.sip.message import Message, Request, Response, parse

INSIDE = ("10.1.2.3", 5062)
"""A caller behind the edge, as the ingress trunk `inside`."""
CORE = ("10.9.9.9", 5080)
"""A callee behind the edge, as the egress trunk `core`."""
OUTSIDE = ("198.51.100.1", 5060)
"""The trunk that is to know nothing."""
EDGE_IN, EDGE_OUT = "10.0.0.1", "203.0.113.7"

POLICY = """
[[accounts]]
id = "acme"
calls_base = 50
caps_base = 1000

[[ingress]]
id = "inside"
sources = ["10.1.0.0/16"]
account = "acme"

[[ingress]]
id = "outside"
sources = ["198.51.100.1"]
account = "acme"
boundary = { hide_topology = true }

[[egress]]
id = "carrier"
uri = "sip:198.51.100.1:5060"
listener = "udp:10.0.0.2:5060"
boundary = { hide_topology = true }

[[egress]]
id = "core"
uri = "sip:10.9.9.9:5080"
listener = "udp:10.0.0.1:5060"

[[routes]]
id = "out"
prefixes = [""]
trunks = ["carrier"]

[[routes]]
id = "in"
prefixes = ["+33199"]
trunks = ["core"]

[[routes]]
id = "through"
prefixes = ["+33188"]
trunks = ["carrier"]

[numbers]
rules = "off"
"""
SECRETS = re.compile(rb"10\.[0-9]+\.[0-9]+\.[0-9]+|fd00:|pbx\.internal|proxy7")
"""What must not be seen outside: every address and name of the inside."""

UP = "Record-Route: <sip:proxy7.internal:5061;lr>\nVia: SIP/2.0/UDP 10.1.7.7:5061;branch=z9hG4bKup"
TELLS = """P-Asserted-Identity: <sip:+33199001234@10.1.2.3>
Diversion: <sip:+33199001235@10.1.2.4:5060>;reason=unconditional
History-Info: <sip:a@[fd00::1]>;index=1
P-Charging-Vector: icid-value=1;icid-generated-at=10.1.2.9
Call-Info: <http://10.1.2.3/photo>
Warning: 399 10.1.2.3 "from fd00::7"
X-Forwarded: at 10.1.2.3, then%4010.1.2.4
User-Agent: PBX/10.1.2.3
Referred-By: <sip:a@10.1.2.3>
Reply-To: <sip:a@10.1.2.3:5062>
Replaces: other@10.1.2.3;to-tag=a;from-tag=b"""


def listeners() -> list[Listener]:
    return [
        Listener("udp:10.0.0.1:5060", b"UDP", "10.0.0.1", 5060, EDGE_IN, 5060),
        Listener("udp:10.0.0.2:5060", b"UDP", "10.0.0.2", 5060, EDGE_OUT, 5060),
    ]


class Net:
    """An edge with one foot inside and one outside; everything sent outside is looked at."""

    def __init__(self, policy: str = POLICY) -> None:
        self.wire = Wire(policy, listeners=listeners())
        self.wire.settings = Settings(node="edge1")

    def send(self, data: bytes, source: Address) -> None:
        """From inside or outside, by the listener that is there."""
        self.wire.send(data, source, listener=0 if source[0].startswith("10.") else 1)
        self.look()

    def look(self) -> None:
        """No byte of the inside has gone out."""
        for message, flow in self.wire.sent:
            if flow.address == OUTSIDE:
                told = SECRETS.search(message.render())
                assert told is None, (told, message.render())

    def requests(self, address: Address, method: str) -> Request:
        (found,) = self.wire.requests_to(address, method.encode())
        return found

    def restart(self) -> None:
        """Another node with the same secret, and nothing else."""
        self.wire.new_core()

    def take_over(self) -> None:
        self.wire.settings = Settings(node="edge2")
        core = self.wire.new_core()
        found = tuple(self.wire.limiter.adopt("acme", gone="edge1", heir="edge2", lease_ms=30_000))
        assert found
        core.adopt("acme", "edge1", int(self.wire.now * 1_000), found, self.wire.now)
        self.wire.pump()
        self.look()


class Inner(Caller):
    """A caller behind the edge and behind a proxy; it speaks to the inner listener."""

    def __init__(self, net: Net, called: str = "+33170000001", source: Address = INSIDE) -> None:
        super().__init__(net.wire, called=called, source=source)
        self.net = net
        self.call_id = f"{self.call_id}-{source[0]}@{source[0]}"

    def put(self, data: bytes) -> None:
        self.net.send(data, self.source)

    def open(self, extra: str = UP + "\n" + TELLS) -> None:
        host = EDGE_IN if self.source[0].startswith("10.") else EDGE_OUT
        self.put(
            self.request("INVITE", extra=extra, uri=f"sip:{self.called}@{host}:5060").replace(
                b"192.0.2.10", host.encode()
            )
        )

    def learn(self, response: Response) -> None:
        """Its proxy takes its own route off before the edge sees it."""
        super().learn(response)
        self.routes = [route for route in self.routes if b"@" in route]

    def talk(self, method: str, *, extra: str = "", cseq: int | None = None) -> None:
        self.put(self.in_dialog(method, extra=extra, cseq=cseq))


def answer_of(net: Net, address: Address, status: int) -> Response:
    found = [response for response in net.wire.responses_to(address) if response.status == status]
    return found[-1]


class Outgoing:
    """A call from inside to the trunk that is to know nothing, up to its ACK."""

    def __init__(self, net: Net, tag: str = "callee", extra: str = UP + "\n" + TELLS) -> None:
        self.net = net
        self.caller = Inner(net)
        self.caller.open(extra)
        self.invite = net.requests(OUTSIDE, "INVITE")
        self.callee = Callee(net.wire, self.invite, OUTSIDE, tag=tag)
        net.send(reply(self.invite, 180, tag=tag, contact=self.callee.contact), OUTSIDE)
        self.answer(tag)
        self.caller.talk("ACK", cseq=1)
        self.ack = net.requests(OUTSIDE, "ACK")

    def answer(self, tag: str) -> None:
        self.net.send(reply(self.invite, 200, tag=tag, contact=self.callee.contact), OUTSIDE)
        self.ok = answer_of(self.net, INSIDE, 200)
        self.caller.learn(self.ok)

    def callee_says(self, method: str, cseq: int | None = None, extra: str = "") -> None:
        self.net.send(self.callee.in_dialog(method, cseq=cseq, extra=extra), OUTSIDE)

    def at_the_caller(self, method: str) -> Request:
        """What the proxy before the caller gets: led by name to it, along the route set that was hidden."""
        wire = self.net.wire
        if wire.resolves:
            ticket, target = wire.resolves.pop(0)
            assert target.host == "proxy7.internal"
            from edge.sip.locating import Address as Found

            wire.core.resolved(ticket, (Found("udp", "10.1.7.7", 5061),), wire.now)
            wire.pump()
        return self.net.requests(("10.1.7.7", 5061), method)


PROXY = ("10.1.7.7", 5061)


def test_the_invite_tells_nothing() -> None:
    """One Via, one Record-Route, a Contact and a Call-ID of ours; every other address is ours; the number stays."""
    call = Outgoing(Net())
    invite = call.invite
    assert len(invite.list_values(b"via")) == len(invite.list_values(b"record-route")) == 1
    contact = invite.contact()
    assert contact is not None
    assert re.fullmatch(rb"sip:hidden-[\w-]+@203\.0\.113\.7:5060", contact.uri)
    assert invite.uri == b"sip:+33170000001@198.51.100.1:5060"
    assert invite.from_().uri == b"sip:+33612345678@203.0.113.7"
    assert invite.to().uri == b"sip:+33170000001@203.0.113.7:5060"
    assert invite.call_id().startswith(b"hidden-")
    assert invite.value(b"diversion") == b"<sip:+33199001235@203.0.113.7:5060>;reason=unconditional"


def test_the_caller_sees_all_of_its_own() -> None:
    """Vias, From, To, Call-ID as it sent them; the whole route set, the trunk's Contact."""
    call = Outgoing(Net())
    assert call.ok.call_id().decode() == call.caller.call_id
    assert call.ok.from_().uri == b"sip:+33612345678@10.1.2.3"
    assert call.ok.to().uri == b"sip:+33170000001@10.0.0.1:5060"
    assert [via.host for via in call.ok.vias()] == [b"10.1.2.3", b"10.1.7.7"]
    routes = call.ok.list_values(b"record-route")
    assert [re.sub(rb"sip:[\w-]+@", b"sip:us@", route) for route in routes] == [
        b"<sip:us@203.0.113.7:5060;lr>", b"<sip:us@10.0.0.1:5060;lr>", b"<sip:proxy7.internal:5061;lr>",
    ]  # fmt: skip
    contact = call.ok.contact()
    assert contact is not None
    assert contact.uri == b"sip:callee@198.51.100.1:5060"
    assert call.ack.uri == b"sip:callee@198.51.100.1:5060"
    assert call.ack.value(b"route") is None


WAYS = ["same", "restart", "takeover"]


def move(net: Net, way: str) -> None:
    if way == "restart":
        net.restart()
    elif way == "takeover":
        net.take_over()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "INFO", "PRACK", "REFER", "BYE"])
def test_requests_of_the_hidden_side(method: str, way: str) -> None:
    """All of them tell nothing, and their answers are whole; by the same node, by one that knows nothing of the call,
    and by its heir."""
    net = Net()
    call = Outgoing(net)
    move(net, way)
    call.caller.talk(method, extra=TELLS + "\nVia: SIP/2.0/UDP 10.1.7.7:5061;branch=z9hG4bKup2")
    down = net.requests(OUTSIDE, method)
    assert down.call_id() == call.invite.call_id()
    assert down.to().tag == b"callee"
    net.send(reply(down, 200, contact=call.callee.contact), OUTSIDE)
    answer = answer_of(net, INSIDE, 200)
    assert answer.call_id().decode() == call.caller.call_id
    assert [via.host for via in answer.vias()] == [b"10.1.2.3", b"10.1.7.7"]
    assert answer.from_().uri == b"sip:+33612345678@10.1.2.3"
    if method == "INVITE":
        call.caller.talk("ACK", cseq=call.caller.cseq, extra=TELLS)
        assert net.requests(OUTSIDE, "ACK").cseq().number == call.caller.cseq
    if method == "BYE" and way != "restart":
        net.wire.advance(200)
        assert net.wire.held == NOTHING


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "INFO", "BYE"])
def test_requests_of_the_trunk(method: str, way: str) -> None:
    """They come back to us, and go along the hidden route set to the hidden Contact; what the caller answers is hidden
    again, failures too."""
    net = Net()
    call = Outgoing(net)
    move(net, way)
    call.callee_says(method)
    up = call.at_the_caller(method)
    assert up.uri == b"sip:caller@10.1.2.3:5062"
    assert up.list_values(b"route") == [b"<sip:proxy7.internal:5061;lr>"]
    assert up.call_id().decode() == call.caller.call_id
    assert (up.to().tag, up.from_().tag) == (call.caller.from_tag.encode(), b"callee")
    if way != "restart":
        assert up.to().uri == b"sip:+33612345678@10.1.2.3"
        assert up.from_().uri == b"sip:+33170000001@10.0.0.1:5060"
    for status, contact in ((180, ""), (200, "sip:new@10.1.2.99:7000")):
        if status == 180 and method != "INVITE":
            continue
        net.send(
            reply(up, status, tag="", contact=contact, extra=TELLS + "\nServer: at 10.1.2.3", phrase="at 10.1.2.3"),
            PROXY,
        )
    (*_, answer) = net.wire.responses_to(OUTSIDE)
    assert answer.status == 200
    assert answer.call_id() == call.invite.call_id()
    assert (answer.from_().uri, answer.to().uri) == (
        b"sip:+33170000001@203.0.113.7:5060",
        b"sip:+33612345678@203.0.113.7",
    )
    assert answer.reason == b"at 203.0.113.7"
    if method == "INVITE":
        target = answer.contact()
        assert target is not None
        call.callee_says("ACK", cseq=call.callee.cseq)
        assert call.at_the_caller("ACK").call_id().decode() == call.caller.call_id
        # The target was refreshed: the new one is where the next request goes.
        data = call.callee.in_dialog("INFO").replace(call.invite.contact().uri, target.uri)  # type: ignore[union-attr]
        net.send(data, OUTSIDE)
        assert call.at_the_caller("INFO").uri == b"sip:new@10.1.2.99:7000"


@pytest.mark.parametrize("status", [302, 404, 486, 488, 503, 603])
def test_failures(status: int) -> None:
    """They go up whole; the ACK and the CANCEL that go down tell nothing."""
    net = Net()
    caller = Inner(net)
    caller.open()
    invite = net.requests(OUTSIDE, "INVITE")
    net.send(reply(invite, status), OUTSIDE)
    assert net.requests(OUTSIDE, "ACK").call_id() == invite.call_id()
    answer = net.wire.responses_to(INSIDE)[-1]
    assert answer.call_id().decode() == caller.call_id
    assert [via.host for via in answer.vias()] == [b"10.1.2.3", b"10.1.7.7"]
    net.wire.advance(200)
    assert net.wire.held == NOTHING


def test_a_call_that_is_given_up() -> None:
    """CANCEL, 487."""
    net = Net()
    caller = Inner(net)
    caller.open()
    invite = net.requests(OUTSIDE, "INVITE")
    net.send(reply(invite, 180, contact="sip:callee@198.51.100.1"), OUTSIDE)
    caller.put(
        caller.request(
            "CANCEL", extra='Reason: SIP;cause=487;text="x"', uri=f"sip:{caller.called}@{EDGE_IN}:5060"
        ).replace(b"192.0.2.10", EDGE_IN.encode())
    )
    cancel = net.requests(OUTSIDE, "CANCEL")
    assert cancel.call_id() == invite.call_id()
    net.send(reply(cancel, 200), OUTSIDE)
    net.send(reply(invite, 487), OUTSIDE)
    assert answer_of(net, INSIDE, 487).call_id().decode() == caller.call_id


def test_two_answers() -> None:
    """A callee that forks: each dialog is led by itself."""
    net = Net()
    call = Outgoing(net, tag="one")
    second = Callee(net.wire, call.invite, OUTSIDE, tag="two")
    net.send(reply(call.invite, 200, tag="two", contact=second.contact), OUTSIDE)
    other = answer_of(net, INSIDE, 200)
    call.caller.learn(other)
    call.caller.talk("ACK", cseq=1)
    assert net.requests(OUTSIDE, "ACK").uri == b"sip:two@198.51.100.1:5060"
    net.send(second.in_dialog("BYE"), OUTSIDE)
    assert call.at_the_caller("BYE").from_().tag == b"two"


@pytest.mark.parametrize("way", ["same", "takeover"])
def test_the_edge_hangs_up(way: str) -> None:
    """Each side is spoken to as it knows the dialog."""
    net = Net()
    call = Outgoing(net)
    move(net, way)
    net.wire.core.hang_up_all("max_duration", net.wire.now)
    net.wire.pump()
    net.look()
    down, up = net.requests(OUTSIDE, "BYE"), call.at_the_caller("BYE")
    assert down.call_id() == call.invite.call_id()
    assert (down.from_().uri, down.to().tag) == (b"sip:+33612345678@203.0.113.7", b"callee")
    assert up.call_id().decode() == call.caller.call_id
    assert (up.to().uri, up.from_().uri) == (b"sip:+33612345678@10.1.2.3", b"sip:+33170000001@10.0.0.1:5060")


def test_a_late_answer_is_ended_in_hidden_words() -> None:
    """ACK and BYE of the edge's own, in the names the trunk knows."""
    net = Net()
    caller = Inner(net)
    caller.open()
    invite = net.requests(OUTSIDE, "INVITE")
    net.wire.advance(10)
    assert net.wire.responses_to(INSIDE)[-1].status == 503
    net.send(reply(invite, 200, contact="sip:callee@198.51.100.1:5060"), OUTSIDE)
    for method in ("ACK", "BYE"):
        assert net.requests(OUTSIDE, method).call_id() == invite.call_id()


# The other way: the trunk calls, and who answers is hidden


class Incoming:
    """A call of the trunk to a callee inside, behind a proxy, up to its ACK."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.caller = Inner(net, called="+33199000001", source=OUTSIDE)
        self.caller.open(extra="Record-Route: <sip:198.51.100.77;lr>")
        self.invite = net.requests(CORE, "INVITE")
        self.callee = Callee(net.wire, self.invite, CORE)
        self.answers: list[Response] = []
        for status in (180, 200):
            data = reply(self.invite, status, contact=self.callee.contact, extra=TELLS)
            head, gap, rest = data.partition(b"\r\n")
            net.send(head + gap + b"Record-Route: <sip:10.9.1.1:5090;lr>\r\n" + rest, CORE)
            self.answers.append(answer_of(net, OUTSIDE, status))
        self.caller.learn(self.answers[-1])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", ["ACK", "INVITE", "UPDATE", "INFO", "PRACK", "BYE"])
def test_the_trunk_calls(method: str, way: str) -> None:
    """It sees one route of ours and a Contact of ours; its requests go along the hidden routes to the hidden callee."""
    net = Net()
    call = Incoming(net)
    assert call.caller.call_id.encode() == call.invite.call_id()
    for answer in call.answers:
        routes = answer.list_values(b"record-route")
        assert routes[1:] == [b"<sip:198.51.100.77;lr>"]
        assert b"@203.0.113.7:5060;" in routes[0]
    move(net, way)
    call.caller.talk(method, cseq=1 if method == "ACK" else None)
    down = net.requests(("10.9.1.1", 5090), method)
    assert down.uri == b"sip:callee@10.9.9.9:5080"
    assert down.list_values(b"route") == [b"<sip:10.9.1.1:5090;lr>"]
    assert re.match(rb"SIP/2.0/UDP 10\.0\.0\.1:5060", down.via().raw)
    if method != "ACK":
        net.send(reply(down, 200, tag="", contact="sip:callee@10.9.9.9:5080", extra=TELLS), ("10.9.1.1", 5090))
        assert answer_of(net, OUTSIDE, 200).call_id().decode() == call.caller.call_id


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "INFO", "BYE"])
def test_the_hidden_callee_speaks(method: str, way: str) -> None:
    """Its requests tell the trunk nothing; after a target refresh the trunk reaches the new target."""
    net = Net()
    call = Incoming(net)
    move(net, way)
    data = call.callee.in_dialog(method, extra=TELLS).replace(b"sip:callee@10.9.9.9:5080", b"sip:moved@10.9.9.10:5080")
    data = re.sub(rb"sip:[^ ]*caller@198.51.100.1:5060 SIP", b"sip:caller@198.51.100.1:5060 SIP", data)
    net.send(data, CORE)
    up = net.requests(("198.51.100.77", 5060), method)
    assert SECRETS.search(up.render()) is None
    assert up.uri == b"sip:caller@198.51.100.1:5060"
    assert len(up.list_values(b"via")) == 1
    net.send(reply(up, 200, tag="", contact="sip:caller@198.51.100.1:5060"), ("198.51.100.77", 5060))
    assert [via.host for via in answer_of(net, CORE, 200).vias()] == [b"10.9.9.9"]
    if method in ("INVITE", "UPDATE"):
        target = up.contact()
        assert target is not None
        call.caller.remote_target = target.uri
        call.caller.talk("INFO")
        assert net.requests(("10.9.1.1", 5090), "INFO").uri == b"sip:moved@10.9.9.10:5080"


def test_from_the_trunk_to_itself() -> None:
    """Hidden both ways: each side of the same carrier sees the edge alone, and the dialog is led all the same."""
    net = Net()
    caller = Inner(net, called="+33188000001", source=OUTSIDE)
    caller.open(extra="")
    invite = net.requests(OUTSIDE, "INVITE")
    callee = Callee(net.wire, invite, OUTSIDE)
    net.send(reply(invite, 200, contact=callee.contact), OUTSIDE)
    caller.learn(answer_of(net, OUTSIDE, 200))
    assert len(caller.routes) == 1
    caller.talk("ACK", cseq=1)
    assert net.requests(OUTSIDE, "ACK").uri == b"sip:callee@198.51.100.1:5060"
    net.send(callee.in_dialog("INFO"), OUTSIDE)
    up = net.requests(OUTSIDE, "INFO")
    assert up.uri == b"sip:caller@198.51.100.1:5060"
    net.send(reply(up, 200, tag=""), OUTSIDE)
    assert answer_of(net, OUTSIDE, 200).call_id() == invite.call_id()
    caller.talk("BYE")
    assert net.requests(OUTSIDE, "BYE").call_id() == invite.call_id()


MASKED = POLICY.replace(
    'account = "acme"\n\n[[ingress]]', 'account = "acme"\nclass = "international"\n\n[[ingress]]', 1
).replace('rules = "off"', 'rules = "enforce"')


@pytest.mark.parametrize("way", WAYS)
def test_a_masked_caller_behind_it(way: str) -> None:
    """The number is hidden, and so are the hosts; what was sealed twice is opened twice."""
    net = Net(MASKED)
    call = Outgoing(net, extra=UP)
    assert call.invite.from_().uri == b"sip:anonymous@anonymous.invalid"
    assert b"612345678" not in call.invite.render()
    move(net, way)
    call.callee_says("INFO")
    up = call.at_the_caller("INFO")
    assert up.uri == b"sip:caller@10.1.2.3:5062"
    net.send(reply(up, 200, tag=""), PROXY)
    assert answer_of(net, OUTSIDE, 200).call_id() == call.invite.call_id()
    call.caller.talk("INFO")
    down = net.requests(OUTSIDE, "INFO")
    assert down.from_().uri == b"sip:anonymous@anonymous.invalid"
    net.send(reply(down, 200), OUTSIDE)
    ok = answer_of(net, INSIDE, 200)
    assert (ok.from_().uri, ok.call_id().decode()) == (b"sip:+33612345678@10.1.2.3", call.caller.call_id)


def test_an_answer_that_replaces_a_dialog() -> None:
    """Replaces names the other dialog as its receiver knows it (RFC 3891): sealed on the way out, opened on the way
    in."""
    net = Net()
    call = Outgoing(net)
    assert (call.invite.value(b"replaces") or b"").startswith(b"hidden-")
    mine = f"{call.caller.call_id};to-tag=callee;from-tag=x"
    call.caller.talk("INVITE", extra=f"Replaces: {mine}")
    shown = net.requests(OUTSIDE, "INVITE").value(b"replaces") or b""
    assert shown == call.invite.call_id() + b";to-tag=callee;from-tag=x"
    call.callee_says("UPDATE", extra=f"Replaces: {shown.decode()}")
    assert call.at_the_caller("UPDATE").value(b"replaces") == mine.encode()


def test_hidden_proxies_are_passed_in_their_order() -> None:
    """Two of them before the callee: the nearest one first."""
    net = Net()
    caller = Inner(net, called="+33199000001", source=OUTSIDE)
    caller.open(extra="")
    invite = net.requests(CORE, "INVITE")
    data = reply(invite, 200, contact="sip:callee@10.9.9.9:5080")
    head, gap, rest = data.partition(b"\r\n")
    more = b"Record-Route: <sip:10.9.1.2;lr>, <sip:10.9.1.1:5090;lr>\r\n"
    net.send(head + gap + more + rest, CORE)
    caller.learn(answer_of(net, OUTSIDE, 200))
    caller.talk("ACK", cseq=1)
    ack = net.requests(("10.9.1.1", 5090), "ACK")
    assert ack.list_values(b"route") == [b"<sip:10.9.1.1:5090;lr>", b"<sip:10.9.1.2;lr>"]


def test_the_trunk_may_see_itself() -> None:
    """Its own address and ours stay as they are; a Request-URI that is kept elsewhere is this trunk's here."""
    net = Net(POLICY.replace('uri = "sip:198.51.100.1:5060"', 'uri = "sip:198.51.100.1:5060"\nrequest_uri = "keep"'))
    caller = Inner(net)
    caller.open(extra="Refer-To: <sip:a@198.51.100.1>\nX-Us: 203.0.113.7\nX-Other: 10.1.2.3 192.0.2.77")
    invite = net.requests(OUTSIDE, "INVITE")
    assert invite.value(b"refer-to") == b"<sip:a@198.51.100.1>"
    assert invite.value(b"x-other") == b"203.0.113.7 203.0.113.7"
    assert invite.uri == b"sip:+33170000001@198.51.100.1:5060"


def test_a_late_answer_of_an_earlier_trunk() -> None:
    """Another trunk has been tried since, with another token: the BYE goes to the callee and not by way of us."""
    net = Net(POLICY.replace('trunks = ["carrier"]', 'trunks = ["carrier", "core"]', 1))
    caller = Inner(net)
    caller.open()
    invite = net.requests(OUTSIDE, "INVITE")
    net.wire.advance(5)
    second = net.wire.requests_to(CORE, b"INVITE")[0]
    net.send(reply(second, 486), CORE)
    net.send(reply(invite, 200, contact="sip:callee@198.51.100.1:5060"), OUTSIDE)
    for method in ("ACK", "BYE"):
        request = net.requests(OUTSIDE, method)
        assert (request.value(b"route"), request.uri) == (None, b"sip:callee@198.51.100.1:5060")


# What cannot be made by others


def test_nobody_aims_at_a_host_inside() -> None:
    """A Request-URI that is not a Contact of ours goes nowhere, token or not; neither does a seal that was changed, or
    that belongs to another call."""
    net = Net()
    call, other = Outgoing(net), Outgoing(net)
    target, foreign = call.invite.contact(), other.invite.contact()
    assert target is not None
    assert foreign is not None
    aimed = [
        b"sip:root@10.1.2.3:22",
        target.uri.replace(b"hidden-", b"hidden-A"),
        target.uri[:20] + b"@203.0.113.7",
        foreign.uri,
    ]
    for number, uri in enumerate(aimed):
        data = call.callee.in_dialog("INFO", cseq=500 + number).replace(b"INFO " + target.uri, b"INFO " + uri)
        net.send(data, OUTSIDE)
        assert [response.status for response in net.wire.responses_to(OUTSIDE)] == [416]
    ack = call.callee.in_dialog("ACK", cseq=1).replace(b"ACK " + target.uri, b"ACK sip:root@10.1.2.3")
    net.send(ack, OUTSIDE)
    assert not net.wire.sent


def test_routes_of_another_call_do_not_open() -> None:
    """The sealed route set is good for its call alone, and for the side it was shown to."""
    net = Net()
    call, other = Outgoing(net), Outgoing(net)
    mine, theirs = (one.invite.list_values(b"record-route")[0] for one in (call, other))
    sealed, foreign = (re.search(rb"th=([\w-]+)", route).group(1) for route in (mine, theirs))  # type: ignore[union-attr]
    for forged in (foreign, b"i" + sealed[1:], sealed[:-1], b"e", b"e" + b"A" * 9000):
        data = call.callee.in_dialog("INFO").replace(b"th=" + sealed, b"th=" + forged)
        net.send(data, OUTSIDE)
        assert {response.status for response in net.wire.responses_to(OUTSIDE)} <= {400, 413}
        assert not net.wire.requests_to(PROXY)


def test_a_trunk_that_does_not_hide_is_sent_what_came() -> None:
    """Nothing of all this without the word."""
    net = Net(POLICY.replace("boundary = { hide_topology = true }", ""))
    caller = Inner(net)
    net.wire.send(caller.request("INVITE", extra=UP + "\n" + TELLS).replace(b"192.0.2.10", EDGE_IN.encode()), INSIDE)
    (invite,) = net.wire.requests_to(OUTSIDE, b"INVITE")
    assert (len(invite.list_values(b"via")), len(invite.list_values(b"record-route"))) == (3, 3)
    assert invite.call_id().decode() == caller.call_id
    assert b"Diversion: <sip:+33199001235@10.1.2.4:5060>" in invite.render()


HOSTS = st.sampled_from(["10.1.2.3", "10.255.0.1", "[fd00::1]", "10.1.2.3:5062", "[fd00::1]:5070"])
NAMES = st.sampled_from(
    ["Diversion", "X-Any", "Subject", "History-Info", "P-Asserted-Identity", "Alert-Info", "s", "Call-Info"]
)
FORMS = st.sampled_from(
    ["<sip:a@{}>", "{}", "a {} b {}", "http://{}/x", "x={};y={}", '"{}" <sip:b@{}>', "%40{}", "({})"]
)


@given(st.lists(st.tuples(NAMES, FORMS, HOSTS), max_size=8), st.binary(max_size=30))
def test_no_address_in_any_header(lines: list[tuple[str, str, str]], noise: bytes) -> None:
    """Whatever header, whatever stands around it; and what is no address stays."""
    from edge.proxy.topology import TOWARD_EGRESS, Shown, hide_request

    wire = Wire(POLICY, listeners=listeners())
    odd = bytes(byte for byte in noise if 0x20 <= byte < 0x7F)
    head = [
        "INFO sip:a@198.51.100.1 SIP/2.0",
        "Via: SIP/2.0/UDP 10.1.2.3;branch=z9hG4bK1",
        "From: <sip:a@10.1.2.3>;tag=1",
    ]
    head += ["To: <sip:b@h>;tag=2", "Call-ID: c@10.1.2.3", "CSeq: 1 INFO", "Date: Thu, 21 Feb 2002 13:02:03 GMT"]
    head += [f"{name}: {form.format(host, host)}" for name, form, host in lines]
    message = parse("\r\n".join(head).encode() + b"\r\nX-Odd: " + odd + b"\r\n\r\n")
    assert isinstance(message, Request)
    identifiers = wire.core._node.identifiers
    shown = Shown(identifiers, wire.listeners, TOWARD_EGRESS, message.call_id(), 1, 0, b"t", (b"198.51.100.1",))
    hide_request(message, shown, message.copy())
    data = message.render()
    assert b"10.1.2.3" not in data
    assert b"10.255.0.1" not in data
    assert b"fd00::1" not in data
    assert b"13:02:03" in data
    assert isinstance(parse(data.replace(b"\r\nFrom", b"\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom", 1)), Message)


def test_words_that_cannot_be_read() -> None:
    """A Contact or Record-Route that nobody can read is no road past the rule: the call is refused, or it is not
    told."""
    for extra in ("Record-Route: <sip:10.1.2.3", "Record-Route: @@10.1.2.3"):
        net = Net()
        caller = Inner(net)
        try:
            caller.open(extra=extra)
        except FieldError:  # pragma: no cover - must not come out
            pytest.fail("an exception of the core")
        net.look()
