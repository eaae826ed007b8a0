"""edge.config.bundle"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config import bundle as bundles
from edge.config.bundle import Bundle, build, bundle_of, check_names, document_of, parts_of, side_files, snapshot_of
from edge.config.errors import PolicyError

DECK = b"prefix,zone,connect,rate,first,next,minimum\n33,France,0,0.01,1,1,0\n"


def bundle(deck: str = "rates.csv", files: dict[str, bytes] | None = None, name: str = "policy.toml") -> Bundle:
    return Bundle(name, f'rate_deck = "{deck}"'.encode(), {deck: DECK} if files is None else files)


@given(
    name=st.text(min_size=1, max_size=10),
    document=st.binary(max_size=50),
    files=st.dictionaries(st.text(max_size=10), st.binary(max_size=50), max_size=3),
)
def test_parts_are_the_bundle(name: str, document: bytes, files: dict[str, bytes]) -> None:
    """What is kept part by part comes back as it was, whatever it is."""
    made = Bundle(name, document, {other: data for other, data in files.items() if other != name})
    assert bundle_of(parts_of(made)) == made


def test_a_file_is_named_by_the_document() -> None:
    """Each with the key that names it and what it may weigh."""
    (side,) = side_files(document_of(bundle().document, "p"))
    assert (side.where, side.name, side.most > 1_000_000) == ("rate_deck", "rates.csv", True)
    assert side_files(document_of(b"", "p")) == ()


def test_build() -> None:
    """A whole bundle becomes a snapshot of its generation, with its deck."""
    made = build(bundle(), generation=7)
    assert made.deck is not None
    assert (made.generation, len(made.deck)) == (7, 1)


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        (Bundle("p.toml", b"x = 1", {}), "p.toml: x: unknown key"),
        (Bundle("p.toml", b"\xff", {}), "p.toml: not UTF-8 at byte 0"),
        (bundle(files={}), "policy.toml: rate_deck: the file 'rates.csv' is not with the document"),
        (bundle(files={"rates.csv": b"prefix\n"}), "rates.csv:1: header: expected the columns"),
        (bundle(files={"rates.csv": b"\xff"}), "rates.csv: not UTF-8 at byte 0"),
    ],
)
def test_what_does_not_build(made: Bundle, problem: str) -> None:
    """The document or the file is named, with the place in it."""
    with pytest.raises(PolicyError) as caught:
        build(made, generation=1)
    assert str(caught.value).startswith(problem)


def test_a_file_may_be_told_by_another_name() -> None:
    """Where it lies on a disk, its path there."""
    with pytest.raises(PolicyError) as caught:
        snapshot_of(document_of(bundle().document, "p"), {"rates.csv": b""}, generation=1, shown=lambda n: f"/etc/{n}")
    assert str(caught.value).startswith("/etc/rates.csv:1: header")


@pytest.mark.parametrize("name", ["rates.csv", "decks/rates.csv", "a b.csv", ".hidden"])
def test_names_that_can_be_written_back(name: str) -> None:
    """Beside the document or below it."""
    check_names(bundle(name))


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        (bundle("/etc/passwd"), "policy.toml: rate_deck: expected a file beside the document or below it"),
        (bundle("../rates.csv"), "policy.toml: rate_deck: expected a file beside"),
        (bundle("a/../../x"), "policy.toml: rate_deck: expected a file beside"),
        (bundle("./rates.csv"), "policy.toml: rate_deck: expected a file beside"),
        (bundle("policy.toml"), "policy.toml: rate_deck: the document cannot name itself"),
        (bundle(name="../x.toml"), "'../x.toml': expected the plain name of a file"),
        (bundle(name=".."), "'..': expected the plain name of a file"),
        (
            bundle(files={"rates.csv": DECK, "../../evil": b""}),
            "'../../evil': expected only files that the document names",
        ),
    ],
)
def test_names_that_cannot(made: Bundle, problem: str) -> None:
    """Nothing outside the directory of the document, whoever brought it into the store."""
    with pytest.raises(PolicyError) as caught:
        check_names(made)
    assert str(caught.value).startswith(problem)


def test_a_bundle_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Document and files together."""
    monkeypatch.setattr(bundles, "MAX_BUNDLE_BYTES", 10)
    with pytest.raises(PolicyError, match=r"policy.toml: expected at most 0 MB with its files, got 90"):
        check_names(bundle())


LISTS = b"""
[numbers]
cli_file = "numbers.csv"

[[accounts]]
id = "acme"
cli = { default = "+33199001200" }
"""
ELSEWHERE = b"""
ruleset = "elsewhere"
title = "elsewhere"
version = 2020-01-01
reviewed = 2020-01-01
timezone = "UTC"
plan = { codes = [{ code = "999", digits = [6] }] }
emergency = { numbers = ["01"], basis = "law", conf = "P" }
contexts = [{ id = "any", title = "any", kinds = ["human"] }]
switches = [{ id = "x", question = "x?", values = ["allow", "deny"], default = "deny", basis = "law", conf = "P" }]
categories = [{ id = "all", title = "all", prefixes = ["999"], basis = "law", conf = "P" }]
"""


def test_numbers_and_ruleset_come_with_the_document() -> None:
    """A list of numbers and another country's law are files of the document as its rates are."""
    made = build(Bundle("p.toml", LISTS, {"numbers.csv": b"acme,+33199001200,+33199001299\n"}), generation=1)
    assert made.ownership.owns("acme", "+33199001250")
    document = b'[numbers]\nruleset = "else.toml"\n[numbers.switches]\nx = "allow"\n'
    made = build(Bundle("p.toml", document, {"else.toml": ELSEWHERE}), generation=1)
    assert (made.book.document.ruleset, made.plan.emergency, made.book.choice("x", "")) == (
        "elsewhere",
        {"01"},
        "allow",
    )
    assert [side.where for side in side_files(document_of(document, "p"))] == ["numbers.ruleset"]


@pytest.mark.parametrize(
    ("document", "files", "problem"),
    [
        (LISTS, {}, "p.toml: numbers.cli_file: the file 'numbers.csv' is not with the document"),
        (LISTS, {"numbers.csv": b"acme,+33199001200\nx,+33199001201\n"}, "numbers.csv:2: no account named 'x'"),
        (
            LISTS,
            {"numbers.csv": b"acme,+33199001201\n"},
            "accounts[0].cli.default: +33199001200 is not among the numbers",
        ),
        (b'[numbers]\nruleset = "e.toml"', {"e.toml": ELSEWHERE + b"x = 1"}, "e.toml: "),
        (b'[numbers]\nruleset = "e.toml"', {"e.toml": b"\xff"}, "e.toml: not UTF-8"),
        (
            b'[numbers]\nruleset = "e.toml"\nswitches = { y = "deny" }',
            {"e.toml": ELSEWHERE},
            "numbers.switches.y: no switch named 'y'; known: x",
        ),
        (
            b'[numbers]\nruleset = "e.toml"\nswitches = { x = "mask" }',
            {"e.toml": ELSEWHERE},
            "numbers.switches.x: expected 'allow' or 'deny', got 'mask'",
        ),
        (b'[numbers]\nruleset = "de-bnetza"', {}, "p.toml: numbers.ruleset: expected fr-arcep, or the name of a .toml"),
    ],
)
def test_lists_and_rulesets_that_do_not_build(document: bytes, files: dict[str, bytes], problem: str) -> None:
    """The file and the line in it, or the key of the document."""
    with pytest.raises(PolicyError) as caught:
        build(Bundle("p.toml", document, files), generation=1)
    assert str(caught.value).startswith(problem)
