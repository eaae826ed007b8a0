"""edge.cdr.delivery.layout"""

import csv
import io
import json

from hypothesis import given
from hypothesis import strategies as st

from edge.cdr.delivery.consumer import Entry
from edge.cdr.delivery.layout import Csv, JsonLines, field

VALUES = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=20),
    st.integers(-(2**53), 2**53),
    st.booleans(),
    st.none(),
    st.lists(st.text(st.characters(codec="utf-8"), max_size=5), max_size=3),
)


def entry(seq: int, **values: object) -> Entry:
    record = {"seq": seq, "uid": f"u{seq}", **values}
    return Entry(seq, f"u{seq}", json.dumps(record).encode() + b"\n", record, "", 0)


def test_csv_has_chosen_columns_in_their_order():
    """RFC 4180: quoted where it must be, CR LF at the end of a line."""
    layout = Csv(["uid", "seq", "cli", "emergency", "ringing_at", "candidates", "unheard_of"])
    rows = layout.rows([entry(7, cli='a "b", c', emergency=True, ringing_at=None, candidates=[["out", 200]])])
    assert layout.header == b"uid,seq,cli,emergency,ringing_at,candidates,unheard_of\r\n"
    assert rows == b'u7,7,"a ""b"", c",true,,"[[""out"",200]]",\r\n'


def test_csv_may_have_another_delimiter_and_no_header():
    """As a rating engine wants it."""
    layout = Csv(["seq", "x"], delimiter=";", has_header=False)
    assert (b"", b'1;"a;b"\r\n2;c,d\r\n') == (layout.header, layout.rows([entry(1, x="a;b"), entry(2, x="c,d")]))


@given(st.lists(VALUES, min_size=2, max_size=5))
def test_whatever_stands_in_a_record_one_csv_reader_gets_it_back(values):
    """No text of a caller makes a line of its own or shifts a column."""
    columns = [f"c{place}" for place in range(len(values))]
    rows = Csv(columns).rows([entry(1, **dict(zip(columns, values, strict=True)))])
    found = list(csv.reader(io.StringIO(rows.decode(), newline="")))
    assert [[field(value) for value in values]] == found


def test_json_lines_are_those_of_the_log():
    """Byte for byte."""
    first, second = entry(1, x="é"), entry(2)
    assert (b"", first.line + second.line) == (JsonLines.header, JsonLines().rows([first, second]))
