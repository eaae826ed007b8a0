"""The walker itself: states, re-entrance, ends, and what a transaction lets go of."""

import gc
import weakref

import pytest

from edge.sip.transaction.machine import Input, State


def test_a_letter_of_the_wheel_is_an_input(stage):
    """A plain str finds the row of its `Input`."""
    txn = stage.server()
    stage.respond(txn, 486)
    txn.fire("G", stage.now)
    assert stage.sent() == ["486", "486"]


def test_every_input_has_its_own_text():
    """Two inputs of one text would share a row."""
    assert len(Input) == len({str(name) for name in Input})


def test_the_user_finds_the_transaction_in_its_next_state(stage):
    """The state is assigned before the effect: the user may call back."""
    seen = []
    stage.on_timeout = lambda txn, now: seen.append((txn.state, len(stage.layer)))
    stage.client()
    stage.wait(33)
    assert seen == [(State.TERMINATED, 1)]


def test_the_end_comes_even_where_the_user_fails(stage):
    """A defect in `on_timeout` leaves no transaction behind."""

    def fail(txn, now):
        raise RuntimeError

    stage.on_timeout = fail
    txn = stage.client()
    stage.wait(31)
    with pytest.raises(RuntimeError):
        stage.wait(2)
    assert (len(stage.layer), txn.state) == (0, State.TERMINATED)


def test_the_end_is_complete_even_where_on_gone_fails(stage):
    """What it held is gone too."""

    def fail(txn):
        raise RuntimeError

    stage.on_gone = fail
    txn = stage.client()
    with pytest.raises(RuntimeError):
        stage.layer.abandon(txn)
    assert (len(stage.layer), txn.user, txn.last) == (0, None, None)


def test_on_gone_still_sees_request_and_user(stage):
    """They go when it returns."""
    seen = []
    stage.on_gone = lambda txn: seen.append((txn.request.method, txn.user is stage, len(stage.layer)))
    txn = stage.client()
    stage.layer.abandon(txn)
    assert seen == [(b"INVITE", True, 0)]
    assert (txn.user, txn.last, hasattr(txn, "request")) == (None, None, False)


def test_counting_references_alone_frees_what_is_gone(stage, a_request, a_response):
    """No cycle is left for the collector, even while a late timer still waits in the wheel."""

    class Context:
        """A user that holds its transaction, as a response context does."""

        def __init__(self):
            self.txn = None

    gc.disable()
    try:
        context = Context()
        context.txn = stage.layer.start(
            a_request(), stage.client("OPTIONS", branch="z9hG4bKx").flow, stage.now, user=context
        )
        watch = weakref.ref(context)
        stage.receive(a_response(486))
        stage.forget_sends()
        stage.wait(33)
        assert len(stage.layer) == 0
        del context
        assert None is watch()
    finally:
        gc.enable()


def test_a_timer_that_outlives_its_transaction_does_nothing(stage, a_request):
    """There is no cancel: the last G of a confirmed failure finds no row."""
    txn = stage.server()
    stage.respond(txn, 486)
    stage.receive(a_request("ACK"))
    stage.taken()
    for letter in ("G", "H", "100", "A", "nonsense"):
        txn.fire(letter, stage.now)
    assert (stage.taken(), txn.state) == ([], "Confirmed")


def test_a_transaction_says_what_it_is(stage):
    """For whoever reads an error of ours."""
    assert repr(stage.client()) == "<INVITE client transaction b'z9hG4bK74bf9' Calling>"
    assert repr(stage.server("BYE")) == "<BYE server transaction b'z9hG4bK74bf9' Trying>"


def test_what_a_finished_transaction_still_holds(stage, a_request, a_response):
    """Only what its remaining rows or its user may ask for: the rest is memory that waits for a timer."""
    accepted, refused = stage.server(branch="z9hG4bK1"), stage.server(branch="z9hG4bK2")
    stage.respond(accepted, 200)
    stage.respond(refused, 486)
    bye = stage.server("BYE", branch="z9hG4bK3")
    stage.respond(bye, 200)
    answered, failed = stage.client(branch="z9hG4bK4"), stage.client(branch="z9hG4bK5")
    stage.receive(a_response(200, branch="z9hG4bK4"))
    stage.receive(a_response(486, branch="z9hG4bK5"))
    options = stage.client("OPTIONS", branch="z9hG4bK6")
    stage.receive(a_response(200, "OPTIONS", branch="z9hG4bK6"))

    for server in (accepted, refused):
        assert (server.request.call_id(), server.request.cseq(), server.request.lines) == (b"c1", (1, b"INVITE"), [])
    assert (accepted.last, refused.last is None) == (None, False)
    assert (hasattr(bye, "request"), bye.last is None) == (False, False)
    assert (answered.last, answered.request.data, answered.request.cseq().number) == (None, b"", 1)
    assert answered.request.lines == [], "it came without a Contact"
    assert (hasattr(failed, "request"), failed.last[:4]) == (False, b"ACK ")
    assert (hasattr(options, "request"), options.last) == (False, None)
    assert answered.user is failed.user is options.user is stage

    stage.receive(a_request("ACK", branch="z9hG4bK2"))
    assert (refused.state, refused.last) == ("Confirmed", None)
    stage.wait(33)
    assert len(stage.layer) == 0
