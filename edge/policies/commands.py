"""`edge policy …`: the life of a policy document: checked, compared, tried, brought into force, taken back.

Parses, calls one function of this room, prints. What is heavy is imported when a command runs.
"""

from pathlib import Path
from typing import Annotated, NoReturn

import typer

FAILED = 1
USAGE = 2

app = typer.Typer(
    name="policy",
    help="The policy document: check it, see what it would change, bring it into force, take it back.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def check(file: Annotated[str, typer.Argument(help="A policy document.", metavar="FILE")]) -> None:
    """Validate a policy document: one line when it is sound, else each fault with its exact place."""
    from edge.config.errors import PolicyError
    from edge.config.source import PolicyFile

    try:
        snapshot = PolicyFile(Path(file)).snapshot
    except PolicyError as error:
        _fail(*(str(problem) for problem in error.problems))
    routes = sum(len(routes) for routes in snapshot.routes.values())
    _say(
        f"{file}: sound: {len(snapshot.accounts)} accounts, {len(snapshot.ingress)} ingress trunks, "
        f"{len(snapshot.trunks)} egress trunks, {routes} route prefixes, {len(snapshot.rules)} CLI rules"
    )


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
        _fail(f"expected a day as 2026-08-11, or today, got {day!r}", code=USAGE)
    try:
        book = PolicyFile(Path(policy)).snapshot.book if policy else RuleBook(built_in_ruleset(BUILT_IN_RULESETS[0]))
    except PolicyError as error:
        _fail(*(str(problem) for problem in error.problems))
    _say(json_text(book, wanted) if as_json else page(book, wanted))


def _say(*lines: str) -> None:
    for line in lines:
        typer.echo(line)


def _fail(*lines: str, code: int = FAILED) -> NoReturn:
    for line in lines:
        typer.echo(f"edge: {line}", err=True)
    raise typer.Exit(code)
