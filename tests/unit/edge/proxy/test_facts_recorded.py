"""One call of each kind and its whole record, column by column: nothing is missing, nothing is made up."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from network import CALLER, SBC, TRUNK_A, TRUNK_B, WALL_OFFSET, Callee, Caller, Established, Ringing, Wire, reply

from edge.cdr.builder import CdrBuilder
from edge.cdr.record import COLUMNS
from edge.proxy.node import Settings

DECK = "+331,fr,0.01,0.60,1,1,0\n"
"""One cent, and one cent a second."""
POLICY = """
[[accounts]]
id = "acme"
caps_base = 7
calls_base = 40
caps_lots = 1
call_lots = 2
opening_balance = 10
external_id = "C-17"
tags = ["gold"]

[[accounts]]
id = "fragile"
caps_base = 100
credit = "none"
store_away = "admit"

[[accounts]]
id = "slow"
caps_base = 1
caps_burst = 1

[[ingress]]
id = "acme-pbx"
sources = ["192.0.2.1/32"]
account = "acme"

[[ingress]]
id = "sbc"
sources = ["192.0.2.3/32"]
trusted = true
account_header = "X-Account"

[[egress]]
id = "a"
uri = "sip:198.51.100.1:5060"

[[egress]]
id = "b"
uri = "sip:198.51.100.2:5070"

[[routes]]
id = "all"
prefixes = [""]
trunks = ["a", "b"]
"""
BEGIN = 1000.0


def at(seconds: float) -> str:
    """So long after the call came."""
    found = datetime.fromtimestamp(WALL_OFFSET + BEGIN + seconds, UTC)
    found = found if found.microsecond else found.replace(microsecond=1)
    return found.isoformat(timespec="microseconds").replace("+00:00", "Z")


NOTHING = {
    "string": "", "integer": 0, "boolean": False, "instant": "", "list": [],
    "instant or null": None, "integer or null": None,
}  # fmt: skip
BASE = {
    **{column.name: NOTHING[column.type] for column in COLUMNS},
    "v": 1, "seq": 1, "node": "edge1", "policy_generation": 7, "attempts": 1, "account_kind": "human",
    "source": "192.0.2.1:5060", "identified_by": "source",
    "listener": "udp:192.0.2.10:5060", "ingress_class": "national", "route": "all",
    "cli_original": "+33612345678", "cli_presented": "+33612345678",
    "called_original": "+33170000001", "called": "+33170000001",
    "received_at": at(0), "decided_at": at(0), "released_at": at(0), "decision_us": 0,
}  # fmt: skip
ACME = {
    "account": "acme", "ingress_trunk": "acme-pbx", "external_id": "C-17", "tags": ["gold", "cli_undeclared"],
}  # fmt: skip
SBC_CALL = {
    "ingress_trunk": "sbc", "source": "192.0.2.3:5060", "identified_by": "source header:x-account",
    "tags": ["cli_undeclared"],
}  # fmt: skip
PRICE = {
    "zone": "fr", "rate_prefix": "+331", "connect_micros": 10_000, "rate_micros": 600_000, "first_s": 1, "next_s": 1,
    "currency": "EUR",
}  # fmt: skip
LIMITS = {
    "decided_by": "limits", "in_use": 1, "account_generation": 1, "caps_in_force": 17, "calls_in_force": 100,
    "caps_lots": 1, "call_lots": 2, "hold_micros": 610_000, "holds": 1, "paid_s": 60, "held_micros": 610_000,
}  # fmt: skip
RANG_AT_ONCE = {"sent_at": at(0), "ringing_at": at(0), "pdd_ms": 0}


def prepaid(wire: Wire) -> None:
    call = Ringing(wire)
    wire.advance(1.5)
    call.callee.answer(200)
    (answer,) = wire.responses_to(CALLER)
    call.caller.learn(answer)
    call.caller.ack()
    wire.advance(20)
    call.caller.say("BYE", extra='Reason: Q.850;cause=16;text="bye"')
    (bye,) = wire.requests_to(TRUNK_A, b"BYE")
    wire.send(reply(bye, 200), TRUNK_A)


def failed_over(wire: Wire) -> None:
    Caller(wire).start()
    (invite,) = wire.requests_to(TRUNK_A, b"INVITE")
    wire.advance(0.1)
    wire.send(reply(invite, 503, extra="Reason: Q.850;cause=34"), TRUNK_A)
    (invite,) = wire.requests_to(TRUNK_B, b"INVITE")
    wire.advance(0.1)
    wire.send(reply(invite, 486), TRUNK_B)


def degraded(wire: Wire) -> None:
    wire.is_store_away = True
    call = Established(wire, source=SBC, extra="X-Account: fragile\nAttestation-Info: A")
    wire.advance(3)
    call.callee.say("BYE")
    (bye,) = wire.requests_to(SBC, b"BYE")
    wire.send(reply(bye, 200), SBC)


def store_away(wire: Wire) -> None:
    wire.is_store_away = True
    Caller(wire).start()


def over_caps(wire: Wire) -> None:
    for _ in range(2):
        Caller(wire, source=SBC).start(extra="X-Account: slow")
    wire.ended = wire.ended[-1:]


def emergency(wire: Wire) -> None:
    caller = Caller(wire, called="112")
    caller.start()
    callee = Callee(wire, wire.requests_to(TRUNK_A, b"INVITE")[0])
    callee.answer(180)
    callee.answer(200)
    caller.learn(wire.responses_to(CALLER)[-1])
    caller.ack()
    wire.advance(2)
    caller.say("BYE")
    (bye,) = wire.requests_to(TRUNK_A, b"BYE")
    wire.send(reply(bye, 200), TRUNK_A)


def cancelled(wire: Wire) -> None:
    call = Ringing(wire)
    wire.advance(4)
    call.caller.cancel(extra="Reason: SIP;cause=600")
    call.callee.answer(487)


def lost(wire: Wire) -> None:
    Established(wire)
    wire.advance(12)
    wire.settings = Settings(node="edge2")
    heir = wire.new_core()
    wire.advance(31)
    found = tuple(wire.limiter.adopt("acme", gone="edge1", heir="edge2", lease_ms=30_000))
    heir.adopt("acme", "edge1", int(wire.now * 1_000), found, wire.now)
    wire.pump()


KINDS: list[tuple[Callable[[Wire], None], dict[str, object]]] = [
    (
        prepaid,
        {
            **ACME, **PRICE, **LIMITS, **RANG_AT_ONCE,
            "outcome": "answered", "reason": "answered", "status": 200, "q850": 16, "release_side": "ingress",
            "egress_trunk": "a", "candidates": [["a", 200]], "candidate_causes": [0], "to_tag": "callee",
            "tries": [[at(0), at(1.5)]], "answered_at": at(1.5), "released_at": at(21.5), "duration_ms": 20_000,
            "billed_s": 20, "cost_micros": 210_000, "release_reason": 'Q.850;cause=16;text="bye"',
        },
    ),
    (
        failed_over,
        {
            **ACME, **PRICE, **LIMITS,
            "outcome": "failed", "reason": "busy", "status": 486, "q850": 17, "release_side": "egress",
            "egress_trunk": "b", "candidates": [["a", 503], ["b", 486]], "candidate_causes": [34, 0],
            "tries": [[at(0), at(0.1)], [at(0.1), at(0.2)]], "sent_at": at(0), "released_at": at(0.2),
            "quality_flags": ["failed_over", "unanswered"], "penalty_candidates": ["asr"],
        },
    ),
    (
        degraded,
        {
            **SBC_CALL, **PRICE, **RANG_AT_ONCE,
            "account": "fragile", "degraded": True, "decided_by": "store_away",
            "outcome": "answered", "reason": "answered", "status": 200, "q850": 16, "release_side": "egress",
            "egress_trunk": "a", "candidates": [["a", 200]], "candidate_causes": [0], "to_tag": "callee",
            "tries": [[at(0), at(0)]], "answered_at": at(0), "released_at": at(3), "duration_ms": 3_000,
            "billed_s": 3, "cost_micros": 40_000, "attestation": "A", "attestation_source": "attestation_info",
            "quality_flags": ["short_call"], "penalty_candidates": ["acd", "short_calls"],
        },
    ),
    (
        store_away,
        {
            **ACME, **PRICE, "decided_by": "store_away",
            "outcome": "refused", "reason": "store_away", "status": 503, "q850": 41, "release_side": "edge",
        },
    ),
    (
        over_caps,
        {
            **SBC_CALL, **PRICE, "account": "slow", "decided_by": "limits", "account_generation": 1,
            "caps_in_force": 1, "calls_in_force": 10,
            "outcome": "refused", "reason": "caps", "status": 503, "q850": 42, "release_side": "edge",
            "limit": "caps", "limit_holder": "slow", "ceiling": 1, "limit_in_use": 1,
        },
    ),
    (
        emergency,
        {
            **ACME, **RANG_AT_ONCE, "tags": ["gold"], "emergency": True, "called_original": "112", "called": "112",
            "outcome": "answered", "reason": "answered", "status": 200, "q850": 16, "release_side": "ingress",
            "egress_trunk": "a", "candidates": [["a", 200]], "candidate_causes": [0], "to_tag": "callee",
            "tries": [[at(0), at(0)]], "answered_at": at(0), "released_at": at(2), "duration_ms": 2_000,
        },
    ),
    (
        cancelled,
        {
            **ACME, **PRICE, **LIMITS, **RANG_AT_ONCE, "tags": ["gold", "cli_undeclared", "ping_call"],
            "outcome": "cancelled", "reason": "cancelled", "status": 487, "q850": 16, "release_side": "ingress",
            "egress_trunk": "a", "candidates": [["a", 487]], "candidate_causes": [0], "tries": [[at(0), at(4)]],
            "released_at": at(4), "release_reason": "SIP;cause=600",
            "quality_flags": ["unanswered"], "penalty_candidates": ["asr"],
        },
    ),
    (
        lost,  # alive when it was renewed last, after 10 s; nobody knows its duration, so it is marked for nothing
        {
            **ACME, **PRICE, **LIMITS, **RANG_AT_ONCE, "lost": True, "adopted_from": "edge1",
            "outcome": "answered", "reason": "lost", "status": 200, "q850": 41, "release_side": "edge",
            "egress_trunk": "a", "candidates": [["a", 200]], "candidate_causes": [0], "to_tag": "callee",
            "tries": [[at(0), at(0)]], "answered_at": at(0), "released_at": at(10), "duration_ms": 10_000,
            "billed_s": 10, "cost_micros": 110_000,
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(("place", "expected"), KINDS, ids=[place.__name__ for place, _ in KINDS])
def test_a_record_says_what_happened(place, expected):
    """Every column of it."""
    wire = Wire(POLICY, deck=DECK)
    place(wire)
    (facts,) = wire.ended
    record = json.loads(CdrBuilder("edge1", wall0=WALL_OFFSET, mono0=0.0).line(facts, 1))
    assert [record.pop(name) for name in ("call_id", "from_tag", "uid")] == [facts.call_id, facts.from_tag, facts.uid]
    assert facts.call_id.startswith("call-")
    assert record == {name: value for name, value in {**BASE, **expected}.items() if name in record}
    assert len(record) == len(COLUMNS) - 3
