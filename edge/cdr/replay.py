"""Settlements that a crash may have swallowed: a record is written before its call is settled (R14), and between the
two the process may die. At the start what is not known to be settled is settled again; that changes nothing where it
had been, and says where another record of the call stands.

`settlements_of` is pure; the rest reads the log (I/O). Imports the standard library, orjson, this room and the words of
the limits.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from edge.cdr import settled
from edge.cdr.backwards import newest_first
from edge.cdr.delivery.consumer import Json
from edge.cdr.delivery.log_reader import LogReader
from edge.cdr.record import CallOutcome
from edge.cdr.verdicts import Verdicts
from limits.journal import DOUBTFUL_S
from limits.model import GROUP, REFUSED, TRUNK, Settle
from limits.rates import Price

REPLAY_S = 60.0
"""A log without the file that says how far it is settled (an older edge's): what is older than this before the last
record has been settled, or waits in a file of its own."""
MOST = 50_000
"""Records of such a log looked at."""
UNASKED = frozenset(("overloaded", "draining"))
"""Reasons of refusals that ask the store for nothing, and that another node may not have (`Node.refused_unasked`)."""
TOGETHER = 256
"""Records settled at one time."""
TOGETHER_BYTES = 4 << 20


def settlements_of(record: Mapping[str, Json], wall: float) -> list[Settle]:
    """What ended with this record, to be settled once more at `wall` (UTC seconds); nothing where it held nothing.

    While a tombstone of it would still be there, the store knows whether it was settled. Later it is doubtful: then a
    call of which the store has no lease is not charged, rather than twice."""
    account, uid, outcome = record.get("account"), record.get("uid"), record.get("outcome")
    duration_ms = record.get("duration_ms")
    if not isinstance(account, str) or not account or not isinstance(uid, str) or not isinstance(duration_ms, int):
        return []
    if record.get("emergency") or not isinstance(outcome, str):
        return []  # R16: no lease
    if outcome == CallOutcome.REFUSED:  # nothing was admitted here; where the store was not asked, another node may
        return [Settle(account, uid, REFUSED, 0)] if record.get("reason") in UNASKED else []
    price = _price(record)
    released = _instant(record.get("released_at"))
    since = wall - DOUBTFUL_S - 1 if released is None else released.timestamp()
    is_doubtful = wall - since > DOUBTFUL_S
    holders = [account]
    group, trunk = record.get("group"), record.get("egress_trunk")
    if isinstance(group, str) and group:
        holders.append(GROUP + group)
    prices: dict[str, Price | None] = dict.fromkeys(holders, price)
    if isinstance(trunk, str) and trunk:
        prices[TRUNK + trunk] = None
    return [
        Settle(holder, uid, outcome, duration_ms, asked, doubtful=is_doubtful, maybe_since=since)
        for holder, asked in prices.items()
    ]


def settled_to(directory: Path, last_seq: int) -> int:
    """The last record that is known to be settled. Raises OSError."""
    found = settled.read(directory)
    if found is not None:
        return found.seq
    least: datetime | None = None
    known = last_seq
    for count, entry in enumerate(newest_first(directory)):
        released = _instant(entry.record.get("released_at"))
        if released is not None:
            least = least or released - timedelta(seconds=REPLAY_S)
            if released < least:
                break
        if count == MOST:
            break
        known = entry.seq - 1
    return known


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


async def replay(limiter: SettlesOnce, verdicts: Verdicts, *, wall: float, timeout_s: float) -> int:
    """Settle all of the log again that is not known to be settled, at `wall` (UTC seconds); returns how many verbs that
    were. Before anything else is asked of the store: a call that has its record must not be taken for one that runs.
    Raises OSError."""
    reader = LogReader(verdicts.directory)
    count = 0
    try:
        await asyncio.to_thread(reader.seek, verdicts.settled_to)
        while entries := (await asyncio.to_thread(reader.read, records=TOGETHER, size=TOGETHER_BYTES)).entries:
            for entry in entries:
                record = entry.record
                verdicts.written(entry.seq, entry.uid, str(record.get("account")), node=str(record.get("node")))
                for settle in settlements_of(record, wall):
                    limiter.submit(verdicts.signed(settle))
                    count += 1
                verdicts.over()
            limiter.flush()
            await limiter.drained(timeout_s=timeout_s)
    finally:
        reader.close()
    await verdicts.save()
    return count
