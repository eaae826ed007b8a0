"""How far each consumer has come, kept so that no crash can lose or invent progress (I/O).

`STATE/delivery/NAME/checkpoint.json`, replaced as a whole: written beside, on the disk (fsync), renamed, the directory
on the disk too. A checkpoint never goes back by itself; `edge cdr redeliver` leaves a request beside it.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import orjson

from edge.cdr.segments import sync_directory

CHECKPOINT = "checkpoint.json"
REQUEST = "redeliver.json"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Checkpoint(NamedTuple):
    """Everything up to and including `seq` is delivered or put aside."""

    seq: int
    uid: str = ""
    """Of the record `seq`: another one under this number means another log."""
    segment: str = ""
    end: int = 0
    """Where that record ends, so that the next start need not search."""
    delivered: int = 0
    quarantined: int = 0
    """Records handed over, and put aside, since the consumer exists."""


class CheckpointError(Exception):
    """A file that cannot be a checkpoint. The text names it."""


def load(home: Path) -> Checkpoint | None:
    """The checkpoint in this directory, None where there is none yet. Raises CheckpointError, OSError."""
    path = home / CHECKPOINT
    try:
        data = orjson.loads(path.read_bytes())
        return Checkpoint(
            seq=_count(data["seq"]),
            uid=_text(data["uid"]),
            segment=_text(data["segment"]),
            end=_count(data["end"]),
            delivered=_count(data["delivered"]),
            quarantined=_count(data["quarantined"]),
        )
    except FileNotFoundError:
        return None
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: not a checkpoint") from error


def save(home: Path, checkpoint: Checkpoint) -> None:
    """Replace the checkpoint; on return it survives a power failure. Raises OSError."""
    replace_file(home / CHECKPOINT, orjson.dumps({"v": 1, **checkpoint._asdict()}) + b"\n")


def replace_file(path: Path, data: bytes) -> None:
    """The file with this content, or as it was: nothing between, whatever happens. Raises OSError."""
    beside = path.with_name(path.name + ".new")
    with beside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    sync_directory(path.parent)


def request(home: Path, from_seq: int) -> None:
    """Ask the runner to deliver again from this record on. Raises OSError."""
    home.mkdir(parents=True, exist_ok=True, mode=0o750)
    replace_file(home / REQUEST, orjson.dumps({"from": from_seq}) + b"\n")


def requested(home: Path) -> int | None:
    """The record to go back to, where somebody asked for it. What is no request is none. Raises OSError."""
    try:
        wanted = orjson.loads((home / REQUEST).read_bytes())["from"]
    except FileNotFoundError:
        return None
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    return wanted if isinstance(wanted, int) and wanted >= 1 else None


def forget_request(home: Path) -> None:
    """It has been carried out. Raises OSError."""
    (home / REQUEST).unlink(missing_ok=True)
    sync_directory(home)


def names(delivery: Path) -> list[str]:
    """Every consumer that has a home here, configured or not."""
    try:
        return sorted(path.name for path in delivery.iterdir() if path.is_dir() and NAME.fullmatch(path.name))
    except FileNotFoundError:
        return []


def lowest_cursor(delivery: Path, expected: Iterable[str] = ()) -> int | None:
    """The last record that no consumer needs any more: segments that end at or below it may go.

    `delivery` is STATE/delivery. Counts every consumer with a home there and those `expected` by the configuration; one
    that has not begun, whose checkpoint cannot be read, or that is asked to go back, needs everything from there on.
    None: there is no consumer, nothing holds a segment back. Raises OSError."""
    lowest: int | None = None
    for name in {*names(delivery), *expected}:
        try:
            found = load(delivery / name)
        except CheckpointError:
            found = None
        cursor = 0 if found is None else found.seq
        back_to = requested(delivery / name)
        if back_to is not None:
            cursor = min(cursor, back_to - 1)
        lowest = cursor if lowest is None else min(lowest, cursor)
    return lowest


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError("not a count")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value
