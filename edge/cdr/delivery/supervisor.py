"""The edge's side of its delivery process: start it, start it again when it dies, read what it says of itself (I/O).

Imports asyncio, the standard library and this room. A process and not a thread: what is done to records there (JSON,
SQL, TLS, a driver in C) must not cost the SIP road a microsecond of the interpreter, nor bring it down.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from edge.cdr.delivery import status
from edge.cdr.delivery.build import open_consumers
from edge.cdr.delivery.process import FINISH_S, Orders
from edge.cdr.delivery.status import Status
from edge.config.static import StaticConfig
from edge.proxy.facts import Fact
from edge.quality.numbers import NAME as QUALITY
from edge.quality.numbers import Numbers, read_numbers

RESTART_S = 1.0
RESTART_MOST_S = 60.0
SETTLED_S = 60.0
"""A process that lived so long starts again without a growing pause."""
READ_AGAIN_S = 1.0
"""The numbers of the metrics page are at most so old."""


class DeliveryProcess:
    """One for each edge."""

    def __init__(
        self, static: StaticConfig, *, node: str, last_seq: Callable[[], int], tell: Callable[[Fact], None]
    ) -> None:
        """`last_seq`: the last sequence number given out by this edge. Raises SinkError."""
        orders = Orders(
            state=static.state, node=node, log=static.log, log_level=static.log_level, sinks=static.cdr.sinks
        )
        open_consumers(orders.sinks, node=node)
        self._orders = orders
        self._last_seq = last_seq
        self._tell = tell
        self._process: asyncio.subprocess.Process | None = None
        self._starting: asyncio.Future[asyncio.subprocess.Process] | None = None
        delivery = Path(orders.state) / "delivery"
        self._homes = {name: delivery / name for name in (*[sink.name for sink in orders.sinks], QUALITY)}
        self._seen: dict[str, Status] = {}
        self._seen_at = float("-inf")
        self.restarts = 0
        """Times it had to be started again."""

    @property
    def is_up(self) -> bool:
        """It runs."""
        return self._process is not None and self._process.returncode is None

    async def run(self, store: str) -> None:
        """Until cancelled: keep one running. `store`: URL of the store."""
        self._orders = self._orders.model_copy(update={"store": store})
        pause = RESTART_S
        while True:
            begun = time.monotonic()
            why = await self._once()
            self.restarts += 1
            pause = RESTART_S if time.monotonic() - begun > SETTLED_S else min(pause * 2, RESTART_MOST_S)
            self._tell(Fact("delivery.died", {"why": why, "restart_s": pause}))
            await asyncio.sleep(pause)

    async def stop(self) -> None:
        """The log gets no more records: let it deliver the last ones and end. What hangs is left behind, and ends by
        itself."""
        if self._starting is not None:
            try:
                self._process = await self._starting
            except OSError:
                return  # `run` says so, or the edge has ended before it could
        process = self._process
        if process is None or process.returncode is not None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(FINISH_S + 3):
                await process.wait()
        except TimeoutError:
            self._tell(Fact("delivery.died", {"why": "does not stop", "restart_s": 0}))

    async def _once(self) -> str:
        # An edge that is stopped in this very moment must not wait for a child that nobody has told to end: the start
        # is never cancelled, `stop` takes it up.
        self._starting = asyncio.ensure_future(
            asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                "edge.cdr.delivery.process",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        )
        try:
            process = await asyncio.shield(self._starting)
        except OSError as error:
            self._starting = None
            return f"cannot be started: {error.strerror}"
        self._process, self._starting = process, None
        assert process.stdin is not None
        try:
            process.stdin.write(self._orders.model_dump_json(by_alias=True).encode() + b"\n")
            await process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            pass  # died at once: its exit code says so
        code = await process.wait()
        return f"signal {-code}" if code < 0 else f"exit code {code}"

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

    def _statuses(self) -> Mapping[str, Status]:
        now = time.monotonic()
        if now - self._seen_at >= READ_AGAIN_S:
            self._seen = {name: status.read(home) or Status() for name, home in self._homes.items()}
            self._seen_at = now
        return self._seen
