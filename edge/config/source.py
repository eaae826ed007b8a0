"""Where policy comes from: a file, loaded at the start and again when asked (I/O).

A document that does not build never replaces one that does: `reload` raises, and the snapshot in force stays.
"""

from pathlib import Path

from edge.config.errors import PolicyError, Problem
from edge.config.parsing import MAX_DOCUMENT_CHARACTERS, parse_policy
from edge.config.snapshot import PolicySnapshot


class PolicyFile:
    """One policy file and the snapshot made of it. Making one loads it: PolicyError where it does not build."""

    __slots__ = ("_text", "path", "snapshot")

    def __init__(self, path: Path) -> None:
        self.path = path
        self._text = self._read()
        self.snapshot = self._build(1)
        """What is in force."""

    def reload(self) -> PolicySnapshot:
        """Read the file again. The next generation where its text has changed, the same snapshot where it has not.

        Raises PolicyError, each problem with the file's name before its place; what was in force stays in force."""
        text = self._read()
        if text != self._text:
            before, self._text = self._text, text
            try:
                self.snapshot = self._build(self.snapshot.generation + 1)
            except PolicyError:
                self._text = before
                raise
        return self.snapshot

    def _build(self, generation: int) -> PolicySnapshot:
        try:
            document = parse_policy(self._text)
        except PolicyError as error:
            raise PolicyError(
                Problem(f"{self.path}: {problem.path}" if problem.path else str(self.path), problem.message)
                for problem in error.problems
            ) from error
        return PolicySnapshot(document, generation=generation)

    def _read(self) -> str:
        try:
            with self.path.open("rb") as file:
                data = file.read(4 * MAX_DOCUMENT_CHARACTERS + 1)
        except OSError as error:
            raise PolicyError([Problem(str(self.path), f"cannot be read: {error.strerror}")]) from error
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise PolicyError([Problem(str(self.path), f"not UTF-8 at byte {error.start}")]) from error
