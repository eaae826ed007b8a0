"""`/v1/accounts`: accounts, groups (`group:ID`) and trunks' ceilings (`trunk:ID`) in the store, live (R9).

The same functions as `edge account …` (`edge.accounts.changes`).
"""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response

from edge.accounts import changes, views
from edge.accounts.changes import Plan
from edge.accounts.values import Changed, Terms, blank
from edge.admin.asking import (
    Cursor,
    DryRun,
    Here,
    IfMatch,
    Limit,
    MustMatch,
    Noted,
    Who,
    cursor_of,
    etag,
    holder_of,
    place_of,
    terms_of,
)
from edge.admin.problems import Refusal, invalid, naming
from edge.admin.services import Services
from edge.admin.shapes.accounts import (
    Account,
    AccountPatch,
    Change,
    Close,
    Created,
    HeldCall,
    HistoryEntry,
    ListedAccount,
    Lots,
    Monthly,
    NewAccount,
    Resume,
    Settings,
    Status,
    Stop,
    ToppedUp,
    TopUp,
    Verified,
)
from edge.admin.shapes.shape import Page
from limits import fields
from limits.account import AccountId, AccountStatus, PrefixCeiling
from limits.errors import StaleGeneration

router = APIRouter(prefix="/v1/accounts", tags=["accounts"])

Name = Annotated[str, Path(max_length=128, description="An account, `group:ID` or `trunk:ID`.", examples=["acme"])]
LOOKED_AT = 5_000
"""Accounts looked at for one page that asks for a status."""
_NOT_VALUES = {"reason", "until", "account", "opening_micros"}


@router.get("")
async def list_accounts(
    here: Here,
    who: Who,
    prefix: Annotated[str, Query(max_length=128, description="Beginning of the names.")] = "",
    kind: Annotated[Literal["account", "group", "trunk"], Query()] = "account",
    status: Annotated[Status | None, Query()] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[ListedAccount]:
    """Accounts, groups or trunks with their status, use and money, in the order of their names."""
    after = place_of(cursor)
    names = [
        AccountId(name)
        for name in await here.accounts.holders()
        if name > after and kind_of(name) == kind and bare(name).startswith(prefix) and who.may_see(name)
    ]
    items: list[ListedAccount] = []
    looked = 0
    while names[looked:] and len(items) < limit and looked < LOOKED_AT:
        part = names[looked : looked + limit - len(items)]
        usages, _ = await here.accounts.peek_many(part)  # what cannot be read is told by the books (verify)
        rows = [views.listed(usage) for usage in usages if status in (None, usage.account.status)]
        items += [ListedAccount.model_validate(row._asdict()) for row in rows]
        looked += len(part)
    return Page(items=items, next=cursor_of(names[looked - 1]) if names[looked:] else None)


@router.post("", status_code=201, responses={200: {"model": Created, "description": "A dry run."}})
async def create_account(
    here: Here, who: Who, noted: Noted, wanted: NewAccount, response: Response, dry_run: DryRun = False
) -> Created:
    """A new account. Its calls are let in once the policy document names it too."""
    holder = holder_of(wanted.account)
    if not who.may_see(holder):
        raise Refusal("forbidden", f"{who.name} may not see this account")
    terms = terms_of(who, wanted.reason, dry_run=dry_run)
    with naming(NewAccount):
        account = fields.patched(blank(holder), patch_of(wanted))
    created = await changes.create(here.accounts, account, wanted.opening_micros, terms)
    data = views.created_data(created, dry_run=dry_run)
    noted["after"] = data
    if dry_run:
        response.status_code = 200
    else:
        response.headers["Location"] = f"/v1/accounts/{holder}"
        response.headers["ETag"] = etag(1)
    return Created.model_validate(data)


@router.get("/{account}")
async def show_account(here: Here, account: Name, response: Response) -> Account:
    """Everything in force and in use, of this instant; takes nothing."""
    usage = await here.accounts.peek(holder_of(account))
    response.headers["ETag"] = etag(usage.account.generation)
    return Account.model_validate(views.usage_data(usage))


@router.patch("/{account}")
async def change_account(
    here: Here,
    who: Who,
    noted: Noted,
    account: Name,
    patch: AccountPatch,
    generation: MustMatch,
    response: Response,
    dry_run: DryRun = False,
) -> Change:
    """Set some values: in force at the next INVITE, on every node. Needs If-Match."""
    values = patch_of(patch)
    if not values:
        raise invalid("nothing to set: expected one of the values at least")
    terms = terms_of(who, patch.reason, until=patch.until, dry_run=dry_run, generation=generation)
    return await _change(here, noted, account, lambda _: (values, False), terms, response)


@router.post("/{account}/caps-lots")
async def caps_lots(
    here: Here,
    who: Who,
    noted: Noted,
    account: Name,
    wanted: Lots,
    generation: IfMatch,
    response: Response,
    dry_run: DryRun = False,
) -> Change:
    """Lots of call attempts per second: in force at the next INVITE, on every node."""
    terms = terms_of(who, wanted.reason, until=wanted.until, dry_run=dry_run, generation=generation)
    plan = changes.lots_plan("caps_lots", str(wanted.lots))
    return await _change(here, noted, account, plan, terms, response)


@router.post("/{account}/call-lots")
async def call_lots(
    here: Here,
    who: Who,
    noted: Noted,
    account: Name,
    wanted: Lots,
    generation: IfMatch,
    response: Response,
    dry_run: DryRun = False,
) -> Change:
    """Lots of concurrent calls: in force at the next INVITE, on every node."""
    terms = terms_of(who, wanted.reason, until=wanted.until, dry_run=dry_run, generation=generation)
    plan = changes.lots_plan("call_lots", str(wanted.lots))
    return await _change(here, noted, account, plan, terms, response)


@router.post("/{account}/suspend")
async def suspend_account(
    here: Here,
    who: Who,
    noted: Noted,
    account: Name,
    wanted: Stop,
    generation: IfMatch,
    response: Response,
    dry_run: DryRun = False,
) -> Change:
    """No new call passes (403); with `cut` the running ones are ended."""
    terms = terms_of(who, wanted.reason, until=wanted.until, dry_run=dry_run, generation=generation)
    plan = changes.status_plan(AccountStatus.SUSPENDED, cut=wanted.cut, reopen=False, is_sure=True)
    return await _change(here, noted, account, plan, terms, response)


@router.post("/{account}/resume")
async def resume_account(
    here: Here,
    who: Who,
    noted: Noted,
    account: Name,
    wanted: Resume,
    generation: IfMatch,
    response: Response,
    dry_run: DryRun = False,
) -> Change:
    """Calls pass again."""
    terms = terms_of(who, wanted.reason or "resumed", dry_run=dry_run, generation=generation)
    plan = changes.status_plan(AccountStatus.ACTIVE, cut=False, reopen=wanted.reopen, is_sure=True)
    return await _change(here, noted, account, plan, terms, response)


@router.post("/{account}/close")
async def close_account(
    here: Here,
    who: Who,
    noted: Noted,
    account: Name,
    wanted: Close,
    generation: IfMatch,
    response: Response,
    dry_run: DryRun = False,
) -> Change:
    """For good: no call passes any more. Books and history stay. 409 while calls run, but with `is_sure`."""
    terms = terms_of(who, wanted.reason, dry_run=dry_run, generation=generation)
    is_sure = wanted.is_sure or dry_run
    plan = changes.status_plan(AccountStatus.CLOSED, cut=wanted.cut, reopen=False, is_sure=is_sure)
    return await _change(here, noted, account, plan, terms, response)


@router.post("/{account}/top-ups")
async def top_up(here: Here, who: Who, noted: Noted, account: Name, wanted: TopUp, dry_run: DryRun = False) -> ToppedUp:
    """Money actually received: running calls go on with it at once. Below zero, a correction: for an engineer, with a
    reason."""
    holder = holder_of(account)
    if not wanted.amount_micros:
        raise invalid("amount_micros: expected an amount other than zero", pointer="/amount_micros")
    if wanted.amount_micros < 0 and not who.may("engineer"):
        raise Refusal("forbidden", "a correction below zero needs the role engineer")
    if wanted.amount_micros < 0 and not wanted.reason:
        raise invalid("reason: a correction below zero needs one", pointer="/reason")
    if not wanted.reference.isprintable():
        raise invalid("reference: expected printable characters on one line", pointer="/reference")
    terms = terms_of(who, wanted.reason, dry_run=dry_run)
    done = await changes.top_up(here.accounts, holder, wanted.amount_micros, wanted.reference, terms)
    data = views.top_up_data(holder, done, dry_run=dry_run)
    noted["before"], noted["after"] = {"balance_micros": done.before_micros}, data
    return ToppedUp.model_validate(data)


@router.get("/{account}/history")
async def account_history(
    here: Here, account: Name, last: Annotated[int, Query(ge=1, le=1_000)] = 100
) -> list[HistoryEntry]:
    """Who changed what, when and why; the newest first."""
    entries = await changes.history(here.accounts, holder_of(account), last)
    return [HistoryEntry.model_validate(views.entry_data(entry)) for entry in entries]


@router.get("/{account}/calls")
async def account_calls(here: Here, account: Name) -> list[HeldCall]:
    """The calls that hold a slot now, the next to expire first; at most 10,000."""
    usage = await here.accounts.peek(holder_of(account))
    return [HeldCall.model_validate(call._asdict()) for call in usage.calls]


@router.get("/{account}/verify")
async def verify_account(here: Here, account: Name) -> Verified:
    """Do the books add up? Money, leases, holds; takes nothing."""
    holder = holder_of(account)
    broken = await here.accounts.verify(holder)
    return Verified(account=holder, is_sound=not broken, broken=list(broken))


# -- what they share -----------------------------------------------------------------------------------------------


def kind_of(name: str) -> str:
    """`account`, `group` or `trunk`."""
    kind = name.partition(":")[0]
    return kind if kind in ("group", "trunk") and ":" in name else "account"


def bare(name: str) -> str:
    """Without `group:` or `trunk:`."""
    return name if kind_of(name) == "account" else name.partition(":")[2]


def patch_of(wanted: Settings) -> fields.Patch:
    """What was given, as the store's rooms have it."""
    patch: dict[str, fields.Value] = {}
    for name in wanted.model_fields_set - _NOT_VALUES:
        value = getattr(wanted, name)
        if name == "prefix_ceilings":
            value = tuple(PrefixCeiling(one.prefix, one.calls, one.caps) for one in value)
        elif name == "shadow":
            value = frozenset(value)
        patch[name] = value
    return patch


class _Changing(AccountPatch, Lots):
    """Every value that a change may name."""


async def _change(
    here: Services,
    noted: dict[str, object],
    account: str,
    plan: Plan,
    terms: Terms,
    response: Response,
) -> Change:
    holder = holder_of(account)
    try:
        with naming(_Changing):
            done = await changes.change(here.accounts, holder, plan, terms)
    except StaleGeneration as error:
        kind = "conflict" if terms.generation is None else "stale"
        raise Refusal(kind, str(error), headers={"ETag": etag(error.found)}) from error
    data = views.change_data(done, dry_run=terms.dry_run)
    noted["before"] = {"generation": done.before.generation}
    noted["after"] = data
    response.headers["ETag"] = etag(done.after.generation)
    return Change.model_validate({**data, "monthly": await monthly(here, done)})


async def monthly(here: Services, done: Changed) -> Monthly:
    """What the lots cost before and after."""
    terms = (await here.desk()).terms
    billing = terms.billing
    before, after = [
        one.caps_lots * billing.caps_lot_month + one.call_lots * billing.call_lot_month
        for one in (done.before, done.after)
    ]
    return Monthly(currency=terms.currency, before_micros=before, after_micros=after)
