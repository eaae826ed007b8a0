"""Which of several workers a message belongs to. Pure; standard library only.

The owner follows from the Call-ID, and from nothing else. A proxy never changes it, and every message of a call has it:
the INVITE and its copies, CANCEL and ACK from whatever port (RFC 3261 §9.1, §17.1.1.3), the same call tried again with
credentials (§8.1.3.5), a copy that reached us by another way (§8.2.2.2), all requests of the dialog from either side
(§12), and the responses to all of these. So nothing has to be written into a branch or a Record-Route to find the way
back, and no worker has to ask another.

The kernel does the same arithmetic before it chooses a socket (`transport.spreading`); what it could not read comes to
the wrong worker, which hands it over.
"""

import re
from collections.abc import Callable
from struct import Struct
from typing import Final, Protocol

SHARE: Final = 32
"""Bytes of a Call-ID that count: some senders begin it with the time of the day, or with their own name."""
LEAST: Final = 16
"""As many always count; a shorter one is filled up with zeros. Of the rest only whole words do."""
FACTOR: Final = 0x9E37_79B1
"""Odd: a multiplication by it loses nothing (mod 2^32)."""
_MASK: Final = 0xFFFF_FFFF
_WORDS: Final = {size: Struct(f">{size}I") for size in range(LEAST // 4, SHARE // 4 + 1)}
_USUAL: Final = b"\r\nCall-ID: "
_ANY: Final = re.compile(rb"[\r\n](?:call-id|i)[ \t]*:[ \t]*(?:\r?\n[ \t]+)?([^\s]*)", re.IGNORECASE)


class Up(Protocol):
    """1 for each worker that is up."""

    def __len__(self) -> int: ...
    def __getitem__(self, worker: int, /) -> int: ...


def slot_of(call_id: bytes, workers: int) -> int:
    """The number of the worker, from 0, that owns everything of this Call-ID."""
    size = min(len(call_id), SHARE)
    if size < LEAST:
        call_id, size = call_id.ljust(LEAST, b"\0"), LEAST
    words: tuple[int, ...] = _WORDS[size // 4].unpack_from(call_id)
    mixed = 0
    for word in words:
        mixed = (mixed + word) * FACTOR & _MASK
    # The upper half of a product hangs on all of what was multiplied, its lower half on the last characters alone.
    return ((mixed ^ mixed >> 16) * FACTOR >> 16 & 0xFFFF) % workers


def share_in(message: bytes) -> bytes | None:
    """As much of the Call-ID as counts, of a message as it came; None: it has none that could be found, and belongs to
    whoever gets it."""
    at = message.find(_USUAL)
    if at >= 0:
        at += len(_USUAL)
        end = message.find(b"\r\n", at, at + SHARE + 1)
        call_id = message[at : at + SHARE if end < 0 else end]
        if call_id[:1] not in b" \t":
            return call_id.rstrip()
    found = _ANY.search(message)
    return None if found is None else found[1][:SHARE]


def slot_in(message: bytes, workers: int) -> int | None:
    """`slot_of` its Call-ID; None: as `share_in` says."""
    share = share_in(message)
    return None if share is None else slot_of(share, workers)


def owner_of(slot: int, up: Up) -> int:
    """Who does the work of this slot: its worker, or the next one that is up where that one is not; where nobody is,
    the worker itself, which will be."""
    count = len(up)
    for step in range(count):
        worker = (slot + step) % count
        if up[worker]:
            return worker
    return slot


def own_call_id(fresh: Callable[[], bytes], suffix: bytes, worker: int, workers: int) -> bytes:
    """A Call-ID for a request that is born here, so that the response comes here. `fresh`: unpredictable tokens."""
    while True:
        call_id = fresh() + suffix
        if slot_of(call_id, workers) == worker:
            return call_id
