"""Records out of the log into one file: CSV, JSON lines or Parquet (I/O).

CSV and JSON lines are those of the sinks (`delivery.layout`); Parquet needs the extra `parquet`. The log is read as it
is, beside a running edge: what is being written is left out.
"""

import gzip
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from importlib import import_module
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from edge.cdr import chain, segments
from edge.cdr.delivery.consumer import Entry, entry_of
from edge.cdr.delivery.layout import Csv, JsonLines
from edge.cdr.picking import Json, Picked
from edge.cdr.record import COLUMNS, ITEMS
from edge.cdr.settled import Gate

if TYPE_CHECKING:
    from types import ModuleType

FORMATS = ("csv", "jsonl", "parquet")
TOGETHER = 1_000
"""Records written at one time; a row group of Parquet has ten times as many."""
NO_PARQUET = "Parquet needs pyarrow: pip install 'trunkgate[parquet]'"


class ExportError(Exception):
    """It cannot be done. The text is a sentence for the operator."""


def entries(places: Sequence[Path], picked: Picked) -> Iterator[Entry]:
    """The records that are meant, segment by segment in their order; archives ending in `.gz` too. Lines that are no
    records are passed by: `verify` names them; so are records that are void, or not settled yet, and those of a segment
    that lies there twice. Raises OSError."""
    void = _void(places)
    told: dict[tuple[Json, str], int] = {}
    for place in places:
        gate = Gate(place if place.is_dir() else place.parent)
        gate.look()
        for path in _segments(place):
            name = path.name.removesuffix(".gz")
            is_segment = bool(segments.first_seq_of(name))
            if is_segment and not picked.may_be_of(segments.day_of(Path(name))):
                continue
            with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
                for line in lines:
                    entry = entry_of(line, name) if line.endswith(b"\n") else None
                    if entry is None or not gate.lets(entry.seq):
                        continue
                    node = entry.record.get("node")
                    if is_segment:
                        if entry.seq <= told.get((node, name), 0):
                            continue
                        told[node, name] = entry.seq
                    stands = void.get((entry.seq, entry.uid))
                    if (stands is None or stands == f"{node}/{entry.seq}") and picked.has(entry.record):
                        yield entry


def _void(places: Sequence[Path]) -> dict[tuple[int, str], str]:
    """(number, uid) of each void record that a chain of these places knows -> the record that stands: an archive may be
    without its chain."""
    links = [link for place in places if place.is_dir() for link in chain.load(place).links]
    return {(link.first_seq, link.was): link.rule.split()[-1] for link in links if link.kind is chain.Kind.VOID}


def _segments(place: Path) -> list[Path]:
    if not place.is_dir():
        return [place]
    names = [path for path in place.iterdir() if segments.first_seq_of(path.name.removesuffix(".gz"))]
    return sorted(names, key=lambda path: (segments.first_seq_of(path.name.removesuffix(".gz")), path.name))


def write(found: Iterable[Entry], form: str, output: BinaryIO) -> int:
    """Write them; returns how many. Raises OSError, ExportError."""
    if form == "parquet":
        return _write_parquet(found, output)
    count = 0
    for count, part in parts(found, form):  # noqa: B007 - the last one counts
        output.write(part)
    return count


def parts(found: Iterable[Entry], form: str) -> Iterator[tuple[int, bytes]]:
    """CSV or JSON lines piece by piece, each with the number of records up to its end."""
    layout = JsonLines() if form == "jsonl" else Csv([column.name for column in COLUMNS])
    yield 0, layout.header
    count = 0
    for batch in _batches(found, TOGETHER):
        count += len(batch)
        yield count, layout.rows(batch)


def check(form: str) -> None:
    """Can this be written here? Raises ExportError."""
    if form == "parquet" and find_spec("pyarrow") is None:
        raise ExportError(NO_PARQUET)


def _batches(found: Iterable[Entry], size: int) -> Iterator[list[Entry]]:
    left = iter(found)
    while batch := list(islice(left, size)):
        yield batch


# -- Parquet -----------------------------------------------------------------------------------------------------------


def _write_parquet(found: Iterable[Entry], output: BinaryIO) -> int:
    check("parquet")
    arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    schema = arrow.schema([(column.name, _kind(arrow, column.name, column.type)) for column in COLUMNS])
    count = 0
    with parquet.ParquetWriter(output, schema, compression="zstd") as writer:
        for batch in _batches(found, 10 * TOGETHER):
            try:
                table = _table(arrow, schema, batch)
            except (TypeError, ValueError) as error:  # those of pyarrow among them
                place = f"records {batch[0].seq} to {batch[-1].seq}"
                raise ExportError(f"Parquet: {place} have a value of another type: {error}") from error
            writer.write_table(table)
            count += len(batch)
    return count


def _kind(arrow: "ModuleType", name: str, kind: str) -> object:
    """The type of a column in Parquet: a list of pairs is one of structures."""
    kinds = {
        "string": arrow.string(),
        "integer": arrow.int64(),
        "boolean": arrow.bool_(),
        "instant": arrow.timestamp("us", tz="UTC"),
    }
    if kind != "list":
        return kinds[kind.removesuffix(" or null")]
    parts = [(part, kinds[of.removesuffix(" or null")]) for part, of in ITEMS.get(name, (("word", "string"),))]
    return arrow.list_(parts[0][1] if len(parts) == 1 else arrow.struct(parts))


def _table(arrow: "ModuleType", schema: object, batch: list[Entry]) -> object:
    columns = [
        [_typed(column.name, column.type, entry.record.get(column.name)) for entry in batch] for column in COLUMNS
    ]
    return arrow.table(columns, schema=schema)


def _typed(name: str, kind: str, value: Json) -> object:
    """The value as Parquet has it."""
    if kind.startswith("instant"):
        return _instant(value)
    parts = ITEMS.get(name, ())
    if len(parts) < 2 or not isinstance(value, list):
        return value
    return [{part: _typed("", of, one) for (part, of), one in zip(parts, item, strict=True)} for item in value]


def _instant(value: Json) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else None
