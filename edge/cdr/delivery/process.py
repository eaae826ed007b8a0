"""The delivery process: every consumer's runner, and who answers for the log, away from the process that carries calls
(I/O).

`python -m edge.cdr.delivery.process` is started by `edge run`, which writes one line of JSON (`Orders`) to its standard
input and leaves that open. When it closes, because the edge has stopped or has died, the process delivers what is in
the log, for `FINISH_S` at most, and ends; the rest is for the next one. While it gives way to everybody it is killed
when the edge dies. Signals to the process group are not for it.
"""

import asyncio
import fcntl
import gc
import logging
import os
import signal
import sys
import time
from pathlib import Path

from edge.alerts.numbers import HOME as ALERTS
from edge.alerts.service import AlertService
from edge.cdr.answering import RecordDesk
from edge.cdr.delivery.consumer import Bounds, Ready
from edge.cdr.delivery.credentials import SinkError
from edge.cdr.delivery.orders import FINISH_S, NO_SINKS, STARVED, Orders
from edge.cdr.delivery.runner import Runner
from edge.children import STARVED_S, end_of_input, give_way, starved, take_second_place
from edge.proxy.facts import Fact
from edge.quality.numbers import NAME as QUALITY
from edge.quality.service import QualityService, told_entry
from edge.telemetry.lines import lines_to
from edge.telemetry.logs import FactLog, LibraryHandler

LOCK_S = 0.2
"""How often a process that waits for the one before it looks."""
NICENESS = 10
"""Calls come first where there is one processor for both."""
PLACED_S = 600.0
"""One that follows on one that starved has a place of its own for so long."""
GC_THRESHOLD = 50_000
"""Objects between two looks of the collector."""

QUALITY_BOUNDS = Bounds(records=40_000, size=128 << 20, age_s=20.0, few=200, few_age_s=2.0, poll_s=1.0, timeout_s=120.0)
"""What is counted of one account in a batch costs the store no more than one record of it: where there are many, few
and large ones, of which little is kept (`told_entry`). Nobody waits for a look at the log; and whoever gives way to
everybody may take long over a batch, which would only be longer the second time."""


def main() -> int:
    """The process. Exit code 1: the sinks cannot be set up; the log says why. Does not return once it has orders."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTTOU):
        signal.signal(name, signal.SIG_IGN)
    line = sys.stdin.buffer.readline()
    if not line:
        return 0  # the edge ended before it could say what is to be done
    orders = Orders.model_validate_json(line)
    take_second_place(NICENESS, gives_way=orders.gives_way)
    log = FactLog(lines_to(sys.stderr, orders.log, orders.log_level))
    logging.getLogger().addHandler(LibraryHandler(log))
    asyncio.run(_to_its_end(_Process(orders, log)))
    return 1


async def _to_its_end(process: "_Process") -> None:
    """A thread that a dead disk or server holds must not hold the process too, and the event loop waits for its own."""
    code = await process.run()
    sys.stderr.flush()
    os._exit(code)


class _Process:
    def __init__(self, orders: Orders, log: FactLog) -> None:
        self._orders = orders
        self._log = log
        self._delivery = Path(orders.state) / "delivery"

    def _tell(self, fact: Fact) -> None:
        self._log.tell(fact, time.monotonic())

    async def run(self) -> int:
        try:
            ready = self._sinks()
            quality, alerts, desk = self._quality(), self._alerts(), self._desk()
        except (SinkError, ValueError) as error:
            self._tell(Fact("delivery.refused", {"why": str(error)}))
            return 1
        ended = asyncio.ensure_future(end_of_input())
        lock = await self._lock(ended)
        if lock is None:
            return 0
        watch: list[asyncio.Task[None]] = []
        if quality is not None:
            ready.append(Ready(quality.consumer, QUALITY_BOUNDS, told_entry))
            watch.append(asyncio.ensure_future(quality.run()))
        if alerts is not None:
            watch.append(asyncio.ensure_future(alerts.run()))
        if desk is not None:
            watch.append(asyncio.ensure_future(desk.run()))
        runners = [self._runner(each) for each in ready]
        gc.freeze()  # what is loaded stays; and what waits in a batch is no rubbish, however much it is
        gc.set_threshold(GC_THRESHOLD, 50, 1000)
        work = [asyncio.ensure_future(runner.run()) for runner in runners]
        code = await self._until_over(ended)
        for task in watch:
            task.cancel()
        await self._finish(runners, work)
        self._log.tell_suppressed(time.monotonic() + 1)
        os.close(lock)
        return code

    async def _until_over(self, ended: "asyncio.Future[None]") -> int:
        """Exit code."""
        if not self._orders.gives_way:
            await asyncio.wait([ended], timeout=PLACED_S)
            give_way()
        hungry = asyncio.ensure_future(starved())
        await asyncio.wait([ended, hungry], return_when=asyncio.FIRST_COMPLETED)
        hungry.cancel()
        if ended.done():
            return 0
        self._tell(Fact("delivery.starved", {"for_s": STARVED_S}))
        return STARVED

    def _sinks(self) -> list[Ready]:
        """Raises SinkError."""
        if self._orders.sinks == NO_SINKS:
            return []
        from edge.cdr.delivery.build import SINKS, open_consumers

        return open_consumers(SINKS.validate_json(self._orders.sinks), node=self._orders.node)

    def _quality(self) -> QualityService | None:
        """Raises ValueError where the URL is no store's."""
        orders = self._orders
        if not orders.store:
            return None
        return QualityService(orders.store, node=orders.node, home=self._delivery / QUALITY, tell=self._tell)

    def _alerts(self) -> AlertService | None:
        """Raises SinkError; ValueError where the URL is no store's."""
        orders = self._orders
        if not orders.store:
            return None
        home = Path(orders.state) / ALERTS
        return AlertService(orders.store, orders.alerts, node=orders.node, home=home, tell=self._tell)

    def _desk(self) -> RecordDesk | None:
        """Raises ValueError where the URL is no store's."""
        orders = self._orders
        if not orders.store:
            return None
        return RecordDesk(orders.store, node=orders.node, log=Path(orders.state) / "cdr", tell=self._tell)

    def _runner(self, ready: Ready) -> Runner:
        return Runner(
            ready.consumer,
            log=Path(self._orders.state) / "cdr",
            home=self._delivery / ready.consumer.name,
            tell=self._tell,
            bounds=ready.bounds,
            read=ready.read,
        )

    async def _finish(self, runners: list[Runner], work: "list[asyncio.Task[None]]") -> None:
        """Each as far as it comes in the time there is."""
        if not runners:
            return
        for runner in runners:
            runner.finish()
        _, late = await asyncio.wait(work, timeout=FINISH_S)
        for task in late:
            task.cancel()
        done = sum(runner.is_done for runner in runners)
        self._tell(Fact("delivery.stopped", {"delivered": done, "unfinished": len(runners) - done}))
        closing = [asyncio.ensure_future(runner.close()) for runner in runners]
        await asyncio.wait([*late, *closing], timeout=1.0)

    async def _lock(self, ended: "asyncio.Future[None]") -> int | None:
        """One delivery process a state directory. None: the edge has stopped before the one before ended."""
        self._delivery.mkdir(mode=0o750, parents=True, exist_ok=True)
        fd = os.open(self._delivery / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return fd
            except BlockingIOError:
                await asyncio.wait([ended], timeout=LOCK_S)
                if ended.done():
                    os.close(fd)
                    return None


if __name__ == "__main__":
    sys.exit(main())
