"""`/v1/overview`, `/v1/events`: what happens now, once or as a stream of server-sent events."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import StreamingResponse

from edge.admin.asking import Here, holder_of
from edge.admin.shapes.overview import Overview

router = APIRouter(prefix="/v1", tags=["live"])

_EVENTS = {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "Server-sent events."}


_UNHELD = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""No proxy on the way may hold a stream back."""


@router.get("/overview")
async def overview(here: Here) -> Overview:
    """All nodes of the store: rates, calls, refusals by reason, trunks, alarms, the last minute."""
    return await here.live.overview()


@router.get("/events", response_class=StreamingResponse, responses={200: _EVENTS})
async def events(here: Here) -> StreamingResponse:
    """`overview` once a second; `away` while the store does not answer. Ends after a quarter of an hour: ask again."""
    return _stream(here.live.watch())


@router.get("/accounts/{account}/events", response_class=StreamingResponse, responses={200: _EVENTS})
async def account_events(
    here: Here, account: Annotated[str, Path(max_length=128, examples=["acme"])]
) -> StreamingResponse:
    """`account` once a second: rates, calls, tokens and money; `gone` where there is no such account."""
    holder = holder_of(account)
    await here.accounts.peek(holder)
    return _stream(here.live.watch_account(holder))


def _stream(events: AsyncIterator[bytes]) -> StreamingResponse:
    return StreamingResponse(events, media_type="text/event-stream", headers=_UNHELD)
