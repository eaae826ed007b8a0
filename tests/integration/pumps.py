"""A pump between a core that has nothing to do by itself and outlets of which those are real that it calls by class."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.cdr.builder import CdrBuilder
from edge.cdr.unleased import Unleased
from edge.cdr.verdicts import Verdicts
from edge.cdr.writer import CdrWriter
from edge.config.parsing import parse_policy
from edge.config.snapshot import PolicySnapshot
from edge.control.meter import Meter
from edge.proxy.core import ProxyCore
from edge.proxy.facts import Fact
from edge.proxy.identifiers import Identifiers
from edge.proxy.listeners import Listener, Listeners
from edge.proxy.node import Settings
from edge.pump import Outlets, Pump
from edge.telemetry.totals import CallTotals
from limits.limiter import Limiter

LISTENERS = Listeners([Listener("udp:192.0.2.10:5060", b"UDP", "192.0.2.10", 5060, "192.0.2.10", 5060)])


def silent(fact: Fact) -> None:
    """Nobody listens."""


@contextmanager
def outlets_in(folder: Path, limiter: Limiter | None = None) -> Iterator[Outlets]:
    """With a log in this folder, and no sockets."""
    writer = CdrWriter(folder / "cdr", wall0=0.0, mono0=0.0, tell=silent)
    unleased = Unleased(folder, silent)
    try:
        yield Outlets(
            endpoints=(),
            limiter=limiter,
            writer=writer,
            builder=CdrBuilder("n1", wall0=0.0, mono0=0.0),
            unleased=unleased,
            verdicts=Verdicts(folder / "cdr", node="n1", settled_to=0, last_seq=0, tell=silent),
            totals=CallTotals(),
            meter=Meter(0.0),
            resolver=None,
            tell=silent,
        )
    finally:
        unleased.close()
        writer.close(0.0)


def pump_of(outlets: Outlets, tasks: asyncio.TaskGroup) -> Pump:
    """To be called inside a running event loop."""
    core = ProxyCore(
        settings=Settings(node="n1"),
        listeners=LISTENERS,
        identifiers=Identifiers(secret=b"0123456789abcdef", fresh=lambda: b"tag"),
        snapshot=PolicySnapshot(parse_policy(""), generation=1),
        draw=lambda: 0.0,
        now=time.monotonic(),
        wall_offset=0.0,
    )
    made = Pump(asyncio.get_running_loop(), time.monotonic)
    made.join(core, outlets, tasks)
    return made
