"""The sum that each line on disk ends with: `"crc"`, CRC-32 of the bytes before its comma. Pure.

It stays one JSON object on one line; whoever does not care for the sum reads a key more. Lines of an older edge have
none: they are `UNSEALED`, not damaged. Imports the standard library and orjson.
"""

import re
from enum import StrEnum
from typing import Final
from zlib import crc32

import orjson

TAIL: Final = len(b',"crc":"01234567"}\n')
"""Bytes of the seal with the end of its line."""
_SEAL: Final = re.compile(rb',"crc":"([0-9a-f]{8})"\}\n')
_NEWER: Final = b'"penalty_candidates":'
"""A line with this column has always had a sum: without one it is damaged."""
_SEQ: Final = re.compile(rb'\{"v":[0-9]{1,9},"seq":([0-9]{1,18})[,}]')


class Soundness(StrEnum):
    """What a line is."""

    SOUND = "sound"
    UNSEALED = "unsealed"
    DAMAGED = "damaged"


_SOUND: Final = Soundness.SOUND


def sealed(line: bytes) -> bytes:
    """The line with its sum. `line` is a JSON object and its newline."""
    body = line[:-2]
    return body + b',"crc":"%08x"}\n' % crc32(body)


def soundness(line: bytes) -> Soundness:
    """Is this line, newline included, as it was written?"""
    if line.endswith(b',"crc":"%08x"}\n' % crc32(line[:-TAIL])):
        return _SOUND
    if _SEAL.fullmatch(line, max(0, len(line) - TAIL)) is None and _NEWER not in line and _is_object(line):
        return Soundness.UNSEALED
    return Soundness.DAMAGED


def _is_object(line: bytes) -> bool:
    try:
        return line.endswith(b"\n") and isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False


def crc_of(line: bytes) -> str:
    """The sum a line carries; empty where it has none."""
    seal = _SEAL.fullmatch(line, max(0, len(line) - TAIL))
    return "" if seal is None else seal[1].decode()


def seq_of(line: bytes) -> int | None:
    """The sequence number that a line begins with, without reading the rest; None where it does not."""
    found = _SEQ.match(line)
    return None if found is None else int(found[1])
