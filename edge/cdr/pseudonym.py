"""Called numbers become pseudonyms: a keyed digest in the place of the number, byte for byte as long. Pure.

The same number has the same pseudonym under one key, so that calls to one number can still be counted together; without
the key it cannot be tried out, and a key that is thrown away makes it final. Nothing in the line moves: a reader's
place in the segment stays where it was. Imports the standard library, orjson and the seal.
"""

import re
from base64 import b32encode
from hashlib import sha256
from hmac import digest

import orjson

from edge.cdr.seal import Soundness, sealed, soundness

MARK = "~"
"""What a pseudonym begins with; no number does."""
LEAST_DIGITS = 7
"""Shorter numbers are services, emergency ones among them, and nobody's own: they stay."""
COLUMNS = ("called", "called_original", "called_rewritten")
HEADERS = ("diversion", "history-info")
"""Header fields in the column `headers` that name this number or those called before: their whole values go."""
_DIGIT = re.compile(r"[0-9]")
_SEAL = re.compile(rb',"crc":"[0-9a-f]{8}"\}\n')


def pseudonym(text: str, size: int, key: bytes) -> bytes:
    """So many bytes of ASCII in place of this text."""
    word = b32encode(digest(key, text.encode("utf-8", "replace"), sha256)).rstrip(b"=").lower()
    return (MARK.encode() + word * (size // len(word) + 1))[:size]


def pseudonymised(line: bytes, key: bytes) -> bytes:
    """The line with its called numbers replaced and its sum made anew. What is no sound record comes back as it is.
    Once for each line: whoever dials what looks like a pseudonym is not believed."""
    if soundness(line) is Soundness.DAMAGED:
        return line
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return line
    changed = line
    for column in COLUMNS:
        value = record.get(column)
        if isinstance(value, str):
            changed = _put(changed, column, value, _hidden(value, key))
    headers = record.get("headers")
    if isinstance(headers, list):
        changed = _put(changed, "headers", headers, [_hidden_field(pair, key) for pair in headers])
    if changed == line:
        return line
    seal = _SEAL.search(changed, max(0, len(changed) - 24))
    return changed if seal is None else sealed(changed[: seal.start()] + b"}\n")


def _put(line: bytes, column: str, old: object, new: object) -> bytes:
    head = b'"%b":' % column.encode()
    return line if old == new else line.replace(head + orjson.dumps(old), head + orjson.dumps(new), 1)


def _hidden(value: str, key: bytes) -> str:
    """As long in bytes as the value is written; short numbers stay."""
    if len(_DIGIT.findall(value)) < LEAST_DIGITS:
        return value
    return pseudonym(value, len(orjson.dumps(value)) - 2, key).decode()


def _hidden_field(pair: object, key: bytes) -> object:
    match pair:
        case [str(name), str(value)] if name.lower() in HEADERS:
            return [name, _hidden(value, key)]
    return pair
