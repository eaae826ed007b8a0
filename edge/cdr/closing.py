"""Segments enter the chain: opened when they appear, closed when the writer has gone on to the next one (I/O).

Idempotent: whatever a crash left undone is done by the next call. Runs in a thread or at the start, never on the loop.
"""

from collections import deque
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from edge.cdr import chain, segments
from edge.cdr.chain import Kind, Link

PIECE_BYTES = 1 << 16
"""Read, hashed and counted at once: counting holds the interpreter, for 60 µs of so much."""


class Content(NamedTuple):
    """What a segment holds."""

    records: int
    size: int
    sha256: str


def stamp() -> str:
    """This instant, UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def content_of(path: Path, known: int | None = None) -> Content:
    """Lines, bytes and digest of a file. `known`: so many lines it has. Raises OSError."""
    digest = sha256()
    records = size = 0
    with path.open("rb", buffering=0) as file:
        while piece := file.read(PIECE_BYTES):
            digest.update(piece)
            if known is None:
                records += piece.count(b"\n")
            size += len(piece)
    return Content(records if known is None else known, size, digest.hexdigest())


class Whole(NamedTuple):
    """How a segment ends that was written as it should be."""

    last_seq: int
    """Of its last record."""
    records: int | None
    """None: it was there before, and how many it had is not known."""


class Closer:
    """Keeps the chain up while one writer goes from segment to segment, and reads what is there only where it does not
    know it: a log of years has more links than can be read at each new segment beside an event loop, with which the
    thread that does it shares the interpreter."""

    __slots__ = ("_directory", "_is_astray", "_opened", "_retired")

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._retired: deque[tuple[str, Whole]] = deque()
        self._opened = 0
        """First number of the newest segment that has an open link."""
        self._is_astray = True
        """Files and links are to be read: not all is known that became of them."""

    def retired(self, segment: str, end: Whole | None) -> None:
        """The writer goes on to another one. None: how this one ends is not known. May come while another thread
        settles."""
        if end is None:
            self._is_astray = True
        else:
            self._retired.append((segment, end))

    def settle(self, live: str) -> list[segments.Torn]:
        """As the function `settle`. Raises OSError: then everything is read the next time."""
        whole = {}
        while self._retired:
            segment, end = self._retired.popleft()
            whole[segment] = end
        is_astray, self._is_astray = self._is_astray, False
        try:
            if not is_astray and self._go_on(live, whole):
                return []
            there = segments.listed(self._directory)
            torn = _settle(self._directory, there, live, whole)
            self._opened = there[-1].first_seq if there else 0
        except OSError:
            self._is_astray = True
            raise
        return torn

    def _go_on(self, live: str, whole: dict[str, Whole]) -> bool:
        """False: one of them is gone, of which the links are to be asked."""
        at, opened, links = stamp(), self._opened, []
        try:
            for segment, end in whole.items():
                content = content_of(self._directory / segment, end.records)
                first_seq = segments.first_seq_of(segment)
                if first_seq > opened:
                    links.append(Link(Kind.OPEN, segment, first_seq, at))
                    opened = first_seq
                links.append(Link(Kind.CLOSE, segment, first_seq, at, end.last_seq, *content))
        except FileNotFoundError:
            return False
        first_seq = segments.first_seq_of(live)
        if first_seq > opened and (self._directory / live).exists():
            links.append(Link(Kind.OPEN, live, first_seq, at))
            opened = first_seq
        if links:
            chain.append(self._directory, links)
            self._opened = opened
        return True


def settle(directory: Path, live: str = "") -> list[segments.Torn]:
    """Bring the chain up to the files: an open link for each segment, a close link for each before `live`, the one in
    use; later ones have appeared meanwhile. Torn ends are repaired before; they are returned. An empty segment is not
    closed: it may be taken up again. Raises OSError."""
    return _settle(directory, segments.listed(directory), live, {})


def _settle(directory: Path, there: list[segments.Segment], live: str, whole: dict[str, Whole]) -> list[segments.Torn]:
    """`whole`: of some segments how they end."""
    live_seq = segments.first_seq_of(live) if live else 1 << 62
    standings = chain.load(directory).standings()
    links: list[Link] = []
    torn: list[segments.Torn] = []
    at = stamp()
    for first_seq, path in there:
        known = standings.get(path.name)
        if known is None:
            links.append(Link(Kind.OPEN, path.name, first_seq, at))
        elif known.purged is not None or known.closed is not None:
            continue
        if first_seq < live_seq and path.stat().st_size:
            end = whole.get(path.name)
            if end is None:
                tail = segments.repair(path)
                end = Whole(tail.last_seq, None)
                if tail.torn:
                    torn.append(segments.Torn(path.name, len(tail.torn), tail.last_seq))
            links.append(Link(Kind.CLOSE, path.name, first_seq, at, end.last_seq, *content_of(path, end.records)))
    if links:
        chain.append(directory, links)
    return torn
