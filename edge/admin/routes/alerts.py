"""`/v1/credit-alerts`, `/v1/accounts/{account}/credit-alert`: below which credit an account is told."""

from typing import Annotated

from fastapi import APIRouter, Path

from edge.admin.asking import Here, Noted, Who, holder_of, terms_of
from edge.admin.problems import invalid
from edge.admin.shapes.accounts import CreditAlert, CreditAlertWanted
from limits.account import is_account_id

router = APIRouter(prefix="/v1", tags=["accounts"])

Name = Annotated[str, Path(max_length=128, examples=["acme"])]


@router.get("/credit-alerts")
async def list_credit_alerts(here: Here, who: Who) -> list[CreditAlert]:
    """Accounts with a threshold of their own, by name."""
    found = sorted((await here.alerts.credit()).items())
    return [CreditAlert(account=name, below_micros=micros) for name, micros in found if who.may_see(name)]


@router.get("/accounts/{account}/credit-alert")
async def show_credit_alert(here: Here, account: Name) -> CreditAlert:
    """Below which credit this account is told; null: as is in force for all."""
    holder = holder_of(account)
    return CreditAlert(account=holder, below_micros=(await here.alerts.credit()).get(holder))


@router.put("/accounts/{account}/credit-alert")
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
