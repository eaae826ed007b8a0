"""Mutated messages thrown at the core in every state of a call: no exception comes out, and nothing stays behind."""

import sys
from functools import cache
from pathlib import Path

import pytest
from depth import examples
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

# The network of the unit tests: a file beside them, no package (importlib mode).
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit" / "edge" / "proxy"))

from network import (
    CALLER,
    FOREIGN,
    NOTHING,
    SBC,
    STRANGER,
    TRUNK_A,
    TRUNK_B,
    Callee,
    Caller,
    Established,
    Ringing,
    Wire,
    reply,
)

from edge.proxy.node import Settings

SETTINGS = Settings(node="edge1", max_duration_s=60)
SOURCES = [CALLER, CALLER, FOREIGN, SBC, STRANGER, TRUNK_A, TRUNK_A, TRUNK_B]

PIECES = [
    b"\r\n", b"\r\n\r\n", b"\n", b"\0", b"\\\0", b",", b";", b"<", b">", b'"', b":", b" ", b"\t", b"@", b"%", b"=",
    b";tag=", b";lr", b";maddr=192.0.2.10", b";rport", b";received=x", b"sip:", b"tel:+331", b"SIP/2.0", b"z9hG4bK",
    b"Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKf000001.x", b"Route: <sip:192.0.2.10;lr>", b"\r\nRoute: <sip:x>",
    b"Max-Forwards: 0", b"Max-Breadth: x", b"Content-Length: 99999", b"Contact: *", b"Proxy-Require: x", b"INVITE",
    b"ACK", b"BYE", b"CANCEL", b"200", b"100", b"699", b"2147483647", b"99999999999999999999", b"\xff\xfe", b"\r\n ",
    b"Record-Route: <sip:a;lr>,<sip:b>", b"[::1]", b"Reason: Q.850;cause=1e9", b"From: x", b"To: x", b"v: a, b",
]  # fmt: skip


@cache
def corpus() -> tuple[bytes, ...]:
    """What the sides say in one call, and what they could have said."""
    wire = Wire(settings=SETTINGS)
    call = Established(wire)
    proxied = "Record-Route: <sip:203.0.113.2;lr>\nPrivacy: id\nP-Asserted-Identity: <tel:+33612345678>"
    said = [
        call.caller.request("INVITE", extra=proxied),
        call.caller.request("INVITE"),
        call.caller.request("CANCEL"),
        call.caller.request("ACK", to_tag="callee"),
    ]
    said += [call.caller.request("OPTIONS", uri="sip:192.0.2.10"), call.caller.request("REGISTER")]
    said += [call.caller.in_dialog(method) for method in ("ACK", "BYE", "INVITE", "UPDATE", "INFO")]
    said += [call.callee.in_dialog(method) for method in ("BYE", "INVITE")]
    said += [
        reply(call.invite, status, contact=call.callee.contact) for status in (100, 180, 200, 302, 401, 486, 503, 603)
    ]
    return tuple(said)


def _fresh(wire):
    pass


def _admitting(wire):
    wire.holding = []
    Caller(wire).start()


def _looking_up(wire):
    Caller(wire, called="+33190000001").start()


def _failed_over(wire):
    Caller(wire).start()
    wire.advance(5)


def _cancelling(wire):
    Ringing(wire).caller.cancel()


def _forked(wire):
    call = Established(wire)
    Callee(wire, call.invite, tag="other").answer(200)


def _ending(wire):
    Established(wire).caller.say("BYE")


def _tearing_down(wire):
    Established(wire)
    wire.core.hang_up_all("operator", wire.now)
    wire.pump()


STATES = [
    _fresh,
    _admitting,
    _looking_up,
    Ringing,
    _failed_over,
    _cancelling,
    Established,
    _forked,
    _ending,
    _tearing_down,
]


def mutate(data: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """Each edit puts a piece in the place of some bytes."""
    for at, length, piece in edits:
        at %= len(data) + 1
        data = data[:at] + piece + data[at + length :]
    return data


pieces = st.one_of(st.sampled_from(PIECES), st.binary(max_size=4))
edit_lists = st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 12), pieces), min_size=1, max_size=6)
throws = st.tuples(st.integers(0, 100), st.integers(0, 100), edit_lists, st.booleans())


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__.strip("_").lower())
@settings(max_examples=examples(15), deadline=None, suppress_health_check=list(HealthCheck))
@given(thrown=st.lists(throws, min_size=1, max_size=12), seconds=st.sampled_from([0.0, 0.5, 5.0, 40.0]))
@example(thrown=[(number, number, [(0, 0, b"")], True) for number in range(40)], seconds=0.5)
def test_nothing_escapes_and_nothing_stays(state, thrown, seconds):
    """What was thrown may be of the very call that runs (its tags, branches and tokens are put in), or of another one.
    Long after the last of it, the core holds nothing, and every attempt has its one record."""
    wire = Wire(settings=SETTINGS)
    state(wire)
    invites = wire.requests_to(TRUNK_A, b"INVITE")
    for which, where, edits, is_related in thrown:
        data = corpus()[which % len(corpus())]
        if is_related:
            data = _relate(data, wire, invites)
        wire.send(mutate(data, edits), SOURCES[where % len(SOURCES)])
        wire.advance(seconds / len(thrown))
    while wire.resolves:
        wire.resolve("198.51.100.1")
    wire.release_store()
    wire.advance(100)
    while wire.resolves:
        wire.resolve()
    wire.advance(700)
    assert wire.held == NOTHING
    assert (wire.in_use(), len(wire.ended)) == (0, wire.core.counters.attempts)


def _relate(data: bytes, wire: Wire, invites) -> bytes:
    """The message as the live call's own: its Call-ID, From tag, branch and token in the place of the corpus's."""
    live = wire.core.calls.live()
    if not live:
        return data
    old, new = corpus()[0], live[0].invite
    for start, stop in ((b"branch=", b";"), (b"From: <", b"\r\n"), (b"Call-ID: ", b"\r\n")):
        before = old.partition(start)[2].partition(stop)[0]
        after = new.partition(start)[2].partition(stop)[0]
        data = data.replace(before, after)
    token = data.partition(b"Route: <sip:")[2].partition(b"@")[0]
    if token and len(token) == len(live[0].token):
        data = data.replace(token, live[0].token)
    if invites and data.startswith(b"SIP/2.0"):
        ours = data.partition(b"branch=")[2].partition(b"\r\n")[0]
        data = data.replace(ours, invites[-1].via().branch or b"")
    return data
