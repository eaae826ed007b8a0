"""Addresses that no trunk names: what they hear, what is counted, what is recorded."""

import pytest
from network import CALLER, POLICY, STRANGER, TRUNK_A, Caller, Wire, fail

from edge.proxy.strangers import MAX_SINGLE, MAX_SOURCES, OTHERS, WINDOW_S

SILENT = POLICY + '\n[strangers]\nsilent = ["all"]\n'


@pytest.fixture
def quiet() -> Wire:
    return Wire(SILENT)


def at(number: int) -> tuple[str, int]:
    return (f"203.0.113.{number}", 5060)


def calls(wire: Wire, count: int, source: tuple[str, int] = STRANGER) -> None:
    for _ in range(count):
        Caller(wire, source=source).start()


def test_a_stranger_hears_nothing(quiet):
    """Neither 100 nor a final response, also where the INVITE is repeated; no transaction is kept."""
    caller = Caller(quiet, source=STRANGER)
    caller.start()
    caller.start()
    quiet.advance(40)
    assert (quiet.statuses_to(STRANGER), quiet.core.transactions) == ([], 0)
    assert quiet.core.counters.drops == {"silent_unknown_source": 2}
    assert quiet.core.counters.refused == {"unknown_source": 2}


@pytest.mark.parametrize(
    ("method", "counted"),
    [("OPTIONS", "options"), ("REGISTER", "unknown_source"), ("BYE", "unknown_source"), ("CANCEL", "unknown_source")],
)
def test_other_methods(quiet, method, counted):
    """What scanners send besides is left alone too, and counted by what it would have been told."""
    caller = Caller(quiet, source=STRANGER)
    quiet.send(caller.request(method, uri="sip:192.0.2.10"), STRANGER)
    quiet.advance(40)
    assert (quiet.statuses_to(STRANGER), quiet.core.transactions) == ([], 0)
    assert quiet.core.counters.drops == {f"silent_{counted}": 1}
    assert quiet.ended == []


def test_what_cannot_be_read(quiet):
    """Malformed messages of a stranger get no 400; a trunk's do."""
    data = Caller(quiet).request("INVITE").replace(b"SIP/2.0\r\n", b"SIP/7.0\r\n", 1)
    quiet.send(data, STRANGER)
    assert quiet.statuses_to(STRANGER) == []
    quiet.send(data, CALLER)
    assert quiet.statuses_to(CALLER) == [505]


@pytest.mark.parametrize("source", [CALLER, TRUNK_A])
def test_trunks_are_no_strangers(quiet, source):
    """Whoever the policy names is answered, on either side."""
    quiet.send(Caller(quiet, source=source).request("OPTIONS", uri="sip:192.0.2.10"), source)
    assert quiet.statuses_to(source) == [200]


def test_our_own_health_check_is_answered(quiet):
    """`edge ping` on this machine gets its 200."""
    home = ("127.0.0.1", 40_000)
    quiet.send(Caller(quiet, source=home).request("OPTIONS", uri="sip:192.0.2.10"), home)
    assert quiet.statuses_to(home) == [200]


def test_nothing_is_silent_by_default(wire):
    """Where the policy does not ask for it, a stranger gets its 403 and its record at once."""
    calls(wire, 1)
    assert (wire.statuses_to(STRANGER), [facts.attempts for facts in wire.ended]) == ([403], [1])


def test_one_record_a_minute_and_address(quiet):
    """Silent attempts are put together; when the minute is over, the record says how many they were."""
    calls(quiet, 7)
    calls(quiet, 2, at(20))
    assert quiet.ended == []
    quiet.advance(WINDOW_S + 1)
    told = [(facts.source, facts.attempts, facts.reason, facts.status) for facts in quiet.ended]
    assert told == [("203.0.113.9:5060", 7, "unknown_source", 0), ("203.0.113.20:5060", 2, "unknown_source", 0)]
    calls(quiet, 1)
    quiet.advance(WINDOW_S + 1)
    assert [facts.attempts for facts in quiet.ended] == [7, 2, 1]


def test_a_flood_of_addresses_is_bounded(quiet):
    """However many addresses: so many records a minute and one for the rest, and no attempt goes uncounted."""
    for number in range(200):
        calls(quiet, 1, at(number))
    quiet.advance(WINDOW_S + 1)
    assert len(quiet.ended) == MAX_SOURCES + 1
    assert quiet.ended[-1].source == OTHERS
    assert sum(facts.attempts for facts in quiet.ended) == quiet.core.counters.attempts == 200


def test_a_flood_that_is_answered_is_bounded_too(wire):
    """Strangers that get their 403 have a record each, up to a bound; then theirs are put together as well."""
    calls(wire, MAX_SINGLE + 40)
    assert (len(wire.statuses_to(STRANGER)), len(wire.ended)) == (MAX_SINGLE + 40, MAX_SINGLE)
    wire.advance(WINDOW_S + 1)
    assert (len(wire.ended), wire.ended[-1].attempts) == (MAX_SINGLE + 1, 40)
    calls(wire, 1)
    assert wire.ended[-1].attempts == 1


def test_customers_always_have_a_record_each(quiet):
    """The bound is for strangers: a customer refused a thousand times has a thousand records."""
    for _ in range(MAX_SINGLE + 40):
        Caller(quiet).start(extra="Proxy-Require: nothing")
    assert len(quiet.ended) == MAX_SINGLE + 40


def test_the_last_minute_is_not_lost(quiet):
    """At a stop what was gathered is written."""
    calls(quiet, 3)
    quiet.core.last_records()
    quiet.pump()
    assert [facts.attempts for facts in quiet.ended] == [3]


def test_a_trunk_conceals_what_is_our_affair():
    """A 402 that a trunk sends to us is no news for the caller: it is told in the words of its own profile."""
    wire = Wire(POLICY.replace('uri = "sip:198.51.100.1:5060"', 'uri = "sip:198.51.100.1:5060"\nconceal = [402, 407]'))
    Caller(wire).start()
    fail(wire, 402)
    assert wire.statuses_to(CALLER) == [100, 503]
    assert (wire.ended[-1].reason, wire.ended[-1].candidates) == ("trunks_failed", [("a", 402)])


def test_what_is_not_concealed_is_relayed():
    """Another failure of the same trunk goes up as it came."""
    wire = Wire(POLICY.replace('uri = "sip:198.51.100.1:5060"', 'uri = "sip:198.51.100.1:5060"\nconceal = [402]'))
    Caller(wire).start()
    fail(wire, 486)
    assert wire.statuses_to(CALLER) == [100, 486]
