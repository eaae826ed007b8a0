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


def line(called: str, original: str = "", **texts: object) -> bytes:
    facts = CallFacts("u", 1.0)
    facts.called, facts.called_original = called, original
    for name, text in texts.items():
        setattr(facts, name, text)
    return sealed(CdrBuilder("n", wall0=1.7e9, mono0=0.0).line(facts, 1))


def test_a_number_is_replaced_and_nothing_moves():
    """Same length, sound, everything else as it was."""
    before = line("+33170000001", "0170000001")
    after = pseudonymised(before, KEY)
    old, new = json.loads(before), json.loads(after)
    assert (len(after), soundness(after)) == (len(before), Soundness.SOUND)
    assert new["called"].startswith(MARK)
    assert "70000001" not in after.decode()
    assert {name: value for name, value in old.items() if name not in (*COLUMNS, "crc")} == {
        name: value for name, value in new.items() if name not in (*COLUMNS, "crc")
    }


def test_a_number_in_the_clothes_of_a_pseudonym_is_replaced():
    """Whoever dials the mark before a number does not keep the number from going."""
    after = pseudonymised(line("", "~33170000001"), KEY)
    assert b"70000001" not in after
    assert json.loads(after)["called_original"].startswith(MARK)


def test_numbers_in_kept_header_fields_go():
    """Diversion and History-Info name numbers that were called; an asserted identity is the caller's."""
    fields = [
        ("p-asserted-identity", "<sip:+33199001234@x>"),
        ("diversion", '"é" <sip:+33170000001@x>;reason=unconditional'),
        ("History-Info", "<sip:+33170000001@x>;index=1"),
        ("diversion", "<sip:112@x>"),
    ]
    before = line("+33170000001", headers=fields)
    after = pseudonymised(before, KEY)
    assert (len(after), soundness(after)) == (len(before), Soundness.SOUND)
    assert b"70000001" not in after
    kept = json.loads(after)["headers"]
    assert [name for name, _ in kept] == [name for name, _ in fields]
    assert [kept[0][1], kept[3][1]] == [fields[0][1], fields[3][1]]
    assert kept[1][1].startswith(MARK)
    assert kept[1][1] != kept[2][1]


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
