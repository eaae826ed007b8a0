"""Records for somebody at a terminal: of every node's log while the store answers, else of the one beside (I/O)."""

import asyncio
from pathlib import Path
from typing import NamedTuple

from edge.accounts.changes import Refused, store_url
from edge.cdr import everywhere
from edge.cdr.backwards import newest_first
from edge.cdr.delivery.consumer import Entry
from edge.cdr.everywhere import Log, Rest
from edge.cdr.search import Found, Wanted, search
from edge.control.client import Control
from edge.settings import read_settings
from edge.terminal import Place
from limits.errors import StoreUnavailable


class Looked(NamedTuple):
    """What was found."""

    entries: tuple[Entry, ...]
    nodes: tuple[str, ...]
    """Whose logs were looked through."""
    missing: str
    """Whose were not, as a sentence; empty: nobody's."""


def look(place: Place, wanted: Wanted, *, limit: int, here_only: bool = False) -> Looked:
    """The newest of those that are meant. Raises Refused where no log can be looked at, StaticConfigError."""
    try:
        return _look(place, wanted, limit, here_only=here_only)
    except OSError as error:
        raise Refused(f"{error.filename}: {error.strerror}") from error


def _look(place: Place, wanted: Wanted, limit: int, *, here_only: bool) -> Looked:
    directory = Path(read_settings({"redis": place.redis, "state": place.state, "policy": "-"}, place.config).state)
    beside = _beside(directory / "cdr")
    if not here_only:
        try:
            url, shown = store_url(place)
            return asyncio.run(_everywhere(url, wanted, limit, beside))
        except Refused:
            # The store of this edge is one inside it, and the edge does not run: it has no other nodes.
            if beside is None:
                raise
            missing = ""
        except StoreUnavailable as error:
            missing = f"the store {shown}: {error}: other nodes were not asked"
    else:
        missing = ""
    if beside is None:
        raise Refused(missing or f"{directory}: no records there; expected the state directory of an edge (--state)")
    return asyncio.run(_here(wanted, limit, beside, missing))


async def _everywhere(url: str, wanted: Wanted, limit: int, beside: Log | None) -> Looked:
    entries: list[Entry] = []
    nodes: set[str] = set()
    rest: Rest | None = None
    async with Control(url) as control:
        while True:
            page = await everywhere.find(
                control, wanted, limit=min(limit - len(entries), 500), beside=beside, rest=rest
            )
            entries += page.entries
            nodes |= {*page.nodes}
            rest = page.rest
            if rest is None or len(entries) >= limit:
                break
    silent = f"no answer from {', '.join(page.silent)}: records of it are missing here" if page.silent else ""
    return Looked(tuple(entries), tuple(sorted(nodes)), silent)


async def _here(wanted: Wanted, limit: int, beside: Log, missing: str) -> Looked:
    entries: list[Entry] = []
    before: int | None = None
    while True:
        found = await beside.look(wanted, limit - len(entries), before)
        entries += found.entries
        before = found.before
        if before is None or len(entries) >= limit:
            return Looked(tuple(entries), (beside.node,), missing)


def _beside(log: Path) -> Log | None:
    """The log in this state directory, under the name that its records bear; None: there are no records."""

    async def look(wanted: Wanted, limit: int, before: int | None) -> Found:
        return await asyncio.to_thread(search, log, wanted, limit=limit, before=before)

    newest = next(newest_first(log), None) if log.is_dir() else None
    return None if newest is None else Log(str(newest.record.get("node")), look)
