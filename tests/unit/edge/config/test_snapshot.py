"""edge.config.snapshot"""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.parsing import parse_policy
from edge.config.refusals import Reason
from edge.config.snapshot import CACHE_LIMIT, PolicySnapshot
from limits.model import Account, AccountId, AccountStatus

TEXT = """
[[accounts]]
id = "a0..a2"
kind = "automated"
status = "suspended"
caps_base = 5
caps_lots = 1
caps_lot_size = 20
caps_burst = 7
calls_base = 3
call_lots = 2
call_lot_size = 4
refusal_profile = "quiet"
store_away = "admit"

[[accounts]]
id = "acme"

[[ingress]]
id = "wide"
sources = ["10.0.0.0/8", "2001:db8::/32"]
account = "acme"

[[ingress]]
id = "narrow"
sources = ["10.1.0.0/16"]
account = "acme"

[[ingress]]
id = "narrow-listener"
sources = ["10.1.0.0/16", "10.2.0.0/16"]
account = "acme"
listener = "udp:192.0.2.1:5060"

[[ingress]]
id = "one"
sources = ["10.1.2.3", "2001:db8::7"]
account = "a1"
trusted = true
account_header = "X-Account"
class = "international"

[[egress]]
id = "v4"
uri = "sip:198.51.100.10;transport=udp"

[[egress]]
id = "v6"
uri = "sip:[2001:db8::10]:5070"
request_uri = "keep"
silence_s = 1
setup_s = 60.5
failover_on = [500]
weight = 9

[[routes]]
id = "first"
prefixes = ["+33", "+33"]
trunks = ["v4"]

[[routes]]
id = "second"
prefixes = ["+33", ""]
trunks = ["v6", "v4"]
mode = "weighted"

[refusal_profiles.quiet]
base = "pbx"
[refusal_profiles.quiet.answers.calls]
status = 486
phrase = "Busy Here"
q850 = 17
retry_after = false
[refusal_profiles.quiet.answers.caps]
status = 500

[methods]
forbidden = ["REGISTER"]
"""


@pytest.fixture(scope="module")
def snapshot() -> PolicySnapshot:
    """A network with something of everything."""
    return PolicySnapshot(parse_policy(TEXT), generation=4)


@pytest.mark.parametrize(
    ("host", "listener", "expected"),
    [
        ("10.9.9.9", "udp:192.0.2.9:5060", "wide"),
        ("10.1.9.9", "udp:192.0.2.9:5060", "narrow"),
        ("10.1.9.9", "udp:192.0.2.1:5060", "narrow-listener"),
        ("10.2.9.9", "udp:192.0.2.9:5060", "wide"),
        ("10.2.9.9", "udp:192.0.2.1:5060", "narrow-listener"),
        ("10.1.2.3", "udp:192.0.2.1:5060", "one"),
        ("::ffff:10.1.2.3", "udp:192.0.2.1:5060", "one"),
        ("2001:db8::7", "", "one"),
        ("2001:db8::8", "", "wide"),
        ("11.0.0.0", "", None),
        ("9.255.255.255", "", None),
        ("2001:db9::", "", None),
        ("name.example", "", None),
    ],
)
def test_ingress(snapshot: PolicySnapshot, host: str, listener: str, expected: str | None) -> None:
    """The longest network wins; at the same length a trunk bound to this listener."""
    for _ in range(2):
        found = snapshot.ingress_of(host, listener)
        assert expected == (None if found is None else found.id)


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 32)), min_size=1, max_size=8), st.integers(0, 2**32 - 1))
def test_longest_network_wins(blocks: list[tuple[int, int]], address: int) -> None:
    """The index finds what a search through all networks finds."""
    networks = {ipaddress.ip_network((first << 24 | address & 0xFFFFFF, bits), strict=False) for first, bits in blocks}
    entries = "\n".join(
        f'[[ingress]]\nid = "n{index}"\nsources = ["{network}"]\naccount = "a"'
        for index, network in enumerate(sorted(networks, key=str))
    )
    snapshot = PolicySnapshot(parse_policy(f'[[accounts]]\nid = "a"\n{entries}'))
    host = ipaddress.ip_address(address)
    fitting = [network for network in sorted(networks, key=str) if host in network]
    longest = max((network.prefixlen for network in fitting), default=-1)
    found = snapshot.ingress_of(str(host), "")
    expected = next((str(network) for network in fitting if network.prefixlen == longest), None)
    names = {f"n{index}": str(network) for index, network in enumerate(sorted(networks, key=str))}
    assert expected == (None if found is None else names[found.id])


def test_caches_are_bounded(snapshot: PolicySnapshot) -> None:
    """Strangers cannot fill the memory by their addresses or numbers."""
    for number in range(CACHE_LIMIT + 5):
        snapshot.ingress_of(str(ipaddress.ip_address(number)), "")
        snapshot.category_of(f"+4470{number}")
    assert len(snapshot._source_cache) <= CACHE_LIMIT
    assert len(snapshot.book.eras[-1]._seen) <= CACHE_LIMIT


def test_accounts(snapshot: PolicySnapshot) -> None:
    """Ranges are counted out; each account has its profile as an object."""
    assert list(snapshot.accounts) == ["a0", "a1", "a2", "acme"]
    account = snapshot.accounts["a2"]
    assert (account.id, account.kind, account.refusal_profile.name, account.store_away) == (
        "a2",
        "automated",
        "quiet",
        "admit",
    )
    assert snapshot.accounts["acme"].refusal_profile is None


def test_commercial_values(snapshot: PolicySnapshot) -> None:
    """What the store is told of each account."""
    values = list(snapshot.commercial_values())
    assert values[1] == Account(
        id=AccountId("a1"),
        status=AccountStatus.SUSPENDED,
        caps_base=5,
        caps_lots=1,
        caps_lot_size=20,
        caps_burst=7,
        calls_base=3,
        call_lots=2,
        call_lot_size=4,
    )
    assert values[3] == Account(id=AccountId("acme"))


def test_ingress_trunk(snapshot: PolicySnapshot) -> None:
    """A trunk knows its account, class and header."""
    trunk = snapshot.ingress[3]
    assert trunk.account is snapshot.accounts["a1"]
    assert (trunk.ingress_class, trunk.trusted, trunk.account_header) == ("international", True, b"x-account")


def test_egress_trunks(snapshot: PolicySnapshot) -> None:
    """A trunk's URI taken apart; an IPv6 host with brackets where a URI wants them and without where a socket does."""
    v4, v6 = snapshot.trunks["v4"], snapshot.trunks["v6"]
    assert (v4.host, v4.port, v4.host_port, v4.rewrite_uri, v4.failover_on) == (
        "198.51.100.10",
        5060,
        b"198.51.100.10:5060",
        True,
        frozenset({408, 503}),
    )
    assert (v6.host, v6.port, v6.host_port, v6.rewrite_uri) == ("2001:db8::10", 5070, b"[2001:db8::10]:5070", False)
    assert (v6.silence_s, v6.setup_s, v6.failover_on, v6.weight) == (1, 60.5, frozenset({500}), 9)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        (b"sip:+33199001234@edge.example:5060", b"sip:+33199001234@[2001:db8::10]:5070"),
        (b"sip:+33199001234;npdi@edge;user=phone", b"sip:+33199001234;npdi@[2001:db8::10]:5070;user=phone"),
        (b"sip:a:secret@edge;x=1;Transport=tcp;lr;maddr=h?Subject=x", b"sip:a:secret@[2001:db8::10]:5070;x=1"),
        (b"sips:1@[::1]:5061;user=phone", b"sip:1@[2001:db8::10]:5070;user=phone"),
        (b"sip:edge.example;x=1", b"sip:[2001:db8::10]:5070;x=1"),
        (b"tel:+33-1-99-00-12-34", b"sip:+33-1-99-00-12-34@[2001:db8::10]:5070;user=phone"),
        (b"tel:3000;phone-context=+33", b"sip:3000;phone-context=+33@[2001:db8::10]:5070;user=phone"),
    ],
)
def test_request_uri(snapshot: PolicySnapshot, uri: bytes, expected: bytes) -> None:
    """The user part stays as it came, what named the old host goes (RFC 3261 §19.1.1, §19.1.6)."""
    assert expected == snapshot.trunks["v6"].request_uri(uri)


def test_routes(snapshot: PolicySnapshot) -> None:
    """Routes of one prefix stay in document order, each once."""
    assert {prefix: [route.id for route in routes] for prefix, routes in snapshot.routes.items()} == {
        "+33": ["first", "second"],
        "": ["second"],
    }
    assert snapshot.route_lengths == (3, 0)
    assert [trunk.id for trunk in snapshot.routes[""][0].trunks] == ["v6", "v4"]
    assert (snapshot.routes[""][0].is_weighted, snapshot.routes["+33"][0].is_weighted) == (True, False)


def test_profiles(snapshot: PolicySnapshot) -> None:
    """A profile of the document keeps of its base what it does not say."""
    quiet = snapshot.profiles["quiet"].rows
    assert quiet[Reason.CALLS] == (486, b"Busy Here", 17, False, 1)
    assert quiet[Reason.CAPS] == (500, b"Temporarily Unavailable", 42, True, 1)
    assert quiet[Reason.CREDIT] == snapshot.profiles["carrier"].rows[Reason.CREDIT]


def test_outside_dialog(snapshot: PolicySnapshot) -> None:
    """405 for what the edge does not do, 403 for what nobody shall try."""
    assert snapshot.outside_dialog(b"MESSAGE") == Reason.METHOD_NOT_ALLOWED
    assert snapshot.outside_dialog(b"REGISTER") == Reason.METHOD_FORBIDDEN


@pytest.mark.parametrize(
    ("e164", "expected"),
    [
        ("+33199001234", "geographic"),
        ("+33536490000", "geographic"),
        ("+33162123456", "npv"),
        ("+33948123456", "npv"),
        ("+33912345678", "polyvalent"),
        ("+33937123456", "npuept"),
        ("+339010123456789", "polyvalent_extended"),
        ("+33151012345", "general_interest"),
        ("+33639980012", "mobile"),
        ("+33712345678", "mobile"),
        ("+337004123456789", "mobile_extended"),
        ("+33800112112", "special_free"),
        ("+262262123456", "overseas_fixed"),
        ("+508412345", "overseas_fixed"),
        ("+590947512345", "npv_overseas"),
        ("+262268812345", "npv_overseas_2026"),
        ("+262692123456", "mobile"),
        ("+262800123456", "plan_unassigned"),
        ("+687123456", "foreign"),
        ("+4930123456", "foreign"),
    ],
)
def test_category(snapshot: PolicySnapshot, e164: str, expected: str) -> None:
    """The longest prefix gives the category."""
    assert expected == snapshot.category_of(e164)


def test_document_category_wins() -> None:
    """The document may move a prefix out of a built-in category."""
    snapshot = PolicySnapshot(parse_policy('[[categories]]\nid = "x"\nprefixes = ["+331", "+49"]'))
    assert [snapshot.category_of(number) for number in ("+33199001234", "+33162123456", "+4930123456")] == [
        "x",
        "npv",
        "x",
    ]


def test_numbers_off_has_no_rules() -> None:
    """Where numbers are not read no rule could be asked."""
    assert PolicySnapshot(parse_policy("[numbers]\nnormalise = false")).rules == ()
