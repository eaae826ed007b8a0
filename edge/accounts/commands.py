"""`edge account …`: an operator looks at accounts in the store and changes them, live (R9).

Parses, calls `changes`, prints by `views`. What is heavy is imported when a command runs.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from edge.accounts import values, views
from edge.accounts.options import By, Config, Cut, DryRun, Generation, Json, Lots, Name, Reason, Redis, State, Until
from edge.accounts.values import Changed, Terms
from edge.terminal import fail, or_usage, say, to_json, usage, user_name
from limits import fields
from limits.account import AccountId, AccountStatus, is_holder_id

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
Store = tuple[str | None, str | None, str | None]
"""--redis, --state and --config."""


# -- looking -------------------------------------------------------------------------------------------------------


@app.command()
def show(account: Name, redis: Redis = None, state: State = None, config: Config = None, as_json: Json = False) -> None:
    """Everything in force and in use."""
    found = _run((redis, state, config), lambda store: store.peek(_holder(account)))
    say(*([to_json(views.usage_data(found))] if as_json else views.usage_lines(found)))


@app.command("list")
def list_(
    pattern: Annotated[str, typer.Argument(help="Beginning of the names to list.", metavar="PREFIX")] = "",
    redis: Redis = None,
    state: State = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Every account, group and trunk: status, calls, CAPS, money, last call."""
    from edge.accounts import changes

    usages, spoilt = _run((redis, state, config), lambda store: changes.peek_all(store, pattern))
    rows = [views.listed(usage) for usage in usages]
    say(*([to_json([row._asdict() for row in rows])] if as_json else views.list_lines(rows)))
    if spoilt:
        fail("\nedge: ".join(spoilt))


@app.command()
def calls(
    account: Name, redis: Redis = None, state: State = None, config: Config = None, as_json: Json = False
) -> None:
    """The calls that hold a slot now, the next to expire first."""
    found = _run((redis, state, config), lambda store: store.peek(_holder(account)))
    say(*([to_json([call._asdict() for call in found.calls])] if as_json else views.call_lines(found)))


@app.command()
def history(
    account: Name,
    last: Annotated[int, typer.Option(help="So many entries, the newest first.", min=1, max=1000)] = 20,
    redis: Redis = None,
    state: State = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Who changed what, when and why."""
    from edge.accounts import changes

    entries = _run((redis, state, config), lambda store: changes.history(store, _holder(account), last))
    say(*([to_json([views.entry_data(entry) for entry in entries])] if as_json else views.history_lines(entries)))


@app.command()
def verify(
    pattern: Annotated[str, typer.Argument(help="Beginning of the names to look at.", metavar="PREFIX")] = "",
    redis: Redis = None,
    state: State = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Do the books add up? Money, leases, holds; takes nothing. Exit 1 where they do not."""
    from edge.accounts import changes

    looked_at, broken = _run((redis, state, config), lambda store: changes.verify(store, pattern))
    if as_json:
        say(to_json({"looked_at": looked_at, "broken": [{"account": a, "invariant": i} for a, i in broken]}))
    if broken:
        fail(f"of {looked_at} books these do not add up: " + ", ".join(f"{name} ({what})" for name, what in broken))
    if not as_json:
        say(f"{looked_at} books add up")


# -- changing ------------------------------------------------------------------------------------------------------


@app.command()
def create(
    account: Name,
    settings: Annotated[list[str] | None, typer.Argument(help="Its values.", metavar="NAME=VALUE…")] = None,
    opening: Annotated[str, typer.Option(help="Credited at once.", metavar="AMOUNT")] = "0",
    reason: Reason = "",
    by: By = "",
    dry_run: DryRun = False,
    redis: Redis = None,
    state: State = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """A new account. Its calls are let in once the policy document names it too."""
    holder = _holder(account)
    patch = or_usage(lambda: values.patch_of(settings)) if settings else {}
    amount = or_usage(lambda: views.amount_of("--opening", opening, least=0))
    wanted = or_usage(lambda: fields.patched(values.blank(holder), patch))
    terms = _terms(by, reason, dry_run=dry_run)
    from edge.accounts import changes

    created = _run((redis, state, config), lambda store: changes.create(store, wanted, amount, terms))
    if as_json:
        say(to_json(views.created_data(created, dry_run=dry_run)))
    else:
        say(*views.dry(dry_run), *views.created_lines(created))


@app.command("caps-lots", context_settings={"ignore_unknown_options": True})
def caps_lots(
    account: Name,
    lots: Lots,
    until: Until = "",
    reason: Reason = "",
    by: By = "",
    dry_run: DryRun = False,
    generation: Generation = None,
    redis: Redis = None,
    state: State = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Lots of call attempts per second: in force at the next INVITE, on every node."""
    terms = _terms(by, reason, until, dry_run, generation)
    _change_lots(account, "caps_lots", lots, terms, (redis, state, config), as_json)


@app.command("call-lots", context_settings={"ignore_unknown_options": True})
def call_lots(
    account: Name,
    lots: Lots,
    until: Until = "",
    reason: Reason = "",
    by: By = "",
    dry_run: DryRun = False,
    generation: Generation = None,
    redis: Redis = None,
    state: State = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Lots of concurrent calls: in force at the next INVITE, on every node."""
    terms = _terms(by, reason, until, dry_run, generation)
    _change_lots(account, "call_lots", lots, terms, (redis, state, config), as_json)


@app.command("set")
def set_(
    account: Name,
    settings: Annotated[list[str], typer.Argument(help="Names as in the policy document.", metavar="NAME=VALUE…")],
    until: Until = "",
    reason: Reason = "",
    by: By = "",
    dry_run: DryRun = False,
    generation: Generation = None,
    redis: Redis = None,
    state: State = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Any values: caps_base=5 floor=-100.00 prefix_ceilings=+3389:2:1 shadow=caps,calls max_rate=none …"""
    patch = or_usage(lambda: values.patch_of(settings))
    terms = _terms(by, reason, until, dry_run, generation)
    _change(account, lambda _: (patch, False), terms, (redis, state, config), as_json)


@app.command()
def suspend(
    account: Name,
    reason: Reason = "",
    cut: Cut = False,
    until: Until = "",
    by: By = "",
    dry_run: DryRun = False,
    redis: Redis = None,
    state: State = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """No new call passes (403); with --cut the running ones are ended. Needs a --reason."""
    terms = _terms(by, reason, until, dry_run)
    _change_status(account, AccountStatus.SUSPENDED, terms, (redis, state, config), as_json, cut=cut)


@app.command()
def resume(
    account: Name,
    reopen: Annotated[bool, typer.Option("--reopen", help="Even one that is closed.")] = False,
    reason: Reason = "",
    by: By = "",
    dry_run: DryRun = False,
    redis: Redis = None,
    state: State = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Calls pass again."""
    terms = _terms(by, reason or "resumed", dry_run=dry_run)
    _change_status(account, AccountStatus.ACTIVE, terms, (redis, state, config), as_json, reopen=reopen)


@app.command()
def close(
    account: Name,
    reason: Reason = "",
    cut: Cut = False,
    yes: Annotated[bool, typer.Option("--yes", help="Although calls run on it.")] = False,
    by: By = "",
    dry_run: DryRun = False,
    redis: Redis = None,
    state: State = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """For good: no call passes any more. Books and history stay. Needs a --reason, and --yes while calls run."""
    terms = _terms(by, reason, dry_run=dry_run)
    _change_status(account, AccountStatus.CLOSED, terms, (redis, state, config), as_json, cut=cut, is_sure=yes)


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
    redis: Redis = None,
    state: State = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Money actually received: running calls go on with it at once."""
    micros = or_usage(lambda: views.amount_of("AMOUNT", amount))
    if not micros:
        usage("AMOUNT: expected an amount other than zero")
    if not reference:
        usage("--reference: expected the payment's reference, so that nothing is booked twice")
    or_usage(lambda: values.line_of("--reference", reference, most=128))
    if micros < 0 and not reason:
        usage("--reason: a correction below zero needs one")
    terms = _terms(by, reason, dry_run=dry_run)
    from edge.accounts import changes

    holder = _holder(account)
    done = _run((redis, state, config), lambda store: changes.top_up(store, holder, micros, reference, terms))
    if as_json:
        say(to_json(views.top_up_data(holder, done, dry_run=dry_run)))
    else:
        say(*views.top_up_lines(holder, done, reference, dry_run=dry_run))


# -- what the commands share ---------------------------------------------------------------------------------------


def _terms(by: str, reason: str, until: str = "", dry_run: bool = False, generation: int | None = None) -> Terms:
    or_usage(lambda: values.line_of("--reason", reason, most=500))
    who = or_usage(lambda: values.line_of("--by", by or user_name(), most=100))
    if until:
        or_usage(lambda: values.check_until(until))
    return Terms(who, reason, until, dry_run, generation)


def _change_lots(account: str, field: str, lots: str, terms: Terms, store: Store, as_json: bool) -> None:
    or_usage(lambda: values.lots_of(lots.lstrip("-"), 0))  # what is no number of lots needs no store
    from edge.accounts import changes

    _change(account, changes.lots_plan(field, lots), terms, store, as_json)


def _change_status(
    account: str,
    status: AccountStatus,
    terms: Terms,
    store: Store,
    as_json: bool,
    *,
    cut: bool = False,
    reopen: bool = False,
    is_sure: bool = False,
) -> None:
    if not terms.reason:
        what = "suspending" if status is AccountStatus.SUSPENDED else "closing"
        usage(f"--reason: {what} an account needs one: it is kept in its history")
    from edge.accounts import changes

    plan = changes.status_plan(status, cut=cut, reopen=reopen, is_sure=is_sure or terms.dry_run)
    _change(account, plan, terms, store, as_json, already=str(status))


def _change(account: str, plan: "Plan", terms: Terms, store: Store, as_json: bool, already: str = "") -> None:
    from edge.accounts import changes

    holder = _holder(account)
    changed: Changed = _run(store, lambda opened: changes.change(opened, holder, plan, terms))
    if as_json:
        say(to_json(views.change_data(changed, dry_run=terms.dry_run)))
    else:
        say(*views.dry(terms.dry_run), *views.change_lines(changed, already))


def _run(store: Store, work: "Callable[[AccountStore], Awaitable[_T]]") -> _T:
    from edge.accounts.changes import Place, Refused, run
    from edge.config.errors import StaticConfigError

    try:
        return run(Place(*store), work)
    except Refused as refused:
        fail(str(refused))
    except StaticConfigError as error:
        usage(*(str(problem) for problem in error.problems))


def _holder(account: str) -> AccountId:
    if not is_holder_id(account):
        usage(f"ACCOUNT: {account!r}: expected 1 to 128 printable ASCII characters without braces")
    return AccountId(account)
