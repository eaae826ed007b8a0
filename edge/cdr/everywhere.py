"""Records of every node's log, the newest first, a page at a time (I/O: the control channel).

Each log is looked at by its own node, so that none is carried about; a page is put together here. A node that does not
answer is named on that page and on those that follow, and is not asked again by them: where to go on (`Rest`) says so.
"""

import asyncio
import heapq
import json
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from itertools import islice
from typing import NamedTuple, Self

from edge.cdr.delivery.consumer import Entry, entry_of
from edge.cdr.picking import ended_of
from edge.cdr.search import Found, Wanted
from edge.control.client import Control
from edge.control.records import FindRecords

MOST_NODES = 256
_SILENT = -1


class Rest(NamedTuple):
    """What a page left: where each log goes on, and who is not heard."""

    before: Mapping[str, int]
    """By node, below this sequence number; 0: from its newest on."""
    silent: tuple[str, ...] = ()

    def to_text(self) -> str:
        """For a cursor."""
        return json.dumps({**self.before, **dict.fromkeys(self.silent, _SILENT)})

    @classmethod
    def of_text(cls, text: str) -> Self:
        """Raises ValueError for what is none."""
        try:
            found = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError("expected an object of few nodes") from error
        if not isinstance(found, dict) or len(found) > MOST_NODES:
            raise ValueError("expected an object of few nodes")
        for seq in found.values():
            if type(seq) is not int or not _SILENT <= seq < 2**53:
                raise ValueError("expected sequence numbers")
        silent = tuple(name for name, seq in found.items() if seq == _SILENT)
        return cls({name: seq for name, seq in found.items() if seq != _SILENT}, silent)


class Page(NamedTuple):
    """What was found."""

    entries: tuple[Entry, ...]
    nodes: tuple[str, ...]
    """Whose logs were looked at for this page."""
    silent: tuple[str, ...]
    """Whose records are missing: they gave no answer, or are gone."""
    rest: Rest | None
    """Where to go on; None: all who answer have been looked through."""


class Log(NamedTuple):
    """The log beside us: read here, whether its node runs or not."""

    node: str
    look: Callable[[Wanted, int, int | None], Awaitable[Found]]
    """What is wanted, how many, below which number."""


async def find(control: Control, wanted: Wanted, *, limit: int, beside: Log | None, rest: Rest | None = None) -> Page:
    """The newest of all logs, or what comes after them. Raises StoreUnavailable; what `beside` raises."""
    names = await control.names()
    alive = {name for name, lives in names.items() if lives} | ({beside.node} if beside is not None else set())
    wished = dict.fromkeys([*alive, *names], 0) if rest is None else rest.before
    silent = () if rest is None else rest.silent
    # A cursor comes from outside: who is not alive is not written to.
    rest = Rest(
        {node: seq for node, seq in wished.items() if node in alive}, (*silent, *[n for n in wished if n not in alive])
    )
    looks = [_look(control, wanted, limit, beside, node, before) for node, before in rest.before.items()]
    found = dict(zip(rest.before, await asyncio.gather(*looks), strict=True))
    return merged(found, limit=limit, silent=rest.silent)


def merged(found: Mapping[str, Found | None], *, limit: int, silent: tuple[str, ...]) -> Page:
    """One page of the pages of these nodes; None: it gave none. Pure."""
    pages = {node: page for node, page in found.items() if page is not None}
    # Merged and not sorted: each log keeps its own order, so that a clock that was put back loses none.
    logs = [[(node, entry) for entry in page.entries] for node, page in pages.items()]
    taken = list(islice(heapq.merge(*logs, key=lambda row: -_ended(row[1])), limit))
    counts = Counter(node for node, _ in taken)
    last = {node: entry.seq for node, entry in taken}
    before: dict[str, int] = {}
    for node, page in pages.items():
        if counts[node] < len(page.entries):
            # Those that had no room are looked for again: below the last that had, or from where this page began.
            before[node] = last.get(node) or page.entries[0].seq + 1
        elif page.before is not None:
            before[node] = page.before
    silent = tuple(sorted({*silent, *found} - {*pages}))
    return Page(
        tuple([entry for _, entry in taken]),
        tuple(sorted(pages)),
        silent,
        Rest(before, silent) if before else None,
    )


async def _look(
    control: Control, wanted: Wanted, limit: int, beside: Log | None, node: str, before: int
) -> Found | None:
    if beside is not None and node == beside.node:
        return await beside.look(wanted, limit, before or None)
    picked = wanted.picked
    ask = FindRecords(
        secrets.token_hex(16),
        limit,
        before,
        uid=wanted.uid,
        call_id=wanted.call_id,
        number=wanted.number,
        trunk=wanted.trunk,
        since=picked.since,
        until=picked.until,
        accounts=tuple(picked.accounts),
        outcomes=tuple(picked.outcomes),
        reasons=tuple(picked.reasons),
        scope=wanted.scope,
    )
    answer = await control.find_records(node, ask)
    if answer is None:
        return None
    entries = [entry for line in answer.lines if (entry := entry_of(line.encode() + b"\n")) is not None]
    return Found(tuple(entries), answer.before or None)


def _ended(entry: Entry) -> float:
    ended = ended_of(entry.record)
    return 0.0 if ended is None else ended.timestamp()
