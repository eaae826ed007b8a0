"""How far long work has come, as a bar on the terminal's stderr; nothing where nobody looks (I/O)."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

EVERY_S = 0.2
EVERY_ITEMS = 256
"""Between two looks at the clock."""

_T = TypeVar("_T")


def watched(items: Iterable[_T], what: str, *, total: int = 0, done: Callable[[], int] | None = None) -> Iterable[_T]:
    """The same items, under a bar that is gone when they are. `total`: how much there is in all, in items or in the
    unit of `done`, which tells how much is behind us; left out: the items are only counted."""
    return _told(items, what, total, done) if sys.stderr.isatty() else items


def _told(items: Iterable[_T], what: str, total: int, done: Callable[[], int] | None) -> Iterator[_T]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.fields[count]:,} {task.description}"),
        BarColumn(),
        *((TaskProgressColumn(), TimeRemainingColumn()) if total else (TimeElapsedColumn(),)),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False) as progress:
        task = progress.add_task(what, total=total or None, count=0)
        due = time.monotonic() + EVERY_S
        for count, item in enumerate(items, 1):
            yield item
            if count % EVERY_ITEMS == 0 and time.monotonic() >= due:
                due = time.monotonic() + EVERY_S
                progress.update(task, count=count, completed=done() if done else count if total else None, refresh=True)
