"""Called numbers become pseudonyms of the same length."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.cdr.builder import CdrBuilder
from edge.cdr.pseudonym import COLUMNS, MARK, pseudonym, pseudonymised
from edge.cdr.seal import Soundness, sealed, soundness
from edge.proxy.facts import CallFacts

KEY, OTHER = b"k" * 32, b"o" * 32


def line(called: str, original: str = "", **texts: str) -> bytes:
    facts = CallFacts("u", 1.0)
    facts.called, facts.called_original = called, original
    for name, text in texts.items():
        setattr(facts, name, text)
    return sealed(CdrBuilder("n", wall0=1.7e9, mono0=0.0).line(facts, 1))


def test_a_number_is_replaced_and_nothing_moves():
    """Same length, sound, everything else as it was; twice changes nothing more."""
    before = line("+33170000001", "0170000001")
    after = pseudonymised(before, KEY)
    old, new = json.loads(before), json.loads(after)
    assert (len(after), soundness(after)) == (len(before), Soundness.SOUND)
    assert new["called"].startswith(MARK)
    assert "70000001" not in after.decode()
    assert {name: value for name, value in old.items() if name not in (*COLUMNS, "crc")} == {
        name: value for name, value in new.items() if name not in (*COLUMNS, "crc")
    }
    assert pseudonymised(after, KEY) == after


def test_the_same_number_has_the_same_pseudonym_under_one_key():
    """Calls to it can be counted together; under another key they cannot be joined."""
    of = [json.loads(pseudonymised(line(n), k))["called"] for n, k in (("+33170000001", KEY),) * 2]
    assert of[0] == of[1]
    assert of[0] != json.loads(pseudonymised(line("+33170000001"), OTHER))["called"]
    assert of[0] != json.loads(pseudonymised(line("+33170000002"), KEY))["called"]


@pytest.mark.parametrize("number", ["112", "15", "3000", "118218", ""])
def test_short_numbers_stay(number):
    """Services and emergency numbers belong to nobody."""
    assert pseudonymised(line(number), KEY) == line(number)


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_no_text_of_a_caller_confuses_it(called, original, call_id):
    """Quotes, controls, texts that look like columns: one line, sound, same length, no long number left."""
    before = line(called + "0123456789", original, call_id=call_id + '","called":"+33170000001"', cli_original=called)
    after = pseudonymised(before, KEY)
    assert (len(after), soundness(after), after.count(b"\n")) == (len(before), Soundness.SOUND, 1)
    old, new = json.loads(before), json.loads(after)
    assert new["called"].startswith(MARK)
    assert (new["call_id"], new["cli_original"]) == (old["call_id"], old["cli_original"])


@pytest.mark.parametrize("size", [1, 7, 12, 53, 500])
def test_a_pseudonym_has_any_length(size):
    """Plain ASCII that needs no escapes."""
    made = pseudonym("+33170000001", size, KEY)
    assert len(made) == size
    assert made.isascii()
    assert json.loads(b'"' + made + b'"') == made.decode()


def test_what_is_no_record_comes_back():
    """A damaged line is evidence: it is not touched."""
    damaged = line("+33170000001").replace(b'"v":1', b'"v":9')
    assert pseudonymised(damaged, KEY) == damaged
    older = b'{"v":1,"seq":1,"called":"+33170000001"}\n'
    assert len(pseudonymised(older, KEY)) == len(older)
    assert b"70000001" not in pseudonymised(older, KEY)
