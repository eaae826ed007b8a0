"""`edge nodes`, `edge calls …`, `edge drain`, `edge undrain`, `edge journal`: operators see and steer running nodes.

Parses, calls the client, prints by `views`. What is heavy is imported when a command runs.
"""

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from edge.accounts import values
from edge.accounts.options import By
from edge.completion import nodes as complete_node
from edge.terminal import Place, at_store, fail, or_usage, say, usage, user_name

if TYPE_CHECKING:
    from edge.control.client import Control
    from edge.control.questions import Done
    from edge.control.rows import CallDetail

calls = typer.Typer(
    name="calls",
    help="Running calls of every node: list, show, hang up.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

bans = typer.Typer(
    name="bans",
    help="Sources that are not heard for a while: list, lift.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_T = TypeVar("_T")
Json = Annotated[bool, typer.Option("--json", help="For machines; instants in UTC ms.")]
Reason = Annotated[str, typer.Option(help="Why; kept in the journal.", metavar="TEXT")]
Node = Annotated[
    str, typer.Argument(help="Name of the node: see `edge nodes`.", metavar="NODE", autocompletion=complete_node)
]
Uid = Annotated[str, typer.Argument(help="Uid of the call, or its beginning where that is plain.", metavar="UID")]


@at_store
def nodes(place: Place, as_json: Json = False) -> None:
    """Every node on the store: is it up, what does it carry, what is wrong with it."""
    from edge.control import views

    found = run(place, lambda control: control.list_nodes())
    if as_json:
        say(
            _text(
                [
                    {"name": one.name, "state": one.state, "beat_ms": one.beat_ms, "snapshot": one.snapshot}
                    for one in found
                ]
            )
        )
    else:
        say(*views.node_lines(found))


@at_store
def drain(place: Place, node: Node, reason: Reason = "", by: By = "", as_json: Json = False) -> None:
    """This node takes no new attempts (503); running calls go on. Until `undrain`, or until it is started again."""
    _drain(place, node, reason, by, as_json=as_json, drains=True)


@at_store
def undrain(place: Place, node: Node, reason: Reason = "", by: By = "", as_json: Json = False) -> None:
    """A drained node takes new attempts again."""
    _drain(place, node, reason, by, as_json=as_json, drains=False)


@at_store
def journal(
    place: Place,
    last: Annotated[int, typer.Option(help="So many entries, the newest first.", min=1, max=10_000)] = 20,
    as_json: Json = False,
) -> None:
    """What operators did to nodes and calls: who, when, why."""
    from edge.control import views

    found = run(place, lambda control: control.journal(last=last))
    if as_json:
        say(_text([{"at_ms": one.at_ms, "entry": one.entry} for one in found]))
    else:
        say(*views.journal_lines(found))


@calls.command("list")
@at_store
def list_(
    place: Place,
    account: Annotated[str, typer.Option(help="Of this account.", metavar="ACCOUNT")] = "",
    trunk: Annotated[str, typer.Option(help="That came or went by this trunk.", metavar="ID")] = "",
    number: Annotated[str, typer.Option(help="From or to this number, in any spelling.", metavar="NUMBER")] = "",
    source: Annotated[str, typer.Option(help="From this address.", metavar="IP[:PORT]")] = "",
    call_id: Annotated[str, typer.Option("--call-id", help="With this SIP Call-ID.", metavar="TEXT")] = "",
    call_state: Annotated[str, typer.Option("--in", help="setup, answered, ending …", metavar="STATE")] = "",
    node: Annotated[list[str] | None, typer.Option(help="On this node; may be repeated.", metavar="NODE")] = None,
    limit: Annotated[int, typer.Option(help="So many at most.", min=1, max=1_000)] = 50,
    as_json: Json = False,
) -> None:
    """Running calls, the newest first; what is given must all be so."""
    from edge.control import views
    from edge.control.questions import CallFilter

    wanted = CallFilter(account, trunk, number, source, call_id, call_state)
    found = run(place, lambda control: control.list_calls(wanted, limit=limit, nodes=node))
    if as_json:
        say(_text(found))
    else:
        say(*views.call_lines(found, _now_ms(), limit=limit))
    if silent := views.silent_line(found):
        fail(silent)


@calls.command()
@at_store
def show(place: Place, uid: Uid, as_json: Json = False) -> None:
    """All there is to know of one running call, and what has happened to it. (Of one that is over: `edge explain`.)"""
    from edge.control import views

    async def look(control: "Control") -> "CallDetail":
        return await control.show_call(await control.whole_uid(_uid(uid)))

    found = run(place, look)
    say(*([_text(found)] if as_json else views.detail_lines(found, _now_ms())))


@calls.command()
@at_store
def hangup(
    place: Place,
    uid: Uid,
    reason: Annotated[str, typer.Option(help="Why; kept in the record and the journal.", metavar="TEXT")],
    by: By = "",
    as_json: Json = False,
) -> None:
    """End one call now: BYE to both sides, or CANCEL while it rings. An emergency call too."""
    from edge.control import views

    who, why = who_of(by), why_of(reason)

    async def end(control: "Control") -> tuple[str, "Done"]:
        whole = await control.whole_uid(_uid(uid))
        return whole, await control.hang_up(whole, by=who, why=why)

    whole, done = run(place, end)
    say(_text({"uid": whole, "account": done.account}) if as_json else views.hung_up_line(whole, done))


@bans.command("list")
@at_store
def list_bans(place: Place, as_json: Json = False) -> None:
    """Who is not heard, on which node, why, and for how much longer."""
    from edge.control import views

    found = run(place, lambda control: control.list_bans())
    say(*([_text(found)] if as_json else views.ban_lines(found)))
    if found.silent:
        fail(f"no answer from {', '.join(found.silent)}: bans of it are missing")


@bans.command("lift")
@at_store
def lift_ban(
    place: Place,
    source: Annotated[str, typer.Argument(help="Address, or the /64 of an IPv6 one.", metavar="SOURCE")],
    reason: Reason = "",
    by: By = "",
    as_json: Json = False,
) -> None:
    """Every node hears this source again, until it earns another ban."""
    from edge.control import views

    who, why = who_of(by), why_of(reason)
    nodes = run(place, lambda control: control.lift_ban(source, by=who, why=why))
    say(_text({"source": source, "nodes": nodes}) if as_json else views.lifted_line(source, nodes))


# -- what the commands share ---------------------------------------------------------------------------------------


def run(place: Place, work: "Callable[[Control], Awaitable[_T]]") -> _T:
    """Do the work, or say why not."""
    import asyncio

    from edge.accounts.changes import Refused, store_url
    from edge.config.errors import StaticConfigError
    from edge.control import client
    from limits.errors import StoreUnavailable

    try:
        url, shown = store_url(place)
    except Refused as refused:
        fail(str(refused))
    except StaticConfigError as error:
        usage(*(str(problem) for problem in error.problems))

    async def do() -> _T:
        async with client.Control(url) as control:
            return await work(control)

    try:
        return asyncio.run(do())
    except StoreUnavailable as error:
        why = str(error).rstrip(".")
        fail(f"the store {shown}: {why}; without it nodes can be neither seen nor steered (their calls go on)")
    except (client.UnknownCall, client.AmbiguousCall, client.UnknownNode, client.NoAnswer, client.NotDone) as error:
        fail(str(error))
    except ValueError as error:
        usage(str(error))


def _drain(place: Place, node: str, reason: str, by: str, *, as_json: bool, drains: bool) -> None:
    from edge.control import views

    who, why = who_of(by), why_of(reason)

    async def change(control: "Control") -> "Done":
        return await (control.drain if drains else control.undrain)(node, by=who, why=why)

    done = run(place, change)
    if as_json:
        say(_text({"node": node, "drains": drains, "changed": done.changed, "calls": done.calls}))
    else:
        say(views.drained_line(node, done, drains=drains))


def _uid(text: str) -> str:
    wanted = text.strip().lower()
    if not wanted or set(wanted) - set("0123456789abcdef") or len(wanted) > 64:
        usage(f"UID: {text!r}: expected the uid of a call, or its beginning, as `edge calls list` shows it")
    return wanted


def who_of(by: str) -> str:
    """Who did it, as given; else the user of this terminal."""
    return or_usage(lambda: values.line_of("--by", by or user_name(), most=100))


def why_of(reason: str) -> str:
    """One line, or a usage error."""
    return or_usage(lambda: values.line_of("--reason", reason, most=500))


def _now_ms() -> int:
    return int(time.time() * 1_000)


def _text(found: object) -> str:
    from edge.control.questions import write

    return write(found).decode()
