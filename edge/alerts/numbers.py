"""What is told of alerts on the metrics page: written by the delivery process, read by the edge. I/O: a small file."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import orjson

from edge.cdr.delivery.checkpoint import replace_file

HOME = "alerts"
"""The directory under STATE."""
NUMBERS = "numbers.json"
_NONE: Mapping[str, int] = MappingProxyType({})


class AlertNumbers(NamedTuple):
    """By kind, and by webhook. Counters count since the delivery process started."""

    raised: Mapping[str, int] = _NONE
    told: Mapping[str, int] = _NONE
    sent: Mapping[str, int] = _NONE
    failed: Mapping[str, int] = _NONE
    dropped: Mapping[str, int] = _NONE
    waiting: Mapping[str, int] = _NONE
    failing: Mapping[str, int] = _NONE


def read_numbers(home: Path) -> AlertNumbers:
    """What the process wrote last; nothing where it wrote nothing, or nothing readable."""
    try:
        found = orjson.loads((home / NUMBERS).read_bytes())
        rows = [{str(name): int(number) for name, number in found[field].items()} for field in AlertNumbers._fields]
        return AlertNumbers(*rows)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return AlertNumbers()


def write_numbers(home: Path, numbers: AlertNumbers) -> None:
    """Replace the file; a disk that refuses says so elsewhere."""
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o750)
        rows = {field: {str(name): number for name, number in row.items()} for field, row in numbers._asdict().items()}
        replace_file(home / NUMBERS, orjson.dumps(rows))
    except OSError:
        return
