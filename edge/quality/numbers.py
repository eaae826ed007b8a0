"""What is told of quality on the metrics page: written by the delivery process, read by the edge. I/O: a small file."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import orjson

from edge.cdr.delivery.checkpoint import replace_file

NAME = "quality"
"""Of the consumer: its directory under STATE/delivery."""
NUMBERS = "numbers.json"
_NONE: Mapping[str, int] = MappingProxyType({})


class Numbers(NamedTuple):
    """What is told of it on the metrics page."""

    counted: int = 0
    unreadable: int = 0
    hours_closed: int = 0
    breaches: Mapping[str, int] = _NONE
    penalties: Mapping[str, int] = _NONE


def read_numbers(home: Path) -> Numbers:
    """What the process wrote last; nothing where it wrote nothing, or nothing readable."""
    try:
        found = orjson.loads((home / NUMBERS).read_bytes())
        return Numbers(
            int(found["counted"]),
            int(found["unreadable"]),
            int(found["hours_closed"]),
            {str(name): int(number) for name, number in found["breaches"].items()},
            {str(name): int(number) for name, number in found["penalties"].items()},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Numbers()


def write_numbers(home: Path, numbers: Numbers) -> None:
    """Replace the file; a disk that refuses says so elsewhere."""
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o750)
        told = {**numbers._asdict(), "breaches": dict(numbers.breaches), "penalties": dict(numbers.penalties)}
        replace_file(home / NUMBERS, orjson.dumps(told))
    except OSError:
        return
