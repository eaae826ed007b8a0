"""RFC 3263 with a real name server on loopback: NAPTR, SRV, addresses, TTLs, and a name server that goes away."""

import asyncio

import pytest
import uvloop
from name_server import NameServer

from edge.sip.locating import Address, Target
from edge.transport import name_servers
from edge.transport import resolver as room
from edge.transport.resolver import Resolver

V4 = frozenset({("udp", False), ("tcp", False), ("tls", False)})
ALL = V4 | {("udp", True), ("tcp", True)}
NOTHING_UP = "127.0.0.1:9"

ZONE = """
@ IN NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp.carrier.example.
@ IN NAPTR 20 10 "s" "SIP+D2U" "" _sip._udp.carrier.example.
_sips._tcp IN SRV 1 0 5061 one
_sip._udp 30 IN SRV 1 10 5070 one
_sip._udp 30 IN SRV 1 90 5080 two
_sip._udp 30 IN SRV 2 0 5090 one
_sip._tcp.closed IN SRV 0 0 0 .
one 20 IN A 192.0.2.1
one 20 IN AAAA 2001:db8::1
two 20 IN A 192.0.2.2
two 20 IN A 192.0.2.3
alias IN CNAME one
brief 1 IN A 192.0.2.9
"""


@pytest.fixture(scope="module")
def event_loop_policy() -> uvloop.EventLoopPolicy:
    """The loop of the edge: its transports are its own."""
    return uvloop.EventLoopPolicy()


class Clock:
    """Moves by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    server = NameServer(tmp_path_factory.mktemp("nsd"), ZONE)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def _impatient(monkeypatch) -> None:
    """Name servers that are away are waited for as long as a test may wait."""
    monkeypatch.setattr(name_servers, "QUERY_S", 0.2)
    monkeypatch.setattr(name_servers, "LIFETIME_S", 0.4)


def resolver(server: NameServer, clock: Clock, paths=V4, draw: float = 0.0) -> Resolver:
    return Resolver(paths, [server.address], draw=lambda: draw, now=clock)


TWO = [("udp", "192.0.2.2", 5080), ("udp", "192.0.2.3", 5080)]
CASES = [
    (Target("carrier.example"), V4, 0.0, [("tls", "192.0.2.1", 5061)]),
    (
        Target("Carrier.Example", None, "udp"),
        V4,
        0.0,
        [
            ("udp", "192.0.2.1", 5070),
            ("udp", "192.0.2.2", 5080),
            ("udp", "192.0.2.3", 5080),
            ("udp", "192.0.2.1", 5090),
        ],
    ),
    (
        Target("carrier.example"),
        frozenset({("udp", False)}),
        0.5,
        [
            ("udp", "192.0.2.2", 5080),
            ("udp", "192.0.2.3", 5080),
            ("udp", "192.0.2.1", 5070),
            ("udp", "192.0.2.1", 5090),
        ],
    ),
    (Target("one.carrier.example", 5060), ALL, 0.0, [("udp", "192.0.2.1", 5060), ("udp", "2001:db8::1", 5060)]),
    (
        Target("one.carrier.example", 5060, "tcp", False, True),
        ALL,
        0.0,
        [("tcp", "2001:db8::1", 5060), ("tcp", "192.0.2.1", 5060)],
    ),
    (Target("alias.carrier.example", 5060), V4, 0.0, [("udp", "192.0.2.1", 5060)]),
    (Target("closed.carrier.example", None, "tcp"), V4, 0.0, []),
    (Target("nowhere.carrier.example"), V4, 0.0, []),
    (Target("x" * 300 + ".example", 5060), V4, 0.0, []),
    (Target("a..b", 5060), V4, 0.0, []),
    (Target("192.0.2.77", 5060), V4, 0.0, [("udp", "192.0.2.77", 5060)]),
]


@pytest.mark.parametrize(("target", "paths", "draw", "found"), CASES, ids=range(len(CASES)))
async def test_where_names_lead(shared, clock, target, paths, draw, found) -> None:
    """Asked and then known: from the cache the same answer at once."""
    names = resolver(shared, clock, paths, draw)
    addresses = await names.addresses(target)
    assert [one[:2] for one in found] == [one[:2] for one in _ordered(addresses, found)]
    assert sorted(Address(*one) for one in found) == sorted(addresses)
    assert sorted(addresses) == sorted(names.known(target))


def _ordered(addresses, found):
    """Addresses of one server come in any order; servers do not."""
    return sorted(addresses, key=lambda one: [one[2] for one in found].index(one[2])) if found else addresses


async def test_the_time_to_live_is_kept(shared, clock) -> None:
    """Each answer for its own time, and no longer; nothing is asked twice within it."""
    names = resolver(shared, clock)
    target = Target("brief.carrier.example", 5060)
    assert names.known(target) is None
    await names.addresses(target)
    assert (names.queries, names.known(target)) == (1, (Address("udp", "192.0.2.9", 5060),))
    clock.now += 0.9
    await names.addresses(target)
    assert names.queries == 1
    clock.now += 0.2
    assert names.known(target) is None
    await names.addresses(target)
    assert names.queries == 2


async def test_that_there_is_none_is_kept_too(shared, clock) -> None:
    """RFC 2308: for as long as the zone's SOA says, five seconds here; both for no such name and for no such record."""
    names = resolver(shared, clock)
    for name in ("nowhere.carrier.example", "_sip._udp.carrier.example"):
        target = Target(name, 5060)
        assert await names.addresses(target) == ()
        asked = names.queries
        clock.now += 4.9
        assert (await names.addresses(target), names.queries) == ((), asked)
        clock.now += 0.2
        assert (await names.addresses(target), names.queries) == ((), asked + 1)


async def test_many_who_ask_at_once_ask_once(shared, clock) -> None:
    """The same question on its way is shared."""
    names = resolver(shared, clock)
    target = Target("one.carrier.example", 5060)
    answers = await asyncio.gather(*[names.addresses(target) for _ in range(50)])
    assert (set(answers), names.queries) == ({(Address("udp", "192.0.2.1", 5060),)}, 1)


@pytest.mark.usefixtures("_impatient")
async def test_a_change_in_the_zone_is_seen_and_a_dead_name_server_survived(tmp_path, clock) -> None:
    """After its time the new address; while nobody answers, the last one known, for an hour at most (RFC 8767)."""
    server = NameServer(tmp_path, "trunk 10 IN A 192.0.2.1\n")
    names = resolver(server, clock)
    target = Target("trunk.carrier.example", 5060)
    old, new = (Address("udp", "192.0.2.1", 5060),), (Address("udp", "192.0.2.2", 5060),)
    try:
        server.start()
        assert await names.addresses(target) == old
        server.stop()
        server.write("trunk 10 IN A 192.0.2.2\n")
        server.start()
        assert await names.addresses(target) == old
        clock.now += 10.1
        assert await names.addresses(target) == new
        server.stop()
        clock.now += 10.1
        assert (await names.addresses(target), names.failures, names.stale_used) == (new, 1, 1)
        assert names.known(target) == new  # for a moment nobody is asked again
        clock.now += room.STALE_S + 1
        assert await names.addresses(target) == ()
    finally:
        server.stop()


@pytest.mark.usefixtures("_impatient")
async def test_no_name_server_at_all_is_bounded_and_forgotten_soon(clock) -> None:
    """Nobody answers: no address, no exception; two seconds later it is asked again."""
    names = Resolver(V4, [NOTHING_UP], now=clock)
    target = Target("trunk.example", 5060)
    assert (await names.addresses(target), names.failures) == ((), 1)
    assert names.known(target) == ()
    assert (await names.addresses(Target("other.example")), names.queries) == ((), 1)
    clock.now += room.FAILURE_S
    assert names.known(target) is None


async def test_the_file_of_hosts_comes_first(tmp_path, clock) -> None:
    """As everywhere on the system; comments, aliases and both families."""
    hosts = tmp_path / "hosts"
    hosts.write_text("192.0.2.5 trunk.example Trunk2 # x\n2001:db8::5\ttrunk.example\n# 192.0.2.6 other\n")
    names = Resolver(ALL, [NOTHING_UP], now=clock, hosts=hosts)
    assert names.known(Target("TRUNK.example", 5060)) == (
        Address("udp", "192.0.2.5", 5060),
        Address("udp", "2001:db8::5", 5060),
    )
    assert names.known(Target("trunk2", 5060)) == (Address("udp", "192.0.2.5", 5060),)
    assert names.known(Target("other", 5060)) is None


async def test_what_is_kept_is_bounded(shared, clock, monkeypatch) -> None:
    """Names come from outside."""
    monkeypatch.setattr(room, "CACHE_SIZE", 5)
    names = resolver(shared, clock)
    for number in range(30):
        await names.addresses(Target(f"n{number}.carrier.example", 5060))
    assert len(names._cache) <= 5
