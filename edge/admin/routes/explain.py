"""`/v1/explain`: why an attempt would pass or not, and why a call was refused. Takes nothing."""

import asyncio
from pathlib import Path as File
from typing import Annotated

from fastapi import APIRouter, Path

from edge.accounts.changes import Refused
from edge.admin.asking import Here, Who
from edge.admin.problems import Refusal, invalid, naming
from edge.admin.routes.records import record_of
from edge.admin.services import Services
from edge.admin.shapes.policy import Attempt, Explained
from edge.config.snapshot import PolicySnapshot
from edge.config.static import STORE
from edge.contacts.key import KEY_FILE
from edge.policies import explaining
from edge.policies.explain_view import Told, explained_data
from edge.policies.imagining import Wanted, imagined, told_of
from edge.policies.rebuilt import number
from edge.policy.explain import explain

router = APIRouter(prefix="/v1/explain", tags=["explain"])


@router.post("")
async def explain_attempt(here: Here, attempt: Attempt) -> Explained:
    """What becomes of an attempt that is only imagined, stage by stage."""
    snapshot, name = await here.policies.in_force()
    if bool(attempt.source) == bool(attempt.trunk):
        raise invalid("expected one of source and trunk", pointer="/source")
    source, listener, names = attempt.source, attempt.listener, tuple[str, ...]()
    if attempt.trunk:
        try:
            source, listener, names = explaining.address_of(snapshot, attempt.trunk)
        except Refused as error:
            raise invalid(str(error), pointer="/trunk") from error
    wanted = Wanted(
        attempt.cli,
        attempt.called,
        source,
        listener,
        tuple(attempt.pai),
        tuple(attempt.diversion),
        attempt.privacy,
        tuple(attempt.headers),
        attempt.account_header,
        attempt.at,
        names,
    )
    with naming(Attempt):
        made = imagined(snapshot, wanted, now=here.wall_ms() / 1_000)
    return await _told(here, snapshot, Told(made, explain(made, snapshot), name))


@router.get("/{call}")
async def explain_call(
    here: Here, who: Who, call: Annotated[str, Path(pattern=r"^[0-9A-Za-z._-]{1,128}$", description="Call uid.")]
) -> Explained:
    """Why a call passed or not: its record, judged again under the document that judged it, where that is kept."""
    record = (await record_of(here, who, call)).record
    snapshot, name = await _judge_of(here, number(record, "policy_generation"))
    try:
        told = await asyncio.to_thread(told_of, record, snapshot, name)
    except ValueError as error:
        raise Refusal("conflict", str(error)) from error
    return await _told(here, snapshot, told)


async def _judge_of(here: Services, generation: int) -> tuple[PolicySnapshot, str]:
    if here.policies.source == STORE and generation:
        try:
            return await here.policies.of_generation(generation)
        except Refusal:
            pass  # it is not kept any more: what is in force says more than nothing
    return await here.policies.in_force()


async def _told(here: Services, snapshot: PolicySnapshot, told: Told) -> Explained:
    named = here.orders.contacts_key
    key = File(named) if named else here.state / KEY_FILE
    told = await explaining.limits_told(told, snapshot, url=here.orders.store, contacts_key=key, store=here.accounts)
    return Explained.model_validate(explained_data(told))
