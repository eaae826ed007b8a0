"""`/v1/alerts`: what stands and what was told. `/v1/credit-alerts`, `/v1/accounts/{account}/credit-alert`: below which
credit an account is told."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import ValidationError

from edge.admin.asking import Here, Noted, Who, holder_of, terms_of
from edge.admin.overview import standing
from edge.admin.problems import invalid
from edge.admin.shapes.accounts import CreditAlert, CreditAlertWanted
from edge.admin.shapes.overview import AlertRow, AlertTold
from limits.account import is_account_id

router = APIRouter(prefix="/v1")

Name = Annotated[str, Path(max_length=128, examples=["acme"])]


@router.get("/alerts", tags=["nodes"])
async def list_alerts(here: Here) -> list[AlertRow]:
    """Alerts that stand now, the most urgent first."""
    return standing(await here.alerts.states())


@router.get("/alerts/history", tags=["nodes"])
async def alert_history(here: Here, last: Annotated[int, Query(ge=1, le=1_000)] = 20) -> list[AlertTold]:
    """What was told of alerts, the newest first: as webhooks get it."""
    found = []
    for one in await here.alerts.newest(most=last):
        try:
            found.append(AlertTold.model_validate_json(one.text))
        except ValidationError:
            continue  # put there by hand
    return found


@router.get("/credit-alerts", tags=["accounts"])
async def list_credit_alerts(here: Here, who: Who) -> list[CreditAlert]:
    """Accounts with a threshold of their own, by name."""
    found = sorted((await here.alerts.credit()).items())
    return [CreditAlert(account=name, below_micros=micros) for name, micros in found if who.may_see(name)]


@router.get("/accounts/{account}/credit-alert", tags=["accounts"])
async def show_credit_alert(here: Here, account: Name) -> CreditAlert:
    """Below which credit this account is told; null: as is in force for all."""
    holder = holder_of(account)
    return CreditAlert(account=holder, below_micros=(await here.alerts.credit()).get(holder))


@router.put("/accounts/{account}/credit-alert", tags=["accounts"])
async def set_credit_alert(here: Here, who: Who, noted: Noted, account: Name, wanted: CreditAlertWanted) -> CreditAlert:
    """The account's own threshold, in force within seconds on every node; null: what is in force for all."""
    holder = holder_of(account)
    if not is_account_id(holder):
        raise invalid("account: expected an account, not a group or a trunk", place="path")
    terms_of(who, wanted.reason)
    await here.accounts.peek(holder)
    noted["before"] = {"below_micros": (await here.alerts.credit()).get(holder)}
    await here.alerts.set_credit(holder, wanted.below_micros)
    noted["after"] = {"below_micros": wanted.below_micros}
    return CreditAlert(account=holder, below_micros=wanted.below_micros)
