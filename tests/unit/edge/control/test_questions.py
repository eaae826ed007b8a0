"""What is asked and answered, on the wire: it comes back as it went, and nothing else is believed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.control.questions import (
    MAX_ANSWER_BYTES,
    MAX_QUESTION_BYTES,
    CallFilter,
    Done,
    Drain,
    Fault,
    HangUp,
    JournalEntry,
    ListCalls,
    Outcome,
    Question,
    ShowCall,
    Undrain,
    read,
    read_answer,
    read_question,
    write,
    write_answer,
)

ASKS = (
    ListCalls(CallFilter(account="acme", number="+33 6 12", state="answered"), 7),
    ShowCall("0a1b"),
    HangUp("0a1b"),
    Drain(),
    Undrain(),
)


@pytest.mark.parametrize("ask", ASKS, ids=lambda ask: ask.verb)
def test_a_question_comes_back_as_it_went(ask):
    """Whatever is asked, by whomever, for whatever reason."""
    question = Question("0af", ask, "André", "complaint 4411")
    assert read_question(write(question)) == question


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"id": "NOT HEX"}, "id"),
        ({"id": ""}, "id"),
        ({"by": "x" * 101}, "by"),
        ({"why": "a\nb"}, "why"),
        ({"ask": {"verb": "format_disk"}}, "ask"),
        ({"ask": {"verb": "hang_up"}}, "uid"),
        ({"ask": {"verb": "list_calls", "limit": 0}}, "limit"),
        ({"ask": {"verb": "list_calls", "limit": 1_001}}, "limit"),
        ({"ask": {"verb": "list_calls", "filter": {"account": "x" * 129}}}, "account"),
    ],
)
def test_what_is_out_of_bounds_is_named(change, where):
    """The field is in the sentence, which is one line."""
    words = json.loads(write(Question("0af", HangUp("1"), "ops", "why"))) | change
    with pytest.raises(ValueError, match=where) as caught:
        read_question(json.dumps(words).encode())
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=200))
def test_no_bytes_do_harm(data):
    """They are read, or refused; nothing else."""
    for reader in (read_question, lambda data: read_answer(Done, data)):
        try:
            reader(data)
        except ValueError:
            continue


def test_an_answer_comes_back_as_it_went():
    """How it went first; what was found after it."""
    outcome, done = Outcome("n1"), Done(3, False, "acme")
    assert read_answer(Done, write_answer(outcome, done)) == (outcome, done)


def test_with_a_fault_nothing_was_found():
    """The word of a later version is kept as it is."""
    for fault in (Fault.UNKNOWN_CALL, "out_of_patience"):
        found = read_answer(Done, write_answer(Outcome("n1", fault, "so"), None))
        assert found == (Outcome("n1", str(fault), "so"), None)


def test_an_answer_of_another_shape_is_refused():
    """As is one that is too long, on either way."""
    with pytest.raises(ValueError, match="calls"):
        read_answer(Done, b'{"node":"n1"}\n{"calls":"many"}')
    with pytest.raises(ValueError, match="bytes"):
        read_answer(Done, b"x" * (MAX_ANSWER_BYTES + 1))
    with pytest.raises(ValueError, match="bytes"):
        read_question(b" " * (MAX_QUESTION_BYTES + 1))


def test_an_entry_of_a_later_version_is_read_as_far_as_it_is_known():
    """A reader of today takes the words that it knows."""
    entry = JournalEntry("n1", "drain", "ops", "kernel")
    assert read(JournalEntry, write(entry)[:-1] + b',"approved_by":"boss"}') == entry
