"""`edge cdr find`: records of every node, by what a customer knows of a call. Parses, calls, prints."""

import json
from typing import Annotated

import typer

from edge.cdr.log_commands import Accounts, Json, Outcomes, Reasons, Since, Until, picked_of
from edge.terminal import Place, at_store, fail, say, usage

app = typer.Typer(rich_markup_mode=None)


@app.command()
@at_store
def find(
    place: Place,
    number: Annotated[str, typer.Option(help="Calling or called, in any spelling.", metavar="NUMBER")] = "",
    call_id: Annotated[str, typer.Option("--call-id", help="SIP Call-ID.", metavar="TEXT")] = "",
    uid: Annotated[str, typer.Option(help="Of the call.", metavar="UID")] = "",
    trunk: Annotated[str, typer.Option(help="Ingress or egress trunk.", metavar="ID")] = "",
    since: Since = None,
    until: Until = None,
    account: Accounts = None,
    outcome: Outcomes = None,
    reason: Reasons = None,
    limit: Annotated[int, typer.Option(help="So many at most.", min=1, max=1_000)] = 50,
    here: Annotated[bool, typer.Option("--here", help="In the log of --state only; the store is not needed.")] = False,
    as_json: Json = False,
) -> None:
    """Records of every node, the newest first; what is given must all be so. Exit 1 where there are none, or where a
    node did not answer."""
    from edge.accounts.changes import Refused
    from edge.cdr import tailing
    from edge.cdr.looking import look
    from edge.cdr.search import Wanted
    from edge.config.errors import StaticConfigError

    wanted = Wanted(picked_of(since, until, account, outcome, reason), uid, call_id, number, trunk)
    try:
        found = look(place, wanted, limit=limit, here_only=here)
    except Refused as refused:
        fail(str(refused))
    except StaticConfigError as error:
        usage(*(str(problem) for problem in error.problems))
    if as_json:
        say(json.dumps([entry.record for entry in found.entries], ensure_ascii=False))
    elif found.entries:
        say(tailing.head(), *[tailing.row(entry.record) for entry in found.entries])
    faults = [] if found.entries else [f"no such record in the log of {', '.join(found.nodes) or 'any node'}"]
    faults += [found.missing] if found.missing else []
    if faults:
        fail(*faults)
