"""`edge trunk …`: an operator drains an egress trunk, puts it to rest, takes it back into use, on every node at once.

Parses, calls `ordering`, prints. What is heavy is imported when a command runs.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from edge.accounts.options import By, Config, Json, Redis, State
from edge.config.trunk_orders import Ordered
from edge.terminal import fail, say, to_json, user_name

if TYPE_CHECKING:
    from edge.trunks.ordering import Changed
    from limits.documents import DocumentStore

app = typer.Typer(
    name="trunk",
    help="Egress trunks of all nodes on a store: look, drain, put to rest, resume.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_T = TypeVar("_T")
Store = tuple[str | None, str | None, str | None]
"""--redis, --state and --config."""
Trunk = Annotated[str, typer.Argument(help="An egress trunk of the policy.", metavar="TRUNK")]
Reason = Annotated[str, typer.Option(help="Why; kept in the history and told by every node.", metavar="TEXT")]
Unknown = Annotated[bool, typer.Option("--unknown", help="Also a trunk that no running node knows.")]


@app.command("list")
def list_(redis: Redis = None, state: State = None, config: Config = None, as_json: Json = False) -> None:
    """Every trunk, as each running node sees it: health, calls, ASR; and what is ordered of it."""
    rows = _rows((redis, state, config))
    if as_json:
        say(to_json(rows))
        return
    say(f"{'trunk':<20}{'ordered':<13}{'node':<14}{'health':<10}{'calls':>6}{'ASR':>7}")
    for row in rows:
        asr = f"{row['asr']} %" if isinstance(row["asr"], int) else "-"
        say(
            f"{row['trunk']:<20}{row['ordered'] or '-':<13}{row['node'] or '-':<14}{row['health'] or '-':<10}"
            f"{row['calls']:>6}{asr:>7}"
        )


@app.command()
def show(trunk: Trunk, redis: Redis = None, state: State = None, config: Config = None, as_json: Json = False) -> None:
    """One trunk: what is ordered of it, who ordered what and when, and how each running node sees it."""
    where = (redis, state, config)
    rows = [row for row in _rows(where) if row["trunk"] == trunk]
    entries = _run(where, lambda store: _history(store, trunk))
    if not rows and not entries:
        fail(f"no running node knows an egress trunk named {trunk!r}, and nothing was ever ordered of it")
    if as_json:
        say(to_json({"trunk": trunk, "nodes": rows, "history": entries}))
        return
    for row in rows:
        if row["node"]:
            asr = f", ASR {row['asr']} %" if isinstance(row["asr"], int) else ""
            say(f"{trunk} on {row['node']}: {row['health']}, {row['calls']} calls{asr}")
    if rows and rows[0]["ordered"]:
        say(f"ordered: {rows[0]['ordered']}, by {rows[0]['by']}: {rows[0]['why']}")
    else:
        say("ordered: nothing")
    for entry in entries:
        say(f"{entry['at']}  {entry['what']}  by {entry['by']}")


@app.command()
def drain(
    trunk: Trunk,
    reason: Reason,
    by: By = "",
    unknown: Unknown = False,
    redis: Redis = None,
    state: State = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """No new calls to it, on any node; running ones end as they will."""
    _order(trunk, Ordered.DRAIN, reason, by, unknown, (redis, state, config), as_json)


@app.command()
def maintenance(
    trunk: Trunk,
    reason: Reason,
    by: By = "",
    unknown: Unknown = False,
    redis: Redis = None,
    state: State = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """No new calls to it as long as another trunk of the route can take them; no probes."""
    _order(trunk, Ordered.MAINTENANCE, reason, by, unknown, (redis, state, config), as_json)


@app.command()
def resume(
    trunk: Trunk,
    reason: Reason = "",
    by: By = "",
    redis: Redis = None,
    state: State = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Take back what was ordered of it."""
    _order(trunk, None, reason, by, True, (redis, state, config), as_json)


def _order(
    trunk: str, ordered: Ordered | None, reason: str, by: str, may_be_unknown: bool, where: Store, as_json: bool
) -> None:
    import time

    from edge.config.trunk_orders import MAX_TEXT
    from edge.trunks.ordering import order

    if ordered is not None and not reason.strip():
        fail("expected --reason: every node tells it")
    if not may_be_unknown:
        known = {str(row["trunk"]) for row in _rows(where) if row["node"]}
        if trunk not in known:
            near = ", ".join(sorted(known)[:10]) or "none, for no node runs"
            fail(f"no running node knows an egress trunk {trunk!r}; known: {near}; to order it all the same: --unknown")
    who, at_ms = by or user_name(), time.time_ns() // 1_000_000
    done: Changed = _run(
        where, lambda store: order(store, trunk, ordered, by=who[:MAX_TEXT], why=reason[:MAX_TEXT], at_ms=at_ms)
    )
    word = "in use" if ordered is None else ordered.value
    if as_json:
        data = {"trunk": trunk, "ordered": None if ordered is None else ordered.value, "changed": not done.is_same}
        say(to_json({**data, "generation": done.generation}))
    elif done.is_same:
        say(f"{trunk}: {word} already; nothing was changed")
    else:
        say(f"{trunk}: {word}, for every node (generation {done.generation})")


def _rows(where: Store) -> list[dict[str, str | int | None]]:
    """One for each trunk and node that knows it; one without a node for what is ordered of a trunk nobody knows."""
    from edge.accounts.changes import Place, store_url
    from edge.control.client import Control
    from edge.trunks.ordering import in_force

    standing = _run(where, in_force)
    url, _ = store_url(Place(*where))

    async def look(_: "DocumentStore") -> list[dict[str, str | int | None]]:
        rows: list[dict[str, str | int | None]] = []
        async with Control(url) as control:
            for node in await control.list_nodes():
                found = node.snapshot
                for use in () if found is None else found.trunks:
                    asr = use.answered * 100 // use.attempts if use.attempts else None
                    rows.append({
                        "trunk": use.trunk, "node": node.name, "health": use.health, "calls": use.calls, "asr": asr,
                    })  # fmt: skip
        return rows

    rows = _run(where, look)
    seen = {row["trunk"] for row in rows}
    for name in standing.orders:
        if name not in seen:
            rows.append({"trunk": name, "node": "", "health": "", "calls": 0, "asr": None})
    for row in rows:
        order = standing.orders.get(str(row["trunk"]))
        row["ordered"] = "" if order is None else order.ordered.value
        row["by"], row["why"] = ("", "") if order is None else (order.by, order.why)
    return sorted(rows, key=lambda row: (str(row["trunk"]), str(row["node"])))


async def _history(store: "DocumentStore", trunk: str) -> list[dict[str, str]]:
    """Who ordered what of this trunk, the newest first."""
    from datetime import UTC, datetime

    entries = []
    for version in await store.versions():
        word, _, rest = version.why.partition(" ")
        name, _, why = rest.partition(": ")
        if name == trunk:
            at = datetime.fromtimestamp(version.at_ms / 1_000, UTC).isoformat(timespec="seconds")
            entries.append({"at": at, "what": f"{word}: {why}" if why else word, "by": version.by})
    return entries


def _run(where: Store, work: "Callable[[DocumentStore], Awaitable[_T]]") -> _T:
    """Open the store, do the work; a sentence and exit 1 where it cannot be done."""
    import asyncio

    from edge.accounts.changes import Place, Refused, store_url
    from edge.config.errors import StaticConfigError
    from edge.config.trunk_orders import DOCUMENT
    from edge.terminal import usage
    from limits.documents import Damaged, DocumentStore
    from limits.errors import StoreUnavailable

    try:
        url, shown = store_url(Place(*where))
    except Refused as error:
        fail(str(error))
    except StaticConfigError as error:
        usage(*(str(problem) for problem in error.problems))

    async def do() -> _T:
        async with DocumentStore(url, DOCUMENT) as store:
            return await work(store)

    try:
        return asyncio.run(do())
    except StoreUnavailable as error:
        fail(f"the store {shown}: {error}")
    except Damaged as error:
        fail(f"the store {shown} is damaged: {error}")
