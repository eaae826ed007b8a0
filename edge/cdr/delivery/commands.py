"""`edge cdr sinks` and `edge cdr redeliver`: where the log of call detail records is delivered.

Parses, calls one function, prints. What is heavy is imported when a command runs.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.terminal import USAGE, fail, say, to_json

if TYPE_CHECKING:
    from edge.config.static import StaticConfig


app = typer.Typer()

State = Annotated[str | None, typer.Option(help="State directory of the edge. Also EDGE_STATE.", metavar="DIR")]
Config = Annotated[str | None, typer.Option(help="The TOML file of `edge run`.", metavar="FILE", envvar="EDGE_CONFIG")]
AsJson = Annotated[bool, typer.Option("--json", help="For machines; instants in UTC seconds.")]


@app.command()
def sinks(state: State = None, config: Config = None, as_json: AsJson = False) -> None:
    """Each sink: how far it is, what waits, since when it fails and why, what it has refused."""
    from edge.cdr.delivery import report

    static = _static(state, config)
    try:
        found = report.report(Path(static.state), _kinds(static))
    except report.Refused as refused:
        fail(str(refused))
    if as_json:
        told = {**found._asdict(), "sinks": [sink._asdict() for sink in found.sinks]}
        say(json.dumps(told, ensure_ascii=False))
    else:
        say(*report.lines(found))


@app.command()
def redeliver(
    sink: Annotated[str, typer.Option(help="Which sink.", metavar="NAME")],
    from_: Annotated[
        int, typer.Option("--from", help="Sequence number of the first record to send again.", metavar="SEQ")
    ],
    state: State = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Deliver records again that a sink has had: its checkpoint goes back to before SEQ."""
    from edge.cdr.delivery import report

    static = _static(state, config)
    try:
        lines = report.redeliver(Path(static.state), _kinds(static), sink=sink, from_seq=from_)
    except report.Refused as refused:
        fail(str(refused))
    say(*([to_json({"sink": sink, "from": from_, "said": list(lines)})] if as_json else lines))


def _kinds(static: "StaticConfig") -> dict[str, str]:
    from edge.config.sinks import RESERVED

    return {RESERVED: "edge", **{sink.name: sink.kind for sink in static.cdr.sinks}}


def _static(state: str | None, config: str | None) -> "StaticConfig":
    from edge.config.errors import StaticConfigError
    from edge.settings import read_settings

    try:
        return read_settings({"state": state, "policy": "-"}, config)
    except StaticConfigError as error:
        fail(*(str(problem) for problem in error.problems), code=USAGE)
