"""Is the log whole? Gaps, duplicates and damage, each with its exact place, over the logs of any number of nodes.

(I/O, read only; safe beside a running edge.) Imports the standard library, orjson and this room. Proof goes by the
numbers of the records, the sum of each line, and the chain beside the segments, where that is there. Archived segments
count wherever they lie, also compressed by gzip; a file by any other name is an export and is checked line by line.
"""

import gzip
from array import array
from collections.abc import Iterable, Iterator
from enum import StrEnum
from hashlib import blake2b, sha256
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, NamedTuple

import orjson

from edge.cdr import chain, segments, settled
from edge.cdr.chain import Chain, Standing
from edge.cdr.seal import Soundness, soundness
from edge.progress import watched

MAX_FINDINGS = 10_000
_BUCKETS = 256
_GZ = ".gz"


class Kind(StrEnum):
    """What was found. `note` is no fault."""

    GAP = "gap"
    DUPLICATE = "duplicate"
    DAMAGE = "damage"
    MISSING = "missing"
    CHANGED = "changed"
    CHAIN = "chain"
    NOTE = "note"


class Finding(NamedTuple):
    """One thing that is not as it should be."""

    kind: Kind
    place: str
    """File, and the line in it where there is one."""
    text: str


class Report(NamedTuple):
    """What was looked at, and what was found."""

    findings: tuple[Finding, ...]
    records: int
    segments: int
    nodes: tuple[str, ...]
    first_seq: int
    last_seq: int
    """Of all nodes together only where there is one."""
    purged: int
    """Records that a purge took away by rule."""
    void: int = 0
    """Records that another one of their call has made void."""

    @property
    def is_sound(self) -> bool:
        """Nothing but notes."""
        return all(finding.kind is Kind.NOTE for finding in self.findings)


class _File(NamedTuple):
    first_seq: int
    path: Path
    name: str
    """Of the segment, without the ending of an archive."""


class _Node:
    """What the segments of one node hold."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.files: list[_File] = []
        self.standings: dict[str, Standing] = {}
        self.void: dict[int, str] = {}
        """Number of a void record -> what the chain says of it."""
        self.settled_to = 0
        """The last record that is known to have been settled, and so to have been in the log; 0: not known."""


class _Uids:
    """Finds uids that come twice: 8 bytes a record, sorted bucket by bucket."""

    def __init__(self) -> None:
        self._buckets = [array("Q") for _ in range(_BUCKETS)]

    def add(self, uid: str) -> None:
        digest = _digest(uid)
        self._buckets[digest % _BUCKETS].append(digest)

    def twice(self) -> set[int]:
        """Digests that came more than once."""
        found: set[int] = set()
        for bucket in self._buckets:
            ordered = sorted(bucket)
            found.update(one for one, other in pairwise(ordered) if one == other)
        return found


def verify(places: Iterable[Path]) -> Report:
    """Look at these directories and files. Raises OSError."""
    return _Verifier().run(list(places))


class _Verifier:
    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.uids = _Uids()
        self.records = 0
        self.purged = 0
        self.void: set[tuple[str, int]] = set()
        """(node, number) of the void records that were found."""
        self.bounds: list[tuple[int, int]] = []

    def run(self, places: list[Path]) -> Report:
        exports = [place for place in places if place.is_file() and _segment_of(place) is None]
        nodes = self._nodes([place for place in places if place not in exports])
        for node in nodes.values():
            self._node(node)
        for path in exports:
            self._lines(_File(0, path, path.name), None, is_export=True)
        files = {(node.name, file.name): file.path for node in nodes.values() for file in node.files}
        self._duplicates([(name, path) for (name, _), path in files.items()] + [("", path) for path in exports])
        first, last = self.bounds[0] if len(self.bounds) == 1 else (0, 0)
        return Report(
            tuple(self.findings),
            self.records,
            sum(len(node.files) for node in nodes.values()),
            tuple(nodes),
            first,
            last,
            self.purged,
            len(self.void),
        )

    def find(self, kind: Kind, place: str, text: str) -> None:
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(Finding(kind, place, text))

    # -- what there is ---------------------------------------------------------------------------------------------

    def _nodes(self, places: list[Path]) -> dict[str, _Node]:
        """The segments of all places, by the node that wrote them: an archive belongs to the log it came from."""
        nodes: dict[str, _Node] = {}
        for place in places:
            known = settled.read(place) if place.is_dir() else None  # before its records: it goes on meanwhile
            found = _files(place)
            standings: dict[str, Standing] = {}
            void: dict[int, str] = {}
            if place.is_dir():
                links = chain.load(place)
                standings = links.standings()
                void = {link.first_seq: link.was for link in links.links if link.kind is chain.Kind.VOID}
                self._chain_faults(place, links)
                if known is not None and known.seq and found and not links.links and not links.faults:
                    self.find(Kind.CHAIN, f"{place / chain.FILE}", "is not here, or empty: an edge's log has one")
            by_node: dict[str, list[_File]] = {}
            for file in found:
                by_node.setdefault(_node_of(file.path), []).append(file)
            named = [name for name in by_node if name]
            owner = named[0] if len(named) == 1 else str(place)
            for name, files in by_node.items():
                node = nodes.setdefault(name or owner, _Node(name or owner))
                node.files += files
            if standings or void:
                nodes.setdefault(owner, _Node(owner)).standings.update(standings)
                nodes[owner].void.update(void)
            if known is not None and owner in nodes:
                nodes[owner].settled_to = max(nodes[owner].settled_to, known.seq)
        return nodes

    def _chain_faults(self, place: Path, links: Chain) -> None:
        for fault in links.faults:
            self.find(Kind.CHAIN, f"{place / chain.FILE}", fault)

    # -- one node --------------------------------------------------------------------------------------------------

    def _node(self, node: _Node) -> None:
        node.files.sort()
        there = {file.name for file in node.files}
        expected = self._missing(node, there)
        last, first = None, 0
        for place, file in enumerate(node.files):
            if place and node.files[place - 1].name == file.name:
                self.find(Kind.NOTE, str(file.path), f"is {node.files[place - 1].path} again: not counted twice")
                continue
            is_live = place == len(node.files) - 1
            if last is not None and file.first_seq > last + 1:
                self._gap(node, str(file.path), last + 1, file.first_seq - 1, expected)
            ended = self._lines(file, last, node=node, expected=expected, is_live=is_live)
            first = first or file.first_seq
            last = ended if last is None else max(last, ended)
        if last is not None:
            self.bounds.append((first, last))
            if node.settled_to > last:
                self._gap(node, str(node.files[-1].path), last + 1, node.settled_to, expected)

    def _missing(self, node: _Node, there: set[str]) -> list[tuple[int, int]]:
        """Segments that the chain knows and nobody has. Returns the numbers that need not be told again as gaps."""
        known: list[tuple[int, int]] = []
        names = list(node.standings)
        for place, (name, standing) in enumerate(node.standings.items()):
            first = standing.opened.first_seq
            if standing.purged is not None:
                last = standing.purged.last_seq
                self.purged += standing.purged.records
                known.append((first, last))
                if name in there:
                    self.find(Kind.NOTE, name, "is purged in the chain, but still there: the next purge removes it")
                continue
            if name in there:
                continue
            if standing.closed is not None:
                last, count = standing.closed.last_seq, standing.closed.records
                text = f"{count} records, {first} to {last}"
            else:
                after = node.standings[names[place + 1]].opened.first_seq if place + 1 < len(names) else 0
                last = after - 1 if after else first - 1
                text = f"records from {first}" + (f" to {last}" if after else " on; it was in use")
                if after and last < first:
                    continue  # it never held any
            known.append((first, last))
            self.find(Kind.MISSING, name, f"{node.name}: the chain knows this segment and it is not here: {text}")
        return known

    def _gap(self, node: _Node, place: str, first: int, last: int, expected: list[tuple[int, int]]) -> None:
        """Numbers nobody has, but for those that a purge or a missing segment accounts for."""
        at = first
        for begin, end in sorted(expected):
            if end < at or begin > last:
                continue
            if begin > at:
                self._tell_gap(node, place, at, begin - 1)
            at = max(at, end + 1)
        if at <= last:
            self._tell_gap(node, place, at, last)

    def _tell_gap(self, node: _Node, place: str, first: int, last: int) -> None:
        count = last - first + 1
        which = f"record {first} is" if count == 1 else f"{count} records, {first} to {last}, are"
        self.find(Kind.GAP, place, f"{node.name}: {which} not there")

    # -- one file --------------------------------------------------------------------------------------------------

    def _lines(
        self,
        file: _File,
        last: int | None,
        *,
        node: _Node | None = None,
        expected: list[tuple[int, int]] | None = None,
        is_live: bool = False,
        is_export: bool = False,
    ) -> int:
        """Check each line; returns the last number, or one below the first where there is none."""
        digest = sha256()
        before = file.first_seq - 1 if last is None else max(last, file.first_seq - 1)
        number = size = unsealed = 0
        with _opened(file.path) as lines:
            for number, line in enumerate(watched(lines, f"records of {file.path.name}"), 1):
                digest.update(line)
                size += len(line)
                place = f"{file.path}:{number}"
                if is_live and not line.endswith(b"\n"):
                    self.find(Kind.NOTE, place, f"{len(line)} bytes are being written, or were torn off")
                    break
                record = _record(line)
                if record is None:
                    self.find(Kind.DAMAGE, place, f"no record, or not as it was written ({len(line)} bytes)")
                    continue
                unsealed += b'"crc":"' not in line[-24:]
                seq, uid = record
                self.records += 1
                if node is not None and node.void.get(seq) == uid:
                    self.void.add((node.name, seq))
                else:
                    self.uids.add(uid)
                if node is not None:
                    if seq <= before:
                        self.find(Kind.DUPLICATE, place, f"{node.name}: number {seq} after {before}")
                    elif seq > before + 1:
                        self._gap(node, place, before + 1, seq - 1, expected or [])
                before = max(before, seq)
        if unsealed:
            self.find(Kind.NOTE, str(file.path), f"{unsealed} records without a sum, by an older edge")
        standing = None if node is None else node.standings.get(file.name)
        if not is_export and standing is not None and standing.closed is not None:
            self._compare(file, standing, size, digest.hexdigest())
        return before

    def _compare(self, file: _File, standing: Standing, size: int, digest: str) -> None:
        closed = standing.closed
        assert closed is not None
        if closed.sha256 == digest:
            return
        if closed.was == digest:
            self.find(Kind.NOTE, str(file.path), "is about to be rewritten by rule; the next purge does it")
        else:
            grown = f"{closed.size} bytes when it was closed, {size} now"
            self.find(Kind.CHANGED, str(file.path), f"is not what it was when it was closed ({grown})")

    def _duplicates(self, files: list[tuple[str, Path]]) -> None:
        """Name the records whose uid came twice, void ones aside: a second reading, only where there are any. `files`:
        each with its node."""
        twice = self.uids.twice()
        if not twice:
            return
        seen: dict[str, str] = {}
        for node, path in files:
            with _opened(path) as lines:
                for number, line in enumerate(lines, 1):
                    record = _record(line)
                    if record is not None and (node, record[0]) not in self.void and _digest(record[1]) in twice:
                        place = f"{path}:{number}"
                        if record[1] in seen:
                            self.find(Kind.DUPLICATE, place, f"uid {record[1]} was at {seen[record[1]]} before")
                        else:
                            seen[record[1]] = place


def _files(place: Path) -> list[_File]:
    paths = sorted(place.iterdir()) if place.is_dir() else [place]
    found = []
    for path in paths:
        name = _segment_of(path)
        if name is not None:
            found.append(_File(segments.first_seq_of(name), path, name))
    return found


def _segment_of(path: Path) -> str | None:
    """The name of the segment that this file is, archived or not; None: it is none."""
    name = path.name.removesuffix(_GZ)
    return name if segments.first_seq_of(name) else None


def _opened(path: Path) -> gzip.GzipFile | BinaryIO:
    return gzip.open(path, "rb") if path.name.endswith(_GZ) else path.open("rb")


def _node_of(path: Path) -> str:
    """The node in the first record that can be read; empty: there is none."""
    with _opened(path) as lines:
        for line in _first(lines, 100):
            try:
                record = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            if isinstance(record, dict) and isinstance(record.get("node"), str):
                return str(record["node"])
    return ""


def _first(lines: Iterable[bytes], most: int) -> Iterator[bytes]:
    for _, line in zip(range(most), lines, strict=False):
        yield line


def _record(line: bytes) -> tuple[int, str] | None:
    """(seq, uid) of a sound line; None where it is no record."""
    if not line.endswith(b"\n") or soundness(line) is Soundness.DAMAGED:
        return None
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    seq, uid = (record.get("seq"), record.get("uid")) if isinstance(record, dict) else (None, None)
    return (seq, uid) if isinstance(seq, int) and isinstance(uid, str) else None


def _digest(uid: str) -> int:
    return int.from_bytes(blake2b(uid.encode("utf-8", "replace"), digest_size=8).digest(), "big")
