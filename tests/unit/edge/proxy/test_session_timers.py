"""Session timers, the proxy's part: RFC 4028 §8, paragraph by paragraph; then calls that nobody refreshes."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from network import CALLER, NOTHING, TRUNK_A, Callee, Caller, Established, Wire, hang_up, policy, reply

from edge.proxy import session_timers
from edge.proxy.node import Settings
from edge.proxy.session_timers import Asked
from edge.sip.message import Request, Response, parse
from limits.model import Answer

SETTINGS = Settings(node="edge1", session_expires_s=1800, min_session_s=120)


def request(*lines: str) -> Request:
    head = (
        "INVITE sip:b@x SIP/2.0",
        "Via: SIP/2.0/UDP x;branch=z9hG4bK1",
        *lines,
        "From: <sip:a@x>;tag=1",
        "To: <sip:b@x>",
        "Call-ID: c",
        "CSeq: 1 INVITE",
    )
    message = parse("\r\n".join((*head, "Content-Length: 0", "", "")).encode())
    assert isinstance(message, Request)
    return message


def response(*lines: str) -> Response:
    head = (
        "SIP/2.0 200 OK",
        "Via: SIP/2.0/UDP x;branch=z9hG4bK1",
        *lines,
        "From: <sip:a@x>;tag=1",
        "To: <sip:b@x>;tag=2",
        "Call-ID: c",
        "CSeq: 1 INVITE",
    )
    message = parse("\r\n".join((*head, "Content-Length: 0", "", "")).encode())
    assert isinstance(message, Response)
    return message


def remembered(asked: Asked | None) -> tuple[int, bool] | None:
    return None if asked is None else (asked.interval_s, asked.is_supported)


K = "Supported: 100rel, timer"


@pytest.mark.parametrize(
    ("lines", "wanted", "expected", "asked"),
    [
        # "A proxy MAY insert a Session-Expires header field ... MUST NOT include a refresher parameter"
        ((), 1800, ("1800", None), Asked(1800, False)),
        ((K,), 1800, ("1800", None), Asked(1800, True)),
        # the absolute minimum is 90 seconds (§4)
        ((), 30, ("90", None), Asked(90, False)),
        ((K,), 30, ("90", None), Asked(90, True)),
        # "... but not with a duration lower than the value in the Min-SE header field"
        (("Min-SE: 3600",), 1800, ("3600", "3600"), Asked(3600, False)),
        # nothing is asked for: nothing is written
        ((K,), 0, (None, None), None),
        # "the proxy MAY reduce its value but MUST NOT set it to a duration lower than ... Min-SE"
        ((K, "Session-Expires: 7200;refresher=uac"), 1800, ("1800;refresher=uac", None), Asked(1800, True)),
        ((K, "x: 7200", "Min-SE: 3600"), 1800, ("3600", "3600"), Asked(3600, True)),
        ((K, "Session-Expires: 7200"), 0, ("7200", None), Asked(7200, True)),
        # "the proxy MUST NOT increase the value"
        ((K, "Session-Expires: 600"), 1800, ("600", None), Asked(600, True)),
        # "the proxy MUST increase the value of the Session-Expires header field to make it equal to Min-SE"
        ((K, "Session-Expires: 600", "Min-SE: 900"), 1800, ("900", "900"), Asked(900, True)),
        # no support, too small: Min-SE inserted or raised, Session-Expires equal to it
        (("Session-Expires: 90",), 1800, ("120", "120"), Asked(120, False)),
        (("Session-Expires: 90;refresher=uas", "Min-SE: 90"), 1800, ("120;refresher=uas", "120"), Asked(120, False)),
        # "MUST NOT decrease"
        (("Session-Expires: 90", "Min-SE: 600"), 1800, ("600", "600"), Asked(600, False)),
        # "MUST NOT insert a Min-SE ... if that request contains a Supported header field with the value 'timer'"
        ((K, "Session-Expires: 90"), 1800, ("90", None), Asked(90, True)),
        # what cannot be read is not ours to mend
        (("Session-Expires: soon",), 1800, ("soon", None), None),
        (("Session-Expires: 900", "Session-Expires: 800"), 1800, ("900", None), None),
    ],
)
def test_requests(lines, wanted, expected, asked):
    """§8.1, sentence by sentence: Session-Expires and Min-SE as they leave, and what is remembered."""
    onward = request(*lines)
    assert remembered(session_timers.ask(onward, wanted, 120)) == remembered(asked)
    fields = [next(iter(onward.values(name)), None) for name in (b"session-expires", b"min-se")]
    assert tuple([None if value is None else value.decode() for value in fields]) == expected
    assert isinstance(parse(onward.render()), Request)


@pytest.mark.parametrize(
    ("lines", "refused"),
    [
        ((K, "Session-Expires: 119"), True),
        ((K, "Session-Expires: 120"), False),
        (("Session-Expires: 30",), False),  # it would not understand the 422
        ((K,), False),
        ((K, "Session-Expires: little"), False),
    ],
)
def test_422(lines, refused):
    """§8.1: only where the sender supports timers; Min-SE says what we want."""
    found = session_timers.fault(request(*lines), 120)
    assert (None if found is None else (found.status, found.headers)) == (
        (422, ((b"Min-SE", b"120"),)) if refused else None
    )


@pytest.mark.parametrize(
    ("lines", "asked", "interval", "fields"),
    [
        # "The proxy MUST NOT modify the value of the Session-Expires header field received in the response"
        (("Session-Expires: 600;refresher=uas",), Asked(1800, True), 600, ("600;refresher=uas", None)),
        (("Session-Expires: 600;refresher=uac", "Require: timer"), None, 600, ("600;refresher=uac", "timer")),
        # the UAS knows no timers, the UAC does
        ((), Asked(1800, True), 1800, ("1800;refresher=uac", "timer")),
        (("Require: 100rel",), Asked(1800, True), 1800, ("1800;refresher=uac", "100rel")),
        # neither does: "There is no session expiration for this session"
        ((), Asked(1800, False), 0, (None, None)),
        ((), None, 0, (None, None)),
        # an answer below every minimum, or none that can be read
        (("Session-Expires: 5;refresher=uas",), None, 90, ("5;refresher=uas", None)),
        (("Session-Expires: never",), Asked(1800, True), 0, ("never", None)),
    ],
)
def test_answers(lines, asked, interval, fields):
    """§8.2: the interval, Session-Expires and the first Require as they go up."""
    up = response(*lines)
    assert session_timers.answered(up, asked) == interval
    found = [next(iter(up.values(name)), None) for name in (b"session-expires", b"require")]
    assert tuple([None if value is None else value.decode() for value in found]) == fields
    if asked is not None and asked.is_supported and interval:
        assert b"timer" in b",".join(up.values(b"require")) or b"refresher=uas" in up.values(b"session-expires")[0]


@given(st.integers(0, 99_999), st.integers(0, 99_999), st.integers(0, 99_999), st.integers(90, 9_999), st.booleans())
@example(100, 0, 1800, 120, False)
def test_no_hop_ever_sees_less_than_its_own_minimum(found, least, wanted, ours, is_supported):
    """What leaves is at least Min-SE as it leaves, never above what was asked where nothing forbids it; Min-SE never
    falls."""
    lines = [f"Session-Expires: {found}"] + ([f"Min-SE: {least}"] if least else []) + ([K] if is_supported else [])
    onward = request(*lines)
    asked = session_timers.ask(onward, wanted, ours)
    assert asked is not None
    min_se = int(onward.value(b"min-se") or b"0")
    assert asked.interval_s == int(onward.values(b"session-expires")[0])
    assert min_se >= least
    assert not is_supported or min_se == least
    assert asked.interval_s >= min_se
    assert asked.interval_s <= max(found, min_se)


# -- calls -------------------------------------------------------------------------------------------------------------


def established(wire, *, invite: str = "", answer: str = ""):
    """A call whose two sides say this of timers."""
    caller = Caller(wire)
    caller.start(extra=invite)
    (sent,) = wire.requests_to(TRUNK_A, b"INVITE")
    callee = Callee(wire, sent)
    callee.answer(200, extra=answer)
    (up,) = [found for found in wire.responses_to(CALLER) if found.status == 200]
    caller.learn(up)
    caller.ack()
    wire.requests_to(TRUNK_A, b"ACK")
    return caller, callee, sent, up


def test_the_edge_asks_and_a_call_nobody_refreshes_ends():
    """RFC 4028 §8.3 lets a proxy forget the call; this one keeps its slot, so it ends it on both sides (R4)."""
    wire = Wire(settings=SETTINGS)
    _, _, sent, _ = established(wire, answer="Session-Expires: 300;refresher=uas")
    assert sent.values(b"session-expires") == [b"1800"]
    wire.advance(299.9)
    assert wire.ended == []
    wire.advance(0.2)
    assert [wire.methods_to(address) for address in (TRUNK_A, CALLER)] == [[b"BYE"], [b"BYE"]]
    wire.advance(40)
    (record,) = wire.ended
    assert (record.reason, record.q850, record.release_side, record.duration_ms // 100) == (
        "session_expired",
        102,
        "edge",
        3000,
    )
    assert wire.in_use() == 0


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize("side", ["caller", "callee"])
def test_a_refresh_of_either_side_moves_the_end(method, side):
    """§8.2: the interval counts from the 2xx of the refresh."""
    wire = Wire(settings=SETTINGS)
    caller, callee, _, _ = established(wire, answer="Session-Expires: 300;refresher=uas")
    wire.advance(200)
    extra = "Supported: timer\nSession-Expires: 300"
    if side == "caller":
        caller.say(method, extra=extra)
        (refresh,) = wire.requests_to(TRUNK_A, method.encode())
        wire.send(reply(refresh, 200, contact="sip:callee@198.51.100.1:5060"), TRUNK_A)
        (answer,) = wire.responses_to(CALLER)[-1:]
        assert answer.values(b"session-expires") == [b"300;refresher=uac"]
    else:
        callee.say(method, extra=extra)
        (refresh,) = wire.requests_to(CALLER, method.encode())
        wire.send(
            reply(
                refresh,
                200,
                contact="sip:caller@192.0.2.1:5060",
                extra="Session-Expires: 300;refresher=uac\nRequire: timer",
            ),
            CALLER,
        )
    assert refresh.values(b"session-expires") == [b"300"]
    wire.advance(290)
    assert wire.ended == []
    wire.advance(11)
    assert b"BYE" in wire.methods_to(TRUNK_A)


def test_a_refused_refresh_moves_nothing():
    """RFC 4028 §10: only a 2xx extends the session."""
    wire = Wire(settings=SETTINGS)
    caller, _, _, _ = established(wire, answer="Session-Expires: 300;refresher=uac\nRequire: timer")
    wire.advance(200)
    caller.say("UPDATE", extra="Supported: timer\nSession-Expires: 300")
    (refresh,) = wire.requests_to(TRUNK_A, b"UPDATE")
    wire.send(reply(refresh, 500), TRUNK_A)
    wire.advance(101)
    assert b"BYE" in wire.methods_to(TRUNK_A)


def test_a_refresh_without_timers_ends_them():
    """§7.2, §9: a 2xx without Session-Expires, neither side asking: the session does not expire any more."""
    wire = Wire(settings=Settings(node="edge1", max_duration_s=9_000))
    caller, _, _, _ = established(
        wire,
        invite="Supported: timer\nSession-Expires: 300",
        answer="Session-Expires: 300;refresher=uac\nRequire: timer",
    )
    wire.advance(100)
    caller.say("UPDATE")
    (refresh,) = wire.requests_to(TRUNK_A, b"UPDATE")
    wire.send(reply(refresh, 200), TRUNK_A)
    wire.advance(5_000)
    assert wire.ended == []


def test_neither_side_knows_timers():
    """Both answers pass as they came, and the longest duration is what ends the call."""
    wire = Wire(settings=Settings(node="edge1", session_expires_s=1800, max_duration_s=5_000))
    _, _, sent, up = established(wire)
    assert (sent.values(b"session-expires"), up.has(b"session-expires"), up.has(b"require")) == (
        [b"1800"],
        False,
        False,
    )
    wire.advance(4_999)
    assert wire.ended == []
    wire.advance(41)
    assert [record.reason for record in wire.ended] == ["max_duration"]


def test_a_trunk_that_wants_no_timers_is_asked_for_none():
    """`session_timer = false`, in the INVITE and in what follows."""
    wire = Wire(policy(session_timer="false"), settings=SETTINGS)
    caller, _, sent, _ = established(wire)
    caller.say("UPDATE")
    (update,) = wire.requests_to(TRUNK_A, b"UPDATE")
    assert (sent.has(b"session-expires"), update.has(b"session-expires")) == (False, False)


def test_an_interval_that_is_too_short_is_refused():
    """422 with our minimum; one record, no lease, and in a dialog the call goes on."""
    wire = Wire(settings=SETTINGS)
    caller = Caller(wire)
    caller.start(extra="Supported: timer\nSession-Expires: 100")
    (answer,) = wire.responses_to(CALLER)
    assert (answer.status, answer.values(b"min-se")) == (422, [b"120"])
    assert [(record.status, record.reason) for record in wire.ended] == [(422, "session_interval")]
    call = Established(wire)
    call.caller.say("UPDATE", extra="Supported: timer\nSession-Expires: 100")
    assert wire.statuses_to(CALLER) == [422]
    assert wire.in_use() == 1
    hang_up(call)
    assert len(wire.ended) == 2


def test_all_is_freed():
    """A call with a timer leaves nothing."""
    wire = Wire(settings=SETTINGS)
    caller, _, _, _ = established(wire, answer="Session-Expires: 300;refresher=uas")
    caller.say("BYE")
    (bye,) = wire.requests_to(TRUNK_A, b"BYE")
    wire.send(reply(bye, 200), TRUNK_A)
    wire.advance(400)
    assert wire.held == NOTHING


@pytest.mark.parametrize("second", ["Session-Expires: 400;refresher=uas", ""])
def test_a_call_lives_as_long_as_the_last_of_its_sessions(second):
    """§8.2: each dialog of a forked call has its own; one without a timer keeps the call."""
    wire = Wire(settings=SETTINGS)
    caller = Caller(wire)
    caller.start()
    (sent,) = wire.requests_to(TRUNK_A, b"INVITE")
    for tag, extra in (("one", "Session-Expires: 200;refresher=uas"), ("two", second)):
        Callee(wire, sent, tag=tag).answer(200, extra=extra)
        caller.learn(wire.responses_to(CALLER)[-1])
        caller.ack()
    wire.advance(399)
    assert wire.ended == []
    wire.advance(2)
    assert (b"BYE" in wire.methods_to(TRUNK_A)) is bool(second)


def test_the_interval_is_in_the_record_of_the_call():
    """A node that takes the call over gives it one whole interval."""
    wire = Wire(settings=SETTINGS)
    established(wire, answer="Session-Expires: 300;refresher=uas")
    kept = [verb for verb in wire.asked if isinstance(verb, Answer)][-1].record
    assert b",300,0]" in kept
