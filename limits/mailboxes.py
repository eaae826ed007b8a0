"""Boxes in the store by which operators and nodes write to each other; what each node shows of itself; the journal.

I/O, through redis-py: off the hot path. Letters are opaque bytes. Everything is bounded and forgotten by itself: a box
that nobody empties takes no more than it may hold, and is gone when its last letter has run out.

Whoever can write the store can already change every account: what lies in a box is trusted as far as the store is.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import redis.exceptions
from redis.asyncio import Redis

from limits.errors import StoreUnavailable
from limits.keys import JOURNAL, node_box_key, node_status_key
from limits.script_loader import script
from limits.stores import open_store

MAX_WAIT_S = 3.0
"""Longest wait of one `take`: shorter than the client's own time-out."""
JOURNAL_LENGTH = 10_000
"""Entries kept (about)."""

Reply = Any
"""redis-py knows no more of what this client, which does not decode, gets."""


class Letter(NamedTuple):
    """One letter out of a box."""

    data: bytes
    left_ms: int
    """Until it runs out, by the store's clock; not above zero: too late."""


class Entry(NamedTuple):
    """One entry of the journal."""

    at_ms: int
    """By the store's clock."""
    data: bytes


class Mailboxes:
    """Use as `async with Mailboxes(url) as boxes`. Every method raises StoreUnavailable."""

    def __init__(self, url: str) -> None:
        """Raises ValueError where the URL is not one (see `limits.address`)."""
        self._redis: Redis = open_store(url, decode=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._redis.aclose()

    async def post(self, box: str, letters: Sequence[bytes], *, most: int, life_ms: int) -> int:
        """How many of these letters were taken, the first ones. `most`: what the box may hold in all."""
        try:
            reply = await self._redis.eval(script("post").text, 1, box, str(most), str(life_ms), *letters)
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault
        return int(reply[0])

    async def take(self, box: str, *, wait_s: float, most: int = 1) -> list[Letter]:
        """The oldest letters; none where none came in this time (at most `MAX_WAIT_S`)."""
        try:
            found: Reply = await self._redis.blpop([box], timeout=min(wait_s, MAX_WAIT_S))
            if found is None:
                return []
            raw: list[bytes] = [found[1]]
            if most > 1:
                rest: Reply = await self._redis.lpop(box, most - 1)
                raw += rest or []
            # By a script: of a cluster's clocks it is that of the server which keeps the box.
            seconds, micros = await self._redis.eval("return redis.call('TIME')", 1, box)
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault
        now_ms = int(seconds) * 1_000 + int(micros) // 1_000
        return [letter for data in raw if (letter := _letter(data, now_ms)) is not None]

    async def show(self, node: str, data: bytes, *, life_ms: int) -> None:
        """What this node says of itself, for so long."""
        try:
            await self._redis.set(node_status_key(node), data, px=life_ms)
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault

    async def shown(self, node: str) -> bytes | None:
        """What that node says of itself; None: nothing lately."""
        try:
            found = await self._redis.get(node_status_key(node))
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault
        return found if isinstance(found, bytes) else None

    async def enter(self, data: bytes) -> None:
        """One more entry of the journal."""
        try:
            await self._redis.xadd(JOURNAL, {"entry": data}, maxlen=JOURNAL_LENGTH, approximate=True)
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault

    async def entries(self, *, last: int) -> list[Entry]:
        """The latest entries, the newest first."""
        try:
            found: Reply = await self._redis.xrevrange(JOURNAL, count=last)
        except redis.exceptions.RedisError as fault:
            raise StoreUnavailable(str(fault)) from fault
        return [Entry(int(at.partition(b"-")[0]), words[b"entry"]) for at, words in found or () if b"entry" in words]


def box_of(node: str) -> str:
    """Where this node is written to."""
    return node_box_key(node)


def _letter(data: bytes, now_ms: int) -> Letter | None:
    stamp, found, rest = data.partition(b" ")
    if not found or not stamp.isdigit() or len(stamp) > 16:
        return None  # put there by hand
    return Letter(rest, int(stamp) - now_ms)
