"""Segments enter the chain: opened when they appear, closed when the writer has gone on to the next one (I/O).

Idempotent: whatever a crash left undone is done by the next call. Runs in a thread or at the start, never on the loop.
"""

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from edge.cdr import chain, segments
from edge.cdr.chain import Kind, Link

PIECE_BYTES = 1 << 20


class Content(NamedTuple):
    """What a segment holds."""

    records: int
    size: int
    sha256: str


def stamp() -> str:
    """This instant, UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def content_of(path: Path) -> Content:
    """Lines, bytes and digest of a file. Raises OSError."""
    digest = sha256()
    records = size = 0
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            digest.update(piece)
            records += piece.count(b"\n")
            size += len(piece)
    return Content(records, size, digest.hexdigest())


def settle(directory: Path, live: str = "", whole: dict[str, int] | None = None) -> list[segments.Torn]:
    """Bring the chain up to the files: an open link for each segment, a close link for each before `live`, the one in
    use; later ones have appeared meanwhile. Torn ends are repaired before; they are returned. An empty segment is not
    closed: it may be taken up again. `whole`: segments that are known to end with a whole record, and its number;
    what is closed is taken out of it. Raises OSError."""
    live_seq = segments.first_seq_of(live) if live else 1 << 62
    standings = chain.load(directory).standings()
    links: list[Link] = []
    torn: list[segments.Torn] = []
    at = stamp()
    for first_seq, path in segments.listed(directory):
        known = standings.get(path.name)
        if known is None:
            links.append(Link(Kind.OPEN, path.name, first_seq, at))
        elif known.purged is not None or known.closed is not None:
            continue
        if first_seq < live_seq and path.stat().st_size:
            last_seq = whole.pop(path.name, None) if whole else None
            if last_seq is None:
                tail = segments.repair(path)
                last_seq = tail.last_seq
                if tail.torn:
                    torn.append(segments.Torn(path.name, len(tail.torn), last_seq))
            links.append(Link(Kind.CLOSE, path.name, first_seq, at, last_seq, *content_of(path)))
    if links:
        chain.append(directory, links)
    return torn
