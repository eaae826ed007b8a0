"""The log as the settings of the process want it (I/O)."""

from collections.abc import Callable, Coroutine
from pathlib import Path

from edge.cdr import keeping
from edge.cdr.recent import Recent, recent
from edge.cdr.replay import settled_to
from edge.cdr.retention import Rule
from edge.cdr.unleased import Unleased
from edge.cdr.verdicts import Verdicts
from edge.cdr.writer import CdrError, CdrWriter
from edge.config.static import StaticConfig
from edge.proxy.facts import Fact


def open_log(static: StaticConfig, *, wall0: float, mono0: float, tell: Callable[[Fact], None]) -> CdrWriter:
    """STATE/cdr, open for writing. Raises CdrError."""
    return CdrWriter(
        Path(static.state) / "cdr",
        wall0=wall0,
        mono0=mono0,
        tell=tell,
        segment_bytes=static.cdr_segment_mb << 20,
        segment_s=static.cdr_segment_s,
        sync_s=static.cdr_sync_ms / 1000,
        capacity=static.cdr_queue,
        billable_capacity=4 * static.cdr_queue,
    )


def judge(writer: CdrWriter, *, node: str, tell: Callable[[Fact], None]) -> Verdicts:
    """Which of its records stand; before anything is delivered of them. Raises CdrError."""
    directory, last_seq = writer.directory, writer.last_seq
    try:
        known = settled_to(directory, last_seq)
        return Verdicts(directory, node=node, settled_to=known, last_seq=last_seq, tell=tell)
    except OSError as error:
        raise CdrError(f"cannot write CDRs to {directory}: {error.strerror}") from error


def keep(static: StaticConfig, tell: Callable[[Fact], None]) -> Coroutine[None, None, None]:
    """The rule of retention, for as long as the edge runs."""
    rule = Rule(static.cdr_keep_days, static.cdr_pseudonymise_days)
    return keeping.run(Path(static.state), rule, tell, [sink.name for sink in static.cdr.sinks])


def what_is_left(
    writer: CdrWriter, state: Path, wall: float, tell: Callable[[Fact], None]
) -> tuple[Unleased, list[Recent]]:
    """What the process before has left: attempts without a lease, and those that have their record in this log, as far
    as they may come again at `wall` (UTC seconds). Raises CdrError."""
    try:
        return Unleased(state, tell), recent(writer.directory, wall)
    except OSError as error:
        raise CdrError(f"cannot read what is in {state}: {error.strerror}") from error
