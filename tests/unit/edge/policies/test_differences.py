"""edge.policies.differences"""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.bundle import Bundle, document_of
from edge.policies.differences import HIDDEN, LEFT_OUT, MAX_RATES, differences

DOCUMENTS = sorted((Path(__file__).parents[3] / "config" / "good").glob("*.toml"))
HEAD = "prefix,zone,connect,rate,first,next,minimum\n"

BASE = """
[[accounts]]
id = "acme"
caps_base = 5

[[accounts]]
id = "old"

[[ingress]]
id = "pbx"
sources = ["192.0.2.0/24", "198.51.100.7"]
account = "acme"

[[egress]]
id = "a"
uri = "sip:127.0.0.1:5070"

[[routes]]
id = "all"
prefixes = [""]
trunks = ["a"]

[[routes]]
id = "none"
prefixes = ["+3389"]
mode = "barred"

[refusal_profiles.ours.answers.caps]
status = 480
"""


def bundle(text: str, **files: str) -> Bundle:
    return Bundle("policy.toml", text.encode(), {f"{name}.csv": data.encode() for name, data in files.items()})


def told(old: str, new: str) -> list[str]:
    return [str(found) for found in differences(bundle(old), bundle(new))]


def test_what_proves_a_caller_is_not_shown() -> None:
    """A difference is shown to many; that there is one is told."""
    section = '[[accounts]]\nid = "a"\n[[credentials]]\nid = "pbx"\naccount = "a"\nmd5 = "%s"\n'
    lines = told(section % ("0" * 32), section % ("1" * 32))
    assert lines == [f"~ credentials.pbx.md5: {HIDDEN} -> {HIDDEN}"]
    assert told("", section % ("0" * 32))[-1] == f'+ credentials.pbx: account = "a", md5 = {HIDDEN}'


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_a_document_is_like_itself(path: Path) -> None:
    """No difference, whatever is in it; and against nothing, everything is added."""
    text = path.read_text()
    assert told(text, text) == told(text, "# a comment\n" + text) == []
    kinds = {found.kind for found in differences(None, bundle(text))}
    assert kinds <= {"added", "changed"}


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ("caps_base = 5", "caps_base = 7", ["~ accounts.acme.caps_base: 5 -> 7"]),
        ("caps_base = 5", "", [f"~ accounts.acme.caps_base: 5 -> {LEFT_OUT}"]),
        ("caps_base = 5", "caps_base = 5\ncredit = 'prepaid'", []),
        ("caps_base = 5", 'caps_base = 5\nfloor = "0.00"', []),
        (
            "caps_base = 5",
            'caps_base = 5\nspend_cap_day = "50.00"',
            [f'~ accounts.acme.spend_cap_day: {LEFT_OUT} -> "50.00"'],
        ),
        ('[[accounts]]\nid = "old"\n', "", ["- accounts.old"]),
        ('id = "old"', 'id = "new"', ["- accounts.old", "+ accounts.new"]),
        (
            '"192.0.2.0/24", "198.51.100.7"',
            '"192.0.2.0/24", "203.0.113.1"',
            ['- ingress.pbx.sources: "198.51.100.7"', '+ ingress.pbx.sources: "203.0.113.1"'],
        ),
        (
            '"192.0.2.0/24", "198.51.100.7"',
            '"198.51.100.7", "192.0.2.0/24"',
            ['~ ingress.pbx.sources: ["192.0.2.0/24", "198.51.100.7"] -> ["198.51.100.7", "192.0.2.0/24"]'],
        ),
        ("status = 480", "status = 503", ["~ refusal_profiles.ours.answers.caps.status: 480 -> 503"]),
        ("status = 480", 'status = 480\n[numbers]\nrules = "off"', [f'~ numbers.rules: {LEFT_OUT} -> "off"']),
        (
            "caps_base = 5",
            'caps_base = 5\nprefix_ceilings = [{ prefix = "+33", calls = 1 }]',
            [f'~ accounts.acme.prefix_ceilings: {LEFT_OUT} -> [prefix = "+33", calls = 1]'],
        ),
    ],
)
def test_what_is_told(old: str, new: str, lines: list[str]) -> None:
    """By meaning, in the words of the document; a default that is written out is no difference."""
    assert old in BASE
    assert told(BASE, BASE.replace(old, new)) == lines


def test_where_entries_stand() -> None:
    """Accounts may stand anywhere; routes and rules are asked in their order."""
    sections = BASE.strip().split("\n\n")
    swapped = [sections[1], sections[0], *sections[2:]]
    assert told("\n".join(sections), "\n".join(swapped)) == []
    moved = [*sections[:4], sections[5], sections[4], sections[6]]
    assert told("\n".join(sections), "\n".join(moved)) == ["~ routes: all, none -> none, all"]


def test_rates() -> None:
    """Rate by rate; a file that is named anew is told too."""
    text = 'rate_deck = "r.csv"\n'
    old = bundle(text, r=HEAD + "33,France,0,0.012,1,1,0\n44,UK,0,0.02,1,1,0\n")
    new = bundle(text, r=HEAD + "33,France,0.05,0.015,60,1,30\n49,Germany,0,0.02,1,1,0\n")
    assert [str(found) for found in differences(old, new)] == [
        "~ r.csv: +33: France, 0.012 a minute, 1/1 s -> France, 0.015 a minute + 0.05 a call, 60/1 s, at least 30 s",
        "- r.csv: +44: UK, 0.02 a minute, 1/1 s",
        "+ r.csv: +49: Germany, 0.02 a minute, 1/1 s",
    ]
    many = bundle(text, r=HEAD + "".join(f"{number},z,0,1,1,1,0\n" for number in range(100, 200)))
    found = differences(old, many)
    assert len(found) == MAX_RATES + 1
    assert str(found[-1]) == "~ r.csv: 2 rates -> 100 rates, 102 of them are not alike"
    assert [str(one) for one in differences(bundle(""), new)] == [
        f'~ rate_deck: {LEFT_OUT} -> "r.csv"',
        f"+ file r.csv: {len(new.files['r.csv'])} bytes",
    ]


def test_long_values_are_cut() -> None:
    """A list of a thousand is told in a line."""
    prefixes = ", ".join(f'"+1{number}"' for number in range(999))
    (line,) = told("", f'[[categories]]\nid = "c"\nprefixes = [{prefixes}]')
    assert len(line) < 200


LISTS = st.lists(st.sampled_from(["a", "b", "c", "d"]), unique=True, max_size=4)


@given(old=LISTS, new=LISTS, caps=st.tuples(st.integers(0, 3), st.integers(0, 3)))
def test_whatever_differs_is_told_and_nothing_else(old: list[str], new: list[str], caps: tuple[int, int]) -> None:
    """Differences are none exactly where the documents mean the same."""

    def text(names: list[str], number: int) -> str:
        return "\n".join(f'[[accounts]]\nid = "{name}"\ncaps_base = {number}\n' for name in names)

    one, other = text(old, caps[0]), text(new, caps[1])
    alike = {entry.id: entry for entry in document_of(one.encode(), "").accounts} == {
        entry.id: entry for entry in document_of(other.encode(), "").accounts
    }
    assert (not told(one, other)) == alike
