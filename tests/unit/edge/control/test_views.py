"""What a terminal shows of nodes, calls and the journal."""

from dataclasses import replace

import pytest
from network import WALL_OFFSET, Established
from typer.testing import CliRunner

from edge.commands import app
from edge.control.client import Journal, NodeState
from edge.control.meter import Identity, Meter
from edge.control.questions import Done, JournalEntry
from edge.control.rows import Calls
from edge.control.running import detail_of, row_of
from edge.control.views import (
    call_lines,
    detail_lines,
    drained_line,
    hung_up_line,
    journal_lines,
    node_lines,
    silent_line,
)
from edge.terminal import USAGE, cut

NOW_MS = int((WALL_OFFSET + 1_060) * 1_000)


@pytest.fixture
def snapshot(wire, sources):
    identity = Identity("0.1", (), wire.now - 3_725, WALL_OFFSET)
    return Meter(wire.now).snapshot(sources, wire.core, identity, {}, wire.now, draining="", traces=0)


def test_a_node_is_a_line_with_what_is_wrong_with_it(snapshot):
    """In columns; a node that is silent says since when."""
    sick = replace(
        snapshot, node="edge2", draining="operator", store_up=False, is_overloaded=True, policy_is_stale=True,
        cdr_is_failing=True, escaped=2, traces=1,
    )  # fmt: skip
    lines = node_lines(
        [
            NodeState("edge1", 400, snapshot),
            NodeState("edge2", 400, sick),
            NodeState("gone", 125_000, None),
            NodeState("new", 0, None),
        ]
    )
    assert lines == [
        "NODE   STATE          UP  CALLS  ATT/S  REF/S  POLICY  VERSION",
        "edge1  up        1:02:05      0      0      0       7  0.1",
        "edge2  draining  1:02:05      0      0      0       7  0.1      "
        "store away, overloaded, policy stale, CDRs failing, 2 faults, 1 traces",
        "gone   silent          -      -      -      -       -  -        last heard 2:05 ago",
        "new    starting        -      -      -      -       -  -        shows nothing yet",
    ]
    assert node_lines([]) == ["no node has been on this store in the last day"]


def test_calls_are_a_table_that_says_what_is_missing(wire):
    """Time since the answer, the beginning of the uid; more than was asked for; nodes that did not answer."""
    Established(wire)
    (call,) = wire.core.calls.live()
    found = Calls((row_of(call, "edge1", WALL_OFFSET),), True, 9, ("edge2",))
    assert call_lines(found, NOW_MS, limit=1) == [
        " FOR  CALL          STATE     ACCOUNT  FROM          TO            TRUNK  NODE",
        f"1:00  {call.uid[:12]}  answered  acme     +33612345678  +33170000001  a      edge1",
        "more than 1 calls match: ask for fewer, or set --limit",
    ]
    assert silent_line(found) == "no answer from edge2: calls of it are missing here"
    assert (call_lines(Calls((), False, 0), NOW_MS, limit=1), silent_line(Calls((), False, 0))) == (
        ["no such call runs"], "",
    )  # fmt: skip


def test_one_call_tells_its_story(wire):
    """What it is, what it holds, its dialog, what happened when."""
    wire.advance(1)
    Established(wire)
    (call,) = wire.core.calls.live()
    lines = detail_lines(detail_of(call, "edge1", WALL_OFFSET), NOW_MS)
    assert lines[0] == f"call        {call.uid} on node edge1, answered"
    assert "way         192.0.2.1:5060 by acme-pbx over udp:192.0.2.10:5060 to a" in lines
    assert "ceilings    CAPS 100, calls 3" in lines
    assert "dialog      callee: answered" in lines
    assert [line.split(" s  ")[1] for line in lines[lines.index("") + 1 :]] == [
        "INVITE arrived", "decided", "sent to a", "a: 200", "rings", "answered", "now",
    ]  # fmt: skip
    assert lines[-1].endswith("+59.000 s  now")


def test_a_name_full_of_control_characters_cannot_move_the_cursor():
    """What a caller sent is shown, and no more than there is room for."""
    assert cut("\x1b[2Jx\n\x00", 20) == "?[2Jx??"
    assert cut("abcdef", 4) == "abc…"


def test_changes_and_the_journal_are_sentences():
    """Who, what, why; and whether it was so before."""
    assert hung_up_line("0af", Done(1, True, "acme")) == "0af: hung up, of account acme"
    assert drained_line("n1", Done(3, True), drains=True) == "n1: takes no new attempts; 3 calls go on"
    assert drained_line("n1", Done(3, False), drains=True) == "n1: took no new attempts already; 3 calls go on"
    assert drained_line("n1", Done(3, True), drains=False) == "n1: takes new attempts again; 3 calls"
    entries = [
        Journal(0, JournalEntry("n1", "hang_up", "ops", "fraud", "0af", "acme")),
        Journal(0, JournalEntry("n1", "undrain", "", "", fault="stopping")),
    ]
    assert journal_lines(entries) == [
        "1970-01-01 00:00:00Z  n1  ops  hang up 0af of acme: fraud",
        "1970-01-01 00:00:00Z  n1  -  undrain (not done: stopping)",
    ]
    assert journal_lines([]) == ["nothing yet"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["calls", "show", "not-hex", "--redis", "redis://127.0.0.1:1"], "expected the uid of a call"),
        (["calls", "hangup", "0af", "--redis", "redis://127.0.0.1:1"], "--reason"),
        (["drain", "n1", "--reason", "a\nb", "--redis", "redis://127.0.0.1:1"], "--reason"),
        (["nodes", "--redis", "nowhere"], "redis"),
    ],
)
def test_a_wrong_command_is_told_before_anything_is_done(words, said):
    """Exit 2, and which word it was."""
    result = CliRunner().invoke(app, words)
    assert result.exit_code == USAGE
    assert said in result.output
