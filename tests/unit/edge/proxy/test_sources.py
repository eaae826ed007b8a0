"""Budgets of each source: neighbours have large ones and are never banned; strangers have small ones and may be."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from network import POLICY

from edge.config.parsing import parse_policy
from edge.config.snapshot import PolicySnapshot
from edge.proxy.actions import Outbox
from edge.proxy.bans import MAX_BANS
from edge.proxy.facts import Counters
from edge.proxy.listeners import Listener, Listeners
from edge.proxy.sources import MAX_PROVED, MAX_SOURCES, MAX_STRANGERS_BYTES, SourceBudgets, source_of

CALLER, TRUNK, STRANGER = "192.0.2.1", "198.51.100.1", "203.0.113.9"
REQUEST = b"OPTIONS sip:x@192.0.2.10 SIP/2.0\r\n\r\n"
RESPONSE = b"SIP/2.0 200 OK\r\n\r\n"
TERMS = """
[strangers]
packets_per_s = 10
requests_per_s = 4
total_per_s = 100
ban_after = 20
ban_s = 10
ban_most_s = 100
"""


def sources(policy: str = POLICY + TERMS, listeners: int = 1) -> SourceBudgets:
    bound = Listeners(
        [
            Listener(f"udp:192.0.2.10:{5060 + n}", b"UDP", "192.0.2.10", 5060 + n, "192.0.2.10", 5060 + n)
            for n in range(listeners)
        ]
    )
    return SourceBudgets(Counters(), bound, Outbox(), PolicySnapshot(parse_policy(policy)))


def passed(room: SourceBudgets, host: str, data: bytes, count: int, now: float = 100.0) -> int:
    return sum([room.passes(0, host, data, now) for _ in range(count)])


def drops(room: SourceBudgets) -> dict[str, int]:
    return room._counters.drops


def facts(room: SourceBudgets) -> list[tuple[str, dict[str, object]]]:
    return [(fact.name, dict(fact.fields)) for fact in room._outbox.facts]


@pytest.mark.parametrize(("data", "most"), [(RESPONSE, 10), (REQUEST, 4)])
def test_a_stranger_has_a_small_budget(data, most):
    """A second of it at once, then so many a second; the rest is counted and not read."""
    room = sources()

    assert passed(room, STRANGER, data, most + 5) == most
    assert passed(room, STRANGER, data, 5, now=100.5) == most // 2
    assert drops(room) == {"stranger_budget": 10 - most // 2}
    assert facts(room) == []


def test_strangers_share_a_budget_that_invented_addresses_cannot_multiply():
    """A thousand addresses with a datagram each cost no more than the common budget; neighbours are not in it."""
    room = sources()

    heard = sum([room.passes(0, f"203.0.{n // 250}.{n % 250}", RESPONSE, 100.0) for n in range(1_000)])

    assert heard == 100
    assert drops(room) == {"strangers_budget": 900}
    assert len(room.bans) == 0
    assert passed(room, CALLER, REQUEST, 500) == 500


def test_strangers_get_less_while_the_edge_is_overloaded():
    """A tenth, until it is over."""
    room = sources()
    room.tighten(True)
    assert sum([room.passes(0, f"203.0.113.{n}", RESPONSE, 100.0) for n in range(100)]) == 10
    room.tighten(False)
    assert sum([room.passes(0, f"203.0.113.{n}", RESPONSE, 102.0) for n in range(200)]) == 100


def test_a_stranger_over_its_budget_for_long_is_banned_longer_each_time():
    """10 s, then four times as long, up to the most that policy has; each ban ends by itself."""
    room = sources()
    now = 100.0
    for times, seconds in ((1, 10.0), (2, 40.0), (3, 100.0), (4, 100.0)):
        room._outbox.facts.clear()
        assert passed(room, STRANGER, REQUEST, 24, now) == 4
        assert facts(room) == [
            ("source.banned", {"source": STRANGER, "why": "packets", "seconds": seconds, "times": times})
        ]
        assert not room.passes(0, STRANGER, REQUEST, now + seconds - 0.01)
        now += seconds + 0.01
    assert room.banned_networks() == [ip_network(STRANGER)]
    room._outbox.facts.clear()
    room.end_bans(now)
    assert facts(room) == [("source.heard_again", {"source": STRANGER})]
    assert room.passes(0, STRANGER, REQUEST, now)


def test_after_an_hour_a_ban_is_a_first_one_again():
    """Addresses change hands."""
    room = sources()
    passed(room, STRANGER, REQUEST, 24, 100.0)
    passed(room, STRANGER, REQUEST, 24, 100.0 + 3_601)

    assert [ban.times for ban in room.bans.all()] == [1]


def test_now_and_then_over_the_budget_is_no_reason_for_a_ban():
    """What counts is how often within 10 s."""
    room = sources()
    for second in range(0, 600, 11):
        passed(room, STRANGER, REQUEST, 4 + 19, 100.0 + second)

    assert len(room.bans) == 0


def test_nobody_can_get_a_neighbour_banned():
    """A million forged datagrams with a trunk's address: dropped where over its budget, never a ban, told once a
    second. The same for one that has proved itself."""
    policy = POLICY.replace('id = "acme-pbx"', 'id = "acme-pbx"\npackets_per_s = 50') + TERMS
    room = sources(policy)
    room.passes(0, STRANGER, RESPONSE, 100.0)
    room.prove(STRANGER)
    scan = b"OPTIONS sip:x SIP/2.0\r\nUser-Agent: friendly-scanner\r\n\r\n"

    assert passed(room, CALLER, REQUEST, 10_000) == 50
    assert passed(room, TRUNK, scan, 1_000) == 1_000
    assert passed(room, STRANGER, scan, 1_000) == 1_000

    assert len(room.bans) == 0
    assert drops(room) == {"neighbour_budget": 9_950}
    assert facts(room) == [("source.over_budget", {"source": CALLER, "what": "packets"})]
    assert room.passes(0, CALLER, REQUEST, 101.0)


def test_new_calls_of_a_neighbour_have_a_budget_of_their_own():
    """Asked once an INVITE: what is over it is answered, not dropped."""
    room = sources(POLICY.replace('id = "acme-pbx"', 'id = "acme-pbx"\nrequests_per_s = 5') + TERMS)
    passed(room, CALLER, REQUEST, 1)

    assert [room.may_ask(0, CALLER, 100.0) for _ in range(7)] == [True] * 5 + [False] * 2
    assert facts(room) == [("source.over_budget", {"source": CALLER, "what": "requests"})]
    assert room.may_ask(0, CALLER, 101.0)


@pytest.mark.parametrize(
    "line",
    [
        b"User-Agent: friendly-scanner",
        b"user-agent:  FRIENDLY-SCANNER v2",
        b"User-Agent : pplsip",
        b'From: "sipvicious"<sip:100@1.1.1.1>;tag=1',
        b'f:"sipvicious"<sip:100@1.1.1.1>;tag=1',
    ],
)
def test_the_mark_of_a_scanner_is_dropped_and_three_of_them_are_a_ban(line):
    """Without an answer, whatever else stands in the message."""
    room = sources()
    data = b"OPTIONS sip:100@192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP 1.1.1.1\r\n" + line + b"\r\n\r\n"

    assert passed(room, STRANGER, data, 4) == 0
    assert drops(room) == {"scanner": 3, "banned": 1}
    assert [(ban.why, ban.times) for ban in room.bans.all()] == [("scanner", 1)]


@pytest.mark.parametrize(
    "line", [b"Subject: friendly-scanner", b'From: "Miss sipvicious" <sip:x@y>', b"X: y User-Agent: pplsip"]
)
def test_the_word_elsewhere_is_no_mark(line):
    """Names of people and subjects are nobody's affair."""
    assert passed(sources(), STRANGER, b"OPTIONS sip:x SIP/2.0\r\n" + line + b"\r\n\r\n", 1) == 1


def test_policy_may_have_its_own_marks_or_none_and_ban_nobody():
    """Data, in the document."""
    scan = b"OPTIONS sip:x SIP/2.0\r\nUser-Agent: pplsip\r\n\r\n"

    assert passed(sources(POLICY + "[strangers]\nscanners = []"), STRANGER, scan, 2) == 2
    assert passed(sources(POLICY + '[strangers]\nscanners = ["acme probe"]'), STRANGER, scan, 2) == 2
    lenient = sources(POLICY + "[strangers]\nban_after = 0")
    assert passed(lenient, STRANGER, scan, 1_000) == 0
    assert len(lenient.bans) == 0


def test_a_long_datagram_of_a_stranger_is_not_looked_at():
    """A neighbour's is."""
    room = sources()
    data = REQUEST + b"x" * MAX_STRANGERS_BYTES

    assert not room.passes(0, STRANGER, data, 100.0)
    assert room.passes(0, CALLER, data, 100.0)
    assert drops(room) == {"oversize": 1}


def test_a_trunk_of_one_listener_is_a_stranger_at_another():
    """As policy has it; a ban there does not touch what it sends here."""
    policy = POLICY.replace('id = "acme-pbx"', 'id = "acme-pbx"\nlistener = "udp:192.0.2.10:5060"') + TERMS
    room = sources(policy, listeners=2)

    assert sum([room.passes(1, CALLER, REQUEST, 100.0) for _ in range(24)]) == 4
    assert [ban.source for ban in room.bans.all()] == [CALLER]
    assert passed(room, CALLER, REQUEST, 100) == 100


def test_whoever_needs_a_password_is_a_stranger_until_it_was_right():
    """A trunk with `digest` and any address would else make everybody a neighbour."""
    policy = POLICY + TERMS + '[[ingress]]\nid = "phones"\nsources = ["0.0.0.0/0"]\ndigest = true\n'
    policy += '[[credentials]]\nid = "a"\naccount = "acme"\nsha256 = "' + 64 * "0" + '"\n'
    room = sources(policy)
    assert passed(room, STRANGER, REQUEST, 10) == 4
    room.prove(STRANGER)

    assert passed(room, STRANGER, REQUEST, 100) == 100
    assert room.is_known(0, STRANGER)
    assert room.proved == (STRANGER,)
    assert (room.take_known_changed(), room.take_known_changed()) == (True, False)
    assert ip_network(STRANGER) in room.networks(0)
    assert ip_network("0.0.0.0/0") not in room.networks(0)


def test_proof_ends_a_ban():
    """It was meant for somebody who forged this address."""
    room = sources()
    passed(room, STRANGER, REQUEST, 24)
    room.prove(STRANGER)

    assert room.passes(0, STRANGER, REQUEST, 100.0)
    assert room.bans.all() == ()


def test_another_policy_judges_anew():
    """Who was a stranger may be a trunk now."""
    room = sources()
    passed(room, STRANGER, REQUEST, 24)
    added = POLICY.replace('"192.0.2.1/32"', f'"192.0.2.1/32", "{STRANGER}/32"')
    room.adopt(PolicySnapshot(parse_policy(added)))

    assert passed(room, STRANGER, REQUEST, 100) == 100
    assert room.bans.take_changed()


def test_an_ipv6_customer_is_one_source():
    """All addresses of a /64 share a budget and a ban; a trunk's own address keeps its own."""
    room = sources()

    assert sum([room.passes(0, f"2001:db8:7::{n:x}", REQUEST, 100.0) for n in range(1, 30)]) == 4
    assert [ban.source for ban in room.bans.all()] == ["2001:db8:7::/64"]
    assert room.passes(0, "2001:db8:8::1", REQUEST, 100.0)
    assert room.passes(0, "2001:db8::1", REQUEST, 100.0)


@pytest.mark.parametrize(
    ("host", "source"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
    ],
)
def test_whom_a_budget_belongs_to(host, source):
    """An IPv4 address in IPv6 clothes is that address."""
    assert source_of(host) == source


def test_what_is_kept_is_bounded():
    """Whoever invents addresses fills no memory."""
    room = sources(POLICY + "[strangers]\ntotal_per_s = 1000000\nban_after = 1\npackets_per_s = 1\n")
    base = int(ip_address("11.0.0.0"))
    for number in range(MAX_SOURCES + 500):
        host = str(ip_address(base + number))
        room.passes(0, host, REQUEST, 100.0)
        room.passes(0, host, REQUEST, 100.0)
    for number in range(MAX_PROVED + 5):
        room.prove(str(ip_address(base + number)))

    assert len(room._strangers) <= MAX_SOURCES
    assert len(room.bans) <= MAX_BANS
    assert len(room.proved) == MAX_PROVED


@given(st.lists(st.tuples(st.sampled_from([REQUEST, RESPONSE]), st.floats(0, 0.3)), max_size=200))
def test_no_stranger_gets_more_than_its_rate(steps):
    """In any window, whatever the pattern: what passed ≤ the burst and the rate times the window."""
    room, now, heard = sources(POLICY + TERMS.replace("ban_after = 20", "ban_after = 0")), 100.0, []
    for data, pause in steps:
        now += pause
        if room.passes(0, STRANGER, data, now):
            heard.append(now)
    for index, first in enumerate(heard):
        for count, last in enumerate(heard[index:], 1):
            assert count <= 10 + 10 * (last - first) + 1e-6
