"""`python -m edge` is the `edge` command."""

from edge.commands import main

main()
