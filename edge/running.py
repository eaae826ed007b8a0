"""What there is to say about an edge that has just started, or that cannot. Pure: shapes only."""

from typing import NamedTuple


class StartError(Exception):
    """The edge cannot start; the message is for the operator."""


class Running(NamedTuple):
    """For the lines that `edge run` says when it serves."""

    node: str
    listeners: tuple[str, ...]
    policy: str
    generation: int
    accounts: int
    store: str
    cdr_directory: str
    metrics: str
    """HOST:PORT; empty: no page."""
    local_trunk: tuple[str, int] | None
    """A trunk on this machine, if there is one: a first run wants to know."""
