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
        stage.sends.clear()
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
