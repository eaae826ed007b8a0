"""A policy document with the files it names: what is read, kept, sent and brought back as one. Pure.

A file belongs to the document that names it: a version of the policy is all of them together. A new kind of file joins
by a line in `side_files` and by its part in `snapshot_of`.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from edge.config.deck import MAX_DECK_BYTES, DeckError, RateDeck, parse_deck
from edge.config.errors import PolicyError, Problem
from edge.config.parsing import MAX_DOCUMENT_CHARACTERS, parse_policy
from edge.config.schema import PolicyDocument
from edge.config.snapshot import PolicySnapshot

MAX_DOCUMENT_BYTES = 4 * MAX_DOCUMENT_CHARACTERS
MAX_BUNDLE_BYTES = 256 << 20
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
    return (SideFile("rate_deck", document.rate_deck, MAX_DECK_BYTES),) if document.rate_deck else ()


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
    document: PolicyDocument, files: Mapping[str, bytes], *, generation: int, shown: Callable[[str], str] = str
) -> PolicySnapshot:
    """What the document and its files make. `shown`: how a file's name is told in a problem. Raises PolicyError."""
    deck = None
    if document.rate_deck:
        deck = _deck(document, files[document.rate_deck], shown(document.rate_deck))
    return PolicySnapshot(document, generation=generation, deck=deck)


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


def _deck(document: PolicyDocument, data: bytes, shown: str) -> RateDeck:
    try:
        return parse_deck(_text(data, shown), currency=document.currency)
    except DeckError as error:
        raise PolicyError(
            Problem(f"{shown}:{line}: {column}", text) for line, column, text in error.problems
        ) from error


def _text(data: bytes, shown: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PolicyError([Problem(shown, f"not UTF-8 at byte {error.start}")]) from error
