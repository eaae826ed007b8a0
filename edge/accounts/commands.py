"""`edge account …`: an operator looks at accounts in the store and changes them, live (R9).

Parses, calls `changes`, prints by `views`. What is heavy is imported when a command runs.
"""

import getpass
import json
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar

import typer

from edge.accounts import values, views
from edge.accounts.values import Changed, Terms
from limits import fields
from limits.account import Account, AccountId, AccountStatus, is_holder_id

if TYPE_CHECKING:
    from edge.accounts.changes import Plan
    from limits.accounts import AccountStore

app = typer.Typer(
    name="account",
    help="Accounts, groups (group:ID) and trunks (trunk:ID) in the store: look, change, live.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_T = TypeVar("_T")
Store = tuple[str, str]
"""--redis and --state."""
Name = Annotated[str, typer.Argument(help="An account, group:ID or trunk:ID.", metavar="ACCOUNT")]
Redis = Annotated[
    str,
    typer.Option(help="URL of the store; `embedded`: that of the edge on --state.", metavar="URL", envvar="EDGE_REDIS"),
]
State = Annotated[str, typer.Option(help="State directory of a running edge.", metavar="DIR", envvar="EDGE_STATE")]
Json = Annotated[bool, typer.Option("--json", help="For machines; money in micro-units, instants in UTC ms.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change; change nothing.")]
Reason = Annotated[str, typer.Option(help="Why; kept in the account's history.", metavar="TEXT")]
By = Annotated[str, typer.Option(help="Who; default: the user of this terminal.", metavar="NAME")]
Until = Annotated[
    str, typer.Option(help="Then it returns by itself: 45m, 2h, 3d, or 2027-01-31T08:00Z.", metavar="WHEN")
]
Generation = Annotated[int | None, typer.Option(help="Change only what is at this generation.", metavar="N", min=1)]


# -- looking -------------------------------------------------------------------------------------------------------


@app.command()
def show(account: Name, redis: Redis = "embedded", state: State = "state", as_json: Json = False) -> None:
    """Everything in force and in use."""
    usage = _run((redis, state), lambda store: store.peek(_holder(account)))
    _say(*([_json(views.usage_data(usage))] if as_json else views.usage_lines(usage)))


@app.command("list")
def list_(
    pattern: Annotated[str, typer.Argument(help="Beginning of the names to list.", metavar="PREFIX")] = "",
    redis: Redis = "embedded",
    state: State = "state",
    as_json: Json = False,
) -> None:
    """Every account, group and trunk: status, calls, CAPS, money, last call."""

    from edge.accounts import changes

    found = [views.listed(usage) for usage in _run((redis, state), lambda store: changes.peek_all(store, pattern))]
    if as_json:
        _say(_json([row._asdict() for row in found]))
    else:
        _say(*views.list_lines(found))


@app.command()
def calls(account: Name, redis: Redis = "embedded", state: State = "state", as_json: Json = False) -> None:
    """The calls that hold a slot now, the next to expire first."""
    usage = _run((redis, state), lambda store: store.peek(_holder(account)))
    _say(*([_json([call._asdict() for call in usage.calls])] if as_json else views.call_lines(usage)))


@app.command()
def history(
    account: Name,
    last: Annotated[int, typer.Option(help="So many entries, the newest first.", min=1, max=1000)] = 20,
    redis: Redis = "embedded",
    state: State = "state",
    as_json: Json = False,
) -> None:
    """Who changed what, when and why."""

    from edge.accounts import changes

    entries = _run((redis, state), lambda store: changes.history(store, _holder(account), last))
    _say(*([_json([views.entry_data(entry) for entry in entries])] if as_json else views.history_lines(entries)))


@app.command()
def verify(
    pattern: Annotated[str, typer.Argument(help="Beginning of the names to look at.", metavar="PREFIX")] = "",
    redis: Redis = "embedded",
    state: State = "state",
) -> None:
    """Do the books add up? Money, leases, holds; takes nothing. Exit 1 where they do not."""
    from edge.accounts import changes

    looked_at, broken = _run((redis, state), lambda store: changes.verify(store, pattern))
    if broken:
        _fail(f"of {looked_at} books these do not add up: " + ", ".join(f"{name} ({what})" for name, what in broken))
    _say(f"{looked_at} books add up")


# -- changing ------------------------------------------------------------------------------------------------------


@app.command()
def create(
    account: Name,
    settings: Annotated[list[str] | None, typer.Argument(help="Its values.", metavar="NAME=VALUE…")] = None,
    opening: Annotated[str, typer.Option(help="Credited at once.", metavar="AMOUNT")] = "0",
    reason: Reason = "",
    by: By = "",
    dry_run: DryRun = False,
    redis: Redis = "embedded",
    state: State = "state",
    as_json: Json = False,
) -> None:
    """A new account. Its calls are let in once the policy document names it too."""
    holder = _holder(account)
    patch = _or_usage(lambda: values.patch_of(settings)) if settings else {}
    amount = _or_usage(lambda: views.amount_of("--opening", opening, least=0))
    wanted = _or_usage(lambda: fields.patched(Account(holder), patch))

    terms = Terms(by=by or _user(), reason=reason, dry_run=dry_run)
    from edge.accounts import changes

    _tell_change(_run((redis, state), lambda store: changes.create(store, wanted, amount, terms)), terms, as_json)


@app.command("caps-lots", context_settings={"ignore_unknown_options": True})
def caps_lots(
    account: Name,
    lots: Annotated[str, typer.Argument(help="+1, -1: so many more or less; 3: so many in all.", metavar="LOTS")],
    until: Until = "",
    reason: Reason = "",
    by: By = "",
    dry_run: DryRun = False,
    generation: Generation = None,
    redis: Redis = "embedded",
    state: State = "state",
    as_json: Json = False,
) -> None:
    """Lots of call attempts per second: in force at the next INVITE, on every node."""
    terms = Terms(by or _user(), reason, until, dry_run, generation)
    _change_lots(account, "caps_lots", lots, terms, (redis, state), as_json)


@app.command("call-lots", context_settings={"ignore_unknown_options": True})
def call_lots(
    account: Name,
    lots: Annotated[str, typer.Argument(help="+1, -1: so many more or less; 3: so many in all.", metavar="LOTS")],
    until: Until = "",
    reason: Reason = "",
    by: By = "",
    dry_run: DryRun = False,
    generation: Generation = None,
    redis: Redis = "embedded",
    state: State = "state",
    as_json: Json = False,
) -> None:
    """Lots of concurrent calls: in force at the next INVITE, on every node."""
    terms = Terms(by or _user(), reason, until, dry_run, generation)
    _change_lots(account, "call_lots", lots, terms, (redis, state), as_json)


@app.command("set")
def set_(
    account: Name,
    settings: Annotated[list[str], typer.Argument(help="Names as in the policy document.", metavar="NAME=VALUE…")],
    until: Until = "",
    reason: Reason = "",
    by: By = "",
    dry_run: DryRun = False,
    generation: Generation = None,
    redis: Redis = "embedded",
    state: State = "state",
    as_json: Json = False,
) -> None:
    """Any values: caps_base=5 floor=-100.00 prefix_ceilings=+3389:2:1 shadow=caps,calls max_rate=none …"""
    patch = _or_usage(lambda: values.patch_of(settings))
    terms = Terms(by or _user(), reason, until, dry_run, generation)
    _change(account, lambda _: (patch, False), terms, (redis, state), as_json)


@app.command()
def suspend(
    account: Name,
    reason: Reason = "",
    cut: Annotated[bool, typer.Option("--cut", help="End its running calls too.")] = False,
    until: Until = "",
    by: By = "",
    dry_run: DryRun = False,
    redis: Redis = "embedded",
    state: State = "state",
    as_json: Json = False,
) -> None:
    """No new call passes (403); with --cut the running ones are ended. Needs a --reason."""
    terms = Terms(by or _user(), reason, until, dry_run)
    _change_status(account, AccountStatus.SUSPENDED, terms, (redis, state), as_json, cut=cut)


@app.command()
def resume(
    account: Name,
    reopen: Annotated[bool, typer.Option("--reopen", help="Even one that is closed.")] = False,
    reason: Reason = "",
    by: By = "",
    dry_run: DryRun = False,
    redis: Redis = "embedded",
    state: State = "state",
    as_json: Json = False,
) -> None:
    """Calls pass again."""
    terms = Terms(by or _user(), reason or "resumed", "", dry_run)
    _change_status(account, AccountStatus.ACTIVE, terms, (redis, state), as_json, reopen=reopen)


@app.command()
def close(
    account: Name,
    reason: Reason = "",
    cut: Annotated[bool, typer.Option("--cut", help="End its running calls too.")] = False,
    by: By = "",
    dry_run: DryRun = False,
    redis: Redis = "embedded",
    state: State = "state",
    as_json: Json = False,
) -> None:
    """For good: no call passes any more. Its books and its history stay. Needs a --reason."""
    terms = Terms(by or _user(), reason, "", dry_run)
    _change_status(account, AccountStatus.CLOSED, terms, (redis, state), as_json, cut=cut)


@app.command("top-up", context_settings={"ignore_unknown_options": True})
def top_up(
    account: Name,
    amount: Annotated[
        str, typer.Argument(help="12.50; below zero: a correction, with its --reason.", metavar="AMOUNT")
    ],
    reference: Annotated[
        str, typer.Option(help="Of the payment: the same one again books nothing.", metavar="TEXT")
    ] = "",
    reason: Reason = "",
    by: By = "",
    dry_run: DryRun = False,
    redis: Redis = "embedded",
    state: State = "state",
    as_json: Json = False,
) -> None:
    """Money actually received: running calls go on with it at once."""
    micros = _or_usage(lambda: views.amount_of("AMOUNT", amount))
    if not micros:
        _usage("AMOUNT: expected an amount other than zero")
    if not 1 <= len(reference) <= 128:
        _usage("--reference: expected the payment's reference, 1 to 128 characters, so that nothing is booked twice")
    if micros < 0 and not reason:
        _usage("--reason: a correction below zero needs one")

    terms = Terms(by=by or _user(), reason=reason, dry_run=dry_run)
    from edge.accounts import changes

    holder = _holder(account)
    done = _run((redis, state), lambda store: changes.top_up(store, holder, micros, reference, terms))
    if as_json:
        _say(_json(views.top_up_data(holder, done, dry_run=dry_run)))
    else:
        _say(*views.top_up_lines(holder, done, reference, dry_run=dry_run))


# -- what the commands share ---------------------------------------------------------------------------------------


def _change_lots(account: str, field: str, lots: str, terms: Terms, store: Store, as_json: bool) -> None:
    _or_usage(lambda: values.lots_of(lots.lstrip("-"), 0))  # what is no number of lots needs no store

    def plan(found: Account) -> tuple[fields.Patch, bool]:
        number, is_relative = values.lots_of(lots, getattr(found, field))
        return {field: number}, is_relative

    _change(account, plan, terms, store, as_json)


def _change_status(
    account: str,
    status: AccountStatus,
    terms: Terms,
    store: Store,
    as_json: bool,
    *,
    cut: bool = False,
    reopen: bool = False,
) -> None:
    if not terms.reason:
        what = "suspending" if status is AccountStatus.SUSPENDED else "closing"
        _usage(f"--reason: {what} an account needs one: it is kept in its history")

    def plan(found: Account) -> tuple[fields.Patch, bool]:
        return {"status": values.next_status(found, status, reopen=reopen), "is_cut": cut}, True

    _change(account, plan, terms, store, as_json)


def _change(account: str, plan: "Plan", terms: Terms, store: Store, as_json: bool) -> None:
    from edge.accounts import changes

    holder = _holder(account)
    _tell_change(_run(store, lambda opened: changes.change(opened, holder, plan, terms)), terms, as_json)


def _tell_change(changed: Changed, terms: Terms, as_json: bool) -> None:
    if as_json:
        _say(_json(views.change_data(changed, dry_run=terms.dry_run)))
    else:
        _say(*views.dry(terms.dry_run), *views.change_lines(changed))


def _run(store: Store, work: "Callable[[AccountStore], Awaitable[_T]]") -> _T:
    from edge.accounts.changes import Refused, run

    try:
        return run(*store, work)
    except Refused as refused:
        _fail(str(refused))


def _holder(account: str) -> AccountId:
    if not is_holder_id(account):
        _usage(f"ACCOUNT: {account!r}: expected 1 to 128 printable ASCII characters without braces")
    return AccountId(account)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without a user list
        return f"uid {os.getuid()}"


def _or_usage(make: Callable[[], _T]) -> _T:
    try:
        return make()
    except ValueError as error:
        _usage(str(error))


def _json(data: object) -> str:
    return json.dumps(data, ensure_ascii=False)


def _say(*lines: str) -> None:
    for line in lines:
        typer.echo(line)


def _fail(text: str, code: int = 1) -> NoReturn:
    typer.echo(f"edge: {text}", err=True)
    raise typer.Exit(code)


def _usage(text: str) -> NoReturn:
    _fail(text, 2)
