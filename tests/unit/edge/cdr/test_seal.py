"""The sum that each line ends with."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.cdr.seal import TAIL, Soundness, crc_of, sealed, seq_of, soundness

OLDER = b'{"v":1,"seq":42,"node":"n"}\n'
LINE = b'{"v":1,"seq":42,"node":"n","penalty_candidates":[]}\n'
OBJECTS = st.dictionaries(st.text(max_size=8), st.text(max_size=40) | st.integers(), min_size=1, max_size=5)


@given(OBJECTS.map(lambda record: json.dumps(record).encode() + b"\n"))
def test_a_sealed_line_is_the_same_object_with_one_key_more(line):
    """Still one line of JSON; the sum is its last key."""
    again = sealed(line)
    record = json.loads(again)
    assert soundness(again) is Soundness.SOUND
    assert list(record)[-1] == "crc"
    assert {**json.loads(line), "crc": crc_of(again)} == record
    assert len(again) == len(line) + TAIL - 2


@given(st.data())
def test_no_flipped_byte_goes_unseen(data):
    """Any byte of the line, changed to any other: damaged (or, where the seal itself broke, no seal of ours)."""
    line = bytearray(sealed(LINE))
    place = data.draw(st.integers(0, len(line) - 1))
    line[place] = (line[place] + data.draw(st.integers(1, 255))) % 256
    assert soundness(bytes(line)) is Soundness.DAMAGED


@pytest.mark.parametrize("cut", range(len(sealed(LINE))))
def test_a_line_cut_anywhere_is_damaged(cut):
    """At every byte."""
    assert soundness(sealed(LINE)[:cut]) is Soundness.DAMAGED


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (OLDER, Soundness.UNSEALED),
        (OLDER[:-1], Soundness.DAMAGED),
        (LINE, Soundness.DAMAGED),
        (b"{x}\n", Soundness.DAMAGED),
        (b"\n", Soundness.DAMAGED),
        (b"\0" * 40 + b"\n", Soundness.DAMAGED),
        (b"[]\n", Soundness.DAMAGED),
        (sealed(LINE).replace(b'"crc"', b'"sum"'), Soundness.DAMAGED),
    ],
)
def test_what_has_no_sum(line, expected):
    """A line of an older edge is let through; what is no object is not."""
    assert expected is soundness(line)
    assert crc_of(LINE) == ""


@pytest.mark.parametrize(
    ("line", "expected"),
    [(LINE, 42), (b'{"v":1,"seq":7}\n', 7), (b'{"seq":7,"v":1}\n', None), (b'{"v":1,"seq":"7"}\n', None), (b"", None)],
)
def test_the_number_is_read_off_the_beginning(line, expected):
    """Version and number come first in every record."""
    assert expected == seq_of(line)
