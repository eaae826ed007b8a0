"""Route preprocessing (§16.4), loop detection (§16.3 item 4, RFC 5393) and the copy that leaves (§16.6)."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from network import Caller, Wire

from edge.proxy.forwarding import (
    Hop,
    Preprocessed,
    add_hop,
    hop_of,
    is_looped,
    next_hop,
    preprocess,
    put_hop,
    record_route,
    reply_flow,
    stamp_top_via,
    with_number,
)
from edge.proxy.identifiers import Identifiers, loop_part
from edge.proxy.listeners import Listener, Listeners
from edge.sip.errors import FieldError, LocalError
from edge.sip.flow import Flow
from edge.sip.message import parse

LISTENERS = Listeners(
    [
        Listener("a", b"UDP", "192.0.2.10", 5060, "edge.example", 5060),
        Listener("b", b"UDP", "2001:db8::10", 5062, "2001:db8::10", 5062),
    ]
)
THREE = Listeners([*LISTENERS.all, Listener("c", b"TCP", "192.0.2.10", 5060, "edge.example", 5060)])
IDENTIFIERS = Identifiers(secret=b"0123456789abcdef", fresh=lambda: b"fresh")
CALL_ID = b"c@h"
TOKEN = IDENTIFIERS.token("a" * 32, CALL_ID)
OTHER = IDENTIFIERS.token("b" * 32, CALL_ID)
OURS = "<sip:" + TOKEN.decode() + "@edge.example;lr>"
OURS_OUT = "<sip:" + TOKEN.decode() + "@[2001:DB8:0::10]:5062;lr>"


def request(uri="sip:bob@far.example", *lines, method="INVITE", via="SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"):
    head = [f"{method} {uri} SIP/2.0", f"Via: {via}", *lines]
    head += ["From: <sip:a@h>;tag=1", "To: <sip:b@h>", "Call-ID: c@h", f"CSeq: 1 {method}", "", ""]
    return parse("\r\n".join(head).encode())


# -- where a request came from ----------------------------------------------------------------------------------------

STAMPS = [
    ("SIP/2.0/UDP 192.0.2.1:5066;branch=z9hG4bK1", "SIP/2.0/UDP 192.0.2.1:5066;branch=z9hG4bK1", 5066),
    ("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1", 5060),
    ("SIP/2.0/UDP pc.example;branch=z9hG4bK1", "SIP/2.0/UDP pc.example;branch=z9hG4bK1;received=192.0.2.1", 5060),
    ("SIP/2.0/UDP 10.0.0.1:99;branch=z9hG4bK1", "SIP/2.0/UDP 10.0.0.1:99;branch=z9hG4bK1;received=192.0.2.1", 99),
    (
        "SIP/2.0/UDP 10.0.0.1:99;rport;branch=z9hG4bK1",
        "SIP/2.0/UDP 10.0.0.1:99;rport=7777;branch=z9hG4bK1;received=192.0.2.1",
        7777,
    ),
    (
        "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1;maddr=203.0.113.99",
        "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1;maddr=203.0.113.99;received=192.0.2.1",
        5060,
    ),
]


@pytest.mark.parametrize(("via", "stamped", "port"), STAMPS)
@pytest.mark.parametrize("more", ["", ", SIP/2.0/UDP 10.9.9.9;branch=z9hG4bK9"])
def test_received_and_rport(via, stamped, port, more):
    """§18.2.1, §18.2.2, RFC 3581: what is written into the top Via, and where the answers go. Never to a maddr."""
    flow = Flow(1, ("192.0.2.1", 7777))
    message = request(via=via + more)
    assert Flow(1, ("192.0.2.1", port)) == reply_flow(message, flow, LISTENERS)
    stamp_top_via(message, flow)
    assert [stamped.encode(), *([more[2:].encode()] if more else [])] == message.list_values(b"via")


def test_an_ipv6_sent_by_in_another_spelling_is_the_same():
    """Nothing is written (RFC 5118 §4.10)."""
    message = request(via="SIP/2.0/UDP [2001:DB8:0::1];branch=z9hG4bK1")
    stamp_top_via(message, Flow(1, ("2001:db8::1", 5060)))
    assert [b"SIP/2.0/UDP [2001:DB8:0::1];branch=z9hG4bK1"] == message.values(b"via")


# -- §16.4 -------------------------------------------------------------------------------------------------------------

ROUTES = [
    ("no route", "sip:bob@far.example", [], (None, None), "sip:bob@far.example", []),
    ("not ours", "sip:bob@h", ["<sip:other.example;lr>"], (None, None), "sip:bob@h", ["<sip:other.example;lr>"]),
    ("ours", "sip:bob@h", [OURS], (TOKEN, None), "sip:bob@h", []),
    ("ours, of another's making", "sip:bob@h", ["<sip:x.y@edge.example:5060;lr>"], (b"x.y", None), "sip:bob@h", []),
    ("ours without a user", "sip:bob@h", ["<sip:EDGE.example;lr>"], (b"", None), "sip:bob@h", []),
    ("by our bound address", "sip:bob@h", ["<sip:192.0.2.10;lr>"], (b"", None), "sip:bob@h", []),
    (
        "another port",
        "sip:b@h",
        ["<sip:edge.example:5070;lr>"],
        (None, None),
        "sip:b@h",
        ["<sip:edge.example:5070;lr>"],
    ),
    (
        "ours and the next",
        "sip:b@h",
        [OURS, "<sip:n;lr>, <sip:m;lr>"],
        (TOKEN, None),
        "sip:b@h",
        ["<sip:n;lr>", "<sip:m;lr>"],
    ),
    ("joined by commas", "sip:b@h", [OURS + " ,<sip:n;lr>"], (TOKEN, None), "sip:b@h", ["<sip:n;lr>"]),
    ("two of ours", "sip:b@h", [OURS, OURS_OUT, "<sip:n;lr>"], (TOKEN, 1), "sip:b@h", ["<sip:n;lr>"]),
    ("two of ours, the other way", "sip:b@h", [OURS_OUT + "," + OURS], (TOKEN, 0), "sip:b@h", []),
    (
        "another pass of a spiral",
        "sip:b@h",
        [OURS, f"<sip:{OTHER.decode()}@edge.example;lr>"],
        (TOKEN, None),
        "sip:b@h",
        [f"<sip:{OTHER.decode()}@edge.example;lr>"],
    ),
    ("strict router", OURS[1:-1], ["<sip:n;lr>", "<sip:bob@far>"], (TOKEN, None), "sip:bob@far", ["<sip:n;lr>"]),
    ("strict router, nothing left", OURS[1:-1], ["<sip:bob@far>"], (TOKEN, None), "sip:bob@far", []),
    ("strict router, two of ours", OURS[1:-1], [OURS_OUT, "<sip:bob@far>"], (TOKEN, 1), "sip:bob@far", []),
    (
        "looks like one",
        "sip:bob@edge.example;lr",
        ["<sip:n;lr>"],
        (None, None),
        "sip:bob@edge.example;lr",
        ["<sip:n;lr>"],
    ),
    ("our value without a route", OURS[1:-1], [], (None, None), OURS[1:-1], []),
    (
        "maddr is us",
        "sip:bob@far:5070;maddr=edge.example;x=1",
        [],
        (None, None),
        "sip:bob@far:5070;maddr=edge.example;x=1",
        [],
    ),
    (
        "maddr and port are us",
        "sip:b@far:5060;maddr=192.0.2.10;transport=udp;x=1?h=1",
        [],
        (None, None),
        "sip:b@far;x=1?h=1",
        [],
    ),
    ("maddr is us, no user", "sip:far;maddr=192.0.2.10", [], (None, None), "sip:far", []),
    ("maddr, IPv6", "sip:b@[2001:db8::9]:5062;maddr=[2001:db8::10]", [], (None, None), "sip:b@[2001:db8::9]", []),
    ("maddr is another", "sip:b@far;maddr=192.0.2.99", [], (None, None), "sip:b@far;maddr=192.0.2.99", []),
    ("parameters in the user", "sip:+331;x=y@far;maddr=192.0.2.10;z", [], (None, None), "sip:+331;x=y@far;z", []),
    ("a tel URI", "tel:+33170000001;phone-context=x", [], (None, None), "tel:+33170000001;phone-context=x", []),
    ("a tel route", "sip:b@h", ["<tel:+331>"], (None, None), "sip:b@h", ["<tel:+331>"]),
]


@pytest.mark.parametrize(
    ("uri", "routes", "said", "uri_after", "left"), [r[1:] for r in ROUTES], ids=[r[0] for r in ROUTES]
)
def test_route_preprocessing(uri, routes, said, uri_after, left):
    """What our own routes said, the Request-URI and the routes that are left."""
    message = request(uri, *(f"Route: {route}" for route in routes))
    assert Preprocessed(*said) == preprocess(message, LISTENERS, IDENTIFIERS)
    assert uri_after.encode() == message.uri
    assert [value.encode() for value in left] == message.list_values(b"route")


def test_a_request_of_a_hundred_routes_of_ours_costs_no_more():
    """One pass takes off one value, or two with one token."""
    message = request("sip:b@h", "Route: " + ",".join([OURS] * 100))
    preprocess(message, LISTENERS, IDENTIFIERS)
    assert len(message.list_values(b"route")) == 98


def test_a_route_that_cannot_be_read():
    """The caller of this room answers 400."""
    with pytest.raises(FieldError):
        preprocess(request("sip:b@h", "Route: <sip:@;lr>"), LISTENERS, IDENTIFIERS)


# -- loops -------------------------------------------------------------------------------------------------------------


def _our_via(part, host="edge.example:5060"):
    return f"SIP/2.0/UDP {host};branch=z9hG4bKfresh.{part}"


def _looped(*vias, uri="sip:bob@far.example", source="192.0.2.1"):
    message = request(uri, *(f"Via: {via}" for via in vias))
    return is_looped(message, loop_part(message, source), LISTENERS)


MINE = loop_part(request(), "192.0.2.1").decode()

LOOPS = [
    ("never here", [], False),
    ("the same again", [_our_via(MINE)], True),
    ("deep below", ["SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx, " + _our_via(MINE)], True),
    ("by our other listener", [_our_via(MINE, "[2001:db8::10]:5062")], True),
    ("another Request-URI then: a spiral", [_our_via("0123456789")], False),
    ("somebody else's part", [_our_via(MINE, "other.example:5060")], False),
    ("no branch", ["SIP/2.0/UDP edge.example:5060"], False),
    ("no cookie", [f"SIP/2.0/UDP edge.example:5060;branch=x.{MINE}"], False),
    ("not to be read", ["SIP/2.0/UDP edge.example:5060;branch=<", _our_via(MINE)], True),
]


@pytest.mark.parametrize(("vias", "expected"), [row[1:] for row in LOOPS], ids=[row[0] for row in LOOPS])
def test_loops(vias, expected):
    """RFC 5393 §4.2.2."""
    assert expected is _looped(*vias)


# -- §16.6 -------------------------------------------------------------------------------------------------------------

HOPS = [
    ([], b"70", b"60"),
    (["Max-Forwards: 1"], b"0", b"60"),
    (["max-forwards:  255"], b"254", b"60"),
    (["Max-Breadth: 5"], b"70", b"5"),
    (["Max-Breadth: 60"], b"70", b"60"),
    (["Max-Breadth: 61"], b"70", b"60"),
    (["Max-Breadth: 99999999999999999999"], b"70", b"60"),
    (["Max-Breadth: many"], b"70", b"60"),
    (["Max-Breadth: 7", "Max-Breadth: 8"], b"70", b"60"),
]


@pytest.mark.parametrize(("lines", "hops", "breadth"), HOPS)
def test_hops_and_breadth(lines, hops, breadth):
    """One hop less, 70 where there was none; one Max-Breadth of at most 60 (RFC 5393 §5.3.3); our Via on top."""
    message = request("sip:b@h", *lines)
    add_hop(message, b"z9hG4bKours.x", listener=1, listeners=LISTENERS)
    again = parse(message.render())
    assert ([hops], [breadth]) == (again.values(b"max-forwards"), again.values(b"max-breadth"))
    assert again.values(b"via")[0] == b"SIP/2.0/UDP [2001:db8::10]:5062;branch=z9hG4bKours.x"


@pytest.mark.parametrize(
    ("inbound", "outbound", "expected"),
    [(0, 0, [b"<sip:t@edge.example:5060;lr>"]),
     (0, 1, [b"<sip:t@[2001:db8::10]:5062;lr>", b"<sip:t@edge.example:5060;lr>"])],
)  # fmt: skip
def test_record_route(inbound, outbound, expected):
    """One value; two where it leaves by another listener, the outer one on top (RFC 5658)."""
    message = request("sip:b@h", "Record-Route: <sip:before;lr>")
    record_route(message, b"t", inbound=inbound, outbound=outbound, listeners=LISTENERS)
    assert [*expected, b"<sip:before;lr>"] == message.list_values(b"record-route")


NEXT = [
    ("sip:b@192.0.2.9", [], Hop(b"192.0.2.9", None, b""), "sip:b@192.0.2.9", []),
    ("sip:b@h", ["<sip:n:5070;lr>"], Hop(b"n", 5070, b""), "sip:b@h", ["<sip:n:5070;lr>"]),
    ("sip:b@h", ["<sip:s>"], Hop(b"s", None, b""), "sip:s", ["<sip:b@h>"]),
    ("sip:b@h", ["<sip:s>, <sip:n;lr>"], Hop(b"s", None, b""), "sip:s", ["<sip:n;lr>", "<sip:b@h>"]),
]


@pytest.mark.parametrize(("uri", "routes", "hop", "uri_after", "left"), NEXT)
def test_the_next_hop(uri, routes, hop, uri_after, left):
    """§16.6 items 6 and 7."""
    message = request(uri, *(f"Route: {route}" for route in routes))
    assert hop == next_hop(message)
    assert (uri_after.encode(), [v.encode() for v in left]) == (message.uri, message.list_values(b"route"))


URIS = [
    (b"sip:h", Hop(b"h", None, b"")),
    (b"sip:u@[::1]:5070;transport=UDP", Hop(b"::1", 5070, b"udp")),
    (b"sip:u@h;transport=TCP", Hop(b"h", None, b"tcp")),
    (b"sips:u@h", Hop(b"h", None, b"", True)),
    (b"sips:u@h;x", Hop(b"h", None, b"", True)),
    (b"sips:u@h:5071;transport=tcp", Hop(b"h", 5071, b"tls", True)),
    (b"sips:u@h;transport=udp", Hop(b"h", None, b"udp", True)),
    (b"sip:u@h;maddr=192.0.2.7", Hop(b"192.0.2.7", None, b"")),
]


@pytest.mark.parametrize(("uri", "hop"), URIS)
def test_where_a_uri_leads(uri, hop):
    """Host, port and transport (RFC 3263 §4)."""
    assert hop == hop_of(uri)


@pytest.mark.parametrize("uri", [b"tel:+331", b"mailto:x@y", b"sip:", b"x"])
def test_a_uri_that_leads_nowhere(uri):
    """FieldError."""
    with pytest.raises(FieldError):
        hop_of(uri)


def test_a_loop_through_the_core_is_refused_at_the_third_pass():
    """A trunk that is a neighbour on both sides sends the call back as it came: the second pass is routed by that
    neighbour's rules (a spiral), the third would be routed as the second was: 482."""
    wire = Wire()
    caller = Caller(wire)
    caller.start()
    foreign = ("192.0.2.2", 5060)
    data = b""
    for turn in range(2):
        (sent,) = wire.requests_to(("198.51.100.1", 5060))
        sent.set_uri(b"sip:+33170000001@192.0.2.10:5060")
        sent.prepend(b"Via", b"SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bKturn%d" % turn)
        data = sent.render()
        wire.send(data, foreign)
    assert wire.statuses_to(foreign) == [100, 482]
    assert [facts.reason for facts in wire.ended] == ["loop"]


# -- another number ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "number", "expected"),
    [
        ("sip:0170000001@h:5060;user=phone", "+33170000001", "sip:+33170000001@h:5060;user=phone"),
        ("sip:0170000001;phone-context=+33;npdi@h", "0170000001", "sip:0170000001;npdi@h"),
        ("sips:1:secret@[2001:db8::1]", "*2#", "sips:*2%23@[2001:db8::1]"),
        ("tel:0170000001;phone-context=+33", "+33170000001", "tel:+33170000001"),
        ("TEL:+33170000001;npdi", "0170000001", "TEL:0170000001;npdi"),
    ],
)
def test_another_number_in_the_same_uri(uri, number, expected):
    """Host, parameters and scheme stay; a context of the old number goes."""
    assert with_number(uri.encode(), number) == expected.encode()


HOP_LINES = st.lists(
    st.sampled_from([
        "Via: SIP/2.0/UDP far.example;branch=z9hG4bK2",
        "v: SIP/2.0/UDP h;branch=z9hG4bK3, SIP/2.0/UDP g;branch=z9hG4bK4",
        "Record-Route: <sip:h;lr>", "Max-Breadth: 7", "Max-Breadth: 90", "max-breadth: x", "Route: <sip:h;lr>",
        "X-Account: acme", "Subject: a\r\n b",
    ]),
    max_size=4,
    unique=True,
)  # fmt: skip


@given(
    lines=HOP_LINES,
    hops=st.sampled_from([None, "70", "071", "1", "5 "]),
    place=st.integers(0, 4),
    uri=st.sampled_from(["sip:bob@far.example", "sips:bob@far.example", "SIP:bob@far.example", "tel:+331"]),
    branch=st.sampled_from([b"z9hG4bKours.x", b"z9hG4bKours.x;oc", b"", b"a b"]),
)
@pytest.mark.parametrize("ends", [(0, 0), (0, 1), (1, 1), (2, 2), (0, 2), (2, 0)])
@example(lines=["X-Account: acme"], hops="70", place=0, uri="sip:bob@far.example", branch=b"z9hG4bKours.x")
@example(lines=["Record-Route: <sip:h;lr>"], hops="70", place=0, uri="sip:bob@far.example", branch=b"z9hG4bKours.x")
@example(lines=["Max-Breadth: 7"], hops="70", place=1, uri="sip:bob@far.example", branch=b"z9hG4bKours.x")
def test_a_hop_put_in_one_go_is_the_one_put_step_by_step(ends, lines, hops, place, uri, branch):
    """Byte for byte, with the same index and the same readings, the first time and from memory."""
    if hops is not None:
        lines = [*lines[:place], f"Max-Forwards: {hops}", *lines[place:]]
    inbound, outbound = ends
    for _ in range(2):
        short, complete = request(uri, *lines), request(uri, *lines)
        record_route(complete, b"token", inbound=inbound, outbound=outbound, listeners=THREE)
        try:
            add_hop(complete, branch, listener=outbound, listeners=THREE)
        except LocalError:
            with pytest.raises(LocalError):
                put_hop(short, b"token", branch, inbound=inbound, outbound=outbound, listeners=THREE)
            continue
        put_hop(short, b"token", branch, inbound=inbound, outbound=outbound, listeners=THREE)
        assert short.render() == complete.render()
        assert (short.layout, short.via(), short.max_forwards()) == (
            complete.layout,
            complete.via(),
            complete.max_forwards(),
        )
        again = parse(short.render())
        assert (short.layout.positions, short.via()) == (again.layout.positions, again.via())


def test_nearly_every_request_takes_the_hop_in_one_go():
    """And one that has been somewhere before does not."""
    via = b"SIP/2.0/UDP edge.example:5060;branch="
    request("sip:bob@far.example", "Max-Forwards: 70").spend_hop()
    for lines, is_usual in ((["Max-Forwards: 70"], True), (["Max-Forwards: 70", "Record-Route: <sip:h;lr>"], False)):
        made = request("sip:bob@far.example", *lines)
        before = made.render()
        assert made.put_hop(b"Record-Route: <sip:t@h;lr>", via, b"z9hG4bK1", b"Max-Breadth: 60") is is_usual
        assert (made.render() != before) is is_usual
