"""`edge admin`, `edge token …`, `edge audit …`: the admin API in the foreground, who may use it, what was done by it.

Parses, calls one function, prints. What is heavy is imported when a command runs.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from edge.accounts.options import Config, Json, Redis, State
from edge.terminal import fail, say, to_json, usage, user_name

if TYPE_CHECKING:
    from edge.admin.audit import Proof
    from edge.admin.store import AdminStore
    from edge.admin.tokens import Token

_T = TypeVar("_T")
Store = tuple[str | None, str | None, str | None]
"""--redis, --state and --config."""

token_app = typer.Typer(
    name="token", help="Tokens of the admin API: make, list, revoke.", no_args_is_help=True, rich_markup_mode=None
)
audit_app = typer.Typer(
    name="audit", help="What was changed, by the admin API or a command: list, prove, export.", no_args_is_help=True,
    rich_markup_mode=None,
)  # fmt: skip


def admin(
    listen: Annotated[str | None, typer.Option(help="HOST:PORT.", metavar="ADDRESS")] = None,
    redis: Redis = None,
    state: State = None,
    policy: Annotated[str | None, typer.Option(help="The edge's policy document, or store.", metavar="FILE")] = None,
    node: Annotated[str | None, typer.Option(help="Name of this node.", metavar="NAME")] = None,
    certificate: Annotated[str | None, typer.Option(help="PEM file CHAIN or CHAIN:KEY.", metavar="FILES")] = None,
    plain: Annotated[str | None, typer.Option(help="Plain HTTP: loopback or anywhere.", metavar="WHERE")] = None,
    proxies: Annotated[list[str] | None, typer.Option("--proxy", help="In front of it.", metavar="ADDRESS")] = None,
    contacts_key: Annotated[str | None, typer.Option(help="Key of the numbers called.", metavar="FILE")] = None,
    log: Annotated[str | None, typer.Option(help="console or json.", metavar="FORM")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.", metavar="LEVEL")] = None,
    config: Config = None,
) -> None:
    """Serve the admin API by itself, beside edges that run elsewhere (`edge run --admin` starts one of its own)."""
    given = {"admin": listen, "redis": redis, "state": state, "policy": policy or "-", "node": node}
    given |= {"admin_certificate": certificate, "admin_plain": plain, "contacts_key": contacts_key}
    from edge import state as states
    from edge.accounts.changes import Place, Refused, store_url
    from edge.admin.orders import orders_of
    from edge.config.errors import StaticConfigError
    from edge.settings import read_settings

    try:
        static = read_settings({**given, "admin_proxies": proxies, "log": log, "log_level": log_level}, config)
        url, _ = store_url(Place(redis, state, config))
    except StaticConfigError as error:
        usage(*(str(problem) for problem in error.problems))
    except Refused as refused:
        fail(str(refused))
    if not static.admin:
        usage("--listen: expected HOST:PORT, or `admin` in the --config file")
    from edge.admin.process import AdminError, log_of, serve

    orders = orders_of(static, node=states.node_name(static.node), store=url)

    import asyncio
    import signal

    async def until_told() -> None:

        loop = asyncio.get_running_loop()
        ended = loop.create_future()

        def stop() -> None:
            if not ended.done():
                ended.set_result(None)

        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, stop)
        await serve(orders, log_of(orders), ended, lambda line: say(line))

    try:
        asyncio.run(until_told())
    except AdminError as error:
        fail(str(error))


# -- tokens --------------------------------------------------------------------------------------------------------


@token_app.command("create")
def create_token(
    name: Annotated[str, typer.Argument(help="Whose, or what for: it stands in the audit.", metavar="NAME")],
    role: Annotated[str, typer.Option(help="viewer, operator, engineer or admin.", metavar="ROLE")],
    account: Annotated[
        list[str] | None, typer.Option(help="Only this account, or PREFIX*; may be repeated.", metavar="ACCOUNT")
    ] = None,
    days: Annotated[int, typer.Option(help="Its life.", min=1, max=3650)] = 90,
    redis: Redis = None,
    state: State = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Make a token. It is told once, on standard output; the store keeps a slow hash."""
    from edge.admin import tokens
    from edge.admin.services import wall_ms
    from edge.admin.store import AdminStore
    from edge.config.access import ADMIN_ROLES, RoleName

    known: dict[str, RoleName] = {one: one for one in ADMIN_ROLES}
    if role not in known:
        usage(f"--role: {role!r}: expected {', '.join(ADMIN_ROLES)}")
    now, by = wall_ms(), user_name()
    try:
        made, text = tokens.make(
            name, known[role], now_ms=now, expires_ms=now + days * tokens.DAY_MS, by=by, accounts=account or ()
        )
    except ValueError as error:
        usage(f"--{error}")

    async def work(store: AdminStore, url: str) -> None:
        await store.put_token(made.id, made.to_text())
        await _enter(url, "token.created", by, {"token": made.id, "name": made.name, "role": made.role})

    _run((redis, state, config), work)
    say(to_json({**_shown(made, now), "token": text}) if as_json else text)


@token_app.command("list")
def list_tokens(redis: Redis = None, state: State = None, config: Config = None, as_json: Json = False) -> None:
    """Every token, without its secret."""
    from edge.accounts.values import show_instant
    from edge.admin.services import wall_ms
    from edge.admin.store import AdminStore
    from edge.admin.tokens import Token

    async def work(store: AdminStore, url: str) -> list[Token]:
        return [Token.from_text(text) for text in (await store.tokens()).values()]

    found = sorted(_run((redis, state, config), work), key=lambda one: one.created_ms)
    if as_json:
        say(to_json([_shown(one, wall_ms()) for one in found]))
        return
    for one in found:
        scope = f", only {', '.join(one.accounts)}" if one.accounts else ""
        ends = "expired" if one.is_expired(wall_ms()) else "until"
        say(f"{one.id}  {one.role:<9} {ends} {show_instant(one.expires_ms)}  {one.name}{scope}, by {one.created_by}")
    if not found:
        say("no tokens")


@token_app.command("revoke")
def revoke_token(
    token: Annotated[str, typer.Argument(help="Its id (edge token list).", metavar="ID")],
    redis: Redis = None,
    state: State = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """It is good for nothing from now on, nor are the sessions that began with it."""
    from edge.admin.store import AdminStore

    async def work(store: AdminStore, url: str) -> bool:
        found = await store.remove_token(token)
        if found:
            await _enter(url, "token.revoked", user_name(), {"token": token})
        return found

    if not _run((redis, state, config), work):
        fail(f"no token {token!r}; those there are: edge token list")
    say(to_json({"token": token, "is_revoked": True}) if as_json else f"{token}: revoked")


def _shown(token: "Token", now_ms: int) -> dict[str, object]:
    words = token._asdict()
    del words["salt"], words["digest"]
    return {**words, "is_expired": token.is_expired(now_ms)}


# -- audit ---------------------------------------------------------------------------------------------------------


@audit_app.command()
def verify(
    file: Annotated[Path | None, typer.Argument(help="An export; left out: the store's.", metavar="[FILE]")] = None,
    redis: Redis = None,
    state: State = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Is the audit whole, entry by entry? Tells its last digest: keep it elsewhere. Exit 1 where it is not."""
    from edge.admin.audit import prove, prove_export
    from edge.admin.store import AdminStore
    from limits.audit import AuditLog

    if file is None:

        async def work(store: AdminStore, url: str) -> "Proof":
            async with AuditLog(url) as log:
                return await prove(log)

        proof = _run((redis, state, config), work)
    else:
        try:
            with file.open("rb") as lines:
                proof = prove_export(lines)
        except OSError as error:
            fail(f"{file}: {error.strerror}")
        except ValueError as error:
            fail(f"{file}: {error}")
    if as_json:
        say(to_json({**proof._asdict(), "is_whole": not proof.fault}))
    elif not proof.fault:
        pending = f", {len(proof.unfinished)} asked and not done" if proof.unfinished else ""
        numbers = f"{proof.entries} entries, {proof.first_seq} to {proof.last_seq}{pending}"
        told = f"{numbers}, last digest {proof.last_digest}" if proof.entries else "nothing was entered yet"
        say(f"whole: {told}")
    if proof.fault:
        fail(proof.fault)


@audit_app.command("list")
def list_audit(
    who: Annotated[str, typer.Option(help="Only of this one.", metavar="NAME")] = "",
    last: Annotated[int, typer.Option(help="So many entries, the newest first.", min=1, max=10_000)] = 20,
    redis: Redis = None,
    state: State = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Who changed what, by the API or by a command, the newest first."""
    from edge.accounts.values import show_instant
    from edge.admin.audit import entry_of
    from edge.admin.store import AdminStore
    from edge.terminal import aligned, cut
    from limits.audit import AuditLog

    async def work(store: AdminStore, url: str) -> list[dict[str, object]]:
        async with AuditLog(url) as log:
            entries = [entry_of(line) for line in await log.newest(before=None, most=10_000 if who else last)]
        return [entry for entry in entries if who in ("", entry.get("who"))][:last]

    found = _run((redis, state, config), work)
    if as_json:
        say(to_json(found))
        return
    rows = [["SEQ", "AT", "EVENT", "WHO", "WHAT", "STATUS", "WHY"]]
    for entry in found:
        what = f"{entry.get('operation', '')} {entry.get('path', '')}"
        said = [entry.get(name, "") for name in ("event", "who")] + [
            what,
            entry.get("status", ""),
            entry.get("why", ""),
        ]
        at = show_instant(int(str(entry["at_ms"])))
        rows.append([str(entry["seq"]), at, *[cut(str(word), 60) for word in said]])
    say(*(aligned(rows, right=(0,)) if found else ["nothing was changed yet"]))


@audit_app.command()
def export(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File; default: standard output.")] = None,
    redis: Redis = None,
    state: State = None,
    config: Config = None,
) -> None:
    """The whole audit as JSON lines; `edge audit verify FILE` proves them anywhere."""
    from edge.admin.audit import exported
    from edge.admin.store import AdminStore
    from limits.audit import AuditLog

    async def work(store: AdminStore, url: str) -> int:
        count = 0
        async with AuditLog(url) as log:
            if output is None:
                async for line in exported(log):
                    typer.echo(line, nl=False)
                    count += 1
                return count
            beside = output.with_name(output.name + ".part")
            with beside.open("wb") as file:
                async for line in exported(log):
                    file.write(line)
                    count += 1
            beside.replace(output)
        return count

    try:
        count = _run((redis, state, config), work)
    except OSError as error:
        fail(f"{error.filename or output}: {error.strerror}")
    if output is not None:
        say(f"{output}: {count} entries")


# -- what the commands share ---------------------------------------------------------------------------------------


async def _enter(url: str, event: str, by: str, words: dict[str, object]) -> None:
    from edge.admin.audit import Audit, From
    from limits.audit import AuditLog

    async with AuditLog(url) as log:
        await Audit(log, node="").enter(event, From(by, "", "terminal", ""), change=words)


def _run(place: Store, work: "Callable[[AdminStore, str], Awaitable[_T]]") -> _T:
    from edge.accounts.changes import Place, Refused, store_url
    from edge.admin.store import AdminStore
    from edge.config.errors import StaticConfigError
    from limits.errors import StoreUnavailable

    try:
        url, shown = store_url(Place(*place))
    except StaticConfigError as error:
        usage(*(str(problem) for problem in error.problems))
    except Refused as refused:
        fail(str(refused))

    import asyncio

    async def do() -> _T:
        async with AdminStore(url) as store:
            return await work(store, url)

    try:
        return asyncio.run(do())
    except StoreUnavailable as error:
        fail(f"the store {shown}: {error}")
