"""What the commands of `edge account` take in common: their arguments and options."""

from typing import Annotated

import typer

from edge.completion import accounts
from edge.terminal import Config as Config
from edge.terminal import Redis as Redis
from edge.terminal import State as State

Name = Annotated[
    str, typer.Argument(help="An account, group:ID or trunk:ID.", metavar="ACCOUNT", autocompletion=accounts)
]
Lots = Annotated[str, typer.Argument(help="+1, -1: so many more or less; 3 or =3: so many in all.", metavar="LOTS")]
Json = Annotated[bool, typer.Option("--json", help="For machines; money in micro-units, instants in UTC ms.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change; change nothing.")]
Reason = Annotated[str, typer.Option(help="Why; kept in the account's history.", metavar="TEXT")]
By = Annotated[str, typer.Option(help="Who; default: the user of this terminal.", metavar="NAME")]
Until = Annotated[
    str, typer.Option(help="Then it returns by itself: 45m, 2h, 3d, or 2027-01-31T08:00Z.", metavar="WHEN")
]
Cut = Annotated[bool, typer.Option("--cut", help="End its running calls too.")]
Generation = Annotated[int | None, typer.Option(help="Change only what is at this generation.", metavar="N", min=1)]
