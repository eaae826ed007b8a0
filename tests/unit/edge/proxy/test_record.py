"""The record of a call kept in the store: what goes in comes out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from network import TRUNK_B, Callee, Caller, Established, Ringing, Wire

from edge.proxy import record
from edge.proxy.facts import CallFacts
from edge.sip.message import parse
from limits.model import Admit, Answer, InForce
from limits.rates import Price

TEXT = st.text(max_size=40)
INSTANT = st.none() | st.floats(0, 1e6)


@given(
    texts=st.tuples(TEXT, TEXT, TEXT),
    instants=st.tuples(INSTANT, INSTANT),
    price=st.none() | st.builds(Price, *[st.integers(0, 10**9)] * 2, *[st.integers(1, 3600)] * 3),
    candidates=st.lists(st.tuples(TEXT, st.integers(0, 699)), max_size=4),
    offset=st.floats(-1e6, 2e9),
)
def test_what_goes_in_comes_out(texts, instants, price, candidates, offset):
    """Every text, number, instant and price, under another monotonic clock; surrogates cost their own text only."""
    wire = Wire()
    node = wire.core._node
    node.wall_offset = 100.0
    facts = CallFacts("u", 1000.0)
    facts.called, facts.cli_presented, facts.zone = texts
    facts.sent_at, facts.ringing_at = instants
    facts.price, facts.candidates, facts.shadowed = price, candidates, ("caps",)
    found = record.read(record.of_attempt(facts, node))
    assert found is not None
    again = record.facts_of("u", found, offset)
    assert again is not None
    assert (again.price, again.candidates, again.shadowed) == (price, candidates, ("caps",))
    assert (again.called, again.cli_presented, again.zone) == texts
    assert again.received_at + offset == pytest.approx(1100.0, abs=1e-3)
    for name, instant in zip(("sent_at", "ringing_at"), instants, strict=True):
        value = getattr(again, name)
        assert (value is None) == (instant is None)
        assert value is None or value + offset == pytest.approx(instant + 100.0, abs=1e-3)


def test_what_only_some_attempts_have_comes_out_too():
    """Values in force, instants of each try, holds; and nothing of it is missed in a record of an older edge."""
    node = Wire().core._node
    node.wall_offset = 100.0
    facts = CallFacts("u", 1000.0)
    facts.sent("a", 1001.0)
    facts.note("a", 503, 1002.0)
    facts.passed_over("b", 1003.0)
    facts.in_force, facts.holds, facts.hold_micros = InForce(7, 11, 40, 1, 2), 3, 600_000
    facts.automated, facts.attestation, facts.cli_shadowed = True, "B", ("a-rule",)
    facts.tags, facts.purpose = ("gold", "telemarketing"), "telemarketing"
    facts.listener, facts.route, facts.decided_by = "udp:h:1", "r", "limits"
    found = record.read(record.of_attempt(facts, node))
    assert found is not None
    again = record.facts_of("u", found, 100.0)
    assert again is not None
    for name in ("in_force", "holds", "hold_micros", "automated", "attestation", "cli_shadowed", "listener", "route",
                 "decided_by", "tries", "candidates", "tags", "purpose"):  # fmt: skip
        assert getattr(facts, name) == getattr(again, name), name

    older = {name: value for name, value in found.items() if name in (*record._TEXTS, *record._NUMBERS)}
    older |= {name: found[name] for name in ("v", "shadowed", "candidates", "price", *record._FLAGS, *record._INSTANTS)}
    plain = record.facts_of("u", older, 100.0)
    assert plain is not None
    assert (plain.tries, plain.holds, plain.listener, plain.in_force.generation) == ([], 0, "", 0)


@pytest.mark.parametrize("name", [*record._TEXTS, *record._NUMBERS, *record._FLAGS, *record._INSTANTS])
def test_what_is_always_read_is_always_written(name):
    """Under its own name, and nothing of another."""
    facts, node = CallFacts("u", 1000.0), Wire().core._node
    node.wall_offset = 0.0
    value = "w" if name in record._TEXTS else True if name in record._FLAGS else 7
    setattr(facts, name, value)
    plain = record.read(record.of_attempt(CallFacts("u", 1000.0), node))
    assert record.read(record.of_attempt(facts, node)) == {**plain, name: value}


@pytest.mark.parametrize("name", record._WHERE_SET)
def test_what_is_read_where_it_is_set_is_written_there(name):
    """And left out of a record where it says nothing."""
    facts, node = CallFacts("u", 1000.0), Wire().core._node
    value = {str: "w", int: 7, bool: True}[record._WHERE_SET[name]]
    setattr(facts, name, value)
    plain = record.read(record.of_attempt(CallFacts("u", 1000.0), node))
    assert name not in plain
    assert record.read(record.of_attempt(facts, node)) == {**plain, name: value}


@pytest.mark.parametrize("wrong", [{"tries": [[1]]}, {"holds": "3"}, {"in_force": [1, 2]}, {"cli_shadowed": [1]}])
def test_a_spoilt_record_has_no_facts(wrong):
    """Whatever is in it that we did not write."""
    found = record.read(record.of_attempt(CallFacts("u", 1.0), Wire().core._node))
    assert found is not None
    assert record.facts_of("u", {**found, **wrong}, 0.0) is None


def test_a_surrogate_does_not_stop_the_record():
    """Text that no JSON can hold is told in ASCII."""
    facts = CallFacts("u", 0.0)
    facts.called = "a\ud800b"
    found = record.read(record.of_attempt(facts, Wire().core._node))
    assert found is not None
    assert found["called"] == "a?b"


@given(st.binary(max_size=200))
def test_bytes_that_are_no_record_are_none(data):
    """Never an exception."""
    assert record.read(data) is None


def test_the_dialogs_are_kept_without_bodies():
    """Each side's target, route and CSeq; no SDP of anybody in the store."""
    wire = Wire()
    call = Established(wire, body="v=0\r\nsecret-body")
    (kept,) = wire.core.calls.live()
    data = record.of_call(kept, wire.core._node)
    assert b"secret-body" not in data
    found = record.read(data)
    assert found is not None
    listener = wire.listeners.all[0].name
    again = record.call_of(found, {listener: 0}, wire.snapshot.plan, wire.now)
    assert again is not None
    (dialog,) = again.dialogs.values()
    (before,) = kept.dialogs.values()
    assert (dialog.is_confirmed, dialog.acked) == (True, True)
    assert dialog.cseq_ingress == before.cseq_ingress + record.CSEQ_GAP
    assert dialog.cseq_ingress - dialog.cseq_gap == before.cseq_ingress  # what a probe may speak with
    assert call.callee.tag.encode() in kept.dialogs


@pytest.mark.parametrize(
    "length",
    ["Content-Length: 3", "l:3", "CONTENT-LENGTH \t:\r\n 3", "content-length: \r\n\t3\r\nX-After: 1", "X-None: 1"],
)
def test_a_message_is_kept_without_its_body_however_its_length_is_spelt(length):
    """What is kept can be read again, with the same header fields and no body."""
    lines = ["INVITE sip:a@b SIP/2.0", "Via: SIP/2.0/UDP h;branch=z9hG4bKx", length, "From: <sip:a@b>;tag=1",
             "To: <sip:c@d>", "Call-ID: i", "CSeq: 1 INVITE", "Label: l: 7"]  # fmt: skip
    data = "\r\n".join(["", *lines, "", "v=0"]).encode()
    kept = parse(record.head_of(data))
    assert (kept.body, kept.call_id(), kept.value(b"label")) == (b"", b"i", b"l: 7")


def test_the_record_of_the_answer_is_as_if_all_of_it_had_been_made_then():
    """The part made at admission says nothing that the decision, a second trunk or the answer has changed."""
    wire = Wire()
    first = Ringing(wire)
    (call,) = wire.core.calls.live()
    admitted = record.read(record.of_attempt(call.facts, wire.core._node, call.opening))
    first.callee.answer(503)
    (invite,) = wire.requests_to(TRUNK_B, b"INVITE")
    Callee(wire, invite, TRUNK_B).answer(200)
    (told,) = [verb.record for verb in wire.asked if isinstance(verb, Answer)]
    assert call.opening == b""
    assert record.read(told) == record.read(record.of_call(call, wire.core._node))
    assert admitted is not None
    changed = {name for name, value in record.read(told).items() if admitted.get(name) != value}
    assert {"candidates", "tries", "to_tag", "status", "answered_at", "egress_trunk", "dialogs"} <= changed


def test_the_record_at_admission_is_as_if_all_of_it_had_been_made_then():
    """Nothing but what is in the shadow can have become of an attempt by then."""
    wire = Wire()
    wire.holding = []
    Caller(wire).start()
    (call,), node = wire.core.calls.live(), wire.core._node
    (admit,) = [verb for verb in wire.asked if isinstance(verb, Admit)]
    assert admit.record == record.of_attempt(call.facts, node)
    call.facts.shadowed = ("route-a",)
    assert record.at_admission(call.facts, node, call.opening) == record.of_attempt(call.facts, node) != admit.record


def test_a_record_too_long_keeps_what_its_cdr_needs():
    """A caller that sends kilobytes of headers costs itself the takeover, not the store its memory."""
    wire = Wire()
    Established(wire, extra="\n".join(f"X-Pad-{number}: {'x' * 500}" for number in range(20)))
    (call,) = wire.core.calls.live()
    data = record.of_call(call, wire.core._node)
    assert len(data) <= record.MAX_RECORD_BYTES
    found = record.read(data)
    assert found is not None
    assert ("dialogs" in found, found["account"]) == (False, "acme")


def test_a_ringing_call_has_no_dialogs():
    """Only confirmed ones can be gone on with."""
    wire = Wire()
    Ringing(wire)
    (call,) = wire.core.calls.live()
    found = record.read(record.of_call(call, wire.core._node))
    assert found is not None
    assert record.call_of(found, {}, wire.snapshot.plan, wire.now) is None


LENGTHS = st.sampled_from([b"Content-Length: 3", b"l:3", b"Content-length : 3", b"Content-Length:\r\n 3", b"X: 1"])


@given(
    st.lists(st.sampled_from([b"From: <sip:a@b>;tag=1", b"Content-Type: a/b", b"Content-Length-X: 1"])),
    LENGTHS,
    st.data(),
)
def test_a_message_is_kept_without_its_body_and_length(lines, length, data):
    """Wherever the length stands, as the pattern alone would take it out."""
    lines.insert(data.draw(st.integers(0, len(lines))), length)
    head = b"\r\n".join([b"SIP/2.0 200 OK", b"Via: SIP/2.0/UDP h;branch=1", *lines])
    complete = record._CONTENT_LENGTH.sub(b"", head) + b"\r\n\r\n"
    assert record.head_of(head + b"\r\n\r\nabc") == complete
    assert record.head_of(head + b"\r\n\r\n") == head + b"\r\n\r\n"
