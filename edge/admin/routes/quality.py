"""`/v1/accounts/…/quality`, `/v1/penalties`, `/v1/billing`, `/v1/idle-accounts`: quality by the hour, the
penalty ledger (contract article 27), months for billing. The same functions as the commands (`edge.quality`)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import PlainTextResponse

from edge.admin.asking import DryRun, Here, Noted, Who, holder_of, terms_of
from edge.admin.problems import Refusal, invalid, naming
from edge.admin.services import Services
from edge.admin.shapes.quality import (
    Bills,
    CloseIdle,
    Corrected,
    Correction,
    Entered,
    IdleAccount,
    IdleAccounts,
    Month,
    NewCase,
    PenaltyEntry,
    PenaltyExport,
    Proved,
    Quality,
)
from edge.quality import book, months, report, views
from edge.quality.book import Refusal as BookRefusal
from edge.quality.entries import case_entry, in_month, net_micros
from edge.quality.idle import close_one, find_idle
from limits.account import KINDS, AccountId

router = APIRouter(prefix="/v1")

Name = Annotated[str, Path(max_length=128, description="An account, or `trunk:ID`.", examples=["acme"])]
Prefix = Annotated[str, Query(max_length=128, description="Beginning of the names of accounts.")]
Form = Annotated[Literal["json", "csv"], Query(alias="format")]
MonthGiven = Annotated[Month | None, Query(description="YYYY-MM of the policy's time zone; left out: all.")]
CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}


@router.get("/accounts/{account}/quality", tags=["quality"])
async def show_quality(
    here: Here,
    account: Name,
    trunk: Annotated[str, Query(max_length=64, description="Only what this egress trunk carried of it.")] = "",
    hours: Annotated[int, Query(ge=1, le=1_000)] = 24,
) -> Quality:
    """ASR, NER, ACD, short calls, post-dial delay by clock hour and now; breaches, and the calls under them."""
    desk, holder = await here.desk(), holder_of(account)
    if not holder.startswith("trunk:"):
        await desk.accounts.read(holder)
    found = await report.report(desk.tallies, holder, desk.terms, trunk=trunk, hours=hours)
    return Quality.model_validate(views.report_data(found, desk.terms))


# -- penalties -----------------------------------------------------------------------------------------------------


@router.get("/accounts/{account}/penalties", tags=["penalties"])
async def list_penalties(here: Here, account: Name, month: MonthGiven = None) -> list[PenaltyEntry]:
    """Every entry of an account, the oldest first."""
    desk, holder = await here.desk(), holder_of(account)
    await desk.accounts.read(holder)
    rows = await book.proved(desk.ledger, [holder])
    chosen = {entry.seq for entry in in_month([entry for entry, _ in rows], month or "", desk.terms)}
    return [
        PenaltyEntry.model_validate(views.entry_data(entry, digest, desk.terms))
        for entry, digest in rows
        if entry.seq in chosen
    ]


@router.post("/accounts/{account}/penalties", tags=["penalties"])
async def enter_penalty(
    here: Here, who: Who, noted: Noted, account: Name, case: NewCase, dry_run: DryRun = False
) -> Entered:
    """Enter a case that somebody else found: a 33700 ticket, a complaint … Once for each reference."""
    desk, holder = await here.desk(), holder_of(account)
    terms = terms_of(who, case.reason)
    with naming(NewCase):
        entry = case_entry(
            holder,
            case.kind,
            case.reference,
            desk.terms,
            now_ms=await desk.tallies.now_ms(),
            at_s=case.at_s,
            amount_micros=case.amount_micros,
            surcharge_micros=case.surcharge_micros,
            by=terms.by,
            why=terms.reason,
        )
    if dry_run:
        await desk.accounts.read(holder)
        seq = await desk.ledger.booked(holder, entry.reference)
        data = views.entry_data(entry._replace(seq=seq or 0), "", desk.terms)
        return Entered.model_validate({**data, "is_new": seq is None, "dry_run": True})
    with _refusing():
        done = await book.enter(desk.ledger, entry)
    data = views.entry_data(done.entry, done.digest, desk.terms)
    noted["after"] = {**data, "is_new": done.is_new}
    return Entered.model_validate({**data, "is_new": done.is_new, "dry_run": False})


@router.post("/accounts/{account}/penalties/{seq}/correct", tags=["penalties"])
async def correct_penalty(
    here: Here,
    who: Who,
    noted: Noted,
    account: Name,
    seq: Annotated[int, Path(ge=1, le=10**12)],
    wanted: Correction,
    dry_run: DryRun = False,
) -> Corrected:
    """A counter-entry, so that an entry comes to another amount: 0 takes it back."""
    desk, holder = await here.desk(), holder_of(account)
    terms = terms_of(who, wanted.reason)
    entries = await book.read(desk.ledger, holder)
    if not any(entry.seq == seq for entry in entries):
        raise Refusal("not-found", f"{account!r} has no entry {seq}")
    before = net_micros(entries, seq)
    noted["before"], noted["after"] = {"amount_micros": before}, {"amount_micros": wanted.to_micros}
    if dry_run:
        return Corrected(entry=None, before_micros=before, after_micros=wanted.to_micros, dry_run=True)
    with _refusing():
        done = await book.correct(
            desk.ledger,
            holder,
            seq,
            to_micros=wanted.to_micros,
            currency=desk.terms.currency,
            by=terms.by,
            why=terms.reason,
        )
    entry = None
    if done is not None:
        entry = PenaltyEntry.model_validate(views.entry_data(done.entry, done.digest, desk.terms))
    return Corrected(entry=entry, before_micros=before, after_micros=wanted.to_micros, dry_run=False)


@router.get("/penalties/export", tags=["penalties"], responses=CSV, response_model=PenaltyExport)
async def export_penalties(
    here: Here, month: MonthGiven = None, prefix: Prefix = "", form: Form = "json"
) -> PenaltyExport | Response:
    """Every entry of every account, of one month or of all, with totals. The chains are proved on the way."""
    desk = await here.desk()
    with _refusing():
        found = await book.proved(desk.ledger, await _accounts(here, prefix))
    rows = [(entry, digest) for entry, digest in found if not month or entry.month(desk.terms) == month]
    if form == "csv":
        return PlainTextResponse(views.entries_csv(rows, desk.terms), media_type="text/csv")
    return PenaltyExport.model_validate(views.export_data(rows, month or "", desk.terms))


@router.get("/penalties/verify", tags=["penalties"])
async def verify_penalties(here: Here, prefix: Prefix = "") -> list[Proved]:
    """Is every ledger whole, entry by entry? Keep the last digests elsewhere."""
    found = []
    for holder in await _accounts(here, prefix):
        lines, fault = await book.prove(here.ledger, holder)
        if lines or fault:
            digest = lines[-1].digest if lines else ""
            found.append(Proved(account=holder, entries=len(lines), last_digest=digest, fault=fault))
    return found


# -- bills and idle accounts ---------------------------------------------------------------------------------------


@router.get("/billing/{month}", tags=["billing"], responses=CSV, response_model=Bills)
async def show_bills(
    here: Here,
    month: Annotated[Month, Path(description="YYYY-MM of the policy's time zone.", examples=["2026-11"])],
    prefix: Prefix = "",
    form: Form = "json",
) -> Bills | Response:
    """A month for billing: calls, lots and when they were in force, penalties, the monthly minimum."""
    desk = await here.desk()
    try:
        found = await months.bills(month, desk.terms, desk.accounts, desk.tallies, desk.ledger, prefix=prefix)
    except ValueError as error:
        raise invalid(str(error), pointer="month", place="path") from error
    if form == "csv":
        return PlainTextResponse(views.bills_csv(found), media_type="text/csv")
    data = {"month": month, "currency": desk.terms.currency, "bills": views.bills_data(found)}
    return Bills.model_validate(data)


@router.get("/idle-accounts", tags=["accounts"])
async def list_idle(
    here: Here,
    given: Annotated[int | None, Query(alias="months", ge=1, le=120, description="Left out: the policy's.")] = None,
    prefix: Prefix = "",
) -> IdleAccounts:
    """Accounts without a call for so many months (article 17.3)."""
    desk = await here.desk()
    number = given or desk.terms.billing.idle_months
    found = await find_idle(desk.accounts, desk.terms, months=number, prefix=prefix)
    rows = [IdleAccount(**one._asdict(), is_closable=one.is_closable) for one in found]
    return IdleAccounts(months=number, dry_run=True, accounts=rows)


@router.post("/idle-accounts/close", tags=["accounts"])
async def close_idle(
    here: Here, who: Who, noted: Noted, wanted: CloseIdle, prefix: Prefix = "", dry_run: DryRun = False
) -> IdleAccounts:
    """Close them: those of which it is known how long they are idle."""
    desk = await here.desk()
    number = wanted.months or desk.terms.billing.idle_months
    terms = terms_of(who, wanted.reason or f"no call for {number} months")
    rows = []
    for one in await find_idle(desk.accounts, desk.terms, months=number, prefix=prefix):
        closed = False
        if one.is_closable and not dry_run:
            closed = await close_one(desk.accounts, one, by=terms.by, why=terms.reason)
        rows.append(IdleAccount(**one._asdict(), is_closable=one.is_closable, is_closed_now=closed))
    noted["after"] = {"closed": [one.account for one in rows if one.is_closed_now][:500]}
    return IdleAccounts(months=number, dry_run=dry_run, accounts=rows)


async def _accounts(here: Services, prefix: str) -> list[AccountId]:
    return [
        AccountId(name)
        for name in await here.accounts.holders()
        if name.startswith(prefix) and not name.startswith(KINDS)
    ]


@contextmanager
def _refusing() -> Iterator[None]:
    """What the ledger says no to. Raises Refusal."""
    try:
        yield
    except (BookRefusal, ValueError) as error:
        raise Refusal("conflict", str(error)) from error
