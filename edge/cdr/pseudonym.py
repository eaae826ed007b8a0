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
_DIGIT = re.compile(r"[0-9]")
_SEAL = re.compile(rb',"crc":"[0-9a-f]{8}"\}\n')


def pseudonym(text: str, size: int, key: bytes) -> bytes:
    """So many bytes of ASCII in place of this text."""
    word = b32encode(digest(key, text.encode("utf-8", "replace"), sha256)).rstrip(b"=").lower()
    return (MARK.encode() + word * (size // len(word) + 1))[:size]


def pseudonymised(line: bytes, key: bytes) -> bytes:
    """The line with its called numbers replaced and its sum made anew. What is no sound record comes back as it is."""
    if soundness(line) is Soundness.DAMAGED:
        return line
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return line
    changed = line
    for column in COLUMNS:
        value = record.get(column)
        if not isinstance(value, str) or value.startswith(MARK) or len(_DIGIT.findall(value)) < LEAST_DIGITS:
            continue
        written = orjson.dumps(value)[1:-1]
        head = b'"%b":"' % column.encode()
        changed = changed.replace(head + written + b'"', head + pseudonym(value, len(written), key) + b'"', 1)
    if changed == line:
        return line
    seal = _SEAL.search(changed, max(0, len(changed) - 24))
    return changed if seal is None else sealed(changed[: seal.start()] + b"}\n")
