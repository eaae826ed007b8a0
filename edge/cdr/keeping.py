"""The rule of retention, applied by a running edge every hour, off the event loop; and by `edge cdr purge` (I/O)."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from edge import state
from edge.cdr import retention
from edge.cdr.delivery import quarantine
from edge.cdr.delivery.checkpoint import lowest_cursor, names
from edge.cdr.retention import Done, Rule
from edge.proxy.facts import Fact

EVERY_S = 3_600.0
KEY_FILE = "cdr-pseudonym.secret"


def apply(
    directory: Path, rule: Rule, *, sinks: Sequence[str] = (), all_sinks: bool = True, dry_run: bool = False
) -> Done:
    """Once, on the log of a state directory. `all_sinks`: hold what a consumer has not had, those among `sinks` that
    have not begun included. Raises OSError, StateError."""
    cursor = lowest_cursor(directory / "delivery", sinks) if all_sinks else None
    key = state.secret(directory, KEY_FILE) if rule.pseudonymise_days and not dry_run else b""
    needed_from = None if cursor is None else cursor + 1
    day = retention.today()
    done = retention.keep(directory / "cdr", rule, day=day, key=key, needed_from=needed_from, dry_run=dry_run)
    for name in names(directory / "delivery"):
        done.aside.extend(quarantine.keep(directory / "delivery" / name, rule, day=day, key=key, dry_run=dry_run))
    return done


async def run(directory: Path, rule: Rule, tell: Callable[[Fact], None], sinks: Sequence[str] = ()) -> None:
    """At the start and every hour, until cancelled; what fails is told and tried again."""
    while rule.keep_days or rule.pseudonymise_days:
        try:
            told(await asyncio.to_thread(apply, directory, rule, sinks=sinks), tell)
        except (OSError, state.StateError) as error:
            tell(Fact("cdr.keeping_failed", {"why": str(error)}))
        await asyncio.sleep(EVERY_S)


def told(done: Done, tell: Callable[[Fact], None]) -> None:
    """One fact for each kind of thing that was done or could not be."""
    if done.purged:
        records = sum(link.records for link in done.purged)
        last = max(link.last_seq for link in done.purged)
        tell(Fact("cdr.purged", {"segments": len(done.purged), "records": records, "last_seq": last}))
    if done.rewritten:
        tell(Fact("cdr.pseudonymised", {"segments": len(done.rewritten)}))
    if done.aside:
        tell(Fact("cdr.aside_kept", {"files": len(done.aside), "first": done.aside[0]}))
    if done.held:
        tell(Fact("cdr.purge_held", {"segments": len(done.held), "first": done.held[0]}))
    if done.changed:
        tell(Fact("cdr.changed", {"segments": len(done.changed), "first": done.changed[0]}))
