"""Running calls as an operator sees them, and which calls a filter means."""

import pytest
from network import CALLER, TRUNK_A, WALL_OFFSET, Caller, Established, Ringing, fail

from edge.control.questions import CallFilter, read, write
from edge.control.rows import CallDetail, CallRow
from edge.control.running import detail_of, matches, row_of


def only(wire):
    (call,) = wire.core.calls.live()
    return call


def test_a_row_says_whose_call_it_is_and_where_it_stands(wire):
    """Numbers, trunks, instants in UTC ms."""
    wire.advance(1)
    Established(wire)
    row = row_of(only(wire), "edge1", WALL_OFFSET)
    assert (row.node, row.state, row.account) == ("edge1", "answered", "acme")
    assert (row.ingress_trunk, row.egress_trunk, row.source) == ("acme-pbx", "a", "192.0.2.1:5060")
    assert (row.cli, row.called) == ("+33612345678", "+33170000001")
    assert row.received_ms == row.answered_ms == int((WALL_OFFSET + 1001) * 1_000)
    assert read(CallRow, write(row)) == row


def test_a_ringing_call_has_no_answer_yet(wire):
    """None is not nought."""
    Ringing(wire)
    row = row_of(only(wire), "edge1", WALL_OFFSET)
    assert (row.state, row.answered_ms) == ("setup", None)


def test_alone_a_call_tells_its_tries_and_its_dialogs(wire):
    """A trunk that failed, the one that took it, the dialog there is."""
    caller = Caller(wire)
    caller.start()
    fail(wire, 503)
    wire.advance(2)
    detail = detail_of(only(wire), "edge1", WALL_OFFSET)
    assert [(one.trunk, one.status, one.ended_ms is None) for one in detail.tries] == [
        ("a", 503, False),
        ("b", 0, True),
    ]
    assert (detail.dialogs, detail.holders, detail.policy_generation) == ((), ("acme",), 7)
    assert (detail.caps_in_force, detail.calls_in_force, detail.decided_by) == (100, 3, "limits")
    assert read(CallDetail, write(detail)) == detail


def test_a_dialog_is_told_with_what_it_waits_for(wire):
    """Confirmed and acknowledged."""
    Established(wire)
    (dialog,) = detail_of(only(wire), "edge1", WALL_OFFSET).dialogs
    assert (dialog.to_tag, dialog.is_confirmed, dialog.is_acked, dialog.is_ended) == ("callee", True, True, False)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (CallFilter(), True),
        (CallFilter(account="acme"), True),
        (CallFilter(account="acm"), False),
        (CallFilter(trunk="a"), True),
        (CallFilter(trunk="acme-pbx"), True),
        (CallFilter(trunk="b"), False),
        (CallFilter(state="answered"), True),
        (CallFilter(state="setup"), False),
        (CallFilter(source="192.0.2.1"), True),
        (CallFilter(source="192.0.2.1:5060"), True),
        (CallFilter(source="192.0.2.1:5061"), False),
        (CallFilter(number="0612345678"), True),
        (CallFilter(number="01 70 00 00 01"), True),
        (CallFilter(number="0170000002"), False),
        (CallFilter(account="acme", number="0170000002"), False),
        (CallFilter(call_id="nobody's"), False),
    ],
)
def test_a_filter_means_what_is_all_so(wire, wanted, expected):
    """What is empty does not count."""
    Established(wire)
    assert matches(only(wire), wanted) is expected


def test_a_call_is_found_by_its_call_id(wire):
    """The whole of it."""
    call = Established(wire)
    assert matches(only(wire), CallFilter(call_id=call.caller.call_id))
    assert (CALLER, TRUNK_A) == (call.caller.source, call.callee.address)
