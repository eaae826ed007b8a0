"""edge.config.ownership"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.ownership import Ownership, OwnershipBuilder, OwnershipError, number_of, read_range
from edge.config.rulesets import built_in_ruleset, plan_of

FRANCE = plan_of(built_in_ruleset("fr-arcep"))
ACCOUNTS = frozenset({"acme", "other"})


def of_lines(*lines: bytes) -> Ownership:
    builder = OwnershipBuilder()
    builder.add_lines([line + b"\n" for line in lines], ACCOUNTS)
    return builder.build()


@pytest.mark.parametrize(
    ("number", "owned"),
    [
        ("+33199001199", False),
        ("+33199001200", True),
        ("+33199001299", True),
        ("+33199001300", False),
        ("+33199005000", True),
        ("+33199005001", False),
        ("+3319900120", False),
        ("+331990012000", False),
        ("3000", True),
        ("3001", False),
    ],
)
def test_owns(number: str, owned: bool) -> None:
    """Both ends of a range count, and nothing beyond; a shorter or longer number is another one."""
    ownership = of_lines(b"acme,+33199001200,+33199001299", b"acme,+33199005000", b"acme,3000")
    assert owned == ownership.owns("acme", number)
    assert not ownership.owns("other", number)


def test_declared() -> None:
    """A list that is kept is another thing than none."""
    ownership = of_lines(b"acme,+33199005000")
    assert (ownership.is_declared("acme"), ownership.is_declared("other")) == (True, False)
    assert len(ownership) == 1


def test_headings_comments_and_spaces() -> None:
    """What people write into such files is understood."""
    ownership = of_lines(
        b"\xef\xbb\xbfaccount, first, last",
        b"",
        b"# ours",
        b" acme , +33199001200 , +33199001201 ",
        b"acme,+33199005000,\r",
    )
    assert [ownership.owns("acme", f"+3319900{tail}") for tail in ("1200", "1201", "1202", "5000")] == [
        True,
        True,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"acme", "expected account,first[,last], got 'acme'"),
        (b"acme,+33199001200,+33199001201,x", "expected account,first[,last]"),
        (b"nobody,+33199001200", "no account named 'nobody'"),
        (b"acme,0199001200", "expected a number in E.164 with its plus, or a short one, got '0199001200'"),
        (b"acme,33199001200", "expected a number in E.164 with its plus"),
        (b"acme,+0199001200", "expected a number in E.164 with its plus"),
        (b"acme,+33199001201,+33199001200", "the lower first"),
        (b"acme,+33199001200,+331990012000", "of one length"),
        (b"acme,+3319900x,", "expected a number in E.164"),
        (b"acme,+1234567890123456", "expected a number in E.164"),
    ],
)
def test_faults(line: bytes, message: str) -> None:
    """A fault is told with its line; the good lines around it do not hide it."""
    with pytest.raises(OwnershipError) as caught:
        of_lines(b"acme,+33199005000", line, b"other,+33199005001")
    assert [place for place, _ in caught.value.problems] == [2]
    assert message in caught.value.problems[0][1]


def test_no_more_than_a_hundred_faults() -> None:
    """A wrong file does not make a message of a million lines."""
    with pytest.raises(OwnershipError) as caught:
        of_lines(*[b"x"] * 1_000)
    assert len(caught.value.problems) == 100


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("+33199001234", [(33199001234, 33199001234)]),
        ("+33199001200..+33199001299", [(33199001200, 33199001299)]),
        ("+3319900*", [(33199000000, 33199009999)]),
        ("+33199001234*", [(33199001234, 33199001234)]),
        ("+50841*", [(508410000, 508419999), (508410000000, 508419999999)]),
        ("+337001*", [(337001000000000, 337001999999999)]),
        ("3000..3009", [(3000, 3009)]),
        (
            "+4930123456789*",
            [(4930123456789, 4930123456789), (49301234567890, 49301234567899), (493012345678900, 493012345678999)],
        ),
    ],
)
def test_read_range(text: str, ranges: list[tuple[int, int]]) -> None:
    """A prefix stands for all numbers of the plan that begin so, whatever lengths the plan has."""
    assert ranges == list(read_range(text, FRANCE))


@pytest.mark.parametrize(
    "text", ["", "0199001234", "+33199001299..+33199001200", "*", "+0*", "33*", "+331..+3319", "1"]
)
def test_no_range(text: str) -> None:
    """What says nothing certain is refused."""
    with pytest.raises(ValueError, match="expected"):
        list(read_range(text, FRANCE))


def test_number_of() -> None:
    """E.164 and short numbers never meet."""
    assert (number_of("+33199001234"), number_of("118218")) == (33199001234, 118218)


NUMBERS = st.integers(10_000_000, 10_000_400)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=30), NUMBERS)
def test_the_arrays_say_what_the_ranges_say(pairs: list[tuple[int, int]], number: int) -> None:
    """However ranges overlap, touch or repeat, a number is owned where any of them holds it."""
    builder = OwnershipBuilder()
    ranges = [(min(pair), max(pair)) for pair in pairs]
    for first, last in ranges:
        builder.add("acme", first, last)
    builder.add("before", 1_000_000, 2_000_000)
    builder.add("behind", 90_000_000, 91_000_000)
    expected = any(first <= number <= last for first, last in ranges)
    assert expected == builder.build().owns("acme", f"+{number}")
