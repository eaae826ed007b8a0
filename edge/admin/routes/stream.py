"""`/v1/overview`, `/v1/events`: what happens now, once or as a stream of server-sent events."""

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import StreamingResponse

from edge.admin.asking import Here, holder_of
from edge.admin.shapes.overview import Overview

router = APIRouter(prefix="/v1", tags=["live"])

_EVENTS = {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "Server-sent events."}


class Events(StreamingResponse):
    """A stream that no proxy on the way may hold back."""

    media_type = "text/event-stream"

    def __init__(self, *words: object, **more: object) -> None:
        super().__init__(*words, **more)  # type: ignore[arg-type]  # as Starlette passes them
        self.headers["Cache-Control"] = "no-store"
        self.headers["X-Accel-Buffering"] = "no"


@router.get("/overview")
async def overview(here: Here) -> Overview:
    """All nodes of the store: rates, calls, refusals by reason, trunks, alarms, the last minute."""
    return await here.live.overview()


@router.get("/events", response_class=Events, responses={200: _EVENTS})
async def events(here: Here) -> StreamingResponse:
    """`overview` once a second; `away` while the store does not answer. Ends after a quarter of an hour: ask again."""
    return Events(here.live.watch())


@router.get("/accounts/{account}/events", response_class=Events, responses={200: _EVENTS})
async def account_events(
    here: Here, account: Annotated[str, Path(max_length=128, examples=["acme"])]
) -> StreamingResponse:
    """`account` once a second: rates, calls, tokens and money; `gone` where there is no such account."""
    holder = holder_of(account)
    await here.accounts.peek(holder)
    return Events(here.live.watch_account(holder))
