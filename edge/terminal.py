"""What every command of `edge` says and how it ends. (I/O: the terminal.)

Exit codes: 0 done, `FAILED` it could not be done, `USAGE` the command itself was wrong; a sentence on stderr says why.
"""

import getpass
import inspect
import json
import os
from collections.abc import Callable, Sequence
from typing import Annotated, Concatenate, NamedTuple, NoReturn, ParamSpec, TypeVar

import typer

FAILED = 1
USAGE = 2

Redis = Annotated[
    str | None,
    typer.Option(help="URL of the store, or `embedded`: that of the edge on --state. Also EDGE_REDIS.", metavar="URL"),
]
State = Annotated[str | None, typer.Option(help="State directory of a running edge. Also EDGE_STATE.", metavar="DIR")]
Config = Annotated[str | None, typer.Option(help="The TOML file of `edge run`.", metavar="FILE", envvar="EDGE_CONFIG")]

_T = TypeVar("_T")
_P = ParamSpec("_P")


class Place(NamedTuple):
    """Where the store is, as the command line says; None: as the environment, the file or the default say."""

    redis: str | None = None
    state: str | None = None
    config: str | None = None


def at_store(command: Callable[Concatenate[Place, _P], None]) -> Callable[..., None]:
    """A command that finds its store: `--redis`, `--state` and `--config` behind its own options, and a `Place` as its
    first argument."""
    places: dict[str, object] = {"redis": Redis, "state": State, "config": Config}
    own = list(inspect.signature(command).parameters.values())[1:]
    kind = inspect.Parameter.KEYWORD_ONLY
    options = [inspect.Parameter(name, kind, default=None, annotation=option) for name, option in places.items()]

    def at(redis: str | None, state: str | None, config: str | None, *given: _P.args, **words: _P.kwargs) -> None:
        command(Place(redis, state, config), *given, **words)

    at.__name__, at.__doc__, at.__module__ = command.__name__, command.__doc__, command.__module__
    signature = inspect.Signature([*[one.replace(kind=kind) for one in own], *options])
    at.__annotations__ = {name: parameter.annotation for name, parameter in signature.parameters.items()}
    vars(at)["__signature__"] = signature
    return at


def say(*lines: str) -> None:
    """Lines for whoever asked."""
    for line in lines:
        typer.echo(line)


def fail(*lines: str, code: int = FAILED) -> NoReturn:
    """It could not be done."""
    for line in lines:
        typer.echo(f"edge: {line}", err=True)
    raise typer.Exit(code)


def usage(*lines: str) -> NoReturn:
    """The command itself was wrong."""
    fail(*lines, code=USAGE)


def aligned(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """A table in columns, the headings first. `right`: columns of numbers."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            [
                cell.rjust(width) if column in right else cell.ljust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
        ).rstrip()
        for row in rows
    ]


def cut(text: str, width: int) -> str:
    """No longer than that, and printable whatever somebody wrote."""
    text = "".join([char if char.isprintable() else "?" for char in text])
    return text if len(text) <= width else text[: width - 1] + "…"


def or_usage(make: Callable[[], _T]) -> _T:
    """What it makes; where that is a ValueError, the command was wrong."""
    try:
        return make()
    except ValueError as error:
        usage(str(error))


def to_json(data: object) -> str:
    """For machines, on one line."""
    return json.dumps(data, ensure_ascii=False)


def user_name() -> str:
    """Whoever sits at this terminal."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without a user list
        return f"uid {os.getuid()}"
