"""Where policy comes from: a file, loaded at the start and again when asked (I/O).

A document that does not build never replaces one that does: `reload` raises, and the snapshot in force stays.
"""

from pathlib import Path

from edge.config.bundle import MAX_DOCUMENT_BYTES, Bundle, document_of, side_files, snapshot_of
from edge.config.deck import Watch
from edge.config.errors import PolicyError, Problem
from edge.config.snapshot import PolicySnapshot


class PolicyFile:
    """One policy file and the snapshot made of it. Making one loads it: PolicyError where it does not build."""

    __slots__ = ("_bundle", "is_stale", "path", "snapshot")

    def __init__(self, path: Path) -> None:
        self.path = path
        self._bundle = read_bundle(path)
        self.snapshot = self._build(1)
        """What is in force."""
        self.is_stale = False
        """The file has been changed to something that does not build."""

    def reload(self) -> PolicySnapshot:
        """Read the file and what it names again. The next generation where any of it has changed, the same snapshot
        where nothing has.

        Raises PolicyError, each problem with the file's name before its place; what was in force stays in force."""
        self.is_stale = True
        found = read_bundle(self.path)
        if found != self._bundle:
            before, self._bundle = self._bundle, found
            try:
                self.snapshot = self._build(self.snapshot.generation + 1)
            except PolicyError:
                self._bundle = before
                raise
        self.is_stale = False
        return self.snapshot

    @property
    def offered(self) -> int:
        """Generation of what the file last had to offer."""
        return self.snapshot.generation + self.is_stale

    def _build(self, generation: int) -> PolicySnapshot:
        return build_file(self._bundle, self.path, generation=generation)


def build_file(bundle: Bundle, path: Path, *, generation: int = 1, watch: Watch = iter) -> PolicySnapshot:
    """A snapshot of what was read from this path. Raises PolicyError with the paths on this disk."""
    document = document_of(bundle.document, str(path))
    return snapshot_of(
        document, bundle.files, generation=generation, shown=lambda name: str(path.parent / name), watch=watch
    )


def read_bundle(path: Path) -> Bundle:
    """The document and every file it names, as they are. Raises PolicyError where one cannot be read."""
    data = _bytes(path, MAX_DOCUMENT_BYTES + 1)
    document = document_of(data, str(path))
    files = {}
    for side in side_files(document):
        found = _bytes(path.parent / side.name, side.most + 1)
        if len(found) > side.most:
            raise PolicyError([Problem(str(path.parent / side.name), f"expected at most {side.most >> 20} MB")])
        files[side.name] = found
    return Bundle(path.name, data, files)


def _bytes(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise PolicyError([Problem(str(path), f"cannot be read: {error.strerror}")]) from error
