"""Inside a call over TLS: what the neighbours of its two sides must prove (RFC 5922 §7.4)."""

from network import POLICY, Callee, Caller, Wire, reply

from edge.proxy.listeners import Listener
from edge.sip.flow import Flow
from edge.sip.message import Request, Response

PROVEN = POLICY.replace('sources = ["192.0.2.1/32", "2001:db8::1/128"]', 'tls_names = ["sbc.acme.example"]').replace(
    'uri = "sip:198.51.100.1:5060"', 'uri = "sip:198.51.100.1:5061;transport=tls"\ntls_names = ["carrier.example"]'
)
SECURE = [Listener("tls:192.0.2.10:5061", b"TLS", "192.0.2.10", 5061, "192.0.2.10", 5061)]
SBC_TLS, TRUNK_TLS = ("192.0.2.1", 5061), ("198.51.100.1", 5061)


class Proxied:
    """A call between two proxies over TLS, whose routes name addresses and whose certificates hold names."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.caller = Caller(wire, source=("192.0.2.1", 40_000))
        self.came = Flow(0, self.caller.source, 7, 0, ("sbc.acme.example",))
        routed = "Record-Route: <sip:192.0.2.1:5061;transport=tls;lr>"
        self.receive(self.caller.request("INVITE", extra=routed))
        self.invite = self.left(b"INVITE")[0]
        self.callee = Callee(wire, self.invite, TRUNK_TLS)
        answer = reply(self.invite, 200, contact="sip:callee@10.0.0.9:5060")
        added = b"Record-Route: <sip:198.51.100.1:5061;transport=tls;lr>\r\nRecord-Route: "
        self.receive(answer.replace(b"Record-Route: ", added, 1), carrier=True)
        (found,) = [message for message, _ in wire.sent if isinstance(message, Response) and message.status == 200]
        wire.sent.clear()
        self.caller.learn(found)
        del self.caller.routes[0]  # that of its own proxy, which takes it off

    def receive(self, data: bytes, *, carrier: bool = False) -> None:
        flow = Flow(0, TRUNK_TLS, 8, 0, ("carrier.example",)) if carrier else self.came
        self.wire.core.received(data.replace(b"SIP/2.0/UDP", b"SIP/2.0/TLS"), flow, self.wire.now)
        self.wire.pump()

    def left(self, method: bytes) -> tuple[Request, Flow]:
        (found,) = [
            (message, flow)
            for message, flow in self.wire.sent
            if isinstance(message, Request) and message.method == method
        ]
        self.wire.sent.clear()
        return found


def proxied() -> Proxied:
    return Proxied(Wire(PROVEN, listeners=SECURE))


def test_the_trunk_proves_inside_the_call_what_it_proved_for_the_invite():
    """ACK and BYE to the address in its route: its name does as well as that address."""
    call = proxied()
    for method in ("ACK", "BYE"):
        call.receive(call.caller.in_dialog(method, cseq=1 if method == "ACK" else None))
        _, flow = call.left(method.encode())
        assert (TRUNK_TLS, ("198.51.100.1", "carrier.example")) == (flow.address, flow.names)


def test_who_brought_the_call_proves_its_trunks_name():
    """A request of the callee, to the address in the route of the proxy before us."""
    call = proxied()
    call.receive(call.caller.in_dialog("ACK", cseq=1))
    call.left(b"ACK")
    call.receive(call.callee.in_dialog("BYE"), carrier=True)
    _, flow = call.left(b"BYE")
    assert (SBC_TLS, ("192.0.2.1", "sbc.acme.example")) == (flow.address, flow.names)


def test_our_own_byes_ask_for_the_same():
    """An operator ends the call: both sides hear of it."""
    call = proxied()
    call.receive(call.caller.in_dialog("ACK", cseq=1))
    call.left(b"ACK")
    core = call.wire.core
    (live,) = core.calls.live()
    assert core.hang_up(live, "fraud", call.wire.now)
    call.wire.pump()
    assert {
        (SBC_TLS, ("192.0.2.1", "sbc.acme.example")),
        (TRUNK_TLS, ("198.51.100.1", "carrier.example")),
    } == {(flow.address, flow.names) for message, flow in call.wire.sent if isinstance(message, Request)}
