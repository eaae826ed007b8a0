"""What the commands of `edge account` take in common: their arguments and options."""

from typing import Annotated

import typer

Name = Annotated[str, typer.Argument(help="An account, group:ID or trunk:ID.", metavar="ACCOUNT")]
Lots = Annotated[str, typer.Argument(help="+1, -1: so many more or less; 3 or =3: so many in all.", metavar="LOTS")]
Redis = Annotated[
    str | None,
    typer.Option(help="URL of the store, or `embedded`: that of the edge on --state. Also EDGE_REDIS.", metavar="URL"),
]
State = Annotated[str | None, typer.Option(help="State directory of a running edge. Also EDGE_STATE.", metavar="DIR")]
Config = Annotated[str | None, typer.Option(help="The TOML file of `edge run`.", metavar="FILE", envvar="EDGE_CONFIG")]
Json = Annotated[bool, typer.Option("--json", help="For machines; money in micro-units, instants in UTC ms.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change; change nothing.")]
Reason = Annotated[str, typer.Option(help="Why; kept in the account's history.", metavar="TEXT")]
By = Annotated[str, typer.Option(help="Who; default: the user of this terminal.", metavar="NAME")]
Until = Annotated[
    str, typer.Option(help="Then it returns by itself: 45m, 2h, 3d, or 2027-01-31T08:00Z.", metavar="WHEN")
]
Cut = Annotated[bool, typer.Option("--cut", help="End its running calls too.")]
Generation = Annotated[int | None, typer.Option(help="Change only what is at this generation.", metavar="N", min=1)]
