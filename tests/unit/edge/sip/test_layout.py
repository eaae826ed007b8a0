"""edge.sip.layout: which header field stands on which line, and what is remembered of it."""

import pytest

from edge.sip import layout
from edge.sip.layout import (
    MAX_GUESSES,
    MAX_LAYOUT_BYTES,
    MAX_LAYOUTS,
    MAX_STEPS,
    guessed,
    layout_of,
    remember,
    survey,
    with_line,
    without_line,
)

SOUND = [b"Via: a", b"f: b", b"To: c", b"Call-ID: d", b"CSeq: e"]
NAMES = (b"Via:", b"f:", b"To:", b"Call-ID:", b"CSeq:")


@pytest.fixture(autouse=True)
def _nothing_known() -> None:
    layout._guesses.clear()
    layout._layouts.clear()
    layout._steps.clear()


def test_positions_under_canonical_names() -> None:
    """Compact forms and case do not matter; repeated names keep their order."""
    found = layout_of((b"v:", b"VIA :", b"X-Y:", b"cseq:", b"l:"))

    assert found.positions == {b"via": (0, 1), b"x-y": (2,), b"cseq": (3,), b"content-length": (4,)}
    assert found.first == {b"via": (0, 2), b"x-y": (2, 4), b"cseq": (3, 5), b"content-length": (4, 2)}
    assert (found.cseq_at, found.length_at) == (3, 4)
    assert (layout_of(()).cseq_at, layout_of(()).length_at) == (-1, -1)


@pytest.mark.parametrize("missing", range(5))
def test_a_missing_field_is_a_fault(missing: int) -> None:
    """Each of the five, by its printed name."""
    shown = ("Via", "From", "To", "Call-ID", "CSeq")[missing]

    assert layout_of(NAMES[:missing] + NAMES[missing + 1 :]).fault == f"no {shown} header"


@pytest.mark.parametrize(
    ("again", "fault"),
    [
        (b"i:", "more than one Call-ID header"),
        (b"CSEQ :", "more than one CSeq header"),
        (b"From:", "more than one From header"),
        (b"t:", "more than one To header"),
        (b"Via:", ""),
        (b"Contact:", ""),
    ],
)
def test_a_repeated_field_is_a_fault_if_it_stands_once(again: bytes, fault: str) -> None:
    """Via may repeat, Call-ID may not."""
    assert layout_of((*NAMES, again)).fault == fault


def test_a_guess_is_confirmed_line_by_line() -> None:
    """Same word, same number of lines, another order: no match."""
    assert guessed(b"INVITE", SOUND) is None

    remember(b"INVITE", layout_of(NAMES))

    assert guessed(b"INVITE", SOUND) is layout_of(NAMES)
    assert guessed(b"BYE", SOUND) is None
    assert guessed(b"INVITE", [*SOUND, b"X: y"]) is None
    assert guessed(b"INVITE", [SOUND[1], SOUND[0], *SOUND[2:]]) is None
    assert guessed(b"INVITE", [b"Via", *SOUND[1:]]) is None


def test_guesses_are_bounded_and_the_newest_is_first() -> None:
    """Peers with ever new layouts cost time, not memory."""
    for number in range(MAX_GUESSES + 3):
        remember(b"INVITE", layout_of((*NAMES, b"X-%d:" % number)))
    for number in range(MAX_LAYOUTS + 3):
        remember(b"M%d" % number, layout_of(NAMES))

    assert len(layout._guesses) <= MAX_LAYOUTS
    assert max(map(len, layout._guesses.values())) <= MAX_GUESSES


def test_layouts_are_bounded_in_number_and_bytes() -> None:
    """The store forgets its oldest; a very long layout is never stored, nor guessed."""
    for number in range(MAX_LAYOUTS + 3):
        layout_of((b"X-%d:" % number,))
    long = (*NAMES, b"X" * MAX_LAYOUT_BYTES + b":")
    remember(b"INVITE", layout_of(long))
    remember(b"M" * 40, layout_of(NAMES))

    assert len(layout._layouts) <= MAX_LAYOUTS
    assert long not in layout._layouts
    assert layout._guesses == {}


def test_survey_joins_folds() -> None:
    """A folded header field is one row with its folds."""
    rows, found, fault, _ = survey([b"Via: a", b" ;b", b"\t;c", *SOUND[1:]])

    assert rows[0] == b"Via: a\r\n ;b\r\n\t;c"
    assert (found.names, fault) == (NAMES, "")


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"no colon", "no colon in a header line"),
        (b"a b: c", "bad header name"),
        (b": c", "bad header name"),
        (b"", "no colon in a header line"),
        (b"X: a\nb", "bare CR, LF or NUL in a header"),
        (b"X: a\rb", "bare CR, LF or NUL in a header"),
        (b"X: a\0b", "bare CR, LF or NUL in a header"),
    ],
)
def test_survey_leaves_bad_lines_out(line: bytes, fault: str) -> None:
    """The fault says which row; the other fields can be read all the same."""
    rows, found, said, at = survey([*SOUND[:2], line, *SOUND[2:]])

    assert (said, at, rows[2]) == (fault, 2, line)
    assert found.positions[b"call-id"] == (4,)
    assert found.fault == ""


def test_survey_of_a_fold_without_a_header() -> None:
    """There is nothing it could continue."""
    assert survey([b" x", *SOUND]).fault == "continuation line without a header"


def test_a_nul_in_a_quoted_pair_is_no_fault() -> None:
    """RFC 4475 §3.1.1.2."""
    assert survey([*SOUND, b'X: "\\\0"']).fault == ""


def test_steps_between_layouts() -> None:
    """A line more or less is the layout that the message would have arrived with; each step is made once."""
    start = layout_of(NAMES)

    for at in range(6):
        assert with_line(start, at, b"X:") is layout_of((*NAMES[:at], b"X:", *NAMES[at:]))
        assert with_line(start, at, b"X:") is with_line(start, at, b"X:")
        assert without_line(with_line(start, at, b"X:"), at) is start


def test_steps_are_bounded() -> None:
    """In number, and never between layouts too long to keep."""
    for number in range(MAX_STEPS + 3):
        with_line(layout_of(NAMES), 0, b"X-%d:" % number)
    long = layout_of((*NAMES, b"X" * MAX_LAYOUT_BYTES + b":"))
    layout._steps.clear()
    shorter = without_line(long, 5)
    again = with_line(shorter, 5, long.names[5])

    assert (shorter is layout_of(NAMES), again.names == long.names) == (True, True)
    assert layout._steps == {}


def test_what_a_response_takes_over() -> None:
    """Via, From, To, Call-ID and CSeq in this order, and To only where there is one."""
    found = layout_of((b"To:", b"v:", b"CSeq:", b"Via:", b"From:", b"X:", b"Call-ID:"))

    assert (found.answered, found.answered_to) == ((1, 3, 4, 0, 6, 2), 3)
    assert layout_of((b"Via:", b"To:", b"t:")).answered_to == -1
    assert layout_of(()).answered_to == -1


def test_a_second_layout_of_the_same_word_and_number() -> None:
    """Both are tried."""
    other = (NAMES[1], NAMES[0], *NAMES[2:])
    remember(b"INVITE", layout_of(NAMES))
    remember(b"INVITE", layout_of(other))

    assert guessed(b"INVITE", SOUND) is layout_of(NAMES)
    assert guessed(b"INVITE", [SOUND[1], SOUND[0], *SOUND[2:]]) is layout_of(other)


def test_the_first_bad_line_is_told() -> None:
    """Later ones do not hide it."""
    assert survey([*SOUND, b"no colon", b": c"])[2:] == ("no colon in a header line", 5)
