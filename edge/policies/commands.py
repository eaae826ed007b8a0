"""`edge policy …`: the life of a policy document: checked, compared, tried, brought into force, taken back.

Parses, calls one function of this room, prints. What is heavy is imported when a command runs.
"""

from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from edge.accounts import values
from edge.accounts.options import By, Config, DryRun, Redis, State
from edge.terminal import USAGE, fail, say, to_json, usage, user_name

if TYPE_CHECKING:
    from edge.config.bundle import Bundle
    from edge.config.snapshot import PolicySnapshot
    from limits.documents import DocumentStore


app = typer.Typer(
    name="policy",
    help="The policy document: check it, see what it would change, bring it into force, take it back.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_T = TypeVar("_T")
Store = tuple[str | None, str | None, str | None]
"""--redis, --state and --config."""

File = Annotated[str, typer.Argument(help="A policy document, or a directory with one.", metavar="FILE")]
Side = Annotated[str, typer.Argument(help="A policy document, or @N: generation N of the store.", metavar="FILE|@N")]
Json = Annotated[bool, typer.Option("--json", help="For machines; instants in UTC ms.")]
Reason = Annotated[str, typer.Option(help="Why; kept in the history.", metavar="TEXT")]
Expected = Annotated[
    int | None, typer.Option(help="Only where generation N is in force still (0: none).", metavar="N", min=0)
]


@app.command()
def check(file: File, config: Config = None, as_json: Json = False) -> None:
    """Validate a policy document, and with --config the settings of `edge run`: one line when it is sound, else each
    fault with its exact place."""
    from edge.config.errors import PolicyError
    from edge.config.source import PolicyFile
    from edge.policies.versions import find_document

    def load() -> PolicyFile:
        try:
            return PolicyFile(find_document(Path(file)))
        except PolicyError as error:
            if as_json:
                problems = [problem._asdict() for problem in error.problems]
                say(to_json({"file": file, "sound": False, "problems": problems}))
            raise

    snapshot = _sound(load).snapshot
    notes = _notes(file, config)
    routes = sum(len(routes) for routes in snapshot.routes.values())
    if as_json:
        counts = {
            "accounts": len(snapshot.accounts),
            "ingress": len(snapshot.ingress),
            "egress": len(snapshot.trunks),
            "route_prefixes": routes,
            "cli_rules": len(snapshot.rules),
        }
        say(to_json({"file": file, "sound": True, "problems": [], "notes": notes, **counts}))
        return
    say(
        f"{file}: sound: {len(snapshot.accounts)} accounts, {len(snapshot.ingress)} ingress trunks, "
        f"{len(snapshot.trunks)} egress trunks, {routes} route prefixes, {len(snapshot.rules)} CLI rules",
        *[f"{config}: note: {note}" for note in notes],
    )


def _notes(file: str, config: str | None) -> list[str]:
    """What is likely wrong in the settings of `edge run`; without --config none are read."""
    from edge.config.errors import StaticConfigError
    from edge.settings import notes_of, read_settings

    if config is None:
        return []
    try:
        return notes_of(read_settings({"policy": file}, config))
    except StaticConfigError as error:
        usage(*(f"{config}: {problem}" for problem in error.problems))


@app.command()
def at(
    day: Annotated[str, typer.Argument(help="A day as 2026-08-11, or `today`.", metavar="DAY")] = "today",
    policy: Annotated[
        str, typer.Option(help="A policy document: its ruleset, with its choices. Left out: fr-arcep.", metavar="FILE")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show the rules about caller numbers that are in force on a day, with what each rests on."""
    from datetime import date

    from edge.config.errors import PolicyError
    from edge.config.rulebook import RuleBook
    from edge.config.rulesets import BUILT_IN_RULESETS, built_in_ruleset
    from edge.config.source import PolicyFile
    from edge.policies.law_view import json_text, page

    try:
        wanted = date.today() if day == "today" else date.fromisoformat(day)
    except ValueError:
        fail(f"expected a day as 2026-08-11, or today, got {day!r}", code=USAGE)
    try:
        book = PolicyFile(Path(policy)).snapshot.book if policy else RuleBook(built_in_ruleset(BUILT_IN_RULESETS[0]))
    except PolicyError as error:
        fail(*(str(problem) for problem in error.problems))
    say(json_text(book, wanted) if as_json else page(book, wanted))


@app.command()
def diff(
    one: Side,
    other: Annotated[
        str, typer.Argument(help="The other one. Left out: the first is compared with what is in force.")
    ] = "",
    redis: Redis = None,
    state: State = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """What a document says that another does not, by meaning: first what is, then what would be."""
    from edge.policies import views
    from edge.policies.differences import differences

    before, after = (one, other) if other else ("@", one)
    store = (redis, state, config)
    old, new = _side(before, store), _side(after, store)
    found = _sound(lambda: differences(old, new))
    say(*([to_json(views.difference_data(found))] if as_json else views.difference_lines(found)))


@app.command("import")
def import_(
    file: File,
    reason: Reason = "",
    by: By = "",
    generation: Expected = None,
    dry_run: DryRun = False,
    redis: Redis = None,
    state: State = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Bring a document and its files into the store: in force on every node that runs with `--policy store`."""
    from edge.policies import versions, views

    who, why = _who(by), _line("--reason", reason)
    bundle = _sound(lambda: versions.read_sound(Path(file), watch=_bar))
    done = _with_store(
        (redis, state, config),
        lambda store: versions.bring(store, bundle, by=who, why=why, expected=generation, dry_run=dry_run),
    )
    say(
        *(
            [to_json(views.changed_data(done, dry_run=dry_run))]
            if as_json
            else views.changed_lines(done, dry_run=dry_run)
        )
    )


@app.command()
def export(
    generation: Annotated[int | None, typer.Argument(help="Left out: what is in force.", metavar="[N]", min=1)] = None,
    to: Annotated[str, typer.Option(help="Directory for the document and its files.", metavar="DIR")] = "",
    force: Annotated[bool, typer.Option("--force", help="Write over files with something else in them.")] = False,
    redis: Redis = None,
    state: State = None,
    config: Config = None,
) -> None:
    """Write a version back, byte for byte as it was brought in: to a directory, or a lone document to stdout."""
    from edge.policies import versions

    store = (redis, state, config)
    version, bundle = _with_store(store, lambda opened: versions.of_generation(opened, generation))
    if to:
        files = _sound(lambda: versions.write(bundle, Path(to), force=force))
        say(*(f"{path}" for path in files))
        in_force = _with_store(store, lambda opened: opened.head()).generation
        again = f"to bring it in again: edge policy import {to} --generation {in_force}"
        say(f"generation {version.generation}; {again}")
        return
    if bundle.files:
        fail(f"{bundle.name} names {', '.join(bundle.files)}: expected --to DIR")
    typer.echo(bundle.document, nl=False)


@app.command()
def history(
    last: Annotated[int, typer.Option(help="So many versions.", metavar="N", min=1)] = 20,
    redis: Redis = None,
    state: State = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Who brought in which version, when and why; the newest first."""
    from edge.policies import views

    found = _with_store((redis, state, config), lambda store: store.versions(last=last))
    say(*([to_json(views.version_data(found))] if as_json else views.version_lines(found)))


@app.command()
def rollback(
    to: Annotated[int, typer.Argument(help="The generation to have again.", metavar="N", min=1)],
    reason: Reason = "",
    by: By = "",
    generation: Expected = None,
    dry_run: DryRun = False,
    redis: Redis = None,
    state: State = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Bring an older version into force again, as a new one. Say why: it is kept in the history."""
    from edge.policies import versions, views

    if not reason:
        usage("--reason: a rollback needs one: it is kept in the history")
    who, why = _who(by), _line("--reason", reason)
    done = _with_store(
        (redis, state, config),
        lambda store: versions.roll_back(store, to, by=who, why=why, expected=generation, dry_run=dry_run),
    )
    say(
        *(
            [to_json(views.changed_data(done, dry_run=dry_run))]
            if as_json
            else views.changed_lines(done, dry_run=dry_run)
        )
    )


@app.command()
def replay(
    records: Annotated[
        list[str],
        typer.Argument(help="CDRs: segments, directories of them, a state directory; - for stdin.", metavar="CDRS…"),
    ],
    policy: Annotated[str, typer.Option(help="The document to judge by.", metavar="FILE")] = "",
    generation: Annotated[
        int | None,
        typer.Option(help="Judge by this generation of the store; 0: by what is in force.", metavar="N", min=0),
    ] = None,
    redis: Redis = None,
    state: State = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Judge attempts of the past under another document, and say what would be decided otherwise. Changes nothing."""
    from edge.policies import replay_view
    from edge.policies.records import NoRecords, Records
    from edge.policies.replay import Replay
    from edge.progress import watched

    if bool(policy) == (generation is not None):
        usage("--policy, --generation: expected one of them: the document to judge by")
    side = policy or (f"@{generation}" if generation else "@")
    snapshot = _snapshot(side, (redis, state, config))
    under = policy or f"generation {snapshot.generation} of the store"
    replayed = Replay(snapshot)
    try:
        found = Records(records)
        for record in watched(found, "records", total=found.size, done=lambda: found.read):
            replayed.add(record)
    except NoRecords as error:
        fail(str(error))
    if as_json:
        say(to_json(replay_view.replay_data(replayed, under=under, broken=found.broken)))
    else:
        say(*replay_view.replay_lines(replayed, under=under, broken=found.broken))


# -- what the commands share -----------------------------------------------------------------------------------------


def _side(text: str, store: Store) -> "Bundle":
    """A file's bundle, or that of a generation: @7, or @ for what is in force."""
    from edge.policies import versions

    if not text.startswith("@"):
        return _sound(lambda: versions.read_sound(Path(text)))
    number = text[1:]
    if number and not (number.isascii() and number.isdecimal() and 0 < int(number[:10]) < 10**9):
        usage(f"{text}: expected a file, or @N with the number of a generation")
    return _with_store(store, lambda opened: versions.of_generation(opened, int(number or 0) or None))[1]


def _snapshot(text: str, store: Store) -> "PolicySnapshot":
    """What a file or a generation makes."""
    from edge.config.bundle import build
    from edge.config.source import PolicyFile
    from edge.policies import versions

    if not text.startswith("@"):
        return _sound(lambda: PolicyFile(versions.find_document(Path(text)))).snapshot
    number = int(text[1:] or 0) or None
    version, bundle = _with_store(store, lambda opened: versions.of_generation(opened, number))
    return _sound(lambda: build(bundle, generation=version.generation))


def _bar(lines: list[str]) -> Iterable[str]:
    from edge.progress import watched

    return watched(lines, "rates", total=len(lines))


def _with_store(store: Store, work: "Callable[[DocumentStore], Awaitable[_T]]") -> _T:
    from edge.accounts.changes import Place
    from edge.policies.versions import run

    return _sound(lambda: run(Place(*store), work))


def _sound(make: Callable[[], _T]) -> _T:
    """What `make` makes; else each fault on a line of its own."""
    from edge.accounts.changes import Refused
    from edge.config.errors import PolicyError, StaticConfigError

    try:
        return make()
    except PolicyError as error:
        fail(*(str(problem) for problem in error.problems))
    except StaticConfigError as error:
        usage(*(str(problem) for problem in error.problems))
    except Refused as error:
        fail(*str(error).splitlines())


def _who(by: str) -> str:
    return _line("--by", by or user_name(), most=100)


def _line(option: str, text: str, most: int = 500) -> str:
    try:
        return values.line_of(option, text, most=most)
    except ValueError as error:
        usage(str(error))
