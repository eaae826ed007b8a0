"""Single values of the policy in the store: trunks taken out, numbers that may be presented, numbers that never call,
rates. Each change is a new version of the whole document, everything else left as it was written."""

import asyncio
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from edge.admin.access import Principal
from edge.admin.asking import DryRun, Here, IfMatch, MustMatch, Noted, Who, etag, holder_of
from edge.admin.problems import Refusal
from edge.admin.routes.bringing import bring, changed, problems_below
from edge.admin.services import Services
from edge.admin.shapes.live import Maintenance
from edge.admin.shapes.policy import DoNotOriginate, ListedNumbers, Numbers, PolicyChange, Rate
from edge.config.bundle import Bundle, build, document_of
from edge.policies import editing

router = APIRouter(prefix="/v1")

IN_FILE = 1_000
TrunkName = Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9._-]+$", examples=["carrier-a"])]
AccountName = Annotated[str, Path(max_length=128, examples=["acme"])]


@router.post("/trunks/{trunk}/maintenance", tags=["trunks"])
async def take_trunk_out(
    here: Here,
    who: Who,
    noted: Noted,
    trunk: TrunkName,
    wanted: Maintenance,
    generation: IfMatch,
    response: Response,
    dry_run: DryRun = False,
) -> PolicyChange:
    """No new call is sent to it, on any node; running calls go on. The policy must live in the store."""

    def edit(bundle: Bundle) -> Bundle:
        return editing.with_maintenance(bundle, trunk, is_on=True)

    return await _edited(here, who, noted, response, edit, wanted.reason, generation, dry_run)


@router.post("/trunks/{trunk}/resume", tags=["trunks"])
async def bring_trunk_back(
    here: Here,
    who: Who,
    noted: Noted,
    trunk: TrunkName,
    wanted: Maintenance,
    generation: IfMatch,
    response: Response,
    dry_run: DryRun = False,
) -> PolicyChange:
    """Calls are sent to it again."""

    def edit(bundle: Bundle) -> Bundle:
        return editing.with_maintenance(bundle, trunk, is_on=False)

    return await _edited(here, who, noted, response, edit, wanted.reason, generation, dry_run)


@router.get("/accounts/{account}/cli-numbers", tags=["policy"])
async def show_cli_numbers(here: Here, account: AccountName, response: Response) -> ListedNumbers:
    """Numbers that this account may present, by the policy in the store."""
    number, bundle = await here.policies.bundle(None)
    snapshot, _ = await here.policies.of_generation(None)
    holder = holder_of(account)
    if holder not in snapshot.accounts:
        raise Refusal("not-found", f"the policy in force names no account {account!r}")
    document = document_of(bundle.document, bundle.name)
    own = next((entry for entry in document.accounts if entry.id == account), None)
    name = document.numbers.cli_file
    data = bundle.files.get(name, b"")
    listed = await asyncio.to_thread(editing.listed_in_file, data, account, most=IN_FILE)
    response.headers["ETag"] = etag(number)
    return ListedNumbers(
        account=account,
        generation=number,
        declared=snapshot.ownership.is_declared(account),
        numbers=list(own.cli.numbers) if own is not None else [],
        in_file=listed,
        file=name,
    )


@router.put("/accounts/{account}/cli-numbers", tags=["policy"])
async def set_cli_numbers(
    here: Here,
    who: Who,
    noted: Noted,
    account: AccountName,
    wanted: Numbers,
    generation: MustMatch,
    response: Response,
    dry_run: DryRun = False,
) -> PolicyChange:
    """The list in the document's own entry of this account. Needs If-Match."""
    holder = holder_of(account)

    def edit(bundle: Bundle) -> Bundle:
        return editing.with_cli_numbers(bundle, holder, wanted.numbers)

    return await _edited(here, who, noted, response, edit, wanted.reason, generation, dry_run)


@router.get("/do-not-originate", tags=["policy"])
async def show_do_not_originate(here: Here, response: Response) -> DoNotOriginate:
    """Numbers from which no call ever begins, whoever presents them."""
    number, bundle = await here.policies.bundle(None)
    document = document_of(bundle.document, bundle.name)
    response.headers["ETag"] = etag(number)
    return DoNotOriginate(generation=number, numbers=list(document.numbers.do_not_originate))


@router.put("/do-not-originate", tags=["policy"])
async def set_do_not_originate(
    here: Here,
    who: Who,
    noted: Noted,
    wanted: Numbers,
    generation: MustMatch,
    response: Response,
    dry_run: DryRun = False,
) -> PolicyChange:
    """Another list. Needs If-Match."""

    def edit(bundle: Bundle) -> Bundle:
        return editing.with_do_not_originate(bundle, wanted.numbers)

    return await _edited(here, who, noted, response, edit, wanted.reason, generation, dry_run)


@router.get("/rates", tags=["policy"])
async def show_rate(
    here: Here,
    number: Annotated[str, Query(min_length=1, max_length=64, description="E.164 with its plus, or as dialled.")],
) -> Rate:
    """What a call to this number costs, by the rate deck in force. (The deck itself: `/v1/policy/files/…`.)"""
    snapshot, name = await here.policies.in_force()
    found = None if snapshot.deck is None else snapshot.deck.lookup(number.strip())
    if found is None or snapshot.deck is None:
        raise Refusal("not-found", f"{name} has no rate for {number!r}")
    price = found.price
    return Rate(
        number=number,
        prefix=found.prefix,
        zone=found.zone,
        currency=snapshot.deck.currency,
        connect_micros=price.connect_micros,
        rate_micros=price.rate_micros,
        first_s=price.first_s,
        next_s=price.next_s,
        minimum_s=price.minimum_s,
    )


# -- what they share -----------------------------------------------------------------------------------------------


async def _edited(
    here: Services,
    who: Principal,
    noted: dict[str, object],
    response: Response,
    edit: Callable[[Bundle], Bundle],
    why: str,
    expected: int | None,
    dry_run: bool,
) -> PolicyChange:
    number, bundle = await here.policies.bundle(None)
    if expected not in (None, number):
        raise Refusal("stale", f"generation {number} is in force, not {expected}", headers={"ETag": etag(number)})
    try:
        edited = edit(bundle)
    except ValueError as error:
        raise Refusal("not-found", str(error)) from error
    with problems_below(""):
        await asyncio.to_thread(build, edited, generation=number + 1)
    done = await bring(here, who, edited, why=why, expected=number, dry_run=dry_run)
    return changed(done, noted, response, dry_run=dry_run)
