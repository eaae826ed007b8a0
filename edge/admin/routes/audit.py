"""`/v1/audit`: who did what, proved and exported."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from edge.admin.asking import Cursor, Here, Limit, cursor_of, number_in
from edge.admin.audit import entry_of, exported, prove
from edge.admin.shapes.access import AuditEntry, AuditProof
from edge.admin.shapes.shape import Page

router = APIRouter(prefix="/v1/audit", tags=["audit"])
LOOKED_AT = 20_000
"""Entries looked at for one page that asks for somebody or something."""


@router.get("")
async def list_audit(
    here: Here,
    who: Annotated[str, Query(max_length=120, description="Only of this one.")] = "",
    path: Annotated[str, Query(max_length=300, description="Only where the path begins so.")] = "",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[AuditEntry]:
    """Entries, the newest first."""
    before, looked = number_in(cursor), 0
    items: list[AuditEntry] = []
    while True:
        lines = await here.audit_log.newest(before=before, most=limit)
        for line in lines:
            before, looked = line.seq, looked + 1
            entry = AuditEntry.model_validate(entry_of(line))
            if who in ("", entry.who) and entry.path.startswith(path):
                items.append(entry)
            if len(items) == limit or looked == LOOKED_AT:
                return Page(items=items, next=cursor_of(str(before)) if before > 1 else None)
        if len(lines) < limit:
            return Page(items=items, next=None)


@router.get("/verify")
async def verify_audit(here: Here) -> AuditProof:
    """Every entry against the one before it."""
    proof = await prove(here.audit_log)
    return AuditProof.model_validate(
        {**proof._asdict(), "unfinished": list(proof.unfinished), "is_whole": not proof.fault}
    )


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}}},
)
async def export_audit(here: Here) -> StreamingResponse:
    """The whole chain as JSON lines: `edge audit verify FILE` proves it anywhere, without the store."""
    return StreamingResponse(exported(here.audit_log), media_type="application/x-ndjson")
