"""Alerts as they run beside an edge: the watch, and a sender for each webhook. I/O.

Runs in the delivery process, not in the one that carries calls.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from edge.alerts.build import open_hooks
from edge.alerts.events import AlertEvent
from edge.alerts.numbers import AlertNumbers, write_numbers
from edge.alerts.sender import Sender
from edge.alerts.watch import AlertWatch
from edge.config.alerts import AlertSettings
from edge.proxy.facts import Fact
from limits.alerts import AlertStore

WRITE_S = 2.0
RESTART_S = 10.0
"""Until it begins again after a fault of ours."""


class AlertService:
    """One for each process."""

    def __init__(
        self, url: str, settings: AlertSettings, *, node: str, home: Path, tell: Callable[[Fact], None]
    ) -> None:
        """`home`: STATE/alerts. Raises SinkError; ValueError where the URL is no store's."""
        self._url = url
        self._home = home
        self._tell = tell
        self.senders: Sequence[Sender] = [Sender(hook, node=node, tell=tell) for hook in open_hooks(settings.webhooks)]
        self.watch = AlertWatch(url, settings, node=node, tell=tell, push=self._push)

    async def run(self) -> None:
        """Until cancelled. A fault of ours is told, and the service begins again."""
        while True:
            try:
                async with AlertStore(self._url) as store, asyncio.TaskGroup() as tasks:
                    tasks.create_task(self.watch.run())
                    tasks.create_task(self._write())
                    for sender in self.senders:
                        tasks.create_task(sender.run(store))
            except* Exception as faults:
                why = "; ".join(f"{type(fault).__name__}: {fault}" for fault in faults.exceptions)
                self._tell(Fact("alerts.died", {"why": why, "restart_s": RESTART_S}))
            await asyncio.sleep(RESTART_S)

    def numbers(self) -> AlertNumbers:
        """Of this process."""
        senders = self.senders
        return AlertNumbers(
            dict(self.watch.raised),
            dict(self.watch.told),
            {one.name: one.sent for one in senders},
            {one.name: one.failed for one in senders},
            {one.name: one.dropped for one in senders},
            {one.name: one.waiting for one in senders},
            {one.name: int(one.is_failing) for one in senders},
        )

    def _push(self, event: AlertEvent) -> None:
        for sender in self.senders:
            sender.push(event)

    async def _write(self) -> None:
        last: AlertNumbers | None = None
        while True:
            await asyncio.sleep(WRITE_S)
            now = self.numbers()
            if now != last:
                await asyncio.to_thread(write_numbers, self._home, now)
                last = now
