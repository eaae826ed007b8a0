"""The edge's side of its delivery process: start it, start it again when it dies, read what it says of itself (I/O).

Imports the standard library, `children` and this room. A process and not a thread: what is done to records there (JSON,
SQL, TLS, a driver in C) must not cost the SIP road a microsecond of the interpreter, nor bring it down.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from edge.alerts.numbers import HOME as ALERTS
from edge.alerts.numbers import AlertNumbers
from edge.alerts.numbers import read_numbers as read_alert_numbers
from edge.cdr.delivery import status
from edge.cdr.delivery.orders import FINISH_S, NO_SINKS, STARVED, Orders
from edge.cdr.delivery.status import Status
from edge.children import Child, exit_word
from edge.config.static import StaticConfig
from edge.proxy.facts import Fact
from edge.quality.numbers import NAME as QUALITY
from edge.quality.numbers import Numbers, read_numbers

READ_AGAIN_S = 1.0
"""The numbers of the metrics page are at most so old."""


def after(orders: Orders, why: str) -> Orders:
    """What the next process is told where the one before ended in this way: after one that starved, none gives way at
    once."""
    return orders.model_copy(update={"gives_way": False}) if why == exit_word(STARVED) else orders


def _checked(static: StaticConfig, node: str) -> str:
    """The sinks for the orders, every one tried, and every webhook. What knows them is loaded where there is one: the
    process that carries calls needs none of it. Raises SinkError."""
    if static.alerts.webhooks:
        from edge.alerts.build import open_hooks

        open_hooks(static.alerts.webhooks)
    if not static.cdr.sinks:
        return NO_SINKS
    from edge.cdr.delivery.build import SINKS, open_consumers

    open_consumers(static.cdr.sinks, node=node)
    return SINKS.dump_json(static.cdr.sinks, by_alias=True).decode()


class DeliveryProcess:
    """One for each edge."""

    def __init__(
        self, static: StaticConfig, *, node: str, last_seq: Callable[[], int], tell: Callable[[Fact], None]
    ) -> None:
        """`last_seq`: the last sequence number given out by this edge. Raises SinkError."""
        orders = Orders(
            state=static.state, node=node, log=static.log, log_level=static.log_level,
            sinks=_checked(static, node), alerts=static.alerts,
        )  # fmt: skip
        self._orders = orders
        self._last_seq = last_seq
        self._child = Child(
            "edge.cdr.delivery.process", died="delivery.died", finish_s=FINISH_S, tell=tell, meant=STARVED
        )
        delivery = Path(orders.state) / "delivery"
        self._homes = {name: delivery / name for name in (*[sink.name for sink in static.cdr.sinks], QUALITY)}
        self._alerts_home = Path(orders.state) / ALERTS
        self._alerts = AlertNumbers()
        self._alerts_at = float("-inf")
        self._seen: dict[str, Status] = {}
        self._seen_at = float("-inf")

    @property
    def is_up(self) -> bool:
        """It runs."""
        return self._child.is_up

    @property
    def restarts(self) -> int:
        """Times it had to be started again."""
        return self._child.restarts

    async def run(self, store: str) -> None:
        """Until cancelled: keep one running. `store`: URL of the store."""
        self._orders.store = store
        await self._child.run(self._say)

    def _say(self, why: str) -> str:
        self._orders = after(self._orders, why)
        return self._orders.model_dump_json()

    async def stop(self) -> None:
        """The log gets no more records: let it deliver the last ones and end. What hangs is left behind, and ends by
        itself."""
        await self._child.stop()

    # -- numbers ---------------------------------------------------------------------------------------------------

    def lag_records(self) -> Mapping[str, int]:
        """Records that are not delivered yet, by sink."""
        last = self._last_seq()
        return {name: max(0, last - told.cursor) for name, told in self._statuses().items()}

    def lag_s(self) -> Mapping[str, int]:
        """Age of the oldest of them."""
        last, wall = self._last_seq(), time.time()
        return {name: round(status.lag_s(told, last_seq=last, wall=wall)) for name, told in self._statuses().items()}

    def delivered(self) -> Mapping[str, int]:
        """Records taken, since the sink exists."""
        return {name: told.delivered for name, told in self._statuses().items()}

    def quarantined(self) -> Mapping[str, int]:
        """Records put aside, since the sink exists."""
        return {name: told.quarantined for name, told in self._statuses().items()}

    def failures(self) -> Mapping[str, int]:
        """Deliveries that failed, since the process started."""
        return {name: told.failures for name, told in self._statuses().items()}

    def failing(self) -> Mapping[str, int]:
        """1: it fails just now."""
        return {name: int(told.failing_since > 0) for name, told in self._statuses().items()}

    def quality(self) -> Numbers:
        """What is told of the quality of traffic, since this state directory exists."""
        return read_numbers(self._homes[QUALITY])

    def alerts(self) -> AlertNumbers:
        """What is told of alerts, since the process started."""
        now = time.monotonic()
        if now - self._alerts_at >= READ_AGAIN_S:
            self._alerts = read_alert_numbers(self._alerts_home)
            self._alerts_at = now
        return self._alerts

    def _statuses(self) -> Mapping[str, Status]:
        now = time.monotonic()
        if now - self._seen_at >= READ_AGAIN_S:
            self._seen = {name: status.read(home) or Status() for name, home in self._homes.items()}
            self._seen_at = now
        return self._seen
