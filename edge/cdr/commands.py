"""`edge cdr …`: everything about call detail records on the command line."""

import typer

from edge.cdr import log_commands

app = typer.Typer(
    name="cdr",
    help="Call detail records: is the log whole, look, export, purge.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(log_commands.app)
