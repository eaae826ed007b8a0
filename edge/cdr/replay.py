"""Settlements that a crash may have swallowed: a record is written before its call is settled (R14), and between the
two the process may die. At the start the newest records are settled again; each changes nothing where it had been.

`settlements_of` is pure; the rest reads the log (I/O). Imports the standard library, orjson, this room and the words of
the limits.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import orjson

from edge.cdr.backwards import MOST_BYTES, newest_first
from edge.cdr.delivery.checkpoint import replace_file
from edge.cdr.delivery.consumer import Json
from edge.cdr.record import CallOutcome
from limits.model import GROUP, TRUNK, Settle
from limits.rates import Price

REPLAY_S = 60.0
"""A settlement leaves with its record, and waits in a file of its own where the store is away: what is older than this
before the last record has been settled, or is in that file."""
MOST = 50_000
"""Records looked at."""
TOGETHER = 256
"""Settlements sent at one time."""
MARK = "settled.json"
"""The last record whose settlement is known to have been applied: written when the edge stops in order."""


def settlements_of(record: Mapping[str, Json]) -> list[Settle]:
    """What ended with this record, to be settled once more; nothing where it held nothing."""
    account, uid, outcome = record.get("account"), record.get("uid"), record.get("outcome")
    duration_ms = record.get("duration_ms")
    if not isinstance(account, str) or not account or not isinstance(uid, str) or not isinstance(duration_ms, int):
        return []
    if record.get("emergency") or not isinstance(outcome, str) or outcome == CallOutcome.REFUSED:
        return []  # R16: no lease; or nothing was admitted
    price = _price(record)
    holders = [account]
    group, trunk = record.get("group"), record.get("egress_trunk")
    if isinstance(group, str) and group:
        holders.append(GROUP + group)
    found = [Settle(holder, uid, outcome, duration_ms, price, doubtful=True) for holder in holders]
    if isinstance(trunk, str) and trunk:
        found.append(Settle(TRUNK + trunk, uid, outcome, duration_ms, None, doubtful=True))
    return found


def unsettled(directory: Path) -> list[Settle]:
    """The settlements of the newest records, oldest first; none after a stop in order. Raises OSError."""
    found: list[list[Settle]] = []
    known = _marked(directory)
    least: datetime | None = None
    for entry in newest_first(directory, most_bytes=MOST_BYTES):
        record, released = entry.record, _instant(entry.record.get("released_at"))
        if entry.seq <= known or len(found) >= MOST:
            break
        if released is not None:
            least = least or released - timedelta(seconds=REPLAY_S)
            if released < least:
                break
        found.append(settlements_of(record))
    return [settle for settles in reversed(found) for settle in settles]


def mark_settled(directory: Path, seq: int) -> None:
    """Everything up to this record is settled, and the store has said so. A disk that refuses costs a replay."""
    with suppress(OSError):
        replace_file(directory / MARK, orjson.dumps({"seq": seq}) + b"\n")


def _marked(directory: Path) -> int:
    try:
        seq = orjson.loads((directory / MARK).read_bytes())["seq"]
    except (OSError, ValueError, KeyError, TypeError):
        return 0
    return seq if isinstance(seq, int) else 0


def _price(record: Mapping[str, Json]) -> Price | None:
    parts = [record.get(name) for name in ("connect_micros", "rate_micros", "first_s", "next_s", "minimum_s")]
    numbers = [part for part in parts if isinstance(part, int)]
    return Price(*numbers) if len(numbers) == len(parts) and numbers[2] > 0 else None


def _instant(text: Json) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


class SettlesOnce(Protocol):
    """What the replay needs of a limiter."""

    def submit(self, verb: Settle) -> None:
        """Send with the next flush."""

    def flush(self) -> None:
        """Send what was submitted."""

    async def drained(self, *, timeout_s: float) -> bool:
        """Wait until all of it is answered, or so long."""


async def replay(limiter: SettlesOnce, directory: Path, *, timeout_s: float) -> int:
    """Settle the newest records of this log again; returns how many settlements that were. Before anything else is
    asked of the store: a call that has its record must not be taken for one that runs. Raises OSError."""
    settles = await asyncio.to_thread(unsettled, directory)
    for start in range(0, len(settles), TOGETHER):
        for settle in settles[start : start + TOGETHER]:
            limiter.submit(settle)
        limiter.flush()
        await limiter.drained(timeout_s=timeout_s)
    return len(settles)
