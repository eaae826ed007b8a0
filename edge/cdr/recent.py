"""The newest records of the log: which attempts have had theirs, as the next process must know (I/O, read only)."""

from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from edge.cdr.backwards import newest_first
from edge.proxy.ended import KEPT_S, MOST


class Recent(NamedTuple):
    """One of them."""

    uid: str
    status: int
    """Final status that the caller was told; 0: none."""
    at: float
    """UTC seconds of its end."""


def recent(directory: Path, wall: float) -> list[Recent]:
    """Attempts that ended so shortly before `wall` (UTC seconds) that their INVITE may come again; the oldest first.
    Raises OSError."""
    found: list[Recent] = []
    for entry in islice(newest_first(directory), MOST):
        text, status = entry.record.get("released_at"), entry.record.get("status")
        if not isinstance(text, str) or not isinstance(status, int):
            continue
        try:
            at = datetime.fromisoformat(text).timestamp()
        except ValueError:
            continue
        if at < wall - KEPT_S:
            if entry.record.get("lost"):
                continue  # written long after it had ended: those before it may be younger
            break
        found.append(Recent(entry.uid, status, at))
    return found[::-1]
