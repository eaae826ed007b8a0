"""What every command of `edge` says and how it ends. (I/O: the terminal.)

Exit codes: 0 done, `FAILED` it could not be done, `USAGE` the command itself was wrong; a sentence on stderr says why.
"""

import getpass
import json
import os
from collections.abc import Callable
from typing import NoReturn, TypeVar

import typer

FAILED = 1
USAGE = 2

_T = TypeVar("_T")


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
