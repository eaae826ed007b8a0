"""How far the log is settled, and which of its records are void (I/O).

A record is written before its call is settled (R14). Until the store has said what came of that, another node may have
closed the same call with a record of its own: only what is settled leaves the log. `settled.json` beside the segments
says how far that is; a record that lost to another one is void, by a link of the chain. A log without that file is one
of an older edge: all of it stands.
"""

from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import orjson

from edge.cdr import chain
from edge.cdr.delivery.checkpoint import replace_file

FILE = "settled.json"
ALL = 1 << 62


class Settled(NamedTuple):
    """What the file says."""

    seq: int
    """Up to and with this record all are settled, or have nothing to settle."""
    void: int
    """Links of the chain that make records void: so many are to be looked for."""


def read(directory: Path) -> Settled | None:
    """None: there is no such file. One that cannot be read settles nothing. Raises OSError."""
    try:
        found = orjson.loads((directory / FILE).read_bytes())
        return Settled(int(found["seq"]), int(found["void"]))
    except FileNotFoundError:
        return None
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return Settled(0, 0)


def write(directory: Path, settled: Settled) -> None:
    """On return it survives a power failure. Raises OSError."""
    replace_file(directory / FILE, orjson.dumps(settled._asdict()) + b"\n")


class Numbered(Protocol):
    """A record of the log."""

    @property
    def seq(self) -> int:
        """Its number."""


E = TypeVar("E", bound=Numbered)


class Gate:
    """What may leave the log of one directory. Looks at the files when told to."""

    __slots__ = ("_directory", "_known", "_void", "seq")

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known = -1
        self._void: frozenset[int] = frozenset()
        self.seq = 0
        """Up to and with this record, but for those that are void."""

    def look(self) -> None:
        """See how far it is now. Raises OSError."""
        found = read(self._directory)
        count = ALL if found is None else found.void
        if count != self._known:
            self._void = chain.load(self._directory).void()
            self._known = count
        self.seq = ALL if found is None else found.seq

    def lets(self, seq: int) -> bool:
        """Is it settled, and does it stand?"""
        return seq <= self.seq and seq not in self._void

    def is_void(self, seq: int) -> bool:
        """Another record of its call stands."""
        return seq in self._void

    def standing(self, entries: list[E]) -> list[E]:
        """Those of whose call no other record stands."""
        void = self._void
        return [entry for entry in entries if entry.seq not in void] if void else entries
