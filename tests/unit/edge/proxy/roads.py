"""Requests inside a dialog, their answers, and all that comes of them: what both roads of `edge.proxy` are held to."""

from itertools import count
from random import Random

import pytest
from hypothesis import strategies as st
from network import CALLER, POLICY, TRUNK_A, Address, Caller, Established, Wire, policy, reply

from edge.proxy.listeners import Listener
from edge.sip.flow import Flow
from edge.sip.message import Request, parse

LISTENERS = [
    Listener("udp:192.0.2.10:5060", b"UDP", "192.0.2.10", 5060, "192.0.2.10", 5060),
    Listener("tcp:192.0.2.10:5060", b"TCP", "192.0.2.10", 5060, "192.0.2.10", 5060),
]
BRANCH = "z9hG4bKshort"


def established(document: str = POLICY, caller: Address = CALLER) -> Established:
    """Each time the same call, on a node of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Caller, "_numbers", count(1))
        return Established(Wire(document, listeners=LISTENERS), source=caller)


def lines_of(call: Established, method: str, from_caller: bool) -> dict[str, str]:
    """The header lines of a request along the route set, as nearly everyone sends them."""
    answer = call.answer
    route = answer.values(b"record-route")[0].decode()
    ingress, egress = answer.value(b"from").decode(), answer.value(b"to").decode()
    host = call.caller.source[0] if from_caller else "198.51.100.1"
    return {
        "Via": f"Via: SIP/2.0/UDP {host}:5060;branch={BRANCH}",
        "Route": f"Route: {route}",
        "Max-Forwards": "Max-Forwards: 70",
        "From": f"From: {ingress if from_caller else egress}",
        "To": f"To: {egress if from_caller else ingress}",
        "Call-ID": f"Call-ID: {answer.call_id().decode()}",
        "CSeq": f"CSeq: {1 if method == 'ACK' else 77} {method}",
        "Content-Length": "Content-Length: 0",
    }


ODDITIES = st.sampled_from([
    ("Via", "Via: SIP/2.0/UDP {via};branch=z9hG4bKa, SIP/2.0/UDP h;branch=z9hG4bKb"),
    ("Via", "Via: SIP/2.0/UDP {via};branch=z9hG4bKa\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKb"),
    ("Via", "Via: SIP/2.0/UDP {via};branch=z9hG4bKa;rport"),
    ("Via", "Via: SIP/2.0/UDP elsewhere.example;branch=z9hG4bKa;oc"),
    ("Via", "Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKa"),
    ("Via", "Via: SIP/2.0/UDP {via};branch=1"),
    ("Route", "Route: {route}, <sip:198.51.100.9;lr>"),
    ("Route", "Route: {route}\r\nRoute: <sip:198.51.100.9;lr>"),
    ("Route", "Route: {route} "),
    ("Route", "route: {route}"),
    ("Route", "Route: <sip:198.51.100.9;lr>"),
    ("Route", "Route: <sip:nobody@192.0.2.10:5060;lr>"),
    ("Route", "Route: <sip:{uid}-0000000000000000@192.0.2.10:5060;lr>"),
    ("Route", "Route: <sip:192.0.2.10:5060;lr>"),
    ("Route", "Route: <sip:{uid}-0000000000000000@192.0.2.10:5060;lr>"),
    ("Route", "Route: {route};x=1"),
    ("Route", ""),
    ("Max-Forwards", "Max-Forwards: 0"),
    ("Max-Forwards", "Max-Forwards: 300"),
    ("Max-Forwards", ""),
    ("From", "From: <sip:x@y>;tag=other"),
    ("From", "From: <sip:x@y"),
    ("To", "To: <sip:x@y>;tag=other"),
    ("To", "To: <sip:x@y>"),
    ("To", "To: <sip:x@y>;tag=hidden-abc"),
    ("Call-ID", "Call-ID: another"),
    ("Call-ID", "Call-ID: hidden-abc"),
    ("CSeq", "CSeq: 3 OPTIONS"),
    ("Content-Length", "Contact: <sip:new@192.0.2.1>"),
    ("Content-Length", "Contact: <sip:new@"),
    ("Content-Length", "Record-Route: <sip:new@"),
    ("Content-Length", "Proxy-Require: foo"),
    ("Content-Length", "Max-Breadth: 0"),
    ("Content-Length", "Max-Breadth: 30"),
    ("Content-Length", "Session-Expires: 1800"),
    ("Content-Length", "Proxy-Authorization: Digest x=1"),
    ("Content-Length", 'Reason: Q.850;cause=16;text="bye"'),
    ("Content-Length", "X-Account: acme"),
    ("Content-Length", "P-Asserted-Identity: <sip:x@y>\r\nPrivacy: id"),
])  # fmt: skip
URIS = st.sampled_from([
    "sip:callee@198.51.100.1:5060", "sip:198.51.100.1", "sip:x@198.51.100.1:5060;transport=udp", "sip:x@trunk.example",
    "sip:x@198.51.100.1?Subject=a", "sip:x@192.0.2.10:5060;maddr=192.0.2.10", "tel:+331", "urn:x:y", "sip:",
    "sips:x@198.51.100.1", "sip:192.0.2.10:5060",
])  # fmt: skip


def written(text: str, call: Established, via: str) -> str:
    """A line with this sent-by, our Record-Route and the uid of the call in it."""
    route = call.answer.values(b"record-route")[0].decode()
    return text.format(via=via, route=route, uid=route.removeprefix("<sip:")[:32])


ANSWERS = st.lists(
    st.tuples(
        st.sampled_from([100, 183, 200, 202, 302, 401, 404, 408, 481, 486, 503, 600]),
        st.sampled_from(["", "X-Y: z", "P-Asserted-Identity: <sip:x@y>", "Privacy: id", 'Reason: Q.850;cause=31',
                         "Retry-After: 3", "Session-Expires: 90", "Record-Route: <sip:a@b;lr>"]),
        st.sampled_from(["as they came", "on one line", "with blanks", "compact", "ours alone", "bad To", "oc", "<"]),
    ),
    max_size=3,
)  # fmt: skip
"""What comes back to what left: status, one more header line, and how its Vias are written."""


def answer_of(request: Request, status: int, extra: str, how: str) -> bytes:
    """This answer, its Vias written so."""
    data = reply(request, status, extra=extra)
    lines = data.split(b"\r\n")
    vias = [line for line in lines if line.startswith(b"Via: ")]
    if how == "ours alone":
        lines.remove(vias[-1])
    elif how == "bad To":
        lines = [b"To: <sip:x" if line.startswith(b"To:") else line for line in lines]
    elif how != "as they came":
        glue = {"on one line": b", ", "with blanks": b" \t,\t ", "<": b';x="<", '}.get(how, b",")
        written = glue.join([via[5:] for via in vias]) + (b";oc=3;oc-validity=5" if how == "oc" else b"")
        written = (b"v:" if how == "compact" else b"Via: ") + written
        at = lines.index(vias[0])
        lines = [line for line in lines if line not in vias]
        lines.insert(at, written)
    return b"\r\n".join(lines)


Answer = tuple[int, str, str]


def told(of: object) -> dict[str, object]:
    """What stands in this object. Compiled, a class has no slots to be asked for."""
    values = {name: getattr(of, name) for name in dir(of) if name[0] != "_"}
    return {name: value for name, value in values.items() if not callable(value)}


LONG = b"\r\nRoute:  <"
"""Written with one blank more, the same Route is not what nearly everyone sends: the complete road is taken."""


def outcome(
    data: bytes, from_caller: bool, is_short: bool, answers: list[Answer], document: str, caller: Address = CALLER
) -> tuple[object, ...]:
    """All that leaves and is counted when this datagram comes to a call of its own core, and these answers after it."""
    core = established(document, caller).wire.core
    source = caller if from_caller else TRUNK_A
    if not is_short:
        data = data.replace(b"\r\nRoute: <", LONG)
    core.received(data, Flow(0, source), 1001.0)
    onward = [(sent, flow) for sent, flow, _ in core.outbox.sends if flow.address != source]
    now = 1001.0
    for status, extra, how in answers if onward else ():
        now += 0.3
        request = parse(onward[0][0])
        assert isinstance(request, Request)
        core.received(answer_of(request, status, extra, how), onward[0][1], now)
    while (at := core.next_timer()) is not None and at <= 1050.0:
        core.handle_timer(at)
    counters = told(core.counters)
    sends = [(sent.replace(LONG, b"\r\nRoute: <"), flow) for sent, flow, _ in core.outbox.sends]
    states = [(call.uid, call.state, call.is_acked, call.facts.release_side, call.flow) for call in core.calls.live()]
    ended = [told(facts) for facts in core.outbox.ended]
    out = core.outbox
    return sends, counters, states, ended, out.facts, out.asks, out.resolves, core.transactions, core.absorbed


STRICT = "\n[header_rules.odd]\nstrip = ['X-*']\n"
ADDING = "\n[header_rules.odd]\nadd = [{ name = 'X-A', value = 'b', into = ['responses', 'BYE', 'ACK'] }]\n"
POLICIES = {
    "plain": POLICY,
    "large by TCP": policy(large_requests='"tcp"'),
    "causes told": policy(boundary='{ reason = "q850" }'),
    "topology hidden": policy(boundary="{ hide_topology = true }"),
    "headers taken off": policy(boundary='{ headers_to = "odd", headers_from = "odd" }') + STRICT,
    "headers added": policy(boundary='{ headers_to = "odd", headers_from = "odd" }') + ADDING,
    "numbers not judged": POLICY + "\n[numbers]\nnormalise = false\n",
    "behind a translator": POLICY.replace('account = "acme"', 'account = "acme"\nnat = "always"'),
    "overload control": policy(overload_control='"loss"'),
}
"""What may be asked of everything that crosses."""


def datagram(
    call: Established, method: str, from_caller: bool, uri: str, odd: list[tuple[str, str]], order: Random
) -> bytes:
    """A request inside the call with these oddities, its lines in this order."""
    lines = lines_of(call, method, from_caller)
    via = f"{call.caller.source[0] if from_caller else '198.51.100.1'}:5060"
    for name, text in odd:
        lines[name] = written(text, call, via)
    shuffled = [line for line in lines.values() if line]
    order.shuffle(shuffled)
    return "\r\n".join([f"{method} {uri} SIP/2.0", *shuffled, "", ""]).encode()
