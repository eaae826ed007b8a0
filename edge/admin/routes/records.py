"""`/v1/cdrs`: the records of every node's log looked for; those of this node's exported."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path as File
from tempfile import TemporaryFile
from typing import Annotated, TypeVar

from fastapi import APIRouter, Path, Query
from fastapi.responses import StreamingResponse

from edge.admin.access import Principal
from edge.admin.asking import Here, Limit, LongCursor, Who, cursor_of, place_of
from edge.admin.problems import Refusal, invalid
from edge.admin.services import Services
from edge.admin.shapes.records import Form, Outcome, Record, Records
from edge.cdr import everywhere, export
from edge.cdr.delivery.consumer import Entry
from edge.cdr.everywhere import Log, Rest
from edge.cdr.picking import Picked, instant_of
from edge.cdr.search import Found, Wanted, search
from edge.config.access import may_see

router = APIRouter(prefix="/v1/cdrs", tags=["records"])

When = Annotated[
    str,
    Query(max_length=40, description="`2h` or `3d` ago, a UTC day, or ISO 8601 with its zone.", examples=["2h"]),
]
_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}
CHUNK = 1 << 16
_T = TypeVar("_T")


@router.get("")
async def search_records(
    here: Here,
    who: Who,
    account: Annotated[str, Query(max_length=128)] = "",
    number: Annotated[str, Query(max_length=64, description="Calling or called, in any spelling.")] = "",
    call_id: Annotated[str, Query(max_length=1_000, description="SIP Call-ID.")] = "",
    trunk: Annotated[str, Query(max_length=128, description="Ingress or egress trunk.")] = "",
    outcome: Annotated[Outcome | None, Query()] = None,
    reason: Annotated[str, Query(max_length=64, description="Token of a refusal or an end.")] = "",
    since: When = "",
    until: When = "",
    limit: Limit = 50,
    cursor: LongCursor = None,
) -> Records:
    """Records of all nodes, the newest first. A page may be short, or empty, and yet have a `next`: a look is
    bounded."""
    picked = picked_of(account, outcome, reason, since, until)
    wanted = Wanted(picked, call_id=call_id, number=number, trunk=trunk, scope=scope_of(who, account))
    found = await everywhere.find(here.control, wanted, limit=limit, beside=beside(here), rest=rest_in(cursor))
    items: list[dict[str, object]] = [dict(entry.record) for entry in found.entries]
    rest = found.rest
    return Records(
        nodes=list(found.nodes),
        silent=list(found.silent),
        items=items,
        next=None if rest is None else cursor_of(rest.to_text()),
    )


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={200: {"content": {name.partition(";")[0]: {"schema": {"type": "string"}} for name in _TYPES.values()}}},
)
async def export_records(
    here: Here,
    who: Who,
    form: Annotated[Form, Query(alias="format")] = "csv",
    account: Annotated[str, Query(max_length=128)] = "",
    outcome: Annotated[Outcome | None, Query()] = None,
    reason: Annotated[str, Query(max_length=64)] = "",
    since: When = "",
    until: When = "",
) -> StreamingResponse:
    """Records of this node's log as CSV (columns in the order of docs/cdr.md), JSON lines or Parquet, the oldest
    first."""
    picked = picked_of(account, outcome, reason, since, until)
    scope, directory = scope_of(who, account), log_of(here)
    try:
        export.check(form)
    except export.ExportError as error:
        raise Refusal("not-here", str(error)) from error
    if here.readers.locked():
        raise Refusal("busy", "as many searches and exports run as may", headers={"Retry-After": "10"})
    found = (
        entry for entry in export.entries([directory], picked) if may_see(scope, str(entry.record.get("account") or ""))
    )
    stream = _streamed(here, _parquet(found) if form == "parquet" else (part for _, part in export.parts(found, form)))
    name = f'attachment; filename="cdrs-{here.orders.node}.{form}"'
    return StreamingResponse(stream, media_type=_TYPES[form], headers={"Content-Disposition": name})


@router.get("/{call}")
async def show_record(
    here: Here, who: Who, call: Annotated[str, Path(pattern=r"^[0-9A-Za-z._-]{1,128}$", description="Call uid.")]
) -> Record:
    """The record of one call: it is written when the call ends."""
    entry = await record_of(here, who, call)
    return dict(entry.record)


# -- what they share -----------------------------------------------------------------------------------------------


async def record_of(here: Services, who: Principal, uid: str) -> Entry:
    """The record of a call, from whatever node's log. Raises Refusal."""
    wanted = Wanted(Picked(), uid=uid, scope=scope_of(who, ""))
    rest: Rest | None = None
    while True:
        found = await everywhere.find(here.control, wanted, limit=1, beside=beside(here), rest=rest)
        if found.entries:
            return found.entries[0]
        rest = found.rest
        if rest is None:
            silent = f"; no answer from {', '.join(found.silent)}" if found.silent else ""
            where = f"the logs of {', '.join(found.nodes)}" if found.nodes else "any log"
            raise Refusal("not-found", f"no record of call {uid!r} in {where}{silent}")


def beside(here: Services) -> Log | None:
    """The log of the edge beside this process; None: there is none."""
    directory = here.state / "cdr"
    if not directory.is_dir():
        return None

    async def look(wanted: Wanted, limit: int, before: int | None) -> Found:
        return await reading(here, partial(search, directory, wanted, limit=limit, before=before))

    return Log(here.orders.node, look)


def rest_in(cursor: str | None) -> Rest | None:
    """Where a page goes on; None: at the beginning. Raises Refusal."""
    place = place_of(cursor)
    if not place:
        return None
    try:
        return Rest.of_text(place)
    except ValueError:
        raise invalid("cursor: expected `next` of a page", pointer="cursor", place="query") from None


def log_of(here: Services) -> File:
    """Where the records are. Raises Refusal."""
    directory = here.state / "cdr"
    if not directory.is_dir():
        raise Refusal("not-here", f"{directory}: no such directory: this process is not beside an edge (--state)")
    return directory


def scope_of(who: Principal, account: str) -> tuple[str, ...]:
    """Which accounts they may see; none: all. Raises Refusal."""
    if account and not who.may_see(account):
        raise Refusal("forbidden", f"{who.name} may not see this account")
    return who.accounts


def picked_of(account: str, outcome: str | None, reason: str, since: str, until: str) -> Picked:
    """Raises Refusal."""
    now = datetime.now(UTC)
    instants = {}
    for name, text in (("since", since), ("until", until)):
        try:
            instants[name] = instant_of(name, text, now) if text else None
        except (ValueError, OverflowError) as error:
            raise invalid(str(error), pointer=name, place="query") from error
    return Picked(
        instants["since"],
        instants["until"],
        frozenset([account] if account else ()),
        frozenset([outcome] if outcome else ()),
        frozenset([reason] if reason else ()),
    )


async def reading(here: Services, work: Callable[[], _T]) -> _T:
    """Done in a thread, so many at one time. Raises Refusal."""
    if here.readers.locked():
        raise Refusal("busy", "as many searches and exports run as may", headers={"Retry-After": "2"})
    async with here.readers:
        try:
            return await asyncio.to_thread(work)
        except OSError as error:
            raise Refusal("not-here", f"{error.filename}: {error.strerror}") from error


async def _streamed(here: Services, parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    async with here.readers:
        while True:
            part = await asyncio.to_thread(next, parts, None)
            if part is None:
                return
            yield part


def _parquet(found: Iterator[Entry]) -> Iterator[bytes]:
    """Parquet has its index at the end: it is written whole, beside, before a byte goes out."""
    with TemporaryFile() as file:
        export.write(found, "parquet", file)
        file.seek(0)
        while part := file.read(CHUNK):
            yield part
