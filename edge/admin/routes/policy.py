"""`/v1/policy`: the life of the policy document in the store: checked, compared, tried, brought into force, taken back.

The same functions as `edge policy …` (`edge.policies`). Every change is a new version of the whole document, by
compare-and-set on the generation that was read.
"""

import asyncio
import json
from datetime import UTC, date, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from edge.admin.asking import Here, MustMatch, Noted, Who, etag, terms_of
from edge.admin.problems import Refusal, invalid, naming
from edge.admin.routes.bringing import bring, bundle_of, changed, problems_below, stale
from edge.admin.routes.records import log_of, picked_of, reading
from edge.admin.services import Services
from edge.admin.shapes.policy import (
    BundleText,
    Compare,
    Difference,
    Document,
    Judge,
    Law,
    NewDocument,
    Policy,
    PolicyChange,
    Replay,
    RollBack,
    Sound,
    Version,
)
from edge.cdr import export
from edge.config.bundle import Bundle, build, check_names
from edge.config.rulebook import RuleBook
from edge.config.rulesets import BUILT_IN_RULESETS, built_in_ruleset
from edge.config.snapshot import PolicySnapshot
from edge.policies import replay as replaying
from edge.policies import replay_view, versions, views
from edge.policies.differences import differences
from edge.policies.editing import with_file
from edge.policies.law_view import json_text
from limits.documents import VERSIONS_KEPT
from limits.errors import StaleDocument

router = APIRouter(prefix="/v1/policy", tags=["policy"])

GenerationGiven = Annotated[int | None, Query(ge=1, le=10**9, description="Left out: what is in force.")]
FileName = Annotated[str, Path(max_length=200, description="As the document names it.", examples=["rates.csv"])]
REPLAYED = 200_000
"""Records judged again at one time."""


@router.get("")
async def show_policy(here: Here, response: Response) -> Policy:
    """What is in force in the store."""
    head = await here.documents.head()
    found = await here.documents.version(head.generation) if head.generation else None
    response.headers["ETag"] = etag(head.generation)
    shown = [Version.model_validate(one) for one in views.version_data([found] if found is not None else [])]
    return Policy(generation=head.generation, version=shown[0] if shown else None, source=here.policies.source)


@router.get("/versions")
async def list_versions(here: Here, last: Annotated[int, Query(ge=1, le=VERSIONS_KEPT)] = 20) -> list[Version]:
    """Who brought in which version, when and why; the newest first."""
    found = await here.documents.versions(last=last)
    return [Version.model_validate(one) for one in views.version_data(found)]


@router.get("/document")
async def export_policy(here: Here, response: Response, generation: GenerationGiven = None) -> BundleText:
    """A version with its files, byte for byte as it was brought in."""
    number, bundle = await here.policies.bundle(generation)
    response.headers["ETag"] = etag(number)
    files = {name: data for name, data in bundle.files.items()}
    return BundleText.model_construct(
        generation=number, name=bundle.name, document=bundle.document.decode("utf-8", "replace"), files=files
    )


@router.post("/check")
async def check_policy(here: Here, document: Document) -> Sound:
    """Does it build? Else 422 with the exact place of each fault."""
    snapshot = await _built(here, bundle_of(document), 1)
    return Sound(
        accounts=len(snapshot.accounts),
        ingress_trunks=len(snapshot.ingress),
        egress_trunks=len(snapshot.trunks),
        route_prefixes=sum(len(routes) for routes in snapshot.routes.values()),
        cli_rules=len(snapshot.rules),
    )


@router.post("/diff")
async def compare_policies(here: Here, wanted: Compare) -> list[Difference]:
    """What one document says that the other does not, by meaning."""
    before = (await here.policies.bundle(wanted.before))[1]
    after = await _side(here, wanted.after)
    with problems_below("/after"):
        found = await asyncio.to_thread(differences, before, after)
    return [Difference.model_validate(one) for one in views.difference_data(found)]


@router.put("")
async def bring_policy(
    here: Here,
    who: Who,
    noted: Noted,
    document: NewDocument,
    generation: MustMatch,
    response: Response,
    dry_run: Annotated[bool, Query()] = False,
) -> PolicyChange:
    """The next version, in force on every node that runs with `--policy store`. Needs If-Match: the generation it
    follows, `"0"` for the first."""
    bundle = bundle_of(document)
    await _built(here, bundle, generation + 1)
    done = await bring(here, who, bundle, why=document.reason, expected=generation, dry_run=dry_run)
    return changed(done, noted, response, dry_run=dry_run)


@router.post("/rollback")
async def roll_back_policy(
    here: Here,
    who: Who,
    noted: Noted,
    wanted: RollBack,
    generation: MustMatch,
    response: Response,
    dry_run: Annotated[bool, Query()] = False,
) -> PolicyChange:
    """An older version in force again, as a new one."""
    _, bundle = await here.policies.bundle(wanted.generation)
    await _built(here, bundle, wanted.generation)
    why = terms_of(who, wanted.reason).reason
    try:
        done = await versions.roll_back(
            here.documents, wanted.generation, by=who.name, why=why, expected=generation, dry_run=dry_run
        )
    except StaleDocument as error:
        raise stale(error) from error
    return changed(done, noted, response, dry_run=dry_run)


@router.get("/files/{file}", responses={200: {"content": {"application/octet-stream": {}}}}, response_class=Response)
async def show_file(here: Here, file: FileName, generation: GenerationGiven = None) -> Response:
    """A file that the document names: a rate deck, a list of numbers, a ruleset."""
    number, bundle = await here.policies.bundle(generation)
    data = bundle.files.get(file)
    if data is None:
        raise Refusal("not-found", f"generation {number} names no file {file!r}: {', '.join(bundle.files) or 'none'}")
    return Response(data, media_type="application/octet-stream", headers={"ETag": etag(number)})


@router.put(
    "/files/{file}",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def replace_file(
    here: Here,
    who: Who,
    noted: Noted,
    request: Request,
    file: FileName,
    generation: MustMatch,
    response: Response,
    reason: Annotated[str, Query(max_length=500)] = "",
    dry_run: Annotated[bool, Query()] = False,
) -> PolicyChange:
    """Another content for a file that the document in force names, as a new version: a new rate deck."""
    data = await request.body()
    number, bundle = await here.policies.bundle(None)
    if number != generation:
        raise Refusal("stale", f"generation {number} is in force, not {generation}", headers={"ETag": etag(number)})
    with naming(Document):
        edited = with_file(bundle, file, data)
    with problems_below(""):
        await asyncio.to_thread(build, edited, generation=generation + 1)
    done = await bring(here, who, edited, why=reason, expected=generation, dry_run=dry_run)
    return changed(done, noted, response, dry_run=dry_run)


@router.get("/law")
async def show_law(here: Here, day: Annotated[date | None, Query(description="Left out: today.")] = None) -> Law:
    """The rules about caller numbers on a day, with what each rests on, under the switches of the policy in force."""
    wanted = day or datetime.now(UTC).date()
    if not date(1990, 1, 1) <= wanted <= date(2100, 1, 1):
        raise invalid("day: expected one from 1990 to 2100", pointer="day", place="query")
    try:
        book = (await here.policies.in_force())[0].book
    except Refusal:
        book = RuleBook(built_in_ruleset(BUILT_IN_RULESETS[0]))
    return Law.model_validate(json.loads(json_text(book, wanted)))


@router.post("/replay")
async def replay_policy(here: Here, wanted: Judge) -> Replay:
    """Attempts of the past, out of this node's log, judged under another document. Changes nothing."""
    if wanted.under is None or isinstance(wanted.under, int):
        snapshot, under = await here.policies.of_generation(wanted.under)
    else:
        with problems_below("/under"):
            snapshot, under = await asyncio.to_thread(build, bundle_of(wanted.under), generation=1), "the document"
    directory, picked = log_of(here), picked_of("", None, "", wanted.since, "")

    def judge() -> tuple[replaying.Replay, bool]:
        replayed = replaying.Replay(snapshot)
        for entry in export.entries([directory], picked):
            if replayed.records == REPLAYED:
                return replayed, True
            replayed.add(entry.record)
        return replayed, False

    replayed, is_cut = await reading(here, judge)
    data = replay_view.replay_data(replayed, under=under, broken=0)
    return Replay.model_validate({**data, "is_cut": is_cut})


async def _built(here: Services, bundle: Bundle, generation: int) -> PolicySnapshot:
    with problems_below(""):
        check_names(bundle)
        return await reading(here, lambda: build(bundle, generation=generation))


async def _side(here: Services, side: int | Document | None) -> Bundle:
    if side is None or isinstance(side, int):
        return (await here.policies.bundle(side))[1]
    return bundle_of(side)
