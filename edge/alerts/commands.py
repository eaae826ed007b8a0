"""`edge alerts …`: what stands, what was told, a test of the webhooks, thresholds of credit.

Parses, calls, prints. What is heavy is imported when a command runs.
"""

import secrets
import socket
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from edge.accounts.options import By
from edge.completion import accounts as complete_account
from edge.terminal import USAGE, Place, aligned, at_store, cut, fail, or_usage, say, to_json, user_name

if TYPE_CHECKING:
    from edge.alerts.build import Hook
    from edge.config.static import StaticConfig
    from limits.alerts import AlertStore

app = typer.Typer(
    name="alerts",
    help="Alerts and their webhooks: what stands, what was told, a test.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Json = Annotated[bool, typer.Option("--json", help="For machines; instants in UTC ms, money in micro-units.")]
_T = TypeVar("_T")
TEXT_CHARS = 90


@app.command("list")
@at_store
def list_(place: Place, as_json: Json = False) -> None:
    """Alerts that stand now, the oldest first. Exit code 0 whether there are any or not."""
    from edge.accounts.values import show_instant
    from edge.alerts.standing import Standing

    texts = _run(place, lambda store: store.states())
    found = [(key, one) for key, text in texts.items() if (one := Standing.from_text(text)) is not None]
    found.sort(key=lambda row: (row[1].since_ms, row[0]))
    if as_json:
        say(to_json([{"alert": key, **_data(one)} for key, one in found]))
        return
    rows = [["ALERT", "LEVEL", "STATE", "SINCE", "TEXT"]]
    rows += [
        [cut(key, 60), one.level, one.state, show_instant(one.since_ms), cut(one.text, TEXT_CHARS)]
        for key, one in found
    ]
    say(*(aligned(rows) if found else ["no alert stands"]))


@app.command()
@at_store
def history(
    place: Place,
    last: Annotated[int, typer.Option(help="So many, the newest first.", min=1, max=10_000)] = 20,
    as_json: Json = False,
) -> None:
    """What was told of alerts, the newest first: as webhooks get it."""
    import orjson

    from edge.accounts.values import show_instant

    events = []
    for one in _run(place, lambda store: store.newest(most=last)):
        try:
            event = orjson.loads(one.text)
        except orjson.JSONDecodeError:
            continue  # put there by hand
        if isinstance(event, dict):
            events.append(event)
    if as_json:
        say(to_json(events))
        return
    rows = [["AT", "EVENT", "LEVEL", "ALERT", "TEXT"]]
    for event in events:
        words = [cut(str(event.get(name, "")), TEXT_CHARS) for name in ("event", "level", "alert", "text")]
        rows.append([show_instant(int(event.get("at_ms", 0))), *words])
    say(*(aligned(rows) if events else ["nothing was told yet"]))


@app.command("test")
def trial(
    name: Annotated[str, typer.Argument(help="Name of the webhook; left out: all of them.", metavar="NAME")] = "",
    config: Annotated[
        str | None, typer.Option(help="The TOML file of `edge run`.", metavar="FILE", envvar="EDGE_CONFIG")
    ] = None,
    by: By = "",
    as_json: Json = False,
) -> None:
    """Send a signed test event to the webhooks of the TOML file, from here and now, without a retry. Exit code 1 where
    one of them does not take it."""
    import asyncio

    from edge.alerts.build import open_hooks
    from edge.alerts.events import trial_event
    from edge.cdr.delivery.credentials import SinkError

    static = _static(config)
    webhooks = [one for one in static.alerts.webhooks if not name or one.name == name]
    if not webhooks:
        names = ", ".join(one.name for one in static.alerts.webhooks) or "none"
        fail(f"no alert webhook {name!r} in {config}; there: {names}" if name else f"no alert webhooks in {config}")
    try:
        hooks = open_hooks(webhooks)
    except SinkError as error:
        fail(str(error))
    event = trial_event(
        node=static.node or socket.gethostname(),
        by=by or user_name(),
        now_ms=int(time.time() * 1_000),
        id_=secrets.token_hex(12),
    )
    answers = asyncio.run(_send_all(hooks, event._asdict()))
    if as_json:
        say(to_json([{"webhook": hook, "is_taken": not why, "why": why} for hook, why in answers]))
    else:
        say(*[f"{hook}: {why or 'taken'}" for hook, why in answers])
    if any(why for _, why in answers):
        raise typer.Exit(1)


@app.command()
@at_store
def credit(
    place: Place,
    account: Annotated[
        str, typer.Argument(help="The account; left out: all thresholds.", autocompletion=complete_account)
    ] = "",
    below: Annotated[
        str, typer.Argument(help="An amount, or `none`: what is in force for all.", metavar="AMOUNT")
    ] = "",
    reason: Annotated[str, typer.Option(help="Why; kept in the audit.", metavar="TEXT")] = "",
    by: By = "",
    as_json: Json = False,
) -> None:
    """Below which credit an account is told: show or set its own threshold. In force within seconds."""
    from edge.config.money import format_money, parse_money

    if not below:
        found = _run(place, lambda store: store.credit())
        shown = {name: micros for name, micros in sorted(found.items()) if not account or name == account}
        if as_json:
            say(to_json([{"account": name, "below_micros": micros} for name, micros in shown.items()]))
        else:
            rows = [["ACCOUNT", "BELOW"], *[[name, format_money(micros)] for name, micros in shown.items()]]
            say(*(aligned(rows, right=(1,)) if shown else ["no account has a threshold of its own"]))
        return
    from limits.account import is_account_id

    if not is_account_id(account):
        fail(f"ACCOUNT: expected the id of an account, got {account[:128]!a}", code=USAGE)
    micros = None if below == "none" else or_usage(lambda: _amount(below, parse_money))
    _run(place, lambda store: store.set_credit(account, micros))
    if as_json:
        say(to_json({"account": account, "below_micros": micros}))
    else:
        said = "as for all" if micros is None else f"told below {format_money(micros)}"
        say(f"{account}: {said}")


def _amount(text: str, parse: Callable[[object], int]) -> int:
    try:
        micros = parse(text)
    except ValueError:
        micros = -1
    if micros < 0:
        raise ValueError(f"AMOUNT: expected an amount that is not below 0, or none, got {text[:40]!a}")
    return micros


async def _send_all(hooks: "list[Hook]", words: dict[str, object]) -> list[tuple[str, str]]:
    """(webhook, why it was not taken)."""
    from edge.alerts.sender import post
    from edge.cdr.delivery.consumer import BatchRefused, DeliveryFailed
    from edge.cdr.delivery.worker import Worker

    answers = []
    for hook in hooks:
        worker = Worker(f"test-{hook.name}")
        try:
            await post(hook, worker, words)
            answers.append((hook.name, ""))
        except (DeliveryFailed, BatchRefused) as why:
            answers.append((hook.name, str(why)))
        finally:
            hook.poster.hang_up()
            worker.close()
    return answers


def _data(standing: object) -> dict[str, object]:
    from dataclasses import asdict

    from edge.alerts.standing import Standing

    assert isinstance(standing, Standing)
    return asdict(standing)


def _run(place: Place, work: "Callable[[AlertStore], Awaitable[_T]]") -> _T:
    """Open the store, do the work; or say why not, and end."""
    import asyncio

    from edge.accounts.changes import Refused, store_url
    from edge.config.errors import StaticConfigError
    from limits.alerts import AlertStore
    from limits.errors import StoreUnavailable

    async def do(url: str) -> _T:
        async with AlertStore(url) as store:
            return await work(store)

    try:
        url, shown = store_url(place)
    except StaticConfigError as error:
        fail(*(str(problem) for problem in error.problems), code=USAGE)
    except Refused as error:
        fail(str(error))
    try:
        return asyncio.run(do(url))
    except StoreUnavailable as error:
        fail(f"the store {shown}: {error}")


def _static(config: str | None) -> "StaticConfig":
    from edge.config.errors import StaticConfigError
    from edge.settings import read_settings

    try:
        return read_settings({"policy": "-"}, config)
    except StaticConfigError as error:
        fail(*(str(problem) for problem in error.problems), code=USAGE)
