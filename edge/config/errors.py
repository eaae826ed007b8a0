"""What is wrong with a configuration: exact places, each with its sentence. Standard library only."""

from collections.abc import Iterable
from typing import NamedTuple


class Problem(NamedTuple):
    """One fault."""

    path: str
    """`routes[2].trunks[0]` in a document; `listen (--listen)` for an option; `line 3, column 7` for bad TOML."""
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class ConfigError(Exception):
    """A configuration that cannot be used; `problems` holds every fault found, in document order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class PolicyError(ConfigError):
    """The policy document does not build."""


class StaticConfigError(ConfigError):
    """An option of the process is wrong; each path names the option and where its value came from."""
