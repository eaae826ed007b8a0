"""`edge cdr …`: everything about call detail records on the command line."""

import typer

from edge.cdr import find_commands, log_commands
from edge.cdr.delivery import commands as delivery_commands

app = typer.Typer(
    name="cdr",
    help="Call detail records: is the log whole, look, export, purge; where it is delivered.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(log_commands.app)
app.add_typer(find_commands.app)
app.add_typer(delivery_commands.app)
