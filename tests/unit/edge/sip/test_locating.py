"""RFC 3263: from the host of a URI to the addresses to try, against a DNS that is a table."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.sip.locating import (
    MAX_ADDRESSES,
    MAX_SERVERS,
    Address,
    Naptr,
    Question,
    Srv,
    Target,
    locate,
    order_servers,
)

ALL = frozenset({("udp", False), ("tcp", False), ("tls", False), ("udp", True), ("tcp", True), ("tls", True)})
V4 = frozenset({("udp", False), ("tcp", False), ("tls", False)})
UDP = frozenset({("udp", False)})

ZONE = {
    ("carrier.example", "NAPTR"): [
        Naptr(50, 50, "s", "SIPS+D2T", "_sips._tcp.carrier.example"),
        Naptr(90, 50, "s", "sip+d2t", "_sip._tcp.carrier.example"),
        Naptr(90, 60, "S", "SIP+D2U", "_sip._udp.carrier.example"),
        Naptr(10, 10, "s", "SIP+D2S", "_sip._sctp.carrier.example"),
        Naptr(10, 10, "u", "E2U+sip", ""),
    ],
    ("_sips._tcp.carrier.example", "SRV"): [Srv(1, 0, 5061, "one.carrier.example")],
    ("_sip._tcp.carrier.example", "SRV"): [Srv(1, 0, 5070, "one.carrier.example")],
    ("_sip._udp.carrier.example", "SRV"): [
        Srv(20, 0, 5082, "two.carrier.example"),
        Srv(10, 0, 5081, "one.carrier.example"),
    ],
    ("one.carrier.example", "A"): ["192.0.2.1"],
    ("one.carrier.example", "AAAA"): ["2001:db8::1"],
    ("two.carrier.example", "A"): ["192.0.2.2", "192.0.2.3"],
    ("_sip._udp.srv.example", "SRV"): [Srv(1, 1, 5090, "one.carrier.example")],
    ("_sip._tcp.tcp.example", "SRV"): [Srv(1, 1, 5091, "one.carrier.example")],
    ("_sips._tcp.tls.example", "SRV"): [Srv(1, 1, 5092, "one.carrier.example")],
    ("plain.example", "A"): ["192.0.2.9"],
    ("_sip._udp.closed.example", "SRV"): [Srv(0, 0, 0, "")],
    ("closed.example", "A"): ["192.0.2.66"],
    ("naptr.example", "NAPTR"): [Naptr(1, 1, "s", "SIP+D2U", "_sip._udp.nowhere.example")],
    ("naptr.example", "A"): ["192.0.2.10"],
}


def ask(target, paths=V4, zone=ZONE, draw=0.0):
    """(addresses, questions) of one dialogue."""
    dialogue = locate(target, paths, lambda: draw)
    asked = []
    try:
        question = next(dialogue)
        while True:
            asked.append(question)
            question = dialogue.send(zone.get(question, []))
    except StopIteration as end:
        return end.value, asked


CASES = [
    ("a numeric host asks nobody", Target("192.0.2.7"), V4, [("udp", "192.0.2.7", 5060)], 0),
    ("nor with TLS", Target("192.0.2.7", None, "", True), V4, [("tls", "192.0.2.7", 5061)], 0),
    ("a numeric IPv6 host", Target("2001:db8::7", 5070, "tcp"), ALL, [("tcp", "2001:db8::7", 5070)], 0),
    ("of a family we do not speak", Target("2001:db8::7"), V4, [], 0),
    ("a port: addresses only, UDP", Target("plain.example", 5070), V4, [("udp", "192.0.2.9", 5070)], 1),
    ("a port and SIPS", Target("plain.example", 5071, "", True), V4, [("tls", "192.0.2.9", 5071)], 1),
    ("NAPTR: the first we speak", Target("carrier.example"), V4, [("tls", "192.0.2.1", 5061)], 3),
    (
        "NAPTR: UDP is all we speak",
        Target("carrier.example"),
        UDP,
        [("udp", "192.0.2.1", 5081), ("udp", "192.0.2.2", 5082), ("udp", "192.0.2.3", 5082)],
        4,
    ),
    ("SIPS: no other service counts", Target("carrier.example", None, "", True), V4, [("tls", "192.0.2.1", 5061)], 3),
    ("SIPS where we speak no TLS", Target("carrier.example", None, "", True), UDP, [], 0),
    ("SIPS and UDP contradict", Target("carrier.example", None, "udp", True), V4, [], 0),
    ("a transport: SRV at once", Target("carrier.example", None, "tcp"), V4, [("tcp", "192.0.2.1", 5070)], 2),
    ("no NAPTR: SRV of UDP first", Target("srv.example"), V4, [("udp", "192.0.2.1", 5090)], 3),
    ("no NAPTR: then of TCP", Target("tcp.example"), V4, [("tcp", "192.0.2.1", 5091)], 4),
    ("no NAPTR: then of TLS", Target("tls.example"), V4, [("tls", "192.0.2.1", 5092)], 5),
    ("neither: the host itself, UDP", Target("plain.example"), V4, [("udp", "192.0.2.9", 5060)], 5),
    ("neither, SIPS", Target("plain.example", None, "", True), V4, [("tls", "192.0.2.9", 5061)], 3),
    ("a transport without SRV", Target("plain.example", None, "tls"), V4, [("tls", "192.0.2.9", 5061)], 2),
    ("decidedly not offered", Target("closed.example", None, "udp"), V4, [], 1),
    ("NAPTR that leads to no SRV", Target("naptr.example"), V4, [("udp", "192.0.2.10", 5060)], 3),
    ("a name that does not exist", Target("nowhere.example"), V4, [], 5),
    ("a transport nobody speaks", Target("plain.example", 5060, "sctp"), V4, [], 0),
]


@pytest.mark.parametrize(
    ("target", "paths", "found", "questions"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_where_a_target_leads(target, paths, found, questions):
    """§4.1 and §4.2, row by row: the addresses in order, and not one question too many."""
    addresses, asked = ask(target, paths)
    assert [Address(*address) for address in found] == list(addresses)
    assert questions == len(asked)


def test_the_family_that_is_preferred_comes_first():
    """Both are there: a call stays in its family where it can."""
    six, four = ("tcp", "2001:db8::1", 5070), ("tcp", "192.0.2.1", 5070)
    assert (four, six) == ask(Target("carrier.example", None, "tcp"), ALL)[0]
    assert (six, four) == ask(Target("carrier.example", None, "tcp", False, True), ALL)[0]


def test_the_order_of_weights_is_that_of_rfc_2782():
    """One draw after another; without weight the chance is very small, and not none."""
    light, heavy, zero = Srv(1, 1, 1, "light"), Srv(1, 3, 2, "heavy"), Srv(1, 0, 3, "zero")
    firsts = Counter(order_servers([light, heavy, zero], lambda d=d: d / 5 + 0.01)[0].target for d in range(5))
    assert Counter({"zero": 1, "light": 1, "heavy": 3}) == firsts
    assert [zero, heavy, light] == order_servers([heavy, light, zero], lambda: 0.0)


@given(
    records=st.lists(
        st.builds(Srv, st.integers(0, 3), st.integers(0, 65535), st.just(5060), st.text(max_size=4)), max_size=9
    ),
    draws=st.lists(st.floats(0, 1, exclude_max=True), min_size=9, max_size=9),
)
def test_every_server_is_tried_once(records, draws):
    """Whatever is drawn; a lower priority always first."""
    ordered = order_servers(records, iter(draws).__next__)
    assert sorted(records) == sorted(ordered)
    assert [one.priority for one in ordered] == sorted(one.priority for one in records)


def test_a_large_set_is_cut():
    """A name server's word must not keep a caller waiting for ever."""
    zone = {("_sip._udp.big.example", "SRV"): [Srv(1, 0, 5060, f"s{n}.example") for n in range(200)]}
    zone |= {(f"s{n}.example", "A"): [f"10.0.{n}.{m}" for m in range(100)] for n in range(200)}
    addresses, asked = ask(Target("big.example", None, "udp"), V4, zone)
    assert (MAX_ADDRESSES, True) == (len(addresses), len(asked) <= 1 + MAX_SERVERS)


@given(
    answers=st.lists(
        st.lists(
            st.one_of(
                st.builds(Naptr, st.integers(0, 9), st.integers(0, 9), st.sampled_from(["s", "S", "u", ""]),
                          st.sampled_from(["SIP+D2U", "SIP+D2T", "SIPS+D2T", "x"]), st.text(max_size=5)),
                st.builds(Srv, st.integers(0, 9), st.integers(0, 9), st.integers(-1, 70000), st.text(max_size=5)),
                st.text(max_size=12),
            ),
            max_size=40,
        ),
        max_size=60,
    ),
    transport=st.sampled_from(["", "udp", "tcp", "tls", "sctp"]),
    secure=st.booleans(),
)  # fmt: skip
def test_no_answer_of_the_dns_breaks_it(answers, transport, secure):
    """Records of the wrong kind, empty names, absurd numbers: an end always, and bounded."""
    dialogue = locate(Target("h.example", None, transport, secure), ALL, lambda: 0.5)
    replies = iter(answers)
    steps = 0
    found: tuple[Address, ...] = ()
    try:
        question = next(dialogue)
        while True:
            assert isinstance(question, Question)
            steps += 1
            question = dialogue.send(next(replies, []))
    except StopIteration as end:
        found = end.value
    assert len(found) <= MAX_ADDRESSES
    assert steps <= 40
