"""A policy document with the files it names: what is read, kept, sent and brought back as one. Pure.

A file belongs to the document that names it: a version of the policy is all of them together. A new kind of file joins
by a line in `side_files` and by its part in `snapshot_of`.
"""

from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import PurePosixPath
from typing import NamedTuple

from edge.config.deck import MAX_DECK_BYTES, DeckError, RateDeck, Watch, parse_deck
from edge.config.errors import PolicyError, Problem
from edge.config.listing import check_defaults, listed_with
from edge.config.ownership import MAX_OWNERSHIP_BYTES, Ownership, OwnershipError
from edge.config.parsing import MAX_DOCUMENT_CHARACTERS, parse_policy
from edge.config.references import check_rules
from edge.config.ruleset_schema import RulesetDocument
from edge.config.rulesets import BUILT_IN_RULESETS, built_in_ruleset, parse_ruleset, plan_of
from edge.config.schema import PolicyDocument
from edge.config.snapshot import PolicySnapshot

MAX_RULESET_BYTES = 1 << 20
MAX_DOCUMENT_BYTES = 4 * MAX_DOCUMENT_CHARACTERS
MAX_BUNDLE_BYTES = 384 << 20
"""Document and files together."""


class SideFile(NamedTuple):
    """A file that the document names."""

    where: str
    """The key that names it: `rate_deck`."""
    name: str
    """As written there: a path beside the document."""
    most: int
    """Bytes it may have."""


class Bundle(NamedTuple):
    """The document and its files, as they were written."""

    name: str
    """File name of the document."""
    document: bytes
    files: Mapping[str, bytes]
    """By the name the document gives them."""


def side_files(document: PolicyDocument) -> tuple[SideFile, ...]:
    """Every file this document names, each once."""
    numbers = document.numbers
    named = [
        ("rate_deck", document.rate_deck, MAX_DECK_BYTES),
        ("numbers.ruleset", "" if numbers.ruleset in BUILT_IN_RULESETS else numbers.ruleset, MAX_RULESET_BYTES),
        ("numbers.cli_file", numbers.cli_file, MAX_OWNERSHIP_BYTES),
    ]
    taken = {document.rate_deck}
    for index, trunk in enumerate(document.egress):
        if trunk.rate_deck not in taken:
            taken.add(trunk.rate_deck)
            named.append((f"egress[{index}].rate_deck", trunk.rate_deck, MAX_DECK_BYTES))
    return tuple(SideFile(*entry) for entry in named if entry[1])


def parts_of(bundle: Bundle) -> dict[str, bytes]:
    """As the store keeps it: by name, the document first."""
    return {bundle.name: bundle.document, **bundle.files}


def bundle_of(parts: Mapping[str, bytes]) -> Bundle:
    """The other way round; `parts` is not empty."""
    name, *others = parts
    return Bundle(name, parts[name], {other: parts[other] for other in others})


def check_names(bundle: Bundle) -> None:
    """Can every file be kept with the document, and written back beside it? Raises PolicyError."""
    problems = []
    if "/" in bundle.name or "\\" in bundle.name or bundle.name in ("", ".", ".."):
        problems.append(Problem(repr(bundle.name), "expected the plain name of a file"))
    strange = set(bundle.files) - {side.name for side in side_files(document_of(bundle.document, bundle.name))}
    problems += [Problem(repr(name), "expected only files that the document names") for name in sorted(strange)]
    for side in side_files(document_of(bundle.document, bundle.name)):
        path = PurePosixPath(side.name)
        if path.is_absolute() or ".." in path.parts or "\\" in side.name or str(path) != side.name:
            expected = "expected a file beside the document or below it, so that an export can write it back"
            problems.append(Problem(f"{bundle.name}: {side.where}", f"{expected}; got {side.name!r}"))
        elif side.name == bundle.name:
            problems.append(Problem(f"{bundle.name}: {side.where}", "the document cannot name itself"))
    size = sum(map(len, parts_of(bundle).values()))
    if size > MAX_BUNDLE_BYTES:
        problems.append(
            Problem(bundle.name, f"expected at most {MAX_BUNDLE_BYTES >> 20} MB with its files, got {size}")
        )
    if problems:
        raise PolicyError(problems)


def document_of(data: bytes, name: str) -> PolicyDocument:
    """The document. Raises PolicyError, each problem with `name` before its place."""
    try:
        return parse_policy(_text(data, name))
    except PolicyError as error:
        raise PolicyError(
            problem
            if problem.path == name
            else Problem(f"{name}: {problem.path}" if problem.path else name, problem.message)
            for problem in error.problems
        ) from error


def snapshot_of(
    document: PolicyDocument,
    files: Mapping[str, bytes],
    *,
    generation: int,
    shown: Callable[[str], str] = str,
    watch: Watch = iter,
) -> PolicySnapshot:
    """What the document and its files make. `shown`: how a file's name is told in a problem. `watch`: sees the lines of
    rate decks. Raises PolicyError."""
    names = dict.fromkeys([document.rate_deck, *[trunk.rate_deck for trunk in document.egress]])
    decks = {name: _deck(document, files[name], shown(name), watch) for name in names if name}
    name = document.numbers.ruleset
    ruleset = (
        built_in_ruleset(name)
        if name in BUILT_IN_RULESETS
        else parse_ruleset(_text(files[name], shown(name)), shown(name))
    )
    problems = check_rules(document, ruleset)
    if problems:
        raise PolicyError(problems)
    ownership = _ownership(document, ruleset, files, shown)
    return PolicySnapshot(
        document,
        generation=generation,
        deck=decks.get(document.rate_deck),
        ruleset=ruleset,
        ownership=ownership,
        trunk_decks={trunk.id: decks[trunk.rate_deck] for trunk in document.egress if trunk.rate_deck},
    )


def build(bundle: Bundle, *, generation: int) -> PolicySnapshot:
    """A whole bundle. Raises PolicyError."""
    document = document_of(bundle.document, bundle.name)
    missing = [side for side in side_files(document) if side.name not in bundle.files]
    if missing:
        raise PolicyError(
            Problem(f"{bundle.name}: {side.where}", f"the file {side.name!r} is not with the document")
            for side in missing
        )
    return snapshot_of(document, bundle.files, generation=generation)


def _ownership(
    document: PolicyDocument, ruleset: RulesetDocument, files: Mapping[str, bytes], shown: Callable[[str], str]
) -> Ownership:
    name = document.numbers.cli_file
    try:
        ownership = listed_with(document, plan_of(ruleset), BytesIO(files[name]) if name else ())
    except OwnershipError as error:
        raise PolicyError(Problem(f"{shown(name)}:{line}", text) for line, text in error.problems) from error
    problems = list(check_defaults(document, ownership))
    if problems:
        raise PolicyError(problems)
    return ownership


def _deck(document: PolicyDocument, data: bytes, shown: str, watch: Watch) -> RateDeck:
    try:
        return parse_deck(_text(data, shown), currency=document.currency, watch=watch)
    except DeckError as error:
        raise PolicyError(
            Problem(f"{shown}:{line}: {column}", text) for line, column, text in error.problems
        ) from error


def _text(data: bytes, shown: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PolicyError([Problem(shown, f"not UTF-8 at byte {error.start}")]) from error
