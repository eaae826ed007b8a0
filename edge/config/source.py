"""Where policy comes from: a file, loaded at the start and again when asked (I/O).

A document that does not build never replaces one that does: `reload` raises, and the snapshot in force stays.
"""

from pathlib import Path
from typing import NamedTuple

from edge.config.deck import MAX_DECK_BYTES, DeckError, parse_deck
from edge.config.errors import PolicyError, Problem
from edge.config.parsing import MAX_DOCUMENT_CHARACTERS, parse_policy
from edge.config.schema import PolicyDocument
from edge.config.snapshot import PolicySnapshot


class PolicyFile:
    """One policy file and the snapshot made of it. Making one loads it: PolicyError where it does not build."""

    __slots__ = ("_sources", "path", "snapshot")

    def __init__(self, path: Path) -> None:
        self.path = path
        self._sources = self._read()
        self.snapshot = self._build(self._sources, 1)
        """What is in force."""

    def reload(self) -> PolicySnapshot:
        """Read the file and its rate deck again. The next generation where either has changed, the same snapshot where
        neither has.

        Raises PolicyError, each problem with the file's name before its place; what was in force stays in force."""
        sources = self._read()
        if sources != self._sources:
            self.snapshot = self._build(sources, self.snapshot.generation + 1)
            self._sources = sources
        return self.snapshot

    def _build(self, sources: "_Sources", generation: int) -> PolicySnapshot:
        deck = None
        if sources.deck_path is not None:
            try:
                deck = parse_deck(sources.deck, currency=sources.document.currency)
            except DeckError as error:
                raise PolicyError(
                    Problem(f"{sources.deck_path}:{line}: {column}", text) for line, column, text in error.problems
                ) from error
        return PolicySnapshot(sources.document, generation=generation, deck=deck)

    def _read(self) -> "_Sources":
        text = _text(self.path, 4 * MAX_DOCUMENT_CHARACTERS + 1)
        try:
            document = parse_policy(text)
        except PolicyError as error:
            raise PolicyError(
                Problem(f"{self.path}: {problem.path}" if problem.path else str(self.path), problem.message)
                for problem in error.problems
            ) from error
        if not document.rate_deck:
            return _Sources(document, None, "")
        deck_path = self.path.parent / document.rate_deck
        deck = _text(deck_path, MAX_DECK_BYTES + 1)
        if len(deck) > MAX_DECK_BYTES:
            raise PolicyError([Problem(str(deck_path), f"expected at most {MAX_DECK_BYTES >> 20} MB")])
        return _Sources(document, deck_path, deck)


class _Sources(NamedTuple):
    """What a snapshot is built of."""

    document: PolicyDocument
    deck_path: Path | None
    deck: str


def _text(path: Path, most: int) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(most)
    except OSError as error:
        raise PolicyError([Problem(str(path), f"cannot be read: {error.strerror}")]) from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PolicyError([Problem(str(path), f"not UTF-8 at byte {error.start}")]) from error
