"""The settings of this process, from the command line, the environment and the TOML file. I/O; starts nothing."""

import os
from collections.abc import Mapping
from pathlib import Path

from edge.config.errors import Problem, StaticConfigError
from edge.config.parsing import read_static
from edge.config.static import StaticConfig

UNREADABLE_STORE = (
    "expected `embedded` or a URL such as redis://[USER:PASSWORD@]HOST[:PORT][/DB]; what was given is not shown, as it "
    "may hold a password (in which / ? # @ : are written %2F %3F %23 %40 %3A)"
)
_FILE = "--config / EDGE_CONFIG"


def read_settings(given: Mapping[str, object], config: str | None) -> StaticConfig:
    """`given` on the command line over EDGE_… over the file `config`. Raises StaticConfigError."""
    text: str | None = None
    if config is not None:
        try:
            text = Path(config).read_text(encoding="utf-8")
        except OSError as error:
            raise StaticConfigError([Problem(_FILE, f"cannot read {config}: {error.strerror}")]) from error
        except UnicodeDecodeError as error:
            raise StaticConfigError([Problem(_FILE, f"{config} is not UTF-8")]) from error
    try:
        return read_static(command_line=given, environment=os.environ, file_text=text, file_name=config or "")
    except StaticConfigError as error:
        raise StaticConfigError(map(_discreet, error.problems)) from None


MOST_KEPT_DAYS = 366
"""Twelve months, a leap year's too."""


def notes_of(static: StaticConfig) -> list[str]:
    """What is allowed and yet likely wrong, a sentence each. Pure."""
    if 0 < static.cdr_keep_days <= MOST_KEPT_DAYS:
        return []
    kept = f"for {static.cdr_keep_days} days" if static.cdr_keep_days else "for ever (0)"
    return [
        f"cdr_keep_days: CDRs are kept {kept}; traffic records are kept 12 months at most (contract article 6.7): "
        "expected 1 to 366"
    ]


def _discreet(problem: Problem) -> Problem:
    """A store's URL that cannot be read may hold its password anywhere: then neither it nor the fault is shown."""
    _, _, value = problem.message.rpartition(", got ")
    is_masked = "//***@" in value and value.count("@") == 1
    if not problem.path.startswith("redis (") or ":" not in value or is_masked:
        return problem
    return Problem(problem.path, UNREADABLE_STORE)
