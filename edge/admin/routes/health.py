"""`/healthz`, `/readyz`, `/metrics`, `/problems`: for machines that watch, and what each problem means."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import PlainTextResponse

from edge import __version__
from edge.admin.asking import Here
from edge.admin.problems import KINDS, Refusal
from edge.admin.shapes.access import Health, ProblemType
from limits.errors import StoreUnavailable

router = APIRouter(tags=["health"])
READY_S = 2.0


@router.get("/healthz")
async def healthz(here: Here) -> Health:
    """This process answers."""
    return Health(status="ok", version=__version__, node=here.orders.node)


@router.get("/readyz")
async def readyz(here: Here) -> Health:
    """This process can do its work: the store answers. Else 503."""
    try:
        async with asyncio.timeout(READY_S):
            await here.store.ping()
    except TimeoutError:
        raise StoreUnavailable(f"no answer in {READY_S:g} s") from None
    return Health(status="ready", version=__version__, node=here.orders.node)


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(here: Here) -> PlainTextResponse:
    """Metrics of this process (those of the calls are at `--metrics`)."""
    return PlainTextResponse(here.metrics.page(), media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/problems")
async def list_problems() -> list[ProblemType]:
    """Every type of problem."""
    return [_shown(name) for name in KINDS]


@router.get("/problems/{problem}")
async def show_problem(problem: Annotated[str, Path(max_length=40, examples=["stale"])]) -> ProblemType:
    """What a type of problem means."""
    if problem not in KINDS:
        raise Refusal("not-found", "no such type of problem")
    return _shown(problem)


def _shown(name: str) -> ProblemType:
    kind = KINDS[name]
    return ProblemType(type=f"/problems/{name}", title=kind.title, status=kind.status, meaning=kind.meaning)
