"""The table of a call, row by row; leases, renewals and records by it."""

import gc
from collections import Counter

import pytest
from network import (
    CALLER,
    NOTHING,
    SBC,
    TRUNK_A,
    Callee,
    Caller,
    Established,
    Ringing,
    Wire,
    fail,
    hang_up,
    reply,
)

from edge.proxy.call import Call, CallState
from edge.proxy.calls import CALL_TABLE, CallInput
from edge.proxy.dialogs import Dialog
from edge.proxy.node import Settings
from edge.proxy.responses import Branch, ResponseContext
from edge.proxy.teardown import Ending
from edge.sip.transaction.machine import Transaction
from limits.model import Admit, Answer, Renew, Settle, Settled

S, I = CallState, CallInput  # noqa: E741

ROWS = [
    (S.ADMITTING, I.ADMITTED, S.SETUP),
    (S.ADMITTING, I.DENIED, S.ENDED),
    (S.ADMITTING, I.CANCEL, S.ABANDONED),
    (S.ABANDONED, I.ADMITTED, S.ENDED),
    (S.ABANDONED, I.DENIED, S.ENDED),
    (S.SETUP, I.ANSWER, S.ANSWERED),
    (S.SETUP, I.FAIL, S.ENDED),
    (S.SETUP, I.CANCEL, S.CANCELLING),
    (S.CANCELLING, I.ANSWER, S.ANSWERED),
    (S.CANCELLING, I.FAIL, S.ENDED),
    (S.ANSWERED, I.ANSWER, S.ANSWERED),
    (S.ANSWERED, I.BYE, S.ENDING),
    (S.ANSWERED, I.BYE_REFUSED, S.ANSWERED),
    (S.ANSWERED, I.HANG_UP, S.TEARING_DOWN),
    (S.ANSWERED, I.LET_GO, S.ENDED),
    (S.ENDING, I.ANSWER, S.ANSWERED),
    (S.ENDING, I.BYE_REFUSED, S.ANSWERED),
    (S.ENDING, I.OVER, S.ENDED),
    (S.TEARING_DOWN, I.OVER, S.ENDED),
]


@pytest.mark.parametrize(("state", "what", "after"), ROWS, ids=[f"{s}-{i}" for s, i, _ in ROWS])
def test_a_row(wire, state, what, after):
    """A call in this state, told this: it is in the next one; past Ended it holds nothing and has its one record."""
    Ringing(wire)
    (call,) = wire.core.calls.live()
    call.state = state
    assert wire.core.calls.move(call, what, wire.now)
    wire.pump()
    assert after is call.state
    if after is S.ENDED:
        assert (wire.core.calls.live(), call.context, call.attempt, call.holders) == ((), None, None, ())
        assert (len(wire.ended), wire.in_use(), wire.ended[0].released_at) == (1, 0, wire.now)


def test_every_row_of_the_table_is_listed_here():
    """And no other."""
    assert {(state, what, row.next) for state, rows in CALL_TABLE.items() for what, row in rows.items()} == set(ROWS)


@pytest.mark.parametrize("state", list(S))
def test_what_has_no_row_is_absorbed_and_counted(wire, state):
    """The call is as it was."""
    Ringing(wire)
    (call,) = wire.core.calls.live()
    call.state = state
    for what in set(I) - set(CALL_TABLE[state]):
        before = wire.core.absorbed
        assert not wire.core.calls.move(call, what, wire.now)
        assert (call.state, wire.core.absorbed) == (state, before + 1)


def test_a_late_word_of_the_store_is_absorbed(wire):
    """An admission that was answered twice, for a call that is gone, or with words of another verb."""
    call = Established(wire)
    verb = wire.asked[0]
    hang_up(call)
    wire.limiter.submit(verb)
    wire.limiter.flush()
    assert (wire.core.calls.absorbed, len(wire.ended)) == (1, 1)
    wire.core.limiter_answered(verb, Settled(already=True), wire.now)
    assert wire.core.calls.absorbed == 1


# -- renewals ----------------------------------------------------------------------------------------------------------


def test_a_running_call_renews_its_lease():
    """Every `renew_s`, as long as it lasts; not after its end."""
    wire = Wire(settings=Settings(node="e", renew_s=10, lease_ms=30_000))
    call = Established(wire)
    wire.advance(100)
    renewals = [verb for verb in wire.asked if isinstance(verb, Renew)]
    assert 10 <= len(renewals) <= 11
    uid = wire.core.calls.live()[0].uid
    assert {("acme", (uid,), "e", 30_000)} == {renewal[:4] for renewal in renewals}
    assert wire.in_use() == 1
    hang_up(call)
    count = len(wire.asked)
    wire.advance(100)
    assert (len(wire.asked), wire.in_use()) == (count, 0)


def test_a_ringing_call_renews_its_lease(wire):
    """From admission on: ringing may outlast a lease."""
    Ringing(wire)
    wire.advance(60)
    assert wire.in_use() == 1


def test_renewals_of_one_account_travel_together(wire):
    """Those that fall due in one wake-up are one verb, of at most 128 leases."""
    for _ in range(3):
        Ringing(wire)
    Ringing(wire, source=SBC, extra="X-Account: fragile")
    wire.advance(10.1)
    renewals = [verb for verb in wire.asked if isinstance(verb, Renew)]
    assert [("acme", 3), ("fragile", 1)] == [(verb.account, len(verb.uids)) for verb in renewals]


def test_no_call_that_has_just_ended_is_renewed():
    """The call reaches its end in the wake-up in which its lease falls due."""
    wire = Wire(settings=Settings(node="e", max_duration_s=10, renew_s=10))
    caller = Caller(wire)
    nowhere = b"Contact: <tel:+331>"
    wire.send(caller.request("INVITE").replace(b"Contact: <sip:caller@192.0.2.1:5060>", nowhere))
    Callee(wire, *wire.requests_to(TRUNK_A)).answer(200, contact="tel:+332")
    caller.learn(wire.responses_to(CALLER)[-1])
    caller.remote_target = b"sip:198.51.100.1"
    caller.ack()
    wire.advance(10.1)
    assert (len(wire.ended), [type(verb) for verb in wire.asked[1:]]) == (1, [Answer, Settle])


def test_what_renewals_tell(wire):
    """A lease taken again and a call settled by somebody else are facts."""
    Established(wire)
    (call,) = wire.core.calls.live()
    wire.limiter.submit(Settle("acme", call.uid, "failed", 0))
    wire.limiter.flush()
    wire.advance(10.1)
    assert [{"call_uid": call.uid, "account": "acme"}] == wire.told("lease.ended_elsewhere")


def test_a_lease_outlives_a_store_that_is_away_for_a_while(wire):
    """Running calls keep running; when the store is back their leases are taken again."""
    Established(wire)
    wire.is_store_away = True
    wire.advance(45)
    assert (wire.in_use(), len(wire.core.calls)) == (0, 1)
    wire.is_store_away = False
    wire.advance(10)
    assert (wire.in_use(), len(wire.told("lease.reasserted"))) == (1, 1)


# -- nothing is left ---------------------------------------------------------------------------------------------------

OURS = (Call, Dialog, ResponseContext, Branch, Ending, Transaction)


def _answered(wire):
    call = Established(wire)
    hang_up(call)


def _busy(wire):
    call = Ringing(wire)
    call.callee.answer(486)
    call.caller.ack_failure(*wire.responses_to(CALLER))


def _cancelled(wire):
    call = Ringing(wire)
    call.caller.cancel()
    call.callee.answer(487)
    call.caller.ack_failure(wire.responses_to(CALLER)[-1])


def _failed_over(wire):
    caller = Caller(wire)
    caller.start()
    fail(wire)
    wire.advance(10)
    caller.ack_failure(wire.responses_to(CALLER)[-1])


def _vanished(wire):
    call = Ringing(wire)
    call.callee.answer(200)


def _torn_down(wire):
    call = Established(wire)
    call.caller.say("INFO")
    wire.core.hang_up_all("operator", wire.now)
    wire.pump()


def _forked(wire):
    call = Ringing(wire)
    call.callee.answer(200)
    Callee(wire, call.invite, tag="other").answer(200)
    for answer in wire.responses_to(CALLER):
        call.caller.learn(answer)
        call.caller.ack()
        call.caller.say("BYE")
    for bye in wire.requests_to(TRUNK_A, b"BYE"):
        wire.send(reply(bye, 200), TRUNK_A)


def _never_answered(wire):
    Ringing(wire)
    wire.advance(190)


WAYS = [_answered, _busy, _cancelled, _failed_over, _vanished, _torn_down, _forked, _never_answered]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__[1:])
def test_counting_alone_frees_what_a_call_held(wire, way):
    """Without the collector: two hundred seconds after the last call no object of ours is left, and no lease."""
    gc.disable()
    gc.freeze()  # what was there before is out of sight
    try:
        before = Counter(type(thing) for thing in gc.get_objects() if isinstance(thing, OURS))
        way(wire)
        wire.sent.clear()
        wire.advance(200)
        wire.sent.clear()
        after = Counter(type(thing) for thing in gc.get_objects() if isinstance(thing, OURS))
    finally:
        gc.unfreeze()
        gc.enable()
    assert (NOTHING, 0, 1) == (wire.held, wire.in_use(), len(wire.ended))
    assert before == after


def test_whatever_is_made_past_its_constructor_is_whole(wire):
    """A tuple made at once has every field, of its type: one more in `limits.model` is one more here."""
    hang_up(Established(wire))
    (facts,) = wire.ended
    assert {type(verb) for verb in wire.asked} >= {Admit, Answer, Settle}
    for made in (*wire.asked, facts.in_force):
        assert (len(made), made) == (len(made._fields), type(made)(**made._asdict()))
        for name, default in made._field_defaults.items():
            found = getattr(made, name)
            assert default is None or found is None or type(found) is type(default), name
