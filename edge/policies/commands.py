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


def _say(*lines: str) -> None:
    for line in lines:
        typer.echo(line)


def _fail(*lines: str, code: int = FAILED) -> NoReturn:
    for line in lines:
        typer.echo(f"edge: {line}", err=True)
    raise typer.Exit(code)
