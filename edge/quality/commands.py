"""`edge quality`, `edge billing`, `edge account idle`: an operator looks at quality, bills and idle accounts.

Parses, calls the rooms beside it, prints by `views`. What is heavy is imported when a command runs. What is in force
is read in the store, where every node writes what its policy says. (`edge penalties` is in `penalty_commands`.)
"""

import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from edge.accounts import values
from edge.accounts.options import By, Config, DryRun, Json, Redis, State
from edge.terminal import fail, or_usage, say, usage, user_name
from limits.account import AccountId, is_holder_id

if TYPE_CHECKING:
    from edge.quality.desk import Desk

_T = TypeVar("_T")
Store = tuple[str | None, str | None, str | None]
"""--redis, --state and --config."""
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")

Form = Annotated[str, typer.Option("--format", help="csv or json; amounts in micro-units.", metavar="csv|json")]
Output = Annotated[str, typer.Option(help="Into this file instead of the terminal.", metavar="FILE")]
Prefix = Annotated[str, typer.Argument(help="Beginning of the names of accounts.", metavar="PREFIX")]


def quality(
    account: Annotated[str, typer.Argument(help="An account, or trunk:ID.", metavar="ACCOUNT")],
    trunk: Annotated[str, typer.Option(help="Only what this egress trunk carried of it.", metavar="ID")] = "",
    hours: Annotated[int, typer.Option(help="The last so many clock hours.", min=1, max=1000)] = 24,
    redis: Redis = None,
    state: State = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """ASR, NER, ACD, short calls, post-dial delay by clock hour and now; breaches, and the calls under them."""
    if not is_holder_id(account):
        usage(f"ACCOUNT: {account!r}: expected an account, or trunk:ID")
    from edge.quality import report, views

    async def work(desk: "Desk") -> list[str]:
        found = await report.report(desk.tallies, account, desk.terms, trunk=trunk, hours=hours)
        if not found.hours and not account.startswith("trunk:"):
            await desk.accounts.read(AccountId(account))
        return [json.dumps(views.report_data(found, desk.terms))] if as_json else views.report_lines(found, desk.terms)

    say(*run((redis, state, config), work))


def billing(
    month: Annotated[str, typer.Argument(help="YYYY-MM of the policy's time zone.", metavar="MONTH")],
    prefix: Prefix = "",
    form: Form = "csv",
    output: Output = "",
    redis: Redis = None,
    state: State = None,
    config: Config = None,
) -> None:
    """A month for billing, an account a row: calls, lots and when they were in force, penalties, the monthly
    minimum."""
    check_month("MONTH", month)
    check_form(form)
    from edge.quality import months, views

    async def work(desk: "Desk") -> list[str]:
        found = await months.bills(month, desk.terms, desk.accounts, desk.tallies, desk.ledger, prefix=prefix)
        if form == "csv":
            return [views.bills_csv(found)]
        return [json.dumps({"month": month, "currency": desk.terms.currency, "bills": views.bills_data(found)}) + "\n"]

    write(output, *run((redis, state, config), work))


def idle(
    prefix: Prefix = "",
    months: Annotated[int | None, typer.Option(help="Instead of the policy's.", min=1, max=120)] = None,
    close: Annotated[bool, typer.Option("--close", help="Close them (article 17.3).")] = False,
    by: By = "",
    dry_run: DryRun = False,
    redis: Redis = None,
    state: State = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Accounts without a call for so many months (6); with --close they are closed."""
    who = or_usage(lambda: values.line_of("--by", by or user_name(), most=100))
    from edge.quality import views
    from edge.quality.idle import close_one, find_idle

    async def work(desk: "Desk") -> list[str]:
        number = months or desk.terms.billing.idle_months
        found = await find_idle(desk.accounts, desk.terms, months=number, prefix=prefix)
        closed = []
        for one in found if close else ():
            why = f"no call for {number} months"
            if one.is_closable and (dry_run or await close_one(desk.accounts, one, by=who, why=why)):
                closed.append(str(one.account))
        if as_json:
            rows = [{**one._asdict(), "is_closed_now": one.account in closed and not dry_run} for one in found]
            return [json.dumps({"months": number, "dry_run": dry_run, "accounts": rows})]
        dry = ["dry run: nothing is changed"] if dry_run else []
        return [*dry, *views.idle_lines(found, closed, number)]

    say(*run((redis, state, config), work))


# -- what the commands share ---------------------------------------------------------------------------------------


def run(store: Store, work: "Callable[[Desk], Awaitable[_T]]") -> _T:
    """Do the work, or say why not."""
    from edge.accounts.changes import Place, Refused
    from edge.config.errors import StaticConfigError
    from edge.quality.desk import at_desk

    try:
        return at_desk(Place(*store), work)
    except Refused as refused:
        fail(str(refused))
    except StaticConfigError as error:
        usage("\nedge: ".join(str(problem) for problem in error.problems))


def write(output: str, text: str) -> None:
    """To a file (whole or not at all), or to the terminal."""
    if not output:
        typer.echo(text, nl=False)
        return
    path = Path(output)
    beside = path.with_name(path.name + ".new")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        fail(f"cannot write {output}: {error.strerror}")


def check_month(name: str, text: str) -> None:
    """YYYY-MM, or a usage error."""
    if _MONTH.fullmatch(text) is None:
        usage(f"{name}: {text!r}: expected YYYY-MM, such as 2026-11")


def check_form(form: str) -> None:
    """csv or json, or a usage error."""
    if form not in ("csv", "json"):
        usage(f"--format: {form!r}: expected csv or json")
