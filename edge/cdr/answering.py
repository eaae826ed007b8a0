"""A node's log as other nodes see it (I/O): answers what is asked of its records over the store.

Runs in the delivery process, never in the one that carries calls. One look at a time, in a thread of its own, and
bounded (`ASKED_BYTES`): who wants more asks again. While the store is away nobody can ask.
"""

import asyncio
import traceback
from collections.abc import Callable
from pathlib import Path

from edge.cdr.delivery.worker import Worker
from edge.cdr.picking import Picked
from edge.cdr.search import Wanted, search
from edge.control.questions import MAX_ANSWER_BYTES, Fault, Outcome, read, write_answer
from edge.control.records import FindRecords, FoundRecords
from edge.proxy.facts import Fact
from limits.errors import StoreUnavailable
from limits.keys import answer_box_key, records_box_key
from limits.mailboxes import Letter, Mailboxes

AWAY_S = 0.5
"""Between two tries while the store is away."""
WAIT_S = 2.0
"""One wait for a question."""
ANSWER_LIFE_MS = 15_000
"""An answer nobody fetches is gone after this: records are personal data."""
ASKED_BYTES = 32 << 20
"""Read for one answer, about: a segment is read whole. It must come before the asker gives up."""
MAX_ASKED_BYTES = 256 << 10
MOST_TEXT_BYTES = MAX_ANSWER_BYTES // 2 - 1_024
"""Of lines in one answer: a quotation mark takes two bytes there."""


class RecordDesk:
    """One for each node."""

    def __init__(self, url: str, *, node: str, log: Path, tell: Callable[[Fact], None]) -> None:
        """`log`: STATE/cdr. Raises ValueError where the URL is no store's."""
        self._boxes = Mailboxes(url)
        self._node = node
        self._log = log
        self._tell = tell
        self._worker = Worker("records")

    async def run(self) -> None:
        """Answers one question after the other, until cancelled."""
        box = records_box_key(self._node)
        async with self._boxes as boxes:
            while True:
                try:
                    for letter in await boxes.take(box, wait_s=WAIT_S):
                        await self._answer(letter)
                except StoreUnavailable:
                    await asyncio.sleep(AWAY_S)

    async def _answer(self, letter: Letter) -> None:
        try:
            ask = read(FindRecords, letter.data, most=MAX_ASKED_BYTES)
        except ValueError as error:
            self._tell(Fact("control.unreadable", {"why": str(error)}))
            return
        if letter.left_ms <= 0:
            return  # nobody waits for it any more
        try:
            data = write_answer(Outcome(self._node), await self._worker.do(find, self._log, ask))
        except Exception:
            # A disk that fails, or a fault of ours: told with its trace, and the next question is answered.
            self._tell(Fact("core.escaped", {"where": "find_records", "trace": traceback.format_exc(limit=-6)}))
            data = write_answer(Outcome(self._node, Fault.INTERNAL), None)
        await self._boxes.post(answer_box_key(ask.id), [data], most=1, life_ms=ANSWER_LIFE_MS)


def find(log: Path, ask: FindRecords) -> FoundRecords:
    """What is asked, as far as one answer goes. Raises OSError."""
    picked = Picked(ask.since, ask.until, frozenset(ask.accounts), frozenset(ask.outcomes), frozenset(ask.reasons))
    wanted = Wanted(picked, ask.uid, ask.call_id, ask.number, ask.trunk, ask.scope)
    found = search(log, wanted, limit=ask.limit, before=ask.before or None, most_bytes=ASKED_BYTES)
    lines: list[str] = []
    left, before = MOST_TEXT_BYTES, found.before
    for entry in found.entries:
        left -= len(entry.line)
        if left < 0 and lines:
            break
        lines.append(entry.line.decode("utf-8", "replace").rstrip("\n"))
        before = entry.seq if len(lines) < len(found.entries) else found.before
    return FoundRecords(tuple(lines), before or 0)
