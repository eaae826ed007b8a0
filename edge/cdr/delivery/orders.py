"""What a delivery process is told at its start, and how it ends. Pure.

The edge and its delivery process both know this room, and of each other nothing else.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from edge.config.alerts import AlertSettings

FINISH_S = 5.0
"""Time to deliver what is in the log, once the edge has ended."""
STARVED = 3
"""Exit code: it gave way to everybody, and came to nothing (`children.starved`)."""
NO_SINKS = "[]"


class Orders(BaseModel):
    """One line of JSON on standard input."""

    model_config = ConfigDict(defer_build=True)

    state: str
    node: str
    log: Literal["console", "json"]
    log_level: Literal["debug", "info", "warning", "error"]
    sinks: str = NO_SINKS
    """In JSON (`build.SINKS`): a process without any does not load what knows them."""
    store: str = ""
    """URL of the store, in which the quality of traffic is counted; empty: it is not."""
    alerts: AlertSettings = AlertSettings.unwritten()
    gives_way: bool = True
    """It works while a processor has nothing else to do; if not at once, then after `process.PLACED_S`."""
